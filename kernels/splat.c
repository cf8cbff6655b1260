/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The door of splat.h. */
#include "splat.h"
#include "device_priv.h"

#include <math.h>

static int
is_good (const AkSplat *s)
{
  int given = s->means && s->scales && s->rotations && s->opacities && s->colors;
  int halved = s->half ? s->width % 2 == 0 && s->height % 2 == 0 && s->channels >= AK_SPLAT_FRONT &&
                             s->half_first < s->channels
                       : s->half_first == 0;

  return s->image && s->view && s->projection && (given || s->splats == 0) &&
         s->splats <= AK_SPLAT_MAX && s->channels >= 1 && s->channels <= AK_SPLAT_CHANNELS_MAX &&
         s->width >= 1 && s->width <= AK_PICTURE_MAX && s->height >= 1 &&
         s->height <= AK_PICTURE_MAX && halved && isfinite (s->tan_fov_x) && s->tan_fov_x > 0 &&
         isfinite (s->tan_fov_y) && s->tan_fov_y > 0 && s->rest >= 0 && s->rest <= 1;
}

void
ak_splat (AkPlan *plan, const AkSplat *args)
{
  AK_PLAN_CHECK (plan, args && is_good (args));
  plan->dev->ops.splat (plan, args);
}
