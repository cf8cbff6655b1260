/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What flamemesh can make: video in several formats, or vertices. */
#pragma once

#include <gst/video/video.h>

#include "models/meshview.h"

G_BEGIN_DECLS

#define GST_FLAME_MESH_VIDEO_CAPS                                                                  \
  "video/x-raw, format=(string){ I420, NV12, RGBx, BGRx, xRGB, xBGR, RGB, BGR, RGBA, BGRA, ARGB, " \
  "ABGR }, width=(int)[ 1, 16384 ], height=(int)[ 1, 16384 ], framerate=(fraction)25/1, "          \
  "pixel-aspect-ratio=(fraction)1/1"

/* All that can be made for a head of `vertices` (0: any). (transfer full) */
GstCaps *gst_flame_mesh_output_caps (guint vertices);

/* Chooses among `caps` (taken): video before vertices, formats without alpha before those with,
 * 512x512 if any size will do. (transfer full) */
GstCaps *gst_flame_mesh_fixate (GstCaps *caps);

/* How the pixels of `info` are written: `pixels`, `alpha`, `bt709`, `width` and `height` of `picture`. */
void gst_flame_mesh_picture (const GstVideoInfo *info, AmPicture *picture);

/* The sticky event `artalk-topology` of a head: its field `data` is a buffer that holds a safetensors
 * file with `faces` [F,3] and the index tensors `region.*`. NULL with `error` set. (transfer full) */
GstEvent *gst_flame_mesh_topology (const AmHead *head, GError **error);

G_END_DECLS
