/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"
#include "math_avx2.h"

void
ak_activate_avx2 (const void *args, size_t from, size_t to)
{
  const AkActivate *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    float *y = ak_row (a->y, a->rows, i);

    for (size_t c = 0; c < a->cols; c += 8) {
      int whole = a->cols - c >= 8;
      __m256i mask = ak_mask8 (whole ? 8 : a->cols - c);

      ak_store8 (y + c, whole, mask, ak_act8 (ak_load8 (x + c, whole, mask), a->activation));
    }
  }
}

/* `rows` rows of one batch item; no fused rounding, as in the plain definition. */
static void
affine_rows (const AkAffine *a, const float *x, float *y, size_t rows)
{
  for (; rows > 0; rows--, x += a->x.row, y += a->y.row)
    for (size_t c = 0; c < a->cols; c += 8) {
      int whole = a->cols - c >= 8;
      __m256i mask = ak_mask8 (whole ? 8 : a->cols - c);
      __m256 v = ak_load8 (x + c, whole, mask);

      if (a->sub)
        v = _mm256_sub_ps (v, ak_load8 (a->sub + c, whole, mask));
      if (a->mul)
        v = _mm256_mul_ps (v, ak_load8 (a->mul + c, whole, mask));
      if (a->add)
        v = _mm256_add_ps (v, ak_load8 (a->add + c, whole, mask));
      ak_store8 (y + c, whole, mask, v);
    }
}

void
ak_affine_avx2 (const void *args, size_t from, size_t to)
{
  const AkAffine *a = args;

  for (size_t n; from < to; from += n) {
    n = a->rows - from % a->rows;
    n = n < to - from ? n : to - from;
    affine_rows (a, ak_row (a->x, a->rows, from), ak_row (a->y, a->rows, from), n);
  }
}
