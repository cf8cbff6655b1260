/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Smooth edges of the coloured look, as kernels/cpu/outline.h tells, whatever the order of threads. */
#include "draw.cuh"

#define THREADS 128
#define SETTLERS 256
#define READY 0x80000000u
#define OUTLINE_BLOCKS 256
#define OUTLINE_LANES 16 /* threads of an outline: most have eight pixels, few more than thirty */

/* What is done with an outline's pixels: their keys first, then the winners' blending. A key's highest bit says that
 * the pixel's middle is outside. */
typedef enum { OUTER, INNER, BLEND } Stage;
#define OUTER_KEY 0x8000000000000000ull

/* What a pixel shows; background beyond what was drawn. */
static __device__ AkPixel
pixel_at (const AkDraw *d, int x, int y)
{
  AkPixel none = { 0, 0 };

  if (x < 0 || x >= d->stride || y < -AK_DRAW_MARGIN || y >= d->height + AK_DRAW_MARGIN)
    return none;
  return d->pixels[(size_t) (y + AK_DRAW_MARGIN) * d->stride + x];
}

static __device__ int
is_wanted (const AkDraw *d, int x, int y)
{
  return x >= 0 && x < d->width && y >= 0 && y < d->height;
}

/* Are both rows in the same band? */
static __device__ int
same_band (const AkDraw *d, int y, int other)
{
  return other >= 0 && other < d->height && y / AK_DRAW_BAND == other / AK_DRAW_BAND;
}

/* Lighting may give slightly less than 0. */
static __device__ uint32_t
byte_of (float c)
{
  return c < 0 ? 0 : c > 255 ? 255 : (uint32_t) (c + 0.5f);
}

static __device__ uint32_t
mixed (const AkLook *a, const AkLook *b, float t)
{
  return byte_of (a->r + t * (b->r - a->r)) | byte_of (a->g + t * (b->g - a->g)) << 8 |
         byte_of (a->b + t * (b->b - a->b)) << 16 | 0xff000000;
}

/* The smaller one of each byte. */
static __device__ uint32_t
darker (uint32_t a, uint32_t b)
{
  uint32_t out = 0;

  for (uint32_t byte = 255; byte; byte <<= 8)
    out |= min (a & byte, b & byte);
  return out;
}

/* Gives a pixel a share of a color. */
static __device__ void
blend (const AkDraw *d, size_t at, uint32_t share, uint32_t color)
{
  const uint32_t pixel = d->rgba[at];
  uint32_t out = d->look->alpha ? 0 : pixel & 0xff000000;

  for (int k = 0; k < (d->look->alpha ? 32 : 24); k += 8)
    out |= ((pixel >> k & 255) * (255 - share) + (color >> k & 255) * share + 127) / 255 << k;
  d->rgba[at] = out;
  d->shares[at] = (uint8_t) share;
}

static __device__ unsigned long long *
key_at (const AkDraw *d, int x, int y)
{
  return d->keys + (size_t) (y + AK_DRAW_MARGIN) * d->stride + x;
}

/* The outline's share of a pixel whose middle is outside: of several the largest counts, then the first edge's. */
static __device__ void
put_outer (const AkDraw *d, Stage stage, uint32_t edge, int x, int y, float share, const AkLook *a,
    const AkLook *b, float along)
{
  const unsigned s = (unsigned) (255 * share);
  const unsigned long long key = OUTER_KEY | (unsigned long long) s << 32 | (~edge & 0xffffffffu);

  if (!is_wanted (d, x, y) || !s)
    return;
  if (stage == OUTER)
    atomicMax (key_at (d, x, y), key);
  else if (stage == BLEND && *key_at (d, x, y) == key)
    blend (d, (size_t) y * d->stride + x, s, mixed (a, b, along));
}

/* What lies beyond gets the share of a pixel whose middle is inside: the smallest counts, and only where no outline's
 * own does, there (its key is larger) or beyond. */
