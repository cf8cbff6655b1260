/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The epilogue of products and convolutions, on their way from registers to memory. */
#pragma once

#include "cpu.h"
#include "math_avx2.h"
#include "tile_avx2.h"

#ifdef __AVX2__ /* nothing here is for files compiled without it */

/* 8 columns from `col` on of one row, or those in `mask`. */
AK_INLINE void
ak_finish8 (const AkPanels *p, size_t row, size_t col, int whole, __m256i mask, __m256 v)
{
  if (p->scale)
    v = _mm256_mul_ps (v, ak_load8 (p->scale + col, whole, mask));
  if (p->bias)
    v = _mm256_add_ps (v, ak_load8 (p->bias + col, whole, mask));
  if (p->noise)
    v = _mm256_add_ps (v, _mm256_broadcast_ss (p->noise + row * p->noise_row));
  if (p->activation != AK_ACT_NONE)
    v = ak_act8 (v, p->activation);
  if (p->gate)
    v = _mm256_mul_ps (v, ak_load8 (p->gate + row * p->gate_row + col, whole, mask));
  if (p->residual)
    v = _mm256_add_ps (v, ak_load8 (p->residual + row * p->residual_row + col, whole, mask));
  ak_store8 (p->y + row * p->y_row + col, whole, mask, v);
}

/* Epilogue of `n` <= 16 columns from `col` on of one row. */
AK_INLINE void
ak_finish16 (const AkPanels *p, size_t row, size_t col, size_t n, const float *t)
{
  for (size_t j = 0; j < n; j += 8) {
    int whole = n - j >= 8;
    __m256i mask = ak_mask8 (whole ? 8 : n - j);

    ak_finish8 (p, row, col + j, whole, mask, ak_load8 (t + j, whole, mask));
  }
}

#endif
