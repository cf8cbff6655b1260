/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkcut.h"

#include <gst/audio/audio.h>

#include "gst/gstartalkinterrupt.h"

#define MESSAGE "artalk-interrupted"
#define PAUSE GST_SECOND /* a longer hole begins another speech */

void
gst_artalk_cut_init (GstArtalkCut *cut, GstElement *bin)
{
  cut->bin = bin;
  g_mutex_init (&cut->lock);
  gst_artalk_gate_init (&cut->sound);
  gst_artalk_gate_init (&cut->frames);
  gst_artalk_gate_init (&cut->audio);
  gst_artalk_cut_reset (cut);
}

void
gst_artalk_cut_clear (GstArtalkCut *cut)
{
  gst_clear_event (&cut->mark);
  gst_artalk_gate_clear (&cut->sound);
  gst_artalk_gate_clear (&cut->frames);
  gst_artalk_gate_clear (&cut->audio);
  g_mutex_clear (&cut->lock);
}

/* Nothing was heard. */
static void
forget (GstArtalkCut *cut)
{
  g_mutex_lock (&cut->lock);
  gst_clear_event (&cut->mark);
  cut->at = cut->from = cut->until = cut->next = GST_CLOCK_TIME_NONE;
  cut->stamps = FALSE;
  g_mutex_unlock (&cut->lock);
}

void
gst_artalk_cut_reset (GstArtalkCut *cut)
{
  gst_artalk_gate_reset (&cut->sound);
  gst_artalk_gate_reset (&cut->frames);
  gst_artalk_gate_reset (&cut->audio);
  forget (cut);
  cut->latency = 0;
  cut->rate = 0;
}

/* What comes in */

/* Takes note of sound from `pts` for `duration`, in `segment`. Under the lock. */
static void
note (GstArtalkCut *cut, const GstSegment *segment, GstClockTime pts, GstClockTime duration)
{
  const GstClockTime from = gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts);
  const GstClockTime until = gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts + duration);

  if (!GST_CLOCK_TIME_IS_VALID (from) || !GST_CLOCK_TIME_IS_VALID (until))
    return;
  if (!GST_CLOCK_TIME_IS_VALID (cut->until) || from > cut->until + PAUSE)
    cut->from = from;
  cut->until = until;
}

/* Gives `buffer` a time if it has none and that of the ones before was lost by an interruption. */
static GstBuffer *
take_buffer (GstArtalkCut *cut, GstPad *pad, GstBuffer *buffer)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  g_autoptr (GstEvent) event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  GstClockTime pts = GST_BUFFER_PTS (buffer), duration, at;
  const GstSegment *segment;
  GstAudioInfo info;
  gboolean stamps;

  if (!event || !caps || !gst_audio_info_from_caps (&info, caps))
    return buffer;
  gst_event_parse_segment (event, &segment);
  if (segment->format != GST_FORMAT_TIME)
    return buffer;
  duration = gst_util_uint64_scale (gst_buffer_get_size (buffer) / info.bpf, GST_SECOND, info.rate);
  g_mutex_lock (&cut->lock);
  stamps = cut->stamps && !GST_CLOCK_TIME_IS_VALID (pts);
  if (!GST_CLOCK_TIME_IS_VALID (pts))
    pts = cut->next;
  at = cut->at;
  g_mutex_unlock (&cut->lock);
  if (!GST_CLOCK_TIME_IS_VALID (pts) && stamps)
    pts = gst_artalk_interrupt_place (pad, segment, at);
  if (!GST_CLOCK_TIME_IS_VALID (pts))
    pts = segment->start;
  g_mutex_lock (&cut->lock);
  cut->rate = info.rate;
  cut->next = pts + duration;
  note (cut, segment, pts, duration);
  g_mutex_unlock (&cut->lock);
  if (stamps) {
    buffer = gst_buffer_make_writable (buffer);
    GST_BUFFER_PTS (buffer) = pts;
    GST_BUFFER_DURATION (buffer) = duration;
  }
  return buffer;
}

static GstPadProbeReturn
hear (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstArtalkCut *cut = data;
  GstEvent *mark;

  if (GST_IS_EVENT (info->data) && GST_EVENT_TYPE (info->data) == GST_EVENT_FLUSH_STOP)
    forget (cut);
  if (GST_IS_EVENT (info->data) && GST_EVENT_TYPE (info->data) != GST_EVENT_GAP)
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&cut->lock);
  mark = g_steal_pointer (&cut->mark);
  g_mutex_unlock (&cut->lock);
  if (mark)
    gst_pad_send_event (pad, mark); /* on, and before what is to come */
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
    GST_PAD_PROBE_INFO_DATA (info) = take_buffer (cut, pad, GST_PAD_PROBE_INFO_BUFFER (info));
  return GST_PAD_PROBE_OK;
}

