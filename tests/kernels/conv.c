/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "kernels/conv.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

typedef struct
{
  Pair x, y, bias, residual;
  MatrixPair w;
  size_t batch, rows, in, out, kernel, groups, stride, dilation, left, right, results, pad;
  AkActivation act;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;

  ak_conv (plan, &(AkConv){
                     .y = check_rows (AT (c->y), c->out + c->pad, (c->out + c->pad) * c->results),
                     .x = check_rows (AT (c->x), c->in + c->pad, (c->in + c->pad) * c->rows),
                     .matrix = plain ? c->w.plain : c->w.dev,
                     .bias = AT (c->bias),
                     .residual = c->pad ? check_rows (AT (c->residual), c->out, c->out * c->results)
                                        : (AkRows){ 0 },
                     .activation = c->act,
                     .batch = c->batch,
                     .rows = c->rows,
                     .stride = c->stride,
                     .dilation = c->dilation,
                     .left = c->left,
                     .right = c->right,
                 });
}

static void
one (Check *t, Case c, int bench, AkPrecision precision)
{
  char what[160];

  c.results = ak_conv_rows (c.rows, c.kernel, c.stride, c.dilation, c.left, c.right);
  c.x = (precision == AK_BF16 ? check_pair_bf16 : check_pair) (
      t, c.batch * c.rows * (c.in + c.pad), 1);
  c.y = check_pair (t, c.batch * c.results * (c.out + c.pad), 1);
  c.bias = check_pair (t, c.out, 1);
  c.residual = check_pair (t, c.batch * c.results * c.out, 1);
  c.w = check_matrix (t, c.out, c.in, c.kernel, c.groups, precision);
  snprintf (what, sizeof what, "conv %zux%zux%zu->%zu k%zu s%zu d%zu g%zu pad %zu,%zu%s", c.batch,
      c.rows, c.in, c.out, c.kernel, c.stride, c.dilation, c.groups, c.left, c.right,
      precision == AK_BF16 ? " bf16" : "");
  if (bench) {
    check_bench (t, what, record, &c,
        (double) (c.batch * c.results * c.out) * (double) (c.kernel * c.in / c.groups), 0);
  } else {
    check_run (t, what, record, &c);
    check_close (t, what, c.y, 2e-6 * sqrt ((double) (c.kernel * c.in / c.groups)) + 2e-6);
  }
  check_free (t);
}

/* Convolutions after what makes their input, of several items: a device that rounds inputs may round them where they are
 * made. */
#define CHAIN_BATCH 3
#define CHAIN_ROWS 41
#define CHAIN_WIDTH 16
#define CHAIN_SECOND 20 /* rows after the first convolution, then 10 */

typedef struct
{
  Pair x, h, first, second, y;
  MatrixPair to_first, to_second, to_y;
} Chain;

static void
record_chain (AkPlan *plan, int plain, void *data)
{
  const Chain *c = data;
  const size_t n = CHAIN_WIDTH;
  AkRows h = ak_dense (AT (c->h), CHAIN_ROWS, n), first = ak_dense (AT (c->first), CHAIN_SECOND, n),
         second = ak_dense (AT (c->second), 10, n);
  AkLayerNorm norm = { .y = h,
    .x = ak_dense (AT (c->x), CHAIN_ROWS, n),
    .eps = 1e-5f,
    .batch = CHAIN_BATCH,
    .rows = CHAIN_ROWS,
    .cols = n };
  AkConv conv = { .y = first,
    .x = h,
    .matrix = AT (c->to_first),
    .batch = CHAIN_BATCH,
    .rows = CHAIN_ROWS,
    .stride = 2,
    .dilation = 1 };

  ak_layer_norm (plan, &norm);
  ak_conv (plan, &conv);
  norm.x = norm.y = first;
  norm.rows = CHAIN_SECOND;
  norm.activation = AK_ACT_GELU;
  ak_layer_norm (plan, &norm);
  conv.x = first;
  conv.y = second;
  conv.rows = CHAIN_SECOND;
  conv.matrix = AT (c->to_second);
  ak_conv (plan, &conv);
  norm.x = norm.y = second;
  norm.rows = 10;
  ak_layer_norm (plan, &norm);
  ak_linear (plan, &(AkLinear){ .y = ak_dense (AT (c->y), 10, n),
                       .x = second,
                       .matrix = AT (c->to_y),
                       .batch = CHAIN_BATCH,
                       .rows = 10 });
}

static void
chain (Check *t)
{
  const size_t n = CHAIN_WIDTH;
  Chain c = {
    .x = check_pair (t, CHAIN_BATCH * CHAIN_ROWS * n, 1),
    .h = check_pair (t, CHAIN_BATCH * CHAIN_ROWS * n, 1),
    .first = check_pair (t, CHAIN_BATCH * CHAIN_SECOND * n, 1),
    .second = check_pair (t, CHAIN_BATCH * 10 * n, 1),
    .y = check_pair (t, CHAIN_BATCH * 10 * n, 1),
    .to_first = check_matrix (t, n, n, 3, 1, AK_BF16),
    .to_second = check_matrix (t, n, n, 2, 1, AK_BF16),
    .to_y = check_matrix (t, n, n, 1, 1, AK_BF16),
  };

  check_run (t, "conv chain bf16", record_chain, &c);
  check_close (t, "conv chain bf16", c.y, 0.02); /* inputs rounded to 8 bits, three times */
  check_free (t);
}

