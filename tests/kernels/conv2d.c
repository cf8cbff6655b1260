/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/conv2d.h"
#include "kernels/resize2d.h"

typedef struct
{
  size_t batch, height, width, in, out, side, stride, padding;
  AkActivation act;
  size_t pad;   /* numbers between pixels */
  int modulate; /* with scales and noise */
  int gate, residual;
  AkPrecision precision;
  int part; /* only spans, of which the plain device knows nothing */
  /* filled in */
  size_t pixels;
  Pair x, y, bias, gates, residuals, in_scale, out_scale, noise;
  Pair spans;
  MatrixPair w;
} Case;

static AkRows
when (int wanted, AkRows v)
{
  return wanted ? v : (AkRows){ 0 };
}

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t in = c->in + c->pad, out = c->out + c->pad;

  ak_conv2d (
      plan, &(AkConv2d){
                .y = check_rows (AT (c->y), out, out * c->pixels),
                .x = check_rows (AT (c->x), in, in * c->height * c->width),
                .matrix = plain ? c->w.plain : c->w.dev,
                .bias = AT (c->bias),
                .activation = c->act,
                .gate = when (c->gate, ak_dense (AT (c->gates), c->pixels, c->out)),
                .residual = when (c->residual, ak_dense (AT (c->residuals), c->pixels, c->out)),
                .in_scale = when (c->modulate, check_rows (AT (c->in_scale), 0, c->in)),
                .out_scale = when (c->modulate, check_rows (AT (c->out_scale), 0, c->out)),
                .noise = when (c->modulate, check_rows (AT (c->noise), 1, 0)),
                .batch = c->batch,
                .height = c->height,
                .width = c->width,
                .stride = c->stride,
                .padding = c->padding,
                .spans = c->part && !plain ? (const AkSpan *) c->spans.dev : NULL,
            });
}

static void
one (Check *t, Case c, int bench)
{
  size_t out_height = ak_conv2d_size (c.height, c.side, c.stride, c.padding);
  size_t out_width = ak_conv2d_size (c.width, c.side, c.stride, c.padding);
  const int bf16 = c.precision == AK_BF16;
  /* what is scaled has to be rounded again */
  const double tol =
      bf16 && c.modulate ? 0.015 : 2e-6 * sqrt ((double) (c.side * c.side * c.in)) + 2e-6;
  float *before;
  char what[160];

  c.pixels = out_height * out_width;
  c.x = (bf16 ? check_pair_bf16 : check_pair) (t, c.batch * c.height * c.width * (c.in + c.pad), 1);
  c.y = check_pair (t, c.batch * c.pixels * (c.out + c.pad), 1);
  c.bias = check_pair (t, c.out, 1);
  c.gates = check_pair (t, c.batch * c.pixels * c.out, 1);
  c.residuals = check_pair (t, c.batch * c.pixels * c.out, 1);
  c.in_scale = check_pair (t, c.batch * c.in, 1);
  c.out_scale = check_pair (t, c.batch * c.out, 1);
  c.noise = check_pair (t, c.pixels, 1);
  c.w = check_matrix2d (t, c.out, c.in, c.side, c.precision);
  snprintf (what, sizeof what, "conv2d %zux%zux%zux%zu->%zu k%zu s%zu p%zu%s%s%s", c.batch,
      c.height, c.width, c.in, c.out, c.side, c.stride, c.padding, c.modulate ? " modulated" : "",
      bf16 ? " bf16" : "", c.part ? ", in part" : "");
  c.spans = check_some_spans (t, out_height, out_width);
  if (bench) {
    check_bench (t, what, record, &c,
        (double) (c.batch * c.pixels * c.out) * (double) (c.side * c.side * c.in), 0);
  } else if (c.part) {
    before = check_read_dev (t, c.y);
    check_run (t, what, record, &c);
    check_close_spans (t, what, c.y, before, c.spans, out_height, out_width, c.out + c.pad, tol);
    free (before);
  } else {
    check_run (t, what, record, &c);
    check_close (t, what, c.y, tol);
  }
  check_free (t);
}

/* A transposed convolution: products into every side-th row. */
typedef struct
{
  size_t batch, height, width, in, out, side;
  Pair x, y, bias;
  MatrixPair w[4];
} Deconv;

static void
record_deconv (AkPlan *plan, int plain, void *data)
{
  const Deconv *c = data;
  const AkMatrix *rows[4];

  for (size_t i = 0; i < c->side; i++)
    rows[i] = plain ? c->w[i].plain : c->w[i].dev;
  ak_deconv2d (plan, &(AkDeconv2d){ .y = AT (c->y),
                         .x = AT (c->x),
                         .rows = rows,
                         .bias = AT (c->bias),
                         .side = c->side,
                         .batch = c->batch,
                         .height = c->height,
                         .width = c->width });
}

