/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR 30        /* characters */
#define FPS 25.0      /* frames of speech per second */
#define LINE_EVERY 10 /* percent, or seconds where the total is not known; not on a terminal */

struct _Progress
{
  gboolean quiet, tty;
  gboolean drawn; /* something is on the terminal's line */
  gint64 start;   /* microseconds */
  gint64 first;   /* when the first frame was seen, 0 before */
  char *said;     /* by progress_say() */
  guint64 last;   /* LINE_EVERY steps told of so far */
};

Progress *
progress_new (gboolean quiet)
{
  Progress *p = g_new0 (Progress, 1);

  p->quiet = quiet;
  p->tty = isatty (STDERR_FILENO);
  p->start = g_get_monotonic_time ();
  return p;
}

void
progress_free (Progress *p)
{
  g_free (p->said);
  g_free (p);
}

double
progress_elapsed (const Progress *p)
{
  return (double) (g_get_monotonic_time () - p->start) / G_USEC_PER_SEC;
}

void
progress_clear (Progress *p)
{
  if (p->drawn)
    fputs ("\r\033[K", stderr);
  p->drawn = FALSE;
}

void
progress_say (Progress *p, const char *what)
{
  if (p->quiet || p->first != 0 || g_strcmp0 (what, p->said) == 0)
    return;
  g_free (p->said);
  p->said = g_strdup (what);
  if (p->tty) {
    progress_clear (p);
    fprintf (stderr, "%s …", what);
    p->drawn = TRUE;
  } else {
    fprintf (stderr, "%s\n", what);
  }
}

static char *
clock_text (double seconds)
{
  guint64 s = (guint64) (seconds + 0.5);

  if (s >= 3600)
    return g_strdup_printf (
        "%u:%02u:%02u", (unsigned) (s / 3600), (unsigned) (s / 60 % 60), (unsigned) (s % 60));
  return g_strdup_printf ("%u:%02u", (unsigned) (s / 60), (unsigned) (s % 60));
}

void
progress_show (Progress *p, guint64 done, guint64 total)
{
  double elapsed = progress_elapsed (p), spent, speed;
  g_autofree char *at = clock_text ((double) done / FPS), *of = clock_text ((double) total / FPS),
                  *left = NULL;
  char bar[BAR + 1];
  gsize filled;

  if (p->quiet || done == 0)
    return;
  if (p->first == 0)
    p->first = g_get_monotonic_time ();
  done = total > 0 ? MIN (done, total) : done;
  spent = (double) (g_get_monotonic_time () - p->first) / G_USEC_PER_SEC;
  speed = (double) done / FPS / MAX (elapsed, 1e-3);
  if (!p->tty) {
    guint64 step = total > 0 ? done * 100 / total / LINE_EVERY : (guint64) elapsed / LINE_EVERY;
    if (step > p->last)
      fprintf (stderr,
          total > 0 ? "%s of %s, %.1f times real time\n" : "%s%.0s, %.1f times real time\n", at, of,
          speed);
    p->last = MAX (p->last, step);
    return;
  }
  if (total == 0) {
    fprintf (stderr, "\r\033[K%s  %.1fx real time", at, speed);
  } else {
    filled = (gsize) (done * BAR / total);
    memset (bar, '#', filled);
    memset (bar + filled, '.', BAR - filled);
    bar[BAR] = '\0';
    left = clock_text (spent * (double) (total - done) / (double) done);
    fprintf (stderr, "\r\033[K[%s] %3u %%  %s of %s  %.1fx real time  %s left", bar,
        (unsigned) (done * 100 / total), at, of, speed, left);
  }
  p->drawn = TRUE;
}
