/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/spans.h"

#define SIDE 24
#define LARGER 4

/* The spans that come of a transmittance, or of x. */
static AkSpan *
run (Check *t, const float *transmittance, const AkSpan *x, AkSpansGrow grow)
{
  size_t n = transmittance ? SIDE / 2 : SIDE / (grow.half ? 4 : 2);
  size_t bytes = LARGER * LARGER * SIDE * SIDE * sizeof (float);
  AkPlan *plan = ak_plan_new (t->dev);
  AkQueue *queue = ak_queue_new (t->dev);
  float *t_dev = ak_plan_memory (plan, bytes);
  AkSpan *x_dev = ak_plan_memory (plan, SIDE / 2 * sizeof *x_dev);
  AkSpan *y_dev = ak_plan_memory (plan, SIDE / 2 * sizeof *y_dev), *y = calloc (n, sizeof *y);

  grow.x = x_dev;
  grow.y = y_dev;
  grow.side = SIDE;
  if (transmittance) {
    ak_upload (queue, t_dev, transmittance, bytes);
    ak_spans_find (
        plan, &(AkSpansFind){ .spans = y_dev, .transmittance = t_dev, .side = SIDE, .n = LARGER });
  } else {
    ak_upload (queue, x_dev, x, SIDE / 2 * sizeof *x);
    ak_spans_grow (plan, &grow);
  }
  t->checks++;
  if (ak_plan_finish (plan) != AK_OK || ak_plan_run (plan, queue, NULL) != AK_OK) {
    printf ("spans: FAILED to run\n");
    t->failures++;
  }
  ak_download (queue, y, y_dev, n * sizeof *y);
  ak_queue_sync (queue);
  ak_queue_free (queue);
  ak_plan_free (plan);
  return y;
}

static void
expect (Check *t, const char *what, AkSpan *got, const AkSpan *want, size_t n)
{
  t->checks++;
  for (size_t i = 0; i < n; i++)
    if (got[i].from != want[i].from || got[i].to != want[i].to) {
      printf ("%s: FAILED: span %zu is %u to %u instead of %u to %u\n", what, i, got[i].from,
          got[i].to, want[i].from, want[i].to);
      t->failures++;
      break;
    }
  free (got);
}

static void
check_find (Check *t)
{
  static float transmittance[LARGER * SIDE][LARGER * SIDE];
  const AkSpan want[SIDE / 2] = { [0] = { SIDE / 2 - 1, SIDE / 2 }, [3] = { 2, 5 } };

  for (size_t i = 0; i < LARGER * SIDE; i++)
    for (size_t k = 0; k < LARGER * SIDE; k++)
      transmittance[i][k] = 1;
  transmittance[0][LARGER * SIDE - 1] = 0;      /* a corner */
  transmittance[3 * 8 + 7][8 * 2 + 7] = 0.999f; /* the last of a square, the first of another */
  transmittance[3 * 8][8 * 4] = 0.5f;
  expect (t, "spans found", run (t, transmittance[0], NULL, (AkSpansGrow){ 0 }), want, SIDE / 2);
}

static void
check_grow (Check *t)
{
  static const AkSpan x[SIDE / 2] = { [0] = { 11, 12 }, [5] = { 3, 4 }, [6] = { 7, 7 } };
  static const AkSpan same[SIDE / 2] = { [0] = { 11, 12 }, [5] = { 3, 4 } };
  static const AkSpan grown[SIDE / 2] = { { 10, 12 }, { 10, 12 }, { 0 }, { 0 }, { 2, 5 }, { 2, 5 },
    { 2, 5 } };
  static const AkSpan half[SIDE / 4] = { [0] = { 5, 6 }, [2] = { 1, 2 } };
  static const AkSpan half_grown[SIDE / 4] = { { 4, 6 }, { 0, 6 }, { 0, 3 }, { 0, 3 } };

  expect (t, "spans as they are", run (t, NULL, x, (AkSpansGrow){ 0 }), same, SIDE / 2);
  expect (t, "spans grown", run (t, NULL, x, (AkSpansGrow){ .grow = 1 }), grown, SIDE / 2);
  expect (
      t, "spans of half the size", run (t, NULL, x, (AkSpansGrow){ .half = 1 }), half, SIDE / 4);
  expect (t, "spans of half the size, grown",
      run (t, NULL, x, (AkSpansGrow){ .grow = 1, .half = 1 }), half_grown, SIDE / 4);
}

/* The door refuses what the contract does. */
static void
check_arguments (Check *t)
{
  AkSpan x, y;
  float number = 1;
  const AkSpansFind find[] = { { NULL, &number, 2, 1 }, { &x, NULL, 2, 1 }, { &x, &number, 3, 1 },
    { &x, &number, 0, 1 }, { &x, &number, 2, 3 }, { &x, &number, 2, 0 } };
  const AkSpansGrow grow[] = { { NULL, &x, 4, 0, 0 }, { &y, NULL, 4, 0, 0 }, { &x, &x, 4, 0, 0 },
    { &y, &x, 3, 0, 0 }, { &y, &x, 6, 0, 1 }, { &y, &x, 4, SIZE_MAX, 0 } };

  for (size_t i = 0; i < 12; i++) {
    AkPlan *plan = ak_plan_new (t->dev);

    if (i < 6)
      ak_spans_find (plan, &find[i]);
    else
      ak_spans_grow (plan, &grow[i - 6]);
    t->checks++;
    if (ak_plan_finish (plan) != AK_ERR_ARG) {
      printf ("spans arguments %zu: FAILED\n", i);
      t->failures++;
    }
    ak_plan_free (plan);
  }
}

void
check_spans (Check *t)
{
  check_find (t);
  check_grow (t);
  check_arguments (t);
}