static __device__ void
put_inner (const AkDraw *d, Stage stage, uint32_t edge, int x, int y, int beyond_x, int beyond_y,
    float share, uint32_t color)
{
  const unsigned s = (unsigned) (255 * share);
  const unsigned long long key = (unsigned long long) (255 - s) << 32 | (~edge & 0xffffffffu);

  if (stage == OUTER || !is_wanted (d, x, y) || !s)
    return;
  if (stage == BLEND) {
    if (*key_at (d, x, y) == key)
      blend (d, (size_t) y * d->stride + x, s, color);
    return;
  }
  if (!is_wanted (d, beyond_x, beyond_y) || !same_band (d, y, beyond_y) ||
      !(*key_at (d, beyond_x, beyond_y) & OUTER_KEY))
    atomicMax (key_at (d, x, y), key);
}

/* Follows an outline along its longer axis: each of its threads takes every OUTLINE_LANES-th pixel. */
static __device__ void
follow (const AkDraw *d, Stage stage, const AkOutline *o)
{
  AkPoint a = d->points[o->vertex[0]], b = d->points[o->vertex[1]], c = d->points[o->opposite],
          swap;
  const AkLook *la = d->looks + o->vertex[0], *lb = d->looks + o->vertex[1];
  const int steep = abs (b.y - a.y) > abs (b.x - a.x);
  int inward, from, to;
  float dx, dy, inverse;

  if (steep) { /* exchange the axes: from here on x is the longer one */
    swap.x = a.y, swap.y = a.x, a = swap;
    swap.x = b.y, swap.y = b.x, b = swap;
    swap.x = c.y, swap.y = c.x, c = swap;
  }
  if (a.x > b.x) {
    const AkLook *l = la;

    swap = a, a = b, b = swap;
    la = lb, lb = l;
  }
  dx = (float) (b.x - a.x), dy = (float) (b.y - a.y);
  /* where the seen face lies on the shorter axis */
  inward = dx * (float) (c.y - a.y) > dy * (float) (c.x - a.x) ? 1 : -1;
  from = (a.x + 255) >> 8, to = (b.x + 255) >> 8; /* middles in [a, b) */
  from = max (from, 0);
  to = min (to, steep ? d->height : d->width);
  inverse = to > from ? 1 / dx : 0;
  for (int i = from + (int) (threadIdx.x % OUTLINE_LANES); i < to; i += OUTLINE_LANES) {
    const float along = (float) (256 * i - a.x) * inverse, at = (float) a.y + dy * along;
    const float q = la->q + along * (lb->q - la->q);
    const int j = ((int) at + 128) >> 8, x = steep ? j : i, y = steep ? i : j;
    const float offset = at * (1.0f / 256) - (float) j, share = 0.5f - fabsf (offset);
    const AkPixel here = pixel_at (d, x, y);

    if (here.q > q * (1 + AK_SAME_SURFACE))
      continue;
    if (offset * (float) inward > 0) { /* the middle is outside */
      if (here.q < q * (1 + AK_NEARER))
        put_outer (d, stage, o->edge, x, y, share, la, lb, along);
    } else if (here.color >> 24 == o->part && here.q > q * (1 - AK_SAME_SURFACE)) {
      const int bx = steep ? x - inward : x, by = steep ? y : y - inward;
      const AkPixel beyond = pixel_at (d, bx, by);

      if (beyond.q < q * (1 + AK_NEARER)) {
        uint32_t color = ak_shown (d, beyond);

        if (beyond.color >> 24 == o->part && beyond.q > q * (1 - AK_CREASE))
          color = darker (color, mixed (la, lb, along));
        put_inner (d, stage, o->edge, x, y, bx, by, share, color);
      }
    }
  }
}

