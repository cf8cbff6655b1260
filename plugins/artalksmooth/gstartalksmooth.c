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
  GstArtalkFilter parent;

  /* object lock */
  gboolean fix_pose;
  guint wanted_delay;
  guint delay; /* in use since READY to PAUSED */

  /* streaming thread */
  AmSmooth *smooth; /* from the caps event on */
  float *ready;     /* [2 * AM_SMOOTH_DELAY][dim] */
  GQueue
      waiting; /* buffers of the frames that the filter holds, and events in their places among them */
  guint64 next; /* offset expected of the next frame; NONE: it begins a stream */
};

G_DEFINE_FINAL_TYPE (GstArtalkSmooth, gst_artalk_smooth, GST_TYPE_ARTALK_FILTER)
GST_ELEMENT_REGISTER_DEFINE (artalksmooth, "artalksmooth", GST_RANK_NONE, GST_TYPE_ARTALK_SMOOTH)

/* Forgets the frames that wait; sticky events stay on the pad. */
static void
reset (GstArtalkFilter *filter)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (filter);
  GstMiniObject *item;

  while ((item = g_queue_pop_head (&self->waiting))) {
    if (GST_IS_EVENT (item) && GST_EVENT_IS_STICKY (item))
      gst_pad_store_sticky_event (gst_artalk_filter_src_pad (filter), GST_EVENT_CAST (item));
    gst_mini_object_unref (item);
  }
  if (self->smooth)
    am_smooth_reset (self->smooth);
  self->next = GST_BUFFER_OFFSET_NONE;
}

static void
interrupt (GstArtalkFilter *filter, GstClockTime time)
{
  reset (filter);
}

/* Keeps an event in its place among the frames that wait. */
static gboolean
keep (GstArtalkFilter *filter, GstEvent *event)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (filter);

  if (g_queue_is_empty (&self->waiting))
    return FALSE;
  g_queue_push_tail (&self->waiting, event);
  return TRUE;
}

/* Pushes the events that come before the next frame. */
static void
push_events (GstArtalkSmooth *self)
{
  GstMiniObject *item;

  while ((item = g_queue_peek_head (&self->waiting)) && GST_IS_EVENT (item)) {
    g_queue_pop_head (&self->waiting);
    gst_pad_push_event (
        gst_artalk_filter_src_pad (GST_ARTALK_FILTER (self)), GST_EVENT_CAST (item));
  }
}

/* Pushes the first `n` of the ready frames, with the metadata of the buffers that waited longest. */
static GstFlowReturn
push_ready (GstArtalkSmooth *self, guint n)
{
  GstArtalkFilter *filter = GST_ARTALK_FILTER (self);
  const guint dim = gst_artalk_filter_dim (filter);
  GstFlowReturn flow = GST_FLOW_OK;
  gboolean fix_pose;

  GST_OBJECT_LOCK (self);
  fix_pose = self->fix_pose;
  GST_OBJECT_UNLOCK (self);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GstBuffer) in = g_queue_pop_head (&self->waiting);
    float *frame = self->ready + (gsize) i * dim;
    GstBuffer *out;

    if (in && flow == GST_FLOW_OK) {
      am_smooth_clean (frame, dim, fix_pose);
      out = gst_artalk_filter_new_frame (filter, frame);
      gst_buffer_copy_into (out, in, GST_BUFFER_COPY_METADATA, 0, -1);
      flow = gst_pad_push (gst_artalk_filter_src_pad (filter), out);
    }
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
  reset (GST_ARTALK_FILTER (self));
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
take_frame (GstArtalkFilter *filter, const float *numbers, GstBuffer *buffer)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (filter);
  GstFlowReturn flow = GST_FLOW_OK;
  guint n;

  if (is_restart (self, buffer))
    flow = drain (self);
  self->next =
      GST_BUFFER_OFFSET_IS_VALID (buffer) ? GST_BUFFER_OFFSET (buffer) + 1 : self->next + 1;
  if (self->next == GST_BUFFER_OFFSET_NONE)
    self->next = 0;
  n = am_smooth_push (self->smooth, numbers, self->ready);
  g_queue_push_tail (&self->waiting, buffer);
  if (flow != GST_FLOW_OK)
    return flow;
  return push_ready (self, n);
}

static void
boundary (GstArtalkFilter *filter, GstEvent *event)
{
  drain (GST_ARTALK_SMOOTH (filter));
}

static gboolean
gap (GstArtalkFilter *filter, GstEvent *event)
{
  drain (GST_ARTALK_SMOOTH (filter));
  return gst_pad_event_default (gst_artalk_filter_sink_pad (filter), GST_OBJECT (filter), event);
}

static void
stop (GstArtalkFilter *filter)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (filter);

  reset (filter);
  g_clear_pointer (&self->smooth, am_smooth_free);
  g_clear_pointer (&self->ready, g_free);
}

static void
set_format (GstArtalkFilter *filter, guint dim, const char *basis)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (filter);

  drain (self);
  stop (filter);
  self->smooth = am_smooth_new (dim, self->delay);
  self->ready = g_new (float, (gsize) 2 * AM_SMOOTH_DELAY * dim);
}

static GstClockTime
delay (GstArtalkFilter *filter)
{
  GstClockTime time;

  GST_OBJECT_LOCK (filter);
  time = GST_ARTALK_SMOOTH (filter)->delay * GST_ARTALK_FRAME_TIME;
  GST_OBJECT_UNLOCK (filter);
  return time;
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (element);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    GST_OBJECT_LOCK (self);
    self->delay = self->wanted_delay;
    GST_OBJECT_UNLOCK (self);
  }
  return GST_ELEMENT_CLASS (gst_artalk_smooth_parent_class)->change_state (element, transition);
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
gst_artalk_smooth_init (GstArtalkSmooth *self)
{
  self->next = GST_BUFFER_OFFSET_NONE;
  self->wanted_delay = self->delay = AM_SMOOTH_DELAY;
  g_queue_init (&self->waiting);
}

static void
gst_artalk_smooth_class_init (GstArtalkSmoothClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstArtalkFilterClass *filter_class = GST_ARTALK_FILTER_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (artalksmooth_debug, "artalksmooth", 0, "smoothing of motion");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  GST_ELEMENT_CLASS (klass)->change_state = change_state;
  filter_class->delay = delay;
  filter_class->set_format = set_format;
  filter_class->frame = take_frame;
  filter_class->gap = gap;
  filter_class->keep = keep;
  filter_class->boundary = boundary;
  filter_class->reset = reset;
  filter_class->interrupt = interrupt;
  filter_class->stop = stop;

  g_object_class_install_property (object_class, PROP_FIX_POSE,
      g_param_spec_boolean ("fix-pose", "Fix pose",
          "Keep the head from turning: only face and jaw move, from the next frame on", FALSE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_DELAY,
      g_param_spec_uint ("delay", "Delay",
          "Frames after a frame that are waited for (4: as published; with 2 the face is the same "
          "and the head's turns are a little less smooth)",
          0, AM_SMOOTH_DELAY, AM_SMOOTH_DELAY,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Smoothing of head motion",
      "Filter/Effect", "Smooths motion over time (Savitzky-Golay), up to four frames late",
      "The ARTalk elements authors");
}
