/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What renderers put out, and where it lies: the card, caps, buffers. */
#include "gstartalkrenderer_priv.h"

#include "gstartalkcaps.h"
#include "gstartalkvideo.h"

#define PRIV(r) gst_artalk_renderer_priv (r)
#define CLASS(r) (GST_ARTALK_RENDERER_GET_CLASS (r))

static GstBaseTransformClass *parent_class;

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

void
gst_artalk_renderer_forget_cuda (GstArtalkRenderer *self)
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
    result = gst_pad_get_pad_template_caps (GST_BASE_TRANSFORM_SINK_PAD (base));
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
  return parent_class->decide_allocation (base, query);
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
  return parent_class->query (base, direction, q);
}

void
gst_artalk_renderer_init_output (GstArtalkRendererClass *klass)
{
  GstBaseTransformClass *base_class = GST_BASE_TRANSFORM_CLASS (klass);

  parent_class = g_type_class_peek_parent (klass);
  base_class->transform_caps = transform_caps;
  base_class->fixate_caps = fixate_caps;
  base_class->set_caps = set_caps;
  base_class->transform_size = transform_size;
  base_class->decide_allocation = decide_allocation;
  base_class->query = query;
  klass->output_caps = output_caps;
}
