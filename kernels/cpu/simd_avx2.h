/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small helpers of the AVX2 files. */
#pragma once

#include <immintrin.h>

/* Writes x0 y0 z0 x1 y1 z1 … x7 y7 z7. */
static inline void
simd_store_xyz (float *out, __m256 x, __m256 y, __m256 z)
{
  __m256 xy = _mm256_shuffle_ps (x, y, 0x88);  /* x0 x2 y0 y2 | x4 x6 y4 y6 */
  __m256 yz = _mm256_shuffle_ps (y, z, 0xdd);  /* y1 y3 z1 z3 | y5 y7 z5 z7 */
  __m256 zx = _mm256_shuffle_ps (z, x, 0xd8);  /* z0 z2 x1 x3 | z4 z6 x5 x7 */
  __m256 a = _mm256_shuffle_ps (xy, zx, 0x88); /* x0 y0 z0 x1 | … of 4 */
  __m256 b = _mm256_shuffle_ps (yz, xy, 0xd8); /* y1 z1 x2 y2 */
  __m256 c = _mm256_shuffle_ps (zx, yz, 0xdd); /* z2 x3 y3 z3 */

  _mm_storeu_ps (out, _mm256_castps256_ps128 (a));
  _mm_storeu_ps (out + 4, _mm256_castps256_ps128 (b));
  _mm_storeu_ps (out + 8, _mm256_castps256_ps128 (c));
  _mm_storeu_ps (out + 12, _mm256_extractf128_ps (a, 1));
  _mm_storeu_ps (out + 16, _mm256_extractf128_ps (b, 1));
  _mm_storeu_ps (out + 20, _mm256_extractf128_ps (c, 1));
}

/* Reads what simd_store_xyz() writes. */
static inline void
simd_load_xyz (const float *in, __m256 *x, __m256 *y, __m256 *z)
{
  __m256 a =
      _mm256_insertf128_ps (_mm256_castps128_ps256 (_mm_loadu_ps (in)), _mm_loadu_ps (in + 12), 1);
  __m256 b = _mm256_insertf128_ps (
      _mm256_castps128_ps256 (_mm_loadu_ps (in + 4)), _mm_loadu_ps (in + 16), 1);
  __m256 c = _mm256_insertf128_ps (
      _mm256_castps128_ps256 (_mm_loadu_ps (in + 8)), _mm_loadu_ps (in + 20), 1);
  /* a: x0 y0 z0 x1  b: y1 z1 x2 y2  c: z2 x3 y3 z3 */
  __m256 xy = _mm256_shuffle_ps (b, c, 0x9e); /* x2 y2 x3 y3 */
  __m256 yz = _mm256_shuffle_ps (a, b, 0x49); /* y0 z0 y1 z1 */

  *x = _mm256_shuffle_ps (a, xy, 0x8c);  /* x0 x1 x2 x3 */
  *y = _mm256_shuffle_ps (yz, xy, 0xd8); /* y0 y1 y2 y3 */
  *z = _mm256_shuffle_ps (yz, c, 0xcd);  /* z0 z1 z2 z3 */
}
