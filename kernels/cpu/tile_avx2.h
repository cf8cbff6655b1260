/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inner loop of products: up to 6 rows by 16, 32 or 64 columns, held in registers. */
#pragma once

#include <immintrin.h>
#include <stddef.h>

#ifdef __AVX2__ /* nothing here is for files compiled without it */

#define AK_INLINE static inline __attribute__ ((always_inline))

/* t[i][16 p + j] = Σ_k x[i · x_row + k] b[p · b_panel + k · b_row + j], k in order, one fused
 * rounding a step; i < rows, p < panels. b is float, or bfloat16 with its columns as ak_bf16_lane() says.
 * `rows`, `panels` and `bf16` are constants of the caller.
 * `ahead`: NULL, a constant, or what is fetched into the cache meanwhile, rows of the panels' width `step` bytes apart. */
AK_INLINE void
ak_tile (int rows, int panels, int bf16, float *t, size_t t_row, const float *x, size_t x_row,
    const void *b, size_t b_panel, size_t b_row, size_t k, const char *ahead, size_t step)
{
  const __m256i upper = _mm256_set1_epi32 ((int) 0xffff0000);
  const size_t element = bf16 ? 2 : 4;
  const char *at = b;
  __m256 acc[6][8];

#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
    for (int p = 0; p < 2 * panels; p++)
      acc[i][p] = _mm256_setzero_ps ();
  for (size_t j = 0; j < k; j++) {
    __m256 w[8];

#pragma GCC unroll 4
    for (int p = 0; p < panels; p++) {
      const char *row = at + (size_t) p * b_panel * element;

      if (ahead)
        _mm_prefetch (ahead + j * step + 16 * element * (size_t) p, _MM_HINT_T1);
      if (bf16) {
        __m256i v = _mm256_loadu_si256 ((const __m256i *) (const void *) row);

        w[2 * p] = _mm256_castsi256_ps (_mm256_slli_epi32 (v, 16));
        w[2 * p + 1] = _mm256_castsi256_ps (_mm256_and_si256 (v, upper));
      } else {
        w[2 * p] = _mm256_loadu_ps ((const float *) (const void *) row);
        w[2 * p + 1] = _mm256_loadu_ps ((const float *) (const void *) row + 8);
      }
    }
    at += b_row * element;
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
ak_tile_rows (size_t rows, int bf16, float *t, size_t t_row, const float *x, size_t x_row,
    const void *b, size_t b_row, size_t k, const char *ahead, size_t step)
{
  switch (rows) {
    case 1:
      ak_tile (1, 1, bf16, t, t_row, x, x_row, b, 0, b_row, k, ahead, step);
      break;
    case 2:
      ak_tile (2, 1, bf16, t, t_row, x, x_row, b, 0, b_row, k, ahead, step);
      break;
    case 3:
      ak_tile (3, 1, bf16, t, t_row, x, x_row, b, 0, b_row, k, ahead, step);
      break;
    case 4:
      ak_tile (4, 1, bf16, t, t_row, x, x_row, b, 0, b_row, k, ahead, step);
      break;
    case 5:
      ak_tile (5, 1, bf16, t, t_row, x, x_row, b, 0, b_row, k, ahead, step);
      break;
    default:
      ak_tile (6, 1, bf16, t, t_row, x, x_row, b, 0, b_row, k, ahead, step);
      break;
  }
}

#endif
