/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "kernels/random.h"

#define N 200001

typedef struct
{
  Pair y, again;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  uint64_t *state = ak_plan_memory (plan, sizeof *state);

  ak_random_normal (plan, &(AkRandom){ .y = AT (c->y), .state = state, .scale = 2, .n = N });
  ak_random_normal (plan, &(AkRandom){ .y = AT (c->again), .state = state, .scale = 1, .n = N });
}

/* Moments of y / scale against those of a normal distribution, in standard errors. */
static void
moments (Check *t, const char *what, const float *y, double scale)
{
  static const double want[] = { 0, 1, 0, 3 }, variance[] = { 1, 2, 15, 96 };

  for (int k = 0; k < 4; k++) {
    double s = 0, error;

    for (size_t i = 0; i < N; i++)
      s += pow (y[i] / scale, k + 1);
    error = fabs (s / N - want[k]) / sqrt (variance[k] / N);
    t->checks++;
    if (!(error < 4)) {
      t->failures++;
      printf ("%s: FAILED: moment %d is off by %.1f standard errors\n", what, k + 1, error);
    }
  }
}

void
check_random (Check *t)
{
  Case c = { .y = check_pair (t, N, 1), .again = check_pair (t, N, 1) };
  double product = 0;

  check_run (t, "random", record, &c);
  check_close (t, "random", c.y, 1e-5);
  check_close (t, "random again", c.again, 1e-5);
  moments (t, "random", c.y.plain, 2);
  moments (t, "random again", c.again.plain, 1);
  for (size_t i = 0; i < N; i++) /* the second run has other numbers */
    product += (double) c.y.plain[i] * c.again.plain[i] / 2;
  t->checks++;
  if (!(fabs (product) / sqrt (N) < 4)) {
    t->failures++;
    printf ("random: FAILED: two runs correlate\n");
  }
  check_free (t);
}
