/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch.h"

#define THREADS 128

/* A warp a span: the first and the last pixel of its rows that is covered. */
static __global__ void
find_kernel (AkSpansFind a)
{
  const unsigned i = blockIdx.x * (THREADS / AK_WARP) + threadIdx.x / AK_WARP;
  const unsigned width = (unsigned) (a.n * a.side), across = 2 * (unsigned) a.n;
  const float *rows = a.transmittance + (size_t) i * across * width;
  unsigned left = 0, end = 0; /* width minus the first, and behind the last */

  if (i >= a.side / 2)
    return;
  for (unsigned r = 0; r < across; r++)
    for (unsigned q = threadIdx.x % AK_WARP; q < width; q += AK_WARP)
      if (rows[(size_t) r * width + q] < 1) {
        left = max (left, width - q);
        end = max (end, q + 1);
      }
  left = ak_warp_max (left);
  end = ak_warp_max (end);
  a.spans[i].from = (uint16_t) (left ? (width - left) / across : 0);
  a.spans[i].to = (uint16_t) ((end + across - 1) / across);
}

/* A thread a span. */
static __global__ void
grow_kernel (AkSpansGrow a)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const size_t step = a.half ? 2 : 1, n = a.side / 2 / step;
  const size_t first = i > a.grow ? i - a.grow : 0;
  size_t end = i + a.grow + 1 < n ? i + a.grow + 1 : n, from = SIZE_MAX, to = 0;

  if (i >= n)
    return;
  for (size_t r = first * step; r < end * step; r++) {
    const AkSpan s = a.x[r];

    if (s.from >= s.to)
      continue;
    from = s.from < from ? s.from : from;
    to = s.to > to ? s.to : to;
  }
  from = to && from / step > a.grow ? from / step - a.grow : 0;
  to = to ? (to + step - 1) / step + a.grow : 0;
  a.y[i].from = (uint16_t) from;
  a.y[i].to = (uint16_t) (to < n ? to : n);
}

static void
find_run (const AkAt *at, const void *args)
{
  const AkSpansFind *a = (const AkSpansFind *) args;

  AK_LAUNCH (find_kernel, ak_blocks (a->side / 2, THREADS / AK_WARP), THREADS, 0, at, *a);
}

static void
grow_run (const AkAt *at, const void *args)
{
  const AkSpansGrow *a = (const AkSpansGrow *) args;

  AK_LAUNCH (grow_kernel, ak_blocks (a->side / 2, THREADS), THREADS, 0, at, *a);
}

void
ak_cuda_spans_init (AkOps *ops)
{
  ops->spans_find = ak_record<find_run>;
  ops->spans_grow = ak_record<grow_run>;
}
