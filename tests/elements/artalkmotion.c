/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* artalkmotion: windows in, frames out; their number, their times, restarts and styles. */
#include <math.h>
#include <string.h>

#include "testharness.h"

#define FRAME_BYTES (106 * sizeof (float))

static const char *
model (void)
{
  return test_model_path (&test_model_small);
}

/* What artalkaudioenc with a model makes of `n` samples, and its caps. */
static GPtrArray *
features_of (const char *path, guint n, GstCaps **caps)
{
  GstHarness *h = test_harness ("artalkaudioenc", path);
  g_autofree float *speech = test_speech (n);
  GPtrArray *all;

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  test_push_speech (h, speech, n, 500);
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  *caps = gst_pad_get_current_caps (h->sinkpad);
  test_end (h);
  return all;
}

static GPtrArray *
features (guint n, GstCaps **caps)
{
  return features_of (model (), n, caps);
}

static GstHarness *
start (const char *element_model, GstCaps *caps)
{
  GstHarness *h = test_harness ("artalkmotion", element_model);

  gst_harness_set_src_caps (h, gst_caps_ref (caps));
  return h;
}

static void
push_all (GstHarness *h, GPtrArray *windows)
{
  for (guint i = 0; i < windows->len; i++)
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_ref (test_buffer (windows, i))), GST_FLOW_OK);
}

static GPtrArray *
motion_of (guint n)
{
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (n, &caps);
  GstHarness *h = start (model (), caps);

  push_all (h, windows);
  return test_finish (h);
}

static void
check_frames (GPtrArray *frames, guint from, guint n, GstClockTime base)
{
  for (guint i = 0; i < n; i++) {
    GstBuffer *b = test_buffer (frames, from + i);

    fail_unless_equals_uint64 (GST_BUFFER_PTS (b), base + i * TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (b), TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), i);
    fail_unless_equals_int (GST_BUFFER_IS_DISCONT (b), i == 0);
    fail_unless_equals_uint64 (gst_buffer_get_size (b), FRAME_BYTES);
  }
}

GST_START_TEST (test_number_of_frames)
{
  static const guint samples[] = { 1, 639, 640, 641, 15999, 16000, 16001, 32000, 33000 };

  for (guint i = 0; i < G_N_ELEMENTS (samples); i++) {
    g_autoptr (GPtrArray) frames = motion_of (samples[i]);

    fail_unless_equals_int (frames->len, (samples[i] * 25 + 15999) / 16000);
    check_frames (frames, 0, frames->len, 0);
  }
}
GST_END_TEST

GST_START_TEST (test_caps)
{
  g_autoptr (GstCaps) in = NULL, out = NULL, wanted = NULL;
  g_autoptr (GPtrArray) windows = features (TEST_WINDOW, &in);
  GstHarness *h = start (model (), in);

  push_all (h, windows);
  out = gst_pad_get_current_caps (h->sinkpad);
  wanted = gst_caps_from_string ("motion/x-flame, format=(string)F32LE, expression=(int)100, "
                                 "pose=(int)6, basis=(string)arkit-1, framerate=(fraction)25/1");
  fail_unless (gst_caps_is_equal (out, wanted));
  test_end (h);
}
GST_END_TEST

/* The sink pad takes any features, but names its own checkpoint first. */
GST_START_TEST (test_names_checkpoint)
{
  g_autoptr (GstCaps) in = NULL, query = NULL, other = NULL;
  g_autoptr (GstPad) pad = NULL;
  GstHarness *h;

  g_ptr_array_unref (features (100, &in)); /* for the caps alone */
  h = start (model (), in);
  pad = gst_element_get_static_pad (h->element, "sink");
  query = gst_pad_query_caps (pad, NULL);
  fail_unless (gst_caps_get_size (query) == 2);
  fail_unless_equals_string (
      gst_structure_get_string (gst_caps_get_structure (query, 0), "checkpoint"),
      gst_structure_get_string (gst_caps_get_structure (in, 0), "checkpoint"));
  other = gst_caps_copy (in);
  gst_caps_set_simple (other, "checkpoint", G_TYPE_STRING, "another", NULL);
  fail_unless (gst_pad_query_accept_caps (pad, other));
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_other_checkpoint)
{
  TestModel other = test_model_small;
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (TEST_WINDOW, &caps);
  g_autofree char *error = NULL;
  GstHarness *h;

  other.name = "other";
  other.salt = 77;
  h = start (test_model_path (&other), caps);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (error && strstr (error, "set the same model="));
  fail_unless_equals_int (
      gst_harness_push (h, gst_buffer_ref (test_buffer (windows, 0))), GST_FLOW_NOT_NEGOTIATED);
  test_end (h);
}
GST_END_TEST

