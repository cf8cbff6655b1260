/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recording of splats: projection, a stable radix sort by depth, and strips of tiles, each in nodes short enough to
 * be cancelled between. The inner loops are in splat_project.c, splat_plain.c and splat_avx2.c. */
#include "splat.h"

#include <string.h>

#define BINS (1u << AK_SPLAT_RADIX)
#define PASSES 3                        /* times AK_SPLAT_RADIX bits hold a depth */
#define PROJECT_NODE ((size_t) 1 << 17) /* splats of a node, per thread */
#define STRIPS_NODE 16                  /* strips of a node, per thread */

typedef struct
{
  AkSplatJob *job;
  AkSplatProject *project;
  AkSplatStrip *strip;
  size_t from, to; /* splats, bits or strips */
} Part;

static void
project_part (void *data, unsigned i, unsigned n)
{
  const Part *p = data;
  size_t count = p->to - p->from;

  p->project (p->job, p->from + count * i / n, p->from + count * (i + 1) / n);
}

static void
project_run (AkCpu *cpu, const void *args)
{
  ak_cpu_parallel (cpu, project_part, (void *) args);
}

/* Keeps the keys of what is drawn and counts their digits. */
static void
collect_run (AkCpu *cpu, const void *args)
{
  AkSplatJob *job = ((const Part *) args)->job;
  size_t n = 0;

  (void) cpu;
  memset (job->counts, 0, PASSES * sizeof *job->counts);
  for (size_t i = 0; i < job->args.splats; i++) {
    AkSplatKey key = job->spare[i];

    if (!key.depth)
      continue;
    job->keys[n++] = key;
    for (unsigned p = 0; p < PASSES; p++)
      job->counts[p][key.depth >> (p * AK_SPLAT_RADIX) & (BINS - 1)]++;
  }
  job->drawn = n;
}

/* One pass of the sort, by the digit that begins at bit `from`. */
static void
sort_run (AkCpu *cpu, const void *args)
{
  const Part *p = args;
  AkSplatJob *job = p->job;
  AkSplatKey *sorted = job->spare;
  uint32_t *at = job->counts[p->from / AK_SPLAT_RADIX], sum = 0;

  (void) cpu;
  for (unsigned b = 0; b < BINS; b++) {
    uint32_t count = at[b];

    if (count == job->drawn)
      return; /* all have the same digit */
    at[b] = sum;
    sum += count;
  }
  for (size_t i = 0; i < job->drawn; i++) {
    AkSplatKey key = job->keys[i];

    sorted[at[key.depth >> p->from & (BINS - 1)]++] = key;
  }
  job->spare = job->keys;
  job->keys = sorted;
}

/* Puts boxes in order of depth too, so that strips read them one after the other. */
static void
order_part (void *data, unsigned part, unsigned n)
{
  AkSplatJob *job = ((const Part *) data)->job;
  size_t to = job->drawn * (part + 1) / n;

  for (size_t i = job->drawn * part / n; i < to; i++) {
    AkSplatBox box = job->boxes[job->keys[i].index];

    job->sorted[i] = box;
    job->top[i] = box.y0;
    job->bottom[i] = box.y1;
  }
  if (part == 0) {
    memset (job->top + job->drawn, 0, 16 * sizeof *job->top);
    memset (job->bottom + job->drawn, 0, 16 * sizeof *job->bottom);
  }
}

static void
order_run (AkCpu *cpu, const void *args)
{
  ak_cpu_parallel (cpu, order_part, (void *) args);
}

static void
strips_part (void *data, unsigned i, unsigned n)
{
  const Part *p = data;
  unsigned s;

  (void) n;
  while ((s = atomic_fetch_add (&p->job->next, p->job->strips_x)) < p->to)
    for (unsigned k = 0; k < p->job->strips_x; k++)
      p->strip (p->job, s + k, p->job->scratch + i * p->job->scratch_bytes);
}

static void
strips_run (AkCpu *cpu, const void *args)
{
  const Part *p = args;

  atomic_store (&p->job->next, (unsigned) p->from);
  ak_cpu_parallel (cpu, strips_part, (void *) p);
}

/* The job's memory, all of it the plan's. NULL after an error. */
static AkSplatJob *
job_new (AkPlan *plan, const AkSplat *args, size_t scratch_bytes)
{
  AkSplatJob *job = ak_plan_memory (plan, sizeof *job);
  size_t n = args->splats;
  unsigned strip;

  if (!job)
    return NULL;
  job->args = *args;
  job->tiles_x = (args->width + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE;
  job->tiles_y = (args->height + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE;
  strip = ak_splat_strip_tiles (args);
  job->strips_x = (job->tiles_x + strip - 1) / strip;
  job->shapes = ak_plan_memory (plan, n * sizeof *job->shapes);
  job->boxes = ak_plan_memory (plan, n * sizeof *job->boxes);
  job->keys = ak_plan_memory (plan, n * sizeof *job->keys);
  job->spare = ak_plan_memory (plan, n * sizeof *job->spare);
  job->counts = ak_plan_memory (plan, PASSES * sizeof *job->counts);
  job->sorted = ak_plan_memory (plan, n * sizeof *job->sorted);
  job->top = ak_plan_memory (plan, (n + 16) * sizeof *job->top);
  job->bottom = ak_plan_memory (plan, (n + 16) * sizeof *job->bottom);
  job->scratch_bytes = scratch_bytes;
  job->scratch = ak_plan_memory (plan, plan->dev->threads * scratch_bytes);
  return plan->status == AK_OK ? job : NULL;
}

static void
append (AkPlan *plan, AkNodeKind kind, AkNodeRun *run, Part part)
{
  ak_cpu_append (plan, kind, run, NULL, &part, sizeof part);
}

static void
splat (AkPlan *plan, const AkSplat *args)
{
  unsigned threads = plan->dev->threads;
  size_t scratch = (args->splats + 16) / 16 * 64, splats = threads * PROJECT_NODE, strips,
         step = threads * STRIPS_NODE;
  AkSplatProject *project = ak_splat_project_plain;
  AkSplatStrip *strip = ak_splat_strip_plain;
  AkSplatJob *job;

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev)) {
    project = ak_splat_project_avx2;
    strip = ak_splat_strip_avx2;
    scratch = ak_splat_scratch_avx2 (args);
  }
#endif
  job = job_new (plan, args, scratch);
  if (!job)
    return;
  for (size_t i = 0; i < args->splats; i += splats)
    append (plan, AK_NODE_POOLED, project_run,
        (Part){ .job = job,
            .project = project,
            .from = i,
            .to = args->splats - i < splats ? args->splats : i + splats });
  append (plan, AK_NODE_INLINE, collect_run, (Part){ .job = job });
  for (size_t p = 0; p < PASSES; p++)
    append (plan, AK_NODE_INLINE, sort_run, (Part){ .job = job, .from = p * AK_SPLAT_RADIX });
  append (plan, AK_NODE_POOLED, order_run, (Part){ .job = job });
  strips = (size_t) job->strips_x * job->tiles_y;
  step = (step + job->strips_x - 1) / job->strips_x * job->strips_x;
  for (size_t s = 0; s < strips; s += step)
    append (plan, AK_NODE_POOLED, strips_run,
        (Part){
            .job = job, .strip = strip, .from = s, .to = strips - s < step ? strips : s + step });
}

void
ak_cpu_splat_init (AkOps *ops)
{
  ops->splat = splat;
}
