/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The caps that the elements speak among themselves, and the times that follow from them. */
#pragma once

#include <gst/gst.h>
#include "models/model.h"

G_BEGIN_DECLS

#define GST_ARTALK_RATE 16000                    /* samples per second of the networks' audio */
#define GST_ARTALK_FRAME_SAMPLES 640             /* samples per motion frame */
#define GST_ARTALK_FRAME_TIME (40 * GST_MSECOND) /* of one motion frame */
#define GST_ARTALK_POSE 6                        /* global rotation and jaw, axis-angle */

/* What artalkaudioenc takes. */
#define GST_ARTALK_AUDIO_CAPS                                                                      \
  "audio/x-raw, format=(string)F32LE, rate=(int)16000, channels=(int)1, "                          \
  "layout=(string)interleaved"

/* One buffer is one window of features: [steps][channels] F32LE. `checkpoint` is left out here so
 * that a mismatch is found by the element that can explain it. */
#define GST_ARTALK_FEATURES_CAPS                                                                   \
  "application/x-speech-features, encoder=(string){ wav2vec2, mimi }, "                            \
  "channels=(int)[ 1, max ], window=(int)[ 640, max ], before=(int)[ 0, max ], "                   \
  "ahead=(int)[ 0, max ], rate=(int)16000, framerate=(fraction)25/1"

/* One buffer is one frame: expression, global rotation, jaw as F32LE. `basis` is left out likewise. */
#define GST_ARTALK_FLAME_CAPS                                                                      \
  "motion/x-flame, format=(string)F32LE, expression=(int)[ 0, 4096 ], pose=(int)6, "               \
  "framerate=(fraction)25/1"

/* One buffer is one frame: [vertices][3] F32LE, metres. */
#define GST_ARTALK_MESH_CAPS                                                                       \
  "model/x-mesh, format=(string)F32LE, vertices=(int)[ 1, max ], framerate=(fraction)25/1"

/* How the windows of a stream follow one another, in samples. */
typedef struct
{
  guint
      hop; /* new sound that a window brings, whole frames; the model's window: they do not overlap */
  guint
      lookahead; /* sound after it that is waited for; what the model would hear beyond that is silence */
} GstArtalkHop;

/* gst_artalk_place_window:
 * @offset: sample at which the new sound begins, a whole number of frames unless @hop is the window
 * @start: (out): first sample of the window, without what the model is given before it
 * @end: (out): one past the new sound
 *
 * The place of a window in its stream. Models that are given sound before a window (AUDIO_CONTEXT) keep to windows
 * that follow one another, as in training, and compute each anew whenever a hop more of it is there. Windows of
 * other models end with the new sound or, as far as @lookahead exceeds what the model hears after a window, that
 * much later; none begins before the stream. */
void gst_artalk_place_window (
    const AmModelInfo *info, const GstArtalkHop *hop, guint64 offset, guint64 *start, guint64 *end);

/* The caps of the features that `info`'s encoder makes; `hop` may be NULL: windows do not overlap. (transfer full) */
GstCaps *gst_artalk_features_caps (const AmModelInfo *info, const GstArtalkHop *hop);

/* Whether `caps` are of features that a model of `info` can read, with *`hop` filled; if not, *`reason` (g_free) says
 * in a sentence which two things differ and what to set. */
gboolean gst_artalk_features_match (
    const GstCaps *caps, const AmModelInfo *info, GstArtalkHop *hop, char **reason);

/* motion/x-flame with `dim` numbers a frame in `basis`. (transfer full) */
GstCaps *gst_artalk_flame_caps (guint dim, const char *basis);

/* Reads motion/x-flame: the number of expression coefficients, and the basis ("flame" where the caps name
 * none; belongs to `caps`). FALSE if they are not complete. */
gboolean gst_artalk_flame_parse (const GstCaps *caps, guint *expression, const char **basis);

/* Motion frames of `samples` real samples: ceil (samples * 25 / 16000), exactly. */
guint64 gst_artalk_frames (guint64 samples);

/* How long `samples` last. */
GstClockTime gst_artalk_samples_to_time (guint64 samples);

G_END_DECLS
