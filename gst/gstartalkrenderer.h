/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the elements that draw motion share: the head and its properties, negotiation of video, the check that
 * motion and head belong together, cancelling. Frames that would come too late for the sink are left out. */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <stdatomic.h>

#include "models/head.h"
#include "models/meshview.h"

G_BEGIN_DECLS

#define GST_ARTALK_HEAD_ADVICE                                                                     \
  "Set head= to a FLAME file (.pt or .safetensors) or a built-in face (see artalk heads), or "     \
  "leave it "                                                                                      \
  "out for the built-in head."

#define GST_TYPE_ARTALK_RENDERER (gst_artalk_renderer_get_type ())
G_DECLARE_DERIVABLE_TYPE (
    GstArtalkRenderer, gst_artalk_renderer, GST, ARTALK_RENDERER, GstBaseTransform)

/* The functions are called without locks. */
struct _GstArtalkRendererClass
{
  GstBaseTransformClass parent_class;

  const char *thing;  /* that is loaded and drawn, for messages: "head" */
  const char *advice; /* which property helps if it cannot be loaded, or NULL */

  /* Makes what draws, READY to PAUSED. `head` stays until close(). */
  gboolean (*open) (GstArtalkRenderer *renderer, AmHead *head, GError **error);
  /* Frees it. No data flows. May be called without open(). */
  void (*close) (GstArtalkRenderer *renderer);
  /* Draws a frame of motion. Streaming thread. */
  gboolean (*draw) (
      GstArtalkRenderer *renderer, const float *motion, const AmPicture *picture, GError **error);
  /* May be NULL: all caps that go out, for a head or NULL for any. (transfer full) Default: video. */
  GstCaps *(*output_caps) (GstArtalkRenderer *renderer, const AmHeadInfo *info);
  /* May be NULL: a frame of motion into a buffer that is no video. Streaming thread. */
  gboolean (*fill) (
      GstArtalkRenderer *renderer, const float *motion, GstBuffer *out, GError **error);
  /* May be NULL: forgets the frames so far. Streaming thread. */
  void (*reset) (GstArtalkRenderer *renderer);
  /* May be NULL: wakes the streaming thread where it waits; the cancel flag is set. Any thread. */
  void (*interrupt) (GstArtalkRenderer *renderer);
};

/* Both from open() to close(), in the streaming thread or where no data flow. */
AmHead *gst_artalk_renderer_head (GstArtalkRenderer *renderer);
/* Whether the caps that go out are video. */
gboolean gst_artalk_renderer_is_video (GstArtalkRenderer *renderer);

/* The `device` property. (transfer full) */
char *gst_artalk_renderer_device (GstArtalkRenderer *renderer);

/* The flag for the model functions: not 0 from FLUSH_START to FLUSH_STOP and while stopping. */
const atomic_int *gst_artalk_renderer_cancel (GstArtalkRenderer *renderer);

/* The `background` property, for a subclass to install with its own default. (transfer full) */
GParamSpec *gst_artalk_renderer_background_spec (guint32 argb, const char *blurb);

G_END_DECLS
