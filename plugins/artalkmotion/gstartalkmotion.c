/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-artalkmotion
 * @title: artalkmotion
 * @see_also: artalkaudioenc, artalksmooth, flamemesh
 *
 * Turns the features of #element-artalkaudioenc into the motion of a head: an autoregressive model
 * that hears a window, remembers the one before and speaks in the manner of a style clip. Each buffer of
 * motion/x-flame is one frame of 40 ms: expression coefficients, global rotation, jaw.
 *
 * A frame's offset is its number since the stream began or was last interrupted; as many frames are made as
 * it takes to cover the real samples.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion style=lively ! artalksmooth ! queue ! flamemesh ! videoconvert ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! gdppay ! filesink location=motion.gdp
 * ]| Records the motion; `filesrc location=motion.gdp ! gdpdepay ! flamemesh` plays it back.
 */
#include "gstartalkmotion.h"

#include "gst/gstartalkcaps.h"
#include "gst/gstartalkmessage.h"
#include "gst/gstartalkpromise.h"
#include "models/motion.h"

GST_DEBUG_CATEGORY_STATIC (artalkmotion_debug);
#define GST_CAT_DEFAULT artalkmotion_debug

#define DEFAULT_GUIDANCE 1.1f
#define BUILT_IN_STYLE "neutral"
#define STYLE_ADVICE                                                                               \
  "Set style= to the name of a built-in style or to a file with a clip of 50 frames."

enum {
  PROP_0,
  PROP_STYLE,
  PROP_GUIDANCE,
};

struct _GstArtalkMotion
{
  GstArtalkBase parent;

  GstPadQueryFunction base_query; /* the base's for the source pad */

  /* object lock */
  char *style; /* NULL: the model's own */
  float guidance;
  gboolean style_changed;

  /* streaming thread */
  AmMotion *motion;
  const AmModelInfo *info; /* of the loaded model */
  GstArtalkHop hop;        /* of the caps */
  float *frames;           /* [window_frames][motion_dim] */
  gboolean have_caps;
  gboolean refused; /* the last caps were refused, and that was said */
  guint64 next;     /* offset expected of the next window; NONE: it begins a stream */
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FEATURES_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));

G_DEFINE_FINAL_TYPE (GstArtalkMotion, gst_artalk_motion, GST_TYPE_ARTALK_BASE)
GST_ELEMENT_REGISTER_DEFINE (artalkmotion, "artalkmotion", GST_RANK_NONE, GST_TYPE_ARTALK_MOTION)

/* The style */

static gboolean
has_built_in_style (void)
{
  g_auto (GStrv) names = am_style_list ();

  return names && g_strv_contains ((const char *const *) names, BUILT_IN_STYLE);
}

/* Hands style and guidance on to the model. */
static gboolean
apply_style (GstArtalkMotion *self, AmMotion *motion, const AmModelInfo *info, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree float *clip = NULL;
  float guidance;

  GST_OBJECT_LOCK (self);
  name = g_strdup (self->style);
  guidance = self->guidance;
  self->style_changed = FALSE;
  GST_OBJECT_UNLOCK (self);
  if (!name && !gst_artalk_base_has_path (GST_ARTALK_BASE (self)) && has_built_in_style ())
    name = g_strdup (BUILT_IN_STYLE);
  if (name && *name) {
    clip = am_style_load (name, info->motion_dim, info->basis, error);
    if (!clip)
      return FALSE;
  }
  return am_motion_set_style (motion, clip, guidance, error);
}

/* A style that cannot be used while data flow is only worth a warning: the last good one stays. */
static void
update_style (GstArtalkMotion *self)
{
  g_autoptr (GError) error = NULL;
  gboolean changed;

  GST_OBJECT_LOCK (self);
  changed = self->style_changed;
  GST_OBJECT_UNLOCK (self);
  if (changed && !apply_style (self, self->motion, self->info, &error))
    gst_artalk_post_warning (GST_ELEMENT (self), error, "The style stays as it was", STYLE_ADVICE);
}

/* The stream */

static void
reset (GstArtalkBase *base)
{
  GstArtalkMotion *self = GST_ARTALK_MOTION (base);

  if (self->motion)
    am_motion_reset (self->motion);
  self->next = GST_BUFFER_OFFSET_NONE;
}

