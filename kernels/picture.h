/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Video pictures, and writing RGBA pixels into them. */
#pragma once

#include <stdint.h>

#include "device.h"
#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AK_PICTURE_MAX 16384 /* largest width and height */

typedef enum {
  AK_PIXELS_RGBA, /* bytes in memory order */
  AK_PIXELS_BGRA,
  AK_PIXELS_ARGB,
  AK_PIXELS_ABGR,
  AK_PIXELS_RGB,
  AK_PIXELS_BGR,
  AK_PIXELS_I420, /* 4:2:0, limited range; chroma is the mean of 2x2 pixels (of those there are at odd edges) */
  AK_PIXELS_NV12,
  AK_N_PIXELS
} AkPixels;

/* A mapped picture. */
typedef struct
{
  AkPixels pixels;
  int on_device; /* the planes are memory of the plan's device, else of the host */
  int pinned;    /* the planes are memory of ak_pin(); strides are positive then */
  int alpha;     /* write straight alpha where the format has it, else 255 */
  int bt709;     /* matrix of I420 and NV12: BT.709, else BT.601 */
  unsigned width, height;
  uint8_t *plane[3];
  ptrdiff_t stride[3]; /* bytes; may be negative */
} AkPicture;

/* Planes of `pixels`: 1, 2 or 3. */
unsigned ak_picture_planes (AkPixels pixels);

/* Records: writes rgba [height][width][4] (device memory; straight alpha, which is copied or dropped,
 * not blended) to `picture`. The struct is read at each run: planes, strides, `alpha` and `bt709` may
 * change between runs, `pixels`, `on_device`, `pinned`, `width` and `height` may not. It must outlive the plan.
 * Y = (16 + 219 y), C = (128 + 224 c) of the matrix' luma and colour differences, in 16-bit fixed point
 * with round to nearest: every implementation gives the same bytes. */
void ak_picture_write (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba);

#ifdef __cplusplus
}
#endif
