/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_random_normal (AkPlan *plan, const AkRandom *args)
{
  AK_PLAN_CHECK (plan, args->y && args->state);
  if (args->n)
    plan->dev->ops.random_normal (plan, args);
}
