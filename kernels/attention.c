/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_attention (AkPlan *plan, const AkAttention *args)
{
  size_t cols = args->heads * args->dim;
  size_t keys = args->keys[0].count + args->keys[1].count;

  AK_PLAN_CHECK (plan, cols && keys && ak_rows_ok (args->q, cols, 0) &&
                           ak_rows_ok (args->y, cols, 0) && (!args->window || keys >= args->rows));
  for (int s = 0; s < 2; s++)
    AK_PLAN_CHECK (plan, !args->keys[s].count || (ak_rows_ok (args->keys[s].k, cols, 0) &&
                                                     ak_rows_ok (args->keys[s].v, cols, 0)));
  if (args->batch && args->rows)
    plan->dev->ops.attention (plan, args);
}
