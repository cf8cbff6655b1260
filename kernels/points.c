/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_average_points (AkPlan *plan, const AkAveragePoints *args)
{
  AK_PLAN_CHECK (plan, args->points && args->started && args->keep >= 0 && args->keep <= 1 &&
                           (!args->count || (args->indices && args->average)));
  if (args->count)
    plan->dev->ops.average_points (plan, args);
}
