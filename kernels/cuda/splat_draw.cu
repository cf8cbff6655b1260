/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 5 of splat.h: a block of threads draws a tile, or CHANNELS of its channels, a thread a pixel. What decides
 * about a pixel is computed by operations that the compiler may not fuse, so that all variants decide alike. */
#include "splat_priv.h"
#include "vector.cuh"

#define PIXELS (AK_SPLAT_TILE * AK_SPLAT_TILE)
#define BATCH 64 /* splats whose colours lie ready */
#define AHEAD 4  /* splats of which a pixel finds alpha at once */
#define STEP 8   /* splats whose weights do, with `half`; divides BATCH */

/* A splat ready for the tile: from its middle pixel's exponent of 2, a dx² + b dx dy + c dy², with dx = x - pixel. */
typedef struct
{
  float x, y, a, b, c, opacity;
  uint32_t index;
  uint32_t place; /* among the tile's, from 1 */
} Entry;

/* The warps of the tile, each 8×4 pixels, two beside each other, that have pixels of the splat: a bit each. */
static __device__ unsigned
warps_of (const uint16_t *bounds)
{
  const int x0 = bounds[0] - (int) (blockIdx.x * AK_SPLAT_TILE), x1 = x0 + bounds[2] - bounds[0];
  const int y0 = bounds[1] - (int) (blockIdx.y * AK_SPLAT_TILE), y1 = y0 + bounds[3] - bounds[1];
  const unsigned columns = (x0 < 8 && x1 > 0) | (unsigned) (x0 < 16 && x1 > 8) << 1;
  unsigned warps = 0;

#pragma unroll
  for (int r = 0; r < AK_SPLAT_TILE / 4; r++)
    if (y0 < 4 * r + 4 && y1 > 4 * r)
      warps |= columns << 2 * r;
  return warps;
}

static __device__ void
make_entry (Entry *e, uint8_t *warps, const AkCudaShape *s, uint32_t place)
{
  const float log2e = 1.44269504088896341f;

  e->x = (float) (s->u[0] - (double) (blockIdx.x * AK_SPLAT_TILE));
  e->y = (float) (s->u[1] - (double) (blockIdx.y * AK_SPLAT_TILE));
  e->a = -0.5f * log2e * s->conic[0];
  e->b = -log2e * s->conic[1];
  e->c = -0.5f * log2e * s->conic[2];
  e->opacity = s->opacity;
  e->index = s->index;
  e->place = place;
  *warps = (uint8_t) warps_of (s->bounds);
}

/* Of the places from `at` on, one a thread, those that touch the tile, in order into `entries`; returns their number. */
static __device__ uint32_t
walk (const AkCudaSplatJob *job, uint32_t at, uint32_t drawn, uint32_t place, Entry *entries,
    uint8_t *warps)
{
  __shared__ uint32_t sums[PIXELS / 32];
  const uint32_t x = blockIdx.x, y = blockIdx.y, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const AkCudaShape *s = job->ordered + at + threadIdx.x;
  int touches = 0;
  uint32_t before = 0, n = 0;
  unsigned mask;

  if (at + threadIdx.x < drawn)
    touches = s->bounds[0] < (x + 1) * AK_SPLAT_TILE && s->bounds[1] < (y + 1) * AK_SPLAT_TILE &&
              s->bounds[2] > x * AK_SPLAT_TILE && s->bounds[3] > y * AK_SPLAT_TILE;
  mask = __ballot_sync (0xffffffffu, touches);
  if (lane == 0)
    sums[warp] = (uint32_t) __popc (mask);
  __syncthreads ();
  for (uint32_t w = 0; w < PIXELS / 32; w++) {
    before += w < warp ? sums[w] : 0;
    n += sums[w];
  }
  before += (uint32_t) __popc (mask & ((1u << lane) - 1));
  if (touches)
    make_entry (entries + before, warps + before, s, place + before + 1);
  return n;
}

