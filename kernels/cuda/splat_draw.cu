/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 5 of splat.h: a block of threads draws a tile, or CHANNELS of its channels, a thread a pixel. What decides
 * about a pixel is computed by operations that the compiler may not fuse, so that all variants decide alike. */
#include "launch.h"
#include "splat_priv.h"

#define PIXELS (AK_SPLAT_TILE * AK_SPLAT_TILE)
#define BATCH 64 /* splats whose colours lie ready */
#define STEP 8   /* splats whose weights do, with `half`; divides BATCH */

/* A splat ready for the tile: from its middle pixel's exponent of 2, a dx² + b dx dy + c dy², with dx = x - pixel. */
typedef struct
{
  float x, y, a, b, c, opacity;
  uint32_t index;
  uint32_t place; /* among the tile's, from 1 */
} Entry;

static __device__ void
make_entry (Entry *e, const AkCudaShape *s, uint32_t place)
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
}

/* Of the places from `at` on, one a thread, those that touch the tile, in order into `entries`; returns their number. */
static __device__ uint32_t
walk (const AkCudaSplatJob *job, uint32_t at, uint32_t drawn, uint32_t place, Entry *entries)
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
    make_entry (entries + before, s, place + before + 1);
  return n;
}

/* A pixel under way. */
typedef struct
{
  float x, y, t; /* transmittance */
  int done;
  int32_t last;
} Pixel;

/* What the splat adds its colour with. */
static __device__ float
weigh (Pixel *p, const Entry *e, float rest)
{
  float dx, dy, power, alpha, w, next;

  if (p->done)
    return 0;
  dx = __fsub_rn (e->x, p->x);
  dy = __fsub_rn (e->y, p->y);
  power = __fmaf_rn (
      __fmaf_rn (e->a, dx, __fmul_rn (e->b, dy)), dx, __fmul_rn (e->c, __fmul_rn (dy, dy)));
  power = fminf (fmaxf (power, -126), 0);
  alpha = fminf (__fmul_rn (exp2f (power), e->opacity), AK_SPLAT_SOLID);
  if (!(alpha >= AK_SPLAT_FAINT))
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
template <int CHANNELS>
static __device__ void
fetch_colors (
    float *colors, const AkCudaSplatJob *job, const Entry *entries, uint32_t n, uint32_t first)
{
  const uint32_t channels = (uint32_t) job->args.channels;

  for (uint32_t i = threadIdx.x; i < n * CHANNELS; i += PIXELS) {
    uint32_t c = first + i % CHANNELS;

    colors[i] =
        c < channels ? job->args.colors[(size_t) entries[i / CHANNELS].index * channels + c] : 0;
  }
}

/* acc += weight · colour for a batch, with the whole picture. */
template <int CHANNELS>
static __device__ void
blend (float *acc, Pixel *pixel, const Entry *entries, const float *colors, uint32_t n, float rest)
{
  for (uint32_t i = 0; i < n && !pixel->done; i++) {
    float w = weigh (pixel, entries + i, rest);

    if (w > 0)
#pragma unroll
      for (int c = 0; c < CHANNELS; c++)
        acc[c] += w * colors[i * CHANNELS + c];
  }
}

/* The same with `half`: front += weight · colour of this pixel's first channels, acc += the weights of the square's
 * four pixels · a quarter of the channels, each of the square's threads another one. Warps go on their own. */
template <int CHANNELS>
static __device__ void
blend_squares (float *acc, float *front, Pixel *pixel, const Entry *entries, const float *colors,
    uint32_t n, float rest, float *weights)
{
  const uint32_t square = threadIdx.x / 4 * 4, quarter = threadIdx.x % 4 * (CHANNELS / 4);

  for (uint32_t from = 0; from < n; from += STEP) {
    const uint32_t count = n - from < STEP ? n - from : STEP;

    for (uint32_t i = 0; i < count; i++) {
      float w = weigh (pixel, entries + from + i, rest);

      weights[i * PIXELS + threadIdx.x] = w;
      for (int c = 0; c < AK_SPLAT_FRONT; c++)
        front[c] += w * colors[(from + i) * CHANNELS + c];
    }
    __syncwarp ();
    for (uint32_t i = 0; i < count; i++) {
      const float *four = weights + i * PIXELS + square;
      float w = (four[0] + four[1]) + (four[2] + four[3]);

      if (w > 0)
#pragma unroll
        for (int c = 0; c < CHANNELS / 4; c++)
          acc[c] += w * colors[(from + i) * CHANNELS + quarter + c];
    }
    __syncwarp ();
  }
}

/* Threads are numbered by squares of 2×2 pixels; a warp has 4×2 squares. */
template <int CHANNELS, int HALF>
static __global__ void
draw_kernel (AkCudaSplatJob job)
{
  __shared__ Entry entries[PIXELS];
  __shared__ float colors[BATCH * CHANNELS];
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
        make_entry (entries + tid, job.ordered + job.place[1][at + tid], place + tid + 1);
      at += n;
    } else if (further < drawn) {
      n = walk (&job, further, drawn, place, entries);
      further += PIXELS;
    } else {
      break;
    }
    place += n;
    for (uint32_t from = 0; from < n; from += BATCH) {
      const uint32_t count = n - from < BATCH ? n - from : BATCH;

      __syncthreads ();
      fetch_colors<CHANNELS> (colors, &job, entries + from, count, first);
      __syncthreads ();
      if constexpr (HALF)
        blend_squares<CHANNELS> (
            acc, front, &pixel, entries + from, colors, count, s->rest, weights);
      else
        blend<CHANNELS> (acc, &pixel, entries + from, colors, count, s->rest);
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
  if constexpr (!HALF) {
    float *image = s->image + ((size_t) y * s->width + x) * s->channels;

    for (uint32_t c = 0; c < CHANNELS && first + c < s->channels; c++)
      image[first + c] = acc[c] + (s->background ? s->background[first + c] * pixel.t : 0);
  }
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

template <int CHANNELS>
static void
draw (const AkAt *at, const AkCudaSplatJob *job)
{
  dim3 tiles (
      job->tiles_x, job->tiles_y, (unsigned) ((job->args.channels + CHANNELS - 1) / CHANNELS));

  if (job->args.half)
    AK_LAUNCH ((draw_kernel<CHANNELS, 1>), tiles, PIXELS, 0, at, *job);
  else
    AK_LAUNCH ((draw_kernel<CHANNELS, 0>), tiles, PIXELS, 0, at, *job);
}

void
ak_cuda_splat_draw (const AkAt *at, const AkCudaSplatJob *job)
{
  if (job->args.channels <= 4)
    draw<4> (at, job);
  else if (job->args.channels <= 8)
    draw<8> (at, job);
  else if (job->args.channels <= 16)
    draw<16> (at, job);
  else
    draw<32> (at, job);
}
