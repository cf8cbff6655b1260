/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread has a number. */
#include "launch.h"

#define THREADS 256

/* Number `i` of all: where it lies in the batch, and in its own place; 0 if it has none. */
static __device__ int
both_places (const AkMembers *a, size_t i, float **in_batch, float **own)
{
  size_t c, k, r = ak_split (i, a->cols, &c), b;

  if (r >= a->batch * a->rows)
    return 0;
  b = ak_split (r, a->rows, &k);
  if (!a->table[b])
    return 0;
  *in_batch = a->view.data + b * a->view.batch + k * a->view.row + c;
  *own = a->table[b] + k * a->cols + c;
  return 1;
}

static __global__ void
gather_kernel (AkMembers a)
{
  float *in_batch, *own;

  if (both_places (&a, (size_t) blockIdx.x * blockDim.x + threadIdx.x, &in_batch, &own))
    *in_batch = *own;
}

static __global__ void
scatter_kernel (AkMembers a)
{
  float *in_batch, *own;

  if (both_places (&a, (size_t) blockIdx.x * blockDim.x + threadIdx.x, &in_batch, &own))
    *own = *in_batch;
}

static unsigned
blocks (const AkMembers *a)
{
  return ak_blocks (a->batch * a->rows * a->cols, THREADS);
}

static void
gather_run (const AkAt *at, const void *args)
{
  const AkMembers *a = (const AkMembers *) args;

  AK_LAUNCH (gather_kernel, blocks (a), THREADS, 0, at, *a);
}

static void
scatter_run (const AkAt *at, const void *args)
{
  const AkMembers *a = (const AkMembers *) args;

  AK_LAUNCH (scatter_kernel, blocks (a), THREADS, 0, at, *a);
}

static void
gather_record (AkPlan *plan, const AkMembers *args)
{
  if (args->batch > 1)
    ak_cuda_hurry (plan);
  ak_cuda_append (plan, gather_run, NULL, args, sizeof *args);
}

void
ak_cuda_members_init (AkOps *ops)
{
  ops->members_gather = gather_record;
  ops->members_scatter = ak_record<scatter_run>;
}
