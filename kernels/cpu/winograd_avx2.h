/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Winograd's ways have in common: products of transformed tiles by transformed weights. */
#pragma once

#include <string.h>

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

#define AK_WINOGRAD_MOST 36  /* products */
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

/* 8 channels of one tile's pixels, from c on, or what is left of them, to the products' places, `step` floats apart:
 * Bᵀ d B. */
typedef void AkWinogradTransform (
    const AkWinograd *w, const float *const *pixels, size_t c, int whole, float *to, size_t step);

/* All channels. */
AK_INLINE void
ak_winograd_transform (const AkWinograd *w, AkWinogradTile tile, size_t size, const float *zeros,
    float *to, size_t step, AkWinogradTransform *transform)
{
  const float *pixels[AK_WINOGRAD_MOST];
  size_t c;

  ak_winograd_pixels (w, size * tile.row, size * tile.column, size + 2, zeros, pixels);
  for (c = 0; c + 8 <= w->channels; c += 8)
    transform (w, pixels, c, 1, to + c, step);
  if (c < w->channels)
    transform (w, pixels, c, 0, to + c, step);
}

/* 8 columns of one tile's products m, or what is left of them, to its pixels: Aᵀ m A and the epilogue. */
typedef void AkWinogradFinish (const AkWinograd *w, const AkPanels *p, AkWinogradTile tile,
    size_t col, int whole, const float *m, size_t step);

/* All tiles of one panel from its column `col` on. `p`'s activation, and whether it has noise, are constants of the
 * caller where that pays. */
AK_INLINE void
ak_winograd_finish_tiles (const AkWinograd *w, const AkPanels *p, const AkWinogradTile *tile,
    size_t tiles, size_t col, const float *products, size_t step, AkWinogradFinish *finish)
{
  for (size_t i = 0; i < tiles; i++)
    for (size_t h = 0; h < 16 && col + h < p->n; h += 8)
      if (p->n - col - h >= 8)
        finish (w, p, tile[i], col + h, 1, products + 16 * i + h, step);
      else
        finish (w, p, tile[i], col + h, 0, products + 16 * i + h, step);
}

AK_INLINE void
ak_winograd_finish_panel (const AkWinograd *w, const AkWinogradTile *tile, size_t tiles, size_t col,
    const float *products, size_t step, AkWinogradFinish *finish)
{
  AkPanels p = w->p; /* a copy, which nothing that is written here can change */

  if (!p.noise && p.activation == AK_ACT_LEAKY_RELU) {
    p.noise = NULL;
    p.activation = AK_ACT_LEAKY_RELU;
    ak_winograd_finish_tiles (w, &p, tile, tiles, col, products, step, finish);
  } else if (!p.noise && p.activation == AK_ACT_NONE) {
    p.noise = NULL;
    p.activation = AK_ACT_NONE;
    ak_winograd_finish_tiles (w, &p, tile, tiles, col, products, step, finish);
  } else {
    ak_winograd_finish_tiles (w, &p, tile, tiles, col, products, step, finish);
  }
}

/* What an AkWinogradRun does with tiles of size x size results; the last three arguments are constants of the caller. */
AK_INLINE void
ak_winograd_run (const AkWinograd *w, const AkWinogradTile *tile, size_t tiles, float *scratch,
    size_t size, AkWinogradTransform *transform, AkWinogradFinish *finish)
{
  const size_t n_products = (size + 2) * (size + 2);
  size_t channels = w->channels, panels = (w->p.n + 15) / 16;
  size_t step = ak_winograd_place (tiles, channels), product_step = ak_winograd_place (tiles, 16);
  float *products = scratch + n_products * step, *zeros = products + n_products * product_step;

  memset (zeros, 0, channels * sizeof *zeros);
  for (size_t i = 0; i < tiles; i++)
    ak_winograd_transform (w, tile[i], size, zeros, scratch + i * channels, step, transform);
  for (size_t p = 0; p < panels; p++) {
    for (size_t e = 0; e < n_products; e++)
      ak_winograd_multiply (products + e * product_step, scratch + e * step,
          (const float *) w->p.panels + (e * panels + p) * channels * 16, tiles, channels,
          w->p.n - 16 * p);
    ak_winograd_finish_panel (w, tile, tiles, 16 * p, products, product_step, finish);
  }
}

#endif
