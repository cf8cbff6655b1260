/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tiles of 4 x 4 results. With the points 0, ± a, ± b and infinity, a = sqrt (1/2), b = sqrt (2):
 *
 *   Bᵀ = [1 0 -5/2 0 1 0], [0 -2a -2 a 1 0], [0 2a -2 -a 1 0], [0 -b/2 -1/2 b 1 0], [0 b/2 -1/2 -b 1 0],
 *        [0 1 0 -5/2 0 1]
 *   Aᵀ = [1 1 1 1 1 0], [0 a -a b -b 0], [0 a² a² b² b² 0], [0 a³ -a³ b³ -b³ 1] */
#include "finish_avx2.h"
#include "winograd_avx2.h"

#define SIDE 6
#define A 0.70710678f
#define B 1.41421356f

/* y = Bᵀ d */
AK_INLINE void
transform6 (__m256 y[SIDE], const __m256 d[SIDE])
{
  const __m256 a = _mm256_set1_ps (A), b = _mm256_set1_ps (B), two = _mm256_set1_ps (2),
               half = _mm256_set1_ps (0.5f), middle = _mm256_set1_ps (2.5f);
  __m256 even = _mm256_fnmadd_ps (two, d[2], d[4]), odd = _mm256_fnmadd_ps (two, d[1], d[3]);

  y[0] = _mm256_add_ps (_mm256_fnmadd_ps (middle, d[2], d[0]), d[4]);
  y[1] = _mm256_fmadd_ps (a, odd, even);
  y[2] = _mm256_fnmadd_ps (a, odd, even);
  even = _mm256_fnmadd_ps (half, d[2], d[4]);
  odd = _mm256_fnmadd_ps (half, d[1], d[3]);
  y[3] = _mm256_fmadd_ps (b, odd, even);
  y[4] = _mm256_fnmadd_ps (b, odd, even);
  y[5] = _mm256_add_ps (_mm256_fnmadd_ps (middle, d[3], d[1]), d[5]);
}

/* y = Aᵀ m */
AK_INLINE void
results4 (__m256 y[4], const __m256 m[SIDE])
{
  __m256 sum = _mm256_add_ps (m[1], m[2]), difference = _mm256_sub_ps (m[1], m[2]);
  __m256 sum2 = _mm256_add_ps (m[3], m[4]), difference2 = _mm256_sub_ps (m[3], m[4]);

  y[0] = _mm256_add_ps (_mm256_add_ps (m[0], sum), sum2);
  y[1] = _mm256_fmadd_ps (
      _mm256_set1_ps (B), difference2, _mm256_mul_ps (_mm256_set1_ps (A), difference));
  y[2] = _mm256_fmadd_ps (_mm256_set1_ps (2), sum2, _mm256_mul_ps (_mm256_set1_ps (0.5f), sum));
  y[3] = _mm256_fmadd_ps (_mm256_set1_ps (2 * B), difference2,
      _mm256_fmadd_ps (_mm256_set1_ps (A / 2), difference, m[5]));
}

/* 8 channels of one tile: Bᵀ d B. */
AK_INLINE void
transform8 (
    const AkWinograd *w, const float *const *pixels, size_t c, int whole, float *to, size_t step)
{
  __m256i mask = whole ? _mm256_setzero_si256 () : ak_mask8 (w->channels - c);
  _Alignas(32) float t[SIDE][SIDE][8];

#pragma GCC unroll 6
  for (size_t j = 0; j < SIDE; j++) {
    __m256 d[SIDE], y[SIDE];

#pragma GCC unroll 6
    for (size_t i = 0; i < SIDE; i++)
      d[i] = ak_load8 (pixels[SIDE * i + j] + c, whole, mask);
    transform6 (y, d);
#pragma GCC unroll 6
    for (size_t i = 0; i < SIDE; i++)
      _mm256_store_ps (t[i][j], y[i]);
  }
#pragma GCC unroll 6
  for (size_t i = 0; i < SIDE; i++, to += SIDE * step) {
    __m256 d[SIDE], y[SIDE];

#pragma GCC unroll 6
    for (size_t j = 0; j < SIDE; j++)
      d[j] = _mm256_load_ps (t[i][j]);
    transform6 (y, d);
    if (w->scale) {
      __m256 s = ak_load8 (w->scale + c, whole, mask);

#pragma GCC unroll 6
      for (size_t j = 0; j < SIDE; j++)
        y[j] = _mm256_mul_ps (y[j], s);
    }
#pragma GCC unroll 6
    for (size_t j = 0; j < SIDE; j++)
      ak_store8 (to + j * step, whole, mask, y[j]);
  }
}

AK_INLINE void
finish8 (const AkWinograd *w, const AkPanels *p, AkWinogradTile tile, size_t col, int whole,
    const float *m, size_t step)
{
  __m256i mask = whole ? _mm256_setzero_si256 () : ak_mask8 (p->n - col);
  size_t row = 4 * (size_t) tile.row, left = 4 * (size_t) tile.column;
  size_t rows = w->out_height - row, across = w->out_width - left;
  _Alignas(32) float t[4][SIDE][8];

#pragma GCC unroll 6
  for (size_t j = 0; j < SIDE; j++) {
    __m256 d[SIDE], y[4];

#pragma GCC unroll 6
    for (size_t i = 0; i < SIDE; i++)
      d[i] = _mm256_loadu_ps (m + (SIDE * i + j) * step);
    results4 (y, d);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
      _mm256_store_ps (t[i][j], y[i]);
  }
  for (size_t i = 0; i < 4 && i < rows; i++) {
    size_t pixel = (row + i) * w->out_width + left;
    __m256 d[SIDE], y[4];

#pragma GCC unroll 6
    for (size_t j = 0; j < SIDE; j++)
      d[j] = _mm256_load_ps (t[i][j]);
    results4 (y, d);
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++)
      if (j < across)
        ak_finish8 (p, pixel + j, col, whole, mask, y[j]);
  }
}

void
ak_winograd4_avx2 (const AkWinograd *w, const AkWinogradTile *tile, size_t tiles, float *scratch)
{
  ak_winograd_run (w, tile, tiles, scratch, 4, transform8, finish8);
}
