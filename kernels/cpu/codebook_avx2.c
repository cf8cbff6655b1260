/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"
#include "math_avx2.h"

#include <float.h>
#include <math.h>

#define ROWS 4

/* |x[i] - v|² in float for ROWS rows. */
static void
distances (const float *const x[ROWS], const float *v, size_t n, float out[ROWS])
{
  __m256 s[ROWS];

  for (int i = 0; i < ROWS; i++)
    s[i] = _mm256_setzero_ps ();
  for (size_t c = 0; c + 8 <= n; c += 8) {
    __m256 w = _mm256_loadu_ps (v + c);

    for (int i = 0; i < ROWS; i++) {
      __m256 d = _mm256_sub_ps (_mm256_loadu_ps (x[i] + c), w);

      s[i] = _mm256_fmadd_ps (d, d, s[i]);
    }
  }
  if (n % 8) {
    size_t c = n / 8 * 8;
    __m256i mask = ak_mask8 (n - c);
    __m256 w = _mm256_maskload_ps (v + c, mask);

    for (int i = 0; i < ROWS; i++) {
      __m256 d = _mm256_sub_ps (_mm256_maskload_ps (x[i] + c, mask), w);

      s[i] = _mm256_fmadd_ps (d, d, s[i]);
    }
  }
  for (int i = 0; i < ROWS; i++)
    out[i] = ak_sum8 (s[i]);
}

/* Only vectors that may be the nearest are measured in double: the float sum is of n / 8 + 3 terms of one sign,
 * each rounded a few times, so that `slack` covers its error, and with it the definition's code comes out. */
void
ak_nearest_avx2 (const void *args, size_t from, size_t to)
{
  const AkNearest *a = args;
  double slack = 1 + ((double) a->dim / 8 + 16) * 2.4e-7;

  for (size_t first = from; first < to; first += ROWS) {
    size_t rows = to - first < ROWS ? to - first : ROWS, code[ROWS] = { 0 };
    double least[ROWS], bound[ROWS];
    const float *x[ROWS];

    for (size_t i = 0; i < ROWS; i++) {
      x[i] = ak_row (a->x, a->rows, first + (i < rows ? i : 0));
      least[i] = bound[i] = INFINITY;
    }
    for (size_t j = 0; j < a->size; j++) {
      const float *v = a->vectors + j * a->dim;
      float near[ROWS];

      distances (x, v, a->dim, near);
      for (size_t i = 0; i < rows; i++)
        if (near[i] <= bound[i] || isinf (near[i])) {
          double d = ak_distance_plain (x[i], v, a->dim);

          if (d < least[i]) {
            least[i] = d;
            bound[i] = d * slack + FLT_MIN; /* below, float sums are coarse */
            code[i] = j;
          }
        }
    }
    for (size_t i = 0; i < rows; i++)
      ak_nearest_take (a, first + i, code[i]);
  }
}
