/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The video that renderers make: caps, the choice among them, buffers, and how models/ writes into them. */
#pragma once

#include <gst/video/video.h>

#include "gstartalkcuda.h"
#include "models/meshview.h"

G_BEGIN_DECLS

#define GST_ARTALK_VIDEO_CAPS                                                                      \
  "video/x-raw, format=(string){ I420, NV12, RGBx, BGRx, xRGB, xBGR, RGB, BGR, RGBA, BGRA, ARGB, " \
  "ABGR }, width=(int)[ 1, 16384 ], height=(int)[ 1, 16384 ], framerate=(fraction)25/1, "          \
  "pixel-aspect-ratio=(fraction)1/1"

/* The same with the colorimetry that each format can have. (transfer full) */
GstCaps *gst_artalk_video_caps (void);

/* The same in the memory of a card: the formats that GstCuda can hold and encoders on cards take. */
#define GST_ARTALK_VIDEO_CUDA_CAPS                                                                 \
  "video/x-raw(" GST_ARTALK_CUDA_FEATURE "), format=(string){ NV12, RGBx, BGRx, RGB, BGR, RGBA, "  \
  "BGRA, ARGB, ABGR }, width=(int)[ 1, 16384 ], height=(int)[ 1, 16384 ], "                        \
  "framerate=(fraction)25/1, pixel-aspect-ratio=(fraction)1/1"
/* (transfer full) */
GstCaps *gst_artalk_video_cuda_caps (void);

#define GST_ARTALK_VIDEO_TEMPLATE_CAPS                                                             \
  GST_ARTALK_VIDEO_CAPS GST_ARTALK_CUDA_ONLY ("; " GST_ARTALK_VIDEO_CUDA_CAPS)

/* Whether a structure of `caps` is video in the memory of a card, by name: a structure of any memory is not. */
gboolean gst_artalk_video_names_cuda (const GstCaps *caps);

/* Chooses among `caps` (taken): video before anything else, with `cuda` in the memory of a card if `caps` have that;
 * formats without alpha before those with; 512x512 if any size will do. (transfer full) */
GstCaps *gst_artalk_video_fixate (GstCaps *caps, gboolean cuda);

/* Maps `buffer` for writing, on the card if `cuda` is not NULL; `pinned` (may be NULL) is what it may come from. `frame`
 * is to be unmapped, all of `picture` is filled in. */
gboolean gst_artalk_video_map (const GstVideoInfo *info, GstArtalkCuda *cuda, GstAllocator *pinned,
    GstBuffer *buffer, GstVideoFrame *frame, AmPicture *picture);

/* Answers an ALLOCATION query's pool for `caps`, of which `info` is: strides as downstream likes, memory from `pinned`
 * (may be NULL) where downstream brings no pool or allocator of its own. */
void gst_artalk_video_allocation (
    const GstVideoInfo *info, GstCaps *caps, GstQuery *query, GstAllocator *pinned);

G_END_DECLS
