/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstflamemeshcaps.h"

#include "gst/gstartalkcaps.h"
#include "models/safetensors.h"

#define DEFAULT_SIZE 512
#define SD_HEIGHT 576 /* taller pictures are BT.709, as elsewhere in GStreamer */

/* In order of preference: an encoder that has the choice is never lured into formats that players
 * refuse, and nobody gets transparency who did not ask for it. */
static const struct
{
  GstVideoFormat format;
  AmPixels pixels;
  gboolean alpha;
} formats[] = {
  { GST_VIDEO_FORMAT_I420, AM_PIXELS_I420, FALSE },
  { GST_VIDEO_FORMAT_NV12, AM_PIXELS_NV12, FALSE },
  { GST_VIDEO_FORMAT_RGBx, AM_PIXELS_RGBA, FALSE },
  { GST_VIDEO_FORMAT_BGRx, AM_PIXELS_BGRA, FALSE },
  { GST_VIDEO_FORMAT_xRGB, AM_PIXELS_ARGB, FALSE },
  { GST_VIDEO_FORMAT_xBGR, AM_PIXELS_ABGR, FALSE },
  { GST_VIDEO_FORMAT_RGB, AM_PIXELS_RGB, FALSE },
  { GST_VIDEO_FORMAT_BGR, AM_PIXELS_BGR, FALSE },
  { GST_VIDEO_FORMAT_RGBA, AM_PIXELS_RGBA, TRUE },
  { GST_VIDEO_FORMAT_BGRA, AM_PIXELS_BGRA, TRUE },
  { GST_VIDEO_FORMAT_ARGB, AM_PIXELS_ARGB, TRUE },
  { GST_VIDEO_FORMAT_ABGR, AM_PIXELS_ABGR, TRUE },
};

static void
set_list (GstCaps *caps, const char *field, const char *text)
{
  GValue list = G_VALUE_INIT;

  g_value_init (&list, GST_TYPE_LIST);
  if (gst_value_deserialize (&list, text))
    gst_caps_set_value (caps, field, &list);
  g_value_unset (&list);
}

GstCaps *
gst_flame_mesh_output_caps (guint vertices)
{
  GstCaps *yuv = gst_caps_from_string (GST_FLAME_MESH_VIDEO_CAPS);
  GstCaps *rgb = gst_caps_copy (yuv);
  GstCaps *mesh = gst_caps_from_string (GST_ARTALK_MESH_CAPS);

  set_list (yuv, "format", "{ I420, NV12 }");
  set_list (yuv, "colorimetry", "{ bt601, bt709 }");
  set_list (rgb, "format", "{ RGBx, BGRx, xRGB, xBGR, RGB, BGR, RGBA, BGRA, ARGB, ABGR }");
  gst_caps_set_simple (rgb, "colorimetry", G_TYPE_STRING, GST_VIDEO_COLORIMETRY_SRGB, NULL);
  if (vertices)
    gst_caps_set_simple (mesh, "vertices", G_TYPE_INT, (int) vertices, NULL);
  gst_caps_append (yuv, rgb);
  gst_caps_append (yuv, mesh);
  return yuv;
}

/* What `caps` allow in `format`, as caps of one structure, or NULL. (transfer full) */
static GstCaps *
pick (GstCaps *caps, GstVideoFormat format)
{
  g_autoptr (GstCaps) wanted = gst_caps_new_simple (
      "video/x-raw", "format", G_TYPE_STRING, gst_video_format_to_string (format), NULL);
  GstCaps *found = gst_caps_intersect_full (caps, wanted, GST_CAPS_INTERSECT_FIRST);

  if (!gst_caps_is_empty (found))
    return gst_caps_truncate (found);
  gst_caps_unref (found);
  return NULL;
}

static GstCaps *
fixate_video (GstCaps *caps)
{
  GstStructure *s;
  int height;

  caps = gst_caps_make_writable (caps);
  s = gst_caps_get_structure (caps, 0);
  gst_structure_fixate_field_nearest_int (s, "width", DEFAULT_SIZE);
  gst_structure_fixate_field_nearest_int (s, "height", DEFAULT_SIZE);
  if (gst_structure_get_int (s, "height", &height))
    gst_structure_fixate_field_string (s, "colorimetry",
        height > SD_HEIGHT ? GST_VIDEO_COLORIMETRY_BT709 : GST_VIDEO_COLORIMETRY_BT601);
  if (!gst_structure_has_field (s, "interlace-mode"))
    gst_structure_set (s, "interlace-mode", G_TYPE_STRING, "progressive", NULL);
  return gst_caps_fixate (caps);
}

GstCaps *
gst_flame_mesh_fixate (GstCaps *caps)
{
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstCaps *found = pick (caps, formats[i].format);

    if (found) {
      gst_caps_unref (caps);
      return fixate_video (found);
    }
  }
  return gst_caps_fixate (caps);
}

void
gst_flame_mesh_picture (const GstVideoInfo *info, AmPicture *picture)
{
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    if (formats[i].format == GST_VIDEO_INFO_FORMAT (info)) {
      picture->pixels = formats[i].pixels;
      picture->alpha = formats[i].alpha;
    }
  }
  picture->bt709 = info->colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_BT709;
  picture->width = GST_VIDEO_INFO_WIDTH (info);
  picture->height = GST_VIDEO_INFO_HEIGHT (info);
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
