/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inner loops of the coloured look in plain C: the definition. */
#include "draw.h"
#include "../light.h"

#include <math.h>
#include <string.h>

static float
dot3 (const float *a, const float *b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void
unit3 (float *a)
{
  float length = sqrtf (dot3 (a, a));

  for (int k = 0; k < 3; k++)
    a[k] /= length > 1e-20f ? length : 1e-20f;
}

/* sRGB 0 … 255 of linear light, within 0.3 % of the curve. */
static float
encode (float x)
{
  float s1, s2, s3;

  x = x < 0 ? 0 : x > 1 ? 1 : x;
  s1 = sqrtf (x);
  s2 = sqrtf (s1);
  s3 = sqrtf (s2);
  return 255 * (0.662002687f * s1 + 0.684122060f * s2 - 0.323583601f * s3 - 0.0225411470f * x);
}

static void
light_vertex (const AkVertexStage *s, size_t v, AkLook *look)
{
  const float *at = s->vertices + 3 * v;
  size_t material = s->mesh->materials[v];
  float n[3] = { s->normals[3 * v], s->normals[3 * v + 1], s->normals[3 * v + 2] };
  float e[3] = { -at[0], -at[1], 2 * s->scale - at[2] }, h[3], out[3];
  float key, fill, sky, rim, facing, gloss, g16, g64;

  unit3 (n);
  unit3 (e);
  for (int k = 0; k < 3; k++)
    h[k] = e[k] + ak_lamp_key.direction[k];
  unit3 (h);
  key = dot3 (n, ak_lamp_key.direction);
  fill = fmaxf (0.75f * dot3 (n, ak_lamp_fill.direction) + 0.25f, 0);
  sky = 0.5f + 0.5f * n[1];
  facing = 1 - fmaxf (dot3 (n, e), 0);
  rim = fmaxf (dot3 (n, ak_lamp_rim.direction), 0) * facing * facing;
  gloss = fmaxf (dot3 (n, h), 0);
  gloss *= gloss, gloss *= gloss, gloss *= gloss, gloss *= gloss;
  g16 = gloss;
  gloss *= gloss, gloss *= gloss;
  g64 = gloss;
  gloss *= gloss, gloss *= gloss;
  gloss = ak_lobes[0][material] * g16 + ak_lobes[1][material] * g64 + ak_lobes[2][material] * gloss;
  for (int k = 0; k < 3; k++) {
    float wrap = ak_wrap[k][material];
    float diffuse = fmaxf (key + wrap, 0) / (1 + wrap);
    float ambient = ak_light_ground[k] + (ak_light_sky[k] - ak_light_ground[k]) * sky;

    out[k] = diffuse * ak_lamp_key.color[k] + fill * ak_lamp_fill.color[k] + ambient +
             rim * ak_lamp_rim.color[k];
    out[k] =
        out[k] * s->mesh->albedo[(size_t) k * s->mesh->padded + v] + gloss * ak_lamp_key.color[k];
  }
  look->r = encode (out[0]);
  look->g = encode (out[1]);
  look->b = encode (out[2]);
}

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
    light_vertex (s, v, &s->looks[v]);
  }
}

/* Is the point (x, y), in 1/256 pixels, inside? */
static int
inside (const AkFacePlanes *p, int32_t x, int32_t y)
{
  for (int k = 0; k < 3; k++)
    if ((int64_t) p->a[k] * (x - p->x[k]) + (int64_t) p->b[k] * (y - p->y[k]) < p->out[k])
      return 0;
  return 1;
}

static float
depth_at (const AkFacePlanes *p, int32_t x, int32_t y)
{
  float q = p->at[3] + p->gx[3] * (float) (x - p->x[0]) + p->gy[3] * (float) (y - p->y[0]);

  return q < p->low[3] ? p->low[3] : q > p->high[3] ? p->high[3] : q;
}

static uint32_t
color_at (const AkFacePlanes *p, int32_t x, int32_t y)
{
  uint32_t color = p->part;

  for (int k = 0; k < 3; k++) {
    float c = p->at[k] + p->gx[k] * (float) (x - p->x[0]) + p->gy[k] * (float) (y - p->y[0]);

    c = c < p->low[k] ? p->low[k] : c > p->high[k] ? p->high[k] : c;
    color |= (uint32_t) lrintf (c) << (8 * k);
  }
  return color;
}

static int
max_int (int a, int b)
{
  return a > b ? a : b;
}

static int
min_int (int a, int b)
{
  return a < b ? a : b;
}

static void
middles_plain (const AkBand *band, const AkVisible *f)
{
  int x0 = max_int ((f->x0 + 255) >> 8, band->column0),
      x1 = min_int (f->x1 >> 8, band->column0 + 4 * band->columns - 1);
  int y0 = max_int ((f->y0 + 255) >> 8, band->row0),
      y1 = min_int (f->y1 >> 8, band->row0 + band->rows - 1);
  AkFacePlanes p;

  if (x0 > x1 || y0 > y1)
    return;
  ak_face_planes (&p, band, f->face);
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

/* The part that a pixel shows, 0 for background and beyond the last column. */
static uint32_t
part_at (const AkBand *band, int column, int row)
{
  if (column >= 4 * band->columns)
    return 0;
  return band->blocks[row / 2 * band->columns + column / 4].color[row % 2 * 4 + column % 4] >> 24;
}

static void
borders_plain (const AkBand *band, int by, uint16_t *pairs)
{
  for (int bx = 0; bx < band->columns; bx++) {
    pairs[bx] = 0;
    for (int lane = 0; lane < 8; lane++) {
      int column = 4 * bx + lane % 4, row = 2 * by + lane / 4;
      uint32_t here = part_at (band, column, row), right = part_at (band, column + 1, row),
               below = part_at (band, column, row + 1);

      pairs[bx] |= (uint16_t) ((here && right && here != right) << lane);
      pairs[bx] |= (uint16_t) ((here && below && here != below) << (8 + lane));
    }
  }
}

static void
resolve_plain (const AkBand *band, uint32_t background, uint8_t *rgba, size_t stride)
{
  for (int y = band->out0; y < band->out1; y++)
    for (int column = 0; column < 4 * band->columns; column++) {
      int row = y - band->row0;
      size_t block = (size_t) (row / 2 * band->columns + column / 4);
      uint32_t color = band->blocks[block].color[row % 2 * 4 + column % 4];

      color = color >> 24 ? color | 0xff000000 : background;
      memcpy (rgba + (size_t) (y - band->out0) * stride + 4 * (size_t) column, &color, 4);
    }
}

const AkDrawFns ak_draw_plain = { light_plain, middles_plain, borders_plain, resolve_plain };
