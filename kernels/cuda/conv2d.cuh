/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the products of conv2d.cu and conv2d_bf16.cu share: windows of images, and what comes after a sum. */
#pragma once

#include "conv2d.h"
#include "math.cuh"

/* Can 4 numbers at a time be read of rows whose length is a multiple of 4? */
static inline int
ak_conv_is_aligned (AkRows v)
{
  return (uintptr_t) v.data % 16 == 0 && v.row % 4 == 0 && v.batch % 4 == 0;
}

/* Where a window begins. */
typedef struct
{
  const float *x; /* batch item, or NULL where there is no row */
  int row, col;
} AkWindow;

/* Which input a thread brings: channel c of row i, column j of the window. */
typedef struct
{
  unsigned c, i, j;
} AkInput;

static __device__ void
ak_conv_window (AkWindow *w, const AkConvJob *f, unsigned m)
{
  const unsigned b = m / f->pixels, p = m % f->pixels;

  w->x = m < f->m ? f->a.x.data + b * f->a.x.batch : NULL;
  w->row = (int) (p / f->out_width * f->a.stride) - (int) f->a.padding;
  w->col = (int) (p % f->out_width * f->a.stride) - (int) f->a.padding;
}

/* Is row m among the pixels that are wanted? */
static __device__ int
ak_conv_wanted (const AkConvJob *f, unsigned m)
{
  const unsigned p = m % f->pixels;

  return m < f->m && ak_in_spans (f->a.spans, p / f->out_width, p % f->out_width);
}

/* Of the window: its number at `in`, or NULL for 0. */
static __device__ const float *
ak_conv_input (const AkWindow *w, const AkConvJob *f, const AkInput *in)
{
  const int row = w->row + (int) in->i, col = w->col + (int) in->j;

  if (!w->x || in->i >= f->side || row < 0 || col < 0 || row >= (int) f->a.height ||
      col >= (int) f->a.width)
    return NULL;
  return w->x + ((size_t) row * f->a.width + col) * f->a.x.row + in->c;
}

static __device__ void
ak_conv_advance (AkInput *in, const AkConvJob *f, unsigned by)
{
  in->c += by;
  while (in->c >= f->in) {
    in->c -= f->in;
    if (++in->j == f->side) {
      in->j = 0;
      in->i++;
    }
  }
}

/* VEC numbers from `from` (aligned to all of them), or zeros. */
template <int VEC>
static __device__ void
ak_conv_fetch (float *to, const float *from)
{
  if constexpr (VEC == 4) {
    const float4 v = from ? *(const float4 *) from : make_float4 (0, 0, 0, 0);

    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else {
    to[0] = from ? *from : 0;
  }
}

/* residual + gate · act (out_scale · s + bias + noise) */
static __device__ void
ak_conv_finish (const AkConvJob *f, unsigned m, unsigned n, float s)
{
  const AkConv2d *a = &f->a;
  const size_t b = m / f->pixels, p = m % f->pixels;

  if (a->out_scale.data)
    s *= a->out_scale.data[b * a->out_scale.batch + n];
  if (a->bias)
    s += a->bias[n];
  if (a->noise.data)
    s += a->noise.data[b * a->noise.batch + p * a->noise.row];
  s = ak_act (s, a->activation);
  if (a->gate.data)
    s *= a->gate.data[b * a->gate.batch + p * a->gate.row + n];
  if (a->residual.data)
    s += a->residual.data[b * a->residual.batch + p * a->residual.row + n];
  a->y.data[b * a->y.batch + p * a->y.row + n] = s;
}
