/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_layer_norm (AkPlan *plan, const AkLayerNorm *args)
{
  AK_PLAN_CHECK (plan,
      args->cols && ak_rows_ok (args->x, args->cols, 0) && ak_rows_ok (args->y, args->cols, 0) &&
          ak_rows_ok (args->scale, args->cols, 1) && ak_rows_ok (args->shift, args->cols, 1) &&
          !args->scale.data == !args->shift.data && !args->weight == !args->bias &&
          !(args->weight && args->scale.data) && args->eps >= 0);
  if (args->batch && args->rows)
    plan->dev->ops.layer_norm (plan, args);
}

void
ak_unit_norm (AkPlan *plan, const AkUnitNorm *args)
{
  AK_PLAN_CHECK (plan, args->heads && args->dim &&
                           ak_rows_ok (args->x, args->heads * args->dim, 0) &&
                           ak_rows_ok (args->y, args->heads * args->dim, 0));
  if (args->batch && args->rows)
    plan->dev->ops.unit_norm (plan, args);
}

void
ak_rms_norm (AkPlan *plan, const AkRmsNorm *args)
{
  AK_PLAN_CHECK (plan, args->cols && ak_rows_ok (args->x, args->cols, 0) &&
                           ak_rows_ok (args->y, args->cols, 0) && args->eps >= 0);
  if (args->batch && args->rows)
    plan->dev->ops.rms_norm (plan, args);
}