/* Features of one encoder are refused by a model of the other, with or without a checkpoint in the caps, in words
 * that tell what to do. */
GST_START_TEST (test_other_encoder)
{
  const char *mimi = test_model_path (&test_model_mimi);

  for (guint i = 0; i < 4; i++) {
    const gboolean named = i & 1, swapped = i & 2;
    g_autoptr (GstCaps) caps = NULL, offered = NULL;
    g_autoptr (GPtrArray) windows = features_of (swapped ? model () : mimi, TEST_WINDOW, &caps);
    g_autofree char *error = NULL, *more = NULL;
    GstHarness *h;

    offered = gst_caps_copy (caps);
    if (!named)
      gst_structure_remove_field (gst_caps_get_structure (offered, 0), "checkpoint");
    h = start (swapped ? mimi : model (), offered);
    error = test_message (h->element, GST_MESSAGE_ERROR);
    fail_unless (error && strstr (error, "set the same model="), "%s", error);
    fail_unless (strstr (error, "artalkaudioenc") && strstr (error, "artalkmotion"), "%s", error);
    fail_unless (named || (strstr (error, "mimi") && strstr (error, "wav2vec2")), "%s", error);
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_ref (test_buffer (windows, 0))), GST_FLOW_NOT_NEGOTIATED);
    more = test_message (h->element, GST_MESSAGE_ERROR);
    fail_unless (more == NULL, "said twice: %s", more);
    test_end (h);
  }
}
GST_END_TEST

/* A window of 25 frames from 13 steps, of speech and to an end within a frame. */
GST_START_TEST (test_mimi)
{
  const char *mimi = test_model_path (&test_model_mimi);
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features_of (mimi, TEST_WINDOW + 700, &caps);
  g_autoptr (GPtrArray) frames = NULL, wav2vec = motion_of (TEST_WINDOW + 700);
  GstHarness *h = start (mimi, caps);
  GstMapInfo map;

  push_all (h, windows);
  frames = test_finish (h);
  fail_unless_equals_int (frames->len, 27);
  fail_unless_equals_int (wav2vec->len, 27);
  check_frames (frames, 0, frames->len, 0);
  for (guint i = 0; i < frames->len; i++) {
    fail_unless (gst_buffer_map (test_buffer (frames, i), &map, GST_MAP_READ));
    for (guint k = 0; k < map.size / sizeof (float); k++)
      fail_unless (isfinite (((float *) map.data)[k]));
    fail_if (gst_buffer_memcmp (test_buffer (wav2vec, i), 0, map.data, map.size) == 0);
    gst_buffer_unmap (test_buffer (frames, i), &map);
  }
}
GST_END_TEST

/* artalkaudioenc without a model opens the one that artalkmotion has. */
GST_START_TEST (test_audioenc_follows)
{
  g_autofree char *launch =
      g_strdup_printf ("artalkaudioenc ! queue ! artalkmotion model=%s", model ());
  GstHarness *h = test_harness_parse (launch);
  g_autofree float *speech = test_speech (TEST_WINDOW);
  g_autoptr (GPtrArray) followed = NULL, direct = motion_of (TEST_WINDOW);

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  test_push_speech (h, speech, TEST_WINDOW, 500);
  gst_harness_push_event (h, gst_event_new_eos ());
  followed = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  for (guint i = 0; i < direct->len; i++)
    g_ptr_array_add (followed, gst_harness_pull (h));
  test_same (direct, followed);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_wrong_size)
{
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (100, &caps);
  GstHarness *h = start (model (), caps);
  g_autofree char *error = NULL;

  fail_unless_equals_int (
      gst_harness_push (h, gst_buffer_new_memdup ("too short", 9)), GST_FLOW_ERROR);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (error != NULL);
  push_all (h, windows); /* and it can be used again */
  test_end (h);
}
GST_END_TEST

