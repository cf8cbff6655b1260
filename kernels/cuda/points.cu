/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A few dozen points: one block. */
#include "launch.h"

#define THREADS 128

static __global__ void
average_kernel (AkAveragePoints a)
{
  const int started = *a.started != 0;

  __syncthreads (); /* before `started` is set */
  for (size_t i = threadIdx.x; i < 3 * a.count; i += THREADS) {
    float *v = a.points + 3 * (size_t) a.indices[i / 3] + i % 3, *u = a.average + i, was = 0;

    if (started)
      was = *u;
    if (!isfinite (*v))
      *u = was;
    else
      *u = started ? a.keep * was + (1 - a.keep) * *v : *v;
    *v = *u;
  }
  if (threadIdx.x == 0)
    *a.started = 1;
}

static void
average_run (const AkAt *at, const void *args)
{
  AK_LAUNCH (average_kernel, 1, THREADS, 0, at, *(const AkAveragePoints *) args);
}

void
ak_cuda_points_init (AkOps *ops)
{
  ops->average_points = ak_record<average_run>;
}
