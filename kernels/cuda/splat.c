/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sort.h"
#include "splat_priv.h"

/* Entries that fit into the tiles' lists: far more than avatars need. What needs more only takes longer. */
#define PER_SPLAT 8
#define PER_TILE 32

static void
splat_run (const AkAt *at, const void *args)
{
  const AkCudaSplatJob *job = args;

  if (job->args.splats) {
    ak_cuda_splat_project (at, job);
    ak_cuda_splat_lists (at, job);
  }
  ak_cuda_splat_draw (at, job);
}

static void
splat (AkPlan *plan, const AkSplat *args)
{
  AkCudaSplatJob job = { .args = *args,
    .tiles_x = (args->width + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE,
    .tiles_y = (args->height + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE };
  size_t n = args->splats, tiles = (size_t) job.tiles_x * job.tiles_y;

  job.capacity = (uint32_t) (PER_SPLAT * n + PER_TILE * tiles);
  job.ranges = ak_plan_memory (plan, tiles * sizeof *job.ranges);
  job.state = ak_plan_memory (plan, sizeof *job.state);
  if (n) {
    job.shapes = ak_plan_memory (plan, n * sizeof *job.shapes);
    job.ordered = ak_plan_memory (plan, n * sizeof *job.ordered);
    job.count = ak_plan_memory (plan, n * sizeof *job.count);
    job.before = ak_plan_memory (plan, n * sizeof *job.before);
    for (int i = 0; i < 2; i++) {
      job.depth[i] = ak_plan_memory (plan, n * sizeof *job.depth[i]);
      job.index[i] = ak_plan_memory (plan, n * sizeof *job.index[i]);
      job.tile[i] = ak_plan_memory (plan, job.capacity * sizeof *job.tile[i]);
      job.place[i] = ak_plan_memory (plan, job.capacity * sizeof *job.place[i]);
    }
    job.scratch_bytes = ak_sort_scratch (n > job.capacity ? n : job.capacity);
    if (!job.scratch_bytes)
      ak_plan_fail (plan, AK_ERR_DEVICE);
    ak_cuda_scratch (plan, job.scratch_bytes);
  }
  if (plan->status == AK_OK)
    ak_cuda_append (plan, splat_run, NULL, &job, sizeof job);
}

void
ak_cuda_splat_init (AkOps *ops)
{
  ops->splat = splat;
}
