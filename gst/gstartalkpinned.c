/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkpinned.h"

#include "models/device.h"

#include <string.h>

typedef struct
{
  GstAllocator parent;
  AkDevice *device;
} GstArtalkPinned;

typedef struct
{
  GstAllocatorClass parent_class;
} GstArtalkPinnedClass;

/* What is to be freed with a memory. */
typedef struct
{
  GstArtalkPinned *allocator;
  void *data;
} Held;

static GType gst_artalk_pinned_get_type (void);
G_DEFINE_TYPE (GstArtalkPinned, gst_artalk_pinned, GST_TYPE_ALLOCATOR)
static G_DEFINE_QUARK (artalk_pinned, pinned)

    static void release (gpointer data)
{
  Held *held = data;

  ak_unpin (held->allocator->device, held->data);
  gst_object_unref (held->allocator);
  g_free (held);
}

/* As GStreamer's own memory, but for where it comes from and goes. */
static GstMemory *
allocate (GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  GstArtalkPinned *self = (GstArtalkPinned *) allocator;
  const gsize maxsize = size + params->prefix + params->padding;
  void *data = ak_pin (self->device, maxsize + params->align);
  GstMemory *memory;
  guint8 *aligned;
  Held *held;

  if (!data)
    return NULL;
  aligned = (guint8 *) (((guintptr) data + params->align) & ~(guintptr) params->align);
  if (params->flags & GST_MEMORY_FLAG_ZERO_PREFIXED)
    memset (aligned, 0, params->prefix);
  if (params->flags & GST_MEMORY_FLAG_ZERO_PADDED)
    memset (aligned + params->prefix + size, 0, params->padding);
  held = g_new (Held, 1);
  held->allocator = gst_object_ref (self);
  held->data = data;
  memory =
      gst_memory_new_wrapped (params->flags, aligned, maxsize, params->prefix, size, held, release);
  gst_mini_object_set_qdata (GST_MINI_OBJECT (memory), pinned_quark (), self, NULL);
  return memory;
}

static void
gst_artalk_pinned_finalize (GObject *object)
{
  ak_device_unref (((GstArtalkPinned *) object)->device);
  G_OBJECT_CLASS (gst_artalk_pinned_parent_class)->finalize (object);
}

static void
gst_artalk_pinned_init (GstArtalkPinned *self)
{
}

static void
gst_artalk_pinned_class_init (GstArtalkPinnedClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_artalk_pinned_finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = allocate;
}

GstAllocator *
gst_artalk_pinned_allocator_new (const char *device)
{
  GstArtalkPinned *self;
  AkDevice *dev;

  if (!g_str_has_prefix (am_device_resolve (device, NULL), "cuda"))
    return NULL;
  dev = am_device_open (device, 0, NULL);
  if (!dev)
    return NULL;
  self = g_object_new (gst_artalk_pinned_get_type (), NULL);
  self->device = dev;
  return gst_object_ref_sink (self);
}

gboolean
gst_artalk_is_pinned (GstBuffer *buffer, GstAllocator *allocator)
{
  return allocator && gst_buffer_n_memory (buffer) == 1 &&
         gst_mini_object_get_qdata (
             GST_MINI_OBJECT (gst_buffer_peek_memory (buffer, 0)), pinned_quark ()) == allocator;
}
