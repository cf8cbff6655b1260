/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "outline.h"

#include <math.h>
#include <stdlib.h>

/* How far, as a share of q, a surface may come forward between its outline and the middle beside it (a round one
 * of 10 cm that is seen from 2 m: 12 mm in a pixel), and how much nearer must be what hides an outline. */
#define SAME_SURFACE 0.012f
#define NEARER 0.0002f

#define INNER 128 /* bit of a share */

typedef struct
{
  const AkBand *band;
  const AkBlends *blends;
  size_t n_touched, n_inner;
  uint32_t background, part;
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
shown (const Edges *e, Pixel p)
{
  return p.color >> 24 ? p.color | 0xff000000 : e->background;
}

/* Place of a pixel in the blends; -1 if it is not wanted. */
static inline int
place (const Edges *e, int x, int y)
{
  int column = x - e->band->column0;

  if (column < 0 || column >= e->width || y < e->band->out0 || y >= e->band->out1)
    return -1;
  return (y - e->band->out0) * 4 * e->band->columns + column;
}

/* Gives the pixel `share` (0 … ½) of `color`: the larger one, if it had one of the same kind. A pixel whose middle the
 * surface covers (`inner`) gets the smaller one, and keeps what it has of the other kind: of several outlines
 * the outermost counts. */
static inline void
put (Edges *e, int x, int y, float share, int inner, uint32_t color)
{
  int at = place (e, x, y), s = (int) (255 * share);
  uint8_t old;

  if (at < 0 || !s)
    return;
  old = e->blends->shares[at];
  if (inner ? old && (!(old & INNER) || (old & ~INNER) <= s) : old >= s)
    return;
  if (!old)
    e->blends->touched[e->n_touched++] = (uint32_t) at;
  e->blends->shares[at] = (uint8_t) (inner ? s | INNER : s);
  e->blends->colors[at] = color;
}

/* Lighting may give slightly less than 0. */
static inline uint32_t
byte_of (float c)
{
  return c < 0 ? 0 : c > 255 ? 255 : (uint32_t) (c + 0.5f);
}

static inline uint32_t
mixed (const AkLook *a, const AkLook *b, float t)
{
  return byte_of (a->r + t * (b->r - a->r)) | byte_of (a->g + t * (b->g - a->g)) << 8 |
         byte_of (a->b + t * (b->b - a->b)) << 16 | 0xff000000;
}

static void
outline (Edges *e, const AkOutline *o)
{
  const AkBand *band = e->band;
  AkPoint a = band->points[o->vertex[0]], b = band->points[o->vertex[1]],
          c = band->points[o->opposite];
  const AkLook *la = band->looks + o->vertex[0], *lb = band->looks + o->vertex[1];
  int top = 256 * band->out0 - 128, bottom = 256 * band->out1 - 128, steep, inward, from, to, low,
      high;
  float dx, dy, first, inverse;

  if ((a.y < top && b.y < top) || (a.y >= bottom && b.y >= bottom))
    return;
  steep = abs (b.y - a.y) > abs (b.x - a.x);
  if (steep) /* exchange the axes: from here on x is the longer one */
    a = (AkPoint){ a.y, a.x }, b = (AkPoint){ b.y, b.x }, c = (AkPoint){ c.y, c.x };
  if (a.x > b.x) {
    AkPoint p = a;
    const AkLook *l = la;

    a = b, b = p;
    la = lb, lb = l;
  }
  dx = (float) (b.x - a.x), dy = (float) (b.y - a.y);
  /* where the seen face lies on the shorter axis */
  inward = dx * (float) (c.y - a.y) > dy * (float) (c.x - a.x) ? 1 : -1;
  low = steep ? band->out0 : band->column0;
  high = steep ? band->out1 : band->column0 + e->width;
  from = (a.x + 255) >> 8, to = (b.x + 255) >> 8; /* middles in [a, b) */
  from = from < low ? low : from;
  to = to > high ? high : to;
  inverse = to > from ? 1 / dx : 0;
  first = (float) (256 * from - a.x);
  for (int i = from; i < to; i++, first += 256) {
    float along = first * inverse, at = (float) a.y + dy * along;
    float q = la->q + along * (lb->q - la->q);
    int j = ((int) at + 128) >> 8, x = steep ? j : i, y = steep ? i : j;
    float d = at * (1.0f / 256) - (float) j, share = 0.5f - fabsf (d);
    Pixel here = pixel_at (band, x, y);

    if (here.q > q * (1 + SAME_SURFACE))
      continue;
    if (d * (float) inward > 0) { /* the middle is outside */
      if (here.q < q * (1 + NEARER))
        put (e, x, y, share, 0, mixed (la, lb, along));
    } else if (here.color >> 24 == e->part && here.q > q * (1 - SAME_SURFACE)) {
      int bx = steep ? x - inward : x, by = steep ? y : y - inward;
      Pixel beyond = pixel_at (band, bx, by);

      if (beyond.q < q * (1 + NEARER) && e->n_inner < AK_MAX_INNER)
        e->blends->inner[e->n_inner++] = (AkInner){ x, y, bx, by, share, shown (e, beyond) };
    }
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
  Pixel a = pixel_at (band, x, y), b = pixel_at (band, x + dx, y + dy);
  size_t at = (size_t) ((y - band->out0) * 4 * band->columns + x - band->column0);
  size_t next = at + (size_t) (dy * 4 * band->columns + dx);
  float along, across, t;

  if (e->blends->shares[at] || (y + dy < band->out1 && e->blends->shares[next]))
    return;
  along = slope (band, a, x, y, dx, dy) - slope (band, b, x + dx, y + dy, dx, dy);
  across = slope (band, a, x, y, dy, dx) - slope (band, b, x + dx, y + dy, dy, dx);
  if (along >= 0 || fabsf (across) > -along)
    return; /* not a falls behind b here, or the other axis is the one to look along */
  t = (b.q - slope (band, b, x + dx, y + dy, dx, dy) - a.q) / along;
  if (t > 0 && t < 0.5f)
    put (e, x, y, 0.5f - t, 0, shown (e, b));
  else if (t >= 0.5f && t < 1)
    put (e, x + dx, y + dy, t - 0.5f, 0, shown (e, a));
}

static void
crossings (Edges *e, AkBordersFn *borders)
{
  const AkBand *band = e->band;

  for (int y = band->out0; y < band->out1; y += 2) {
    borders (band, (y - band->row0) / 2, e->blends->pairs);
    for (int bx = 0; bx < band->columns; bx++)
      for (unsigned pairs = e->blends->pairs[bx]; pairs; pairs &= pairs - 1) {
        int bit = __builtin_ctz (pairs), lane = bit & 7, down = bit >> 3;

        if (y + lane / 4 < band->out1)
          cross (e, band->column0 + 4 * bx + lane % 4, y + lane / 4, !down, down);
      }
  }
}

void
ak_edges_blend (const AkBand *band, const AkOutline *outlines, size_t n, const AkBlends *blends,
    AkBordersFn *borders, uint32_t background, uint8_t *rgba, size_t stride, int width, int alpha)
{
  Edges e = { band, blends, 0, 0, background, 0, width };

  for (size_t i = 0; i < n; i++) {
    e.part = band->mesh->face_part[outlines[i].face];
    outline (&e, outlines + i);
  }
  for (size_t i = 0; i < e.n_inner; i++) {
    const AkInner *p = blends->inner + i;
    int beyond = place (&e, p->beyond_x, p->beyond_y);

    /* if an outline lies in the pixel beyond, it is that one that counts */
    if (beyond < 0 || !blends->shares[beyond] || (blends->shares[beyond] & INNER))
      put (&e, p->x, p->y, p->share, 1, p->color);
  }
  crossings (&e, borders);
  for (size_t i = 0; i < e.n_touched; i++) {
    size_t at = blends->touched[i], w = (size_t) (4 * band->columns);
    uint8_t *pixel = rgba + at / w * stride + at % w * 4;
    int share = blends->shares[at] & ~INNER;

    for (int k = 0; k < (alpha ? 4 : 3); k++)
      pixel[k] = (uint8_t) ((pixel[k] * (255 - share) +
                                (int) (blends->colors[at] >> (8 * k) & 255) * share + 127) /
                            255);
    blends->shares[at] = 0;
  }
}
