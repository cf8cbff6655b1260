/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkgate.h"

#include "gst/gstartalkinterrupt.h"

void
gst_artalk_gate_init (GstArtalkGate *gate)
{
  g_mutex_init (&gate->lock);
  gst_artalk_gate_reset (gate);
}

void
gst_artalk_gate_clear (GstArtalkGate *gate)
{
  g_mutex_clear (&gate->lock);
}

void
gst_artalk_gate_reset (GstArtalkGate *gate)
{
  g_mutex_lock (&gate->lock);
  gate->awaited = GST_SEQNUM_INVALID;
  gate->end = GST_CLOCK_TIME_NONE;
  g_mutex_unlock (&gate->lock);
}

/* The running time at which `buffer` ends, or NONE. */
static GstClockTime
end_of (GstPad *pad, GstBuffer *buffer)
{
  g_autoptr (GstEvent) event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;

  if (!event || !GST_BUFFER_PTS_IS_VALID (buffer) || !GST_BUFFER_DURATION_IS_VALID (buffer))
    return GST_CLOCK_TIME_NONE;
  gst_event_parse_segment (event, &segment);
  if (segment->format != GST_FORMAT_TIME)
    return GST_CLOCK_TIME_NONE;
  return gst_segment_to_running_time (
      segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer) + GST_BUFFER_DURATION (buffer));
}

static GstPadProbeReturn
pass (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstEvent *event = GST_IS_EVENT (info->data) ? GST_PAD_PROBE_INFO_EVENT (info) : NULL;
  GstArtalkGate *gate = data;
  GstClockTime end = GST_CLOCK_TIME_NONE;
  gboolean is_open;

  if (event && GST_EVENT_TYPE (event) != GST_EVENT_GAP) {
    if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
      gst_artalk_gate_reset (gate);
    if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM &&
        gst_artalk_is_interrupt (event, NULL, NULL)) {
      g_mutex_lock (&gate->lock);
      if (gst_event_get_seqnum (event) == gate->awaited)
        gate->awaited = GST_SEQNUM_INVALID;
      g_mutex_unlock (&gate->lock);
    }
    return GST_PAD_PROBE_OK;
  }
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
    end = end_of (pad, GST_PAD_PROBE_INFO_BUFFER (info));
  g_mutex_lock (&gate->lock);
  is_open = gate->awaited == GST_SEQNUM_INVALID;
  if (is_open && GST_CLOCK_TIME_IS_VALID (end))
    gate->end = end;
  g_mutex_unlock (&gate->lock);
  return is_open ? GST_PAD_PROBE_OK : GST_PAD_PROBE_DROP;
}

void
gst_artalk_gate_watch (GstArtalkGate *gate, GstElement *queue)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (queue, "src");

  gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
          GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      pass, gate, NULL);
}

GstClockTime
gst_artalk_gate_shut (GstArtalkGate *gate, guint32 seqnum)
{
  GstClockTime end;

  g_mutex_lock (&gate->lock);
  gate->awaited = seqnum;
  end = gate->end;
  g_mutex_unlock (&gate->lock);
  return end;
}
