/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the elements share that take motion and give motion, frame by frame: pads, caps, checks, events and
 * interruptions. */
#pragma once

#include "gstartalkinterrupt.h"

G_BEGIN_DECLS

#define GST_TYPE_ARTALK_FILTER (gst_artalk_filter_get_type ())
G_DECLARE_DERIVABLE_TYPE (GstArtalkFilter, gst_artalk_filter, GST, ARTALK_FILTER, GstElement)

/* The functions are called in the streaming thread or where no data flow, if nothing else is said. */
struct _GstArtalkFilterClass
{
  GstElementClass parent_class;

  /* May be NULL: how long frames stay in the element. Any thread. */
  GstClockTime (*delay) (GstArtalkFilter *filter);

  /* From now on a frame is `dim` numbers in `basis`; called when either changes. */
  void (*set_format) (GstArtalkFilter *filter, guint dim, const char *basis);
  /* Takes a frame of `numbers` [dim], the copy of what `buffer` (transfer full) holds. */
  GstFlowReturn (*frame) (GstArtalkFilter *filter, const float *numbers, GstBuffer *buffer);
  /* Takes `event` (GAP) and returns whether that went well. */
  gboolean (*gap) (GstArtalkFilter *filter, GstEvent *event);
  /* `event` ends the stream or its time line: EOS, STREAM_START of another stream, SEGMENT of other times. The event
   * is passed on afterwards. */
  void (*boundary) (GstArtalkFilter *filter, GstEvent *event);
  /* May be NULL: TRUE if another serialised event is kept (then it is the element's) to be passed on in its place among
   * frames that wait. */
  gboolean (*keep) (GstArtalkFilter *filter, GstEvent *event);
  /* After a flush: forgets all frames. */
  void (*reset) (GstArtalkFilter *filter);
  /* After an interruption: forgets all frames and goes on at the running time `time` (may be NONE). */
  void (*interrupt) (GstArtalkFilter *filter, GstClockTime time);
  /* May be NULL: an interruption has come. Any thread. */
  void (*notice) (GstArtalkFilter *filter);
  /* May be NULL: frames of a running time come `latency` later on the clock, `live` or not. Any thread. */
  void (*latency) (GstArtalkFilter *filter, gboolean live, GstClockTime latency);
  /* In READY: forgets the format and all frames. May be called more than once. */
  void (*stop) (GstArtalkFilter *filter);
};

GstPad *gst_artalk_filter_sink_pad (GstArtalkFilter *filter);
GstPad *gst_artalk_filter_src_pad (GstArtalkFilter *filter);

/* Numbers per frame; 0 before there are caps. */
guint gst_artalk_filter_dim (GstArtalkFilter *filter);
/* Of the input; UNDEFINED before there is one. */
const GstSegment *gst_artalk_filter_segment (GstArtalkFilter *filter);
/* A writable frame of `numbers` [dim]. (transfer full) */
GstBuffer *gst_artalk_filter_new_frame (GstArtalkFilter *filter, const float *numbers);
/* Makes sure that frames can be sent: where none has come yet, begins a stream, if upstream knows what its motion will be;
 * returns whether it does. Under the stream lock of the sink pad. */
gboolean gst_artalk_filter_begin (GstArtalkFilter *filter);
/* Sees to an interruption that has come; under the stream lock of the sink pad. */
void gst_artalk_filter_settle (GstArtalkFilter *filter);

G_END_DECLS
