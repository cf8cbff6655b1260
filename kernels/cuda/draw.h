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
typedef struct
{
  int32_t x, y;
} AkPoint;

/* A vertex: what is interpolated. */
typedef struct
{
  float r, g, b, q; /* sRGB 0 … 255, depth */
} AkLook;

/* A face as planes over the picture: edges that are >= 0 inside (top and left edges included), and
 * r, g, b, q. All from the face's first vertex, `gx` and `gy` per 1/256 pixel. */
typedef struct
{
  int32_t x[3], y[3]; /* vertices */
  int32_t a[3], b[3]; /* edge k, from vertex k to the next: a_k (x - x_k) + b_k (y - y_k) - out_k */
  int32_t out[3];     /* 1 if points on the edge belong to the neighbour */
  int32_t x0, y0, x1, y1; /* pixels whose middles its box holds */
  float at[4], gx[4], gy[4];
  float low[4], high[4]; /* of the vertices */
  uint32_t part;         /* the face's part, in the place of alpha */
} AkPlanes;

/* What a pixel shows. */
typedef struct
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
  float *normals;
  AkPoint *points;
  AkLook *looks;
  uint8_t
      *front; /* [F + 1]: is the face seen from the front; the last, which there is not, is not */
  AkPlanes *planes; /* [F], of those */
  AkLargeFaces large;
  unsigned long long
      *keys;       /* with margins: q's bits, and below them the face's number, inverted; 0: none */
  AkPixel *pixels; /* with margins */
  unsigned long long *outer, *inner; /* shares and edges of outlines */
  uint32_t *colors;                  /* that pixels are blended with */
  uint8_t *shares;                   /* 0 … 127 of 255; 0: none */
  uint8_t *
      crossings; /* [2]: to the right and below; a share, and AK_CROSS_NEXT if the next pixel gets it */
  uint32_t
      *listed; /* of each band: pixels where something crosses, times 2, plus 1 for those below */
  uint32_t *rgba;
} AkDraw;
#define AK_CROSS_NEXT 128

#ifdef __cplusplus
extern "C" {
#endif

/* Blends d->rgba, which holds the resolved picture, along outlines and crossings. */
void ak_cuda_edges (const AkAt *at, const AkDraw *d);

#ifdef __cplusplus
}
#endif
