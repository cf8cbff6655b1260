/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the products of conv2d.cu and conv2d_bf16.cu share: windows of images, and what comes after a sum. */
#pragma once

#include "conv2d.h"
#include "math.cuh"
#include "vector.cuh"

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

/* VEC numbers from `from`, or zeros. */
template <int VEC>
static __device__ void
ak_conv_fetch (float *to, const float *from)
{
  if (from)
    ak_get<VEC> (to, from);
  else
    for (int i = 0; i < VEC; i++)
      to[i] = 0;
}

/* residual + gate · act (out_scale · s + bias + noise) of the columns from n on. `rounded`: where it goes as bfloat16
 * as well, [m][n], or NULL. */
template <int VEC>
static __device__ void
ak_conv_finish (const AkConvJob *f, unsigned m, unsigned n, float *s, uint16_t *rounded)
{
  const AkConv2d *a = &f->a;
  const size_t b = m / f->pixels, p = m % f->pixels;
  float scale[VEC], bias[VEC], gate[VEC], residual[VEC];
  float noise = 0;

  if (a->out_scale.data)
    ak_get<VEC> (scale, a->out_scale.data + b * a->out_scale.batch + n);
  if (a->bias)
    ak_get<VEC> (bias, a->bias + n);
  if (a->noise.data)
    noise = a->noise.data[b * a->noise.batch + p * a->noise.row];
  if (a->gate.data)
    ak_get<VEC> (gate, a->gate.data + b * a->gate.batch + p * a->gate.row + n);
  if (a->residual.data)
    ak_get<VEC> (residual, a->residual.data + b * a->residual.batch + p * a->residual.row + n);
#pragma unroll
  for (int i = 0; i < VEC; i++) {
    if (a->out_scale.data)
      s[i] *= scale[i];
    if (a->bias)
      s[i] += bias[i];
    if (a->noise.data)
      s[i] += noise;
    s[i] = ak_act (s[i], a->activation);
    if (a->gate.data)
      s[i] *= gate[i];
    if (a->residual.data)
      s[i] += residual[i];
  }
  ak_put<VEC> (a->y.data + b * a->y.batch + p * a->y.row + n, s);
  if (rounded)
    ak_put_rounded<VEC> (rounded + (size_t) m * f->n + n, s);
}
