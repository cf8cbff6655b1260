/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splats on CUDA: each is projected, the drawn ones are sorted by depth once, and as many of them as fit are entered
 * into the lists of the tiles that they touch, nearest first; a tile that needs more walks on through the sorted
 * splats. So memory does not depend on how large splats are, and the picture does not depend on the memory. */
#pragma once

#include "cuda.h"

#define AK_SPLAT_FAINT (1.0f / 255) /* the lowest alpha that counts */
#define AK_SPLAT_SOLID 0.99f        /* the highest */
#define AK_SPLAT_DONE 1e-4f         /* the lowest transmittance */
#define AK_SPLAT_UNSEEN 0x7fffffffu /* key of a splat that is not drawn: behind every depth */
#define AK_SPLAT_DEPTH_BITS 31

/* A splat on the picture, and the pixels that it can change: x0, y0, x1, y1. */
typedef struct
{
  double u[2];
  float conic[3], opacity;
  uint16_t bounds[4];
  uint32_t index;                             /* of the splat */
} __attribute__ ((aligned (16))) AkCudaShape; /* so that 16 bytes at a time are copied */

/* What a run finds out; on the device. */
typedef struct
{
  uint32_t drawn;   /* splats */
  uint32_t entered; /* of them, nearest first, are in the tiles' lists */
  uint32_t entries; /* of all lists */
} AkSplatState;

/* Where a tile's list lies. */
typedef struct
{
  uint32_t first, end;
} AkSplatRange;

/* A recorded drawing; all pointers are device memory. Place: of a splat in order of depth. */
typedef struct
{
  AkSplat args;
  unsigned tiles_x, tiles_y;
  uint32_t capacity;        /* entries of lists */
  AkCudaShape *shapes;      /* [N] */
  AkCudaShape *ordered;     /* [N]: by place */
  uint32_t *depth[2];       /* [N]: keys, as projected and sorted */
  uint32_t *index[2];       /* [N]: splats, likewise */
  uint64_t *count, *before; /* [N]: tiles that a place touches, and all places before it */
  uint32_t *tile[2];        /* [capacity]: keys, by place and by tile */
  uint32_t *place[2];       /* [capacity]: likewise */
  AkSplatRange *ranges;     /* [tiles] */
  AkSplatState *state;
  size_t scratch_bytes; /* for sort.h */
} AkCudaSplatJob;

/* Tiles that the pixels `b` of a splat lie in: columns and rows. */
#define AK_SPLAT_TILES(b, k)                                                                       \
  (((b)[2 + (k)] + AK_SPLAT_TILE - 1u) / AK_SPLAT_TILE - (b)[k] / AK_SPLAT_TILE)

#ifdef __cplusplus
extern "C" {
#endif

/* The steps of a run, in this order; without splats only the last. */
void ak_cuda_splat_project (const AkAt *at, const AkCudaSplatJob *job);
void ak_cuda_splat_lists (const AkAt *at, const AkCudaSplatJob *job);
void ak_cuda_splat_draw (const AkAt *at, const AkCudaSplatJob *job);

#ifdef __cplusplus
}
#endif
