/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "kernels/linear.h"

typedef struct
{
  Pair x, y, bias, gate, residual;
  MatrixPair w;
  size_t batch, rows, in, out;
  AkActivation act;
  int extras; /* gate, residual, bias, strided views */
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t pad = c->extras ? 3 : 0;
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
    a.residual = c->extras == 2 ? a.y : check_rows (AT (c->residual), c->out, c->out * c->rows);
  }
  ak_linear (plan, &a);
}

static void
one (Check *t, size_t batch, size_t rows, size_t in, size_t out, AkActivation act, int extras,
    AkPrecision precision)
{
  size_t pad = extras ? 3 : 0;
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

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int extras = 0; extras < 3; extras++)
      one (t, 1 + i % 3, sizes[i][0], sizes[i][1], sizes[i][2],
          (AkActivation) ((i + (size_t) extras) % 6), extras, i % 2 ? AK_F32 : AK_BF16);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    one (t, 1, sizes[i][0], sizes[i][1], sizes[i][2], AK_ACT_NONE, 0, i % 2 ? AK_BF16 : AK_F32);
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
