/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on each number by itself, and means of rows. y may be an input where the strides agree. */
#pragma once

#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  AK_ACT_NONE,
  AK_ACT_GELU,       /* x Φ(x), by erf */
  AK_ACT_GELU_TANH,  /* x / (1 + exp (-2u)), u = sqrt (2/π) (x + 0.044715 x³) */
  AK_ACT_LEAKY_RELU, /* x, or 0.2 x below 0 */
  AK_ACT_SILU,       /* x / (1 + exp (-x)) */
  AK_ACT_ELU,        /* x, or exp (x) - 1 below 0 */
  AK_ACT_RELU,       /* max (x, 0) */
  AK_ACT_SIGMOID,    /* 1 / (1 + exp (-x)) */
  AK_ACT_RSQRT,      /* 1 / sqrt (x), for x > 0 */
} AkActivation;

/* y = act (x). Implementations agree within 1e-6 (1 + |y|). */
typedef struct
{
  AkRows y, x;
  AkActivation activation;
  size_t batch, rows, cols;
} AkActivate;
void ak_activate (AkPlan *plan, const AkActivate *args);

/* y = alpha a + beta b; b may be absent (y = alpha a: with alpha = 1 a copy, and with a repeated row a
 * fill). */
typedef struct
{
  AkRows y, a, b;
  float alpha, beta;
  size_t batch, rows, cols;
} AkBlend;
void ak_blend (AkPlan *plan, const AkBlend *args);

/* y = a. Source and destination rows do not overlap, or are the same. */
void ak_copy (AkPlan *plan, AkRows y, AkRows a, size_t batch, size_t rows, size_t cols);

/* y = (x - sub) · mul + add, each [cols] or NULL. */
typedef struct
{
  AkRows y, x;
  const float *sub, *mul, *add;
  size_t batch, rows, cols;
} AkAffine;
void ak_affine (AkPlan *plan, const AkAffine *args);

/* y[0] = mean of the rows of x, for each batch item; summed in double. y.row is not used. */
typedef struct
{
  AkRows y, x;
  size_t batch, rows, cols;
} AkMean;
void ak_mean (AkPlan *plan, const AkMean *args);

/* y = x where x is finite, else 0. */
void ak_finite (AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows, size_t cols);

#ifdef __cplusplus
}
#endif