/* A pixel under way. */
typedef struct
{
  float x, y, t; /* transmittance */
  int done;
  int32_t last;
} Pixel;

/* How much of what is behind it the splat covers. */
static __device__ float
alpha_of (const Pixel *p, const Entry *e)
{
  const float dx = __fsub_rn (e->x, p->x), dy = __fsub_rn (e->y, p->y);
  float power = __fmaf_rn (
      __fmaf_rn (e->a, dx, __fmul_rn (e->b, dy)), dx, __fmul_rn (e->c, __fmul_rn (dy, dy)));

  power = fminf (fmaxf (power, -126), 0);
  return fminf (__fmul_rn (exp2f (power), e->opacity), AK_SPLAT_SOLID);
}

/* What the splat adds its colour with. */
static __device__ float
weigh (Pixel *p, const Entry *e, float alpha, float rest)
{
  float w, next;

  if (p->done || !(alpha >= AK_SPLAT_FAINT))
    return 0;
  w = __fmul_rn (alpha, p->t);
  next = __fsub_rn (p->t, w);
  if (rest > 0 && next < rest) { /* it gets all that is left */
    w = p->t;
    next = 0;
    p->done = 1;
  } else if (!(rest > 0) && next < AK_SPLAT_DONE) {
    p->done = 1;
    return 0;
  }
  p->t = next;
  p->last = (int32_t) e->place;
  return w;
}

/* Colours of `n` entries, the channels first … first + CHANNELS - 1, 0 beyond the last. */
template <int CHANNELS, int VEC>
static __device__ void
fetch_colors (
    float *colors, const AkCudaSplatJob *job, const Entry *entries, uint32_t n, uint32_t first)
{
  const uint32_t channels = (uint32_t) job->args.channels;

  for (uint32_t i = threadIdx.x * VEC; i < n * CHANNELS; i += PIXELS * VEC) {
    const uint32_t c = first + i % CHANNELS;
    float v[VEC] = {};

    if (c < channels)
      ak_get<VEC> (v, job->args.colors + (size_t) entries[i / CHANNELS].index * channels + c);
    ak_put<VEC> (colors + i, v);
  }
}

/* Of the up to 32 entries from `warps` on those that the thread's warp has pixels of, a bit each. */
static __device__ unsigned
for_warp (const uint8_t *warps, uint32_t n)
{
  const uint32_t lane = threadIdx.x % AK_WARP;

  return __ballot_sync (AK_ALL, lane < n && warps[lane] >> threadIdx.x / AK_WARP & 1);
}

/* acc += weight · colour for the `mask` of 32 entries, with the whole picture. What they cover is found for several at
 * once, as none waits for another there. */
template <int CHANNELS>
static __device__ void
blend (
    float *acc, Pixel *pixel, const Entry *entries, const float *colors, unsigned mask, float rest)
{
  while (mask && !pixel->done) {
    int at[AHEAD];
    float alpha[AHEAD];

#pragma unroll
    for (int k = 0; k < AHEAD; k++, mask &= mask - 1) {
      at[k] = mask ? __ffs ((int) mask) - 1 : 0;
      alpha[k] = mask ? alpha_of (pixel, entries + at[k]) : 0;
    }
#pragma unroll
    for (int k = 0; k < AHEAD; k++) {
      const float w = weigh (pixel, entries + at[k], alpha[k], rest);
      float color[4];

      if (w > 0)
#pragma unroll
        for (int c = 0; c < CHANNELS; c += 4) {
          ak_get<4> (color, colors + at[k] * CHANNELS + c);
#pragma unroll
          for (int j = 0; j < 4; j++)
            acc[c + j] += w * color[j];
        }
    }
  }
}

/* The same with `half`: front += weight · colour of this pixel's first channels, acc += the weights of the square's
 * four pixels · a quarter of the channels, each of the square's threads another one. Warps go on their own. */
