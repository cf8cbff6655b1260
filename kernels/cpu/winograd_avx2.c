/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Weights for tiles of 2 x 2 and of 4 x 4, and the former. */
#include "finish_avx2.h"
#include "winograd_avx2.h"

size_t
ak_winograd_size (const AkCpuMatrix *m, size_t tile)
{
  return (tile + 2) * (tile + 2) * ((m->n + 15) / 16) * m->base.in * 16;
}

#define ROOT 0.70710678118654752

void
ak_winograd_weights (float *to, const AkCpuMatrix *m, size_t tile)
{
  static const double small[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 },
    { 0, 0, 1 } };
  static const double large[6][3] = { { 1, 0, 0 }, { -2 / 3.0, -ROOT * 2 / 3, -1 / 3.0 },
    { -2 / 3.0, ROOT * 2 / 3, -1 / 3.0 }, { 1 / 6.0, ROOT / 3, 1 / 3.0 },
    { 1 / 6.0, -ROOT / 3, 1 / 3.0 }, { 0, 0, 1 } };
  const double (*g)[3] = tile == 2 ? small : large;
  size_t panels = (m->n + 15) / 16, channels = m->base.in, side = tile + 2;
  const float *data = m->data;

  for (size_t p = 0; p < panels; p++)
    for (size_t c = 0; c < channels; c++)
      for (size_t j = 0; j < 16; j++)
        for (size_t e = 0; e < side * side; e++) {
          double s = 0;

          for (size_t k = 0; k < 9; k++)
            s += g[e / side][k / 3] * g[e % side][k % 3] *
                 data[(p * m->k + k * channels + c) * 16 + j];
          to[((e * panels + p) * channels + c) * 16 + j] = (float) s;
        }
}

size_t
ak_winograd_scratch (const AkWinograd *w, size_t tiles)
{
  size_t products = (w->tile + 2) * (w->tile + 2);

  return products * (ak_winograd_place (tiles, w->channels) + ak_winograd_place (tiles, 16)) +
         w->channels;
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

AK_INLINE void
finish8 (const AkWinograd *w, const AkPanels *p, AkWinogradTile tile, size_t col, int whole,
    const float *m, size_t step)
{
  __m256i mask = whole ? _mm256_setzero_si256 () : ak_mask8 (p->n - col);
  size_t row = 2 * (size_t) tile.row, left = 2 * (size_t) tile.column;
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

void
ak_winograd2_avx2 (const AkWinograd *w, const AkWinogradTile *tile, size_t tiles, float *scratch)
{
  ak_winograd_run (w, tile, tiles, scratch, 2, transform8, finish8);
}
