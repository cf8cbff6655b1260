/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What devices call while a plan is recorded. Nothing else is in this file: modules have a copy of it. */
#include "device_priv.h"

#include <stdlib.h>

void *
ak_plan_memory (AkPlan *plan, size_t bytes)
{
  void **grown, *block;

  if (!plan || plan->status != AK_OK)
    return NULL;
  grown = realloc (plan->memory, (plan->n_memory + 1) * sizeof *grown);
  if (grown)
    plan->memory = grown;
  block = grown ? plan->dev->ops.alloc (plan->dev, bytes) : NULL;
  if (!block) {
    ak_plan_fail (plan, AK_ERR_MEMORY);
    return NULL;
  }
  plan->memory[plan->n_memory++] = block;
  return block;
}

void
ak_plan_fail (AkPlan *plan, AkStatus status)
{
  if (plan->status == AK_OK)
    plan->status = status;
}
