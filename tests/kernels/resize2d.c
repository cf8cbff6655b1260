/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/resize2d.h"

typedef struct
{
  Pair x, y;
  size_t in_height, in_width, out_height, out_width, channels, pad;
  AkResize2dMode mode;
  int part; /* only spans, of which the plain device knows nothing */
  Pair spans;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  size_t n = c->channels, row = n + c->pad;

  ak_resize2d (plan, &(AkResize2d){ .y = ak_dense (AT (c->y), c->out_height * c->out_width, row),
                         .x = ak_dense (AT (c->x), c->in_height * c->in_width, n),
                         .mode = c->mode,
                         .batch = 2,
                         .in_height = c->in_height,
                         .in_width = c->in_width,
                         .out_height = c->out_height,
                         .out_width = c->out_width,
                         .channels = n,
                         .spans = c->part && !plain ? (const AkSpan *) c->spans.dev : NULL });
}

static void
one (Check *t, Case c, int bench)
{
  float *before;
  char what[80];

  c.x = check_pair (t, 2 * c.in_height * c.in_width * c.channels, 1);
  c.y = check_pair (t, 2 * c.out_height * c.out_width * (c.channels + c.pad), 1);
  snprintf (what, sizeof what, "resize2d %zux%zu to %zux%zu x%zu mode %d", c.in_height, c.in_width,
      c.out_height, c.out_width, c.channels, (int) c.mode);
  if (bench) {
    check_bench (t, what, record, &c, 0, 4.0 * (double) (c.x.n + c.y.n));
  } else if (c.part) {
    c.spans = check_some_spans (t, c.out_height, c.out_width);
    before = check_read_dev (t, c.y);
    check_run (t, what, record, &c);
    check_close_spans (
        t, what, c.y, before, c.spans, c.out_height, c.out_width, c.channels + c.pad, 1e-6);
    free (before);
  } else {
    check_run (t, what, record, &c);
    check_close (t, what, c.y, 1e-6);
  }
  check_free (t);
}

void
check_resize2d (Check *t)
{
  static const size_t sizes[][4] = { { 1, 1, 2, 2 }, { 5, 7, 10, 14 }, { 8, 12, 4, 6 },
    { 9, 9, 9, 9 }, { 37, 53, 19, 74 }, { 70, 70, 3, 1 }, { 3, 3, 5, 64 } };

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int mode = 0; mode < 3; mode++)
      for (size_t n = 3; n <= 24; n += n < 19 ? 8 : 5)
        for (int part = 0; part < 2; part++)
          one (t,
              (Case){ .in_height = sizes[i][0],
                  .in_width = sizes[i][1],
                  .out_height = sizes[i][2],
                  .out_width = sizes[i][3],
                  .channels = n,
                  .pad = n > 3 ? n % 8 ? 1 : 4 : 0,
                  .mode = (AkResize2dMode) mode,
                  .part = part },
              0);
  one (t, /* more than one piece */
      (Case){ .in_height = 200,
          .in_width = 150,
          .out_height = 400,
          .out_width = 300,
          .channels = 11,
          .mode = AK_RESIZE2D_LINEAR },
      0);
  if (!t->bench)
    return;
  one (t,
      (Case){ .in_height = 256,
          .in_width = 256,
          .out_height = 512,
          .out_width = 512,
          .channels = 64,
          .mode = AK_RESIZE2D_LINEAR },
      1);
  one (t,
      (Case){ .in_height = 512,
          .in_width = 512,
          .out_height = 256,
          .out_width = 256,
          .channels = 16,
          .mode = AK_RESIZE2D_LINEAR },
      1);
}
