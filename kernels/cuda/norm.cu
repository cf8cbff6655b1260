/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Normalisation: a block or, for short rows, a warp has a row. A thread writes only what it alone reads, so y may be x. */
#include "math.cuh"

#define WIDE 256 /* threads of a row, where it is long */
#define PIECES 4 /* short rows of a block */

/* Sum over the threads of a row. */
template <unsigned LANES>
static __device__ float
row_sum (float v)
{
  return LANES == AK_WARP ? ak_warp_sum (v) : ak_block_sum (v);
}

/* `rounded`: where results go as bfloat16 as well, or NULL. */
template <unsigned LANES>
static __global__ void
layer_norm (AkLayerNorm a, uint16_t *rounded)
{
  size_t i = (size_t) blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES;
  unsigned lane = threadIdx.x % LANES;
  int own = i < a.batch * a.rows;
  const float *x = ak_row (a.x, a.rows, own ? i : 0), *scale = NULL, *shift = NULL;
  float *y = ak_row (a.y, a.rows, own ? i : 0);
  float mean = 0, var = 0, factor;

  if (a.scale.data) {
    scale = ak_row (a.scale, a.rows, own ? i : 0);
    shift = ak_row (a.shift, a.rows, own ? i : 0);
  }
  for (size_t c = lane; c < a.cols; c += LANES)
    mean += x[c];
  mean = row_sum<LANES> (mean) / (float) a.cols;
  for (size_t c = lane; c < a.cols; c += LANES)
    var += (x[c] - mean) * (x[c] - mean);
  var = row_sum<LANES> (var) / (float) a.cols;
  factor = 1 / sqrtf (var + a.eps);
  for (size_t c = lane; own && c < a.cols; c += LANES) {
    float n = (x[c] - mean) * factor;

    if (a.weight)
      n = n * a.weight[c] + a.bias[c];
    else if (scale)
      n = n * (1 + scale[c]) + shift[c];
    n = ak_act (n, a.activation);
    y[c] = n;
    if (rounded)
      rounded[i * a.cols + c] = ak_to_bf16 (n);
  }
}

template <unsigned LANES>
static __global__ void
rms_norm (AkRmsNorm a)
{
  size_t i = (size_t) blockIdx.x * (blockDim.x / LANES) + threadIdx.x / LANES;
  unsigned lane = threadIdx.x % LANES;
  int own = i < a.batch * a.rows;
  const float *x = ak_row (a.x, a.rows, own ? i : 0);
  float *y = ak_row (a.y, a.rows, own ? i : 0);
  float s = 0;

  for (size_t c = lane; c < a.cols; c += LANES)
    s += x[c] * x[c];
  s = 1 / sqrtf (row_sum<LANES> (s) / (float) a.cols + a.eps);
  for (size_t c = lane; own && c < a.cols; c += LANES)
    y[c] = x[c] * s;
}

/* A warp has a piece. */
static __global__ void
unit_norm (AkUnitNorm a)
{
  size_t i = (size_t) blockIdx.x * PIECES + threadIdx.x / AK_WARP, h, r;
  unsigned lane = threadIdx.x % AK_WARP;
  int own = i < a.batch * a.rows * a.heads;
  const float *x;
  float *y, s = 0;

  r = ak_split (own ? i : 0, a.heads, &h);
  x = ak_row (a.x, a.rows, r) + h * a.dim;
  y = ak_row (a.y, a.rows, r) + h * a.dim;
  for (size_t c = lane; c < a.dim; c += AK_WARP)
    s += x[c] * x[c];
  s = (a.factor ? a.factor[h] : 1) / fmaxf (sqrtf (ak_warp_sum (s)), 1e-12f);
  for (size_t c = lane; own && c < a.dim; c += AK_WARP)
    y[c] = x[c] * s;
}

typedef struct
{
  AkLayerNorm a;
  AkAlso also;
} LayerNorm;

static void
run_layer_norm (const AkAt *at, const void *args)
{
  const LayerNorm *n = (const LayerNorm *) args;
  const AkLayerNorm *a = &n->a;
  uint16_t *rounded = ak_rounded (at, &n->also);
  size_t rows = a->batch * a->rows;

  if (a->cols > WIDE)
    AK_LAUNCH (layer_norm<WIDE>, (unsigned) rows, WIDE, 0, at, *a, rounded);
  else
    AK_LAUNCH (layer_norm<AK_WARP>, ak_blocks (rows, PIECES), PIECES * AK_WARP, 0, at, *a, rounded);
}

static void
run_rms_norm (const AkAt *at, const void *args)
{
  const AkRmsNorm *a = (const AkRmsNorm *) args;
  size_t rows = a->batch * a->rows;

  if (a->cols > WIDE)
    AK_LAUNCH (rms_norm<WIDE>, (unsigned) rows, WIDE, 0, at, *a);
  else
    AK_LAUNCH (rms_norm<AK_WARP>, ak_blocks (rows, PIECES), PIECES * AK_WARP, 0, at, *a);
}

static void
run_unit_norm (const AkAt *at, const void *args)
{
  const AkUnitNorm *a = (const AkUnitNorm *) args;

  AK_LAUNCH (
      unit_norm, ak_blocks (a->batch * a->rows * a->heads, PIECES), PIECES * AK_WARP, 0, at, *a);
}

static void
record_layer_norm (AkPlan *plan, const AkLayerNorm *args)
{
  LayerNorm node = { *args, {} };
  LayerNorm *kept = (LayerNorm *) ak_cuda_append (plan, run_layer_norm, NULL, &node, sizeof node);

  if (kept)
    ak_offer (plan, args->y, args->batch, args->rows, args->cols, &kept->also, 0);
}

static void
record_rms_norm (AkPlan *plan, const AkRmsNorm *args)
{
  ak_cuda_append (plan, run_rms_norm, NULL, args, sizeof *args);
}

static void
record_unit_norm (AkPlan *plan, const AkUnitNorm *args)
{
  ak_cuda_append (plan, run_unit_norm, NULL, args, sizeof *args);
}

void
ak_cuda_norm_init (AkOps *ops)
{
  ops->layer_norm = record_layer_norm;
  ops->rms_norm = record_rms_norm;
  ops->unit_norm = record_unit_norm;
}
