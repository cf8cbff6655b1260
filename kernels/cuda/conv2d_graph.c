/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conv2d_graph.h"

#include <string.h>

int
ak_cuda_conv2d_by (const char *text, AkConvBy *by)
{
  static const char *const names[] = { "auto", "own", "cudnn" };

  *by = AK_CONV_BY_AUTO;
  for (size_t i = 0; text && i < sizeof names / sizeof *names; i++)
    if (strcmp (text, names[i]) == 0) {
      *by = (AkConvBy) i;
      return 1;
    }
  return !text;
}

int
ak_cuda_conv2d_for_library (const AkConv2d *a, const AkCudaMatrix *m, AkConvBy by)
{
  const size_t height =
      ak_conv_rows (a->height, m->base.side, a->stride, 1, a->padding, a->padding);
  const size_t width = ak_conv_rows (a->width, m->base.side, a->stride, 1, a->padding, a->padding);
  const size_t rows = a->batch * height * width;

  if (m->kp != m->k) /* weights have to be dense */
    return 0;
  if (by != AK_CONV_BY_AUTO)
    return by == AK_CONV_BY_LIBRARY;
  /* as measured on an H100 (kernels-check --bench --only=conv2d): in bfloat16 the library is up to six times as fast, spans
   * or not; in float only large sums of many columns are faster there. Avatars have
   * one image at a time, and of several cuDNN 9.14 got one case wrong (see below): not worth the trust */
  if (m->bf16)
    return a->batch == 1;
  return !a->spans && rows >= 1024 && m->n >= 128 && m->k >= 512;
}

int
ak_cuda_conv2d_prepared (const AkConv2d *a, const AkCudaMatrix *m)
{
  return m->bf16 || a->in_scale.data;
}

AkConvExtent
ak_cuda_conv2d_extent (const AkConv2d *a, const AkCudaMatrix *m)
{
  /* cuDNN 9.14 computes wrong sums for two images of 11 × 5 pixels, 1 × 1 windows, scales and noise */
  if (a->batch > 1 && (a->out_scale.data || a->noise.data))
    return AK_CONV_SUMS;
  if (a->residual.data == a->y.data || a->gate.data == a->y.data)
    return m->bf16 ? AK_CONV_ACTIVATED : AK_CONV_SUMS;
  return m->bf16 || !(a->out_scale.data || a->noise.data || a->gate.data || a->residual.data ||
                        (a->activation != AK_ACT_NONE && a->activation != AK_ACT_RELU))
             ? AK_CONV_ALL
             : AK_CONV_SUMS;
}

/* `columns` numbers at each of [batch][height][width] pixels. Without strides between pixels or batch items there is one
 * for all. */
static AkConvTensor
tensor_of (AkRows v, size_t batch, size_t columns, size_t height, size_t width)
{
  const int64_t c = (int64_t) columns, row = v.row ? (int64_t) v.row : c;
  const int64_t h = v.row ? (int64_t) height : 1, w = v.row ? (int64_t) width : 1;
  const int64_t n = v.batch ? (int64_t) batch : 1;
  /* nothing is read by the stride of a size of 1, but libraries look at it */
  const int64_t all = n > 1 ? (int64_t) v.batch : h * w * row;

  return (AkConvTensor){ { n, c, h, w }, { all, 1, w * row, row }, 0 };
}

static AkConvTensor
dense (size_t batch, size_t columns, size_t height, size_t width)
{
  return tensor_of (ak_dense (NULL, height * width, columns), batch, columns, height, width);
}

static void
step (AkConvGraph *g, AkConvStepKind kind, AkConvTensor tensor, const float *data)
{
  if (data)
    g->step[g->steps++] = (AkConvStep){ kind, AK_ACT_NONE, tensor, data };
}

static void
add_steps (
    AkConvGraph *g, const AkConv2d *a, AkConvExtent extent, size_t n, size_t height, size_t width)
{
  const AkRows out_scale = { a->out_scale.data, 0, a->out_scale.batch };

  step (g, AK_CONV_MULTIPLY, tensor_of (out_scale, a->batch, n, 1, 1), out_scale.data);
  step (g, AK_CONV_ADD, tensor_of (ak_same (NULL), 1, n, 1, 1), a->bias);
  step (g, AK_CONV_ADD, tensor_of (a->noise, a->batch, 1, height, width), a->noise.data);
  if (a->activation != AK_ACT_NONE)
    g->step[g->steps++] = (AkConvStep){ .kind = AK_CONV_ACTIVATE, .activation = a->activation };
  if (extent == AK_CONV_ALL) {
    step (g, AK_CONV_MULTIPLY, tensor_of (a->gate, a->batch, n, height, width), a->gate.data);
    step (g, AK_CONV_ADD, tensor_of (a->residual, a->batch, n, height, width), a->residual.data);
  }
  /* the engines that cuDNN 9 proposes for less than two steps give no floats from bfloat16, and those it falls back on take
   * two or three times as long as its proposals for more: none is a step as well */
  while (g->w.bf16 && g->steps < 2)
    g->step[g->steps++] = (AkConvStep){ .kind = AK_CONV_ACTIVATE, .activation = AK_ACT_NONE };
}

