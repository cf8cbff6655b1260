/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkpromise.h"

#include <stdlib.h>

#define HAND_ON "artalk-computed"
#define STEP (10 * GST_MSECOND) /* of a promise that is raised */
/* Promised on top of what a window was measured to take. */
#define SPARE 8 /* one part in so many, but at least … */
#define LEAST_SPARE (8 * GST_MSECOND)
#define LONG_SPARE (12 * GST_MSECOND) /* where data wait so long already that nobody notices: */
#define UNNOTICED 100                 /* one part in so many */
#define RUNS 7                        /* measured, if they do not take … */
#define LONG G_USEC_PER_SEC           /* … together */
#define REST (20 * 1000)            /* us between two: caches and threads go cold as in live use */
#define BEHIND (GST_SECOND / 2)     /* and a window: the work does not keep up */
#define PAUSE (10 * G_USEC_PER_SEC) /* at least this between two changes of the latency */
#define STOPPED                                                                                    \
  GST_SECOND /* a window that takes so much longer than its sound was not computed all that time */

static GstClockTime
round_up (GstClockTime t, GstClockTime step)
{
  return (t + step - 1) / step * step;
}

void
gst_artalk_promise_init (GstArtalkPromise *self)
{
  self->wanted = GST_CLOCK_TIME_NONE;
  gst_artalk_promise_start (self);
}

void
gst_artalk_promise_start (GstArtalkPromise *self)
{
  *self = (GstArtalkPromise){ .wanted = self->wanted,
    .time = self->wanted,
    .latency = GST_CLOCK_TIME_NONE,
    .raised = -1,
    .lead = GST_CLOCK_STIME_NONE,
    .late = GST_CLOCK_STIME_NONE };
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const GstClockTime x = *(const GstClockTime *) a, y = *(const GstClockTime *) b;

  return (x > y) - (x < y);
}

GstClockTime
gst_artalk_promise_measure (
    GstArtalkCompute compute, gpointer network, gsize in, gsize out, const atomic_int *cancel)
{
  g_autofree float *given = g_new0 (float, in), *results = g_new (float, out);
  const gint64 start = g_get_monotonic_time ();
  GstClockTime took[RUNS];
  guint n = 0;

  if (!network)
    return 0;
  for (guint i = 0; n == 0 || (n < RUNS && g_get_monotonic_time () - start < LONG); i++) {
    gint64 begun;

    g_usleep (i > 0 ? REST : 0);
    begun = g_get_monotonic_time ();
    if (!compute (network, given, results, cancel))
      return 0;
    took[n] = (g_get_monotonic_time () - begun) * GST_USECOND;
    if (i > 0 || took[n] > LONG * GST_USECOND) /* the first run also fetches the weights */
      n++;
  }
  qsort (took, n, sizeof *took, compare);
  return took[n / 2];
}

void
gst_artalk_promise_make (
    GstArtalkPromise *self, GstClockTime took, GstClockTime wait, GstClockTime delay)
{
  const GstClockTime least = CLAMP (delay / UNNOTICED, LEAST_SPARE, LONG_SPARE);

  if (self->time == GST_CLOCK_TIME_NONE)
    self->time = round_up (took + MAX (took / SPARE, least) + wait, GST_MSECOND);
}

GstClockTimeDiff
gst_artalk_promise_over (const GstArtalkPromise *self, GstClockTime took)
{
  return self->time == GST_CLOCK_TIME_NONE ? 0 : GST_CLOCK_DIFF (self->time, took);
}

/* How far the work has fallen behind the stream, if that is much more than it was before and still growing: a stream
 * that is late as it comes is not the work's fault, and after a stop of the whole process it catches up. */
static GstClockTimeDiff
fallen_behind (GstArtalkPromise *self, const GstArtalkWindow *window)
{
  const GstClockTimeDiff age = window->age, promised = (GstClockTimeDiff) self->latency;
  gboolean grows;

  if (age == GST_CLOCK_STIME_NONE || self->latency == GST_CLOCK_TIME_NONE)
    return 0;
  if (self->lead == GST_CLOCK_STIME_NONE || age < self->lead)
    self->lead = age;
  if (age <= promised || age - self->lead <= (GstClockTimeDiff) (window->duration + BEHIND)) {
    self->late = GST_CLOCK_STIME_NONE;
    return 0;
  }
  grows = self->late != GST_CLOCK_STIME_NONE && age > self->late;
  self->late = age;
  return grows ? MIN (age - promised, age - self->lead) : 0;
}

/* Whether a window that took longer makes nobody wait: the source is early, or promises more than it needs. */
static gboolean
is_in_time (const GstArtalkPromise *self, const GstArtalkWindow *window)
{
  return window->age != GST_CLOCK_STIME_NONE && self->latency != GST_CLOCK_TIME_NONE &&
         window->age <= (GstClockTimeDiff) self->latency;
}

char *
gst_artalk_promise_judge (GstArtalkPromise *self, const GstArtalkWindow *window)
{
  const GstClockTime promised = self->time;
  const GstClockTimeDiff before = self->over;
  GstClockTimeDiff over, behind;

  self->over = 0;
  if (promised == GST_CLOCK_TIME_NONE)
    return NULL;
  over = is_in_time (self, window) ? 0 : before + gst_artalk_promise_over (self, window->took);
  behind = fallen_behind (self, window);
  if ((over <= 0 && behind == 0) || (self->raised >= 0 && window->now - self->raised < PAUSE))
    return NULL;
  /* a process that was stopped for a while is not one that needs so long */
  over = MIN (over, (GstClockTimeDiff) (window->duration + STOPPED));
  self->time = round_up (promised + (GstClockTime) MAX (over, behind), STEP);
  self->raised = window->now;
  self->lead = self->late = GST_CLOCK_STIME_NONE;
  if (behind > 0)
    return g_strdup_printf (
        "This machine cannot keep up with the stream: it is %d ms behind, and the latency grows. "
        "Let windows overlap less (a longer hop), or use a smaller model.",
        (int) (behind / (GstClockTimeDiff) GST_MSECOND));
  return g_strdup_printf (
      "This machine needed %.1f ms more for a window than was promised: the latency grows. Set a "
      "longer processing-deadline, or use a smaller model.",
      (double) over / GST_MSECOND);
}

GstQuery *
gst_artalk_promise_query_new (GstClockTimeDiff over)
{
  return gst_query_new_custom (
      GST_QUERY_CUSTOM, gst_structure_new (HAND_ON, "over", G_TYPE_INT64, over, NULL));
}

gboolean
gst_artalk_promise_parse_query (GstQuery *query, GstClockTimeDiff *over)
{
  const GstStructure *s =
      GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM ? gst_query_get_structure (query) : NULL;
  gint64 value;

  if (!s || !gst_structure_has_name (s, HAND_ON) || !gst_structure_get_int64 (s, "over", &value))
    return FALSE;
  *over = value;
  return TRUE;
}
