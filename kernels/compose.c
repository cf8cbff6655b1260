/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_compose (AkPlan *plan, const AkCompose *args)
{
  int adds = args->mode == AK_COMPOSE_ADD;

  AK_PLAN_CHECK (plan, (adds || args->mode == AK_COMPOSE_REPLACE) && ak_rows_ok (args->y, 4, 0) &&
                           ak_rows_ok (args->refined, 3, adds) &&
                           ak_rows_ok (args->splats, 3, !adds) && args->transmittance &&
                           (args->background || !adds));
  if (args->pixels)
    plan->dev->ops.compose (plan, args);
}

void
ak_bytes (AkPlan *plan, const AkBytes *args)
{
  AK_PLAN_CHECK (plan, args->rgba && args->x && args->side <= args->width &&
                           args->side <= args->height && args->round >= 0 && args->round < 1);
  if (args->side)
    plan->dev->ops.bytes (plan, args);
}
