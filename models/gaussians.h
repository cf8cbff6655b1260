/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The splats of an avatar, and the networks that make them once per person (model spec, section 10). */
#pragma once

#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

#define AM_DIRECTION_CODE 27

/* Splats in host memory. */
typedef struct
{
  size_t n, channels;
  size_t
      followers; /* the first ones lie on the head's vertices, one each: their means come with the frame */
  float *means;     /* [n][3] */
  float *scales;    /* [n][3] */
  float *rotations; /* [n][4]: w, x, y, z */
  float *opacities; /* [n] */
  float *colors;    /* [n][channels] */
} AmSplats;

/* Zeroed. */
AmSplats *am_splats_new (size_t n, size_t channels, size_t followers);
void am_splats_free (AmSplats *splats);

/* For the camera `transform` [3][4] (R | T of row vectors): point number a · side + b of the plane that the local
 * splats start from, `points` [side²][3]; the plane's normal `normal` [3]; and the code of that direction. */
void am_plane_points (const float transform[12], size_t side, float *points, float normal[3]);
void am_direction_code (const float normal[3], float code[AM_DIRECTION_CODE]);

/* One linear generator, for the vertices, and two convolutional ones, for the planes. */
typedef struct _AmGenerators AmGenerators;

/* `head_base`, `gs_generator_{g,l0,l1}.*` of the part, for a map of `features` channels and `global` of `width`. */
AmGenerators *am_generators_load (AmPart *part, size_t features, size_t width);
void am_generators_free (AmGenerators *w);
size_t am_generators_vertices (const AmGenerators *w);
size_t am_generators_channels (const AmGenerators *w);

/* What the networks give, before any activation: device memory of `room`, a row per splat: the colour's channels,
 * opacity, scale (3), rotation (4) and, for the planes, position. */
typedef struct
{
  AkRows vertices, planes[2];
  AkRows inner[2]; /* of the convolutions */
} AmRawSplats;

/* The map: rows of features + AM_DIRECTION_CODE columns, the code in the last ones. `code`: [AM_DIRECTION_CODE]. */
AmRawSplats am_generators_room (const AmGenerators *w, AkPlan *room, size_t side);
#define AM_GENERATORS_STAGES 9
/* Records one of the stages, which run in order; scratch comes from `room`. */
void am_generators_record (const AmGenerators *w, AkPlan *plan, AkPlan *room, unsigned stage,
    const AmRawSplats *raw, AkRows map, AkRows global, AkRows code, size_t side);

/* The splats from the raw numbers, which lie in host memory here and are dense. */
AmSplats *am_generators_finish (const AmGenerators *w, const float *vertices,
    const float *const planes[2], size_t side, const float transform[12]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmSplats, am_splats_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmGenerators, am_generators_free)

G_END_DECLS
