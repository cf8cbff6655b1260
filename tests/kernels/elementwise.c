/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <stdio.h>

#include "kernels/elementwise.h"

typedef struct
{
  Pair x, y, z, v;
  size_t cols;
  AkActivation act;
} Case;

#define BATCH 2
#define ROWS 5

static void
activate (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;

  if (c->act == AK_ACT_RSQRT) { /* needs positive numbers */
    Case first = *c;

    first.act = AK_ACT_SIGMOID;
    activate (plan, plain, &first);
    ak_activate (plan, &(AkActivate){ .y = ak_dense (AT (c->y), ROWS, c->cols),
                           .x = ak_dense (AT (c->y), ROWS, c->cols),
                           .activation = c->act,
                           .batch = BATCH,
                           .rows = ROWS,
                           .cols = c->cols });
    return;
  }
  ak_activate (plan, &(AkActivate){ .y = ak_dense (AT (c->y), ROWS, c->cols),
                         .x = ak_dense (AT (c->x), ROWS, c->cols),
                         .activation = c->act,
                         .batch = BATCH,
                         .rows = ROWS,
                         .cols = c->cols });
}

static void
chain (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  AkRows x = ak_dense (AT (c->x), ROWS, c->cols), y = ak_dense (AT (c->y), ROWS, c->cols);
  AkRows z = ak_dense (AT (c->z), ROWS, c->cols);

  ak_blend (plan, &(AkBlend){ .y = y,
                      .a = x,
                      .b = ak_same (AT (c->v)),
                      .alpha = 1.1f,
                      .beta = -0.1f,
                      .batch = BATCH,
                      .rows = ROWS,
                      .cols = c->cols });
  ak_affine (plan, &(AkAffine){ .y = y,
                       .x = y,
                       .sub = AT (c->v),
                       .mul = AT (c->v),
                       .batch = BATCH,
                       .rows = ROWS,
                       .cols = c->cols });
  ak_finite (plan, y, y, BATCH, ROWS, c->cols);
  ak_mean (plan, &(AkMean){ .y = z, .x = y, .batch = BATCH, .rows = ROWS, .cols = c->cols });
  ak_copy (plan, ak_from (z, 1, 0), ak_from (z, 0, 0), BATCH, 1, c->cols);
}

void
check_elementwise (Check *t)
{
  static const size_t cols[] = { 1, 5, 8, 31, 257 };
  char what[64];

  for (size_t i = 0; i < sizeof cols / sizeof *cols; i++)
    for (int act = 0; act < 9; act++) {
      Case c = { .cols = cols[i], .act = (AkActivation) act };

      c.x = check_pair (t, BATCH * ROWS * cols[i], 12);
      c.y = check_pair (t, BATCH * ROWS * cols[i], 1);
      c.z = check_pair (t, BATCH * ROWS * cols[i], 1);
      c.v = check_pair (t, cols[i], 1);
      snprintf (what, sizeof what, "activation %d, %zu columns", act, cols[i]);
      check_run (t, what, activate, &c);
      check_close (t, what, c.y, 1e-6);
      snprintf (what, sizeof what, "blend, affine, mean, %zu columns", cols[i]);
      check_run (t, what, chain, &c);
      check_close (t, what, c.z, 1e-6);
      check_free (t);
    }
  for (int act = 1; act < 8 && t->bench; act++) {
    Case c = { .cols = 100000, .act = (AkActivation) act };

    c.x = check_pair (t, BATCH * ROWS * c.cols, 3);
    c.y = check_pair (t, BATCH * ROWS * c.cols, 1);
    snprintf (what, sizeof what, "activation %d", act);
    check_bench (t, what, activate, &c, 0, 8.0 * BATCH * ROWS * (double) c.cols);
    check_free (t);
  }
}
