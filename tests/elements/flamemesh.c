/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flamemesh: negotiation of formats, pictures in any stride, vertices, heads that do not fit. */
#include <gst/video/video.h>
#include <math.h>
#include <string.h>

#include "models/device.h"
#include "models/head.h"
#include "models/safetensors.h"
#include "testmotion.h"

#define MOTION_CAPS "motion/x-flame,format=F32LE,expression=100,pose=6,basis=%s,framerate=25/1"
#define BASIS "arkit-1"

static GstBuffer *
frame (guint i, float jaw)
{
  float numbers[TEST_MOTION] = { 0 };

  numbers[TEST_JAW] = jaw;
  return test_motion_buffer (i, numbers);
}

static GstHarness *
start (const char *wanted)
{
  GstHarness *h = test_harness ("flamemesh", NULL);
  g_autofree char *caps = g_strdup_printf (MOTION_CAPS, BASIS);

  if (wanted)
    gst_harness_set_sink_caps_str (h, wanted);
  gst_harness_set_src_caps_str (h, caps);
  return h;
}

/* One picture of a head with its jaw at `jaw`. (transfer full) */
static GstBuffer *
picture (const char *wanted, float jaw, GstVideoInfo *info)
{
  GstHarness *h = start (wanted);
  g_autoptr (GstCaps) caps = NULL;
  GstBuffer *out;

  out = gst_harness_push_and_pull (h, frame (3, jaw));
  fail_unless (out != NULL);
  caps = gst_pad_get_current_caps (h->sinkpad);
  if (info)
    fail_unless (gst_video_info_from_caps (info, caps));
  test_end (h);
  return out;
}

GST_START_TEST (test_defaults)
{
  GstVideoInfo info;
  g_autoptr (GstBuffer) b = picture (NULL, 0.1, &info);

  fail_unless_equals_int (GST_VIDEO_INFO_FORMAT (&info), GST_VIDEO_FORMAT_I420);
  fail_unless_equals_int (info.width, 512);
  fail_unless_equals_int (info.height, 512);
  fail_unless_equals_int (info.fps_n, 25);
  fail_unless_equals_int (info.fps_d, 1);
  fail_unless_equals_int (info.par_n, 1);
  fail_unless_equals_int (info.par_d, 1);
  fail_unless (gst_video_colorimetry_matches (&info.colorimetry, GST_VIDEO_COLORIMETRY_BT601));
  fail_unless_equals_uint64 (GST_BUFFER_PTS (b), 3 * TEST_FRAME);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (b), TEST_FRAME);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), 3);
}
GST_END_TEST

/* Alpha is made only where nothing else will do. */
GST_START_TEST (test_preference)
{
  static const struct
  {
    const char *wanted;
    GstVideoFormat format;
  } cases[] = {
    { "video/x-raw,format={RGBA,NV12,I420}", GST_VIDEO_FORMAT_I420 },
    { "video/x-raw,format={AYUV,ARGB,BGRA,NV12}", GST_VIDEO_FORMAT_NV12 },
    { "video/x-raw,format={RGBA,BGRA,BGRx}", GST_VIDEO_FORMAT_BGRx },
    { "video/x-raw,format={ABGR,BGR}", GST_VIDEO_FORMAT_BGR },
    { "video/x-raw,format={ARGB}", GST_VIDEO_FORMAT_ARGB },
    { "model/x-mesh;video/x-raw,format=RGB", GST_VIDEO_FORMAT_RGB },
    { "video/x-raw,format=xRGB,width=64", GST_VIDEO_FORMAT_xRGB },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstVideoInfo info;

    gst_buffer_unref (picture (cases[i].wanted, 0, &info));
    fail_unless_equals_int (GST_VIDEO_INFO_FORMAT (&info), cases[i].format);
  }
}
GST_END_TEST

