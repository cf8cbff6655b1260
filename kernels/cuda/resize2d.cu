/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resizing. Positions are computed at recording (resize2d_taps.h). */
#include "vector.cuh"
#include "../resize2d_taps.h"

#include <stdlib.h>

#define THREADS 256

/* One axis on the device: its taps and weights. */
typedef struct
{
  const AkTaps *taps;
  const float *weights;
} Axis;

/* The same of linear resizing: v x[first] + w x[first + more]. */
typedef struct __align__ (16)
{
  uint16_t first, more;
  float v, w;
}
Pair;

typedef struct
{
  AkResize2d a;
  Axis down, across; /* of smooth resizing */
  double *rows;      /* between them: [batch][out_height][in_width][channels] */
  const Pair *pairs_down, *pairs_across;
  int vectors; /* 4 numbers can be read and written at once */
  AkAlso also; /* of linear resizing */
} Resizer;

/* Smooth resizing: the number of [batch][out_height][width][channels] that is this thread's. */
typedef struct
{
  uint32_t row, b, r, q, c; /* row: of all rows */
} Place;

/* Returns 0 behind the last of them. */
static __device__ int
own_place (const AkResize2d *a, size_t row_width, Place *p)
{
  const uint32_t n = (uint32_t) a->channels, width = (uint32_t) row_width;
  const uint32_t height = (uint32_t) a->out_height, i = blockIdx.x * blockDim.x + threadIdx.x;

  p->c = i % n;
  p->q = i / n % width;
  p->row = i / n / width;
  p->r = p->row % height;
  p->b = p->row / height;
  return p->b < a->batch;
}

/* Linear along both axes: a block has numbers of one row of the result, a thread VEC adjacent channels of a pixel.
 * `rounded`: where they go as bfloat16 as well, or NULL. */
template <int VEC>
static __global__ void
linear_kernel (Resizer f, uint16_t *rounded)
{
  const AkResize2d *a = &f.a;
  const uint32_t pieces = (uint32_t) a->channels / VEC, r = blockIdx.y, b = blockIdx.z;
  const uint32_t i = blockIdx.x * THREADS + threadIdx.x, q = i / pieces, c = i % pieces * VEC;
  float corner[4][VEC], s[VEC];
  const float *x;
  Pair down, across;
  size_t right, below;

  if (q >= a->out_width || !ak_in_spans (a->spans, r, q))
    return;
  down = f.pairs_down[r];
  across = f.pairs_across[q];
  right = across.more * a->x.row;
  below = down.more * a->in_width * a->x.row;
  x = a->x.data + b * a->x.batch + ((size_t) down.first * a->in_width + across.first) * a->x.row +
      c;
  ak_get<VEC> (corner[0], x);
  ak_get<VEC> (corner[1], x + right);
  ak_get<VEC> (corner[2], x + below);
  ak_get<VEC> (corner[3], x + below + right);
  for (int k = 0; k < VEC; k++)
    s[k] = down.v * (across.v * corner[0][k] + across.w * corner[1][k]) +
           down.w * (across.v * corner[2][k] + across.w * corner[3][k]);
  ak_put<VEC> (a->y.data + b * a->y.batch + ((size_t) r * a->out_width + q) * a->y.row + c, s);
  if (rounded)
    ak_put_rounded<VEC> (
        rounded + (((size_t) b * a->out_height + r) * a->out_width + q) * a->channels + c, s);
}

/* weights · x, `step` numbers apart */
template <class T>
static __device__ double
weighted (const Axis &axis, const AkTaps &taps, const T *x, size_t step)
{
  double s = 0;

  for (size_t j = 0; j < taps.count; j++)
    s += (double) axis.weights[taps.at + j] * x[j * step];
  return s;
}

/* Smooth: first down, a thread a number of `rows`. */
static __global__ void
down_kernel (Resizer f)
{
  const AkResize2d *a = &f.a;
  AkTaps down;
  Place p;

  if (!own_place (a, a->in_width, &p))
    return;
  down = f.down.taps[p.r];
  f.rows[((size_t) p.row * a->in_width + p.q) * a->channels + p.c] = weighted (f.down, down,
      a->x.data + p.b * a->x.batch + (down.first * a->in_width + p.q) * a->x.row + p.c,
      a->in_width * a->x.row);
}

/* Then across. */
static __global__ void
across_kernel (Resizer f)
{
  const AkResize2d *a = &f.a;
  AkTaps across;
  Place p;

  if (!own_place (a, a->out_width, &p) || !ak_in_spans (a->spans, p.r, p.q))
    return;
  across = f.across.taps[p.q];
  a->y.data[p.b * a->y.batch + (p.r * a->out_width + p.q) * a->y.row + p.c] =
      (float) weighted (f.across, across,
          f.rows + ((size_t) p.row * a->in_width + across.first) * a->channels + p.c, a->channels);
}

