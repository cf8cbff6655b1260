/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread a pixel. Compiled without fused operations: a byte is the same everywhere. */
#include "launch.h"

/* NaN becomes 0 */
static __device__ float
clamp (float v)
{
  return v > 0 ? v < 1 ? v : 1 : 0;
}

static __global__ void
compose_kernel (AkCompose o)
{
  size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const float *refined = o.refined.data ? o.refined.data + i * o.refined.row : NULL;
  float a, *y = o.y.data + i * o.y.row;

  if (i >= o.pixels)
    return;
  a = clamp (1 - o.transmittance[i]);
  if (o.mode == AK_COMPOSE_REPLACE) {
    for (int c = 0; c < 3; c++)
      y[c] = clamp (refined[c]);
  } else {
    const float *splats = o.splats.data + i * o.splats.row;
    const int over = o.background[3] != 0;

    for (int c = 0; c < 3; c++) {
      float d = refined ? 2 * refined[c] - 1 : 0;

      if (over)
        y[c] = clamp (splats[c] + a * d) + (1 - a) * o.background[c];
      else
        y[c] = a < 1 / 255.0f ? 0 : clamp (splats[c] / a + d);
    }
  }
  y[3] = a;
}

static void
compose_run (const AkAt *at, const void *args)
{
  const AkCompose *o = (const AkCompose *) args;

  AK_LAUNCH (compose_kernel, ak_blocks (o->pixels, 256), 256, 0, at, *o);
}

static __global__ void
bytes_kernel (AkBytes b)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const size_t left = (b.width - b.side) / 2, top = (b.height - b.side) / 2;
  const float *x = b.x + 4 * i;
  uint8_t *y = b.rgba + 4 * ((top + i / b.side) * b.width + left + i % b.side);

  if (i >= (size_t) b.side * b.side)
    return;
  for (int k = 0; k < 4; k++)
    y[k] = (uint8_t) (255 * clamp (x[k]) + b.round);
}

static void
bytes_run (const AkAt *at, const void *args)
{
  const AkBytes *b = (const AkBytes *) args;

  AK_LAUNCH (bytes_kernel, ak_blocks ((size_t) b->side * b->side, 256), 256, 0, at, *b);
}

void
ak_cuda_compose_init (AkOps *ops)
{
  ops->compose = ak_record<compose_run>;
  ops->bytes = ak_record<bytes_run>;
}
