/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Winograd's ways have in common: products of transformed tiles by transformed weights. */
#pragma once

#include "tile_avx2.h"
#include "winograd.h"

#ifdef __AVX2__ /* nothing here is for files compiled without it */

/* Floats of one product's `tiles` rows of n: a little more than needed, since powers of two would fall onto the same
 * lines of the cache. */
static inline size_t
ak_winograd_place (size_t tiles, size_t n)
{
  return tiles * n + 16;
}

/* Where the side x side pixels of a tile's input are that begins at (row, col) of the padded image; `zeros`: what lies
 * outside. */
AK_INLINE void
ak_winograd_pixels (const AkWinograd *w, size_t row, size_t col, size_t side, const float *zeros,
    const float **pixels)
{
  if (row >= w->padding && row - w->padding + side <= w->height && col >= w->padding &&
      col - w->padding + side <= w->width) {
    const float *x = w->x + ((row - w->padding) * w->width + col - w->padding) * w->x_row;

    for (size_t i = 0; i < side; i++, x += w->width * w->x_row)
      for (size_t j = 0; j < side; j++)
        pixels[side * i + j] = x + j * w->x_row;
    return;
  }
  for (size_t i = 0; i < side * side; i++) {
    size_t r = row + i / side, q = col + i % side;
    int inside = r >= w->padding && r - w->padding < w->height && q >= w->padding &&
                 q - w->padding < w->width;

    pixels[i] = inside ? w->x + ((r - w->padding) * w->width + q - w->padding) * w->x_row : zeros;
  }
}

#define AK_WINOGRAD_NARROW 8 /* tiles at a time where half of a panel is empty */

/* Only the first 8 columns of a panel, in ak_tile()'s order. */
AK_INLINE void
ak_winograd_narrow (float *t, const float *x, const float *panel, size_t channels)
{
  __m256 acc[AK_WINOGRAD_NARROW];

#pragma GCC unroll 8
  for (size_t i = 0; i < AK_WINOGRAD_NARROW; i++)
    acc[i] = _mm256_setzero_ps ();
  for (size_t c = 0; c < channels; c++) {
    __m256 w = _mm256_loadu_ps (panel + 16 * c);

#pragma GCC unroll 8
    for (size_t i = 0; i < AK_WINOGRAD_NARROW; i++)
      acc[i] = _mm256_fmadd_ps (_mm256_broadcast_ss (x + i * channels + c), w, acc[i]);
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < AK_WINOGRAD_NARROW; i++)
    _mm256_storeu_ps (t + 16 * i, acc[i]);
}

/* t [tiles][16] = x [tiles][channels] by a panel of which `columns` are needed. */
AK_INLINE void
ak_winograd_multiply (
    float *t, const float *x, const float *panel, size_t tiles, size_t channels, size_t columns)
{
  size_t i = 0;

  for (; columns <= 8 && i + AK_WINOGRAD_NARROW <= tiles; i += AK_WINOGRAD_NARROW)
    ak_winograd_narrow (t + 16 * i, x + i * channels, panel, channels);
  for (size_t rows, left = (tiles - i + 5) / 6; i < tiles; i += rows, left--) {
    rows = (tiles - i + left - 1) / left;
    ak_tile_rows (
        rows, 0, t + 16 * i, 16, x + i * channels, channels, panel, 16, channels, NULL, 0);
  }
}

#endif
