/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkcaps.h"

static const char *
encoder_name (AmEncoderKind kind)
{
  return kind == AM_ENCODER_MIMI ? "mimi" : "wav2vec2";
}

void
gst_artalk_place_window (
    const AmModelInfo *info, const GstArtalkHop *hop, guint64 offset, guint64 *start, guint64 *end)
{
  const guint window = info->window_samples;

  if (hop->hop == window) {
    *start = offset;
    *end = offset + window;
  } else if (info->before_samples > 0) {
    *start = offset / window * window;
    *end = MIN (offset + hop->hop, *start + window);
  } else {
    const guint more =
        hop->lookahead > info->ahead_samples ? hop->lookahead - info->ahead_samples : 0;
    const guint64 last =
        offset + hop->hop + more / GST_ARTALK_FRAME_SAMPLES * GST_ARTALK_FRAME_SAMPLES;

    *start = last > window ? last - window : 0;
    *end = offset + hop->hop;
  }
}

GstCaps *
gst_artalk_features_caps (const AmModelInfo *info, const GstArtalkHop *hop)
{
  GstCaps *caps = gst_caps_new_simple ("application/x-speech-features", "encoder", G_TYPE_STRING,
      encoder_name (info->encoder), "channels", G_TYPE_INT, (int) info->channels, "window",
      G_TYPE_INT, (int) info->window_samples, "before", G_TYPE_INT, (int) info->before_samples,
      "ahead", G_TYPE_INT, (int) info->ahead_samples, "rate", G_TYPE_INT, GST_ARTALK_RATE,
      "framerate", GST_TYPE_FRACTION, 25, 1, "checkpoint", G_TYPE_STRING, info->checkpoint, NULL);

  if (hop && hop->hop != info->window_samples)
    gst_caps_set_simple (caps, "hop", G_TYPE_INT, (int) hop->hop, "lookahead", G_TYPE_INT,
        (int) hop->lookahead, NULL);
  return caps;
}

gboolean
gst_artalk_features_match (
    const GstCaps *caps, const AmModelInfo *info, GstArtalkHop *hop, char **reason)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  const char *checkpoint = gst_structure_get_string (s, "checkpoint");
  const char *encoder = gst_structure_get_string (s, "encoder");
  int channels = 0, window = 0, new_samples = (int) info->window_samples,
      lookahead = (int) info->ahead_samples;

  gst_structure_get_int (s, "channels", &channels);
  gst_structure_get_int (s, "window", &window);
  gst_structure_get_int (s, "hop", &new_samples);
  gst_structure_get_int (s, "lookahead", &lookahead);
  if (checkpoint && g_strcmp0 (checkpoint, info->checkpoint) != 0)
    *reason =
        g_strdup_printf ("This motion model belongs to checkpoint %s, the features come from "
                         "checkpoint %s: set the same model= on artalkaudioenc and artalkmotion.",
            info->checkpoint, checkpoint);
  else if (g_strcmp0 (encoder, encoder_name (info->encoder)) != 0 ||
           channels != (int) info->channels || window != (int) info->window_samples)
    *reason = g_strdup_printf ("This motion model reads windows of %u samples with %u %s features, "
                               "these have %d samples and %d %s features: set the same model= on "
                               "artalkaudioenc and artalkmotion.",
        info->window_samples, info->channels, encoder_name (info->encoder), window, channels,
        encoder ? encoder : "unknown");
  else if (new_samples < GST_ARTALK_FRAME_SAMPLES || new_samples > window ||
           new_samples % GST_ARTALK_FRAME_SAMPLES != 0 || lookahead < 0 ||
           (gint64) new_samples + lookahead > (gint64) window + info->ahead_samples)
    *reason = g_strdup_printf (
        "A hop of %d samples with a look-ahead of %d does not fit into these windows of %d: it "
        "must be a whole number of frames of %d samples.",
        new_samples, lookahead, window, GST_ARTALK_FRAME_SAMPLES);
  else {
    *hop = (GstArtalkHop){ .hop = (guint) new_samples, .lookahead = (guint) lookahead };
    return TRUE;
  }
  return FALSE;
}

GstCaps *
gst_artalk_flame_caps (guint dim, const char *basis)
{
  return gst_caps_new_simple ("motion/x-flame", "format", G_TYPE_STRING, "F32LE", "expression",
      G_TYPE_INT, (int) dim - GST_ARTALK_POSE, "pose", G_TYPE_INT, GST_ARTALK_POSE, "basis",
      G_TYPE_STRING, basis, "framerate", GST_TYPE_FRACTION, 25, 1, NULL);
}

gboolean
gst_artalk_flame_parse (const GstCaps *caps, guint *expression, const char **basis)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  int n;

  if (!gst_structure_has_name (s, "motion/x-flame") ||
      !gst_structure_get_int (s, "expression", &n) || n < 0)
    return FALSE;
  *expression = n;
  *basis = gst_structure_get_string (s, "basis");
  if (!*basis)
    *basis = "flame";
  return TRUE;
}

guint64
gst_artalk_frames (guint64 samples)
{
  return samples / GST_ARTALK_FRAME_SAMPLES + (samples % GST_ARTALK_FRAME_SAMPLES != 0);
}

GstClockTime
gst_artalk_samples_to_time (guint64 samples)
{
  return gst_util_uint64_scale (samples, GST_SECOND, GST_ARTALK_RATE);
}
