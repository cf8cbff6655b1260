/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One-dimensional convolution (cross-correlation) along the rows, channels last:
 *
 *   y[t][o] = residual[t][o] + act (bias[o] + Σ_k Σ_c W[o][c][k] x[t·stride + k·dilation - left][c])
 *
 * with c over the channels of o's group and x = 0 outside 0 … rows-1. There are
 * out_rows = (rows + left + right - dilation·(kernel-1) - 1) / stride + 1 results: ak_conv_rows().
 * residual may be absent; it may be y. y must not overlap x. Tolerance as in linear.h, in = kernel · channels. */
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
  const AkMatrix *matrix; /* of ak_matrix_new_conv() */
  const float *bias;
  AkActivation activation;
  AkRows residual;
  size_t batch, rows; /* rows of x */
  size_t stride, dilation, left, right;
} AkConv;

void ak_conv (AkPlan *plan, const AkConv *args);

/* Number of results; 0 if the input is too short. */
size_t ak_conv_rows (
    size_t rows, size_t kernel, size_t stride, size_t dilation, size_t left, size_t right);

#ifdef __cplusplus
}
#endif
