/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <stdio.h>

#include "kernels/attention.h"

typedef struct
{
  Pair q, y, k0, k1;
  size_t batch, rows, heads, dim, n0, n1, window;
  float scale;
  int bf16;
  MatrixPair like;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t w = c->heads * c->dim;
  AkRows k0 = check_rows (AT (c->k0), 2 * w, 2 * w * c->n0),
         k1 = check_rows (AT (c->k1), 2 * w, 2 * w * c->n1);

  ak_attention (
      plan, &(AkAttention){
                .y = ak_dense (AT (c->y), c->rows, w),
                .q = ak_dense (AT (c->q), c->rows, w),
                .keys = { { k0, ak_from (k0, 0, w), c->n0 }, { k1, ak_from (k1, 0, w), c->n1 } },
                .batch = c->batch,
                .rows = c->rows,
                .heads = c->heads,
                .dim = c->dim,
                .scale = c->scale,
                .window = c->window,
                .like = c->bf16 ? AT (c->like) : NULL,
            });
}

static void
one (Check *t, Case c, int bench)
{
  size_t w = c.heads * c.dim;
  char what[128];

  c.q = check_pair (t, c.batch * c.rows * w, 1);
  c.y = check_pair (t, c.batch * c.rows * w, 1);
  c.k0 = check_pair (t, c.batch * c.n0 * 2 * w, 1);
  c.k1 = check_pair (t, c.batch * c.n1 * 2 * w, 1);
  if (c.bf16)
    c.like = check_matrix (t, 8, 8, 1, 1, AK_BF16);
  snprintf (what, sizeof what, "attention %zux%zu heads %zux%zu keys %zu+%zu window %zu%s", c.batch,
      c.rows, c.heads, c.dim, c.n0, c.n1, c.window, c.bf16 ? " bf16" : "");
  if (bench) {
    check_bench (t, what, record, &c, 2.0 * (double) (c.batch * c.rows * w * (c.n0 + c.n1)), 0);
  } else {
    check_run (t, what, record, &c);
    check_close (t, what, c.y, c.bf16 ? 4e-5 : 4e-6);
  }
  check_free (t);
}

void
check_attention (Check *t)
{
  static const Case cases[] = {
    { .batch = 1, .rows = 1, .heads = 1, .dim = 1, .n0 = 1, .scale = 1 },
    { .batch = 2, .rows = 1, .heads = 3, .dim = 16, .n0 = 75, .n1 = 1, .scale = 8 },
    { .batch = 2, .rows = 3, .heads = 3, .dim = 15, .n0 = 7, .n1 = 9, .scale = 1 },
    { .batch = 1, .rows = 5, .heads = 2, .dim = 15, .n0 = 40, .scale = 0.15f },
    { .batch = 2, .rows = 20, .heads = 4, .dim = 64, .n0 = 60, .n1 = 33, .scale = 1 },
    { .batch = 1, .rows = 199, .heads = 4, .dim = 16, .n0 = 199, .scale = 0.25f },
    { .batch = 1,
        .rows = 50,
        .heads = 2,
        .dim = 12,
        .n0 = 30,
        .n1 = 20,
        .window = 9,
        .scale = 0.3f },
    { .batch = 1,
        .rows = 2,
        .heads = 2,
        .dim = 12,
        .n0 = 30,
        .n1 = 20,
        .window = 9,
        .scale = 0.3f },
    { .batch = 1, .rows = 17, .heads = 1, .dim = 33, .n1 = 17, .window = 100, .scale = 5 },
    /* one query and a few, of more keys than a card's warps take at once */
    { .batch = 1, .rows = 1, .heads = 3, .dim = 64, .n0 = 181, .n1 = 1, .scale = 4 },
    { .batch = 2, .rows = 4, .heads = 2, .dim = 32, .n0 = 70, .n1 = 83, .scale = 4 },
    { .batch = 1, .rows = 25, .heads = 3, .dim = 64, .n0 = 181, .n1 = 31, .scale = 4 },
    { .batch = 1, .rows = 100, .heads = 12, .dim = 64, .n0 = 20, .n1 = 121, .scale = 1 },
    { .batch = 3, .rows = 100, .heads = 4, .dim = 30, .n0 = 20, .n1 = 53, .scale = 1 },
    /* many: they share keys */
    { .batch = 9, .rows = 33, .heads = 15, .dim = 64, .n0 = 10, .n1 = 105, .scale = 1 },
    { .batch = 12, .rows = 40, .heads = 13, .dim = 28, .n0 = 150, .window = 37, .scale = 1 },
    { .batch = 21, .rows = 9, .heads = 13, .dim = 63, .n0 = 3, .n1 = 49, .window = 4, .scale = 1 },
    /* in 16 bits, some of them */
    { .batch = 2, .rows = 1, .heads = 2, .dim = 64, .n0 = 91, .scale = 1, .bf16 = 1 },
    { .batch = 1, .rows = 25, .heads = 3, .dim = 64, .n0 = 181, .n1 = 31, .scale = 1, .bf16 = 1 },
    { .batch = 4,
        .rows = 39,
        .heads = 13,
        .dim = 60,
        .n0 = 150,
        .window = 37,
        .scale = 1,
        .bf16 = 1 },
    { .batch = 5, .rows = 33, .heads = 10, .dim = 64, .n0 = 40, .n1 = 105, .scale = 1, .bf16 = 1 },
    { .batch = 1, .rows = 17, .heads = 2, .dim = 63, .n1 = 17, .window = 5, .scale = 1, .bf16 = 1 },
    /* wide heads */
    { .batch = 1, .rows = 18, .heads = 2, .dim = 96, .n0 = 40, .n1 = 9, .scale = 1 },
    { .batch = 2, .rows = 5, .heads = 1, .dim = 300, .n0 = 34, .n1 = 9, .window = 7, .scale = 1 },
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    one (t, cases[i], 0);
  if (!t->bench)
    return;
  one (t, (Case){ .batch = 1, .rows = 1, .heads = 4, .dim = 64, .n0 = 47, .n1 = 1, .scale = 1 }, 1);
  one (t, (Case){ .batch = 1, .rows = 25, .heads = 4, .dim = 64, .n0 = 47, .n1 = 47, .scale = 1 },
      1);
  for (int bf16 = 0; bf16 < 2; bf16++) {
    Case c = { .batch = 1, .heads = 12, .dim = 64, .n0 = 181, .scale = 1, .bf16 = bf16 };

    for (size_t n = 1; n <= 100; n = n == 1 ? 5 : n == 5 ? 25 : 2 * n) {
      c.rows = n;
      c.n1 += n;
      one (t, c, 1);
    }
    c = (Case){ .rows = 199, .heads = 16, .dim = 64, .n0 = 199, .scale = 0.125f, .bf16 = bf16 };
    for (c.batch = 1; c.batch <= 16; c.batch *= 16)
      one (t, c, 1);
  }
}
