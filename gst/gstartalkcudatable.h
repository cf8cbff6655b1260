/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the module libartalkgstcuda gives: calls of GstCuda, which needs OpenGL and more, so that only pipelines that draw
 * on a card load it. For gst/ only. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct
{
  /* A GstCudaContext for the CUcontext `handle` of card `card`, which must stay as long; NULL if GstCuda finds no
   * driver. (transfer full) */
  GstObject *(*context_new) (gpointer handle, int card);
  /* For messages and GstElement.set_context(). (transfer full) */
  GstContext *(*context_wrap) (GstObject *context);
  /* Answers a CONTEXT query for GstCuda's contexts. */
  gboolean (*context_query) (GstElement *element, GstQuery *query, GstObject *context);
  GstBufferPool *(*pool_new) (GstObject *context); /* (transfer full) */
  /* Whether buffers of `pool`, and this memory, lie in the CUcontext of `context`. */
  gboolean (*pool_fits) (GstBufferPool *pool, GstObject *context);
  gboolean (*memory_fits) (GstMemory *memory, GstObject *context);
  GstMapFlags map; /* with it, mapped memory is an address on the card */
} GstArtalkCudaTable;

/* The module's one symbol. NULL if it is of another version than `version`. */
#define GST_ARTALK_CUDA_SYMBOL "gst_artalk_cuda_table"
typedef const GstArtalkCudaTable *GstArtalkCudaGet (const char *version);

G_END_DECLS
