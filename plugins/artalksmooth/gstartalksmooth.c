/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-artalksmooth
 * @title: artalksmooth
 * @see_also: artalkmotion, flamemesh
 *
 * Smooths motion over time with a Savitzky-Golay filter that looks four frames ahead, and sets to zero what
 * the published program does: the jaw's sideways turns and, with #GstArtalkSmooth:fix-pose, the turns of
 * the whole head. Every frame keeps its timestamp; a stream of fewer than nine frames stays unfiltered.
 *
 * With a shorter #GstArtalkSmooth:delay the face comes out the same down to two frames, and the turns of the head a
 * little less smooth.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth fix-pose=true ! queue ! flamemesh ! videoconvert ! autovideosink
 * ]|
 */
#include "gstartalksmooth.h"

#include "gst/gstartalkcaps.h"
#include "gst/gstartalkstream.h"
#include "models/smooth.h"

GST_DEBUG_CATEGORY_STATIC (artalksmooth_debug);
#define GST_CAT_DEFAULT artalksmooth_debug

enum {
  PROP_0,
  PROP_FIX_POSE,
  PROP_DELAY,
};

struct _GstArtalkSmooth
{
  GstElement parent;
  GstPad *sinkpad, *srcpad;

  /* object lock */
  gboolean fix_pose;
  guint wanted_delay;
  guint delay; /* in use since READY to PAUSED */

  /* streaming thread */
  AmSmooth *smooth; /* from the caps event on */
  guint dim;        /* numbers per frame */
  float *ready;     /* [2 * AM_SMOOTH_DELAY][dim] */
  GQueue
      waiting; /* buffers of the frames that the filter holds, and events in their places among them */
  guint64 next; /* offset expected of the next frame; NONE: it begins a stream */
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));

G_DEFINE_FINAL_TYPE (GstArtalkSmooth, gst_artalk_smooth, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE (artalksmooth, "artalksmooth", GST_RANK_NONE, GST_TYPE_ARTALK_SMOOTH)

/* Forgets the frames that wait; sticky events stay on the pad. */
static void
clear (GstArtalkSmooth *self)
{
  GstMiniObject *item;

  while ((item = g_queue_pop_head (&self->waiting))) {
    if (GST_IS_EVENT (item) && GST_EVENT_IS_STICKY (item))
      gst_pad_store_sticky_event (self->srcpad, GST_EVENT_CAST (item));
    gst_mini_object_unref (item);
  }
  if (self->smooth)
    am_smooth_reset (self->smooth);
  self->next = GST_BUFFER_OFFSET_NONE;
}

/* Pushes the events that come before the next frame. */
static void
push_events (GstArtalkSmooth *self)
{
  GstMiniObject *item;

  while ((item = g_queue_peek_head (&self->waiting)) && GST_IS_EVENT (item)) {
    g_queue_pop_head (&self->waiting);
    gst_pad_push_event (self->srcpad, GST_EVENT_CAST (item));
  }
}

/* Pushes the first `n` of the ready frames, with the metadata of the buffers that waited longest. */
static GstFlowReturn
push_ready (GstArtalkSmooth *self, guint n)
{
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean fix_pose;

  GST_OBJECT_LOCK (self);
  fix_pose = self->fix_pose;
  GST_OBJECT_UNLOCK (self);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GstBuffer) in = g_queue_pop_head (&self->waiting);
    float *frame = self->ready + (gsize) i * self->dim;
    GstBuffer *out;

    if (!in || flow != GST_FLOW_OK)
      continue;
    am_smooth_clean (frame, self->dim, fix_pose);
    out = gst_buffer_new_memdup (frame, self->dim * sizeof (float));
    gst_buffer_copy_into (out, in, GST_BUFFER_COPY_METADATA, 0, -1);
    flow = gst_pad_push (self->srcpad, out);
    push_events (self);
  }
  return flow;
}

/* The end of a stream: sends the frames that wait. */
static GstFlowReturn
drain (GstArtalkSmooth *self)
{
  GstFlowReturn flow = GST_FLOW_OK;

  if (self->smooth)
    flow = push_ready (self, am_smooth_finish (self->smooth, self->ready));
  clear (self);
  return flow;
}

static gboolean
is_restart (GstArtalkSmooth *self, GstBuffer *buffer)
{
  if (self->next == GST_BUFFER_OFFSET_NONE)
    return FALSE; /* nothing waits */
  if (GST_BUFFER_OFFSET_IS_VALID (buffer))
    return GST_BUFFER_OFFSET (buffer) != self->next;
  return GST_BUFFER_IS_DISCONT (buffer);
}

static GstFlowReturn
chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (parent);
  GstFlowReturn flow = GST_FLOW_OK;
  GstMapInfo map;
  guint n;

  if (!self->smooth) {
    gst_buffer_unref (buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ) || map.size != self->dim * sizeof (float)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("A buffer of motion must be one frame of %u numbers.", self->dim),
        ("it has %" G_GSIZE_FORMAT " bytes", gst_buffer_get_size (buffer)));
    if (map.data)
      gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
    return GST_FLOW_ERROR;
  }
  if (is_restart (self, buffer))
    flow = drain (self);
  self->next =
      GST_BUFFER_OFFSET_IS_VALID (buffer) ? GST_BUFFER_OFFSET (buffer) + 1 : self->next + 1;
  if (self->next == GST_BUFFER_OFFSET_NONE)
    self->next = 0;
  n = am_smooth_push (self->smooth, (const float *) map.data, self->ready);
  gst_buffer_unmap (buffer, &map);
  g_queue_push_tail (&self->waiting, buffer);
  if (flow != GST_FLOW_OK)
    return flow;
  return push_ready (self, n);
}