/* Pushes frames `first` to `end` of the stream, of which frame 0 has the PTS `zero`. */
static GstFlowReturn
push_frames (GstArtalkMotion *self, guint64 first, guint64 end, GstClockTime zero, gboolean discont)
{
  const gsize bytes = self->info->motion_dim * sizeof (float);
  const atomic_int *cancel = gst_artalk_base_cancel (GST_ARTALK_BASE (self));
  GstFlowReturn flow = GST_FLOW_OK;

  for (guint64 i = first; i < end && flow == GST_FLOW_OK; i++) {
    GstBuffer *out =
        gst_buffer_new_memdup (self->frames + (i - first) * self->info->motion_dim, bytes);

    GST_BUFFER_PTS (out) = zero + i * GST_ARTALK_FRAME_TIME;
    GST_BUFFER_DURATION (out) = GST_ARTALK_FRAME_TIME;
    GST_BUFFER_OFFSET (out) = i;
    GST_BUFFER_OFFSET_END (out) = i + 1;
    if (discont && i == first)
      GST_BUFFER_FLAG_SET (out, GST_BUFFER_FLAG_DISCONT);
    flow = gst_pad_push (gst_artalk_base_src_pad (GST_ARTALK_BASE (self)), out);
    if (atomic_load (cancel) != 0 && flow == GST_FLOW_OK)
      flow = GST_FLOW_FLUSHING; /* nobody wants the rest */
  }
  return flow;
}

/* The window of `buffer`, of which `n` frames from frame `first` of the stream on are new, to `frames`. */
static gboolean
run (
    GstArtalkMotion *self, GstBuffer *buffer, guint64 start, guint64 first, guint n, GError **error)
{
  GstArtalkBase *base = GST_ARTALK_BASE (self);
  GstMapInfo map;
  gint64 begun;
  gboolean ok;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ)) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "cannot read the buffer");
    return FALSE;
  }
  begun = gst_artalk_base_begin (base);
  if (self->hop.hop == self->info->window_samples)
    ok = am_motion_run (
        self->motion, (const float *) map.data, self->frames, gst_artalk_base_cancel (base), error);
  else
    ok = am_motion_run_part (self->motion, (const float *) map.data, start, first - start, n,
        self->frames, gst_artalk_base_cancel (base), error);
  gst_artalk_base_end (base, begun, GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer));
  gst_buffer_unmap (buffer, &map);
  return ok;
}

/* Whether `buffer` begins a stream: offsets decide, or the flag where there are none. */
static gboolean
is_restart (GstArtalkMotion *self, GstBuffer *buffer)
{
  if (self->next == GST_BUFFER_OFFSET_NONE)
    return TRUE;
  if (GST_BUFFER_OFFSET_IS_VALID (buffer))
    return GST_BUFFER_OFFSET (buffer) != self->next;
  return GST_BUFFER_IS_DISCONT (buffer);
}

static GstFlowReturn
take_window (GstArtalkMotion *self, GstBuffer *buffer)
{
  const AmModelInfo *info = self->info;
  g_autoptr (GError) error = NULL;
  guint64 offset, start, end, first, n;
  GstClockTime zero, past;
  gboolean discont;

  if (!self->have_caps || !self->motion)
    return GST_FLOW_NOT_NEGOTIATED;
  if (gst_buffer_get_size (buffer) != (gsize) info->steps * info->channels * sizeof (float)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("A buffer of features must be one window of %u steps with %u numbers.", info->steps,
            info->channels),
        ("it has %" G_GSIZE_FORMAT " bytes", gst_buffer_get_size (buffer)));
    return GST_FLOW_ERROR;
  }
  discont = is_restart (self, buffer);
  if (discont)
    am_motion_reset (self->motion);
  offset = GST_BUFFER_OFFSET_IS_VALID (buffer) ? GST_BUFFER_OFFSET (buffer)
           : discont                           ? 0
                                               : self->next;
  if (self->hop.hop != info->window_samples && offset % GST_ARTALK_FRAME_SAMPLES != 0) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("Windows that overlap must begin their new sound at a whole frame, this one is at sample "
         "%" G_GUINT64_FORMAT ".",
            offset),
        (NULL));
    return GST_FLOW_ERROR;
  }
  gst_artalk_place_window (info, &self->hop, offset, &start, &end);
  self->next = end;
  if (GST_BUFFER_OFFSET_END_IS_VALID (buffer) && GST_BUFFER_OFFSET_END (buffer) >= offset)
    end = MIN (end, GST_BUFFER_OFFSET_END (buffer));
  first = gst_artalk_frames (offset);
  n = MIN (gst_artalk_frames (end) - first, info->window_frames);
  start /= GST_ARTALK_FRAME_SAMPLES;
  past = gst_artalk_samples_to_time (offset);
  zero = GST_BUFFER_PTS_IS_VALID (buffer) && GST_BUFFER_PTS (buffer) > past
             ? GST_BUFFER_PTS (buffer) - past
             : 0;

  update_style (self);
  if (!run (self, buffer, start, first, n, &error)) {
    self->next = GST_BUFFER_OFFSET_NONE;
    return gst_artalk_base_failed (
        GST_ARTALK_BASE (self), error, "Cannot compute the motion", NULL);
  }
  return push_frames (self, first, first + n, zero, discont);
}

