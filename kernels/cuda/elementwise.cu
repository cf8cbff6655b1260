/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on each number by itself. */
#include "math.cuh"

#define THREADS 256

static __device__ size_t
own_number (void)
{
  return (size_t) blockIdx.x * blockDim.x + threadIdx.x;
}

/* An operation is arguments with y, batch, rows and cols, and value(), number c of row r of its results. */

static __device__ float
value (const AkActivate &a, size_t r, size_t c)
{
  return ak_act (ak_row (a.x, a.rows, r)[c], a.activation);
}

static __device__ float
value (const AkBlend &a, size_t r, size_t c)
{
  float v = ak_row (a.a, a.rows, r)[c];

  if (a.alpha != 1) /* a copy keeps every bit */
    v *= a.alpha;
  if (a.b.data)
    v += a.beta * ak_row (a.b, a.rows, r)[c];
  return v;
}

static __device__ float
value (const AkAffine &a, size_t r, size_t c)
{
  float v = ak_row (a.x, a.rows, r)[c];

  if (a.sub)
    v -= a.sub[c];
  if (a.mul)
    v *= a.mul[c];
  if (a.add)
    v += a.add[c];
  return v;
}

struct Finite : AkBlend
{
};

static __device__ float
value (const Finite &a, size_t r, size_t c)
{
  float v = ak_row (a.a, a.rows, r)[c];

  return isfinite (v) ? v : 0;
}

template <class Args>
static __global__ void
each (Args a)
{
  size_t i = own_number (), c, r;

  if (i >= a.batch * a.rows * a.cols)
    return;
  r = ak_split (i, a.cols, &c);
  ak_row (a.y, a.rows, r)[c] = value (a, r, c);
}

template <class Args>
static void
run_each (const AkAt *at, const void *args)
{
  const Args *a = (const Args *) args;

  AK_LAUNCH (each<Args>, ak_blocks (a->batch * a->rows * a->cols, THREADS), THREADS, 0, at, *a);
}

template <class Args, class Given>
static void
record_each (AkPlan *plan, const Given *args)
{
  const Args a{ *args };

  ak_cuda_append (plan, run_each<Args>, NULL, &a, sizeof a);
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
run_mean (const AkAt *at, const void *args)
{
  const AkMean *a = (const AkMean *) args;

  AK_LAUNCH (mean, ak_blocks (a->batch * a->cols, THREADS), THREADS, 0, at, *a);
}

static void
record_mean (AkPlan *plan, const AkMean *args)
{
  ak_cuda_append (plan, run_mean, NULL, args, sizeof *args);
}

void
ak_cuda_elementwise_init (AkOps *ops)
{
  ops->activate = record_each<AkActivate>;
  ops->blend = record_each<AkBlend>;
  ops->affine = record_each<AkAffine>;
  ops->finite = record_each<Finite>;
  ops->mean = record_mean;
}
