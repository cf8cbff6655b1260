/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_level_window (AkPlan *plan, float *y, const float *x, size_t batch, size_t n)
{
  AkLevelRunning args = { .y = y, .x = x, .batch = batch, .n = n };

  AK_PLAN_CHECK (plan, y && x && n >= 2);
  if (batch)
    plan->dev->ops.level_window (plan, &args);
}

void
ak_level_running (AkPlan *plan, const AkLevelRunning *args)
{
  AK_PLAN_CHECK (plan, args->y && args->x && args->level && args->count && args->first <= args->n &&
                           args->count <= args->n - args->first);
  if (args->batch)
    plan->dev->ops.level_running (plan, args);
}
