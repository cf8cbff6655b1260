/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows that overlap, in artalkaudioenc and artalkmotion, and what the elements promise of their latency. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "testharness.h"

#define HOP 1280 /* samples: 2 frames */

static const char *
model (void)
{
  return test_model_path (&test_model_small);
}

/* Overlapping windows */

static GstHarness *
start_hop (const char *path, guint64 hop, guint64 lookahead)
{
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("artalkaudioenc", NULL));
  g_autoptr (GstBus) bus = gst_bus_new ();
  GstHarness *h;

  gst_element_set_bus (e, bus);
  g_object_set (e, "model", path, "hop", hop, "lookahead", lookahead, NULL);
  h = gst_harness_new_with_element (e, "sink", "src");
  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  gst_object_unref (e);
  return h;
}

static GPtrArray *
run_hop (const char *path, guint64 hop, const float *speech, guint n, guint step)
{
  GstHarness *h = start_hop (path, hop, G_MAXUINT64);

  test_push_speech (h, speech, n, step);
  return test_finish (h);
}

/* New audio comes hop by hop; a model that is given context begins a hop anew where its windows do. */
GST_START_TEST (test_hop_times)
{
  const guint n = TEST_WINDOW + 3000;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) all = run_hop (model (), 2 * TEST_FRAME, speech, n, 320);
  g_autoptr (GPtrArray) none = run_hop (model (), 2 * TEST_FRAME, speech, 0, 320);
  guint64 at = 0;

  fail_unless_equals_int (none->len, 0);
  fail_unless_equals_int (all->len, 13 + 3);
  for (guint i = 0; i < all->len; i++) {
    const guint64 end = at < TEST_WINDOW ? MIN (at + HOP, TEST_WINDOW) : MIN (at + HOP, n);

    test_check_window (test_buffer (all, i), at, end, 0, i == 0);
    at = end;
  }
  fail_unless_equals_uint64 (at, n);
}
GST_END_TEST

/* Other models slide: no hop is cut. */
GST_START_TEST (test_hop_slides)
{
  const guint n = TEST_WINDOW * 2 + 100;
  g_autofree float *speech = test_speech (n);
  const char *path = test_model_path (&test_model_mimi);
  g_autoptr (GPtrArray) all = run_hop (path, 3 * TEST_FRAME, speech, n, 0);

  fail_unless_equals_int (all->len, (n + 1919) / 1920);
  for (guint i = 0; i < all->len; i++) {
    const guint64 at = i * 1920, end = MIN (at + 1920, n);

    test_check_window (test_buffer (all, i), at, end, 0, i == 0);
    if (at + 1920 > TEST_WINDOW && at + 1920 <= n) { /* the same as that window alone */
      g_autoptr (GPtrArray) alone =
          test_run ("artalkaudioenc", path, speech + at + 1920 - TEST_WINDOW, TEST_WINDOW, 500);
      GstMapInfo map;

      fail_unless (gst_buffer_map (test_buffer (alone, 0), &map, GST_MAP_READ));
      fail_unless (gst_buffer_memcmp (test_buffer (all, i), 0, map.data, map.size) == 0);
      gst_buffer_unmap (test_buffer (alone, 0), &map);
    }
  }
}
GST_END_TEST

/* Once a window has all its audio it is heard as without a hop, earlier as if silence followed. */
GST_START_TEST (test_hop_features)
{
  const guint n = TEST_WINDOW * 2, known = 5 * HOP + test_model_small.ahead;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) whole = test_run ("artalkaudioenc", model (), speech, n, 500);
  g_autoptr (GPtrArray) hops = run_hop (model (), 2 * TEST_FRAME, speech, n, 500);
  g_autoptr (GPtrArray) silence = NULL;
  const guint last[] = { 12, 25 };
  GstMapInfo map;

  for (guint i = 0; i < 2; i++) {
    fail_unless (gst_buffer_map (test_buffer (whole, i), &map, GST_MAP_READ));
    fail_unless (gst_buffer_memcmp (test_buffer (hops, last[i]), 0, map.data, map.size) == 0);
    if (i == 0) /* the look-ahead of the last hop of all is silence */
      fail_if (gst_buffer_memcmp (test_buffer (hops, last[i] - 1), 0, map.data, map.size) == 0);
    gst_buffer_unmap (test_buffer (whole, i), &map);
  }
  memset (speech + known, 0, (n - known) * sizeof (float));
  silence = test_run ("artalkaudioenc", model (), speech, n, 500);
  fail_unless (gst_buffer_map (test_buffer (silence, 0), &map, GST_MAP_READ));
  fail_unless (gst_buffer_memcmp (test_buffer (hops, 4), 0, map.data, map.size) == 0);
  gst_buffer_unmap (test_buffer (silence, 0), &map);
}
GST_END_TEST

