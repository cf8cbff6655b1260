/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>

typedef struct
{
  AkRotary a;
  const double *turn; /* [rows][dim / 2][2]: cos, sin */
} Node;

static void
rotary (const void *args, size_t from, size_t to)
{
  const Node *n = args;
  const AkRotary *a = &n->a;
  size_t half = a->dim / 2;

  for (size_t i = from; i < to; i++) {
    const double *turn = n->turn + i % a->rows * a->dim;

    for (size_t h = 0; h < a->heads; h++) {
      const float *x = ak_row (a->x, a->rows, i) + h * a->dim;
      float *y = ak_row (a->y, a->rows, i) + h * a->dim;

      for (size_t c = 0; c < half; c++) {
        double u = x[c], v = x[c + half], cosine = turn[2 * c], sine = turn[2 * c + 1];

        y[c] = (float) (u * cosine - v * sine);
        y[c + half] = (float) (v * cosine + u * sine);
      }
    }
  }
}

static void
rotary_record (AkPlan *plan, const AkRotary *a)
{
  double *turn = ak_plan_memory (plan, a->rows * a->dim * sizeof *turn);
  Node n = { *a, turn };

  if (!turn)
    return;
  for (size_t r = 0; r < a->rows; r++)
    for (size_t c = 0; c < a->dim / 2; c++) {
      double angle = (double) r * pow (a->base, -2.0 * (double) c / (double) a->dim);

      turn[r * a->dim + 2 * c] = cos (angle);
      turn[r * a->dim + 2 * c + 1] = sin (angle);
    }
  ak_cpu_append_rows (plan, rotary, &n, sizeof n, a->batch * a->rows, a->heads * a->dim);
}

void
ak_cpu_rotary_init (AkOps *ops)
{
  ops->rotary = rotary_record;
}