GST_START_TEST (test_sizes)
{
  static const struct
  {
    const char *wanted;
    int width, height;
    const char *colorimetry;
  } cases[] = {
    { "video/x-raw,format=I420,width=1,height=1", 1, 1, GST_VIDEO_COLORIMETRY_BT601 },
    { "video/x-raw,format=NV12,width=33,height=17", 33, 17, GST_VIDEO_COLORIMETRY_BT601 },
    { "video/x-raw,width=[600,1000],height=[600,1000]", 600, 600, GST_VIDEO_COLORIMETRY_BT709 },
    { "video/x-raw,height=720,colorimetry=bt601", 512, 720, GST_VIDEO_COLORIMETRY_BT601 },
    { "video/x-raw,format=RGB,width=101,height=97", 101, 97, GST_VIDEO_COLORIMETRY_SRGB },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstVideoInfo info;
    g_autoptr (GstBuffer) b = picture (cases[i].wanted, 0, &info);

    fail_unless_equals_int (info.width, cases[i].width);
    fail_unless_equals_int (info.height, cases[i].height);
    fail_unless (gst_video_colorimetry_matches (&info.colorimetry, cases[i].colorimetry));
    fail_unless_equals_uint64 (gst_buffer_get_size (b), GST_VIDEO_INFO_SIZE (&info));
  }
}
GST_END_TEST

/* All formats show the same picture: as RGB they differ by no more than rounding and chroma. */
GST_START_TEST (test_formats)
{
  static const char *const formats[] = { "I420", "NV12", "RGBx", "BGRx", "xRGB", "xBGR", "RGB",
    "BGR", "RGBA", "BGRA", "ARGB", "ABGR" };
  g_autoptr (GstBuffer) reference = NULL;
  GstVideoInfo rgb;
  GstVideoFrame a;

  reference = picture ("video/x-raw,format=RGB,width=128,height=128", 0.2, &rgb);
  fail_unless (gst_video_frame_map (&a, &rgb, reference, GST_MAP_READ));
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autofree char *wanted =
        g_strdup_printf ("video/x-raw,format=%s,width=128,height=128", formats[i]);
    g_autoptr (GstCaps) to = gst_video_info_to_caps (&rgb);
    g_autoptr (GstBuffer) b = NULL;
    g_autoptr (GstSample) in = NULL, out = NULL;
    g_autoptr (GstCaps) from = NULL;
    g_autoptr (GError) error = NULL;
    GstVideoInfo info;
    GstVideoFrame f;
    double sum = 0;

    b = picture (wanted, 0.2, &info);
    if (GST_VIDEO_INFO_HAS_ALPHA (&info))
      continue; /* the background is not there */
    from = gst_video_info_to_caps (&info);
    in = gst_sample_new (b, from, NULL, NULL);
    out = gst_video_convert_sample (in, to, 10 * GST_SECOND, &error);
    fail_unless (out != NULL, "%s: %s", formats[i], error ? error->message : "");
    fail_unless (gst_video_frame_map (&f, &rgb, gst_sample_get_buffer (out), GST_MAP_READ));
    for (guint y = 0; y < 128; y++)
      for (guint x = 0; x < 128 * 3; x++)
        sum += abs (((guint8 *) a.data[0])[y * a.info.stride[0] + x] -
                    ((guint8 *) f.data[0])[y * f.info.stride[0] + x]);
    gst_video_frame_unmap (&f);
    fail_unless (sum / (128 * 128 * 3) < (GST_VIDEO_INFO_IS_YUV (&info) ? 3 : 0.01),
        "%s differs by %g", formats[i], sum / (128 * 128 * 3));
  }
  gst_video_frame_unmap (&a);
}
GST_END_TEST

/* Alpha is 0 around the head and 255 in it. */
GST_START_TEST (test_alpha)
{
  GstVideoInfo info;
  g_autoptr (GstBuffer) b = picture ("video/x-raw,format=RGBA,width=128,height=128", 0, &info);
  GstVideoFrame f;
  guint8 *p;

  fail_unless (gst_video_frame_map (&f, &info, b, GST_MAP_READ));
  p = f.data[0];
  fail_unless_equals_int (p[3], 0);
  fail_unless_equals_int (p[64 * f.info.stride[0] + 64 * 4 + 3], 255);
  gst_video_frame_unmap (&f);
}
GST_END_TEST

