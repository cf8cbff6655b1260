/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doors of picture.h. */
#include "picture.h"
#include "device_priv.h"
#include "raster_priv.h"

unsigned
ak_picture_planes (AkPixels pixels)
{
  return pixels == AK_PIXELS_I420 ? 3 : pixels == AK_PIXELS_NV12 ? 2 : 1;
}

int
ak_picture_is_good (const AkPicture *picture)
{
  return picture && (unsigned) picture->pixels < AK_N_PIXELS && picture->width >= 1 &&
         picture->height >= 1 && picture->width <= AK_PICTURE_MAX &&
         picture->height <= AK_PICTURE_MAX;
}

void
ak_picture_write (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba)
{
  AK_PLAN_CHECK (plan, ak_picture_is_good (picture) && rgba);
  plan->dev->ops.picture_write (plan, picture, rgba);
}