/* The caps tell of the hop; a hop of a whole window is none. */
GST_START_TEST (test_hop_caps)
{
  const guint n = TEST_WINDOW * 2 + 1234;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) plain = test_run ("artalkaudioenc", model (), speech, n, 500);
  g_autoptr (GPtrArray) same = run_hop (model (), GST_SECOND, speech, n, 400);
  GstHarness *h;
  int value;

  test_same (plain, same);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstCaps) caps = NULL;
    GstStructure *s;

    h = start_hop (model (), i ? GST_SECOND : 5 * TEST_FRAME, 50 * GST_MSECOND);
    test_push_speech (h, speech, n, 500);
    caps = gst_pad_get_current_caps (h->sinkpad);
    s = gst_caps_get_structure (caps, 0);
    fail_unless (gst_structure_get_int (s, "ahead", &value) && value == 1600);
    fail_unless (gst_structure_get_int (s, "window", &value) && value == TEST_WINDOW);
    fail_unless_equals_int (gst_structure_has_field (s, "hop"), i == 0);
    if (i == 0) {
      fail_unless (gst_structure_get_int (s, "hop", &value) && value == 5 * 640);
      fail_unless (gst_structure_get_int (s, "lookahead", &value) && value == 800);
    }
    test_end (h);
  }
}
GST_END_TEST

/* A window leaves as soon as its hop and the look-ahead are there, not before. */
GST_START_TEST (test_hop_look_ahead)
{
  static const guint64 looks[] = { G_MAXUINT64, 0, 40 * GST_MSECOND, 200 * GST_MSECOND };
  static const guint samples[] = { 1600, 0, 640, 3200 };
  g_autofree float *speech = test_speech (TEST_WINDOW);

  for (guint i = 0; i < G_N_ELEMENTS (looks); i++) {
    GstHarness *h = start_hop (model (), 2 * TEST_FRAME, looks[i]);
    const guint n = HOP + samples[i];

    test_push_speech (h, speech, n - 1, 0);
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
    gst_harness_push (h, test_audio (speech, n - 1, 1, TRUE));
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
    test_end (h);
  }
}
GST_END_TEST

GST_START_TEST (test_hop_any_split)
{
  const char *const paths[] = { model (), test_model_path (&test_model_mimi) };
  static const guint steps[] = { 160, 441, HOP, TEST_WINDOW, TEST_WINDOW + 8234, 0 };
  const guint n = TEST_WINDOW + 8234;
  g_autofree float *speech = test_speech (n);

  for (guint k = 0; k < 2; k++) {
    g_autoptr (GPtrArray) one = run_hop (paths[k], 2 * TEST_FRAME, speech, n, 37);

    for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
      g_autoptr (GPtrArray) other = run_hop (paths[k], 2 * TEST_FRAME, speech, n, steps[i]);

      test_same (one, other);
    }
  }
}
GST_END_TEST