template <int CHANNELS>
static __device__ void
blend_squares (float *acc, float *front, Pixel *pixel, const Entry *entries, const float *colors,
    unsigned mask, float rest, float *weights)
{
  const uint32_t square = threadIdx.x / 4 * 4, quarter = threadIdx.x % 4 * (CHANNELS / 4);

  while (mask) {
    unsigned same = mask;

    for (uint32_t k = 0; k < STEP && mask; k++, mask &= mask - 1) {
      const int i = __ffs ((int) mask) - 1;
      const float w = weigh (pixel, entries + i, alpha_of (pixel, entries + i), rest);

      weights[k * PIXELS + threadIdx.x] = w;
      for (int c = 0; c < AK_SPLAT_FRONT; c++)
        front[c] += w * colors[i * CHANNELS + c];
    }
    __syncwarp ();
    for (uint32_t k = 0; k < STEP && same; k++, same &= same - 1) {
      const int i = __ffs ((int) same) - 1;
      const float *four = weights + k * PIXELS + square;
      const float w = (four[0] + four[1]) + (four[2] + four[3]);

      if (w > 0)
#pragma unroll
        for (int c = 0; c < CHANNELS / 4; c++)
          acc[c] += w * colors[i * CHANNELS + quarter + c];
    }
    __syncwarp ();
  }
}

/* The thread's pixel of the whole picture. */
template <int CHANNELS, int VEC>
static __device__ void
write_pixel (const AkSplat *s, size_t at, uint32_t first, const float *acc, float t)
{
  float v[VEC], background[VEC] = {};

#pragma unroll
  for (uint32_t c = 0; c < CHANNELS; c += VEC)
    if (first + c < s->channels) {
      if (s->background)
        ak_get<VEC> (background, s->background + first + c);
#pragma unroll
      for (int k = 0; k < VEC; k++)
        v[k] = acc[c + k] + background[k] * t;
      ak_put<VEC> (s->image + at * s->channels + first + c, v);
    }
}