/* For `blocks` blocks. */
static __device__ void
outlines (const AkDraw *d, Stage stage, unsigned blocks)
{
  const uint32_t n = *d->n_listed, step = blocks * (THREADS / OUTLINE_LANES);

  for (uint32_t k = (blockIdx.x * THREADS + threadIdx.x) / OUTLINE_LANES; k < n; k += step) {
    const AkOutline outline = d->outlines[k];

    follow (d, stage, &outline);
  }
}

static __global__ void
outlines_kernel (AkDraw d, Stage stage)
{
  if (d.look->antialias)
    outlines (&d, stage, gridDim.x);
}

/* The change of depth from the pixel to the next one in the direction (dx, dy), from that neighbour or the
 * opposite one, whichever shows the same part; 0 if none does. */
static __device__ float
slope (const AkDraw *d, AkPixel p, int x, int y, int dx, int dy)
{
  const AkPixel next = pixel_at (d, x + dx, y + dy), last = pixel_at (d, x - dx, y - dy);

  if (last.color >> 24 == p.color >> 24)
    return p.q - last.q;
  return next.color >> 24 == p.color >> 24 ? next.q - p.q : 0;
}

/* Where the surfaces of the pixel (x, y) and of the next one in the direction (dx, dy), which shows another part, cross
 * between their middles: the share that the one of the two gets of the other's colour, and AK_CROSS_NEXT if it is
 * the next. 0 if they do not, or if the edge runs along that direction. */
static __device__ unsigned
cross (const AkDraw *d, int x, int y, int dx, int dy)
{
  const AkPixel a = pixel_at (d, x, y), b = pixel_at (d, x + dx, y + dy);
  const int next = same_band (d, y, y + dy);
  float along, across, t;
  unsigned share = 0;

  if (!(a.color >> 24) || !(b.color >> 24) || a.color >> 24 == b.color >> 24)
    return 0;
  along = slope (d, a, x, y, dx, dy) - slope (d, b, x + dx, y + dy, dx, dy);
  across = slope (d, a, x, y, dy, dx) - slope (d, b, x + dx, y + dy, dy, dx);
  if (along >= 0 || fabsf (across) > -along)
    return 0; /* not a falls behind b here, or the other axis is the one to look along */
  t = (b.q - slope (d, b, x + dx, y + dy, dx, dy) - a.q) / along;
  if (t > 0 && t < 0.5f && x < d->width)
    share = (unsigned) (int) (255 * (0.5f - t));
  else if (t >= 0.5f && t < 1 && next && x + dx < d->width)
    share = (unsigned) (int) (255 * (t - 0.5f));
  return share && t >= 0.5f ? share | AK_CROSS_NEXT : share;
}

/* The outlines' first stage by the first OUTLINE_BLOCKS blocks, crossings by the others. */
static __global__ void
edges_kernel (AkDraw d)
{
  size_t i, column;
  int x, y;

  if (!d.look->antialias)
    return;
  if (blockIdx.x < OUTLINE_BLOCKS) {
    outlines (&d, OUTER, OUTLINE_BLOCKS);
    return;
  }
  i = (size_t) (blockIdx.x - OUTLINE_BLOCKS) * THREADS + threadIdx.x;
  y = (int) ak_split (i, (size_t) d.stride, &column);
  x = (int) column;
  for (int down = 0; down < 2 && y < d.height; down++) {
    const unsigned crossing = cross (&d, x, y, !down, down);
    const int band = y / AK_DRAW_BAND;

    if (crossing) {
      d.crossings[2 * i + down] = (uint8_t) crossing;
      d.listed[2 * (size_t) band * AK_DRAW_BAND * d.stride +
               atomicAdd (d.n_listed + 1 + band, 1u)] = (uint32_t) (2 * i + down);
    }
  }
}

/* Crossings are settled in the order of blocks of 4×2 pixels, in each those to the right first. */
static __device__ uint32_t
rank (const AkDraw *d, int x, int y, int down)
{
  return ((uint32_t) (y / 2 * (d->stride / 4) + x / 4) * 2 + down) * 8 + y % 2 * 4 + x % 4;
}

