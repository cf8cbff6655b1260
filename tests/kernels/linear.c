/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

typedef struct
{
  Pair x, y, bias, gate, residual;
  MatrixPair w;
  size_t batch, rows, in, out;
  AkActivation act;
  int extras; /* gate, residual (that is y: 2, 3), bias, views that are strided by 3 or, 3, by 4 numbers */
} Case;

static size_t
pad_of (int extras)
{
  return extras == 3 ? 4 : extras ? 3 : 0;
}

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t pad = pad_of (c->extras);
  AkLinear a = {
    .y = check_rows (AT (c->y), c->out + pad, (c->out + pad) * (c->rows + pad)),
    .x = check_rows (AT (c->x), c->in + pad, (c->in + pad) * (c->rows + pad)),
    .matrix = plain ? c->w.plain : c->w.dev,
    .activation = c->act,
    .batch = c->batch,
    .rows = c->rows,
  };

  if (c->extras) {
    a.bias = AT (c->bias);
    a.gate = check_rows (AT (c->gate), c->out, c->out * c->rows);
    a.residual = c->extras >= 2 ? a.y : check_rows (AT (c->residual), c->out, c->out * c->rows);
  }
  ak_linear (plan, &a);
}

static void
one (Check *t, size_t batch, size_t rows, size_t in, size_t out, AkActivation act, int extras,
    AkPrecision precision)
{
  size_t pad = pad_of (extras);
  Case c = { .batch = batch, .rows = rows, .in = in, .out = out, .act = act, .extras = extras };
  char what[128];

  /* such an input is exact for devices that round it */
  c.x = (precision == AK_BF16 ? check_pair_bf16 : check_pair) (
      t, batch * (rows + pad) * (in + pad), 1);
  c.y = check_pair (t, batch * (rows + pad) * (out + pad), 1);
  c.bias = check_pair (t, out, 1);
  c.gate = check_pair (t, batch * rows * out, 1);
  c.residual = check_pair (t, batch * rows * out, 1);
  c.w = check_matrix (t, out, in, 1, 1, precision);
  snprintf (what, sizeof what, "linear %zux%zux%zux%zu act %d extras %d%s", batch, rows, in, out,
      act, extras, precision == AK_BF16 ? " bf16" : "");
  check_run (t, what, record, &c);
  check_close (t, what, c.y, 2e-6 * sqrt ((double) in) + 2e-6);
  check_free (t);
}

/* Products whose inputs come from the operation before, twice from the same, in bfloat16: a device that rounds inputs may
 * round them where they are made. */
#define CHAIN_ROWS 21
#define CHAIN_WIDTH 64

typedef struct
{
  Pair x, h, q, kv, up, y;
  MatrixPair to_q, to_kv, to_up, to_y;
} Chain;

static void
record_linear (AkPlan *plan, Pair y, Pair x, MatrixPair w, size_t out, size_t in, AkActivation act,
    AkRows residual, int plain)
{
  ak_linear (plan, &(AkLinear){ .y = ak_dense (AT (y), CHAIN_ROWS, out),
                       .x = ak_dense (AT (x), CHAIN_ROWS, in),
                       .matrix = AT (w),
                       .activation = act,
                       .residual = residual,
                       .batch = 1,
                       .rows = CHAIN_ROWS });
}

static void
record_chain (AkPlan *plan, int plain, void *data)
{
  const Chain *c = data;
  const size_t n = CHAIN_WIDTH;
  AkRows h = ak_dense (AT (c->h), CHAIN_ROWS, n), q = ak_dense (AT (c->q), CHAIN_ROWS, n),
         kv = ak_dense (AT (c->kv), CHAIN_ROWS, 2 * n), x = ak_dense (AT (c->x), CHAIN_ROWS, n);
  AkLayerNorm norm = { .y = h, .x = x, .eps = 1e-5f, .batch = 1, .rows = CHAIN_ROWS, .cols = n };

  ak_layer_norm (plan, &norm);
  record_linear (plan, c->q, c->h, c->to_q, n, n, AK_ACT_NONE, (AkRows){ 0 }, plain);
  record_linear (plan, c->kv, c->h, c->to_kv, 2 * n, n, AK_ACT_NONE, (AkRows){ 0 }, plain);
  ak_attention (plan, &(AkAttention){ .y = h,
                          .q = q,
                          .keys = { { kv, ak_from (kv, 0, n), CHAIN_ROWS } },
                          .batch = 1,
                          .rows = CHAIN_ROWS,
                          .heads = 4,
                          .dim = n / 4,
                          .scale = 0.25f });
  record_linear (plan, c->y, c->h, c->to_q, n, n, AK_ACT_NONE, x, plain);
  norm.x = ak_dense (AT (c->y), CHAIN_ROWS, n);
  ak_layer_norm (plan, &norm);
  record_linear (plan, c->up, c->h, c->to_up, 4 * n, n, AK_ACT_GELU, (AkRows){ 0 }, plain);
  record_linear (plan, c->y, c->up, c->to_y, n, 4 * n, AK_ACT_NONE, norm.x, plain);
}

