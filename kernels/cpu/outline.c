/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "outline.h"

#include <math.h>
#include <stdlib.h>

#define INNER 128 /* bit of a share */

typedef struct
{
  const AkBand *band;
  const AkBlends *blends;
  AkInner inner;
  size_t n_touched;
  uint32_t background;
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

/* The smaller one of each byte. */
static inline uint32_t
darker (uint32_t a, uint32_t b)
{
  uint32_t out = 0;

  for (uint32_t byte = 255; byte; byte <<= 8)
    out |= (a & byte) < (b & byte) ? a & byte : b & byte;
  return out;
}

/* Place of a pixel; -1 if it is not wanted. */
static inline int
place (const AkBand *band, int x, int y)
{
  int column = x - band->column0, row = y - band->row0;

  if (column < 4 * band->first || column >= 4 * band->last + 4 || y < band->out0 || y >= band->out1)
    return -1;
  return (row / 2 * band->columns + column / 4) * 8 + row % 2 * 4 + column % 4;
}

size_t
ak_walk_plain (const AkWalk *w, int from, int to, AkHits *hits, AkInner *inner)
{
  size_t n = 0;

  for (int i = from; i < to; i++) {
    float along = (float) (256 * i - w->x) * w->inverse, y = (float) w->y + w->dy * along;
    float q = w->a->q + along * (w->b->q - w->a->q);
    int j = ((int) y + 128) >> 8, px = w->steep ? j : i, py = w->steep ? i : j;
    float d = y * (1.0f / 256) - (float) j;
    int share = (int) (255 * (0.5f - fabsf (d))), at = place (w->band, px, py);
    Pixel here = pixel_at (w->band, px, py);

    if (at < 0 || share <= 0)
      continue;
    if (d * (float) w->inward > 0) { /* the middle is outside */
      if (here.q >= q * (1 + AK_NEARER))
        continue;
      hits->at[n] = at;
      hits->share[n] = share;
      hits->color[n++] = mixed (w->a, w->b, along);
    } else {
      int bx = w->steep ? px - w->inward : px, by = w->steep ? py : py - w->inward;
      Pixel other = pixel_at (w->band, bx, by);

      if (here.color >> 24 != w->part || here.q > q * (1 + AK_SAME_SURFACE) ||
          here.q <= q * (1 - AK_SAME_SURFACE) || other.q >= q * (1 + AK_NEARER))
        continue;
      inner->at[inner->n] = at;
      inner->beyond[inner->n] = place (w->band, bx, by);
      inner->share[inner->n] = share;
      inner->color[inner->n] = shown (other.color, w->background);
      if (other.color >> 24 == w->part && other.q > q * (1 - AK_CREASE))
        inner->color[inner->n] = darker (inner->color[inner->n], mixed (w->a, w->b, along));
      inner->n++;
    }
  }
  return n;
}

/* Follows an outline through the band. */
static void
outline (Edges *e, AkWalkFn *walk, const AkOutline *o)
{
  const AkBand *band = e->band;
  AkPoint a = band->points[o->vertex[0]], b = band->points[o->vertex[1]],
          c = band->points[o->opposite], d;
  AkWalk w = { .band = band, .part = band->mesh->face_part[o->face], .background = e->background };
  int from, to, low, high, back;
  AkHits hits;

  w.steep = abs (b.y - a.y) > abs (b.x - a.x);
  /* exchange the axes of steep ones, so that x is the longer one, and the ends, so that a comes first; without
   * branches, as either is as likely */
  a = (AkPoint){ w.steep ? a.y : a.x, w.steep ? a.x : a.y };
  b = (AkPoint){ w.steep ? b.y : b.x, w.steep ? b.x : b.y };
  c = (AkPoint){ w.steep ? c.y : c.x, w.steep ? c.x : c.y };
  back = a.x > b.x;
  w.a = band->looks + o->vertex[back];
  w.b = band->looks + o->vertex[!back];
  d = (AkPoint){ back ? b.x : a.x, back ? b.y : a.y };
  b = (AkPoint){ back ? a.x : b.x, back ? a.y : b.y };
  a = d;
  low = w.steep ? band->out0 : band->column0 + 4 * band->first;
  high = w.steep ? band->out1 : band->column0 + 4 * band->last + 4;
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
    size_t n = walk (&w, from, to - from < AK_MAX_HITS ? to : from + AK_MAX_HITS, &hits, &e->inner);

    for (size_t i = 0; i < n; i++)
      put (e, (size_t) hits.at[i], hits.share[i], 0, hits.color[i]);
    if (e->inner.n > AK_MAX_INNER)
      e->inner.n = AK_MAX_INNER;
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
  int at = place (band, x, y), next = place (band, x + dx, y + dy);
  float slope_b, before, along, across, t;
  Pixel a, b;

  if (at < 0 || e->blends->shares[at] || (next >= 0 && e->blends->shares[next]))
    return;
  a = pixel_at (band, x, y);
  b = pixel_at (band, x + dx, y + dy);
  slope_b = slope (band, b, x + dx, y + dy, dx, dy);
  before = b.q - slope_b - a.q; /* how much nearer b's surface is at a, and at b: along less */
  if (before >= 0)
    return;
  along = slope (band, a, x, y, dx, dy) - slope_b;
  if (along >= before) /* a does not fall behind b here */
    return;
  across = slope (band, a, x, y, dy, dx) - slope (band, b, x + dx, y + dy, dy, dx);
  if (fabsf (across) > -along) /* the other axis is the one to look along */
    return;
  t = before / along;
  if (t < 0.5f)
    put (e, (size_t) at, (int) (255 * (0.5f - t)), 0, shown (b.color, e->background));
  else if (next >= 0)
    put (e, (size_t) next, (int) (255 * (t - 0.5f)), 0, shown (a.color, e->background));
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

        cross (e, band->column0 + 4 * e->blends->borders[i].column + lane % 4, y + lane / 4, !down,
            down);
      }
  }
}