static guint8
corner (GstBuffer *b, guint channel)
{
  guint8 pixel[4];

  gst_buffer_extract (b, 0, pixel, 4);
  return pixel[channel];
}

/* The colour behind the head, from the next frame on. */
GST_START_TEST (test_background)
{
  GstHarness *h = start ("video/x-raw,format=RGBx,width=128,height=128");
  GstBuffer *b;

  b = gst_harness_push_and_pull (h, frame (0, 0));
  fail_unless_equals_int (corner (b, 0), 0xe8);
  gst_buffer_unref (b);
  g_object_set (h->element, "background", 0xff102030, NULL);
  b = gst_harness_push_and_pull (h, frame (1, 0));
  fail_unless_equals_int (corner (b, 0), 0x10);
  fail_unless_equals_int (corner (b, 1), 0x20);
  fail_unless_equals_int (corner (b, 2), 0x30);
  gst_buffer_unref (b);
  test_end (h);
}
GST_END_TEST

/* Whether two pictures are alike; takes the second. */
static gboolean
same_picture (GstBuffer *a, GstBuffer *b)
{
  GstMapInfo map;
  gboolean same;

  fail_unless (gst_buffer_map (b, &map, GST_MAP_READ));
  same = gst_buffer_memcmp (a, 0, map.data, map.size) == 0;
  gst_buffer_unmap (b, &map);
  gst_buffer_unref (b);
  return same;
}

GST_START_TEST (test_properties_while_playing)
{
  GstHarness *h = start ("video/x-raw,format=RGBx,width=128,height=128");
  GValue shape = G_VALUE_INIT, one = G_VALUE_INIT;
  GstBuffer *plain = gst_harness_push_and_pull (h, frame (0, 0));

  fail_unless (same_picture (plain, gst_harness_push_and_pull (h, frame (1, 0))));
  g_value_init (&shape, GST_TYPE_ARRAY);
  g_value_init (&one, G_TYPE_FLOAT);
  g_value_set_float (&one, 2);
  gst_value_array_append_value (&shape, &one);
  g_object_set_property (G_OBJECT (h->element), "shape", &shape);
  fail_if (same_picture (plain, gst_harness_push_and_pull (h, frame (2, 0))));
  g_value_unset (&shape);
  g_value_init (&shape, GST_TYPE_ARRAY);
  g_object_set_property (G_OBJECT (h->element), "shape", &shape);
  fail_unless (same_picture (plain, gst_harness_push_and_pull (h, frame (3, 0))));
  g_value_unset (&shape);
  gst_buffer_unref (plain);

  g_object_set (h->element, "look", 2 /* published */, "antialias", FALSE, "scale", 2.0, NULL);
  plain = gst_harness_push_and_pull (h, frame (4, 0));
  fail_unless_equals_int (corner (plain, 0), 255); /* that look is on white */
  gst_buffer_unref (plain);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_renegotiation)
{
  GstHarness *h = start ("video/x-raw,format=RGB,width=64,height=64");
  GstBuffer *b = gst_harness_push_and_pull (h, frame (0, 0));

  fail_unless_equals_uint64 (gst_buffer_get_size (b), 64 * 64 * 3);
  gst_buffer_unref (b);
  gst_harness_set_sink_caps_str (h, "video/x-raw,format=RGBx,width=32,height=32");
  gst_harness_push_upstream_event (h, gst_event_new_reconfigure ());
  b = gst_harness_push_and_pull (h, frame (1, 0));
  fail_unless_equals_uint64 (gst_buffer_get_size (b), 32 * 32 * 4);
  gst_buffer_unref (b);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_mesh)
{
  GstHarness *h = start ("model/x-mesh");
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (AmWeights) topology = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  const AmTensor *faces, *lip;
  const GstStructure *s;
  GstBuffer *shut, *open, *blob = NULL;
  GstEvent *event;
  guint told = 0;
  GstMapInfo map;
  int vertices;

  shut = gst_harness_push_and_pull (h, frame (0, 0));
  open = gst_harness_push_and_pull (h, frame (1, 0.3));
  caps = gst_pad_get_current_caps (h->sinkpad);
  fail_unless (gst_structure_get_int (gst_caps_get_structure (caps, 0), "vertices", &vertices));
  fail_unless_equals_uint64 (gst_buffer_get_size (shut), vertices * 3 * sizeof (float));
  gst_buffer_map (shut, &map, GST_MAP_READ);
  fail_unless (gst_buffer_memcmp (open, 0, map.data, map.size) != 0);
  for (int i = 0; i < vertices * 3; i++)
    fail_unless (fabsf (((float *) map.data)[i]) < 1, "that is no head in metres");
  gst_buffer_unmap (shut, &map);

  while ((event = gst_harness_try_pull_event (h))) {
    if (GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY) {
      s = gst_event_get_structure (event);
      fail_unless (gst_structure_has_name (s, "artalk-topology"));
      fail_unless (gst_structure_get (s, "data", GST_TYPE_BUFFER, &blob, NULL));
      told++;
    }
    gst_event_unref (event);
  }
  fail_unless_equals_int (told, 1);
  gst_buffer_map (blob, &map, GST_MAP_READ);
  bytes = g_bytes_new (map.data, map.size);
  gst_buffer_unmap (blob, &map);
  topology = am_weights_open_bytes ("topology", bytes, &error);
  g_assert_no_error (error);
  fail_unless (am_weights_check (topology, "faces", &faces, &error, 2, 0, 3));
  for (size_t i = 0; i < faces->n; i++)
    fail_unless (((const guint32 *) faces->data)[i] < (guint) vertices);
  fail_unless (am_weights_check (topology, "region.inner_lip_upper", &lip, &error, 1, 0));
  gst_buffer_unref (blob);
  gst_buffer_unref (shut);
  gst_buffer_unref (open);
  test_end (h);
}
GST_END_TEST

