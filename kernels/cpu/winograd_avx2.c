/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "winograd.h"

#include <string.h>

#include "finish_avx2.h"

/* Places of one panel's products, and of one product's tiles: a little more than needed, since powers of
 * two would fall onto the same lines of the cache. */
static size_t
place (size_t tiles, size_t n)
{
  return tiles * n + 16;
}

size_t
ak_winograd_size (const AkCpuMatrix *m)
{
  return 16 * ((m->n + 15) / 16) * m->base.in * 16;
}

void
ak_winograd_weights (float *to, const AkCpuMatrix *m)
{
  static const double g[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } };
  size_t panels = (m->n + 15) / 16, channels = m->base.in;
  const float *data = m->data;

  for (size_t p = 0; p < panels; p++)
    for (size_t c = 0; c < channels; c++)
      for (size_t j = 0; j < 16; j++)
        for (size_t e = 0; e < 16; e++) {
          double s = 0;

          for (size_t k = 0; k < 9; k++)
            s += g[e / 4][k / 3] * g[e % 4][k % 3] * data[(p * m->k + k * channels + c) * 16 + j];
          to[((e * panels + p) * channels + c) * 16 + j] = (float) s;
        }
}

size_t
ak_winograd_scratch (const AkWinograd *w, size_t tiles)
{
  return 16 * (place (tiles, w->channels) + place (tiles, 16)) + w->channels;
}

/* 8 channels of one tile: Bᵀ d B. */
AK_INLINE void
transform8 (
    const AkWinograd *w, const float *const *pixels, size_t c, int whole, float *to, size_t step)
{
  __m256i mask = whole ? _mm256_setzero_si256 () : ak_mask8 (w->channels - c);
  __m256 t[4][4];

#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    __m256 d0 = ak_load8 (pixels[j] + c, whole, mask);
    __m256 d1 = ak_load8 (pixels[4 + j] + c, whole, mask);
    __m256 d2 = ak_load8 (pixels[8 + j] + c, whole, mask);
    __m256 d3 = ak_load8 (pixels[12 + j] + c, whole, mask);

    t[0][j] = _mm256_sub_ps (d0, d2);
    t[1][j] = _mm256_add_ps (d1, d2);
    t[2][j] = _mm256_sub_ps (d2, d1);
    t[3][j] = _mm256_sub_ps (d1, d3);
  }
  if (w->scale) {
    __m256 s = ak_load8 (w->scale + c, whole, mask);

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++)
        t[i][j] = _mm256_mul_ps (t[i][j], s);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    ak_store8 (to, whole, mask, _mm256_sub_ps (t[i][0], t[i][2]));
    ak_store8 (to + step, whole, mask, _mm256_add_ps (t[i][1], t[i][2]));
    ak_store8 (to + 2 * step, whole, mask, _mm256_sub_ps (t[i][2], t[i][1]));
    ak_store8 (to + 3 * step, whole, mask, _mm256_sub_ps (t[i][1], t[i][3]));
    to += 4 * step;
  }
}

/* One tile's pixels to the 16 products' places. */
static void
transform (const AkWinograd *w, size_t tile, const float *zeros, float *to, size_t step)
{
  size_t row = tile / w->tiles_across * 2, col = tile % w->tiles_across * 2, c;
  const float *pixels[16];

  if (row >= w->padding && row - w->padding + 4 <= w->height && col >= w->padding &&
      col - w->padding + 4 <= w->width) {
    const float *x = w->x + ((row - w->padding) * w->width + col - w->padding) * w->x_row;

#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++, x += w->width * w->x_row)
#pragma GCC unroll 4
      for (size_t j = 0; j < 4; j++)
        pixels[4 * i + j] = x + j * w->x_row;
  } else {
    for (size_t i = 0; i < 16; i++) {
      size_t r = row + i / 4, q = col + i % 4;
      int inside = r >= w->padding && r - w->padding < w->height && q >= w->padding &&
                   q - w->padding < w->width;

      pixels[i] = inside ? w->x + ((r - w->padding) * w->width + q - w->padding) * w->x_row : zeros;
    }
  }
  for (c = 0; c + 8 <= w->channels; c += 8)
    transform8 (w, pixels, c, 1, to + c, step);
  if (c < w->channels)
    transform8 (w, pixels, c, 0, to + c, step);
}

