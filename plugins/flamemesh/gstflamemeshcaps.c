/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstflamemeshcaps.h"

#include "gst/gstartalkcaps.h"
#include "models/safetensors.h"

GstCaps *
gst_flame_mesh_vertex_caps (guint vertices)
{
  GstCaps *caps = gst_caps_from_string (GST_ARTALK_MESH_CAPS);

  if (vertices)
    gst_caps_set_simple (caps, "vertices", G_TYPE_INT, (int) vertices, NULL);
  return caps;
}

GstEvent *
gst_flame_mesh_topology (const AmHead *head, GError **error)
{
  const AmHeadInfo *info = am_head_info (head);
  const char *const *regions = am_head_region_names (head);
  g_autoptr (GArray) tensors = g_array_new (FALSE, TRUE, sizeof (AmTensor));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GstBuffer) blob = NULL;
  AmTensor faces = { .name = "faces", .dtype = AM_U32, .n_dims = 2, .shape = { info->faces, 3 } };

  faces.data = am_head_faces (head);
  g_array_append_val (tensors, faces);
  for (guint i = 0; regions && regions[i]; i++) {
    AmTensor region = { .dtype = AM_U32, .n_dims = 1 };

    region.data = am_head_region (head, regions[i], &region.shape[0]);
    if (!region.data)
      continue;
    region.name = g_strconcat ("region.", regions[i], NULL);
    g_ptr_array_add (names, (gpointer) region.name);
    g_array_append_val (tensors, region);
  }
  bytes = am_safetensors_to_bytes ((const AmTensor *) tensors->data, tensors->len, NULL, error);
  if (!bytes)
    return NULL;
  blob = gst_buffer_new_wrapped_bytes (bytes);
  return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
      gst_structure_new ("artalk-topology", "data", GST_TYPE_BUFFER, blob, NULL));
}
