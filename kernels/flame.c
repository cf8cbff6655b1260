/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doors of flame.h. */
#include "flame.h"
#include "device_priv.h"
#include "flame_priv.h"

#include <math.h>

static int
desc_is_good (const AkFlameDesc *d)
{
  const size_t max = (size_t) 1 << 24;

  if (!d || !d->v_template || !d->regressor || !d->parents || !d->weights || !isfinite (d->scale))
    return 0;
  if (d->vertices < 1 || d->vertices > max || d->joints < 1 || d->joints > AK_FLAME_MAX_JOINTS)
    return 0;
  if (d->shapes > max || d->expressions > max || (d->shapes + d->expressions && !d->shapedirs))
    return 0;
  if ((d->joints > 1 && !d->posedirs) || d->n_shape > d->shapes || (d->n_shape && !d->shape))
    return 0;
  for (size_t j = 1; j < d->joints; j++)
    if (d->parents[j] < 0 || (size_t) d->parents[j] >= j)
      return 0;
  return 1;
}

AkFlame *
ak_flame_new (AkDevice *dev, const AkFlameDesc *desc, AkStatus *status)
{
  AkStatus ignored;
  AkFlame *flame;

  if (!status)
    status = &ignored;
  *status = AK_OK;
  if (!dev || !desc_is_good (desc)) {
    *status = AK_ERR_ARG;
    return NULL;
  }
  flame = dev->ops.flame_new (dev, desc, status);
  if (flame)
    ak_device_ref (dev);
  return flame;
}

void
ak_flame_free (AkFlame *flame)
{
  AkDevice *dev;

  if (!flame)
    return;
  dev = flame->dev;
  dev->ops.flame_free (flame);
  ak_device_unref (dev);
}

size_t
ak_flame_vertices (const AkFlame *flame)
{
  return flame->vertices;
}

void
ak_flame_pose (
    AkPlan *plan, const AkFlame *flame, float *vertices, const float *expression, const float *pose)
{
  AK_PLAN_CHECK (plan,
      flame && flame->dev == plan->dev && vertices && pose && (expression || !flame->expressions));
  plan->dev->ops.flame_pose (plan, flame, vertices, expression, pose);
}