/* Offset 0, or a jump, begins a new stream; the flag alone does not. */
GST_START_TEST (test_restart)
{
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (TEST_WINDOW * 2, &caps);
  g_autoptr (GPtrArray) once = NULL, twice = NULL, flagged = NULL;
  GstHarness *h = start (model (), caps);

  push_all (h, windows);
  once = test_finish (h);

  h = start (model (), caps);
  push_all (h, windows);
  push_all (h, windows);
  twice = test_finish (h);
  fail_unless_equals_int (twice->len, 100);
  check_frames (twice, 50, 50, 0);
  g_ptr_array_remove_range (twice, 0, 50);
  test_same (once, twice);

  h = start (model (), caps);
  for (guint i = 0; i < windows->len; i++) {
    GstBuffer *b = gst_buffer_copy (test_buffer (windows, i));

    GST_BUFFER_FLAG_SET (b, GST_BUFFER_FLAG_DISCONT);
    gst_harness_push (h, b);
  }
  flagged = test_finish (h);
  test_same (once, flagged);
}
GST_END_TEST

/* A stream that does not begin at 0, and one of which the first window was lost. */
GST_START_TEST (test_base)
{
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (TEST_WINDOW * 2, &caps);
  g_autoptr (GPtrArray) frames = NULL;
  GstHarness *h = start (model (), caps);
  GstBuffer *b = gst_buffer_copy (test_buffer (windows, 0));

  GST_BUFFER_PTS (b) = 12345678;
  gst_harness_push (h, b);
  frames = test_finish (h);
  check_frames (frames, 0, 25, 12345678);
  g_ptr_array_unref (frames);

  h = start (model (), caps);
  gst_harness_push (h, gst_buffer_ref (test_buffer (windows, 1)));
  frames = test_finish (h);
  fail_unless_equals_int (frames->len, 25);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (test_buffer (frames, 0)), 25);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (test_buffer (frames, 0)), GST_SECOND);
}
GST_END_TEST

GST_START_TEST (test_flush)
{
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (TEST_WINDOW * 2, &caps);
  g_autoptr (GPtrArray) before = NULL, after = NULL;
  GstHarness *h = start (model (), caps);

  push_all (h, windows);
  before = test_pull_all (h);
  test_push_flush (h);
  test_push_segment (h, 0, 0);
  push_all (h, windows);
  after = test_finish (h);
  test_same (before, after);
}
GST_END_TEST

/* A clip of 50 frames as a file; `value` in all channels. (transfer full) */
static char *
style_file (const char *name, float value)
{
  g_autoptr (GString) file = g_string_new (NULL);
  g_autofree float *clip = g_new (float, 50 * 106);
  static const char header[] =
      "{\"__metadata__\":{\"basis\":\"arkit-1\"},"
      "\"motion\":{\"dtype\":\"F32\",\"shape\":[50,106],\"data_offsets\":[0,21200]}}";
  guint64 size = GUINT64_TO_LE (strlen (header));
  char *path = test_path (name);

  for (guint i = 0; i < 50 * 106; i++)
    clip[i] = value * sinf (i);
  g_string_append_len (file, (const char *) &size, 8);
  g_string_append (file, header);
  g_string_append_len (file, (const char *) clip, 50 * 106 * sizeof (float));
  fail_unless (g_file_set_contents (path, file->str, file->len, NULL));
  return path;
}

