/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

#include <math.h>

void
ak_bind (AkPlan *plan, const AkBind *a)
{
  AK_PLAN_CHECK (plan, a->corners && a->place && a->axes && a->albedo && a->gloss && a->sh &&
                           (a->lobe || !a->lobes) && a->lobes <= AK_BIND_LOBES &&
                           (a->feature || !a->mix) && isfinite (a->thickness) && a->vertices &&
                           a->normals && a->means && a->scales && a->rotations && a->colors);
  if (a->splats)
    plan->dev->ops.bind (plan, a);
}
