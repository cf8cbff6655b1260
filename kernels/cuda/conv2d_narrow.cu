/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions of single pixels to at most four channels, as colours are: nothing but reading the image. Several lanes
 * have a pixel, each four of its channels at a time: eight lanes, or a warp where there are many channels and few pixels. */
#include "conv2d.cuh"

#define MOST 4 /* channels of the result */
#define FEW 64 /* channels that eight lanes are enough for */

typedef struct
{
  AkConvJob f;
  int bf16;
} Node;

template <int BF16>
static __device__ void
fetch_weights (float *to, const AkConvJob *f, unsigned n, unsigned c)
{
  const size_t at = (size_t) n * f->kp + c;

  if constexpr (BF16) {
    const uint2 v = *(const uint2 *) ((const uint16_t *) f->weights + at);

    to[0] = __uint_as_float (v.x << 16), to[1] = __uint_as_float (v.x & 0xffff0000);
    to[2] = __uint_as_float (v.y << 16), to[3] = __uint_as_float (v.y & 0xffff0000);
  } else {
    ak_get<4> (to, (const float *) f->weights + at);
  }
}

/* LANES have PIXELS at once. Grid: pixels, batch items. */
template <int N, int BF16, int LANES, int PIXELS>
static __global__ void
narrow_kernel (AkConvJob f)
{
  constexpr unsigned GROUPS = AK_CONV_THREADS / LANES;
  const unsigned lane = threadIdx.x % LANES, b = blockIdx.y;
  const unsigned group = (blockIdx.x * AK_CONV_THREADS + threadIdx.x) / LANES;
  const float *x[PIXELS];
  float s[PIXELS][N] = {};

#pragma unroll
  for (unsigned p = 0; p < PIXELS; p++) {
    const unsigned m = group + p * gridDim.x * GROUPS;

    x[p] = m < f.pixels && ak_in_spans (f.a.spans, m / f.out_width, m % f.out_width)
               ? f.a.x.data + b * f.a.x.batch + m * f.a.x.row
               : NULL;
  }
#pragma unroll 4
  for (unsigned c = 4 * lane; c < f.in; c += 4 * LANES) {
    float scale[4] = { 1, 1, 1, 1 }, w[N][4], v[PIXELS][4];

    if (f.a.in_scale.data)
      ak_get<4> (scale, f.a.in_scale.data + b * f.a.in_scale.batch + c);
#pragma unroll
    for (unsigned n = 0; n < N; n++)
      fetch_weights<BF16> (w[n], &f, n, c);
#pragma unroll
    for (unsigned p = 0; p < PIXELS; p++)
      ak_conv_fetch<4> (v[p], x[p] ? x[p] + c : NULL);
#pragma unroll
    for (unsigned p = 0; p < PIXELS; p++)
#pragma unroll
      for (unsigned k = 0; k < 4; k++) {
        float value = v[p][k] * scale[k];

        if (BF16)
          value = __uint_as_float ((unsigned) ak_tensor_round (value) << 16);
#pragma unroll
        for (unsigned n = 0; n < N; n++)
          s[p][n] += value * w[n][k];
      }
  }
#pragma unroll
  for (unsigned p = 0; p < PIXELS; p++) {
    float own = 0;

#pragma unroll
    for (unsigned n = 0; n < N; n++) {
#pragma unroll
      for (int step = LANES / 2; step; step /= 2)
        s[p][n] += __shfl_xor_sync (AK_ALL, s[p][n], step);
      own = n == lane ? s[p][n] : own;
    }
    if (x[p] && lane < N)
      ak_conv_finish<1> (&f, b * f.pixels + group + p * gridDim.x * GROUPS, lane, &own, NULL);
  }
}

template <int N, int BF16>
static void
launch (const AkAt *at, const AkConvJob *f)
{
  const unsigned pixels = f->pixels, batch = (unsigned) f->a.batch;

  if (f->in <= FEW)
    AK_LAUNCH ((narrow_kernel<N, BF16, 8, 4>),
        dim3 (ak_blocks (pixels, AK_CONV_THREADS / 2), batch), AK_CONV_THREADS, 0, at, *f);
  else
    AK_LAUNCH ((narrow_kernel<N, BF16, AK_WARP, 1>),
        dim3 (ak_blocks (pixels, AK_CONV_THREADS / AK_WARP), batch), AK_CONV_THREADS, 0, at, *f);
}

template <int N>
static void
launch_any (const AkAt *at, const Node *node)
{
  if (node->bf16)
    launch<N, 1> (at, &node->f);
  else
    launch<N, 0> (at, &node->f);
}

static void
narrow_run (const AkAt *at, const void *args)
{
  const Node *node = (const Node *) args;

  if (node->f.n == 1)
    launch_any<1> (at, node);
  else if (node->f.n == 2)
    launch_any<2> (at, node);
  else if (node->f.n == 3)
    launch_any<3> (at, node);
  else
    launch_any<4> (at, node);
}

int
ak_cuda_conv2d_narrow (AkPlan *plan, const AkConvJob *f, int bf16)
{
  const AkConv2d *a = &f->a;
  const Node node = { *f, bf16 };

  if (f->side != 1 || a->stride != 1 || a->padding || f->n > MOST || f->in % 4 ||
      a->batch > UINT16_MAX || !ak_is_aligned (a->x) || !ak_is_aligned (a->in_scale))
    return 0;
  ak_cuda_append (plan, narrow_run, NULL, &node, sizeof node);
  return 1;
}
