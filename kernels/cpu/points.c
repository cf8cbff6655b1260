/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A few dozen points: plain C is all there is. */
#include "cpu.h"

#include <math.h>

static void
average_run (AkCpu *cpu, const void *data)
{
  const AkAveragePoints *a = data;
  int started = *a->started != 0;

  (void) cpu;
  for (size_t i = 0; i < a->count; i++)
    for (size_t k = 0; k < 3; k++) {
      float *v = a->points + 3 * (size_t) a->indices[i] + k, *u = a->average + 3 * i + k;

      if (!isfinite (*v))
        *u = started ? *u : 0;
      else
        *u = started ? a->keep * *u + (1 - a->keep) * *v : *v;
      *v = *u;
    }
  *a->started = 1;
}

static void
average_record (AkPlan *plan, const AkAveragePoints *args)
{
  ak_cpu_append (plan, AK_NODE_INLINE, average_run, NULL, args, sizeof *args);
}

void
ak_cpu_points_init (AkOps *ops)
{
  ops->average_points = average_record;
}