/* Where the device has no memory that others could read the pad says so, in READY at the latest; who insists gets
 * nothing, with an error, and who takes the host's memory too gets that. */
static void
check_no_cuda_memory (const char *device, GstState from)
{
  g_autofree char *launch = g_strdup_printf ("flamemesh device=%s", device);
  GstHarness *h = test_harness_parse (launch);
  g_autofree char *caps = g_strdup_printf (MOTION_CAPS, BASIS);
  g_autoptr (GstCaps) wanted =
      gst_caps_from_string ("video/x-raw(memory:CUDAMemory),format=NV12,width=64,height=64");
  g_autoptr (GstElement) made = gst_object_ref_sink (gst_element_factory_make ("flamemesh", NULL));
  g_autoptr (GstPad) pad = gst_element_get_static_pad (made, "src");
  GstBuffer *b;

  g_object_set (made, "device", device, NULL);
  for (GstState state = from; state <= GST_STATE_READY; state++) {
    g_autoptr (GstCaps) said = NULL;

    gst_element_set_state (made, state);
    said = gst_pad_query_caps (pad, NULL);
    fail_if (gst_caps_can_intersect (said, wanted));
  }
  gst_element_set_state (made, GST_STATE_NULL);

  gst_harness_set_sink_caps (h, gst_caps_copy (wanted));
  gst_harness_set_src_caps_str (h, caps);
  fail_unless_equals_int (gst_harness_push (h, frame (0, 0)), GST_FLOW_NOT_NEGOTIATED);
  gst_harness_set_sink_caps_str (h, "video/x-raw(memory:CUDAMemory),format=NV12; "
                                    "video/x-raw,format=RGBA,width=64,height=64");
  b = gst_harness_push_and_pull (h, frame (1, 0));
  fail_unless (b != NULL);
  fail_unless_equals_int (gst_buffer_get_size (b), 4 * 64 * 64);
  fail_unless_equals_int (test_is_pinned (b), g_str_has_prefix (device, "cuda"));
  gst_buffer_unref (b);
  test_end (h);
}

