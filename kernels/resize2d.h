/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resizing of images, channels last, each axis by itself (model spec, section 10). With L pixels in
 * and n out, s = L / n, result i is
 *
 * AK_RESIZE2D_SMOOTH: antialiased: g = max (s, 1), c = (i + 0.5) s, pixels j from max (0, ⌊c - g + 0.5⌋)
 *   up to but not including min (L, ⌊c + g + 0.5⌋), weights max (0, 1 - |j + 0.5 - c| / g) made to add up
 *   to 1.
 * AK_RESIZE2D_CORNERS: linear at i · (L - 1) / (n - 1), so that corners stay where they are.
 * AK_RESIZE2D_LINEAR: linear at (i + 0.5) s - 0.5, edges repeated: twice the size has weights 1/4 and 3/4,
 *   half of it is the mean of 2 x 2.
 *
 * Positions are exact (doubles). With as many pixels out as in all are the identity. Implementations
 * agree within 1e-6 for pixels of unit scale. */
#pragma once

#include "plan.h"
#include "rows.h"
#include "spans.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  AK_RESIZE2D_SMOOTH,
  AK_RESIZE2D_CORNERS,
  AK_RESIZE2D_LINEAR,
} AkResize2dMode;

/* Views as in conv2d.h. */
typedef struct
{
  AkRows y, x;
  AkResize2dMode mode;
  size_t batch, in_height, in_width, out_height, out_width, channels;
  const AkSpan *spans; /* as in conv2d.h */
} AkResize2d;

void ak_resize2d (AkPlan *plan, const AkResize2d *args);

#ifdef __cplusplus
}
#endif
