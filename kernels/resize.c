/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_resize (AkPlan *plan, const AkResize *args)
{
  AK_PLAN_CHECK (plan, args->in_rows && ak_rows_ok (args->y, args->cols, 0) &&
                           ak_rows_ok (args->x, args->cols, 0) &&
                           (args->mode == AK_RESIZE_AREA || args->mode == AK_RESIZE_LINEAR));
  if (args->batch && args->out_rows && args->cols)
    plan->dev->ops.resize (plan, args);
}
