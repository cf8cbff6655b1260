/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On the host, in double: 106 numbers a frame are too few for a device. */
#include "smooth.h"

#include <string.h>

#define WINDOW 9
#define POSE 6 /* the last channels: global rotation, jaw */

struct _AmSmooth
{
  unsigned dim, delay;
  unsigned seen;  /* frames pushed since the start */
  unsigned given; /* of them, frames that came out */
  float *frames;  /* [WINDOW][dim], frame i at i % WINDOW */
};

/* weight[i][j]: what sample j of a window adds to the fitted polynomial at place i. The middle row is the
 * centred filter; the others serve the ends of a sequence. */
static const double fit5[5][5] = {
  { 31. / 35, 9. / 35, -3. / 35, -5. / 35, 3. / 35 },
  { 9. / 35, 13. / 35, 12. / 35, 6. / 35, -5. / 35 },
  { -3. / 35, 12. / 35, 17. / 35, 12. / 35, -3. / 35 },
  { -5. / 35, 6. / 35, 12. / 35, 13. / 35, 9. / 35 },
  { 3. / 35, -5. / 35, -3. / 35, 9. / 35, 31. / 35 },
};

static double fit9[WINDOW][WINDOW];
static gsize fit9_ready;

/* The cubic fit over nine places, from the orthogonal polynomials of degree 0 to 3 on -4 … 4. */
static void
prepare (void)
{
  if (!g_once_init_enter (&fit9_ready))
    return;
  for (int i = 0; i < WINDOW; i++)
    for (int j = 0; j < WINDOW; j++) {
      int x = i - 4, y = j - 4;
      int p1 = x * y, p2 = (3 * x * x - 20) * (3 * y * y - 20);
      int p3 = x * (5 * x * x - 59) * (y * (5 * y * y - 59));

      fit9[i][j] = 1. / 9 + p1 / 60. + p2 / 2772. + p3 / 35640.;
    }
  g_once_init_leave (&fit9_ready, 1);
}

AmSmooth *
am_smooth_new (unsigned dim, unsigned delay)
{
  AmSmooth *s = g_new0 (AmSmooth, 1);

  prepare ();
  s->dim = dim;
  s->delay = MIN (delay, AM_SMOOTH_DELAY);
  s->frames = g_new (float, (size_t) WINDOW *dim);
  return s;
}

void
am_smooth_free (AmSmooth *s)
{
  if (!s)
    return;
  g_free (s->frames);
  g_free (s);
}

void
am_smooth_reset (AmSmooth *s)
{
  s->seen = s->given = 0;
}

/* Channels c0 … c1-1 of a frame: row `place` of the fit over n frames from `first` on. */
static void
fit (const AmSmooth *s, float *out, unsigned c0, unsigned c1, unsigned first, unsigned n,
    const double *weight)
{
  for (unsigned c = c0; c < c1; c++) {
    double sum = 0;

    for (unsigned j = 0; j < n; j++)
      sum += weight[j] * s->frames[(size_t) ((first + j) % WINDOW) * s->dim + c];
    out[c] = (float) sum;
  }
}

/* The first frame of the window of `n` that serves frame `i` of `seen`. */
static unsigned
window_start (unsigned i, unsigned n, unsigned seen)
{
  unsigned start = i > n / 2 ? i - n / 2 : 0;

  return MIN (start, seen - n);
}

/* Frame `i` from the frames seen; as it is where those are too few for a fit. */
static void
smooth_frame (const AmSmooth *s, unsigned i, float *out)
{
  unsigned rotation = s->dim >= POSE ? s->dim - POSE : s->dim, after = MIN (rotation + 3, s->dim);
  unsigned short_start, long_start;

  if (s->seen < (s->delay == AM_SMOOTH_DELAY ? WINDOW : 5)) {
    memcpy (out, s->frames + (size_t) (i % WINDOW) * s->dim, s->dim * sizeof *out);
    return;
  }
  short_start = window_start (i, 5, s->seen);
  fit (s, out, 0, s->dim, short_start, 5, fit5[i - short_start]);
  if (s->seen < WINDOW)
    return;
  long_start = window_start (i, WINDOW, s->seen);
  fit (s, out, rotation, after, long_start, WINDOW, fit9[i - long_start]);
}

unsigned
am_smooth_push (AmSmooth *s, const float *frame, float *out)
{
  unsigned ready = 0;

  memcpy (s->frames + (size_t) (s->seen % WINDOW) * s->dim, frame, s->dim * sizeof *frame);
  s->seen++;
  if (s->delay == AM_SMOOTH_DELAY && s->seen < WINDOW)
    return 0;
  while (s->given + s->delay < s->seen) {
    smooth_frame (s, s->given++, out);
    out += s->dim;
    ready++;
  }
  return ready;
}

unsigned
am_smooth_finish (AmSmooth *s, float *out)
{
  unsigned ready = 0;

  while (s->given < s->seen) {
    smooth_frame (s, s->given++, out);
    out += s->dim;
    ready++;
  }
  am_smooth_reset (s);
  return ready;
}

void
am_smooth_clean (float *frame, unsigned dim, gboolean fix_pose)
{
  if (dim < POSE)
    return;
  frame[dim - 2] = frame[dim - 1] = 0;
  if (fix_pose)
    frame[dim - 6] = frame[dim - 5] = frame[dim - 4] = 0;
}
