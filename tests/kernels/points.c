/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/points.h"

#define POINTS 9
#define COUNT 3
#define KEEP 0.75f

typedef struct
{
  Pair points, average, started, indices; /* these whole numbers */
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;

  ak_average_points (plan, &(AkAveragePoints){ .points = AT (c->points),
                               .indices = (const uint32_t *) AT (c->indices),
                               .n = POINTS,
                               .count = COUNT,
                               .average = AT (c->average),
                               .started = AT (c->started),
                               .keep = KEEP });
}

void
check_points (Check *t)
{
  Case c = { .points = check_pair (t, 3 * POINTS, 2),
    .average = check_pair (t, 3 * COUNT, 2),
    .started = check_pair (t, 1, 1),
    .indices = check_pair (t, COUNT, 1) };
  static const float fresh = 0;
  static const uint32_t indices[COUNT] = { 7, 0, 4 };
  float v[3 * POINTS], u[3 * COUNT];

  check_put (t, c.started, 0, &fresh, 1);
  check_put (t, c.indices, 0, indices, COUNT);
  for (int frame = 0; frame < 4; frame++) {
    float *given = check_read (t, c.points);
    char what[48];

    for (int i = 0; i < 3 * POINTS; i++)
      given[i] += 0.3f * (float) (frame + i % 5);
    if (frame == 2) { /* one bad frame changes nothing for good */
      given[3 * 7] = NAN;
      given[3 * 4 + 1] = INFINITY;
    }
    check_put (t, c.points, 0, given, 3 * POINTS);
    memcpy (v, given, sizeof v);
    for (size_t i = 0; i < COUNT; i++)
      for (size_t k = 0; k < 3; k++) {
        float *x = v + 3 * indices[i] + k, *a = u + 3 * i + k;

        if (frame == 0)
          *a = *x;
        else if (isfinite (*x))
          *a = (float) (KEEP * (double) *a + (1 - KEEP) * (double) *x);
        *x = *a;
      }
    check_run (t, "averaged points", record, &c);
    snprintf (what, sizeof what, "averaged points, frame %d", frame);
    check_want (t, what, c.points, v, 1e-6);
    check_want (t, what, c.average, u, 1e-6);
    free (given);
  }
  check_free (t);
}
