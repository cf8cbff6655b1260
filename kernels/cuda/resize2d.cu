/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resizing, a thread a number of the result. Positions are computed at recording (resize2d_taps.h). */
#include "launch.h"
#include "../resize2d_taps.h"

#include <stdlib.h>

/* One axis on the device: its taps and weights. */
typedef struct
{
  const AkTaps *taps;
  const float *weights;
} Axis;

/* Numbers of `x` that make one of `y`: along an axis, or two axes at once where there are at most two each. */
typedef struct
{
  AkResize2d a;
  Axis down, across;
  double *rows; /* of smooth resizing: [batch][out_height][in_width][channels] */
} Resizer;

/* The number of [batch][out_height][width][channels] that is this thread's. */
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

/* Linear along both axes. */
static __global__ void
linear_kernel (Resizer f)
{
  const AkResize2d *a = &f.a;
  AkTaps down, across;
  const float *x, *v, *w;
  float s = 0;
  Place p;

  if (!own_place (a, a->out_width, &p) || !ak_in_spans (a->spans, p.r, p.q))
    return;
  down = f.down.taps[p.r];
  across = f.across.taps[p.q];
  v = f.down.weights + down.at;
  w = f.across.weights + across.at;
  x = a->x.data + p.b * a->x.batch + (down.first * a->in_width + across.first) * a->x.row + p.c;
  for (size_t j = 0; j < down.count; j++) {
    float t = w[0] * x[j * a->in_width * a->x.row];

    if (across.count > 1)
      t += w[1] * x[(j * a->in_width + 1) * a->x.row];
    s += v[j] * t;
  }
  a->y.data[p.b * a->y.batch + (p.r * a->out_width + p.q) * a->y.row + p.c] = s;
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
resize2d_run (const AkAt *at, const void *args)
{
  const Resizer *f = (const Resizer *) args;
  const AkResize2d *a = &f->a;
  size_t rows = a->batch * a->out_height * a->channels;

  if (!f->rows) {
    AK_LAUNCH (linear_kernel, ak_blocks (rows * a->out_width, 256), 256, 0, at, *f);
    return;
  }
  AK_LAUNCH (down_kernel, ak_blocks (rows * a->in_width, 256), 256, 0, at, *f);
  AK_LAUNCH (across_kernel, ak_blocks (rows * a->out_width, 256), 256, 0, at, *f);
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

static void
resize2d_record (AkPlan *plan, const AkResize2d *a)
{
  Resizer f = { *a };
  size_t most = a->in_width > a->out_width ? a->in_width : a->out_width;

  /* a thread's number has 32 bits */
  if (a->out_height > UINT32_MAX / a->batch ||
      most > (UINT32_MAX - 255) / a->channels / (a->batch * a->out_height)) {
    ak_plan_fail (plan, AK_ERR_ARG);
    return;
  }
  if (!make_axis (plan, &f.down, a->mode, a->in_height, a->out_height) ||
      !make_axis (plan, &f.across, a->mode, a->in_width, a->out_width))
    return;
  if (a->mode == AK_RESIZE2D_SMOOTH) {
    f.rows = (double *) ak_plan_memory (
        plan, a->batch * a->out_height * a->in_width * a->channels * sizeof *f.rows);
    if (!f.rows)
      return;
  }
  ak_cuda_append (plan, resize2d_run, NULL, &f, sizeof f);
}

void
ak_cuda_resize2d_init (AkOps *ops)
{
  ops->resize2d = resize2d_record;
}