/* Is there a crossing at (x, y), not settled and earlier than `own`, that would give a share to a pixel of that one, where
 * it is or the `next`, or must find that pixel as it was before that one gives it its share (`given`)? */
static __device__ int
is_earlier (const AkDraw *d, int x, int y, int down, int next, int given, int row, uint32_t own)
{
  unsigned crossing;

  if (x < 0 || x >= d->stride || !same_band (d, row, y) || rank (d, x, y, down) >= own)
    return 0;
  crossing = d->crossings[2 * ((size_t) y * d->stride + x) + down];
  return crossing && (given || (crossing > AK_CROSS_NEXT) == next);
}

/* Can the crossing number c be settled? */
static __device__ int
is_ready (const AkDraw *d, uint32_t c)
{
  const int x = (int) (c / 2 % d->stride), y = (int) (c / 2 / d->stride), down = c & 1;
  const int gives_next = d->crossings[c] > AK_CROSS_NEXT;
  const uint32_t own = rank (d, x, y, down);
  int wait = 0;

  for (int k = 0; k < 2; k++) {
    const int px = x + (k && !down), py = y + (k && down), given = k == gives_next;

    wait |= is_earlier (d, px, py, 0, 0, given, y, own) |
            is_earlier (d, px, py, 1, 0, given, y, own) |
            is_earlier (d, px - 1, py, 0, 1, given, y, own) |
            is_earlier (d, px, py - 1, 1, 1, given, y, own);
  }
  return !wait;
}

/* Gives the pixel its share, if none of the two has one. */
static __device__ void
settle (const AkDraw *d, uint32_t c)
{
  const int x = (int) (c / 2 % d->stride), y = (int) (c / 2 / d->stride), down = c & 1;
  const int next_x = x + !down, next_y = y + down;
  const size_t at = (size_t) y * d->stride + x, next = (size_t) next_y * d->stride + next_x;
  const unsigned crossing = d->crossings[c];

  d->crossings[c] = 0;
  if (d->shares[at] || (same_band (d, y, next_y) && d->shares[next]))
    return;
  if (crossing & AK_CROSS_NEXT)
    blend (d, next, crossing & ~AK_CROSS_NEXT, ak_shown (d, pixel_at (d, x, y)));
  else
    blend (d, at, crossing, ak_shown (d, pixel_at (d, next_x, next_y)));
}

/* A block a band. A crossing waits for the earlier ones beside it, so each round settles some. */
static __global__ void
settle_kernel (AkDraw d)
{
  const uint32_t n = d.n_listed[1 + blockIdx.x];
  uint32_t *list = d.listed + 2 * (size_t) blockIdx.x * AK_DRAW_BAND * d.stride;
  int left = n > 0;

  if (!d.look->antialias)
    return;
  while (left) {
    left = 0;
    for (uint32_t i = threadIdx.x; i < n; i += SETTLERS)
      if (d.crossings[list[i]] && is_ready (&d, list[i]))
        list[i] |= READY;
    __syncthreads ();
    for (uint32_t i = threadIdx.x; i < n; i += SETTLERS)
      if (list[i] & READY) {
        list[i] &= ~READY;
        settle (&d, list[i]);
      } else {
        left |= d.crossings[list[i]] != 0;
      }
    left = __syncthreads_or (left);
  }
}

void
ak_cuda_edges (const AkAt *at, const AkDraw *d)
{
  const unsigned pixels = ak_blocks ((size_t) d->stride * d->height, THREADS);

  AK_LAUNCH (edges_kernel, OUTLINE_BLOCKS + pixels, THREADS, 0, at, *d);
  AK_LAUNCH (outlines_kernel, OUTLINE_BLOCKS, THREADS, 0, at, *d, INNER);
  AK_LAUNCH (outlines_kernel, OUTLINE_BLOCKS, THREADS, 0, at, *d, BLEND);
  AK_LAUNCH (settle_kernel, ak_bands (d->height), SETTLERS, 0, at, *d);
}
