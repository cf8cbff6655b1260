/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module libartalkgstcuda. GstCuda is not declared stable: what is called here is there from GStreamer 1.22 on, and
 * meson.build tries whether it still compiles. Streams, which came later, are not needed: pictures are finished when
 * they are handed on. */
#include "gstartalkcudatable.h"

#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudautils.h>
#include <string.h>

GST_DEBUG_CATEGORY_STATIC (artalkcuda_debug);
#define GST_CAT_DEFAULT artalkcuda_debug

GstArtalkCudaGet gst_artalk_cuda_table __attribute__ ((visibility ("default")));

static GstObject *
context_new (gpointer handle, int card)
{
  CUdevice device;

  if (!gst_cuda_load_library () || !gst_cuda_result (CuInit (0)) ||
      !gst_cuda_result (CuDeviceGet (&device, card)))
    return NULL;
  gst_cuda_memory_init_once ();
  return (GstObject *) gst_cuda_context_new_wrapped (handle, device);
}

static GstContext *
context_wrap (GstObject *context)
{
  return gst_context_new_cuda_context (GST_CUDA_CONTEXT (context));
}

static gboolean
context_query (GstElement *element, GstQuery *query, GstObject *context)
{
  return gst_cuda_handle_context_query (element, query, GST_CUDA_CONTEXT (context));
}

static gboolean
is_same (GstCudaContext *a, GstObject *b)
{
  return gst_cuda_context_get_handle (a) == gst_cuda_context_get_handle (GST_CUDA_CONTEXT (b));
}

static GstBufferPool *
pool_new (GstObject *context)
{
  return gst_cuda_buffer_pool_new (GST_CUDA_CONTEXT (context));
}

static gboolean
pool_fits (GstBufferPool *pool, GstObject *context)
{
  return GST_IS_CUDA_BUFFER_POOL (pool) &&
         is_same (GST_CUDA_BUFFER_POOL_CAST (pool)->context, context);
}

static gboolean
memory_fits (GstMemory *memory, GstObject *context)
{
  return gst_is_cuda_memory (memory) && is_same (GST_CUDA_MEMORY_CAST (memory)->context, context);
}

const GstArtalkCudaTable *
gst_artalk_cuda_table (const char *version)
{
  static const GstArtalkCudaTable table = { context_new, context_wrap, context_query, pool_new,
    pool_fits, memory_fits, GST_MAP_CUDA };
  static gsize once = 0;

  if (strcmp (version, ARTALK_VERSION) != 0)
    return NULL;
  if (g_once_init_enter (&once)) {
    GST_DEBUG_CATEGORY_INIT (artalkcuda_debug, "artalkcuda", 0, "pictures in the memory of a card");
    g_once_init_leave (&once, 1);
  }
  return &table;
}
