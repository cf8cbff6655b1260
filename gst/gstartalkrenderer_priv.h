/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the two files of GstArtalkRenderer. */
#pragma once

#include <gst/video/video.h>

#include "gstartalkcuda.h"
#include "gstartalkrenderer.h"

G_BEGIN_DECLS

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

GstArtalkRendererPrivate *gst_artalk_renderer_priv (GstArtalkRenderer *self);

/* Caps and buffers: its part of the class. */
void gst_artalk_renderer_init_output (GstArtalkRendererClass *klass);
/* Closes the card that was opened to know whether pictures can stay there. */
void gst_artalk_renderer_forget_cuda (GstArtalkRenderer *self);

G_END_DECLS
