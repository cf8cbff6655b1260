/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Normalisation of rows. y may be x.
 *
 * ak_layer_norm: with n = (x - mean) / sqrt (var + eps), mean and biased variance over the row's columns,
 * y = act (n · weight + bias) for vectors weight, bias ([cols], both or none), or
 * y = act (n · (1 + scale) + shift) for views scale, shift (both or none); one of the two forms at most.
 * ak_unit_norm: a row is `heads` pieces of `dim` columns; each is divided by max (its length, 1e-12) and
 * multiplied by factor[head] ([heads], or NULL for 1).
 * ak_rms_norm: x / sqrt (mean x² + eps) over the row's columns.
 * Implementations agree within 4e-6 (1 + |y|) for inputs of unit scale. */
#pragma once

#include "elementwise.h"
#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  AkRows y, x;
  const float *weight, *bias;
  AkRows scale, shift;
  float eps;
  AkActivation activation;
  size_t batch, rows, cols;
} AkLayerNorm;
void ak_layer_norm (AkPlan *plan, const AkLayerNorm *args);

typedef struct
{
  AkRows y, x;
  const float *factor;
  size_t batch, rows, heads, dim;
} AkUnitNorm;
void ak_unit_norm (AkPlan *plan, const AkUnitNorm *args);

typedef struct
{
  AkRows y, x;
  float eps;
  size_t batch, rows, cols;
} AkRmsNorm;
void ak_rms_norm (AkPlan *plan, const AkRmsNorm *args);

#ifdef __cplusplus
}
#endif
