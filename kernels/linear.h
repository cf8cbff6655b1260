/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* y = residual + gate * act (x · Wᵀ + bias), row by row.
 *
 * x: rows of in(W) columns (no repeated rows), y, gate, residual: rows of out(W) columns; bias: [out] or NULL. gate and
 * residual may be absent; residual may be y itself. The sum runs over the inputs in float; a row's result does not depend
 * on how many rows there are on devices that say so (docs/numerics.md). Implementations agree within
 * 2e-6 * sqrt (in) for inputs of unit scale and weights of scale 1 / sqrt (in). */
#pragma once

#include "elementwise.h"
#include "matrix.h"
#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  AkRows y, x;
  const AkMatrix *matrix;
  const float *bias;
  AkActivation activation;
  AkRows gate, residual;
  size_t batch, rows;
} AkLinear;

void ak_linear (AkPlan *plan, const AkLinear *args);

#ifdef __cplusplus
}
#endif
