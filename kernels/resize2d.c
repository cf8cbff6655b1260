/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_resize2d (AkPlan *plan, const AkResize2d *args)
{
  AK_PLAN_CHECK (
      plan, args->in_height && args->in_width && ak_rows_ok (args->y, args->channels, 0) &&
                ak_rows_ok (args->x, args->channels, 0) && args->y.data != args->x.data &&
                (args->mode == AK_RESIZE2D_SMOOTH || args->mode == AK_RESIZE2D_CORNERS ||
                    args->mode == AK_RESIZE2D_LINEAR));
  if (args->batch && args->out_height && args->out_width && args->channels)
    plan->dev->ops.resize2d (plan, args);
}