/* After a flush, a jump and a restart the stream is as a new one; a gap is as silence. */
GST_START_TEST (test_hop_stream)
{
  const guint n = TEST_WINDOW + 900, gap = 5000;
  g_autofree float *speech = test_speech (n), *filled = g_new0 (float, n + gap);
  g_autoptr (GPtrArray) fresh = run_hop (model (), 2 * TEST_FRAME, speech, n, 500);
  g_autoptr (GPtrArray) after = NULL, jumped = NULL, with_gap = NULL, with_silence = NULL;
  GstHarness *h = start_hop (model (), 2 * TEST_FRAME, G_MAXUINT64);

  test_push_speech (h, speech, 7000, 500);
  test_push_flush (h);
  g_ptr_array_unref (test_pull_all (h));
  test_push_segment (h, 0, 0);
  test_push_speech (h, speech, n, 300);
  after = test_finish (h);
  test_same (fresh, after);

  h = start_hop (model (), 2 * TEST_FRAME, G_MAXUINT64);
  test_push_speech (h, speech, 3000, 500);
  for (guint i = 0; i < n; i += 500) {
    GstBuffer *b = test_audio (speech, i, MIN (500, n - i), TRUE);

    GST_BUFFER_PTS (b) += 10 * GST_SECOND;
    gst_harness_push (h, b);
  }
  jumped = test_finish (h);
  fail_unless_equals_int (jumped->len, 3 + fresh->len);
  test_check_window (test_buffer (jumped, 2), 2 * HOP, 3000, 0, FALSE);
  for (guint i = 0; i < fresh->len; i++) {
    GstBuffer *a = test_buffer (fresh, i), *b = test_buffer (jumped, 3 + i);
    GstMapInfo map;

    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (a), GST_BUFFER_OFFSET (b));
    fail_unless_equals_uint64 (GST_BUFFER_PTS (a) + 10 * GST_SECOND, GST_BUFFER_PTS (b));
    fail_unless (gst_buffer_map (a, &map, GST_MAP_READ));
    fail_unless (gst_buffer_memcmp (b, 0, map.data, map.size) == 0);
    gst_buffer_unmap (a, &map);
  }

  h = start_hop (model (), 2 * TEST_FRAME, G_MAXUINT64);
  test_push_speech (h, speech, 8000, 500);
  gst_harness_push_event (
      h, gst_event_new_gap (GST_SECOND / 2, gst_util_uint64_scale (gap, GST_SECOND, 16000)));
  for (guint i = 8000; i < n; i += 500) {
    GstBuffer *b = test_audio (speech, i, MIN (500, n - i), TRUE);

    GST_BUFFER_PTS (b) = gst_util_uint64_scale (i + gap, GST_SECOND, 16000);
    gst_harness_push (h, b);
  }
  with_gap = test_finish (h);
  memcpy (filled, speech, 8000 * sizeof (float));
  memcpy (filled + 8000 + gap, speech + 8000, (n - 8000) * sizeof (float));
  with_silence = run_hop (model (), 2 * TEST_FRAME, filled, n + gap, 777);
  test_same (with_gap, with_silence);
}
GST_END_TEST

