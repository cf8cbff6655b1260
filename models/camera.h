/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The camera of an avatar's frame (model spec, section 11): the tracked one, turned by the head. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define AM_FOCAL 12.0 /* the picture's half side is seen at 1 / AM_FOCAL of the distance */

/* All for row vectors, row-major. */
typedef struct
{
  float transform[12];  /* [3][4]: M | T: x · M + T, x and y to the left and up */
  float view[16];       /* [4][4]: [x,1] · view: x and y to the right and down */
  float projection[16]; /* [4][4]: [x,1] · projection, clip space of the whole way */
} AmCamera;

/* `tracked` [3][4]: only its translation matters. `rotation` [3]: the motion's global rotation, axis-angle in
 * radians; what is not finite counts as 0. */
void am_camera_frame (AmCamera *camera, const float tracked[12], const float rotation[3]);

/* The camera of `transform` [3][4] as it is. */
void am_camera_fixed (AmCamera *camera, const float transform[12]);

G_END_DECLS
