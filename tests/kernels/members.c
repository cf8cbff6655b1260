/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/members.h"

/* Members' own memory lies backwards in `own`; every third has none. The table is of pointers. */
typedef struct
{
  Pair view, own, table;
  size_t batch, rows, cols, pad, gap; /* gap: of the view, from batch item to batch item */
  int back;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t row = c->cols + c->pad;
  AkMembers args = { .view = check_rows (AT (c->view), row, c->rows * row + c->gap),
    .table = (float *const *) (void *) AT (c->table),
    .batch = c->batch,
    .rows = c->rows,
    .cols = c->cols };

  if (c->back)
    ak_members_scatter (plan, &args);
  else
    ak_members_gather (plan, &args);
}

static int
has_own (size_t b)
{
  return b % 3 != 1;
}

static size_t
own_at (const Case *c, size_t b)
{
  return (c->batch - 1 - b) * c->rows * c->cols;
}

static void
put_table (AkDevice *dev, const Case *c, float *to, float *own)
{
  float **table = calloc (c->batch, sizeof *table);
  AkQueue *q = ak_queue_new (dev);

  for (size_t b = 0; b < c->batch; b++)
    if (has_own (b))
      table[b] = own + own_at (c, b);
  ak_upload (q, to, table, c->batch * sizeof *table);
  ak_queue_sync (q);
  ak_queue_free (q);
  free (table);
}

void
check_members (Check *t)
{
  static const Case cases[] = {
    { .batch = 1, .rows = 1, .cols = 1 },
    { .batch = 4, .rows = 3, .cols = 7, .pad = 2, .gap = 5 },
    { .batch = 9, .rows = 31, .cols = 300, .gap = 300 },
    { .batch = 4, .rows = 3, .cols = 7, .pad = 2, .gap = 5, .back = 1 },
    { .batch = 9, .rows = 31, .cols = 300, .back = 1 },
  };
  char what[64];

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Case c = cases[i];
    size_t row = c.cols + c.pad;
    float *view, *own;

    c.view = check_pair (t, c.batch * (c.rows * row + c.gap), 1);
    c.own = check_pair (t, c.batch * c.rows * c.cols, 1);
    c.table = check_pair (t, 2 * c.batch, 1);
    put_table (t->plain, &c, c.table.plain, c.own.plain);
    put_table (t->dev, &c, c.table.dev, c.own.dev);
    view = check_read (t, c.view);
    own = check_read (t, c.own);
    for (size_t b = 0; b < c.batch; b++)
      for (size_t k = 0; has_own (b) && k < c.rows * c.cols; k++) {
        float *in_batch = view + b * (c.rows * row + c.gap) + k / c.cols * row + k % c.cols;
        float *in_own = own + own_at (&c, b) + k;

        if (c.back)
          *in_own = *in_batch;
        else
          *in_batch = *in_own;
      }
    snprintf (what, sizeof what, "%s %zux%zux%zu", c.back ? "scatter" : "gather", c.batch, c.rows,
        c.cols);
    check_run (t, what, record, &c);
    check_want (t, what, c.view, view, 0);
    check_want (t, what, c.own, own, 0);
    check_free (t);
    free (view);
    free (own);
  }
}