GST_START_TEST (test_hop_wrong)
{
  static const struct
  {
    guint64 hop, lookahead;
    const char *says;
  } wrong[] = {
    { 50 * GST_MSECOND, G_MAXUINT64, "multiple of 40 ms" },
    { 1, G_MAXUINT64, "multiple of 40 ms" },
    { 2 * GST_SECOND, G_MAXUINT64, "at most 1000 ms" },
    { 80 * GST_MSECOND, 2 * GST_SECOND, "at most 1100 ms" },
    { 80 * GST_MSECOND, 1021 * GST_MSECOND, "at most 1100 ms" },
    { 80 * GST_MSECOND, G_MAXUINT64 - 1, "at most 1100 ms" },
    { 0, 101 * GST_MSECOND, "at most 1100 ms" },
  };
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("artalkaudioenc", NULL));
  guint64 hop = 0, lookahead = 0, latency;

  g_object_set (e, "model", model (), NULL);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_object_set (e, "hop", wrong[i].hop, "lookahead", wrong[i].lookahead, NULL);
    test_fails_to_start (e, wrong[i].says);
  }
  g_object_set (e, "hop", 80 * GST_MSECOND, "lookahead", 1020 * GST_MSECOND, NULL);
  fail_unless_equals_int (gst_element_set_state (e, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  g_object_get (e, "hop", &hop, "lookahead", &lookahead, "latency", &latency, NULL);
  fail_unless_equals_uint64 (hop, 80 * GST_MSECOND);
  fail_unless_equals_uint64 (lookahead, 1020 * GST_MSECOND);
  fail_unless_equals_uint64 (latency, 1100 * GST_MSECOND);
  gst_element_set_state (e, GST_STATE_NULL);
  gst_object_unref (e);
}
GST_END_TEST

/* What is short enough depends on the window. */
GST_START_TEST (test_hop_short)
{
  TestModel published = test_model_mimi, running = test_model_small;
  const TestModel *models[] = { &test_model_small, &published, &running };
  const GstClockTime wanted[] = { 80 * GST_MSECOND + 100 * GST_MSECOND, GST_SECOND,
    GST_SECOND + 100 * GST_MSECOND };
  guint64 latency;

  published.name = "published";
  published.patches[0] = 1;
  published.patches[1] = 5;
  published.patches[2] = 25;
  published.patches[3] = 50;
  published.patches[4] = 100;
  running.name = "running";
  running.audio_norm = "running";
  for (guint i = 0; i < G_N_ELEMENTS (models); i++) {
    GstElement *e = gst_object_ref_sink (gst_element_factory_make ("artalkaudioenc", NULL));

    g_object_set (e, "model", test_model_path (models[i]), "hop", G_MAXUINT64, NULL);
    fail_unless_equals_int (gst_element_set_state (e, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
    g_object_get (e, "latency", &latency, NULL);
    fail_unless_equals_uint64 (latency, wanted[i]);
    gst_element_set_state (e, GST_STATE_NULL);
    if (i == 2) {
      g_object_set (e, "hop", 80 * GST_MSECOND, NULL);
      test_fails_to_start (e, "AUDIO_NORM");
    }
    gst_object_unref (e);
  }
}
GST_END_TEST

static GstEvent *
numbered (int i)
{
  return gst_event_new_custom (
      GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new ("number", "i", G_TYPE_INT, i, NULL));
}

typedef struct
{
  int event;   /* the last event */
  guint64 end; /* one past the last sample of the buffers before */
  gboolean in_order;
} Order;

static GstPadProbeReturn
note_order (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Order *order = data;

  if (GST_IS_BUFFER (info->data)) {
    order->end = GST_BUFFER_OFFSET_END (GST_PAD_PROBE_INFO_BUFFER (info));
  } else {
    const GstStructure *s = gst_event_get_structure (GST_PAD_PROBE_INFO_EVENT (info));

    if (!s || !gst_structure_has_name (s, "number"))
      return GST_PAD_PROBE_OK;
    order->event++;
    order->in_order &= g_value_get_int (gst_structure_get_value (s, "i")) == order->event;
    /* all that came before it has left, and nothing of what came after it */
    order->in_order &= order->end >= (guint64) order->event * 500 &&
                       order->end < (guint64) order->event * 500 + HOP;
  }
  return GST_PAD_PROBE_OK;
}

/* An event keeps its place in the stream. */
GST_START_TEST (test_events_in_place)
{
  const guint n = TEST_WINDOW + 2000;
  g_autofree float *speech = test_speech (n);
  GstHarness *h = start_hop (model (), 2 * TEST_FRAME, G_MAXUINT64);
  Order order = { -1, 0, TRUE };

  gst_pad_add_probe (h->sinkpad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      note_order, &order, NULL);
  for (guint i = 0; i < n / 500; i++) {
    gst_harness_push_event (h, numbered ((int) i));
    gst_harness_push (h, test_audio (speech, i * 500, 500, TRUE));
  }
  fail_unless_equals_int (
      order.event, (TEST_WINDOW + HOP > n - 1600 ? TEST_WINDOW : TEST_WINDOW + HOP) / 500);
  gst_harness_push_event (h, gst_event_new_eos ());
  fail_unless_equals_int (order.event, (int) (n / 500) - 1);
  fail_unless (order.in_order);
  test_end (h);
}
GST_END_TEST

/* Motion */

/* Speech of `n` samples to motion, with `hop` frames a window. */
static GPtrArray *
motion_of (const char *path, guint hop, const float *speech, guint n, guint step)
{
  g_autofree char *launch =
      g_strdup_printf ("artalkaudioenc hop=%" G_GUINT64_FORMAT " model=%s ! artalkmotion model=%s",
          hop * TEST_FRAME, path, path);
  GstHarness *h = test_harness_parse (launch);

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  test_push_speech (h, speech, n, step);
  return test_finish (h);
}

/* Every frame comes once, at its time, whatever the hop and however the audio is cut. */
GST_START_TEST (test_motion_frames)
{
  const char *const paths[] = { model (), test_model_path (&test_model_mimi) };
  static const guint hops[] = { 1, 2, 7, 24, 25 }, ends[] = { 1, 640, 19000 };
  g_autofree float *speech = test_speech (19000);

  for (guint k = 0; k < 2 * G_N_ELEMENTS (hops); k++)
    for (guint e = 0; e < G_N_ELEMENTS (ends); e++) {
      const guint hop = hops[k / 2];
      g_autoptr (GPtrArray) all = motion_of (paths[k & 1], hop, speech, ends[e], 500);
      g_autoptr (GPtrArray) other = motion_of (paths[k & 1], hop, speech, ends[e], 0);

      test_same (all, other);
      fail_unless_equals_int (all->len, (ends[e] + 639) / 640);
      for (guint i = 0; i < all->len; i++) {
        GstBuffer *b = test_buffer (all, i);
        GstMapInfo map;

        fail_unless_equals_uint64 (GST_BUFFER_PTS (b), i * TEST_FRAME);
        fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), i);
        fail_unless_equals_int (GST_BUFFER_IS_DISCONT (b), i == 0);
        fail_unless (gst_buffer_map (b, &map, GST_MAP_READ));
        for (guint c = 0; c < map.size / sizeof (float); c++)
          fail_unless (isfinite (((float *) map.data)[c]));
        gst_buffer_unmap (b, &map);
      }
    }
}
GST_END_TEST

/* What artalkaudioenc makes of `n` samples with a hop of two frames, and its caps. */
static GPtrArray *
features (const float *speech, guint n, GstCaps **caps)
{
  GstHarness *h = start_hop (model (), 2 * TEST_FRAME, G_MAXUINT64);
  GPtrArray *all;

  test_push_speech (h, speech, n, 500);
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  *caps = gst_pad_get_current_caps (h->sinkpad);
  test_end (h);
  return all;
}

static void
push_all (GstHarness *h, GPtrArray *windows)
{
  for (guint i = 0; i < windows->len; i++)
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_ref (test_buffer (windows, i))), GST_FLOW_OK);
}

