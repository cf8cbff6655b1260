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