/* Threads are numbered by squares of 2×2 pixels; a warp has 4×2 squares. */
template <int CHANNELS, int HALF, int VEC>
static __global__ void
draw_kernel (AkCudaSplatJob job)
{
  __shared__ __align__ (16) Entry entries[PIXELS];
  __shared__ __align__ (16) float colors[BATCH * CHANNELS];
  __shared__ uint8_t warps[PIXELS]; /* of entries, see warps_of() */
  __shared__ float weights[HALF ? STEP * PIXELS : 1];
  const AkSplat *s = &job.args;
  const AkSplatRange range = job.ranges[blockIdx.y * job.tiles_x + blockIdx.x];
  const uint32_t tid = threadIdx.x, first = blockIdx.z * CHANNELS, drawn = job.state->drawn;
  const unsigned in_x = tid / 32 % 2 * 8 + tid / 4 % 4 * 2 + tid % 2;
  const unsigned in_y = tid / 64 * 4 + tid / 16 % 2 * 2 + tid / 2 % 2;
  const unsigned x = blockIdx.x * AK_SPLAT_TILE + in_x, y = blockIdx.y * AK_SPLAT_TILE + in_y;
  const int inside = x < s->width && y < s->height;
  uint32_t at = range.first, further = job.state->entered, place = 0;
  float acc[HALF ? CHANNELS / 4 : CHANNELS] = { 0 }, front[AK_SPLAT_FRONT] = { 0 };
  Pixel pixel = { (float) in_x, (float) in_y, 1, !inside, 0 };

  while (__syncthreads_or (!pixel.done)) {
    uint32_t n;

    if (at < range.end) {
      n = range.end - at < PIXELS ? range.end - at : PIXELS;
      if (tid < n)
        make_entry (
            entries + tid, warps + tid, job.ordered + job.place[1][at + tid], place + tid + 1);
      at += n;
    } else if (further < drawn) {
      n = walk (&job, further, drawn, place, entries, warps);
      further += PIXELS;
    } else {
      break;
    }
    place += n;
    for (uint32_t from = 0; from < n; from += BATCH) {
      const uint32_t count = n - from < BATCH ? n - from : BATCH;

      if (!__syncthreads_or (!pixel.done))
        break;
      fetch_colors<CHANNELS, VEC> (colors, &job, entries + from, count, first);
      __syncthreads ();
      for (uint32_t i = 0; i < count; i += AK_WARP) {
        const unsigned mask = for_warp (warps + from + i, count - i);

        if constexpr (HALF)
          blend_squares<CHANNELS> (acc, front, &pixel, entries + from + i, colors + i * CHANNELS,
              mask, s->rest, weights);
        else
          blend<CHANNELS> (acc, &pixel, entries + from + i, colors + i * CHANNELS, mask, s->rest);
        __syncwarp ();
      }
    }
  }
  if constexpr (HALF) { /* a square lies inside as a whole */
    float four;

    __syncwarp ();
    weights[tid] = pixel.t;
    __syncwarp ();
    four = (weights[tid / 4 * 4] + weights[tid / 4 * 4 + 1]) +
           (weights[tid / 4 * 4 + 2] + weights[tid / 4 * 4 + 3]);
    for (uint32_t c = 0; c < CHANNELS / 4 && inside; c++) {
      uint32_t channel = first + tid % 4 * (CHANNELS / 4) + c;

      if (channel < s->channels)
        s->half[((size_t) (y / 2) * (s->width / 2) + x / 2) * s->channels + channel] =
            0.25f * (acc[c] + (s->background ? s->background[channel] * four : 0));
    }
  }
  if (!inside)
    return;
  if constexpr (!HALF)
    write_pixel<CHANNELS, VEC> (s, (size_t) y * s->width + x, first, acc, pixel.t);
  if (first > 0)
    return;
  for (uint32_t c = 0; HALF && c < AK_SPLAT_FRONT; c++)
    s->image[((size_t) y * s->width + x) * AK_SPLAT_FRONT + c] =
        front[c] + (s->background ? s->background[c] * pixel.t : 0);
  if (s->transmittance)
    s->transmittance[(size_t) y * s->width + x] = pixel.t;
  if (s->details.contributions)
    s->details.contributions[(size_t) y * s->width + x] = pixel.last;
}

/* Do colours and pixels consist of four floats each? */
static int
has_vectors (const AkSplat *s)
{
  const uintptr_t all =
      (uintptr_t) s->colors | (uintptr_t) s->background | (s->half ? 0 : (uintptr_t) s->image);

  return s->channels % 4 == 0 && all % 16 == 0;
}

template <int CHANNELS, int VEC>
static void
draw (const AkAt *at, const AkCudaSplatJob *job)
{
  dim3 tiles (
      job->tiles_x, job->tiles_y, (unsigned) ((job->args.channels + CHANNELS - 1) / CHANNELS));

  if (job->args.half)
    AK_LAUNCH ((draw_kernel<CHANNELS, 1, VEC>), tiles, PIXELS, 0, at, *job);
  else
    AK_LAUNCH ((draw_kernel<CHANNELS, 0, VEC>), tiles, PIXELS, 0, at, *job);
}

template <int CHANNELS>
static void
draw_any (const AkAt *at, const AkCudaSplatJob *job)
{
  if (has_vectors (&job->args))
    draw<CHANNELS, 4> (at, job);
  else
    draw<CHANNELS, 1> (at, job);
}

void
ak_cuda_splat_draw (const AkAt *at, const AkCudaSplatJob *job)
{
  if (job->args.channels <= 4)
    draw_any<4> (at, job);
  else if (job->args.channels <= 8)
    draw_any<8> (at, job);
  else if (job->args.channels <= 16)
    draw_any<16> (at, job);
  else
    draw_any<32> (at, job);
}
