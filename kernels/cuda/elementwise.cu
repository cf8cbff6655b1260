/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on each number by itself. */
#include "math.cuh"

#define THREADS 256

static __device__ size_t
own_number (void)
{
  return (size_t) blockIdx.x * blockDim.x + threadIdx.x;
}

static __global__ void
activate (AkActivate a)
{
  size_t i = own_number (), c, r;

  if (i >= a.batch * a.rows * a.cols)
    return;
  r = ak_split (i, a.cols, &c);
  ak_row (a.y, a.rows, r)[c] = ak_act (ak_row (a.x, a.rows, r)[c], a.activation);
}

static __global__ void
blend (AkBlend a)
{
  size_t i = own_number (), c, r;
  float v;

  if (i >= a.batch * a.rows * a.cols)
    return;
  r = ak_split (i, a.cols, &c);
  v = ak_row (a.a, a.rows, r)[c];
  if (a.alpha != 1) /* a copy keeps every bit */
    v *= a.alpha;
  if (a.b.data)
    v += a.beta * ak_row (a.b, a.rows, r)[c];
  ak_row (a.y, a.rows, r)[c] = v;
}

static __global__ void
affine (AkAffine a)
{
  size_t i = own_number (), c, r;
  float v;

  if (i >= a.batch * a.rows * a.cols)
    return;
  r = ak_split (i, a.cols, &c);
  v = ak_row (a.x, a.rows, r)[c];
  if (a.sub)
    v -= a.sub[c];
  if (a.mul)
    v *= a.mul[c];
  if (a.add)
    v += a.add[c];
  ak_row (a.y, a.rows, r)[c] = v;
}

static __global__ void
only_finite (AkBlend a)
{
  size_t i = own_number (), c, r;
  float v;

  if (i >= a.batch * a.rows * a.cols)
    return;
  r = ak_split (i, a.cols, &c);
  v = ak_row (a.a, a.rows, r)[c];
  ak_row (a.y, a.rows, r)[c] = isfinite (v) ? v : 0;
}

/* A thread has a column of a batch item. */
static __global__ void
mean (AkMean a)
{
  size_t i = own_number (), b, c;
  double s = 0;

  if (i >= a.batch * a.cols)
    return;
  b = ak_split (i, a.cols, &c);
  for (size_t r = 0; r < a.rows; r++)
    s += a.x.data[b * a.x.batch + r * a.x.row + c];
  a.y.data[b * a.y.batch + c] = (float) (s / (double) a.rows);
}

static void
run_activate (const AkAt *at, const void *args)
{
  const AkActivate *a = (const AkActivate *) args;

  AK_LAUNCH (activate, ak_blocks (a->batch * a->rows * a->cols, THREADS), THREADS, 0, at, *a);
}

static void
run_blend (const AkAt *at, const void *args)
{
  const AkBlend *a = (const AkBlend *) args;

  AK_LAUNCH (blend, ak_blocks (a->batch * a->rows * a->cols, THREADS), THREADS, 0, at, *a);
}

static void
run_affine (const AkAt *at, const void *args)
{
  const AkAffine *a = (const AkAffine *) args;

  AK_LAUNCH (affine, ak_blocks (a->batch * a->rows * a->cols, THREADS), THREADS, 0, at, *a);
}

static void
run_finite (const AkAt *at, const void *args)
{
  const AkBlend *a = (const AkBlend *) args;

  AK_LAUNCH (only_finite, ak_blocks (a->batch * a->rows * a->cols, THREADS), THREADS, 0, at, *a);
}

static void
run_mean (const AkAt *at, const void *args)
{
  const AkMean *a = (const AkMean *) args;

  AK_LAUNCH (mean, ak_blocks (a->batch * a->cols, THREADS), THREADS, 0, at, *a);
}

static void
record_activate (AkPlan *plan, const AkActivate *args)
{
  ak_cuda_append (plan, run_activate, NULL, args, sizeof *args);
}

static void
record_blend (AkPlan *plan, const AkBlend *args)
{
  ak_cuda_append (plan, run_blend, NULL, args, sizeof *args);
}

static void
record_affine (AkPlan *plan, const AkAffine *args)
{
  ak_cuda_append (plan, run_affine, NULL, args, sizeof *args);
}

static void
record_mean (AkPlan *plan, const AkMean *args)
{
  ak_cuda_append (plan, run_mean, NULL, args, sizeof *args);
}

static void
record_finite (AkPlan *plan, const AkBlend *args)
{
  ak_cuda_append (plan, run_finite, NULL, args, sizeof *args);
}

void
ak_cuda_elementwise_init (AkOps *ops)
{
  ops->activate = record_activate;
  ops->blend = record_blend;
  ops->affine = record_affine;
  ops->mean = record_mean;
  ops->finite = record_finite;
}