/* Who brings an allocator gets buffers of that one. */
static void
check_allocator (const char *device)
{
  g_autofree char *launch = g_strdup_printf ("flamemesh device=%s", device);
  GstHarness *h = test_harness_parse (launch);
  g_autofree char *caps = g_strdup_printf (MOTION_CAPS, BASIS);
  GstBuffer *b;

  gst_harness_set_propose_allocator (h, gst_allocator_find (GST_ALLOCATOR_SYSMEM), NULL);
  gst_harness_set_sink_caps_str (h, "video/x-raw,format=RGBA,width=64,height=64");
  gst_harness_set_src_caps_str (h, caps);
  b = gst_harness_push_and_pull (h, frame (0, 0));
  fail_unless (b != NULL);
  fail_if (test_is_pinned (b));
  gst_buffer_unref (b);
  test_end (h);
}

GST_START_TEST (test_no_cuda_memory)
{
  /* its fibres are too much for valgrind */
  AkDevice *host = test_on_valgrind () ? NULL : ak_device_open ("cuda:host", 0, NULL);

  check_no_cuda_memory ("cpu", GST_STATE_NULL);
  if (host) /* like a card that GstCuda cannot use: its driver is not in the linker's path here */
    check_no_cuda_memory ("cuda:host", GST_STATE_READY);
  if (host)
    check_allocator ("cuda:host");
  ak_device_unref (host);
}
GST_END_TEST

GST_START_TEST (test_other_basis)
{
  GstHarness *h = test_harness ("flamemesh", NULL);
  g_autofree char *error = NULL, *more = NULL, *good = g_strdup_printf (MOTION_CAPS, BASIS);
  g_autofree char *bad = g_strdup_printf (MOTION_CAPS, "flame");
  GstBuffer *b;

  gst_harness_set_src_caps_str (h, bad);
  fail_unless_equals_int (gst_harness_push (h, frame (0, 0)), GST_FLOW_NOT_NEGOTIATED);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (
      error && strstr (error, BASIS) && strstr (error, "flame") && strstr (error, "head="));
  more = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (more == NULL, "again: %s", more);

  gst_harness_set_src_caps_str (h, good);
  b = gst_harness_push_and_pull (h, frame (1, 0));
  fail_unless (b != NULL);
  gst_buffer_unref (b);
  test_end (h);
}
GST_END_TEST

/* The built-in head without its expression directions. (transfer full) */
static char *
dumb_head (void)
{
  g_autofree char *built_in =
      g_build_filename (g_getenv ("ARTALK_DATA_DIR"), "head.safetensors", NULL);
  g_autoptr (AmWeights) weights = am_weights_open (built_in, NULL);
  g_autoptr (GArray) tensors = g_array_new (FALSE, FALSE, sizeof (AmTensor));
  char *path = test_path ("dumb.safetensors");

  fail_unless (weights != NULL);
  for (size_t i = 0; i < am_weights_count (weights); i++) {
    AmTensor t = *am_weights_nth (weights, i);

    if (strcmp (t.name, "flame_model.shapedirs") == 0) {
      t.shape[2] = 0;
      t.n = t.bytes = 0;
      t.data = NULL;
    }
    g_array_append_val (tensors, t);
  }
  fail_unless (
      am_safetensors_write (path, (const AmTensor *) tensors->data, tensors->len, NULL, NULL));
  return path;
}