static void
linear_run (const AkAt *at, const void *args)
{
  const Resizer *f = (const Resizer *) args;
  const AkResize2d *a = &f->a;
  const size_t pieces = a->out_width * a->channels / (f->vectors ? 4 : 1);
  const dim3 grid (ak_blocks (pieces, THREADS), (unsigned) a->out_height, (unsigned) a->batch);

  if (f->vectors)
    AK_LAUNCH (linear_kernel<4>, grid, THREADS, 0, at, *f, ak_rounded (at, &f->also));
  else
    AK_LAUNCH (linear_kernel<1>, grid, THREADS, 0, at, *f, ak_rounded (at, &f->also));
}

static void
smooth_run (const AkAt *at, const void *args)
{
  const Resizer *f = (const Resizer *) args;
  const AkResize2d *a = &f->a;
  size_t rows = a->batch * a->out_height * a->channels;

  AK_LAUNCH (down_kernel, ak_blocks (rows * a->in_width, THREADS), THREADS, 0, at, *f);
  AK_LAUNCH (across_kernel, ak_blocks (rows * a->out_width, THREADS), THREADS, 0, at, *f);
}

/* Returns 0 after an error. */
static int
make_axis (AkPlan *plan, Axis *axis, AkResize2dMode mode, size_t in, size_t out)
{
  size_t most = ak_taps_most (mode, in, out);
  AkTaps *taps = (AkTaps *) calloc (out, sizeof *taps);
  double *weights = (double *) calloc (out, most * sizeof *weights);
  float *rounded = (float *) calloc (out, most * sizeof *rounded);

  if (taps && weights && rounded) {
    ak_taps_make (mode, in, out, taps, weights);
    for (size_t i = 0; i < out * most; i++)
      rounded[i] = (float) weights[i];
    axis->taps = (const AkTaps *) ak_cuda_constant (plan, taps, out * sizeof *taps);
    axis->weights = (const float *) ak_cuda_constant (plan, rounded, out * most * sizeof *rounded);
  } else {
    ak_plan_fail (plan, AK_ERR_MEMORY);
  }
  free (taps);
  free (weights);
  free (rounded);
  return plan->status == AK_OK;
}

/* NULL after an error. */
static const Pair *
make_pairs (AkPlan *plan, AkResize2dMode mode, size_t in, size_t out)
{
  AkTaps *taps = (AkTaps *) calloc (out, sizeof *taps);
  double *weights = (double *) calloc (out, 2 * sizeof *weights);
  Pair *pairs = (Pair *) calloc (out, sizeof *pairs);
  const void *kept = NULL;

  if (taps && weights && pairs) {
    ak_taps_make (mode, in, out, taps, weights);
    for (size_t i = 0; i < out; i++) {
      pairs[i].first = (uint16_t) taps[i].first;
      pairs[i].more = taps[i].count > 1;
      pairs[i].v = (float) weights[taps[i].at];
      pairs[i].w = (float) weights[taps[i].at + 1];
    }
    kept = ak_cuda_constant (plan, pairs, out * sizeof *pairs);
  } else {
    ak_plan_fail (plan, AK_ERR_MEMORY);
  }
  free (taps);
  free (weights);
  free (pairs);
  return (const Pair *) kept;
}

static void
record_linear (AkPlan *plan, Resizer *f)
{
  const AkResize2d *a = &f->a;
  Resizer *kept;

  f->pairs_down = make_pairs (plan, a->mode, a->in_height, a->out_height);
  f->pairs_across = make_pairs (plan, a->mode, a->in_width, a->out_width);
  f->vectors = a->channels % 4 == 0 && ak_is_aligned (a->x) && ak_is_aligned (a->y);
  if (!f->pairs_down || !f->pairs_across)
    return;
  kept = (Resizer *) ak_cuda_append (plan, linear_run, NULL, f, sizeof *f);
  if (kept)
    ak_offer (plan, a->y, a->batch, a->out_height * a->out_width, a->channels, &kept->also, 0);
}

static void
resize2d_record (AkPlan *plan, const AkResize2d *a)
{
  Resizer f = { *a };
  size_t most = a->in_width > a->out_width ? a->in_width : a->out_width;

  /* a thread's number has 32 bits, rows and pixels have 16 */
  if (a->in_height > UINT16_MAX || a->in_width > UINT16_MAX || a->out_height > UINT16_MAX ||
      a->batch > UINT16_MAX ||
      most > (UINT32_MAX - 255) / a->channels / (a->batch * a->out_height)) {
    ak_plan_fail (plan, AK_ERR_ARG);
    return;
  }
  if (a->mode != AK_RESIZE2D_SMOOTH) {
    record_linear (plan, &f);
    return;
  }
  if (!make_axis (plan, &f.down, a->mode, a->in_height, a->out_height) ||
      !make_axis (plan, &f.across, a->mode, a->in_width, a->out_width))
    return;
  f.rows = (double *) ak_plan_memory (
      plan, a->batch * a->out_height * a->in_width * a->channels * sizeof *f.rows);
  if (f.rows)
    ak_cuda_append (plan, smooth_run, NULL, &f, sizeof f);
}

void
ak_cuda_resize2d_init (AkOps *ops)
{
  ops->resize2d = resize2d_record;
}
