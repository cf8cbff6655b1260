/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interpolation along the rows (model spec, section 2): y = [y +] factor · resize (x).
 *
 * AK_RESIZE_AREA: result i averages rows floor (i·L/n) … ceil ((i+1)·L/n) - 1.
 * AK_RESIZE_LINEAR: half-pixel linear between rows, position (i + 0.5) · L / n - 0.5 clamped below at 0.
 * Positions are exact (integers, doubles). With as many rows out as in both are the identity. */
#pragma once

#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  AK_RESIZE_AREA,
  AK_RESIZE_LINEAR,
} AkResizeMode;

typedef struct
{
  AkRows y, x;
  AkResizeMode mode;
  size_t batch, in_rows, out_rows, cols;
  float factor;
  int accumulate;
} AkResize;

void ak_resize (AkPlan *plan, const AkResize *args);

#ifdef __cplusplus
}
#endif
