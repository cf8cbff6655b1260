/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <stdio.h>

#include "kernels/resize.h"

typedef struct
{
  Pair x, y;
  size_t in, out, cols;
  AkResizeMode mode;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;

  for (int i = 0; i < 2; i++)
    ak_resize (plan, &(AkResize){ .y = ak_dense (AT (c->y), c->out, c->cols),
                         .x = ak_dense (AT (c->x), c->in, c->cols),
                         .mode = c->mode,
                         .batch = 2,
                         .in_rows = c->in,
                         .out_rows = c->out,
                         .cols = c->cols,
                         .factor = i ? -0.5f : 1,
                         .accumulate = i });
}

void
check_resize (Check *t)
{
  static const size_t sizes[] = { 1, 4, 5, 25, 49, 100, 199 };
  char what[64];

  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
      for (int mode = 0; mode < 2; mode++) {
        Case c = { .in = sizes[i], .out = sizes[j], .cols = 7, .mode = (AkResizeMode) mode };

        c.x = check_pair (t, 2 * c.in * c.cols, 1);
        c.y = check_pair (t, 2 * c.out * c.cols, 1);
        snprintf (what, sizeof what, "resize %zu to %zu mode %d", c.in, c.out, mode);
        check_run (t, what, record, &c);
        check_close (t, what, c.y, 1e-6);
        check_free (t);
      }
}
