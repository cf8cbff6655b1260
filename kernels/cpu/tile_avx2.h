/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inner loop of products: up to 6 rows by 16, 32 or 64 columns, held in registers. */
#pragma once

#include <immintrin.h>
#include <stddef.h>

#ifdef __AVX2__ /* nothing here is for files compiled without it */

#define AK_INLINE static inline __attribute__ ((always_inline))

/* t[i][16 p + j] = Σ_k x[i · x_row + k] b[p · b_panel + k · b_row + j], k in order, one fused
 * rounding a step; i < rows, p < panels. `rows` and `panels` are constants of the caller. */
AK_INLINE void
ak_tile (int rows, int panels, float *t, size_t t_row, const float *x, size_t x_row, const float *b,
    size_t b_panel, size_t b_row, size_t k)
{
  __m256 acc[6][8];

#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
    for (int p = 0; p < 2 * panels; p++)
      acc[i][p] = _mm256_setzero_ps ();
  for (size_t j = 0; j < k; j++) {
    __m256 w[8];

#pragma GCC unroll 8
    for (int p = 0; p < 2 * panels; p++)
      w[p] = _mm256_loadu_ps (b + (size_t) (p / 2) * b_panel + (size_t) (p % 2) * 8);
    b += b_row;
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
      __m256 a = _mm256_broadcast_ss (x + (size_t) i * x_row + j);

#pragma GCC unroll 8
      for (int p = 0; p < 2 * panels; p++)
        acc[i][p] = _mm256_fmadd_ps (a, w[p], acc[i][p]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
    for (int p = 0; p < 2 * panels; p++)
      _mm256_storeu_ps (t + (size_t) i * t_row + 8 * (size_t) p, acc[i][p]);
}

/* 1 to 6 rows of one panel of 16 columns. */
AK_INLINE void
ak_tile_rows (size_t rows, float *t, size_t t_row, const float *x, size_t x_row, const float *b,
    size_t b_row, size_t k)
{
  switch (rows) {
    case 1:
      ak_tile (1, 1, t, t_row, x, x_row, b, 0, b_row, k);
      break;
    case 2:
      ak_tile (2, 1, t, t_row, x, x_row, b, 0, b_row, k);
      break;
    case 3:
      ak_tile (3, 1, t, t_row, x, x_row, b, 0, b_row, k);
      break;
    case 4:
      ak_tile (4, 1, t, t_row, x, x_row, b, 0, b_row, k);
      break;
    case 5:
      ak_tile (5, 1, t, t_row, x, x_row, b, 0, b_row, k);
      break;
    default:
      ak_tile (6, 1, t, t_row, x, x_row, b, 0, b_row, k);
      break;
  }
}

#endif
