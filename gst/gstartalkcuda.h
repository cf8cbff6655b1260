/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures that stay in the memory of the card that draws them: the card's context, shared with neighbours by GstCuda,
 * and buffers in it. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_ARTALK_CUDA_FEATURE "memory:CUDAMemory"
#define GST_ARTALK_CUDA_CONTEXT "gst.cuda.context" /* the type of GstCuda's contexts */

/* For the texts of templates: nothing where GstCuda was not there when this was built. */
#ifdef GST_ARTALK_HAVE_GSTCUDA
#define GST_ARTALK_CUDA_ONLY(text) text
#else
#define GST_ARTALK_CUDA_ONLY(text) ""
#endif

typedef struct _GstArtalkCuda GstArtalkCuda;

/* Whether gst_artalk_cuda_new() may succeed, as far as the name of the device tells. */
gboolean gst_artalk_cuda_may (const char *device);

/* Opens what the property `device` of `element` stands for and offers its context to the pipeline. NULL if that is no
 * card, or there is no GstCuda for it; a line of debug level INFO says why. */
GstArtalkCuda *gst_artalk_cuda_new (GstElement *element, const char *device);
GstArtalkCuda *gst_artalk_cuda_ref (GstArtalkCuda *cuda);
void gst_artalk_cuda_unref (GstArtalkCuda *cuda);

/* Whether it was made for this property. */
gboolean gst_artalk_cuda_is_for (const GstArtalkCuda *cuda, const char *device);

/* Answers a CONTEXT query, if it is for GstCuda's contexts. */
gboolean gst_artalk_cuda_answer (GstArtalkCuda *cuda, GstElement *element, GstQuery *query);

/* Answers an ALLOCATION query's pool for `caps` with the feature, of which `info` is: downstream's pool if its buffers
 * can be drawn into, else one of our own. */
gboolean gst_artalk_cuda_allocation (
    GstArtalkCuda *cuda, const GstVideoInfo *info, GstCaps *caps, GstQuery *query);

/* Maps `buffer` for drawing: planes of `frame`, to be unmapped, are addresses on the card. FALSE also if the buffer lies
 * elsewhere. */
gboolean gst_artalk_cuda_map (
    GstArtalkCuda *cuda, const GstVideoInfo *info, GstBuffer *buffer, GstVideoFrame *frame);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstArtalkCuda, gst_artalk_cuda_unref)

G_END_DECLS
