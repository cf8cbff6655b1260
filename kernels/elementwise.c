/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_activate (AkPlan *plan, const AkActivate *args)
{
  AK_PLAN_CHECK (plan, ak_rows_ok (args->y, args->cols, 0) && ak_rows_ok (args->x, args->cols, 0));
  if (args->batch && args->rows && args->cols)
    plan->dev->ops.activate (plan, args);
}

void
ak_blend (AkPlan *plan, const AkBlend *args)
{
  AK_PLAN_CHECK (plan, ak_rows_ok (args->y, args->cols, 0) && ak_rows_ok (args->a, args->cols, 0) &&
                           ak_rows_ok (args->b, args->cols, 1));
  if (args->batch && args->rows && args->cols)
    plan->dev->ops.blend (plan, args);
}

void
ak_copy (AkPlan *plan, AkRows y, AkRows a, size_t batch, size_t rows, size_t cols)
{
  ak_blend (
      plan, &(AkBlend){ .y = y, .a = a, .alpha = 1, .batch = batch, .rows = rows, .cols = cols });
}

void
ak_affine (AkPlan *plan, const AkAffine *args)
{
  AK_PLAN_CHECK (plan, ak_rows_ok (args->y, args->cols, 0) && ak_rows_ok (args->x, args->cols, 0));
  if (args->batch && args->rows && args->cols)
    plan->dev->ops.affine (plan, args);
}

void
ak_mean (AkPlan *plan, const AkMean *args)
{
  AK_PLAN_CHECK (plan, args->rows && args->y.data && ak_rows_ok (args->x, args->cols, 0));
  if (args->batch && args->cols)
    plan->dev->ops.mean (plan, args);
}

void
ak_finite (AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows, size_t cols)
{
  AK_PLAN_CHECK (plan, ak_rows_ok (y, cols, 0) && ak_rows_ok (x, cols, 0));
  if (batch && rows && cols)
    plan->dev->ops.finite (
        plan, &(AkBlend){ .y = y, .a = x, .batch = batch, .rows = rows, .cols = cols });
}
