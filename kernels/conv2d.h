/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional convolution (cross-correlation) of images, channels last. For every pixel p of the
 * result and every output o:
 *
 *   y[p][o] = residual[p][o] + gate[p][o] · act (out_scale[o] · s + bias[o] + noise[p])
 *   s = Σ_i Σ_j Σ_c W[o][c][i][j] · in_scale[c] · x[r·stride + i - padding][q·stride + j - padding][c]
 *
 * with p = (r, q) and x = 0 outside the image. The two scales make it the modulated convolution of model
 * spec, section 11, with weights that stay as they are.
 *
 * An image is a view of height · width rows, one a pixel, row by row. in_scale, out_scale: [in], [out]
 * of batch item b at data + b · batch; noise: one number at data + b · batch + p · row. What is absent
 * is 1 (gate, scales) or 0. Pixels outside of `spans` may be computed or left as they are. residual may be y; y must not overlap x. Tolerance as in linear.h, with in =
 * kernel² · channels. */
#pragma once

#include "elementwise.h"
#include "matrix.h"
#include "plan.h"
#include "rows.h"
#include "spans.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  AkRows y, x;
  const AkMatrix *matrix; /* of ak_matrix_new_conv2d() */
  const float *bias;
  AkActivation activation;
  AkRows gate, residual, in_scale, out_scale, noise;
  size_t batch, height, width; /* of x */
  size_t stride, padding;      /* of both axes */
  const AkSpan
      *spans; /* [result's height / 2, rounded up]: what is wanted of each image; NULL: all */
} AkConv2d;

void ak_conv2d (AkPlan *plan, const AkConv2d *args);

/* Height or width of the result; 0 if the image is too small. */
size_t ak_conv2d_size (size_t size, size_t side, size_t stride, size_t padding);

/* Transposed convolution whose stride is the side k of its kernel, so that nothing overlaps:
 *
 *   y[k·r + i][k·q + j][o] = bias[o] + Σ_c W[c][o][i][j] x[r][q][c]
 *
 * x and y are dense images, y [batch][k·height][k·width][out]. */
typedef struct
{
  float *y, *x;
  const AkMatrix *const
      *rows;         /* k plain matrices [k·out][in]: number i is W[c][o][i][j], row j·out + o */
  const float *bias; /* [k·out], the bias k times; or NULL */
  size_t side, batch, height, width;
} AkDeconv2d;

void ak_deconv2d (AkPlan *plan, const AkDeconv2d *args);

#ifdef __cplusplus
}
#endif
