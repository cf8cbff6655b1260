/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A two-dimensional convolution as a product of windows by weights. For kernels/cuda/conv2d*.cu. */
#pragma once

#include "cuda.h"

#define AK_CONV_THREADS 256

typedef struct
{
  AkConv2d a;
  const void *weights; /* [n][kp] floats, or bfloat16, the inputs in the order [side][side][in] */
  unsigned side, in, out_width, pixels;
  unsigned m, n, k, kp;       /* rows: batch · pixels */
  unsigned splits, per_split; /* of k: per_split inputs each */
  float *partial;             /* [splits][m][n] with more than one */
} AkConvJob;

/* Rows and columns of blocks. */
typedef enum {
  AK_CONV_NARROW, /* 256 × 16 */
  AK_CONV_THIN,   /* 128 × 32 */
  AK_CONV_SMALL,  /* 32 × 64 */
  AK_CONV_MIDDLE, /* 128 × 64 */
  AK_CONV_LARGE,  /* 128 × 128 */
} AkConvShape;

#ifdef __cplusplus
extern "C" {
#endif

/* Launches the products of bfloat16 in blocks of any shape but the narrow one. vectors: 4 inputs can be read at once.
 * per_split is a multiple of the step. */
#define AK_CONV_BF16_STEP 32
void ak_cuda_conv2d_bf16 (const AkAt *at, const AkConvJob *job, AkConvShape shape, int vectors);

/* Launches what comes after the sums of job->splits in job->partial. `rounded`: where y goes as bfloat16 as well, or
 * NULL. */
void ak_cuda_conv2d_finish (const AkAt *at, const AkConvJob *job, uint16_t *rounded);

/* Appends the operation if it is one of single pixels to few channels; else returns 0. */
int ak_cuda_conv2d_narrow (AkPlan *plan, const AkConvJob *job, int bf16);

/* Appends the operation as a library computes it; `job` is what it is without. Returns 0, with nothing appended, where our
 * own kernels are to do it. */
int ak_cuda_conv2d_library (AkPlan *plan, const AkCudaMatrix *matrix, const AkConvJob *job);

#ifdef __cplusplus
}
#endif
