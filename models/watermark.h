/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mark in the bottom right corner of a picture (model spec, section 11). */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "kernels/plan.h"

G_BEGIN_DECLS

#define AM_WATERMARK_OPACITY 0.8f

typedef struct
{
  size_t rows, cols; /* half as wide as the picture */
  float *resized;    /* [rows][cols][4], 0..1, straight */
  float *terms; /* [2][rows][cols][4]: what a picture's RGBA is multiplied by, and what is added */
} AmWatermark;

/* `rgba` [height][width][4] for a square picture. FALSE with `error`: a size of 0 or above 16384, or a mark that would
 * be higher than the picture. */
gboolean am_watermark_make (AmWatermark *mark, AkDevice *dev, const uint8_t *rgba, unsigned width,
    unsigned height, unsigned side, GError **error);
void am_watermark_clear (AmWatermark *mark);

/* Records y · factor + addend for the corner of `rgba` [side][side][4]. `terms` on the device. */
void am_watermark_record (
    const AmWatermark *mark, AkPlan *plan, float *rgba, unsigned side, const float *terms);

G_END_DECLS
