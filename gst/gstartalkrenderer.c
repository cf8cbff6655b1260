/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkrenderer_priv.h"

#include "gstartalkcaps.h"
#include "gstartalkmessage.h"
#include "gstartalkpinned.h"
#include "gstartalkprecision.h"
#include "gstartalkstream.h"
#include "gstartalkvideo.h"
#include "models/error.h"

GST_DEBUG_CATEGORY_STATIC (artalkrenderer_debug);
#define GST_CAT_DEFAULT artalkrenderer_debug

enum {
  PROP_0,
  PROP_HEAD,
  PROP_DEVICE,
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (
    GstArtalkRenderer, gst_artalk_renderer, GST_TYPE_BASE_TRANSFORM)

#define PRIV(r) gst_artalk_renderer_priv (r)
#define CLASS(r) (GST_ARTALK_RENDERER_GET_CLASS (r))
#define PARENT (GST_BASE_TRANSFORM_CLASS (gst_artalk_renderer_parent_class))

GstArtalkRendererPrivate *
gst_artalk_renderer_priv (GstArtalkRenderer *self)
{
  return gst_artalk_renderer_get_instance_private (self);
}

AmHead *
gst_artalk_renderer_head (GstArtalkRenderer *self)
{
  return PRIV (self)->head;
}

gboolean
gst_artalk_renderer_is_video (GstArtalkRenderer *self)
{
  return PRIV (self)->is_video;
}

char *
gst_artalk_renderer_device (GstArtalkRenderer *self)
{
  char *device;

  GST_OBJECT_LOCK (self);
  device = g_strdup (PRIV (self)->device);
  GST_OBJECT_UNLOCK (self);
  return device;
}

const atomic_int *
gst_artalk_renderer_cancel (GstArtalkRenderer *self)
{
  return &PRIV (self)->cancel;
}

GParamSpec *
gst_artalk_renderer_background_spec (guint32 argb, const char *blurb)
{
  return g_param_spec_uint ("background", "Background", blurb, 0, G_MAXUINT32, argb,
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
}

/* Drawing */

static gboolean
draw (GstArtalkRenderer *self, const float *motion, GstBuffer *out, GError **error)
{
  AmPicture picture = { 0 };
  GstVideoFrame frame;
  gboolean ok;

  if (!PRIV (self)->is_video)
    return CLASS (self)->fill (self, motion, out, error);
  if (!gst_artalk_video_map (
          &PRIV (self)->info, PRIV (self)->target, PRIV (self)->pinned, out, &frame, &picture)) {
    g_set_error (
        error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE, "cannot write to the video buffer");
    return FALSE;
  }
  ok = CLASS (self)->draw (self, motion, &picture, error);
  gst_video_frame_unmap (&frame);
  return ok;
}

static GstFlowReturn
transform (GstBaseTransform *base, GstBuffer *in, GstBuffer *out)
{
  GstArtalkRenderer *self = GST_ARTALK_RENDERER (base);
  const guint numbers = PRIV (self)->expression + GST_ARTALK_POSE;
  g_autoptr (GError) error = NULL;
  g_autofree char *what = NULL;
  GstMapInfo map;
  gboolean ok;

  if (gst_buffer_get_size (in) != numbers * sizeof (float) ||
      !gst_buffer_map (in, &map, GST_MAP_READ)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("A buffer of motion must be one frame of %u numbers.", numbers),
        ("it has %" G_GSIZE_FORMAT " bytes", gst_buffer_get_size (in)));
    return GST_FLOW_ERROR;
  }
  ok = draw (self, (const float *) map.data, out, &error);
  gst_buffer_unmap (in, &map);
  if (ok)
    return GST_FLOW_OK;
  if (g_error_matches (error, AM_ERROR, AM_ERROR_CANCELLED))
    return GST_FLOW_FLUSHING;
  what = g_strdup_printf ("Cannot draw the %s", CLASS (self)->thing);
  gst_artalk_post_error (GST_ELEMENT (self), error, what, NULL);
  return GST_FLOW_ERROR;
}

/* Events and states */

static gboolean
src_event (GstBaseTransform *base, GstEvent *event)
{
  if (gst_artalk_is_backward_seek (GST_OBJECT (base), event)) {
    gst_event_unref (event);
    return FALSE;
  }
  return PARENT->src_event (base, event);
}

static void
cancel (GstArtalkRenderer *self)
{
  atomic_store (&PRIV (self)->cancel, 1);
  if (CLASS (self)->interrupt)
    CLASS (self)->interrupt (self);
}

static void
reset (GstArtalkRenderer *self)
{
  if (CLASS (self)->reset && PRIV (self)->head)
    CLASS (self)->reset (self);
}

static gboolean
sink_event (GstBaseTransform *base, GstEvent *event)
{
  GstArtalkRenderer *self = GST_ARTALK_RENDERER (base);
  GstPad *pad = GST_BASE_TRANSFORM_SINK_PAD (base);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_FLUSH_START:
      cancel (self);
      break;
    case GST_EVENT_FLUSH_STOP:
      atomic_store (&PRIV (self)->cancel, 0);
      reset (self);
      break;
    case GST_EVENT_STREAM_START:
      if (gst_artalk_is_new_stream (pad, event))
        reset (self);
      break;
    case GST_EVENT_SEGMENT:
      if (gst_artalk_is_new_timeline (pad, event))
        reset (self);
      break;
    default:
      break;
  }
  return PARENT->sink_event (base, event);
}

