/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>

static void
window (const void *args, size_t from, size_t to)
{
  const AkLevelRunning *a = args;

  for (size_t b = from; b < to; b++) {
    const float *x = a->x + b * a->n;
    float *y = a->y + b * a->n;
    double mean = 0, var = 0, inv;

    for (size_t i = 0; i < a->n; i++)
      mean += x[i];
    mean /= (double) a->n;
    for (size_t i = 0; i < a->n; i++)
      var += (x[i] - mean) * (x[i] - mean);
    inv = 1 / (sqrt (var / (double) (a->n - 1)) + 1e-6);
    for (size_t i = 0; i < a->n; i++)
      y[i] = (float) ((x[i] - mean) * inv);
  }
}

static void
running (const void *args, size_t from, size_t to)
{
  const AkLevelRunning *a = args;

  for (size_t b = from; b < to; b++) {
    const float *x = a->x + b * a->n;
    float *y = a->y + b * a->n;
    double ms = 0, level = a->level[b], inv;

    for (size_t i = a->first; i < a->first + a->count; i++)
      ms += (double) x[i] * x[i];
    ms /= (double) a->count;
    level += (level == 0 ? 1 : ms > level ? a->up : a->down) * (ms - level);
    a->level[b] = (float) level;
    inv = 1 / (sqrt (level) + 1e-4);
    for (size_t i = 0; i < a->n; i++)
      y[i] = (float) (x[i] * inv);
  }
}

static void
window_record (AkPlan *plan, const AkLevelRunning *args)
{
  ak_cpu_append_rows (plan, window, args, sizeof *args, args->batch, args->n);
}

static void
running_record (AkPlan *plan, const AkLevelRunning *args)
{
  ak_cpu_append_rows (plan, running, args, sizeof *args, args->batch, args->n);
}

void
ak_cpu_level_init (AkOps *ops, AkCpuLevel level)
{
  (void) level;
  ops->level_window = window_record;
  ops->level_running = running_record;
}
