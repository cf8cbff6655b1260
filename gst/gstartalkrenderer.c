/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkrenderer.h"

#include "gstartalkcaps.h"
#include "gstartalkcuda.h"
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

typedef struct
{
  /* object lock */
  char *path; /* of the head; NULL: the built-in one */
  char *device;
  GstArtalkCuda *cuda; /* for that device, or an earlier one; NULL while nobody has asked */

  atomic_int cancel;

  /* streaming thread, from start() to stop() */
  AmHead *head;     /* written under the object lock */
  guint expression; /* of the caps */
  gboolean is_video;
  GstArtalkCuda *target; /* where pictures go that stay on the card, else NULL */
  GstAllocator *pinned;  /* for those that a card copies to the host, else NULL */
  gboolean refused;      /* the last caps were refused, and that was said */
  GstVideoInfo info;
} GstArtalkRendererPrivate;

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (
    GstArtalkRenderer, gst_artalk_renderer, GST_TYPE_BASE_TRANSFORM)

#define PRIV(r) ((GstArtalkRendererPrivate *) gst_artalk_renderer_get_instance_private (r))
#define CLASS(r) (GST_ARTALK_RENDERER_GET_CLASS (r))
#define PARENT (GST_BASE_TRANSFORM_CLASS (gst_artalk_renderer_parent_class))

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

/* The card */

/* The card that draws, if pictures can stay there, else NULL; opens it where that was not done. Any thread.
 * (transfer full) */
static GstArtalkCuda *
get_cuda (GstArtalkRenderer *self)
{
  GstArtalkRendererPrivate *priv = PRIV (self);
  g_autofree char *device = gst_artalk_renderer_device (self);
  g_autoptr (GstArtalkCuda) old = NULL;
  GstArtalkCuda *cuda = NULL;

  GST_OBJECT_LOCK (self);
  if (priv->cuda && gst_artalk_cuda_is_for (priv->cuda, device))
    cuda = gst_artalk_cuda_ref (priv->cuda);
  GST_OBJECT_UNLOCK (self);
  if (cuda)
    return cuda;
  cuda = gst_artalk_cuda_new (GST_ELEMENT (self), device);
  if (!cuda)
    return NULL;
  GST_OBJECT_LOCK (self);
  old = priv->cuda;
  priv->cuda = gst_artalk_cuda_ref (cuda);
  GST_OBJECT_UNLOCK (self);
  return cuda;
}

static void
forget_cuda (GstArtalkRenderer *self)
{
  g_autoptr (GstArtalkCuda) old = NULL;

  GST_OBJECT_LOCK (self);
  old = g_steal_pointer (&PRIV (self)->cuda);
  GST_OBJECT_UNLOCK (self);
}

/* From READY on a card is opened to know; before, pipelines are only put together. */
static gboolean
offers_cuda (GstArtalkRenderer *self)
{
  g_autofree char *device = gst_artalk_renderer_device (self);
  g_autoptr (GstArtalkCuda) cuda = NULL;

  if (!gst_artalk_cuda_may (device))
    return FALSE;
  if (GST_STATE (self) < GST_STATE_READY)
    return TRUE;
  cuda = get_cuda (self);
  return cuda != NULL;
}

/* Pictures stay on the card only for those who name its memory: who takes anything may not be able to read it. */
static gboolean
wants_cuda (GstBaseTransform *base)
{
  g_autoptr (GstCaps) caps = gst_pad_peer_query_caps (GST_BASE_TRANSFORM_SRC_PAD (base), NULL);

  return gst_artalk_video_names_cuda (caps);
}

/* Negotiation */

static GstCaps *
output_caps (GstArtalkRenderer *self, const AmHeadInfo *info)
{
  return gst_artalk_video_caps ();
}

static GstCaps *
transform_caps (GstBaseTransform *base, GstPadDirection direction, GstCaps *caps, GstCaps *filter)
{
  GstArtalkRenderer *self = GST_ARTALK_RENDERER (base);
  g_autoptr (AmHead) head = NULL;
  GstCaps *result, *narrow;

  if (direction == GST_PAD_SINK) {
    GST_OBJECT_LOCK (self);
    head = PRIV (self)->head ? am_head_ref (PRIV (self)->head) : NULL;
    GST_OBJECT_UNLOCK (self);
    result = CLASS (self)->output_caps (self, head ? am_head_info (head) : NULL);
    if (offers_cuda (self))
      gst_caps_append (result, gst_artalk_video_cuda_caps ());
  } else {
    result = gst_static_pad_template_get_caps (&sink_template);
  }
  if (filter) {
    narrow = gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (result);
    result = narrow;
  }
  return result;
}

