/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_nearest (AkPlan *plan, const AkNearest *args)
{
  AK_PLAN_CHECK (plan, args->vectors && args->dim && args->size && args->size <= (size_t) 1 << 24 &&
                           ak_rows_ok (args->x, args->dim, 0) &&
                           ak_rows_ok (args->sum, args->dim, 0) &&
                           (args->x.row || args->rows <= 1) && args->x.data != args->sum.data);
  if (args->batch && args->rows)
    plan->dev->ops.nearest (plan, args);
}