static void
deconv (Check *t, Deconv c)
{
  char what[80];

  c.x = check_pair (t, c.batch * c.height * c.width * c.in, 1);
  c.y = check_pair (t, c.batch * c.height * c.width * c.side * c.side * c.out, 1);
  c.bias = check_pair (t, c.side * c.out, 1);
  for (size_t i = 0; i < c.side; i++)
    c.w[i] = check_matrix (t, c.side * c.out, c.in, 1, 1, AK_F32);
  snprintf (what, sizeof what, "deconv2d %zux%zux%zux%zu->%zu k%zu", c.batch, c.height, c.width,
      c.in, c.out, c.side);
  check_run (t, what, record_deconv, &c);
  check_close (t, what, c.y, 2e-6 * sqrt ((double) c.in) + 2e-6);
  check_free (t);
}

/* Operations in a row, each on what one before it left: these may share rounded inputs. */
typedef struct
{
  size_t side, channels;
  Pair x, twice, left, right;
  MatrixPair w3, w1;
} Chain;

static void
record_chain (AkPlan *plan, int plain, void *data)
{
  const Chain *c = data;
  const size_t side = 2 * c->side, pixels = side * side, n = c->channels;
  const AkRows twice = ak_dense (AT (c->twice), pixels, n),
               left = ak_dense (AT (c->left), pixels, n);
  AkConv2d a = { .y = left,
    .x = twice,
    .matrix = plain ? c->w3.plain : c->w3.dev,
    .activation = AK_ACT_LEAKY_RELU,
    .batch = 1,
    .height = side,
    .width = side,
    .stride = 1,
    .padding = 1 };

  ak_resize2d (plan, &(AkResize2d){ .y = twice,
                         .x = ak_dense (AT (c->x), c->side * c->side, n),
                         .mode = AK_RESIZE2D_LINEAR,
                         .batch = 1,
                         .in_height = c->side,
                         .in_width = c->side,
                         .out_height = side,
                         .out_width = side,
                         .channels = n });
  ak_conv2d (plan, &a); /* of the resized, */
  a.y = ak_dense (AT (c->right), pixels, n);
  a.matrix = plain ? c->w1.plain : c->w1.dev;
  a.padding = 0;
  ak_conv2d (plan, &a); /* again of them, */
  a.x = left;
  a.residual = a.y;
  ak_conv2d (plan, &a); /* added to what is there, */
  a.x = a.y;
  a.y = left;
  a.residual = (AkRows){ 0 };
  ak_conv2d (plan, &a); /* of the sum, */
  ak_blend (plan, &(AkBlend){ .y = twice,
                      .a = twice,
                      .b = a.y,
                      .alpha = 1,
                      .beta = 0.5f,
                      .batch = 1,
                      .rows = pixels,
                      .cols = n });
  a.x = twice;
  ak_conv2d (plan, &a); /* and of two of them */
}

static void
chain (Check *t, Chain c)
{
  const size_t n = c.side * c.side * c.channels;
  char what[80];

  c.x = check_pair (t, n, 1);
  c.twice = check_pair (t, 4 * n, 1);
  c.left = check_pair (t, 4 * n, 1);
  c.right = check_pair (t, 4 * n, 1);
  c.w3 = check_matrix2d (t, c.channels, c.channels, 3, AK_BF16);
  c.w1 = check_matrix2d (t, c.channels, c.channels, 1, AK_BF16);
  snprintf (what, sizeof what, "conv2d after conv2d, %zux%zux%zu bf16", c.side, c.side, c.channels);
  check_run (t, what, record_chain, &c);
  check_close (t, what, c.right, 0.015);
  check_close (t, what, c.left, 0.015);
  check_free (t);
}

