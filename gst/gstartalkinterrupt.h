/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interruptions: somebody stops speaking in the middle of a sentence, and what was said but not yet shown is to be
 * forgotten at once, without a flush. An interruption is a custom event with the structure "artalk-interrupt", in
 * three forms of one seqnum:
 *
 * - GST_EVENT_CUSTOM_DOWNSTREAM_OOB: stops the work on what is being computed, at once and in any thread
 * - GST_EVENT_CUSTOM_DOWNSTREAM, "the mark": follows in order with the data; what comes after it is new. Elements
 *   here make it themselves, so applications need not
 * - GST_EVENT_CUSTOM_UPSTREAM: goes up to the first element here, which sends the out-of-band one down.
 *
 * Fields, all optional:
 * - running-time (guint64): from when on what was said is not shown; without it each element goes on where it is
 * - marked (gboolean): of the out-of-band form: a mark follows, and all data before it are to be dropped. Without it
 *   the next buffer is new. */
#pragma once

#include <gst/gst.h>
#include <stdatomic.h>

G_BEGIN_DECLS

#define GST_ARTALK_INTERRUPT "artalk-interrupt"

/* Whether `event` is an interruption, in any form. `time` (may be NULL) is set to its running time or NONE, `marked`
 * (may be NULL) to the field of that name. */
gboolean gst_artalk_is_interrupt (GstEvent *event, GstClockTime *time, gboolean *marked);

/* An event of `type` for the interruption `seqnum`. (transfer full) */
GstEvent *gst_artalk_interrupt_new (
    GstEventType type, guint32 seqnum, GstClockTime time, gboolean marked);

/* Whether the interruption `seqnum` came after `last` (GST_SEQNUM_INVALID: none). */
gboolean gst_artalk_interrupt_is_new (guint32 seqnum, guint32 last);

/* Where in `segment` sound without a time goes that reaches `sinkpad` now, the first after an interruption at the
 * running time `time` (may be NONE): not before now, if the element of the pad plays. Where nothing is live, a moment
 * later, so that there is time for computing. NONE if that is not in the segment. */
GstClockTime gst_artalk_interrupt_place (
    GstPad *sinkpad, const GstSegment *segment, GstClockTime time);

/* What an element with one sink pad and one source pad has to do about them. */
typedef struct
{
  GstElement *element;
  GstPad *sinkpad, *srcpad;
  /* May be NULL: called in any thread as soon as an interruption comes. */
  void (*notice) (GstElement *element);
  /* Forgets what came before. Streaming thread; the mark goes out right after it. */
  void (*forget) (GstElement *element, GstClockTime time);
  /* May be NULL: has `bit` from the time an interruption comes until `forget` is called. */
  atomic_int *cancel;
  int bit;

  /* object lock */
  guint32 seqnum;    /* the last one that was seen */
  GstClockTime time; /* its running time */
  gboolean pending;  /* `forget` has still to be called */
  gboolean awaits;   /* its mark has still to come */
} GstArtalkInterrupt;

/* Takes `event`, of either pad, and returns TRUE if it is an interruption. */
gboolean gst_artalk_interrupt_event (GstArtalkInterrupt *self, GstEvent *event);

/* All that an element with interruptions does with an event of its source pad: takes interruptions, refuses to be played
 * backward, and hands on the rest. */
gboolean gst_artalk_interrupt_src_event (
    GstArtalkInterrupt *self, GstPad *pad, GstObject *parent, GstEvent *event);

/* Calls `forget` and sends the mark if that is due; returns whether it was. Streaming thread. */
gboolean gst_artalk_interrupt_settle (GstArtalkInterrupt *self);

/* To be called before each buffer and serialised event: settles, and returns whether that is new; if not, buffers and
 * gaps are to be dropped. */
gboolean gst_artalk_interrupt_take (GstArtalkInterrupt *self);

/* After a flush, or in READY: nothing is to be forgotten any more. */
void gst_artalk_interrupt_clear (GstArtalkInterrupt *self);

G_END_DECLS