GST_START_TEST (test_bad_heads)
{
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("flamemesh", NULL));
  g_autofree char *dumb = dumb_head (), *text = test_path ("text.pt");

  g_object_set (e, "head", "/nonexistent/head.pt", NULL);
  test_fails_to_start (e, "/nonexistent/head.pt");
  fail_unless (g_file_set_contents (text, "this is no head", -1, NULL));
  g_object_set (e, "head", text, NULL);
  test_fails_to_start (e, text);
  g_object_set (e, "head", dumb, NULL);
  test_fails_to_start (e, "expressions");
  g_object_set (e, "head", NULL, "shape-file", text, NULL);
  test_fails_to_start (e, "shape-file /");
  g_object_set (e, "shape-file", NULL, NULL);
  fail_unless_equals_int (gst_element_set_state (e, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (e, GST_STATE_NULL);
  gst_object_unref (e);
}
GST_END_TEST

/* The picture of a head called `name`, or of the built-in one. (transfer full) */
static GstBuffer *
portrait (const char *name)
{
  g_autofree char *launch =
      g_strdup_printf ("flamemesh%s%s", name ? " head=" : "", name ? name : "");
  GstHarness *h = test_harness_parse (launch);
  g_autofree char *caps = g_strdup_printf (MOTION_CAPS, BASIS);
  GstBuffer *b;

  gst_harness_set_sink_caps_str (h, "video/x-raw,format=RGB,width=64,height=64");
  gst_harness_set_src_caps_str (h, caps);
  b = gst_harness_push_and_pull (h, frame (0, 0.1f));
  fail_unless (b != NULL);
  test_end (h);
  return b;
}

/* head= takes the names of built-in faces, each of which looks unlike the built-in head. */
GST_START_TEST (test_faces)
{
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("flamemesh", NULL));
  g_auto (GStrv) names = am_face_list ();
  g_autoptr (GstBuffer) own = portrait (NULL);
  GstMapInfo a, b;

  fail_unless (g_strv_length (names) >= 6);
  gst_buffer_map (own, &a, GST_MAP_READ);
  for (char **name = names; *name; name++) {
    g_autoptr (GstBuffer) other = portrait (*name);
    gsize differ = 0;

    gst_buffer_map (other, &b, GST_MAP_READ);
    fail_unless_equals_uint64 (a.size, b.size);
    for (gsize i = 0; i < a.size; i++)
      differ += ABS (a.data[i] - b.data[i]) > 16;
    fail_unless (differ > a.size / 20, "%s: %" G_GSIZE_FORMAT " bytes", *name, differ);
    gst_buffer_unmap (other, &b);
  }
  gst_buffer_unmap (own, &a);
  g_object_set (e, "head", "no-such-face", NULL);
  test_fails_to_start (e, "no-such-face");
  gst_object_unref (e);
}
GST_END_TEST

GST_START_TEST (test_bad_motion)
{
  GstHarness *h = start ("video/x-raw,width=64,height=64");

  test_nonsense (h);
  test_end (h);
}
GST_END_TEST

/* A sink that lags behind gets fewer pictures, not later ones. */
GST_START_TEST (test_qos)
{
  GstHarness *h = start ("video/x-raw,width=64,height=64");

  gst_harness_push (h, frame (0, 0));
  gst_harness_push_upstream_event (
      h, gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 2.0, 10 * TEST_FRAME, 0));
  for (guint i = 1; i < 30; i++)
    gst_harness_push (h, frame (i, 0));
  fail_unless (gst_harness_buffers_received (h) < 25);
  fail_unless (gst_harness_buffers_received (h) > 5);
  test_end (h);
}
GST_END_TEST

static Suite *
flamemesh_suite (void)
{
  Suite *s = suite_create ("flamemesh");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_defaults);
  tcase_add_test (c, test_preference);
  tcase_add_test (c, test_sizes);
  tcase_add_test (c, test_formats);
  tcase_add_test (c, test_alpha);
  tcase_add_test (c, test_background);
  tcase_add_test (c, test_properties_while_playing);
  tcase_add_test (c, test_renegotiation);
  tcase_add_test (c, test_mesh);
  tcase_add_test (c, test_no_cuda_memory);
  tcase_add_test (c, test_other_basis);
  tcase_add_test (c, test_bad_heads);
  tcase_add_test (c, test_faces);
  tcase_add_test (c, test_bad_motion);
  tcase_add_test (c, test_qos);
  return s;
}

GST_CHECK_MAIN (flamemesh)
