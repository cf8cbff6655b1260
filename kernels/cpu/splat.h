/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splats on the CPU: each is projected, the drawn ones are sorted by depth once, and strips of tiles walk the
 * sorted list until nothing shines through any more. What splats cover is never written down as a whole. */
#pragma once

#include <stdatomic.h>

#include "cpu.h"

#define AK_SPLAT_STRIP 16 /* tiles next to one another that a thread draws at a time, at most */
#define AK_SPLAT_PART 512 /* entries of a tile's list, refilled as often as it takes */
#define AK_SPLAT_RADIX 11 /* bits of a key sorted at a time */
#define AK_SPLAT_PIXELS (AK_SPLAT_TILE * AK_SPLAT_TILE)

#define AK_SPLAT_FAINT (1.0f / 255) /* the lowest alpha that counts */
#define AK_SPLAT_SOLID 0.99f        /* the highest */
#define AK_SPLAT_DONE 1e-4f         /* the lowest transmittance */

/* A splat on the picture. In the row of pixels y, with dy = u_y - y, alpha can reach 1/255 only where
 * |u_x - x - shear dy| <= sqrt (reach - fall dy²). As powers of 2: alpha = 2^(power[0] dx² + power[1] dx dy +
 * power[2] dy² + power[3]). */
typedef struct
{
  _Alignas(64) double u[2];
  float conic[3], opacity;
  float power[4];
  float shear, reach, fall;
} AkSplatShape;

/* Pixels that a splat can change; x1 and y1 are behind the last. */
typedef struct
{
  _Alignas(8) uint16_t x0;
  uint16_t y0, x1, y1;
} AkSplatBox;

/* t_z's bits, which are ordered as it is since it is positive, and the splat's number. */
typedef struct
{
  uint32_t depth, index;
} AkSplatKey;

/* A recorded drawing. */
typedef struct
{
  AkSplat args;
  unsigned tiles_x, tiles_y, strips_x; /* strips per row of tiles */
  AkSplatShape *shapes;                /* [N]; of those that are drawn */
  AkSplatBox *boxes;                   /* [N]; of those that are drawn */
  AkSplatKey *keys, *spare; /* [N]; keys begins with the drawn ones, in order in the end */
  uint32_t (*counts)[1 << AK_SPLAT_RADIX];
  AkSplatBox *sorted;     /* [N]: boxes in order of depth */
  uint16_t *top, *bottom; /* [N, and 16 more]: their y0 and y1, then empty ones */
  size_t drawn;           /* how many */
  atomic_uint next;       /* strip */
  char *scratch;          /* of the threads */
  size_t scratch_bytes;
} AkSplatJob;

/* Projects the splats from … to-1. */
typedef void AkSplatProject (const AkSplatJob *job, size_t from, size_t to);
AkSplatProject ak_splat_project_plain, ak_splat_project_avx2;

/* Draws one strip; `scratch`: the function's own number of bytes, aligned to 64, 0 at the first call. Strips of a row
 * of tiles are drawn one after the other with the same. */
typedef void AkSplatStrip (const AkSplatJob *job, unsigned strip, char *scratch);
AkSplatStrip ak_splat_strip_plain, ak_splat_strip_avx2;
size_t ak_splat_scratch_avx2 (const AkSplat *args);

/* Tiles of a strip: as many as have room in a cache. */
static inline unsigned
ak_splat_strip_tiles (const AkSplat *args)
{
  return args->half ? AK_SPLAT_STRIP : AK_SPLAT_STRIP / 2;
}

/* The pixels of a strip's tiles. */
typedef struct
{
  unsigned row, tile0, tile1; /* of tiles; columns tile0 … tile1-1 */
} AkSplatPlace;

static inline AkSplatPlace
ak_splat_place (const AkSplatJob *job, unsigned strip)
{
  unsigned tiles = ak_splat_strip_tiles (&job->args);
  unsigned first = strip % job->strips_x * tiles, end = first + tiles;

  return (AkSplatPlace){ strip / job->strips_x, first, end < job->tiles_x ? end : job->tiles_x };
}
