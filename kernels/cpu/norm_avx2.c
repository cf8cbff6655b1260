/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"
#include "math_avx2.h"

#include <math.h>

void
ak_layer_norm_avx2 (const void *args, size_t from, size_t to)
{
  const AkLayerNorm *a = args;
  size_t cols = a->cols;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i), *mul = a->weight, *add = a->bias;
    float *y = ak_row (a->y, a->rows, i);
    __m256 s0 = _mm256_setzero_ps (), s1 = s0, mean, inv, one = s0;

    for (size_t c = 0; c < cols; c += 8)
      s0 = _mm256_add_ps (s0, ak_load8 (x + c, cols - c >= 8, ak_mask8_of (cols - c)));
    mean = _mm256_set1_ps (ak_sum8 (s0) / (float) cols);
    for (size_t c = 0; c < cols; c += 8) {
      __m256i mask = ak_mask8_of (cols - c);
      __m256 d = _mm256_sub_ps (ak_load8 (x + c, cols - c >= 8, mask), mean);

      d = _mm256_and_ps (d, _mm256_castsi256_ps (mask));
      s1 = _mm256_fmadd_ps (d, d, s1);
    }
    inv = _mm256_set1_ps (1.0f / sqrtf (ak_sum8 (s1) / (float) cols + a->eps));
    if (a->scale.data) {
      mul = ak_row (a->scale, a->rows, i);
      add = ak_row (a->shift, a->rows, i);
      one = _mm256_set1_ps (1.0f);
    }
    for (size_t c = 0; c < cols; c += 8) {
      int whole = cols - c >= 8;
      __m256i mask = ak_mask8_of (cols - c);
      __m256 v = _mm256_mul_ps (_mm256_sub_ps (ak_load8 (x + c, whole, mask), mean), inv);

      if (mul)
        v = _mm256_fmadd_ps (v, _mm256_add_ps (ak_load8 (mul + c, whole, mask), one),
            ak_load8 (add + c, whole, mask));
      ak_store8 (y + c, whole, mask, ak_act8 (v, a->activation));
    }
  }
}

void
ak_unit_norm_avx2 (const void *args, size_t from, size_t to)
{
  const AkUnitNorm *a = args;
  size_t dim = a->dim;

  for (size_t i = from; i < to; i++)
    for (size_t h = 0; h < a->heads; h++) {
      const float *x = ak_row (a->x, a->rows, i) + h * dim;
      float *y = ak_row (a->y, a->rows, i) + h * dim, length;
      __m256 s = _mm256_setzero_ps (), f;

      for (size_t c = 0; c < dim; c += 8) {
        __m256 v = ak_load8 (x + c, dim - c >= 8, ak_mask8_of (dim - c));

        s = _mm256_fmadd_ps (v, v, s);
      }
      length = sqrtf (ak_sum8 (s));
      f = _mm256_set1_ps ((a->factor ? a->factor[h] : 1.0f) / (length < 1e-12f ? 1e-12f : length));
      for (size_t c = 0; c < dim; c += 8) {
        int whole = dim - c >= 8;
        __m256i mask = ak_mask8_of (dim - c);

        ak_store8 (y + c, whole, mask, _mm256_mul_ps (ak_load8 (x + c, whole, mask), f));
      }
    }
}
