/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on each number by itself. */
#include "math.cuh"
#include "vector.cuh"

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

/* `rows` are those of the result. */
struct Mean
{
  AkRows y, x;
  size_t batch, rows, cols, of;

  Mean (const AkMean &a) : y (a.y), x (a.x), batch (a.batch), rows (1), cols (a.cols), of (a.rows)
  {
  }
};

static __device__ float
value (const Mean &a, size_t b, size_t c)
{
  double s = 0;

  for (size_t r = 0; r < a.of; r++)
    s += a.x.data[b * a.x.batch + r * a.x.row + c];
  return (float) (s / (double) a.of);
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

/* A thread has VEC adjacent numbers. `rounded`: where they go as bfloat16 as well, or NULL. */
template <int VEC>
static __global__ void
blend (AkBlend a, uint16_t *rounded)
{
  const size_t i = own_number () * VEC;
  size_t c, r = ak_split (i, a.cols, &c);
  float v[VEC], other[VEC];

  if (r >= a.batch * a.rows)
    return;
  ak_get<VEC> (v, ak_row (a.a, a.rows, r) + c);
  if (a.b.data)
    ak_get<VEC> (other, ak_row (a.b, a.rows, r) + c);
#pragma unroll
  for (int k = 0; k < VEC; k++) {
    if (a.alpha != 1) /* a copy keeps every bit */
      v[k] *= a.alpha;
    if (a.b.data)
      v[k] += a.beta * other[k];
  }
  ak_put<VEC> (ak_row (a.y, a.rows, r) + c, v);
  if (rounded)
    ak_put_rounded<VEC> (rounded + i, v);
}

typedef struct
{
  AkBlend a;
  AkAlso also;
} BlendNode;

static void
run_blend (const AkAt *at, const void *args)
{
  const BlendNode *node = (const BlendNode *) args;
  const AkBlend *a = &node->a;
  const size_t n = a->batch * a->rows * a->cols;
  const int fours =
      a->cols % 4 == 0 && ak_is_aligned (a->y) && ak_is_aligned (a->a) && ak_is_aligned (a->b);

  AK_LAUNCH_VECTORS (blend, fours, n, THREADS, at, *a, ak_rounded (at, &node->also));
}

static void
record_blend (AkPlan *plan, const AkBlend *args)
{
  const BlendNode node = { *args, {} };
  BlendNode *kept = (BlendNode *) ak_cuda_append (plan, run_blend, NULL, &node, sizeof node);

  if (kept)
    ak_offer (plan, args->y, args->batch, args->rows, args->cols, &kept->also, 0);
}

void
ak_cuda_elementwise_init (AkOps *ops)
{
  ops->activate = record_each<AkActivate>;
  ops->blend = record_blend;
  ops->affine = record_each<AkAffine>;
  ops->finite = record_each<Finite>;
  ops->mean = record_each<Mean>;
}