/* Interruptions */

/* The running time that is seen and heard by now: where frames went out until `end`, and sinks keep to the clock. */
static GstClockTime
presented (GstArtalkCut *cut, GstClockTime end)
{
  g_autoptr (GstClock) clock = NULL;
  GstClockTime now, start;

  if (GST_STATE (cut->bin) == GST_STATE_PLAYING)
    clock = gst_element_get_clock (cut->bin);
  if (!clock)
    return end;
  now = gst_clock_get_time (clock);
  start = gst_element_get_base_time (cut->bin) + cut->latency;
  now = now > start ? now - start : 0;
  return GST_CLOCK_TIME_IS_VALID (end) ? MIN (now, end) : now;
}

/* What the application is told of the interruption `seqnum` at the running time `time`. Under the lock. (transfer full) */
static GstMessage *
report (GstArtalkCut *cut, guint32 seqnum, GstClockTime time, GstClockTime end)
{
  const GstClockTime now = presented (cut, end);
  GstClockTime heard = 0;
  GstMessage *message;

  if (GST_CLOCK_TIME_IS_VALID (cut->from) && GST_CLOCK_TIME_IS_VALID (now) && now > cut->from)
    heard = MIN (now, cut->until) - cut->from;
  message = gst_message_new_element (GST_OBJECT (cut->bin),
      gst_structure_new (MESSAGE, "running-time", G_TYPE_UINT64, time, "heard", G_TYPE_UINT64,
          heard, "samples", G_TYPE_UINT64, gst_util_uint64_scale (heard, cut->rate, GST_SECOND),
          "rate", G_TYPE_INT, cut->rate, NULL));
  gst_message_set_seqnum (message, seqnum);
  return message;
}

gboolean
gst_artalk_cut_event (GstArtalkCut *cut, GstEvent *event)
{
  const guint32 seqnum = gst_event_get_seqnum (event);
  GstMessage *message;
  GstClockTime time, end;
  gboolean marked;

  if (!gst_artalk_is_interrupt (event, &time, &marked))
    return FALSE;
  if (GST_EVENT_IS_UPSTREAM (event)) {
    gst_pad_push_event (cut->input, gst_event_ref (event));
    marked = FALSE;
  }
  gst_event_unref (event);
  g_mutex_lock (&cut->lock);
  if (!gst_artalk_interrupt_is_new (seqnum, cut->seqnum)) {
    g_mutex_unlock (&cut->lock);
    return TRUE; /* it has come by another pad as well */
  }
  cut->seqnum = seqnum;
  gst_artalk_gate_shut (&cut->sound, seqnum);
  gst_artalk_gate_shut (&cut->audio, seqnum);
  end = gst_artalk_gate_shut (&cut->frames, seqnum);
  if (!GST_CLOCK_TIME_IS_VALID (time))
    time = end;
  message = report (cut, seqnum, time, end);
  gst_clear_event (&cut->mark);
  if (!marked)
    cut->mark = gst_artalk_interrupt_new (GST_EVENT_CUSTOM_DOWNSTREAM, seqnum, time, FALSE);
  cut->at = time;
  cut->stamps = TRUE;
  cut->from = cut->until = cut->next = GST_CLOCK_TIME_NONE;
  g_mutex_unlock (&cut->lock);
  gst_pad_send_event (
      cut->input, gst_artalk_interrupt_new (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, seqnum, time, TRUE));
  gst_element_post_message (cut->bin, message);
  return TRUE;
}

static GstPadProbeReturn
listen_for_event (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  GstArtalkCut *cut = data;
  GstClockTime latency;

  if (GST_EVENT_TYPE (event) == GST_EVENT_LATENCY) {
    gst_event_parse_latency (event, &latency);
    g_mutex_lock (&cut->lock);
    cut->latency = latency;
    g_mutex_unlock (&cut->lock);
    return GST_PAD_PROBE_OK;
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM ||
      !gst_artalk_is_interrupt (event, NULL, NULL))
    return GST_PAD_PROBE_OK; /* a mark takes its turn in the queues */
  gst_artalk_cut_event (cut, gst_event_ref (event));
  return GST_PAD_PROBE_DROP;
}

void
gst_artalk_cut_watch_input (GstArtalkCut *cut, GstPad *input)
{
  cut->input = input;
  gst_pad_add_probe (input,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
          GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      hear, cut, NULL);
}

void
gst_artalk_cut_listen (GstArtalkCut *cut, GstPad *pad)
{
  gst_pad_add_probe (pad,
      GST_PAD_IS_SINK (pad) ? GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
                            : GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
      listen_for_event, cut, NULL);
}