/* After a flush, and when offsets begin anew, motion is as in a new stream. */
GST_START_TEST (test_motion_restarts)
{
  const guint n = TEST_WINDOW + 9000;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (speech, n, &caps);
  g_autoptr (GPtrArray) one = NULL, two = NULL, three = NULL;
  GstHarness *h = test_harness ("artalkmotion", model ());

  gst_harness_set_src_caps (h, gst_caps_ref (caps));
  push_all (h, windows);
  one = test_pull_all (h);
  fail_unless_equals_int (one->len, (n + 639) / 640);
  push_all (h, windows);
  two = test_pull_all (h);
  test_same (one, two);
  test_push_flush (h);
  test_push_segment (h, 0, 0);
  push_all (h, windows);
  three = test_finish (h);
  test_same (one, three);
}
GST_END_TEST

/* A stream of which the beginning was lost has its frames at their times. */
GST_START_TEST (test_motion_begins_late)
{
  const guint n = TEST_WINDOW + 9000;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (speech, n, &caps);
  g_autoptr (GPtrArray) frames = NULL;
  GstHarness *h = test_harness ("artalkmotion", model ());

  gst_harness_set_src_caps (h, gst_caps_ref (caps));
  g_ptr_array_remove_range (windows, 0, 4);
  push_all (h, windows);
  frames = test_finish (h);
  fail_unless_equals_int (frames->len, (n + 639) / 640 - 8);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (test_buffer (frames, 0)), 8);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (test_buffer (frames, 0)), 8 * TEST_FRAME);
}
GST_END_TEST

/* Caps that make no sense, and new audio within a frame, are refused in words. */
GST_START_TEST (test_motion_refuses)
{
  static const struct
  {
    int hop, lookahead;
  } wrong[] = { { 0, 0 }, { -640, 0 }, { 700, 0 }, { 16640, 0 }, { 640, -1 }, { 640, 17000 },
    { 640, G_MAXINT } };
  g_autofree float *speech = test_speech (TEST_WINDOW);
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GPtrArray) windows = features (speech, TEST_WINDOW, &caps);
  g_autofree char *error = NULL;
  GstBuffer *b;
  GstHarness *h;

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree char *text = NULL;
    GstCaps *bad = gst_caps_copy (caps);

    gst_caps_set_simple (
        bad, "hop", G_TYPE_INT, wrong[i].hop, "lookahead", G_TYPE_INT, wrong[i].lookahead, NULL);
    h = test_harness ("artalkmotion", model ());
    gst_harness_set_src_caps (h, bad);
    text = test_message (h->element, GST_MESSAGE_ERROR);
    fail_unless (text && strstr (text, "whole number of frames"), "%s", text);
    fail_unless_equals_int (
        gst_harness_push (h, gst_buffer_ref (test_buffer (windows, 0))), GST_FLOW_NOT_NEGOTIATED);
    test_end (h);
  }
  h = test_harness ("artalkmotion", model ());
  gst_harness_set_src_caps (h, gst_caps_ref (caps));
  b = gst_buffer_copy (test_buffer (windows, 0));
  GST_BUFFER_OFFSET (b) = 100;
  fail_unless_equals_int (gst_harness_push (h, b), GST_FLOW_ERROR);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (error && strstr (error, "whole frame"), "%s", error);
  push_all (h, windows); /* and it can be used again */
  test_end (h);
}
GST_END_TEST

