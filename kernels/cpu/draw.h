/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The coloured look on the CPU: what draw.c hands to its inner loops, which are plain C or AVX2.
 *
 * The picture is drawn in bands of rows. A band's pixels lie in blocks of 4x2 with depth and colour
 * side by side. A colour is 0xPPBBGGRR with the part P of the mesh in place of alpha, 0 for background.
 * Depth is q = 1 / (view depth), larger is nearer. */
#pragma once

#include "../light.h"
#include "mesh.h"

#define AK_DRAW_BAND 64 /* rows of a band, a multiple of 2 */
#define AK_DRAW_MARGIN                                                                             \
  2 /* rows drawn above and below, as neighbours of its edges; a multiple of 2 */
#define AK_DRAW_LARGE (100 * 256) /* faces wider or higher than this need 64-bit edge functions */

/* Lanes are the pixels of a block, row by row. */
typedef struct
{
  float q[8];
  uint32_t color[8];
} AkBlock;

/* A vertex: its place in 1/256 pixels (pixel middles at multiples of 256), x right and y down. */
typedef struct
{
  int32_t x, y;
} AkPoint;
#define AK_POINT_BAD INT32_MIN /* x of a vertex that cannot be drawn */

/* A vertex: what is interpolated. */
typedef struct
{
  float r, g, b, q; /* sRGB 0 … 255, depth */
} AkLook;

/* Faces turned to the camera whose boxes hold the middle of a pixel of the picture or of its margin, by ascending
 * number; AK_FACE_LARGE is set in the number of those larger than AK_DRAW_LARGE. */
typedef struct
{
  uint32_t *face;        /* [F + 8] */
  int32_t *top, *bottom; /* [F + 8]: the first and the last row of middles */
  size_t n;
  int32_t x0, x1, y0,
      y1; /* what faces turned to the camera span, 1/256 pixels; x0 > x1 if there are none */
} AkFaceList;
#define AK_FACE_LARGE (1u << 31)

typedef struct
{
  const AkCpuMesh *mesh;
  const AkPoint *points;
  const AkLook *looks;
  int row0, rows;  /* of the blocks, margins included; even */
  int out0, out1;  /* rows of the picture that are wanted; out0 is even */
  int column0;     /* of the first block; a multiple of 8 */
  int columns;     /* blocks in a row of blocks; even */
  int first, last; /* blocks of a row that something was drawn in */
  AkBlock *blocks; /* and a spare one; all 0 before a band is drawn and once it was written */
  uint32_t *faces; /* [F + 8] scratch of AkFacesFn */
} AkBand;

/* Where vertices are seen and how they are lit. */
typedef struct
{
  const AkCpuMesh *mesh;
  const float *vertices, *normals; /* [V][3] */
  AkMouth mouth;
  float scale, zoom;        /* zoom: pixels * 256 for x / z = 1 */
  float middle_x, middle_y; /* 1/256 pixels */
  AkPoint *points;
  AkLook *looks;
} AkVertexStage;

typedef void AkLightFn (const AkVertexStage *stage);
/* Lists the faces to draw in a picture of width x height. front: [F + 8], 255 for faces turned to the camera, else 0. */
typedef void AkCullFn (const AkCpuMesh *mesh, const AkPoint *points, unsigned width,
    unsigned height, uint8_t *front, AkFaceList *list);
/* Lists the edges between a face that is turned to the camera and one that is not, or none; returns their number.
 * edges: [n_edges + 8]. */
typedef size_t AkEdgesFn (const AkCpuMesh *mesh, const uint8_t *front, uint32_t *edges);
/* Draws the listed faces where they cover the middles of pixels of the band; sets its `first` and `last`. */
typedef void AkFacesFn (AkBand *band, const AkFaceList *list);
/* A block and which of its lanes show another part of the mesh than the pixel to their right (bits 0 … 7) or
 * below (8 … 15); background is no part. */
typedef struct
{
  uint16_t column, pairs;
} AkBorder;

/* Lists the blocks `first` … `last` of the block row `by`, not the band's last, that have such lanes; returns their number. */
typedef size_t AkBordersFn (const AkBand *band, int by, AkBorder *borders);

/* An outline to be followed along its longer axis, here called x, from a to b. */
typedef struct
{
  const AkBand *band;
  const AkLook *a, *b;
  int32_t x, y;        /* a's */
  float dy, inverse;   /* b's y less a's; 1 / (b's x less a's) */
  int steep, inward;   /* x and y are exchanged; 1 or -1: where on the axis y the seen face lies */
  uint32_t part;       /* the seen face's */
  uint32_t background; /* 0xAABBGGRR */
} AkWalk;

/* The place of a pixel in a band: 8 times the number of its block, and its lane. Wanted are the pixels of the rows
 * out0 … out1-1 in the columns of the blocks `first` … `last`.
 *
 * Pixels that an outline cuts, their middles outside of the face: what share, of 255, of which colour they get. */
#define AK_MAX_HITS 64
typedef struct
{
  int32_t at[AK_MAX_HITS + 8], share[AK_MAX_HITS + 8];
  uint32_t color[AK_MAX_HITS + 8];
} AkHits;

/* Pixels that outlines cut, their middles on the near side, with what they get of the one beyond, whose place is -1 if it is
 * not wanted. Each [AK_MAX_INNER + AK_MAX_HITS + 8]. */
#define AK_MAX_INNER 16384 /* in a band; more are left as they are */
typedef struct
{
  int32_t *at, *beyond, *share;
  uint32_t *color;
  size_t n;
} AkInner;

/* Follows an outline where x is from … to-1, at most AK_MAX_HITS steps; returns the number of hits and adds to `inner`. */
typedef size_t AkWalkFn (const AkWalk *walk, int from, int to, AkHits *hits, AkInner *inner);
/* Lists the numbers of those of `n` things that span y0 … y1 which meet top … bottom-1; returns how many. numbers: [n + 8]. */
typedef size_t AkMeetFn (
    uint32_t *numbers, const int32_t *y0, const int32_t *y1, size_t n, int32_t top, int32_t bottom);
/* Writes rows out0 … out1-1 as RGBA and clears their blocks. `background`: 0xAABBGGRR. */
typedef void AkResolveFn (const AkBand *band, uint32_t background, uint8_t *rgba, size_t stride);
/* The same into a picture of planes, as wide as a multiple of 8 and as high as one of 2; whole rows, beyond the blocks too. */
typedef void AkPlanesFn (const AkBand *band, uint32_t background, const AkPicture *picture);

typedef struct
{
  AkLightFn *light;
  AkCullFn *cull;
  AkEdgesFn *edges;
  AkFacesFn *faces;
  AkMeetFn *meet;
  AkWalkFn *walk;
  AkBordersFn *borders;
  AkResolveFn *resolve;
  AkPlanesFn *planes; /* NULL: through RGBA */
} AkDrawFns;

extern const AkDrawFns ak_draw_plain, ak_draw_avx2;
AkCullFn ak_cull_avx2;
AkEdgesFn ak_edges_avx2;
AkFacesFn ak_faces_avx2;
AkMeetFn ak_meet_plain, ak_meet_avx2;
AkWalkFn ak_walk_plain, ak_walk_avx2;
AkPlanesFn ak_planes_avx2;

/* Draws one face. */
void ak_face_plain (AkBand *band, uint32_t face);

/* Is the face turned to the camera? No vertex is bad. */
static inline int
ak_face_is_turned (AkPoint a, AkPoint b, AkPoint c)
{
  return (int64_t) (c.x - a.x) * (b.y - a.y) > (int64_t) (b.x - a.x) * (c.y - a.y);
}
