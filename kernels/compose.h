/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From splats and a network's picture to the bytes of a video frame. */
#pragma once

#include <stdint.h>

#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  AK_COMPOSE_REPLACE, /* colour = refined: the network draws all of the picture (model spec, section 11) */
  AK_COMPOSE_ADD, /* the network corrects the splats (models/default/avatar/FORMAT.md, "Per frame", step 5) */
} AkComposeMode;

/* For every pixel, with a = 1 - transmittance, limited to 0 … 1:
 *
 *   REPLACE: y = refined, a
 *   ADD, d = 2 refined - 1 (0 where there is none):
 *     straight: y = clamp (splats / a + d), a (colour 0 where a < 1/255)
 *     else:     y = clamp (splats + a d) + (1 - a) background, a
 *
 * clamp: to 0 … 1; NaN counts as 0. */
typedef struct
{
  AkRows y;                   /* [pixels][4] */
  AkRows splats;              /* [pixels][3 or more]; not needed for REPLACE */
  AkRows refined;             /* [pixels][3] */
  const float *transmittance; /* [pixels] */
  const float *background; /* [4]: colour, and whether not straight (1, else 0): read at each run */
  AkComposeMode mode;
  size_t pixels;
} AkCompose;
void ak_compose (AkPlan *plan, const AkCompose *args);

/* Records a square picture in the middle of an RGBA picture of bytes; around it nothing is written. A byte is
 * floor (255 · v + round) of v limited to 0 … 1. */
typedef struct
{
  uint8_t *rgba;          /* [height][width][4], device memory */
  const float *x;         /* [side][side][4] */
  unsigned width, height; /* at least side */
  unsigned side;
  float round; /* 0 or 0.5 */
} AkBytes;
void ak_bytes (AkPlan *plan, const AkBytes *args);

#ifdef __cplusplus
}
#endif
