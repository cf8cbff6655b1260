/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inner loops of the coloured look in plain C: the definition. */
#include "draw.h"
#include "../light.h"

#include <math.h>
#include <string.h>

static void
light_plain (const AkVertexStage *s)
{
  for (size_t v = 0; v < s->mesh->base.vertices; v++) {
    const float *at = s->vertices + 3 * v;
    float z = 2 * s->scale - at[2], x, y;

    s->points[v].x = AK_POINT_BAD;
    if (!(z >= 1e-8f))
      continue;
    x = s->middle_x + s->zoom * (at[0] / z);
    y = s->middle_y - s->zoom * (at[1] / z);
    if (!(fabsf (x) < 1 << 28 && fabsf (y) < 1 << 28))
      continue;
    s->points[v] = (AkPoint){ (int32_t) lrintf (x), (int32_t) lrintf (y) };
    s->looks[v].q = 1 / z;
    ak_light_vertex (&s->looks[v].r, at, s->normals + 3 * v, s->mesh->materials[v],
        s->mesh->albedo + v, s->mesh->padded, s->scale, &s->mouth);
  }
}

static int
min_int (int a, int b)
{
  return a < b ? a : b;
}

static int
max_int (int a, int b)
{
  return a > b ? a : b;
}

/* x0, y0, x1, y1 in 1/256 pixels. */
static void
box_of (int32_t box[4], AkPoint a, AkPoint b, AkPoint c)
{
  box[0] = min_int (a.x, min_int (b.x, c.x));
  box[1] = min_int (a.y, min_int (b.y, c.y));
  box[2] = max_int (a.x, max_int (b.x, c.x));
  box[3] = max_int (a.y, max_int (b.y, c.y));
}

static void
cull_plain (const AkCpuMesh *mesh, const AkPoint *points, unsigned width, unsigned height,
    uint8_t *front, AkFaceList *list)
{
  const int margin = 256 * AK_DRAW_MARGIN;

  memset (front, 0, mesh->base.faces + 4);
  list->n = 0;
  list->x0 = list->y0 = INT32_MAX;
  list->x1 = list->y1 = INT32_MIN;
  for (size_t f = 0; f < mesh->base.faces; f++) {
    const uint32_t *i = mesh->indices + 3 * f;
    AkPoint a = points[i[0]], b = points[i[1]], c = points[i[2]];
    int32_t box[4], top, bottom;

    if (a.x == AK_POINT_BAD || b.x == AK_POINT_BAD || c.x == AK_POINT_BAD ||
        !ak_face_is_turned (a, b, c))
      continue;
    front[f] = 255;
    box_of (box, a, b, c);
    if (box[2] < -128 || box[3] < -margin || box[0] >= 256 * (int) width ||
        box[1] >= 256 * (int) height + margin)
      continue;
    list->x0 = min_int (list->x0, box[0]);
    list->y0 = min_int (list->y0, box[1]);
    list->x1 = max_int (list->x1, box[2]);
    list->y1 = max_int (list->y1, box[3]);
    top = (box[1] + 255) >> 8;
    bottom = box[3] >> 8;
    if ((box[0] + 255) >> 8 > box[2] >> 8 || top > bottom)
      continue;
    list->face[list->n] = (uint32_t) f;
    if (box[2] - box[0] > AK_DRAW_LARGE || box[3] - box[1] > AK_DRAW_LARGE)
      list->face[list->n] |= AK_FACE_LARGE;
    list->top[list->n] = top;
    list->bottom[list->n++] = bottom;
  }
}

static size_t
edges_plain (const AkCpuMesh *mesh, const uint8_t *front, uint32_t *edges)
{
  size_t n = 0;

  for (size_t e = 0; e < mesh->n_edges; e++)
    if (front[mesh->edge_faces[2 * e]] != front[mesh->edge_faces[2 * e + 1]])
      edges[n++] = (uint32_t) e;
  return n;
}

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
} Planes;

static void
planes_of (Planes *p, const AkBand *band, uint32_t face)
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

/* Is the point (x, y), in 1/256 pixels, inside? */
static int
inside (const Planes *p, int32_t x, int32_t y)
{
  for (int k = 0; k < 3; k++)
    if ((int64_t) p->a[k] * (x - p->x[k]) + (int64_t) p->b[k] * (y - p->y[k]) < p->out[k])
      return 0;
  return 1;
}

