/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

static int
is_good (const AkMembers *a)
{
  return a->table && ak_rows_ok (a->view, a->cols, 0) && (a->view.row || a->rows <= 1);
}

void
ak_members_gather (AkPlan *plan, const AkMembers *args)
{
  AK_PLAN_CHECK (plan, is_good (args));
  if (args->batch && args->rows && args->cols)
    plan->dev->ops.members_gather (plan, args);
}

void
ak_members_scatter (AkPlan *plan, const AkMembers *args)
{
  AK_PLAN_CHECK (plan, is_good (args));
  if (args->batch && args->rows && args->cols)
    plan->dev->ops.members_scatter (plan, args);
}
