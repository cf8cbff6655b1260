/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

void
ak_linear (AkPlan *plan, const AkLinear *args)
{
  const AkMatrix *m = args->matrix;

  AK_PLAN_CHECK (plan, m && m->dev == plan->dev && m->kernel == 1 && m->groups == 1 &&
                           ak_rows_ok (args->x, m->in, 0) && ak_rows_ok (args->y, m->out, 0) &&
                           (args->x.row || args->rows <= 1) && ak_rows_ok (args->gate, m->out, 1) &&
                           ak_rows_ok (args->residual, m->out, 1) && args->y.data != args->x.data);
  if (args->batch && args->rows)
    plan->dev->ops.linear (plan, args);
}