static GstFlowReturn
chain (GstArtalkBase *base, GstBuffer *buffer)
{
  GstFlowReturn flow = take_window (GST_ARTALK_MOTION (base), buffer);

  gst_buffer_unref (buffer);
  return flow;
}

/* Events and queries */

static gboolean
handle_caps (GstArtalkMotion *self, GstEvent *event)
{
  GstArtalkBase *base = GST_ARTALK_BASE (self);
  g_autofree char *reason = NULL;
  g_autoptr (GstCaps) out = NULL;
  const guint hop = self->hop.hop;
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  self->have_caps = FALSE;
  if (!self->info)
    return FALSE;
  if (!gst_artalk_features_match (caps, self->info, &self->hop, &reason)) {
    if (!self->refused) /* upstream tries them again with each buffer */
      GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE, ("%s", reason), ("%" GST_PTR_FORMAT, caps));
    self->refused = TRUE;
    return FALSE;
  }
  if (self->hop.hop != hop)
    self->next = GST_BUFFER_OFFSET_NONE; /* the past is kept in another form */
  self->refused = FALSE;
  self->have_caps = TRUE;
  out = gst_artalk_flame_caps (self->info->motion_dim, self->info->basis);
  return gst_pad_set_caps (gst_artalk_base_src_pad (base), out);
}

static gboolean
sink_event (GstArtalkBase *base, GstEvent *event)
{
  GstArtalkMotion *self = GST_ARTALK_MOTION (base);

  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    gboolean ok = handle_caps (self, event);

    gst_event_unref (event);
    return ok;
  }
  return GST_ARTALK_BASE_CLASS (gst_artalk_motion_parent_class)->sink_event (base, event);
}

/* The caps of the sink pad are wide, but those of the loaded model come first: artalkaudioenc reads there
 * which checkpoint to open. */
static gboolean
sink_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  g_autoptr (GstCaps) caps = NULL;
  GstCaps *filter;

  if (GST_QUERY_TYPE (query) == GST_QUERY_ACCEPT_CAPS) {
    gst_query_parse_accept_caps (query, &filter);
    caps = gst_pad_get_pad_template_caps (pad);
    gst_query_set_accept_caps_result (query, gst_caps_can_intersect (filter, caps));
    return TRUE;
  }
  if (GST_QUERY_TYPE (query) != GST_QUERY_CAPS)
    return gst_artalk_base_sink_query (pad, parent, query);
  GST_OBJECT_LOCK (parent);
  if (GST_ARTALK_MOTION (parent)->info)
    caps = gst_artalk_features_caps (GST_ARTALK_MOTION (parent)->info, NULL);
  else
    caps = gst_caps_new_empty ();
  GST_OBJECT_UNLOCK (parent);
  gst_caps_append (caps, gst_pad_get_pad_template_caps (pad));
  gst_query_parse_caps (query, &filter);
  if (filter) {
    GstCaps *narrow = gst_caps_intersect_full (caps, filter, GST_CAPS_INTERSECT_FIRST);

    gst_query_set_caps_result (query, narrow);
    gst_caps_unref (narrow);
  } else {
    gst_query_set_caps_result (query, caps);
  }
  return TRUE;
}

/* What the motion will be is known before there is any, so that a face can live before it speaks. */
static gboolean
src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstArtalkMotion *self = GST_ARTALK_MOTION (parent);
  g_autoptr (GstCaps) caps = NULL, narrow = NULL;
  GstCaps *filter;

  if (GST_QUERY_TYPE (query) != GST_QUERY_CAPS || gst_pad_has_current_caps (pad))
    return self->base_query (pad, parent, query);
  GST_OBJECT_LOCK (parent);
  if (self->info)
    caps = gst_artalk_flame_caps (self->info->motion_dim, self->info->basis);
  GST_OBJECT_UNLOCK (parent);
  if (!caps)
    return self->base_query (pad, parent, query);
  gst_query_parse_caps (query, &filter);
  narrow = filter ? gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST)
                  : gst_caps_ref (caps);
  gst_query_set_caps_result (query, narrow);
  return TRUE;
}

/* The model */

static void
set_info (GstArtalkMotion *self, const AmModelInfo *info)
{
  GST_OBJECT_LOCK (self);
  self->info = info;
  GST_OBJECT_UNLOCK (self);
}

