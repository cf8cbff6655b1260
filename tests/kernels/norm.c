/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <stdio.h>

#include "kernels/norm.h"

typedef struct
{
  Pair x, y, w, b, s;
  size_t batch, rows, cols, heads;
  int mode; /* 0 plain, 1 affine, 2 modulated */
  AkActivation act;
} Case;

static void
layer_norm (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  AkLayerNorm a = {
    .y = ak_dense (AT (c->y), c->rows, c->cols),
    .x = ak_dense (AT (c->x), c->rows, c->cols),
    .eps = 1e-5f,
    .activation = c->act,
    .batch = c->batch,
    .rows = c->rows,
    .cols = c->cols,
  };

  if (c->mode == 1) {
    a.weight = AT (c->w);
    a.bias = AT (c->b);
  } else if (c->mode == 2) {
    a.scale = check_rows (AT (c->s), 2 * c->cols, 2 * c->cols * c->rows);
    a.shift = ak_from (a.scale, 0, c->cols);
  }
  ak_layer_norm (plan, &a);
}

static void
unit_norm (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  AkRows y = ak_dense (AT (c->y), c->rows, c->heads * c->cols);

  ak_copy (plan, y, ak_dense (AT (c->x), c->rows, c->heads * c->cols), c->batch, c->rows,
      c->heads * c->cols);
  ak_unit_norm (plan, &(AkUnitNorm){ .y = y,
                          .x = y,
                          .factor = c->mode ? AT (c->w) : NULL,
                          .batch = c->batch,
                          .rows = c->rows,
                          .heads = c->heads,
                          .dim = c->cols });
}

void
check_norm (Check *t)
{
  static const size_t cols[] = { 1, 7, 8, 33, 45, 64, 200, 500, 512, 515, 768, 1024, 1028 };
  char what[96];

  for (size_t i = 0; i < sizeof cols / sizeof *cols; i++)
    for (int mode = 0; mode < 3; mode++) {
      Case c = { .batch = 2,
        .rows = 5,
        .cols = cols[i],
        .heads = 3,
        .mode = mode,
        .act = mode == 1 ? AK_ACT_GELU : AK_ACT_NONE };

      c.x = check_pair (t, 2 * 5 * 3 * cols[i], 2);
      c.y = check_pair (t, 2 * 5 * 3 * cols[i], 1);
      c.w = check_pair (t, cols[i] > 3 ? cols[i] : 3, 1);
      c.b = check_pair (t, cols[i], 1);
      c.s = check_pair (t, 2 * 5 * 2 * cols[i], 1);
      snprintf (what, sizeof what, "layer norm %zu mode %d", cols[i], mode);
      check_run (t, what, layer_norm, &c);
      check_close (t, what, c.y, 4e-6);
      snprintf (what, sizeof what, "unit norm %zu mode %d", cols[i], mode);
      check_run (t, what, unit_norm, &c);
      check_close (t, what, c.y, 4e-6);
      check_free (t);
    }
  for (size_t rows = 25; rows <= 1600; rows *= 64) {
    Case c = { .batch = 1, .rows = rows, .cols = 256, .heads = 1, .mode = 1, .act = AK_ACT_GELU };

    if (!t->bench)
      break;
    c.x = check_pair (t, rows * 256, 1);
    c.y = check_pair (t, rows * 256, 1);
    c.w = check_pair (t, 256, 1);
    c.b = check_pair (t, 256, 1);
    snprintf (what, sizeof what, "layer norm + gelu %zux256", rows);
    check_bench (t, what, layer_norm, &c, 0, 8.0 * (double) rows * 256);
    check_free (t);
  }
}