static gboolean
handle_caps (GstArtalkSmooth *self, GstEvent *event)
{
  const char *basis;
  guint expression;
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  if (!gst_artalk_flame_parse (caps, &expression, &basis))
    return FALSE;
  if (!self->smooth || self->dim != expression + GST_ARTALK_POSE) {
    drain (self);
    g_clear_pointer (&self->smooth, am_smooth_free);
    self->dim = expression + GST_ARTALK_POSE;
    self->smooth = am_smooth_new (self->dim, self->delay);
    g_free (self->ready);
    self->ready = g_new (float, (gsize) 2 * AM_SMOOTH_DELAY * self->dim);
  }
  return TRUE;
}

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (parent);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      if (!handle_caps (self, event)) {
        gst_event_unref (event);
        return FALSE;
      }
      break;
    case GST_EVENT_STREAM_START:
      if (gst_artalk_is_new_stream (pad, event))
        drain (self);
      break;
    case GST_EVENT_SEGMENT:
      if (gst_artalk_is_new_timeline (pad, event))
        drain (self);
      break;
    case GST_EVENT_GAP:
    case GST_EVENT_EOS:
      drain (self);
      break;
    case GST_EVENT_FLUSH_STOP:
      clear (self);
      break;
    default:
      if (GST_EVENT_IS_SERIALIZED (event) && !g_queue_is_empty (&self->waiting)) {
        g_queue_push_tail (&self->waiting, event);
        return TRUE;
      }
      break;
  }
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstClockTime min, max, delay;
  gboolean live;

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return gst_pad_query_default (pad, parent, query);
  if (!gst_pad_peer_query (GST_ARTALK_SMOOTH (parent)->sinkpad, query))
    return FALSE;
  GST_OBJECT_LOCK (parent);
  delay = GST_ARTALK_SMOOTH (parent)->delay * GST_ARTALK_FRAME_TIME;
  GST_OBJECT_UNLOCK (parent);
  gst_query_parse_latency (query, &live, &min, &max);
  gst_query_set_latency (query, live, min + delay, max == GST_CLOCK_TIME_NONE ? max : max + delay);
  return TRUE;
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    GST_OBJECT_LOCK (self);
    self->delay = self->wanted_delay;
    GST_OBJECT_UNLOCK (self);
  }
  ret = GST_ELEMENT_CLASS (gst_artalk_smooth_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    clear (self);
    g_clear_pointer (&self->smooth, am_smooth_free);
    g_clear_pointer (&self->ready, g_free);
  }
  return ret;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (object);

  GST_OBJECT_LOCK (self);
  if (id == PROP_FIX_POSE)
    self->fix_pose = g_value_get_boolean (value);
  else if (id == PROP_DELAY)
    self->wanted_delay = g_value_get_uint (value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (object);

  GST_OBJECT_LOCK (self);
  if (id == PROP_FIX_POSE)
    g_value_set_boolean (value, self->fix_pose);
  else if (id == PROP_DELAY)
    g_value_set_uint (value, self->wanted_delay);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_artalk_smooth_finalize (GObject *object)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (object);

  clear (self);
  am_smooth_free (self->smooth);
  g_free (self->ready);
  G_OBJECT_CLASS (gst_artalk_smooth_parent_class)->finalize (object);
}

static void
gst_artalk_smooth_init (GstArtalkSmooth *self)
{
  self->next = GST_BUFFER_OFFSET_NONE;
  self->wanted_delay = self->delay = AM_SMOOTH_DELAY;
  g_queue_init (&self->waiting);

  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, chain);
  gst_pad_set_event_function (self->sinkpad, sink_event);
  GST_PAD_SET_PROXY_CAPS (self->sinkpad);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_query_function (self->srcpad, src_query);
  GST_PAD_SET_PROXY_CAPS (self->srcpad);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}

static void
gst_artalk_smooth_class_init (GstArtalkSmoothClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (artalksmooth_debug, "artalksmooth", 0, "smoothing of motion");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_artalk_smooth_finalize;
  element_class->change_state = change_state;

  g_object_class_install_property (object_class, PROP_FIX_POSE,
      g_param_spec_boolean ("fix-pose", "Fix pose",
          "Keep the head from turning: only face and jaw move, from the next frame on", FALSE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_DELAY,
      g_param_spec_uint ("delay", "Delay",
          "Frames after a frame that are waited for (4: as published; with 2 the face is the same "
          "and the head's turns "
          "are a little less smooth)",
          0, AM_SMOOTH_DELAY, AM_SMOOTH_DELAY,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Smoothing of head motion", "Filter/Effect",
      "Smooths motion over time (Savitzky-Golay), up to four frames late",
      "The ARTalk elements authors");
}