/* A style applies from the next window on; one that cannot be read changes nothing and says so. */
GST_START_TEST (test_style)
{
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (TEST_WINDOW * 3, &caps);
  g_autoptr (GPtrArray) plain = NULL, styled = NULL;
  g_autofree char *style = style_file ("style.safetensors", 1), *warning = NULL, *bad = NULL;
  GstHarness *h = start (model (), caps);
  GstMapInfo map;

  push_all (h, windows);
  plain = test_finish (h);

  h = start (model (), caps);
  gst_harness_push (h, gst_buffer_ref (test_buffer (windows, 0)));
  g_object_set (h->element, "style", style, "guidance", 1.5, NULL);
  gst_harness_push (h, gst_buffer_ref (test_buffer (windows, 1)));
  g_object_set (h->element, "style", "/nonexistent/style.pt", NULL);
  gst_harness_push (h, gst_buffer_ref (test_buffer (windows, 2)));
  warning = test_message (h->element, GST_MESSAGE_WARNING);
  fail_unless (warning && strstr (warning, "/nonexistent/style.pt"));
  styled = test_finish (h);
  fail_unless_equals_int (styled->len, 75);
  for (guint i = 0; i < 50; i++) {
    gboolean same;

    gst_buffer_map (test_buffer (plain, i), &map, GST_MAP_READ);
    same = gst_buffer_memcmp (test_buffer (styled, i), 0, map.data, map.size) == 0;
    gst_buffer_unmap (test_buffer (plain, i), &map);
    if (i < 25)
      fail_unless (same, "frame %u was changed before the style was", i);
    else if (!same)
      break;
    fail_unless (i < 49, "the style changes nothing");
  }

  bad = style_file ("nan.safetensors", NAN);
  {
    GstElement *e = gst_object_ref_sink (gst_element_factory_make ("artalkmotion", NULL));

    g_object_set (e, "model", model (), "style", bad, NULL);
    test_fails_to_start (e, bad);
    g_object_set (e, "style", "no-such-style", NULL);
    test_fails_to_start (e, "Set style="); /* and not model=, which is good */
    g_object_set (e, "style", NULL, NULL);
    fail_unless_equals_int (gst_element_set_state (e, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
    gst_element_set_state (e, GST_STATE_NULL);
    gst_object_unref (e);
  }
}
GST_END_TEST

GST_START_TEST (test_finite)
{
  g_autoptr (GPtrArray) frames = motion_of (TEST_WINDOW + 5000);
  g_autoptr (GPtrArray) again = motion_of (TEST_WINDOW + 5000);

  test_same (frames, again);
  for (guint i = 0; i < frames->len; i++) {
    GstMapInfo map;

    gst_buffer_map (test_buffer (frames, i), &map, GST_MAP_READ);
    for (guint k = 0; k < 106; k++)
      fail_unless (isfinite (((float *) map.data)[k]));
    gst_buffer_unmap (test_buffer (frames, i), &map);
  }
}
GST_END_TEST

GST_START_TEST (test_latency)
{
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("artalkmotion", NULL));
  GstHarness *h;

  g_object_set (e, "model", model (), "processing-deadline", 30 * GST_MSECOND, NULL);
  h = gst_harness_new_with_element (e, "sink", "src");
  gst_harness_set_upstream_latency (h, GST_SECOND);
  fail_unless_equals_uint64 (gst_harness_query_latency (h), GST_SECOND + 30 * GST_MSECOND);
  gst_harness_teardown (h);
  gst_object_unref (e);
}
GST_END_TEST

static Suite *
artalkmotion_suite (void)
{
  Suite *s = suite_create ("artalkmotion");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_number_of_frames);
  tcase_add_test (c, test_caps);
  tcase_add_test (c, test_names_checkpoint);
  tcase_add_test (c, test_other_checkpoint);
  tcase_add_test (c, test_other_encoder);
  tcase_add_test (c, test_mimi);
  tcase_add_test (c, test_audioenc_follows);
  tcase_add_test (c, test_wrong_size);
  tcase_add_test (c, test_restart);
  tcase_add_test (c, test_base);
  tcase_add_test (c, test_flush);
  tcase_add_test (c, test_style);
  tcase_add_test (c, test_finite);
  tcase_add_test (c, test_latency);
  return s;
}

GST_CHECK_MAIN (artalkmotion)