/* Also of frames that quality of service then leaves out. */
static GstFlowReturn
submit_input_buffer (GstBaseTransform *base, gboolean is_discont, GstBuffer *in)
{
  if (is_discont)
    reset (GST_ARTALK_RENDERER (base));
  return PARENT->submit_input_buffer (base, is_discont, in);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    cancel (GST_ARTALK_RENDERER (element)); /* else the streaming thread would be waited for */
  ret = GST_ELEMENT_CLASS (gst_artalk_renderer_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL)
    gst_artalk_renderer_forget_cuda (GST_ARTALK_RENDERER (element));
  return ret;
}

/* Loading */

static void
set_head (GstArtalkRenderer *self, AmHead *head)
{
  AmHead *old;

  GST_OBJECT_LOCK (self);
  old = PRIV (self)->head;
  PRIV (self)->head = head;
  GST_OBJECT_UNLOCK (self);
  g_clear_pointer (&old, am_head_unref);
}

static gboolean
stop (GstBaseTransform *base)
{
  GstArtalkRenderer *self = GST_ARTALK_RENDERER (base);

  CLASS (self)->close (self);
  set_head (self, NULL);
  g_clear_pointer (&PRIV (self)->target, gst_artalk_cuda_unref);
  gst_clear_object (&PRIV (self)->pinned);
  PRIV (self)->refused = FALSE;
  return TRUE;
}

static void
say (GstArtalkRenderer *self, GstProgressType type, const char *format)
{
  g_autofree char *text = g_strdup_printf (format, CLASS (self)->thing);

  gst_artalk_post_progress (GST_ELEMENT (self), type, text);
}

static gboolean
start (GstBaseTransform *base)
{
  GstArtalkRenderer *self = GST_ARTALK_RENDERER (base);
  GstArtalkRendererClass *klass = CLASS (self);
  g_autofree char *path = NULL, *what = g_strdup_printf ("Cannot load the %s", klass->thing);
  g_autofree char *device = gst_artalk_renderer_device (self);
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  path = g_strdup (PRIV (self)->path);
  GST_OBJECT_UNLOCK (self);
  atomic_store (&PRIV (self)->cancel, 0);
  say (self, GST_PROGRESS_TYPE_START, "Loading the %s");
  set_head (self, am_head_open (path, &error));
  if (!PRIV (self)->head || !klass->open (self, PRIV (self)->head, &error)) {
    gboolean headless = !PRIV (self)->head;

    stop (base);
    say (self, GST_PROGRESS_TYPE_ERROR, "The %s cannot be loaded");
    gst_artalk_post_error (GST_ELEMENT (self), error, headless ? "Cannot load the head" : what,
        headless ? GST_ARTALK_HEAD_ADVICE : klass->advice);
    return FALSE;
  }
  PRIV (self)->pinned = gst_artalk_pinned_allocator_new (device);
  say (self, GST_PROGRESS_TYPE_COMPLETE, "The %s is loaded");
  return TRUE;
}

/* The class */

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkRendererPrivate *priv = PRIV (GST_ARTALK_RENDERER (object));
  const char *text = g_value_get_string (value);

  GST_OBJECT_LOCK (object);
  switch (id) {
    case PROP_HEAD:
      g_free (priv->path);
      priv->path = text && *text ? g_strdup (text) : NULL;
      break;
    case PROP_DEVICE:
      g_free (priv->device);
      priv->device = g_strdup (text && *text ? text : "auto");
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (object);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkRendererPrivate *priv = PRIV (GST_ARTALK_RENDERER (object));

  GST_OBJECT_LOCK (object);
  switch (id) {
    case PROP_HEAD:
      g_value_set_string (value, priv->path);
      break;
    case PROP_DEVICE:
      g_value_set_string (value, priv->device);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (object);
}

static void
finalize (GObject *object)
{
  GstArtalkRendererPrivate *priv = PRIV (GST_ARTALK_RENDERER (object));

  g_free (priv->path);
  g_free (priv->device);
  g_clear_pointer (&priv->cuda, gst_artalk_cuda_unref);
  G_OBJECT_CLASS (gst_artalk_renderer_parent_class)->finalize (object);
}

static void
gst_artalk_renderer_init (GstArtalkRenderer *self)
{
  PRIV (self)->device = g_strdup ("auto");
  gst_video_info_init (&PRIV (self)->info);
  gst_base_transform_set_qos_enabled (GST_BASE_TRANSFORM (self), TRUE);
}

static void
gst_artalk_renderer_class_init (GstArtalkRendererClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstBaseTransformClass *base_class = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (artalkrenderer_debug, "artalkrenderer", 0, "elements that draw motion");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  GST_ELEMENT_CLASS (klass)->change_state = change_state;
  base_class->transform = transform;
  base_class->submit_input_buffer = submit_input_buffer;
  base_class->sink_event = sink_event;
  base_class->src_event = src_event;
  base_class->start = start;
  base_class->stop = stop;
  gst_artalk_renderer_init_output (klass);

  g_object_class_install_property (object_class, PROP_HEAD,
      g_param_spec_string ("head", "Head",
          "Head to pose: a FLAME file, .pt or .safetensors, or the name of a built-in face (NULL: "
          "the "
          "built-in head)",
          NULL, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  g_object_class_install_property (object_class, PROP_DEVICE, gst_artalk_device_param_spec ());
  gst_type_mark_as_plugin_api (GST_TYPE_ARTALK_RENDERER, 0);
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass), &sink_template);
}
