/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splats on a mesh, a thread a splat. */
#include "launch.h"

#include "../bound_splat.h"

static __global__ void
bind_kernel (AkBind a)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;

  if (i < a.splats)
    ak_bound_splat (&a, i);
}

static void
bind_run (const AkAt *at, const void *args)
{
  const AkBind *a = (const AkBind *) args;

  AK_LAUNCH (bind_kernel, ak_blocks (a->splats, 128), 128, 0, at, *a);
}

void
ak_cuda_bind_init (AkOps *ops)
{
  ops->bind = ak_record<bind_run>;
}