void
check_conv2d (Check *t)
{
  static const Case cases[] = {
    { 1, 1, 1, 1, 1, 1, 1, 0 },
    { 1, 1, 1, 3, 5, 3, 1, 1, .residual = 1 },
    { 2, 7, 9, 6, 5, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1 },
    { 1, 4, 4, 64, 48, 3, 1, 1, AK_ACT_RELU, .pad = 3, .gate = 1, .residual = 1 },
    { 2, 16, 12, 24, 40, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1, .gate = 1, .residual = 1 },
    { 1, 20, 20, 3, 32, 3, 2, 1, AK_ACT_GELU },
    { 1, 28, 42, 3, 17, 14, 14, 0 },
    { 1, 19, 21, 8, 8, 5, 3, 2, AK_ACT_SIGMOID, .residual = 1 },
    { 2, 11, 5, 16, 3, 1, 1, 0, .modulate = 1, .residual = 1 },
    { 1, 9, 9, 32, 33, 1, 2, 0, .pad = 1 },
    { 1, 64, 67, 32, 16, 3, 1, 1, AK_ACT_LEAKY_RELU },
    { 1, 24, 24, 256, 256, 3, 1, 1 },
    { 1, 6, 6, 128, 512, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1 },
    { 2, 17, 19, 12, 20, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1, .gate = 1, .residual = 1 },
    { 1, 21, 18, 9, 8, 3, 1, 0, AK_ACT_RELU, .pad = 2, .residual = 1 },
    { 1, 15, 33, 40, 24, 3, 1, 2, .pad = 1, .modulate = 1 },
    { 2, 33, 45, 12, 20, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1, .gate = 1, .residual = 1 },
    { 1, 30, 29, 8, 8, 3, 1, 0, AK_ACT_RELU, .pad = 2, .residual = 1 },
    { 1, 26, 37, 17, 24, 3, 1, 2, .pad = 1, .modulate = 1 },
    { 1, 130, 140, 8, 129, 1, 1, 0, .pad = 1 },
    { 1, 1, 1, 3, 5, 3, 1, 1, .residual = 1, .precision = AK_BF16 },
    { 1, 40, 37, 32, 24, 3, 1, 1, AK_ACT_LEAKY_RELU, .precision = AK_BF16 },
    { 2, 17, 19, 12, 50, 3, 1, 1, AK_ACT_RELU, .gate = 1, .residual = 1, .precision = AK_BF16 },
    { 1, 28, 42, 3, 17, 14, 14, 0, .precision = AK_BF16 },
    { 2, 11, 5, 16, 3, 1, 1, 0, .modulate = 1, .residual = 1, .precision = AK_BF16 },
    { 1, 11, 5, 16, 3, 1, 1, 0, .modulate = 1, .residual = 1, .precision = AK_BF16 },
    { 2, 11, 5, 16, 3, 1, 1, 0, .residual = 1, .precision = AK_BF16 },
    { 2, 11, 5, 16, 3, 3, 1, 1, .modulate = 1, .residual = 1, .precision = AK_BF16 },
    { 2, 31, 19, 44, 1, 1, 1, 0, AK_ACT_RELU, .pad = 4, .gate = 1, .precision = AK_BF16 },
    { 1, 31, 19, 36, 2, 1, 1, 0, .modulate = 1, .precision = AK_BF16 },
    { 2, 40, 41, 12, 4, 1, 1, 0, .modulate = 1, .residual = 1 },
    { 2, 5, 7, 328, 3, 1, 1, 0, .modulate = 1, .residual = 1, .precision = AK_BF16 },
    { 2, 11, 5, 16, 24, 1, 1, 0, .modulate = 1, .residual = 1, .precision = AK_BF16 },
    { 2, 90, 50, 24, 16, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1, .gate = 1, .residual = 1,
        .precision = AK_BF16 },
    { 1, 6, 6, 128, 200, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1, .precision = AK_BF16 },
    { 1, 100, 170, 8, 72, 3, 1, 1, .precision = AK_BF16 },
    { 1, 130, 140, 8, 129, 1, 1, 0, .pad = 1, .precision = AK_BF16 },
  };
  static const Case benches[] = {
    { 1, 512, 512, 16, 16, 3, 1, 1, AK_ACT_LEAKY_RELU },
    { 1, 512, 512, 16, 32, 3, 1, 1 },
    { 1, 512, 512, 32, 16, 3, 1, 1, AK_ACT_LEAKY_RELU, .residual = 1 },
    { 1, 512, 512, 64, 32, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1 },
    { 1, 512, 512, 32, 32, 3, 1, 1, AK_ACT_LEAKY_RELU, .modulate = 1, .gate = 1, .residual = 1 },
    { 1, 256, 256, 64, 64, 3, 1, 1, AK_ACT_LEAKY_RELU },
    { 1, 128, 128, 256, 128, 3, 1, 1, AK_ACT_LEAKY_RELU },
    { 1, 64, 64, 512, 256, 3, 1, 1, AK_ACT_LEAKY_RELU },
    { 1, 16, 16, 512, 512, 3, 1, 1, AK_ACT_LEAKY_RELU },
    { 1, 4, 4, 512, 512, 3, 1, 1, AK_ACT_LEAKY_RELU },
    { 1, 512, 512, 32, 3, 1, 1, 0, .modulate = 1, .residual = 1 },
    { 1, 518, 518, 3, 768, 14, 14, 0 },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Case part = cases[i];

    one (t, cases[i], 0);
    part.part = 1;
    one (t, part, 0);
  }
  chain (t, (Chain){ 9, 24 });
  chain (t, (Chain){ 40, 16 });
  chain (t, (Chain){ 5, 12 });
  deconv (t, (Deconv){ 2, 3, 4, 6, 5, 4 });
  deconv (t, (Deconv){ 1, 5, 5, 32, 24, 2 });
  for (size_t i = 0; t->bench && i < sizeof benches / sizeof *benches; i++)
    for (int bf16 = 0; bf16 <= (ak_device_threads (t->dev) == 0); bf16++) {
      Case c = benches[i];

      c.precision = bf16 ? AK_BF16 : AK_F32;
      one (t, c, 1);
    }
}