AkConv2d
ak_cuda_conv2d_rest (const AkConv2d *a, AkConvExtent extent)
{
  AkConv2d rest = *a;

  if (extent >= AK_CONV_ACTIVATED) {
    rest.out_scale = rest.noise = (AkRows){ 0 };
    rest.bias = NULL;
    rest.activation = AK_ACT_NONE;
  }
  if (extent == AK_CONV_ALL)
    rest.gate = rest.residual = (AkRows){ 0 };
  return rest;
}

static int
is_nothing (const AkConv2d *a)
{
  return !a->out_scale.data && !a->bias && !a->noise.data && a->activation == AK_ACT_NONE &&
         !a->gate.data && !a->residual.data;
}

void
ak_cuda_conv2d_graph (AkConvGraph *g, const AkConv2d *a, const AkCudaMatrix *m, AkConvExtent extent)
{
  const AkConv2d rest = ak_cuda_conv2d_rest (a, extent);
  const size_t side = m->base.side, in = m->base.in;
  const size_t height = ak_conv_rows (a->height, side, a->stride, 1, a->padding, a->padding);
  const size_t width = ak_conv_rows (a->width, side, a->stride, 1, a->padding, a->padding);
  const int64_t s = (int64_t) side, c = (int64_t) in;

  *g = (AkConvGraph){ .stride = (int64_t) a->stride, .padding = (int64_t) a->padding };
  g->x = ak_cuda_conv2d_prepared (a, m) ? dense (a->batch, in, a->height, a->width)
                                        : tensor_of (a->x, a->batch, in, a->height, a->width);
  g->x.bf16 = g->w.bf16 = m->bf16;
  g->x_data = ak_cuda_conv2d_prepared (a, m) ? NULL : a->x.data;
  g->w = (AkConvTensor){ { (int64_t) m->n, c, s, s }, { (int64_t) m->kp, 1, s * c, c }, m->bf16 };
  g->w_data = m->data;
  if (extent > AK_CONV_SUMS)
    add_steps (g, a, extent, m->n, height, width);
  if (is_nothing (&rest)) {
    g->y = tensor_of (a->y, a->batch, m->n, height, width);
    g->y_data = a->y.data;
  } else {
    g->y = dense (a->batch, m->n, height, width);
  }
}

static int
same_tensor (const AkConvTensor *a, const AkConvTensor *b)
{
  for (int i = 0; i < 4; i++)
    if (a->size[i] != b->size[i] || a->stride[i] != b->stride[i])
      return 0;
  return a->bf16 == b->bf16;
}

/* An address for another: both stand for the scratch or neither does. */
static int
same_place (const void *a, const void *b)
{
  return !a == !b && ak_cuda_conv2d_alignment (b) >= ak_cuda_conv2d_alignment (a);
}

int
ak_cuda_conv2d_same (const AkConvGraph *a, const AkConvGraph *b)
{
  int same = same_tensor (&a->x, &b->x) && same_tensor (&a->w, &b->w) &&
             same_tensor (&a->y, &b->y) && same_place (a->x_data, b->x_data) &&
             same_place (a->w_data, b->w_data) && same_place (a->y_data, b->y_data) &&
             a->stride == b->stride && a->padding == b->padding && a->steps == b->steps;

  for (size_t i = 0; same && i < a->steps; i++) {
    const AkConvStep *s = &a->step[i], *t = &b->step[i];

    same = s->kind == t->kind && s->activation == t->activation &&
           same_tensor (&s->tensor, &t->tensor) && same_place (s->data, t->data);
  }
  return same;
}

static size_t
up256 (size_t bytes)
{
  return (bytes + 255) / 256 * 256;
}

static size_t
bytes_of (const AkConvTensor *t)
{
  return (size_t) (t->size[0] * t->size[1] * t->size[2] * t->size[3]) * (t->bf16 ? 2 : 4);
}

AkConvScratch
ak_cuda_conv2d_scratch (const AkConvGraph *g, size_t x, size_t workspace)
{
  AkConvScratch s = { .x = x };

  s.y = x + (g->x_data ? 0 : up256 (bytes_of (&g->x)));
  s.workspace = s.y + (g->y_data ? 0 : up256 (bytes_of (&g->y)));
  s.total = s.workspace + up256 (workspace);
  return s;
}

int64_t
ak_cuda_conv2d_alignment (const void *data)
{
  const uintptr_t bits = (uintptr_t) data | 16;

  return (int64_t) (bits & -bits);
}
