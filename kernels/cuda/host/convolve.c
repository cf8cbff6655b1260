/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Graphs of convolutions by their definition, from nothing but their tensors. */
#include "dot.h"
#include "../library.h"

#include <math.h>

struct AkLibraryConv
{
  int unused;
};

static size_t
place (const AkConvTensor *t, int64_t n, int64_t c, int64_t h, int64_t w)
{
  return (size_t) (n * t->stride[0] + c * t->stride[1] + h * t->stride[2] + w * t->stride[3]);
}

/* The number of a tensor whose sizes of 1 stand for all. */
static float
broadcast (const AkConvStep *s, const int64_t at[4])
{
  int64_t i[4];

  for (int d = 0; d < 4; d++)
    i[d] = s->tensor.size[d] == 1 ? 0 : at[d];
  return s->data[place (&s->tensor, i[0], i[1], i[2], i[3])];
}

static float
activate (double x, AkActivation activation)
{
  switch (activation) {
    case AK_ACT_NONE:
      break;
    case AK_ACT_GELU:
      return (float) (0.5 * x * erfc (-x * M_SQRT1_2));
    case AK_ACT_GELU_TANH:
      return (float) (0.5 * x * (1 + tanh (0.79788456080286536 * (x + 0.044715 * x * x * x))));
    case AK_ACT_LEAKY_RELU:
      return (float) (x < 0 ? 0.2 * x : x);
    case AK_ACT_SILU:
      return (float) (x / (1 + exp (-x)));
    case AK_ACT_ELU:
      return (float) (x < 0 ? expm1 (x) : x);
    case AK_ACT_RELU:
      return (float) (x < 0 ? 0 : x);
    case AK_ACT_SIGMOID:
      return (float) (1 / (1 + exp (-x)));
    case AK_ACT_RSQRT:
      return (float) (1 / sqrt (x));
  }
  return (float) x;
}

/* Channels are adjacent in both. */
static double
sum (const AkConvGraph *g, const void *x, const int64_t at[4])
{
  double s = 0;

  for (int64_t i = 0; i < g->w.size[2]; i++)
    for (int64_t j = 0; j < g->w.size[3]; j++) {
      const int64_t row = at[2] * g->stride + i - g->padding;
      const int64_t col = at[3] * g->stride + j - g->padding;
      size_t from, weight;

      if (row < 0 || col < 0 || row >= g->x.size[2] || col >= g->x.size[3])
        continue;
      from = place (&g->x, at[0], 0, row, col);
      weight = place (&g->w, at[1], 0, i, j);
      s += ak_host_dot (x, from, g->w_data, weight, (size_t) g->w.size[1], g->x.bf16);
    }
  return s;
}

void
ak_library_conv2d_run (
    const AkAt *at, const AkLibraryConv *conv, const AkConvGraph *g, const AkConvScratch *scratch)
{
  const void *x = g->x_data ? g->x_data : at->scratch + scratch->x;
  float *y = g->y_data ? g->y_data : (float *) (at->scratch + scratch->y);
  int64_t i[4];

  (void) conv;
  for (i[0] = 0; i[0] < g->y.size[0]; i[0]++)
    for (i[2] = 0; i[2] < g->y.size[2]; i[2]++)
      for (i[3] = 0; i[3] < g->y.size[3]; i[3]++)
        for (i[1] = 0; i[1] < g->y.size[1]; i[1]++) {
          double v = sum (g, x, i);

          for (size_t s = 0; s < g->steps; s++)
            if (g->step[s].kind == AK_CONV_ACTIVATE)
              v = activate (v, g->step[s].activation);
            else if (g->step[s].kind == AK_CONV_ADD)
              v += broadcast (&g->step[s], i);
            else
              v *= broadcast (&g->step[s], i);
          y[place (&g->y, i[0], i[1], i[2], i[3])] = (float) v;
        }
}

/* Are sizes and strides those of rows of adjacent channels that do not overlap? */
static int
is_regular (const AkConvTensor *t, const AkConvTensor *y)
{
  for (int d = 0; d < 4; d++)
    if (t->size[d] < 1 || t->stride[d] < 1 || (y && t->size[d] != 1 && t->size[d] != y->size[d]))
      return 0;
  return t->stride[1] == 1 && t->stride[3] >= t->size[1] &&
         t->stride[2] >= t->size[3] * t->stride[3] && t->stride[0] >= t->size[2] * t->stride[2];
}

/* What cuDNN refuses. */
const AkLibraryConv *
ak_library_conv2d (AkCuda *cuda, const AkConvGraph *g, size_t *workspace)
{
  static const AkLibraryConv conv;
  const AkConvTensor *x = &g->x, *w = &g->w, *y = &g->y;
  int good = is_regular (x, NULL) && is_regular (w, NULL) && is_regular (y, NULL) && !y->bf16 &&
             x->bf16 == w->bf16 && w->size[1] == x->size[1] && w->size[0] == y->size[1] &&
             x->size[0] == y->size[0] && w->stride[0] == w->size[1] * w->size[2] * w->size[3];

  (void) cuda;
  for (int d = 2; d < 4; d++)
    good = good && y->size[d] == (x->size[d] + 2 * g->padding - w->size[d]) / g->stride + 1;
  for (size_t s = 0; good && s < g->steps; s++)
    if (g->step[s].kind != AK_CONV_ACTIVATE)
      good = g->step[s].data && !g->step[s].tensor.bf16 && is_regular (&g->step[s].tensor, y);
  *workspace = 0;
  return good ? &conv : NULL;
}
