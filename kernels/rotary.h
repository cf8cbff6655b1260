/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rotary positions: pairs of columns turned by an angle that grows with the row (model spec, section 1b, step 3).
 *
 * A row is `heads` pieces of `dim` columns, dim even. In each piece, for c < dim / 2 and row t of its batch item,
 * with a = t · base^(-2c / dim),
 *
 *   y[c]           = x[c] cos a - x[c + dim / 2] sin a
 *   y[c + dim / 2] = x[c + dim / 2] cos a + x[c] sin a.
 *
 * y may be x. Implementations agree within 1e-6 (1 + |y|) for inputs of unit scale and rows below 10000. */
#pragma once

#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  AkRows y, x;
  double base;
  size_t batch, rows, heads, dim;
} AkRotary;

void ak_rotary (AkPlan *plan, const AkRotary *args);

#ifdef __cplusplus
}
#endif
