/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Normalisation: a block or, for short rows, a warp has a row; rows of ak_layer_norm that can be read by fours lie in a
 * warp's registers. A thread writes only what it alone reads, so y may be x. */
#include "math.cuh"
#include "vector.cuh"

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

/* A row of at most 128 QUADS columns in a warp's registers. All is read before anything is summed, so that few rows wait
 * for memory once. There are weight and bias, or scale and shift. */
template <int QUADS, AkActivation ACT>
static __global__ void
__launch_bounds__ (PIECES *AK_WARP) layer_norm_held (AkLayerNorm a, uint16_t *rounded)
{
  const size_t i = (size_t) blockIdx.x * (blockDim.x / AK_WARP) + threadIdx.x / AK_WARP;
  const unsigned lane = threadIdx.x % AK_WARP, cols = (unsigned) a.cols;
  const float4 none = make_float4 (0, 0, 0, 0);
  const float *x, *weight, *bias;
  float4 v[QUADS], w[QUADS], u[QUADS];
  float mean = 0, var = 0, factor, one = 0, *y;
  size_t r, b;

  if (i >= a.batch * a.rows)
    return;
  b = ak_split (i, a.rows, &r);
  x = a.x.data + b * a.x.batch + r * a.x.row;
  y = a.y.data + b * a.y.batch + r * a.y.row;
  weight = a.weight;
  bias = a.bias;
  if (!weight) {
    weight = a.scale.data + b * a.scale.batch + r * a.scale.row;
    bias = a.shift.data + b * a.shift.batch + r * a.shift.row;
    one = 1;
  }
#pragma unroll
  for (int k = 0; k < QUADS; k++) {
    const unsigned c = (k * AK_WARP + lane) * 4;

    v[k] = c < cols ? *(const float4 *) (x + c) : none;
    w[k] = c < cols ? *(const float4 *) (weight + c) : none;
    u[k] = c < cols ? *(const float4 *) (bias + c) : none;
    mean += v[k].x + v[k].y + (v[k].z + v[k].w);
  }
  mean = ak_warp_sum (mean) / (float) cols;
#pragma unroll
  for (int k = 0; k < QUADS; k++)
    if ((k * AK_WARP + lane) * 4 < cols) {
      v[k].x -= mean, v[k].y -= mean, v[k].z -= mean, v[k].w -= mean;
      var += v[k].x * v[k].x + v[k].y * v[k].y + (v[k].z * v[k].z + v[k].w * v[k].w);
    }
  var = ak_warp_sum (var) / (float) cols;
  factor = 1 / sqrtf (var + a.eps);
#pragma unroll
  for (int k = 0; k < QUADS; k++) {
    const unsigned c = (k * AK_WARP + lane) * 4;
    float n[4];

    n[0] = ak_act (v[k].x * factor * (w[k].x + one) + u[k].x, ACT);
    n[1] = ak_act (v[k].y * factor * (w[k].y + one) + u[k].y, ACT);
    n[2] = ak_act (v[k].z * factor * (w[k].z + one) + u[k].z, ACT);
    n[3] = ak_act (v[k].w * factor * (w[k].w + one) + u[k].w, ACT);
    if (c < cols) {
      ak_put<4> (y + c, n);
      if (rounded)
        ak_put_rounded<4> (rounded + i * cols + c, n);
    }
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

#define HELD 1024  /* most columns of layer_norm_held */
#define SPREAD 512 /* fewer rows have a block each */

static int
is_aligned (AkRows v)
{
  return (uintptr_t) v.data % 16 == 0 && v.row % 4 == 0 && v.batch % 4 == 0;
}

static int
can_be_held (const AkLayerNorm *a)
{
  return (a->weight || a->scale.data) && a->cols % 4 == 0 && a->cols <= HELD && is_aligned (a->x) &&
         is_aligned (a->y) && is_aligned (a->scale) && is_aligned (a->shift) &&
         (uintptr_t) a->weight % 16 == 0 && (uintptr_t) a->bias % 16 == 0 &&
         (a->activation == AK_ACT_NONE || a->activation == AK_ACT_GELU);
}

template <int QUADS>
static void
launch_held (const AkAt *at, const AkLayerNorm *a, uint16_t *rounded)
{
  const size_t rows = a->batch * a->rows;
  const unsigned pieces = rows < SPREAD ? 1 : PIECES;

  if (a->activation == AK_ACT_GELU)
    AK_LAUNCH ((layer_norm_held<QUADS, AK_ACT_GELU>), ak_blocks (rows, pieces), pieces * AK_WARP, 0,
        at, *a, rounded);
  else
    AK_LAUNCH ((layer_norm_held<QUADS, AK_ACT_NONE>), ak_blocks (rows, pieces), pieces * AK_WARP, 0,
        at, *a, rounded);
}

static void
choose_held (const AkAt *at, const AkLayerNorm *a, uint16_t *rounded)
{
  const size_t quads = (a->cols + 4 * AK_WARP - 1) / (4 * AK_WARP);

  if (quads <= 1)
    launch_held<1> (at, a, rounded);
  else if (quads <= 2)
    launch_held<2> (at, a, rounded);
  else if (quads <= 4)
    launch_held<4> (at, a, rounded);
  else if (quads <= 6)
    launch_held<6> (at, a, rounded);
  else
    launch_held<HELD / (4 * AK_WARP)> (at, a, rounded);
}

static void
run_layer_norm (const AkAt *at, const void *args)
{
  const LayerNorm *n = (const LayerNorm *) args;
  const AkLayerNorm *a = &n->a;
  uint16_t *rounded = ak_rounded (at, &n->also);
  size_t rows = a->batch * a->rows;

  if (can_be_held (a))
    choose_held (at, a, rounded);
  else if (a->cols > WIDE)
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

void
ak_cuda_norm_init (AkOps *ops)
{
  ops->layer_norm = record_layer_norm;
  ops->rms_norm = ak_record<run_rms_norm>;
  ops->unit_norm = ak_record<run_unit_norm>;
}