static GstCaps *
fixate_caps (GstBaseTransform *base, GstPadDirection direction, GstCaps *caps, GstCaps *othercaps)
{
  return direction == GST_PAD_SINK ? gst_artalk_video_fixate (othercaps, wants_cuda (base))
                                   : gst_caps_fixate (othercaps);
}

/* Why the head cannot be moved by motion of these caps and what to change, or NULL. (transfer full) */
static char *
misfit (const AmHeadInfo *info, const char *basis, guint expression)
{
  if (info->expressions == 0)
    return g_strdup (
        "This head has no expressions, so it cannot speak: choose head= with expression "
        "directions.");
  if (g_strcmp0 (basis, info->basis) != 0)
    return g_strdup_printf ("This head understands basis %s, the motion is %s: choose head= or "
                            "model= so that both are the same.",
        info->basis, basis);
  if (expression != info->expressions)
    return g_strdup_printf ("This head has %u expressions, the motion has %u: choose head= or "
                            "model= so that both are the same.",
        info->expressions, expression);
  return NULL;
}

/* Upstream tries the same caps again with each buffer: one error is enough. */
static gboolean
check_motion (GstArtalkRenderer *self, const GstCaps *caps)
{
  GstArtalkRendererPrivate *priv = PRIV (self);
  g_autofree char *reason = NULL;
  const char *basis;

  if (!gst_artalk_flame_parse (caps, &priv->expression, &basis))
    return FALSE;
  reason = misfit (am_head_info (priv->head), basis, priv->expression);
  if (reason && !priv->refused)
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE, ("%s", reason), ("%" GST_PTR_FORMAT, caps));
  priv->refused = reason != NULL;
  return reason == NULL;
}

static gboolean
set_caps (GstBaseTransform *base, GstCaps *incaps, GstCaps *outcaps)
{
  GstArtalkRenderer *self = GST_ARTALK_RENDERER (base);
  GstArtalkRendererPrivate *priv = PRIV (self);

  g_clear_pointer (&priv->target, gst_artalk_cuda_unref);
  if (!priv->head || !check_motion (self, incaps))
    return FALSE;
  if (gst_artalk_video_names_cuda (outcaps) && !(priv->target = get_cuda (self)))
    return FALSE;
  priv->is_video = gst_structure_has_name (gst_caps_get_structure (outcaps, 0), "video/x-raw");
  return !priv->is_video || gst_video_info_from_caps (&priv->info, outcaps);
}

/* A buffer of motion is one picture, however many bytes either has. */
static gboolean
transform_size (GstBaseTransform *base, GstPadDirection direction, GstCaps *caps, gsize size,
    GstCaps *othercaps, gsize *othersize)
{
  GstVideoInfo info;

  if (direction != GST_PAD_SINK || !gst_video_info_from_caps (&info, othercaps))
    return FALSE;
  *othersize = GST_VIDEO_INFO_SIZE (&info);
  return TRUE;
}

static gboolean
decide_allocation (GstBaseTransform *base, GstQuery *query)
{
  GstArtalkRendererPrivate *priv = PRIV (GST_ARTALK_RENDERER (base));
  GstCaps *caps;

  gst_query_parse_allocation (query, &caps, NULL);
  if (priv->target && caps) {
    if (!gst_artalk_cuda_allocation (priv->target, &priv->info, caps, query))
      return FALSE;
  } else if (priv->is_video && caps)
    gst_artalk_video_allocation (&priv->info, caps, query, priv->pinned);
  return PARENT->decide_allocation (base, query);
}

static gboolean
query (GstBaseTransform *base, GstPadDirection direction, GstQuery *q)
{
  GstArtalkRenderer *self = GST_ARTALK_RENDERER (base);
  const char *type = NULL;

  if (GST_QUERY_TYPE (q) == GST_QUERY_CONTEXT && gst_query_parse_context_type (q, &type) &&
      g_str_equal (type, GST_ARTALK_CUDA_CONTEXT)) {
    g_autoptr (GstArtalkCuda) cuda = get_cuda (self);

    if (cuda && gst_artalk_cuda_answer (cuda, GST_ELEMENT (self), q))
      return TRUE;
  }
  return PARENT->query (base, direction, q);
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
    forget_cuda (GST_ARTALK_RENDERER (element));
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
  base_class->transform_caps = transform_caps;
  base_class->fixate_caps = fixate_caps;
  base_class->set_caps = set_caps;
  base_class->transform_size = transform_size;
  base_class->decide_allocation = decide_allocation;
  base_class->query = query;
  base_class->submit_input_buffer = submit_input_buffer;
  base_class->sink_event = sink_event;
  base_class->src_event = src_event;
  base_class->start = start;
  base_class->stop = stop;
  klass->output_caps = output_caps;

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
