/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/compose.h"

#define PIXELS 333
#define SIDE 5
#define WIDTH 8
#define HEIGHT 7

typedef struct
{
  Pair y, splats, refined, transmittance, background;
  AkComposeMode mode;
  int refine;
  size_t row; /* of the splats' colours */
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;

  ak_compose (
      plan, &(AkCompose){ .y = ak_dense (AT (c->y), PIXELS, 4),
                .splats = ak_dense (AT (c->splats), PIXELS, c->row),
                .refined = c->refine ? ak_dense (AT (c->refined), PIXELS, 3) : (AkRows){ 0 },
                .transmittance = AT (c->transmittance),
                .background = AT (c->background),
                .mode = c->mode,
                .pixels = PIXELS });
}

static double
clamp (double v)
{
  return v > 0 ? v < 1 ? v : 1 : 0;
}

static void
check_case (Check *t, AkComposeMode mode, int refine, float over, size_t row)
{
  Case c = { .y = check_pair (t, 4 * PIXELS, 1),
    .splats = check_pair (t, row * PIXELS, 1),
    .refined = check_pair (t, 3 * PIXELS, 1.2f),
    .transmittance = check_pair (t, PIXELS, 1.1f),
    .background = check_pair (t, 4, 1),
    .mode = mode,
    .refine = refine,
    .row = row };
  float *want = malloc (4 * PIXELS * sizeof *want), *s, *r, *m, *b;
  char what[80];

  check_put (t, c.background, 3, &over, 1);
  check_put (t, c.transmittance, 5, &(const float){ 0.999f }, 1); /* next to nothing covered */
  check_put (t, c.splats, 6, &(const float){ NAN }, 1);
  s = check_read (t, c.splats);
  r = check_read (t, c.refined);
  m = check_read (t, c.transmittance);
  b = check_read (t, c.background);
  for (size_t i = 0; i < PIXELS; i++) {
    double a = clamp (1 - (double) m[i]);

    for (size_t k = 0; k < 3; k++) {
      double d = refine ? 2 * (double) r[3 * i + k] - 1 : 0, v = s[row * i + k];

      want[4 * i + k] = (float) (mode == AK_COMPOSE_REPLACE ? clamp (r[3 * i + k])
                                 : over != 0     ? clamp (v + a * d) + (1 - a) * (double) b[k]
                                 : a < 1 / 255.0 ? 0
                                                 : clamp (v / a + d));
    }
    want[4 * i + 3] = (float) a;
  }
  snprintf (what, sizeof what, "compose, mode %d, %s, %s, rows of %zu", (int) mode,
      refine ? "refined" : "plain", over != 0 ? "over a background" : "straight", row);
  check_run (t, what, record, &c);
  check_want (t, what, c.y, want, 1e-4); /* v / a grows with rounding where a is small */
  free (want);
  free (s);
  free (r);
  free (m);
  free (b);
  check_free (t);
}

typedef struct
{
  Pair x, rgba; /* these bytes */
  float round;
} Bytes;

static void
record_bytes (AkPlan *plan, int plain, void *data)
{
  Bytes *c = data;

  ak_bytes (plan, &(AkBytes){ .rgba = (uint8_t *) AT (c->rgba),
                      .x = AT (c->x),
                      .width = WIDTH,
                      .height = HEIGHT,
                      .side = SIDE,
                      .round = c->round });
}

static void
check_bytes (Check *t, float round)
{
  Bytes c = { .x = check_pair (t, 4 * SIDE * SIDE, 1.3f),
    .rgba = check_pair (t, WIDTH * HEIGHT, 1),
    .round = round };
  uint8_t bytes[4 * WIDTH * HEIGHT];
  float *x;

  check_put (t, c.x, 3, (const float[2]){ 1, NAN }, 2);
  memset (bytes, 77, sizeof bytes);
  check_put (t, c.rgba, 0, bytes, WIDTH * HEIGHT);
  x = check_read (t, c.x);
  check_run (t, "bytes", record_bytes, &c);
  for (int plain = 0; plain < 2; plain++) {
    float *got = plain ? check_read (t, c.rgba) : check_read_dev (t, c.rgba);

    memcpy (bytes, got, sizeof bytes);
    free (got);
    for (int i = 0; i < 4 * WIDTH * HEIGHT; i++) {
      int row = i / 4 / WIDTH - 1, col = i / 4 % WIDTH - 1, want = 77;

      if (row >= 0 && row < SIDE && col >= 0 && col < SIDE)
        want =
            (int) floor (255 * (float) clamp (x[4 * (row * SIDE + col) + i % 4]) + (double) round);
      if (bytes[i] != want) {
        printf ("bytes: FAILED: %d instead of %d at %d\n", bytes[i], want, i);
        t->failures++;
      }
    }
  }
  t->checks++;
  free (x);
  check_free (t);
}

void
check_compose (Check *t)
{
  check_case (t, AK_COMPOSE_REPLACE, 1, 1, 6);
  for (int k = 0; k < 4; k++)
    for (size_t row = 3; row <= 6; row += 3)
      check_case (t, AK_COMPOSE_ADD, k & 1, (float) (k >> 1), row);
  check_bytes (t, 0);
  check_bytes (t, 0.5f);
}