/* 8 columns of one tile's products to its pixels: Aᵀ m A and the epilogue. */
AK_INLINE void
finish8 (const AkWinograd *w, const AkPanels *p, size_t row, size_t left, size_t col, int whole,
    const float *m, size_t step)
{
  __m256i mask = whole ? _mm256_setzero_si256 () : ak_mask8 (p->n - col);
  size_t pixel = row * w->out_width + left;
  int below = row + 1 < w->out_height, right = left + 1 < w->out_width;
  __m256 r[2][4];

#pragma GCC unroll 4
  for (size_t j = 0; j < 4; j++) {
    __m256 m0 = _mm256_loadu_ps (m + j * step);
    __m256 m1 = _mm256_loadu_ps (m + (4 + j) * step);
    __m256 m2 = _mm256_loadu_ps (m + (8 + j) * step);
    __m256 m3 = _mm256_loadu_ps (m + (12 + j) * step);

    r[0][j] = _mm256_add_ps (_mm256_add_ps (m0, m1), m2);
    r[1][j] = _mm256_sub_ps (_mm256_sub_ps (m1, m2), m3);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) {
    if (i && !below)
      break;
    ak_finish8 (
        p, pixel, col, whole, mask, _mm256_add_ps (_mm256_add_ps (r[i][0], r[i][1]), r[i][2]));
    if (right)
      ak_finish8 (p, pixel + 1, col, whole, mask,
          _mm256_sub_ps (_mm256_sub_ps (r[i][1], r[i][2]), r[i][3]));
    pixel += w->out_width;
  }
}

/* The tile at (row, left), in pixels. */
AK_INLINE void
finish (const AkWinograd *w, const AkPanels *p, size_t row, size_t left, size_t col, const float *m,
    size_t step)
{
  for (size_t h = 0; h < 16 && col + h < p->n; h += 8)
    if (p->n - col - h >= 8)
      finish8 (w, p, row, left, col + h, 1, m + h, step);
    else
      finish8 (w, p, row, left, col + h, 0, m + h, step);
}

/* All tiles of one panel from its column `col` on. `p`'s activation, and whether it has noise, are constants of the
 * caller where that pays. */
AK_INLINE void
finish_tiles (const AkWinograd *w, const AkPanels *p, const uint32_t *tile, size_t tiles,
    size_t col, const float *products, size_t step)
{
  for (size_t i = 0; i < tiles; i++)
    finish (w, p, 2 * (tile[i] / w->tiles_across), 2 * (tile[i] % w->tiles_across), col,
        products + i * 16, step);
}

static void
finish_panel (const AkWinograd *w, const uint32_t *tile, size_t tiles, size_t col,
    const float *products, size_t step)
{
  AkPanels p = w->p; /* a copy, which nothing that is written here can change */

  if (!p.noise && p.activation == AK_ACT_LEAKY_RELU) {
    p.noise = NULL;
    p.activation = AK_ACT_LEAKY_RELU;
    finish_tiles (w, &p, tile, tiles, col, products, step);
  } else if (!p.noise && p.activation == AK_ACT_NONE) {
    p.noise = NULL;
    p.activation = AK_ACT_NONE;
    finish_tiles (w, &p, tile, tiles, col, products, step);
  } else {
    finish_tiles (w, &p, tile, tiles, col, products, step);
  }
}

#define NARROW 8 /* tiles at a time where half of a panel is empty */

/* Only the first 8 columns of a panel, in ak_tile()'s order. */
AK_INLINE void
narrow_tiles (float *t, const float *x, const float *panel, size_t channels)
{
  __m256 acc[NARROW];

#pragma GCC unroll 8
  for (size_t i = 0; i < NARROW; i++)
    acc[i] = _mm256_setzero_ps ();
  for (size_t c = 0; c < channels; c++) {
    __m256 w = _mm256_loadu_ps (panel + 16 * c);

#pragma GCC unroll 8
    for (size_t i = 0; i < NARROW; i++)
      acc[i] = _mm256_fmadd_ps (_mm256_broadcast_ss (x + i * channels + c), w, acc[i]);
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < NARROW; i++)
    _mm256_storeu_ps (t + 16 * i, acc[i]);
}

/* t [tiles][16] = x [tiles][channels] by a panel of which `columns` are needed. */
AK_INLINE void
multiply (
    float *t, const float *x, const float *panel, size_t tiles, size_t channels, size_t columns)
{
  size_t i = 0;

  for (; columns <= 8 && i + NARROW <= tiles; i += NARROW)
    narrow_tiles (t + 16 * i, x + i * channels, panel, channels);
  for (size_t rows, left = (tiles - i + 5) / 6; i < tiles; i += rows, left--) {
    rows = (tiles - i + left - 1) / left;
    ak_tile_rows (
        rows, 0, t + 16 * i, 16, x + i * channels, channels, panel, 16, channels, NULL, 0);
  }
}

void
ak_winograd_avx2 (const AkWinograd *w, const uint32_t *tile, size_t tiles, float *scratch)
{
  size_t channels = w->channels, panels = (w->p.n + 15) / 16;
  size_t step = place (tiles, channels), product_step = place (tiles, 16);
  float *products = scratch + 16 * step, *zeros = products + 16 * product_step;

  memset (zeros, 0, channels * sizeof *zeros);
  for (size_t i = 0; i < tiles; i++)
    transform (w, tile[i], zeros, scratch + i * channels, step);
  for (size_t p = 0; p < panels; p++) {
    for (size_t e = 0; e < 16; e++)
      multiply (products + e * product_step, scratch + e * step,
          (const float *) w->p.panels + (e * panels + p) * channels * 16, tiles, channels,
          w->p.n - 16 * p);
    finish_panel (w, tile, tiles, 16 * p, products, product_step);
  }
}
