/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The epilogue of products and convolutions, on their way from registers to memory. */
#pragma once

#include "cpu.h"
#include "math_avx2.h"
#include "tile_avx2.h"

#ifdef __AVX2__ /* nothing here is for files compiled without it */

/* Epilogue of `n` <= 16 columns from `col` on of one row. */
AK_INLINE void
ak_finish16 (const AkPanels *p, size_t row, size_t col, size_t n, const float *t)
{
  float *y = p->y + row * p->y_row + col;

  for (size_t j = 0; j < n; j += 8) {
    __m256i mask = ak_mask8 (n - j < 8 ? n - j : 8);
    __m256 v = _mm256_maskload_ps (t + j, mask);

    if (p->scale)
      v = _mm256_mul_ps (v, _mm256_maskload_ps (p->scale + col + j, mask));
    if (p->bias)
      v = _mm256_add_ps (v, _mm256_maskload_ps (p->bias + col + j, mask));
    if (p->noise)
      v = _mm256_add_ps (v, _mm256_broadcast_ss (p->noise + row * p->noise_row));
    if (p->activation != AK_ACT_NONE)
      v = ak_act8 (v, p->activation);
    if (p->gate)
      v = _mm256_mul_ps (v, _mm256_maskload_ps (p->gate + row * p->gate_row + col + j, mask));
    if (p->residual)
      v = _mm256_add_ps (
          v, _mm256_maskload_ps (p->residual + row * p->residual_row + col + j, mask));
    _mm256_maskstore_ps (y + j, mask, v);
  }
}

#endif
