/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkvideo.h"

#include <gst/video/gstvideometa.h>
#include <gst/video/gstvideopool.h>

#include "gstartalkpinned.h"

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

/* `text` with the colorimetry that each of the formats can have. */
static GstCaps *
with_colorimetry (const char *text, const char *yuv_formats, const char *rgb_formats)
{
  GstCaps *yuv = gst_caps_from_string (text);
  GstCaps *rgb = gst_caps_copy (yuv);

  set_list (yuv, "format", yuv_formats);
  set_list (yuv, "colorimetry", "{ bt601, bt709 }");
  set_list (rgb, "format", rgb_formats);
  gst_caps_set_simple (rgb, "colorimetry", G_TYPE_STRING, GST_VIDEO_COLORIMETRY_SRGB, NULL);
  gst_caps_append (yuv, rgb);
  return yuv;
}

GstCaps *
gst_artalk_video_caps (void)
{
  return with_colorimetry (GST_ARTALK_VIDEO_CAPS, "{ I420, NV12 }",
      "{ RGBx, BGRx, xRGB, xBGR, RGB, BGR, RGBA, BGRA, ARGB, ABGR }");
}

GstCaps *
gst_artalk_video_cuda_caps (void)
{
  return with_colorimetry (
      GST_ARTALK_VIDEO_CUDA_CAPS, "{ NV12 }", "{ RGBx, BGRx, RGB, BGR, RGBA, BGRA, ARGB, ABGR }");
}

gboolean
gst_artalk_video_names_cuda (const GstCaps *caps)
{
  for (guint i = 0; i < gst_caps_get_size (caps); i++) {
    GstCapsFeatures *features = gst_caps_get_features (caps, i);

    if (gst_structure_has_name (gst_caps_get_structure (caps, i), "video/x-raw") &&
        !gst_caps_features_is_any (features) &&
        gst_caps_features_contains (features, GST_ARTALK_CUDA_FEATURE))
      return TRUE;
  }
  return FALSE;
}

/* What `caps` allow in `format`, as caps of one structure, or NULL. (transfer full) */
static GstCaps *
pick (GstCaps *caps, GstVideoFormat format, gboolean cuda)
{
  g_autoptr (GstCaps) wanted = gst_caps_new_simple (
      "video/x-raw", "format", G_TYPE_STRING, gst_video_format_to_string (format), NULL);
  GstCaps *found;

  if (cuda)
    gst_caps_set_features_simple (wanted, gst_caps_features_new (GST_ARTALK_CUDA_FEATURE, NULL));
  found = gst_caps_intersect_full (caps, wanted, GST_CAPS_INTERSECT_FIRST);
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
gst_artalk_video_fixate (GstCaps *caps, gboolean cuda)
{
  cuda = cuda && gst_artalk_video_names_cuda (caps);
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstCaps *found = pick (caps, formats[i].format, cuda);

    if (found) {
      gst_caps_unref (caps);
      return fixate_video (found);
    }
  }
  return gst_caps_fixate (caps);
}

/* How the pixels of `info` are written. */
static void
describe (const GstVideoInfo *info, AmPicture *picture)
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

gboolean
gst_artalk_video_map (const GstVideoInfo *info, GstArtalkCuda *cuda, GstAllocator *pinned,
    GstBuffer *buffer, GstVideoFrame *frame, AmPicture *picture)
{
  if (cuda ? !gst_artalk_cuda_map (cuda, info, buffer, frame)
           : !gst_video_frame_map (frame, info, buffer, GST_MAP_WRITE))
    return FALSE;
  describe (info, picture);
  picture->on_device = cuda != NULL;
  picture->pinned = gst_artalk_is_pinned (buffer, pinned);
  for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES (frame); i++) {
    picture->plane[i] = GST_VIDEO_FRAME_PLANE_DATA (frame, i);
    picture->stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE (frame, i);
  }
  return TRUE;
}

/* Has downstream an allocator? If not, it gets ours. */
static void
propose (GstQuery *query, GstAllocator *pinned)
{
  g_autoptr (GstAllocator) theirs = NULL;
  GstAllocationParams params;

  gst_allocation_params_init (&params);
  if (gst_query_get_n_allocation_params (query) == 0) {
    gst_query_add_allocation_param (query, pinned, &params);
    return;
  }
  gst_query_parse_nth_allocation_param (query, 0, &theirs, &params);
  if (!theirs)
    gst_query_set_nth_allocation_param (query, 0, pinned, &params);
}

void
gst_artalk_video_allocation (
    const GstVideoInfo *info, GstCaps *caps, GstQuery *query, GstAllocator *pinned)
{
  g_autoptr (GstBufferPool) pool = NULL;
  guint size = GST_VIDEO_INFO_SIZE (info), min = 0, max = 0;
  gboolean offered = gst_query_get_n_allocation_pools (query) > 0;
  GstStructure *config;

  if (offered) {
    gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
    size = MAX (size, GST_VIDEO_INFO_SIZE (info));
  }
  if (!pool) {
    pool = gst_video_buffer_pool_new ();
    if (pinned)
      propose (query, pinned);
  }
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, size, min, max);
  if (gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL))
    gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  gst_buffer_pool_set_config (pool, config);
  if (offered)
    gst_query_set_nth_allocation_pool (query, 0, pool, size, min, max);
  else
    gst_query_add_allocation_pool (query, pool, size, min, max);
}
