/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an element promises a live stream for computing a window, whether that is kept, and what it is raised to if
 * not. An element that another one follows which ends the work on the same windows hands its account on to that one: what
 * the two promise is one sum, and whether a picture is in time shows at the end of it. */
#pragma once

#include <gst/gst.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/* The object lock of the element guards it. */
typedef struct
{
  GstClockTime wanted;  /* as set; NONE: measured */
  GstClockTime time;    /* promised for a window since READY to PAUSED; NONE: not yet measured */
  GstClockTime latency; /* of a live stream up to and with this element; NONE: nobody asked */
  gboolean live;
  GstClockTimeDiff
      over;      /* how much longer than promised the element before took for the next window */
  gint64 raised; /* when the promise was last raised, or -1 */
  GstClockTimeDiff lead; /* least time from a window's running time to its end of work, or NONE */
  GstClockTimeDiff late; /* the last window's, if the work has fallen behind, else NONE */
} GstArtalkPromise;

/* A window that was computed. */
typedef struct
{
  gint64 now;            /* monotonic time at its end, in microseconds */
  GstClockTime took;     /* by the clock on the wall */
  GstClockTime duration; /* of its new sound */
  GstClockTimeDiff age;  /* from its running time to the end of work, or NONE */
} GstArtalkWindow;

void gst_artalk_promise_init (GstArtalkPromise *self);
/* READY to PAUSED: nothing has been promised yet. */
void gst_artalk_promise_start (GstArtalkPromise *self);

/* Computes a window; FALSE if that failed. */
typedef gboolean (*GstArtalkCompute) (
    gpointer network, const float *in, float *out, const atomic_int *cancel);
/* How long `compute` takes here for a window of `in` zeros, `out` numbers of results, with pauses as in live use: the
 * median of several, or 0 if it failed or there is no `network`. */
GstClockTime gst_artalk_promise_measure (
    GstArtalkCompute compute, gpointer network, gsize in, gsize out, const atomic_int *cancel);
/* Promises a little more than what was measured, `wait` besides, of an element in which data are delayed by `delay`
 * anyway; if nothing is promised yet. */
void gst_artalk_promise_make (
    GstArtalkPromise *self, GstClockTime took, GstClockTime wait, GstClockTime delay);

/* How much longer than promised a window took, less: negative. */
GstClockTimeDiff gst_artalk_promise_over (const GstArtalkPromise *self, GstClockTime took);
/* Raises the promise if `window`, with what the element before handed on, took longer, or if the work falls behind the
 * stream; returns the warning to post then, with a LATENCY message, or NULL. (transfer full) */
char *gst_artalk_promise_judge (GstArtalkPromise *self, const GstArtalkWindow *window);

/* A query for the element downstream: answered if it ends the work on the same windows and judges it. */
GstQuery *gst_artalk_promise_query_new (GstClockTimeDiff over);
gboolean gst_artalk_promise_parse_query (GstQuery *query, GstClockTimeDiff *over);

G_END_DECLS
