/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_spans_find (AkPlan *plan, const AkSpansFind *args)
{
  AK_PLAN_CHECK (plan, args->spans && args->transmittance && args->side && args->side % 2 == 0 &&
                           args->n && (args->n & (args->n - 1)) == 0 && args->n <= 64 &&
                           args->side <= AK_PICTURE_MAX);
  plan->dev->ops.spans_find (plan, args);
}

void
ak_spans_grow (AkPlan *plan, const AkSpansGrow *args)
{
  AK_PLAN_CHECK (plan, args->y && args->x && args->y != args->x && args->side &&
                           args->side % (args->half ? 4 : 2) == 0 && args->grow <= AK_PICTURE_MAX &&
                           args->side <= AK_PICTURE_MAX);
  plan->dev->ops.spans_grow (plan, args);
}
