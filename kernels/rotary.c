/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_rotary (AkPlan *plan, const AkRotary *args)
{
  size_t cols = args->heads * args->dim;

  AK_PLAN_CHECK (plan, cols && args->dim % 2 == 0 && args->base > 0 &&
                           ak_rows_ok (args->y, cols, 0) && ak_rows_ok (args->x, cols, 0));
  if (args->batch && args->rows)
    plan->dev->ops.rotary (plan, args);
}
