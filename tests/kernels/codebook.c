/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "kernels/codebook.h"

typedef struct
{
  Pair x, sum, codes, vectors;
  size_t batch, rows, size, dim, pad;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t row = c->dim + c->pad;

  for (int i = 0; i < 2; i++) /* two books one after the other */
    ak_nearest (plan, &(AkNearest){ .x = check_rows (AT (c->x), row, row * c->rows),
                          .sum = check_rows (AT (c->sum), row, row * c->rows),
                          .codes = AT (c->codes) + (size_t) i * c->batch * c->rows,
                          .vectors = AT (c->vectors) + (size_t) i * c->size * c->dim,
                          .accumulate = i,
                          .batch = c->batch,
                          .rows = c->rows,
                          .size = c->size,
                          .dim = c->dim });
}

static void
make (Check *t, Case *c)
{
  size_t row = c->dim + c->pad;

  c->x = check_pair (t, c->batch * c->rows * row, 1);
  c->sum = check_pair (t, c->batch * c->rows * row, 1);
  c->codes = check_pair (t, 2 * c->batch * c->rows, 1);
  c->vectors = check_pair (t, 2 * c->size * c->dim, 1);
}

static void
put (AkDevice *dev, float *to, const float *values, size_t n)
{
  AkQueue *q = ak_queue_new (dev);

  ak_upload (q, to, values, n * sizeof *values);
  ak_queue_sync (q);
  ak_queue_free (q);
}

/* Four points of a square, the last three of them twice: what is near, first of equals (all are as far
 * from 1e30), and not a number. */
static void
check_meaning (Check *t)
{
  static const float vectors[] = { 0, 0, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1, 3, 3 };
  static const float x[] = { 0.9f, 0.2f, 0.5f, 0, 0.4f, 1, NAN, 1, 2, 2, 1e30f, 1e30f };
  static const float want[] = { 1, 0, 3, 0, 5, 0 };
  Case c = { .batch = 1, .rows = 6, .size = 8, .dim = 2 };
  float codes[6], sum[12], rest[12];
  AkQueue *q = ak_queue_new (t->dev);

  make (t, &c);
  put (t->plain, c.vectors.plain, vectors, 16);
  put (t->plain, c.x.plain, x, 12);
  put (t->dev, c.vectors.dev, vectors, 16);
  put (t->dev, c.x.dev, x, 12);
  check_run (t, "nearest, its meaning", record, &c);
  ak_download (q, codes, c.codes.dev, sizeof codes);
  ak_download (q, sum, c.sum.dev, sizeof sum);
  ak_download (q, rest, c.x.dev, sizeof rest);
  ak_queue_sync (q);
  ak_queue_free (q);
  t->checks++;
  for (int i = 0; i < 6; i++)
    if (codes[i] != want[i]) {
      t->failures++;
      printf ("nearest: FAILED: row %d has code %g instead of %g\n", i, (double) codes[i],
          (double) want[i]);
    }
  t->checks++;
  if (!(fabs (sum[0] + (double) rest[0] - 0.9) < 1e-6)) {
    t->failures++;
    printf ("nearest: FAILED: %g and %g are not 0.9\n", (double) sum[0], (double) rest[0]);
  }
  check_free (t);
}

void
check_codebook (Check *t)
{
  static const Case cases[] = {
    { .batch = 1, .rows = 1, .size = 1, .dim = 1 },
    { .batch = 1, .rows = 50, .size = 2048, .dim = 256 },
    { .batch = 2, .rows = 7, .size = 33, .dim = 13, .pad = 3 },
    { .batch = 3, .rows = 3, .size = 300, .dim = 5 },
    { .batch = 1, .rows = 9, .size = 16, .dim = 8 },
  };
  char what[64];

  check_meaning (t);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Case c = cases[i];

    make (t, &c);
    snprintf (what, sizeof what, "nearest of %zu, %zux%zux%zu", c.size, c.batch, c.rows, c.dim);
    check_run (t, what, record, &c);
    check_close (t, what, c.codes, 0);
    check_close (t, what, c.sum, 0);
    check_close (t, what, c.x, 0);
    check_free (t);
  }
  if (t->bench) {
    Case c = { .batch = 1, .rows = 50, .size = 2048, .dim = 256 };

    make (t, &c);
    check_bench (t, "nearest of 2048, 50x256, two books", record, &c, 2.0 * 50 * 2048 * 256, 0);
    check_free (t);
  }
}