/* Latency */

/* The latest that a frame of `launch` comes: time of the last sample pushed before it, less the frame's own time.
 * Audio comes in pieces of 10 ms, computing takes no time here. Frames before `skip` are not looked at. */
static GstClockTime
latest (GstHarness *h, guint n, guint skip)
{
  g_autofree float *speech = test_speech (n);
  GstClockTime worst = 0;
  GstBuffer *b;

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  for (guint i = 0; i < n; i += 160) {
    gst_harness_push (h, test_audio (speech, i, 160, TRUE));
    while ((b = gst_harness_try_pull (h))) {
      const GstClockTime now = gst_util_uint64_scale (i + 160, GST_SECOND, 16000);

      if (GST_BUFFER_OFFSET (b) >= skip)
        worst = MAX (worst, now - GST_BUFFER_PTS (b));
      gst_buffer_unref (b);
    }
  }
  return worst;
}

/* The latency that is promised, computing aside, is what the latest frame takes, to the 10 ms of a piece; with any hop
 * and look-ahead, for models that slide and models that do not, smoothed or not. */
GST_START_TEST (test_latency_is_true)
{
  TestModel published = test_model_mimi;
  const TestModel *models[] = { &test_model_small, &test_model_mimi, &published };
  static const struct
  {
    guint hop, lookahead_ms, delay;
  } cases[] = { { 0, 0, 4 }, { 1, 100, 2 }, { 2, 0, 2 }, { 2, 160, 1 }, { 5, 40, 0 }, { 7, 120, 2 },
    { 12, 80, 4 } };

  published.name = "published";
  memcpy (published.patches, (unsigned[6]){ 1, 5, 25, 50, 100 }, sizeof published.patches);
  for (guint k = 0; k < G_N_ELEMENTS (models) * G_N_ELEMENTS (cases); k++) {
    const guint m = k / G_N_ELEMENTS (cases), i = k % G_N_ELEMENTS (cases), hop = cases[i].hop;
    const char *path = test_model_path (models[m]);
    const guint window = m == 2 ? 100 : 25;
    g_autofree char *launch = g_strdup_printf (
        "artalkaudioenc processing-deadline=0 hop=%" G_GUINT64_FORMAT
        " lookahead=%" G_GUINT64_FORMAT
        " model=%s ! artalkmotion processing-deadline=0 model=%s ! artalksmooth delay=%u",
        hop * TEST_FRAME, hop ? cases[i].lookahead_ms * GST_MSECOND : G_MAXUINT64, path, path,
        cases[i].delay);
    GstClockTime promised, worst;
    GstHarness *h;

    if (m == 2 && hop > 0 && hop < 5)
      continue; /* the same again, for a minute */
    h = test_harness_parse (launch);
    promised = gst_harness_query_latency (h);
    /* smoothed as published, the first frame waits for nine; they come a window at a time or not */
    worst = latest (h, (2 * window + 12) * 640, cases[i].delay == 4 && hop > 0 ? 5 : 0);
    fail_unless (worst <= promised && promised < worst + 10 * GST_MSECOND,
        "model %u, case %u: %" GST_TIME_FORMAT " promised, %" GST_TIME_FORMAT " taken", m, i,
        GST_TIME_ARGS (promised), GST_TIME_ARGS (worst));
    test_end (h);
  }
}
GST_END_TEST

static Suite *
hop_suite (void)
{
  Suite *s = suite_create ("hop");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_hop_times);
  tcase_add_test (c, test_hop_slides);
  tcase_add_test (c, test_hop_features);
  tcase_add_test (c, test_hop_caps);
  tcase_add_test (c, test_hop_look_ahead);
  tcase_add_test (c, test_hop_any_split);
  tcase_add_test (c, test_hop_stream);
  tcase_add_test (c, test_hop_wrong);
  tcase_add_test (c, test_hop_short);
  tcase_add_test (c, test_events_in_place);
  tcase_add_test (c, test_motion_frames);
  tcase_add_test (c, test_motion_restarts);
  tcase_add_test (c, test_motion_begins_late);
  tcase_add_test (c, test_motion_refuses);
  tcase_add_test (c, test_latency_is_true);
  return s;
}

GST_CHECK_MAIN (hop)