static gboolean
start (GstArtalkBase *base, AmModel *model, GError **error)
{
  GstArtalkMotion *self = GST_ARTALK_MOTION (base);
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (GError) cause = NULL;
  AmBatching batching;

  gst_artalk_base_batching (base, &batching);
  self->motion = am_motion_new_batched (model, &batching, error);
  if (!self->motion)
    return FALSE;
  if (!apply_style (self, self->motion, info, &cause)) {
    gst_artalk_post_error (GST_ELEMENT (self), cause, "Cannot load the style", STYLE_ADVICE);
    return FALSE;
  }
  self->frames = g_new (float, (gsize) info->window_frames * info->motion_dim);
  self->next = GST_BUFFER_OFFSET_NONE;
  set_info (self, info);
  return TRUE;
}

static void
stop (GstArtalkBase *base)
{
  GstArtalkMotion *self = GST_ARTALK_MOTION (base);

  set_info (self, NULL);
  g_clear_pointer (&self->motion, am_motion_free);
  g_clear_pointer (&self->frames, g_free);
  self->have_caps = self->refused = FALSE;
}

/* The window itself is counted by artalkaudioenc. */
static GstClockTime
delay (GstArtalkBase *base, const AmModelInfo *info)
{
  return 0;
}

static gboolean
compute (gpointer motion, const float *features, float *frames, const atomic_int *cancel)
{
  return am_motion_run (motion, features, frames, cancel, NULL);
}

static GstClockTime
measure (AmModel *model, const AmBatching *batching, const atomic_int *cancel)
{
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (AmMotion) motion = am_motion_new_batched (model, batching, NULL);

  return gst_artalk_promise_measure (compute, motion, (gsize) info->steps * info->channels,
      (gsize) info->window_frames * info->motion_dim, cancel);
}

/* The class */

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkMotion *self = GST_ARTALK_MOTION (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_STYLE:
      g_free (self->style);
      self->style = g_value_dup_string (value);
      self->style_changed = TRUE;
      break;
    case PROP_GUIDANCE:
      self->guidance = g_value_get_float (value);
      self->style_changed = TRUE;
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkMotion *self = GST_ARTALK_MOTION (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_STYLE:
      g_value_set_string (value, self->style);
      break;
    case PROP_GUIDANCE:
      g_value_set_float (value, self->guidance);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_artalk_motion_constructed (GObject *object)
{
  G_OBJECT_CLASS (gst_artalk_motion_parent_class)->constructed (object);
  gst_pad_set_query_function (gst_artalk_base_sink_pad (GST_ARTALK_BASE (object)), sink_query);
  GST_ARTALK_MOTION (object)->base_query =
      GST_PAD_QUERYFUNC (gst_artalk_base_src_pad (GST_ARTALK_BASE (object)));
  gst_pad_set_query_function (gst_artalk_base_src_pad (GST_ARTALK_BASE (object)), src_query);
}

static void
gst_artalk_motion_finalize (GObject *object)
{
  g_free (GST_ARTALK_MOTION (object)->style);
  G_OBJECT_CLASS (gst_artalk_motion_parent_class)->finalize (object);
}

static void
gst_artalk_motion_init (GstArtalkMotion *self)
{
  self->guidance = DEFAULT_GUIDANCE;
  self->next = GST_BUFFER_OFFSET_NONE;
}

static void
gst_artalk_motion_class_init (GstArtalkMotionClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstArtalkBaseClass *base_class = GST_ARTALK_BASE_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  GST_DEBUG_CATEGORY_INIT (artalkmotion_debug, "artalkmotion", 0, "features to motion");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->constructed = gst_artalk_motion_constructed;
  object_class->finalize = gst_artalk_motion_finalize;
  base_class->start = start;
  base_class->stop = stop;
  base_class->reset = reset;
  base_class->delay = delay;
  base_class->measure = measure;
  base_class->chain = chain;
  base_class->sink_event = sink_event;

  g_object_class_install_property (object_class, PROP_STYLE,
      g_param_spec_string ("style", "Style",
          "Manner of speaking, from the next window on: the name of a built-in style or a file "
          "with a "
          "clip of 50 frames (\"\": none; NULL: " BUILT_IN_STYLE
          " for the built-in model, none for others)",
          NULL, flags));
  g_object_class_install_property (object_class, PROP_GUIDANCE,
      g_param_spec_float ("guidance", "Guidance",
          "How strongly the style is followed, from the next window on (0: not at all, 1: as it "
          "is, "
          "above: exaggerated)",
          0, 10, DEFAULT_GUIDANCE, flags));
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Speech features to head motion",
      "Filter/Converter", "Computes how a head moves that says what artalkaudioenc heard",
      "The ARTalk elements authors");
}
