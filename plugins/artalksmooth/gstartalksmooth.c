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
};

struct _GstArtalkSmooth
{
  GstArtalkFilter parent;

  gboolean fix_pose; /* object lock */

  /* streaming thread */
  AmSmooth *smooth; /* from the caps event on */
  float *ready;     /* [2 * AM_SMOOTH_DELAY][dim] */
  GQueue waiting;   /* buffers of the frames that the filter holds */
  guint64 next;     /* offset expected of the next frame; NONE: it begins a stream */
};

G_DEFINE_FINAL_TYPE (GstArtalkSmooth, gst_artalk_smooth, GST_TYPE_ARTALK_FILTER)
GST_ELEMENT_REGISTER_DEFINE (artalksmooth, "artalksmooth", GST_RANK_NONE, GST_TYPE_ARTALK_SMOOTH)

/* Forgets the frames that wait. */
static void
reset (GstArtalkFilter *filter)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (filter);

  g_queue_clear_full (&self->waiting, (GDestroyNotify) gst_buffer_unref);
  if (self->smooth)
    am_smooth_reset (self->smooth);
  self->next = GST_BUFFER_OFFSET_NONE;
}

static void
interrupt (GstArtalkFilter *filter, GstClockTime time)
{
  reset (filter);
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

    if (!in || flow != GST_FLOW_OK)
      continue;
    am_smooth_clean (frame, dim, fix_pose);
    out = gst_artalk_filter_new_frame (filter, frame);
    gst_buffer_copy_into (out, in, GST_BUFFER_COPY_METADATA, 0, -1);
    flow = gst_pad_push (gst_artalk_filter_src_pad (filter), out);
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
  self->smooth = am_smooth_new (dim);
  self->ready = g_new (float, (gsize) 2 * AM_SMOOTH_DELAY * dim);
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (object);

  if (id != PROP_FIX_POSE) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  self->fix_pose = g_value_get_boolean (value);
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkSmooth *self = GST_ARTALK_SMOOTH (object);

  if (id != PROP_FIX_POSE) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_value_set_boolean (value, self->fix_pose);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_artalk_smooth_init (GstArtalkSmooth *self)
{
  self->next = GST_BUFFER_OFFSET_NONE;
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
  filter_class->delay = AM_SMOOTH_DELAY * GST_ARTALK_FRAME_TIME;
  filter_class->set_format = set_format;
  filter_class->frame = take_frame;
  filter_class->gap = gap;
  filter_class->boundary = boundary;
  filter_class->reset = reset;
  filter_class->interrupt = interrupt;
  filter_class->stop = stop;

  g_object_class_install_property (object_class, PROP_FIX_POSE,
      g_param_spec_boolean ("fix-pose", "Fix pose",
          "Keep the head from turning: only face and jaw move, from the next frame on", FALSE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Smoothing of head motion",
      "Filter/Effect", "Smooths motion over time (Savitzky-Golay), four frames late",
      "The ARTalk elements authors");
}