size_t
ak_meet_plain (
    uint32_t *numbers, const int32_t *y0, const int32_t *y1, size_t n, int32_t top, int32_t bottom)
{
  size_t m = 0;

  for (size_t i = 0; i < n; i++) { /* without branches, which would be guessed wrongly */
    numbers[m] = (uint32_t) i;
    m += (size_t) ((y1[i] >= top) & (y0[i] < bottom));
  }
  return m;
}

size_t
ak_edges_find (const AkBand *band, const AkOutlines *outlines, const AkBlends *blends,
    const AkDrawFns *fns, uint32_t background)
{
  Edges e = { band, blends, blends->inner, 0, background };
  size_t m = fns->meet (blends->outlines, outlines->y0, outlines->y1, outlines->n,
      256 * band->out0 - 128, 256 * band->out1 - 128);

  for (size_t i = 0; i < m; i++)
    outline (&e, fns->walk, outlines->outline + blends->outlines[i]);
  for (size_t i = 0; i < e.inner.n; i++) {
    int32_t beyond = e.inner.beyond[i];

    /* if an outline lies in the pixel beyond, it is that one that counts */
    if (beyond < 0 || !blends->shares[beyond] || (blends->shares[beyond] & INNER))
      put (&e, (size_t) e.inner.at[i], e.inner.share[i], 1, e.inner.color[i]);
  }
  crossings (&e, fns->borders);
  return e.n_touched;
}

/* Blends bytes 0 and 2: (under (255 - s) + color s + 127) / 255, rounded down, each in 16 bits. */
static inline uint32_t
blended_pair (uint32_t under, uint32_t color, uint32_t s)
{
  uint32_t sum = (under & 0xff00ff) * (255 - s) + (color & 0xff00ff) * s + 127 * 0x10001;

  return (sum + 0x10001 + (sum >> 8 & 0xff00ff)) >> 8 & 0xff00ff;
}

/* Gives r, g, b and, with 4 channels, alpha of `color` its share `s` of 255. */
static inline uint32_t
blended (uint32_t under, uint32_t color, uint32_t s, int channels)
{
  uint32_t out = blended_pair (under, color, s) | blended_pair (under >> 8, color >> 8, s) << 8;

  return channels == 4 ? out : out | 0xff000000;
}

void
ak_edges_blend (const AkBand *band, const AkBlends *blends, size_t n_touched, uint32_t background)
{
  for (size_t i = 0; i < n_touched; i++) {
    size_t at = blends->touched[i];
    uint32_t *pixel = &band->blocks[at / 8].color[at % 8];

    *pixel = blended (
        shown (*pixel, background), blends->colors[at], blends->shares[at] & (INNER - 1), 3);
    blends->shares[at] = 0;
  }
}

void
ak_edges_blend_rgba (
    const AkBand *band, const AkBlends *blends, size_t n_touched, uint32_t *rgba, size_t stride)
{
  for (size_t i = 0; i < n_touched; i++) {
    size_t at = blends->touched[i], columns = (size_t) band->columns;
    size_t row = at / 8 / columns * 2 + at % 8 / 4 - (size_t) (band->out0 - band->row0);
    uint32_t *pixel = rgba + row * stride + at / 8 % columns * 4 + at % 4;

    *pixel = blended (*pixel, blends->colors[at], blends->shares[at] & (INNER - 1), 4);
    blends->shares[at] = 0;
  }
}