void
check_conv (Check *t)
{
  const Case published = { .batch = 1, /* the positions of the published encoder */
    .rows = 199,
    .in = 1024,
    .out = 1024,
    .kernel = 128,
    .groups = 16,
    .stride = 1,
    .dilation = 1,
    .left = 64,
    .right = 63 };
  static const Case cases[] = {
    { .batch = 1,
        .rows = 100,
        .in = 1,
        .out = 32,
        .kernel = 10,
        .groups = 1,
        .stride = 5,
        .dilation = 1 },
    { .batch = 2,
        .rows = 41,
        .in = 24,
        .out = 24,
        .kernel = 3,
        .groups = 1,
        .stride = 2,
        .dilation = 1,
        .act = AK_ACT_GELU },
    { .batch = 1,
        .rows = 19,
        .in = 48,
        .out = 48,
        .kernel = 31,
        .groups = 4,
        .stride = 1,
        .dilation = 1,
        .left = 15,
        .right = 15,
        .act = AK_ACT_GELU,
        .pad = 5 },
    { .batch = 2,
        .rows = 30,
        .in = 32,
        .out = 64,
        .kernel = 8,
        .groups = 2,
        .stride = 1,
        .dilation = 1,
        .left = 4,
        .right = 3 },
    { .batch = 1,
        .rows = 50,
        .in = 16,
        .out = 8,
        .kernel = 3,
        .groups = 1,
        .stride = 1,
        .dilation = 4,
        .left = 8,
        .act = AK_ACT_ELU },
    { .batch = 1,
        .rows = 37,
        .in = 5,
        .out = 7,
        .kernel = 4,
        .groups = 1,
        .stride = 3,
        .dilation = 2,
        .left = 2,
        .right = 4,
        .pad = 2 },
    { .batch = 1,
        .rows = 3000,
        .in = 64,
        .out = 128,
        .kernel = 3,
        .groups = 1,
        .stride = 2,
        .dilation = 1,
        .left = 1,
        .right = 1 },
    { .batch = 2, /* causal, the last window filled up */
        .rows = 61,
        .in = 6,
        .out = 12,
        .kernel = 8,
        .groups = 1,
        .stride = 4,
        .dilation = 1,
        .left = 4,
        .right = 3 },
    { .batch = 2, /* three results for two inputs */
        .rows = 701,
        .in = 1,
        .out = 3,
        .kernel = 16,
        .groups = 1,
        .stride = 2,
        .dilation = 1,
        .left = 7,
        .right = 8 },
    { .batch = 2, /* windows that are much more than the input */
        .rows = 70,
        .in = 256,
        .out = 144,
        .kernel = 64,
        .groups = 2,
        .stride = 1,
        .dilation = 1,
        .left = 32,
        .right = 31,
        .act = AK_ACT_GELU,
        .pad = 3 },
    { .batch = 1, /* the same by one item, a channel's length of the sum at a time */
        .rows = 203,
        .in = 128,
        .out = 128,
        .kernel = 128,
        .groups = 2,
        .stride = 1,
        .dilation = 1,
        .left = 64,
        .right = 63,
        .act = AK_ACT_GELU },
    { .batch =
            4, /* more results than a block has; the sum is no multiple of what it adds at a time */
        .rows = 1201,
        .in = 64,
        .out = 96,
        .kernel = 11,
        .groups = 4,
        .stride = 2,
        .dilation = 3,
        .left = 7,
        .right = 4,
        .act = AK_ACT_SILU },
    { .batch = 3, /* sums that are too short for parts */
        .rows = 130,
        .in = 384,
        .out = 384,
        .kernel = 30,
        .groups = 24,
        .stride = 1,
        .dilation = 1,
        .left = 15,
        .right = 14,
        .pad = 4 },
    { .batch = 1,
        .rows = 1,
        .in = 3,
        .out = 2,
        .kernel = 1,
        .groups = 1,
        .stride = 1,
        .dilation = 1 },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (AkPrecision p = AK_F32; p <= AK_BF16; p++)
      one (t, cases[i], 0, p);
  chain (t);
  if (!t->bench)
    return;
  one (t,
      (Case){ .batch = 1,
          .rows = 24000,
          .in = 1,
          .out = 32,
          .kernel = 10,
          .groups = 1,
          .stride = 5,
          .dilation = 1 },
      1, AK_F32);
  one (t,
      (Case){ .batch = 1,
          .rows = 4799,
          .in = 32,
          .out = 64,
          .kernel = 3,
          .groups = 1,
          .stride = 2,
          .dilation = 1 },
      1, AK_F32);
  one (t,
      (Case){ .batch = 1,
          .rows = 75,
          .in = 256,
          .out = 256,
          .kernel = 64,
          .groups = 16,
          .stride = 1,
          .dilation = 1,
          .left = 32,
          .right = 31 },
      1, AK_F32);
  one (t,
      (Case){ .batch = 1,
          .rows = 12799,
          .in = 512,
          .out = 512,
          .kernel = 3,
          .groups = 1,
          .stride = 2,
          .dilation = 1 },
      1, AK_F32);
  one (t, published, 1, AK_F32);
  one (t, published, 1, AK_BF16);
}
