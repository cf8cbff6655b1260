/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkcuda.h"

#include "gstartalkcudatable.h"
#include "models/device.h"

#include <dlfcn.h>

GST_DEBUG_CATEGORY_STATIC (artalkcuda_debug);
#define GST_CAT_DEFAULT artalkcuda_debug

struct _GstArtalkCuda
{
  grefcount refs;
  char *name;       /* the property */
  AkDevice *device; /* kept open, as its context is */
  GstObject *context;
  const GstArtalkCudaTable *table;
};

static void
init_category (void)
{
  static gsize once = 0;

  if (g_once_init_enter (&once)) {
    GST_DEBUG_CATEGORY_INIT (artalkcuda_debug, "artalkcuda", 0, "pictures in the memory of a card");
    g_once_init_leave (&once, 1);
  }
}

/* The module stays open: it brings types of GObject. */
static gpointer
open_module (gpointer data)
{
#ifdef GST_ARTALK_HAVE_GSTCUDA
  char path[4096];
  void *module = ak_module_path ("libartalkgstcuda.so", path, sizeof path)
                     ? dlopen (path, RTLD_NOW | RTLD_LOCAL)
                     : NULL;
  GstArtalkCudaGet *get = NULL;
  const GstArtalkCudaTable *table = NULL;

  if (module)
    *(void **) &get = dlsym (module, GST_ARTALK_CUDA_SYMBOL);
  if (get)
    table = get (ARTALK_VERSION);
  if (!table)
    GST_INFO ("no pictures in the card's memory: %s: %s", path,
        get      ? "of another build"
        : module ? "not the module"
                 : "not there, or it cannot be opened");
  return (gpointer) table;
#else
  GST_INFO ("no pictures in the card's memory: this is a build without GstCuda");
  return NULL;
#endif
}

gboolean
gst_artalk_cuda_may (const char *device)
{
#ifdef GST_ARTALK_HAVE_GSTCUDA
  return g_str_has_prefix (device, "cuda") || g_str_equal (device, "auto");
#else
  return FALSE;
#endif
}

/* Elements that have none yet, and are not neighbours, get it from the bin. */
static void
offer_context (GstArtalkCuda *self, GstElement *element)
{
  GstContext *context = self->table->context_wrap (self->context);

  gst_element_post_message (element, gst_message_new_have_context (GST_OBJECT (element), context));
}

GstArtalkCuda *
gst_artalk_cuda_new (GstElement *element, const char *device)
{
  static GOnce once = G_ONCE_INIT;
  g_autoptr (GstArtalkCuda) self = NULL;
  void *handle;
  int card = 0;

  init_category ();
  if (!gst_artalk_cuda_may (device) || g_str_equal (am_device_resolve (device, NULL), "cpu") ||
      !g_once (&once, open_module, NULL))
    return NULL;
  self = g_new0 (GstArtalkCuda, 1);
  g_ref_count_init (&self->refs);
  self->name = g_strdup (device);
  self->table = once.retval;
  self->device = am_device_open (device, 0, NULL);
  handle = self->device ? ak_device_context (self->device, &card) : NULL;
  if (handle)
    self->context = self->table->context_new (handle, card);
  if (!self->context) {
    GST_INFO_OBJECT (element, "no pictures in the card's memory: %s",
        !self->device ? ak_device_problem ()
        : handle      ? "GstCuda does not take the card"
                      : "the device has no CUDA context");
    return NULL;
  }
  offer_context (self, element);
  return g_steal_pointer (&self);
}

GstArtalkCuda *
gst_artalk_cuda_ref (GstArtalkCuda *self)
{
  g_ref_count_inc (&self->refs);
  return self;
}

void
gst_artalk_cuda_unref (GstArtalkCuda *self)
{
  if (!g_ref_count_dec (&self->refs))
    return;
  gst_clear_object (&self->context);
  ak_device_unref (self->device);
  g_free (self->name);
  g_free (self);
}

gboolean
gst_artalk_cuda_is_for (const GstArtalkCuda *self, const char *device)
{
  return g_str_equal (self->name, device);
}

gboolean
gst_artalk_cuda_answer (GstArtalkCuda *self, GstElement *element, GstQuery *query)
{
  return self->table->context_query (element, query, self->context);
}

gboolean
gst_artalk_cuda_allocation (
    GstArtalkCuda *self, const GstVideoInfo *info, GstCaps *caps, GstQuery *query)
{
  g_autoptr (GstBufferPool) pool = NULL;
  guint size = GST_VIDEO_INFO_SIZE (info), min = 0, max = 0;
  gboolean offered = gst_query_get_n_allocation_pools (query) > 0;
  GstStructure *config;

  if (offered)
    gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
  if (pool && !self->table->pool_fits (pool, self->context)) {
    GST_INFO ("downstream's pool belongs to another CUDA context; it gets buffers of ours");
    gst_clear_object (&pool);
    max = 0;
  }
  if (!pool)
    pool = self->table->pool_new (self->context);
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, size, min, max);
  gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  if (!gst_buffer_pool_set_config (pool, config))
    return FALSE;
  config = gst_buffer_pool_get_config (pool); /* the pool knows how long rows are */
  gst_buffer_pool_config_get_params (config, NULL, &size, NULL, NULL);
  gst_structure_free (config);
  if (offered)
    gst_query_set_nth_allocation_pool (query, 0, pool, size, min, max);
  else
    gst_query_add_allocation_pool (query, pool, size, min, max);
  return TRUE;
}

gboolean
gst_artalk_cuda_map (
    GstArtalkCuda *self, const GstVideoInfo *info, GstBuffer *buffer, GstVideoFrame *frame)
{
  return gst_buffer_n_memory (buffer) == 1 &&
         self->table->memory_fits (gst_buffer_peek_memory (buffer, 0), self->context) &&
         gst_video_frame_map (frame, info, buffer, GST_MAP_WRITE | self->table->map);
}
