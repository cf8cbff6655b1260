/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host gives anew at each run. A kernel reads it out of page-locked memory, all of a plan at once: for a few
 * bytes that is sooner done than a copy each. */
#include "launch.h"
#include "mesh.h"

#define MAX_READS 4

typedef struct
{
  AkRead *read;
  const void *source;
  uint32_t *pinned, *memory;
  size_t words;
} EachRun;

struct AkCudaReads
{
  unsigned n;
  EachRun each[MAX_READS];
};

static __global__ void
read_kernel (AkCudaReads reads)
{
  for (unsigned k = 0; k < reads.n; k++)
    for (size_t i = threadIdx.x; i < reads.each[k].words; i += AK_WARP)
      reads.each[k].memory[i] = reads.each[k].pinned[i];
}

static void
read_run (const AkAt *at, const void *args)
{
  AK_LAUNCH (read_kernel, 1, AK_WARP, 0, at, *(const AkCudaReads *) args);
}

static void
read_host (const void *args)
{
  const EachRun *e = (const EachRun *) args;

  e->read (e->source, e->pinned);
}

const void *
ak_cuda_read_each_run (AkPlan *plan, AkRead *read, const void *source, size_t bytes)
{
  const size_t words = (bytes + 3) / 4;
  EachRun e = { read, source, (uint32_t *) ak_cuda_pinned (plan, 4 * words),
    (uint32_t *) ak_plan_memory (plan, 4 * words), words };
  AkCudaReads **reads = ak_cuda_reads (plan), none = {};

  if (plan->status != AK_OK)
    return NULL;
  if (!*reads || (*reads)->n == MAX_READS)
    *reads = (AkCudaReads *) ak_cuda_append (plan, read_run, NULL, &none, sizeof none);
  if (*reads)
    (*reads)->each[(*reads)->n++] = e;
  ak_cuda_around (plan, read_host, NULL, &e, sizeof e);
  return e.memory;
}
