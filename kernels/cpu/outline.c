/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "outline.h"

#include <math.h>
#include <stdlib.h>

#define INNER 128 /* bit of a share */

typedef struct
{
  const AkBand *band;
  const AkBlends *blends;
  size_t n_touched, n_inner, stride;
  uint32_t background;
  int width;
} Edges;

typedef struct
{
  float q;
  uint32_t color; /* 0 in the highest byte: background */
} Pixel;

/* What a pixel shows; background beyond the blocks. */
static inline Pixel
pixel_at (const AkBand *band, int x, int y)
{
  int column = x - band->column0, row = y - band->row0, lane;
  const AkBlock *block;

  if (column < 0 || row < 0 || column >= 4 * band->columns || row >= band->rows)
    return (Pixel){ 0, 0 };
  block = band->blocks + (size_t) (row / 2 * band->columns + column / 4);
  lane = row % 2 * 4 + column % 4;
  return (Pixel){ block->q[lane], block->color[lane] };
}

static inline uint32_t
shown (uint32_t color, uint32_t background)
{
  return color >> 24 ? color | 0xff000000 : background;
}

/* Gives the pixel at the place `at` the share `s` of `color`: the larger one, if it had one of the same kind. A pixel
 * whose middle the surface covers (`inner`) gets the smaller one, and keeps what it has of the other kind: of
 * several outlines the outermost counts. */
static inline void
put (Edges *e, size_t at, int s, int inner, uint32_t color)
{
  uint8_t old = e->blends->shares[at];

  if (!s || (inner ? old && (!(old & INNER) || (old & ~INNER) <= s) : old >= s))
    return;
  if (!old)
    e->blends->touched[e->n_touched++] = (uint32_t) at;
  e->blends->shares[at] = (uint8_t) (inner ? s | INNER : s);
  e->blends->colors[at] = color;
}

/* Lighting may give slightly more than 255. */
static inline uint32_t
byte_of (float c)
{
  return c > 255 ? 255 : (uint32_t) (c + 0.5f);
}

static inline uint32_t
mixed (const AkLook *a, const AkLook *b, float t)
{
  return byte_of (a->r + t * (b->r - a->r)) | byte_of (a->g + t * (b->g - a->g)) << 8 |
         byte_of (a->b + t * (b->b - a->b)) << 16 | 0xff000000;
}

/* Place of a pixel in the blends; -1 if it is not wanted. */
static inline int
place (const AkWalk *w, int x, int y)
{
  int column = x - w->band->column0;

  if (column < 0 || column >= w->width || y < w->band->out0 || y >= w->band->out1)
    return -1;
  return (y - w->band->out0) * w->stride + column;
}

size_t
ak_walk_plain (const AkWalk *w, int from, int to, AkHits *hits)
{
  size_t n = 0;

  for (int i = from; i < to; i++) {
    float along = (float) (256 * i - w->x) * w->inverse, y = (float) w->y + w->dy * along;
    float q = w->a->q + along * (w->b->q - w->a->q);
    int j = ((int) y + 128) >> 8, px = w->steep ? j : i, py = w->steep ? i : j;
    float d = y * (1.0f / 256) - (float) j;
    int share = (int) (255 * (0.5f - fabsf (d))), at = place (w, px, py), beyond = AK_OUTSIDE;
    Pixel here = pixel_at (w->band, px, py);
    uint32_t color;

    if (at < 0 || share <= 0)
      continue;
    if (d * (float) w->inward > 0) { /* the middle is outside */
      if (here.q >= q * (1 + AK_NEARER))
        continue;
      color = mixed (w->a, w->b, along);
    } else {
      int bx = w->steep ? px - w->inward : px, by = w->steep ? py : py - w->inward;
      Pixel other = pixel_at (w->band, bx, by);

      if (here.color >> 24 != w->part || here.q > q * (1 + AK_SAME_SURFACE) ||
          here.q <= q * (1 - AK_SAME_SURFACE) || other.q >= q * (1 + AK_NEARER))
        continue;
      beyond = place (w, bx, by);
      color = shown (other.color, w->background);
    }
    hits->at[n] = at;
    hits->beyond[n] = beyond;
    hits->share[n] = share;
    hits->color[n++] = color;
  }
  return n;
}

/* Follows an outline through the band. */
static void
outline (Edges *e, AkWalkFn *walk, const AkOutline *o)
{
  const AkBand *band = e->band;
  AkPoint a = band->points[o->vertex[0]], b = band->points[o->vertex[1]],
          c = band->points[o->opposite];
  AkWalk w = { .band = band,
    .a = band->looks + o->vertex[0],
    .b = band->looks + o->vertex[1],
    .part = band->mesh->face_part[o->face],
    .background = e->background,
    .width = e->width,
    .stride = (int) e->stride };
  int from, to, low, high;
  AkHits hits;

  w.steep = abs (b.y - a.y) > abs (b.x - a.x);
  if (w.steep) /* exchange the axes: from here on x is the longer one */
    a = (AkPoint){ a.y, a.x }, b = (AkPoint){ b.y, b.x }, c = (AkPoint){ c.y, c.x };
  if (a.x > b.x) {
    AkPoint p = a;
    const AkLook *l = w.a;

    a = b, b = p;
    w.a = w.b, w.b = l;
  }
  low = w.steep ? band->out0 : band->column0;
  high = w.steep ? band->out1 : band->column0 + e->width;
  from = (a.x + 255) >> 8, to = (b.x + 255) >> 8; /* middles in [a, b) */
  from = from < low ? low : from;
  to = to > high ? high : to;
  if (from >= to)
    return;
  w.x = a.x, w.y = a.y;
  w.dy = (float) (b.y - a.y);
  w.inverse = 1 / (float) (b.x - a.x);
  /* where the seen face lies on the shorter axis */
  w.inward = (float) (b.x - a.x) * (float) (c.y - a.y) > w.dy * (float) (c.x - a.x) ? 1 : -1;
  for (; from < to; from += AK_MAX_HITS) {
    size_t n = walk (&w, from, to - from < AK_MAX_HITS ? to : from + AK_MAX_HITS, &hits);

    for (size_t i = 0; i < n; i++)
      if (hits.beyond[i] == AK_OUTSIDE)
        put (e, (size_t) hits.at[i], hits.share[i], 0, hits.color[i]);
      else if (e->n_inner < AK_MAX_INNER)
        e->blends->inner[e->n_inner++] =
            (AkInner){ hits.at[i], hits.beyond[i], hits.share[i], hits.color[i] };
  }
}