static void
chain (Check *t)
{
  const size_t n = CHAIN_WIDTH;
  Chain c = {
    .x = check_pair (t, CHAIN_ROWS * n, 1),
    .h = check_pair (t, CHAIN_ROWS * n, 1),
    .q = check_pair (t, CHAIN_ROWS * n, 1),
    .kv = check_pair (t, 2 * CHAIN_ROWS * n, 1),
    .up = check_pair (t, 4 * CHAIN_ROWS * n, 1),
    .y = check_pair (t, CHAIN_ROWS * n, 1),
    .to_q = check_matrix (t, n, n, 1, 1, AK_BF16),
    .to_kv = check_matrix (t, 2 * n, n, 1, 1, AK_BF16),
    .to_up = check_matrix (t, 4 * n, n, 1, 1, AK_BF16),
    .to_y = check_matrix (t, n, 4 * n, 1, 1, AK_BF16),
  };

  check_run (t, "linear chain bf16", record_chain, &c);
  check_close (t, "linear chain bf16", c.y, 0.02); /* inputs rounded to 8 bits, four times */
  check_free (t);
}

/* The result of a row must not depend on the rows beside it where a device promises so; here: own products. */
static void
bench (Check *t, size_t rows, size_t in, size_t out, AkPrecision precision)
{
  Case c = { .batch = 1, .rows = rows, .in = in, .out = out, .act = AK_ACT_NONE };
  char what[128];

  if (!t->bench)
    return;
  c.x = check_pair (t, rows * in, 1);
  c.y = check_pair (t, rows * out, 1);
  c.w = check_matrix (t, out, in, 1, 1, precision);
  snprintf (what, sizeof what, "linear %zux%zux%zu%s", rows, in, out,
      precision == AK_BF16 ? " bf16" : "");
  check_bench (t, what, record, &c, (double) rows * (double) in * (double) out, 0);
  check_free (t);
}

void
check_linear (Check *t)
{
  static const size_t sizes[][3] = { { 1, 1, 1 }, { 1, 7, 3 }, { 2, 45, 17 }, { 3, 8, 67 },
    { 4, 64, 64 }, { 5, 33, 16 }, { 6, 15, 48 }, { 7, 100, 31 }, { 13, 256, 130 }, { 50, 768, 96 },
    { 199, 64, 128 }, { 1, 512, 768 } };
  static const size_t few[][3] = { { 1, 768, 64 }, { 16, 800, 100 }, { 17, 513, 70 },
    { 32, 256, 264 }, { 33, 1000, 96 }, { 100, 768, 192 }, { 128, 40, 130 }, { 129, 72, 64 },
    { 199, 1024, 256 } };

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int extras = 0; extras < 3; extras++)
      one (t, 1 + i % 3, sizes[i][0], sizes[i][1], sizes[i][2],
          (AkActivation) ((i + (size_t) extras) % 6), extras, i % 2 ? AK_F32 : AK_BF16);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    one (t, 1, sizes[i][0], sizes[i][1], sizes[i][2], AK_ACT_NONE, 0, i % 2 ? AK_BF16 : AK_F32);
  for (size_t i = 0; i < sizeof few / sizeof *few;
       i++) /* what follows them is part of the product */
    for (AkPrecision p = AK_F32; p <= AK_BF16; p++) {
      one (t, 1, few[i][0], few[i][1], few[i][2], AK_ACT_GELU_TANH, 0, p);
      for (int extras = 2; extras < 4; extras++)
        one (t, 1, few[i][0], few[i][1], few[i][2], (AkActivation) (i % 6), extras, p);
    }
  chain (t);
  for (int p = 0; p < 2; p++)
    one (t, 1, 1200, 600, 200, AK_ACT_GELU, 1, p ? AK_BF16 : AK_F32); /* more than one node */
  for (AkPrecision p = AK_F32; p <= AK_BF16; p++) {
    bench (t, 1, 256, 256, p);
    bench (t, 1, 768, 768, p);
    bench (t, 5, 256, 1024, p);
    bench (t, 25, 256, 1024, p);
    bench (t, 49, 256, 256, p);
    bench (t, 50, 1024, 256, p);
    bench (t, 100, 768, 3072, p);
    bench (t, 199, 1024, 4096, p);
    bench (t, 199, 4096, 1024, p);
    bench (t, 2048, 2048, 2048, p);
  }
}
