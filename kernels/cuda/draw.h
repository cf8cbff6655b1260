/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The coloured look on CUDA: the stages of kernels/cpu/draw.c and outline.c for the whole picture at once, with the same
 * numbers. What those do one after the other is decided here by keys: of several surfaces the nearest (then the lowest
 * face), of several outlines the one that would have been the last to stay. */
#pragma once

#include "mesh.h"

#define AK_DRAW_BAND                                                                               \
  64 /* rows; a multiple of 2: across its borders edges do not look at each other */
#define AK_DRAW_MARGIN 2       /* rows above and below the picture that are drawn too */
#define AK_POINT_BAD INT32_MIN /* x of a vertex that cannot be drawn */

/* A vertex: its place in 1/256 pixels (pixel middles at multiples of 256), x right and y down. */
typedef struct alignas (8)
{
  int32_t x, y;
} AkPoint;

/* A vertex: what is interpolated. */
typedef struct alignas (16)
{
  float r, g, b, q; /* sRGB 0 … 255, depth */
} AkLook;

/* A face as planes over the picture: r, g, b, q from the face's first vertex, `gx` and `gy` per 1/256 pixel, and edges
 * a_k x + b_k y + c_k that are >= 0 inside (top and left edges included). */
typedef struct alignas (16)
{
  float at[4], gx[4], gy[4];
  float low[4], high[4];  /* of the vertices */
  int32_t x, y;           /* the first vertex */
  uint32_t part;          /* the face's part, in the place of alpha */
  int32_t unused;         /* what follows is at a multiple of 16 bytes */
  int32_t x0, y0, x1, y1; /* pixels whose middles its box holds */
  int64_t c[3];
  int32_t a[3], b[3];
} AkPlanes;

/* An edge between a face that is seen and one that is not, or none. */
typedef struct alignas (16)
{
  uint32_t edge, vertex[2];
  uint32_t opposite; /* the seen face's vertex away from the edge */
  uint32_t part;     /* the seen face's */
} AkOutline;

/* What a pixel shows. */
typedef struct alignas (8)
{
  float q;
  uint32_t color; /* 0xPPBBGGRR; 0 in the highest byte: background */
} AkPixel;

/* AkDrawStyle and the picture's alpha at a run. */
typedef struct
{
  uint32_t background; /* 0xAABBGGRR */
  int antialias, alpha;
} AkDrawLook;

/* A recorded drawing. Pictures have `stride` columns, a multiple of 4; those with margins begin at row -AK_DRAW_MARGIN. */
typedef struct
{
  AkCudaMesh mesh;
  const float *vertices;
  float scale, zoom;        /* zoom: pixels * 256 for x / z = 1 */
  float middle_x, middle_y; /* 1/256 pixels */
  int width, height, stride;
  const AkDrawLook *look;
  AkPoint *points;
  AkLook *looks;
  uint8_t
      *front; /* [F + 1]: is the face seen from the front; the last, which there is not, is not */
  AkPlanes *planes; /* [F], of those */
  AkFaceLists faces;
  unsigned long long *keys; /* with margins, 0: none; of surfaces q's bits, and below them the
                             * face's number, inverted; then of outlines, see outline.cu */
  AkPixel *pixels;          /* with margins */
  uint8_t *shares;          /* that the pixel was blended with, 0 … 127 of 255; 0: none */
  uint32_t *n_listed;       /* [1 + bands]: outlines, and crossings of each band */
  AkOutline *outlines;      /* [edges] */
  uint8_t *crossings; /* [2]: to the right and below; a share, and AK_CROSS_NEXT if the next pixel
                       * gets it; all 0 between runs */
  uint32_t
      *listed; /* of each band: pixels where something crosses, times 2, plus 1 for those below */
  uint32_t *rgba;
} AkDraw;
#define AK_CROSS_NEXT 128

#ifdef __cplusplus
extern "C" {
#endif

/* Blends d->rgba, which holds the resolved picture, along the outlines that are listed and along crossings. */
void ak_cuda_edges (const AkAt *at, const AkDraw *d);

#ifdef __cplusplus
}
#endif
