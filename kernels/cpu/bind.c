/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splats on a mesh: a few hundred operations for each, spread over the threads. */
#include "cpu.h"
#include "../bound_splat.h"

void
ak_bind_plain (const void *args, size_t from, size_t to)
{
  for (size_t i = from; i < to; i++)
    ak_bound_splat (args, i);
}

#define BLOCK 16384 /* splats of a node: some milliseconds */

static void
bind_record (AkPlan *plan, const AkBind *args)
{
  AkRowsFn *fn = ak_bind_plain;

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev))
    fn = ak_bind_avx2;
#endif
  for (size_t first = 0; first < args->splats; first += BLOCK) {
    size_t n = args->splats - first < BLOCK ? args->splats - first : BLOCK;
    AkBind a = *args;

    a.corners += 3 * first;
    a.place += 3 * first;
    a.axes += 6 * first;
    a.albedo += 3 * first;
    a.gloss += 2 * first;
    if (a.feature)
      a.feature += a.features * first;
    a.means += 3 * first;
    a.scales += 3 * first;
    a.rotations += 4 * first;
    a.colors += ak_bind_channels (&a) * first;
    ak_cpu_append_rows (plan, fn, &a, sizeof a, n, 200 + 30 * a.lobes);
  }
}

void
ak_cpu_bind_init (AkOps *ops)
{
  ops->bind = bind_record;
}
