/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkstream.h"

/* The same file played again has the same id and the same segment, but belongs to another group. */
gboolean
gst_artalk_is_new_stream (GstPad *pad, GstEvent *event)
{
  g_autoptr (GstEvent) last = gst_pad_get_sticky_event (pad, GST_EVENT_STREAM_START, 0);
  const char *old, *id;
  guint old_group, group;

  if (!last)
    return FALSE;
  gst_event_parse_stream_start (last, &old);
  gst_event_parse_stream_start (event, &id);
  if (g_strcmp0 (old, id) != 0)
    return TRUE;
  return gst_event_parse_group_id (last, &old_group) && gst_event_parse_group_id (event, &group) &&
         old_group != group;
}

gboolean
gst_artalk_is_new_timeline (GstPad *pad, GstEvent *event)
{
  g_autoptr (GstEvent) last = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *a, *b;

  if (!last)
    return FALSE;
  gst_event_parse_segment (last, &a);
  gst_event_parse_segment (event, &b);
  return a->format != b->format || a->rate != b->rate || a->applied_rate != b->applied_rate ||
         a->base != b->base || a->offset != b->offset || a->start != b->start || a->time != b->time;
}

gboolean
gst_artalk_is_backward_seek (GstObject *object, GstEvent *event)
{
  gdouble rate;

  if (GST_EVENT_TYPE (event) != GST_EVENT_SEEK)
    return FALSE;
  gst_event_parse_seek (event, &rate, NULL, NULL, NULL, NULL, NULL, NULL);
  if (rate < 0)
    GST_INFO_OBJECT (object, "refusing to play backwards");
  return rate < 0;
}