static float
depth_at (const Planes *p, int32_t x, int32_t y)
{
  float q = p->at[3] + p->gx[3] * (float) (x - p->x[0]) + p->gy[3] * (float) (y - p->y[0]);

  return q < p->low[3] ? p->low[3] : q > p->high[3] ? p->high[3] : q;
}

static uint32_t
color_at (const Planes *p, int32_t x, int32_t y)
{
  uint32_t color = p->part;

  for (int k = 0; k < 3; k++) {
    float c = p->at[k] + p->gx[k] * (float) (x - p->x[0]) + p->gy[k] * (float) (y - p->y[0]);

    c = c < p->low[k] ? p->low[k] : c > p->high[k] ? p->high[k] : c;
    color |= (uint32_t) lrintf (c) << (8 * k);
  }
  return color;
}

void
ak_face_plain (AkBand *band, uint32_t face)
{
  const uint32_t *i = band->mesh->indices + 3 * (size_t) face;
  int32_t box[4];
  int x0, x1, y0, y1;
  Planes p;

  box_of (box, band->points[i[0]], band->points[i[1]], band->points[i[2]]);
  x0 = max_int ((box[0] + 255) >> 8, band->column0);
  x1 = min_int (box[2] >> 8, band->column0 + 4 * band->columns - 1);
  y0 = max_int ((box[1] + 255) >> 8, band->row0);
  y1 = min_int (box[3] >> 8, band->row0 + band->rows - 1);
  if (x0 > x1 || y0 > y1)
    return;
  band->first = min_int (band->first, (x0 - band->column0) / 4);
  band->last = max_int (band->last, (x1 - band->column0) / 4);
  planes_of (&p, band, face);
  for (int y = y0; y <= y1; y++)
    for (int x = x0; x <= x1; x++) {
      int column = x - band->column0, row = y - band->row0, lane = row % 2 * 4 + column % 4;
      AkBlock *block = band->blocks + row / 2 * band->columns + column / 4;
      float q;

      if (!inside (&p, 256 * x, 256 * y))
        continue;
      q = depth_at (&p, 256 * x, 256 * y);
      if (q > block->q[lane]) {
        block->q[lane] = q;
        block->color[lane] = color_at (&p, 256 * x, 256 * y);
      }
    }
}

static void
faces_plain (AkBand *band, const AkFaceList *list)
{
  for (size_t i = 0; i < list->n; i++)
    if (list->bottom[i] >= band->row0 && list->top[i] < band->row0 + band->rows)
      ak_face_plain (band, list->face[i] & ~AK_FACE_LARGE);
}

/* The part that a pixel shows, 0 for background and beyond the last column. */
static uint32_t
part_at (const AkBand *band, int column, int row)
{
  if (column >= 4 * band->columns)
    return 0;
  return band->blocks[row / 2 * band->columns + column / 4].color[row % 2 * 4 + column % 4] >> 24;
}

static size_t
borders_plain (const AkBand *band, int by, AkBorder *borders)
{
  size_t n = 0;

  for (int bx = band->first; bx <= band->last; bx++) {
    unsigned pairs = 0;

    for (int lane = 0; lane < 8; lane++) {
      int column = 4 * bx + lane % 4, row = 2 * by + lane / 4;
      uint32_t here = part_at (band, column, row), right = part_at (band, column + 1, row),
               below = part_at (band, column, row + 1);

      pairs |= (unsigned) (here && right && here != right) << lane;
      pairs |= (unsigned) (here && below && here != below) << (8 + lane);
    }
    if (pairs)
      borders[n++] = (AkBorder){ (uint16_t) bx, (uint16_t) pairs };
  }
  return n;
}

static void
resolve_plain (const AkBand *band, uint32_t background, uint8_t *rgba, size_t stride)
{
  for (int y = band->out0; y < band->out1; y++)
    for (int column = 0; column < 4 * band->columns; column++) {
      int row = y - band->row0, lane = row % 2 * 4 + column % 4;
      AkBlock *block = band->blocks + (size_t) (row / 2 * band->columns + column / 4);
      uint32_t color = block->color[lane];

      color = color >> 24 ? color | 0xff000000 : background;
      memcpy (rgba + (size_t) (y - band->out0) * stride + 4 * (size_t) column, &color, 4);
      block->color[lane] = 0;
      block->q[lane] = 0;
    }
}

const AkDrawFns ak_draw_plain = { light_plain, cull_plain, edges_plain, faces_plain, ak_meet_plain,
  ak_walk_plain, borders_plain, resolve_plain, NULL };
