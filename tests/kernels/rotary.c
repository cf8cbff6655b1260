/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/rotary.h"

typedef struct
{
  Pair x, y;
  size_t rows, heads, dim, pad;
  int in_place;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t row = c->heads * c->dim + c->pad;
  AkRows x = check_rows (AT (c->x), row, row * c->rows);

  ak_rotary (plan, &(AkRotary){ .y = c->in_place ? x : ak_dense (AT (c->y), c->rows, row),
                       .x = x,
                       .base = 10000,
                       .batch = 2,
                       .rows = c->rows,
                       .heads = c->heads,
                       .dim = c->dim });
}

/* The lengths of pairs stay, row 0 stays, and the second row's first pair turns by one radian. */
static void
check_meaning (Check *t)
{
  Case c = { .rows = 2, .heads = 1, .dim = 4 };
  float x[16], y[16];
  AkQueue *q = ak_queue_new (t->dev);
  double cosine, sine;

  c.x = check_pair (t, 16, 1);
  c.y = check_pair (t, 16, 1);
  check_run (t, "rotary, its meaning", record, &c);
  ak_download (q, x, c.x.dev, sizeof x);
  ak_download (q, y, c.y.dev, sizeof y);
  ak_queue_sync (q);
  ak_queue_free (q);
  cosine = x[4] * (double) y[4] + x[6] * (double) y[6];
  sine = x[4] * (double) y[6] - x[6] * (double) y[4];
  t->checks++;
  if (!(fabs (atan2 (sine, cosine) - 1) < 1e-5) || y[0] != x[0] || y[3] != x[3] ||
      !(fabs (hypot (x[13], x[15]) - hypot (y[13], y[15])) < 1e-6)) {
    t->failures++;
    printf ("rotary: FAILED: turns by %g instead of 1\n", atan2 (sine, cosine));
  }
  check_free (t);
}

void
check_rotary (Check *t)
{
  static const Case cases[] = {
    { .rows = 1, .heads = 1, .dim = 2 },
    { .rows = 7, .heads = 3, .dim = 6, .pad = 5 },
    { .rows = 100, .heads = 16, .dim = 64, .pad = 512, .in_place = 1 },
    { .rows = 300, .heads = 5, .dim = 34 },
  };
  char what[64];

  check_meaning (t);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Case c = cases[i];
    size_t n = 2 * c.rows * (c.heads * c.dim + c.pad);

    c.x = check_pair (t, n, 1);
    c.y = check_pair (t, n, 1);
    snprintf (what, sizeof what, "rotary 2x%zu heads %zux%zu", c.rows, c.heads, c.dim);
    check_run (t, what, record, &c);
    check_close (t, what, c.in_place ? c.x : c.y, 1e-6);
    check_free (t);
  }
  if (t->bench) {
    Case c = { .rows = 100, .heads = 16, .dim = 64 };

    c.x = check_pair (t, 2 * 100 * 1024, 1);
    c.y = check_pair (t, 2 * 100 * 1024, 1);
    check_bench (t, "rotary 2x100 heads 16x64", record, &c, 0, 2.0 * 2 * 100 * 1024 * 4);
    check_free (t);
  }
}