/* The change of depth from the pixel to the next one in the direction (dx, dy), from that neighbour or the
 * opposite one, whichever shows the same part; 0 if none does. */
static float
slope (const AkBand *band, Pixel p, int x, int y, int dx, int dy)
{
  Pixel next = pixel_at (band, x + dx, y + dy), last = pixel_at (band, x - dx, y - dy);

  if (last.color >> 24 == p.color >> 24)
    return p.q - last.q;
  return next.color >> 24 == p.color >> 24 ? next.q - p.q : 0;
}

/* Divides the pixel (x, y) and the next one in the direction (dx, dy), which shows another part, where the two
 * surfaces cross, if the edge runs across that direction and no outline was there. */
static void
cross (Edges *e, int x, int y, int dx, int dy)
{
  const AkBand *band = e->band;
  size_t at = (size_t) (y - band->out0) * e->stride + (size_t) (x - band->column0);
  size_t next = at + (size_t) dy * e->stride + (size_t) dx;
  int next_is_wanted = y + dy < band->out1 && x + dx < band->column0 + e->width;
  float slope_b, along, across, t;
  Pixel a, b;

  if (e->blends->shares[at] || (next_is_wanted && e->blends->shares[next]))
    return;
  a = pixel_at (band, x, y);
  b = pixel_at (band, x + dx, y + dy);
  slope_b = slope (band, b, x + dx, y + dy, dx, dy);
  along = slope (band, a, x, y, dx, dy) - slope_b;
  if (along >= 0) /* a does not fall behind b here */
    return;
  across = slope (band, a, x, y, dy, dx) - slope (band, b, x + dx, y + dy, dy, dx);
  if (fabsf (across) > -along) /* the other axis is the one to look along */
    return;
  t = (b.q - slope_b - a.q) / along;
  if (t > 0 && t < 0.5f)
    put (e, at, (int) (255 * (0.5f - t)), 0, shown (b.color, e->background));
  else if (t >= 0.5f && t < 1 && next_is_wanted)
    put (e, next, (int) (255 * (t - 0.5f)), 0, shown (a.color, e->background));
}

static void
crossings (Edges *e, AkBordersFn *borders)
{
  const AkBand *band = e->band;

  for (int y = band->out0; y < band->out1; y += 2) {
    size_t n = borders (band, (y - band->row0) / 2, e->blends->borders);

    for (size_t i = 0; i < n; i++)
      for (unsigned pairs = e->blends->borders[i].pairs; pairs; pairs &= pairs - 1) {
        int bit = __builtin_ctz (pairs), lane = bit & 7, down = bit >> 3;
        int column = 4 * e->blends->borders[i].column + lane % 4;

        if (y + lane / 4 < band->out1 && column < e->width)
          cross (e, band->column0 + column, y + lane / 4, !down, down);
      }
  }
}

void
ak_edges_blend (const AkBand *band, const AkOutline *outlines, size_t n, const AkBlends *blends,
    const AkDrawFns *fns, uint32_t background, uint32_t *rgba, size_t stride, int width, int alpha)
{
  Edges e = { band, blends, 0, 0, stride, background, width };

  for (size_t i = 0; i < n; i++)
    if (outlines[i].y1 >= 256 * band->out0 - 128 && outlines[i].y0 < 256 * band->out1 - 128)
      outline (&e, fns->walk, outlines + i);
  for (size_t i = 0; i < e.n_inner; i++) {
    const AkInner *p = blends->inner + i;

    /* if an outline lies in the pixel beyond, it is that one that counts */
    if (p->beyond < 0 || !blends->shares[p->beyond] || (blends->shares[p->beyond] & INNER))
      put (&e, (size_t) p->at, p->share, 1, p->color);
  }
  crossings (&e, fns->borders);
  for (size_t i = 0; i < e.n_touched; i++) {
    size_t at = blends->touched[i];
    uint8_t *pixel = (uint8_t *) (rgba + at);
    int share = blends->shares[at] & ~INNER;

    for (int k = 0; k < (alpha ? 4 : 3); k++)
      pixel[k] = (uint8_t) ((pixel[k] * (255 - share) +
                                (int) (blends->colors[at] >> (8 * k) & 255) * share + 127) /
                            255);
    blends->shares[at] = 0;
  }
}
