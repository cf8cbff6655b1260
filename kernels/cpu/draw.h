/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The coloured look on the CPU: what draw.c hands to its inner loops, which are plain C or AVX2.
 *
 * The picture is drawn in bands of rows. A band's pixels lie in blocks of 4x2 with depth and colour
 * side by side. A colour is 0xPPBBGGRR with the part P of the mesh in place of alpha, 0 for background.
 * Depth is q = 1 / (view depth), larger is nearer. */
#pragma once

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

/* A face to draw and its box in 1/256 pixels. */
typedef struct
{
  uint32_t face;
  int32_t x0, x1, y0, y1;
} AkVisible;

typedef struct
{
  const AkCpuMesh *mesh;
  const AkPoint *points;
  const AkLook *looks;
  int row0, rows; /* of the blocks, margins included; even */
  int out0, out1; /* rows of the picture that are wanted; out0 is even */
  int column0;    /* of the first block; a multiple of 4 */
  int columns;    /* blocks in a row of blocks */
  AkBlock *blocks;
} AkBand;

/* Where vertices are seen and how they are lit. */
typedef struct
{
  const AkCpuMesh *mesh;
  const float *vertices, *normals; /* [V][3] */
  float scale, zoom;               /* zoom: pixels * 256 for x / z = 1 */
  float middle_x, middle_y;        /* 1/256 pixels */
  AkPoint *points;
  AkLook *looks;
} AkVertexStage;

typedef void AkLightFn (const AkVertexStage *stage);
/* Draws a face where it covers the middles of pixels. */
typedef void AkFaceFn (const AkBand *band, const AkVisible *visible);
/* For every block of the block row `by` but the band's last: which lanes show another part of the mesh than the pixel to
 * their right (bits 0 … 7) or below (8 … 15); background is no part. */
typedef void AkBordersFn (const AkBand *band, int by, uint16_t *pairs);
/* Writes rows out0 … out1-1 as RGBA. `background`: 0xAABBGGRR. */
typedef void AkResolveFn (const AkBand *band, uint32_t background, uint8_t *rgba, size_t stride);

typedef struct
{
  AkLightFn *light;
  AkFaceFn *middles;
  AkBordersFn *borders;
  AkResolveFn *resolve;
} AkDrawFns;

extern const AkDrawFns ak_draw_plain, ak_draw_avx2;

/* A face as planes over the picture: edges that are >= 0 inside (top and left edges included), and
 * r, g, b, q. All from the face's first vertex, `dx` and `dy` in 1/256 pixels. */
typedef struct
{
  int32_t x[3], y[3]; /* vertices */
  int32_t a[3], b[3]; /* edge k, from vertex k to the next: a_k (x - x_k) + b_k (y - y_k) - out_k */
  int32_t out[3];     /* 1 if points on the edge belong to the neighbour */
  float at[4], gx[4], gy[4]; /* value at vertex 0, change per 1/256 pixel */
  float low[4], high[4];     /* of the vertices */
  uint32_t part;             /* the face's part, in the place of alpha */
} AkFacePlanes;

static inline void
ak_face_planes (AkFacePlanes *p, const AkBand *band, uint32_t face)
{
  const uint32_t *i = band->mesh->indices + 3 * (size_t) face;
  const float *f0 = &band->looks[i[0]].r, *f1 = &band->looks[i[1]].r, *f2 = &band->looks[i[2]].r;
  float X1, Y1, X2, Y2, inverse;

  for (int k = 0; k < 3; k++) {
    p->x[k] = band->points[i[k]].x;
    p->y[k] = band->points[i[k]].y;
  }
  for (int k = 0; k < 3; k++) {
    int next = k == 2 ? 0 : k + 1;

    p->a[k] = p->y[next] - p->y[k];
    p->b[k] = p->x[k] - p->x[next];
    p->out[k] = !(p->a[k] > 0 || (p->a[k] == 0 && p->b[k] > 0));
  }
  X1 = (float) (p->x[1] - p->x[0]), Y1 = (float) (p->y[1] - p->y[0]);
  X2 = (float) (p->x[2] - p->x[0]), Y2 = (float) (p->y[2] - p->y[0]);
  inverse = (float) (1.0 / ((double) X1 * Y2 - (double) X2 * Y1));
  for (int k = 0; k < 4; k++) {
    float d1 = f1[k] - f0[k], d2 = f2[k] - f0[k];

    p->at[k] = f0[k];
    p->gx[k] = (d1 * Y2 - d2 * Y1) * inverse;
    p->gy[k] = (d2 * X1 - d1 * X2) * inverse;
    p->low[k] = f0[k] < f1[k] ? (f0[k] < f2[k] ? f0[k] : f2[k]) : (f1[k] < f2[k] ? f1[k] : f2[k]);
    p->high[k] = f0[k] > f1[k] ? (f0[k] > f2[k] ? f0[k] : f2[k]) : (f1[k] > f2[k] ? f1[k] : f2[k]);
  }
  p->part = (uint32_t) band->mesh->face_part[face] << 24;
}
