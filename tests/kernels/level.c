/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include "kernels/elementwise.h"
#include "kernels/level.h"

typedef struct
{
  Pair x, y, z, level;
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  AkLevelRunning a = { .y = AT (c->z),
    .x = AT (c->x),
    .level = AT (c->level),
    .batch = 2,
    .n = 321,
    .first = 20,
    .count = 100,
    .up = 0.5f,
    .down = 0.05f };

  ak_level_window (plan, AT (c->y), AT (c->x), 2, 321);
  ak_blend (plan, &(AkBlend){ .y = ak_dense (AT (c->level), 1, 2),
                      .a = ak_dense (AT (c->level), 1, 2),
                      .alpha = 0,
                      .batch = 1,
                      .rows = 1,
                      .cols = 2 });
  for (int i = 0; i < 3; i++)
    ak_level_running (plan, &a);
}

void
check_level (Check *t)
{
  Case c;

  c.x = check_pair (t, 2 * 321, 0.5f);
  c.y = check_pair (t, 2 * 321, 1);
  c.z = check_pair (t, 2 * 321, 1);
  c.level = check_pair (t, 2, 1);
  check_run (t, "level", record, &c);
  check_close (t, "level of a window", c.y, 1e-5);
  check_close (t, "running level", c.z, 1e-5);
  check_free (t);
}
