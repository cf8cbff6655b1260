/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkinterrupt.h"
#include "gstartalkstream.h"

/* For sound without a time in a pipeline that is not live: enough for a first window of most models. */
#define LEAD (200 * GST_MSECOND)

gboolean
gst_artalk_is_interrupt (GstEvent *event, GstClockTime *time, gboolean *marked)
{
  const GstStructure *s;
  guint64 t;

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CUSTOM_DOWNSTREAM:
    case GST_EVENT_CUSTOM_DOWNSTREAM_OOB:
    case GST_EVENT_CUSTOM_UPSTREAM:
      break;
    default:
      return FALSE;
  }
  s = gst_event_get_structure (event);
  if (!s || !gst_structure_has_name (s, GST_ARTALK_INTERRUPT))
    return FALSE;
  if (time)
    *time = gst_structure_get_uint64 (s, "running-time", &t) ? t : GST_CLOCK_TIME_NONE;
  if (marked && !gst_structure_get_boolean (s, "marked", marked))
    *marked = FALSE;
  return TRUE;
}

GstEvent *
gst_artalk_interrupt_new (GstEventType type, guint32 seqnum, GstClockTime time, gboolean marked)
{
  GstStructure *s = gst_structure_new_empty (GST_ARTALK_INTERRUPT);
  GstEvent *event;

  if (GST_CLOCK_TIME_IS_VALID (time))
    gst_structure_set (s, "running-time", G_TYPE_UINT64, time, NULL);
  if (marked)
    gst_structure_set (s, "marked", G_TYPE_BOOLEAN, TRUE, NULL);
  event = gst_event_new_custom (type, s);
  gst_event_set_seqnum (event, seqnum);
  return event;
}

gboolean
gst_artalk_interrupt_is_new (guint32 seqnum, guint32 last)
{
  return last == GST_SEQNUM_INVALID || gst_util_seqnum_compare (seqnum, last) > 0;
}

static gboolean
is_live (GstPad *sinkpad)
{
  GstQuery *query = gst_query_new_latency ();
  gboolean live = FALSE;

  if (gst_pad_peer_query (sinkpad, query))
    gst_query_parse_latency (query, &live, NULL, NULL);
  gst_query_unref (query);
  return live;
}

GstClockTime
gst_artalk_interrupt_place (GstPad *sinkpad, const GstSegment *segment, GstClockTime time)
{
  g_autoptr (GstElement) element = gst_pad_get_parent_element (sinkpad);
  g_autoptr (GstClock) clock = NULL;

  if (element && GST_STATE (element) == GST_STATE_PLAYING)
    clock = gst_element_get_clock (element);
  if (clock) {
    const GstClockTime now = gst_clock_get_time (clock), base = gst_element_get_base_time (element);
    const GstClockTime earliest = now - MIN (now, base) + (is_live (sinkpad) ? 0 : LEAD);

    if (!GST_CLOCK_TIME_IS_VALID (time) || time < earliest)
      time = earliest;
  }
  if (segment->format != GST_FORMAT_TIME)
    return time;
  return GST_CLOCK_TIME_IS_VALID (time)
             ? gst_segment_position_from_running_time (segment, GST_FORMAT_TIME, time)
             : time;
}

/* Takes note of the interruption `seqnum`; FALSE if it is known. */
static gboolean
note (GstArtalkInterrupt *self, guint32 seqnum, GstClockTime time, gboolean awaits)
{
  gboolean is_new;

  GST_OBJECT_LOCK (self->element);
  is_new = gst_artalk_interrupt_is_new (seqnum, self->seqnum);
  if (is_new) {
    self->seqnum = seqnum;
    self->time = time;
    self->pending = TRUE;
    self->awaits = awaits;
    if (self->cancel)
      atomic_fetch_or (self->cancel, self->bit);
  }
  GST_OBJECT_UNLOCK (self->element);
  if (is_new && self->notice)
    self->notice (self->element);
  return is_new;
}

/* The mark of the interruption `seqnum` has come. */
static void
reach_mark (GstArtalkInterrupt *self, guint32 seqnum, GstClockTime time)
{
  note (self, seqnum, time, FALSE); /* if it comes alone */
  GST_OBJECT_LOCK (self->element);
  if (seqnum == self->seqnum)
    self->awaits = FALSE; /* else another interruption is on its way */
  GST_OBJECT_UNLOCK (self->element);
  gst_artalk_interrupt_settle (self);
}

gboolean
gst_artalk_interrupt_event (GstArtalkInterrupt *self, GstEvent *event)
{
  const guint32 seqnum = gst_event_get_seqnum (event);
  GstClockTime time;
  gboolean marked;

  if (!gst_artalk_is_interrupt (event, &time, &marked))
    return FALSE;
  if (GST_EVENT_IS_UPSTREAM (event)) {
    gst_pad_push_event (self->sinkpad, gst_event_ref (event));
    marked = FALSE;
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM)
    reach_mark (self, seqnum, time);
  else if (note (self, seqnum, time, marked)) /* not so if the way up has brought it back already */
    gst_pad_push_event (self->srcpad,
        gst_artalk_interrupt_new (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, seqnum, time, TRUE));
  gst_event_unref (event);
  return TRUE;
}

gboolean
gst_artalk_interrupt_settle (GstArtalkInterrupt *self)
{
  GstClockTime time;
  gboolean pending;
  guint32 seqnum;

  GST_OBJECT_LOCK (self->element);
  pending = self->pending;
  seqnum = self->seqnum;
  time = self->time;
  self->pending = FALSE;
  if (pending && self->cancel)
    atomic_fetch_and (self->cancel, ~self->bit);
  GST_OBJECT_UNLOCK (self->element);
  if (!pending)
    return FALSE;
  GST_DEBUG_OBJECT (
      self->element, "interrupted, going on at %" GST_TIME_FORMAT, GST_TIME_ARGS (time));
  self->forget (self->element, time);
  gst_pad_push_event (
      self->srcpad, gst_artalk_interrupt_new (GST_EVENT_CUSTOM_DOWNSTREAM, seqnum, time, FALSE));
  return TRUE;
}

gboolean
gst_artalk_interrupt_take (GstArtalkInterrupt *self)
{
  gboolean awaits;

  gst_artalk_interrupt_settle (self);
  GST_OBJECT_LOCK (self->element);
  awaits = self->awaits;
  GST_OBJECT_UNLOCK (self->element);
  return !awaits;
}

void
gst_artalk_interrupt_clear (GstArtalkInterrupt *self)
{
  GST_OBJECT_LOCK (self->element);
  self->pending = self->awaits = FALSE;
  if (self->cancel)
    atomic_fetch_and (self->cancel, ~self->bit);
  GST_OBJECT_UNLOCK (self->element);
}

gboolean
gst_artalk_interrupt_src_event (
    GstArtalkInterrupt *self, GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (gst_artalk_interrupt_event (self, event))
    return TRUE;
  if (gst_artalk_is_backward_seek (parent, event)) {
    gst_event_unref (event);
    return FALSE;
  }
  return gst_pad_event_default (pad, parent, event);
}
