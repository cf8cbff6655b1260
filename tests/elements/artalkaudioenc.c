/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* artalkaudioenc: windows, their times, and what holes, jumps, gaps and segments do to them. */
#include <math.h>

#include "testharness.h"

static const char *
model (void)
{
  return test_model_path (&test_model_small);
}

static GstHarness *
start (void)
{
  GstHarness *h = test_harness ("artalkaudioenc", model ());

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  return h;
}

GST_START_TEST (test_caps)
{
  GstHarness *h = start ();
  g_autofree float *speech = test_speech (TEST_WINDOW * 2);
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GstBuffer) first = NULL;
  GstStructure *s;
  int channels, n;

  test_push_speech (h, speech, TEST_WINDOW * 2, 1000);
  first = gst_harness_pull (h);
  caps = gst_pad_get_current_caps (h->sinkpad);
  s = gst_caps_get_structure (caps, 0);
  fail_unless_equals_string (gst_structure_get_name (s), "application/x-speech-features");
  fail_unless_equals_string (gst_structure_get_string (s, "encoder"), "wav2vec2");
  fail_unless (gst_structure_get_string (s, "checkpoint") != NULL);
  fail_unless (gst_structure_get_int (s, "window", &n) && n == TEST_WINDOW);
  fail_unless (gst_structure_get_int (s, "before", &n) && n == (int) test_model_small.before);
  fail_unless (gst_structure_get_int (s, "ahead", &n) && n == (int) test_model_small.ahead);
  fail_unless (gst_structure_get_int (s, "rate", &n) && n == 16000);
  fail_unless (gst_structure_get_int (s, "channels", &channels));
  fail_unless_equals_int (channels, test_model_small.hidden);
  fail_unless (gst_buffer_get_size (first) % (channels * sizeof (float)) == 0);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_wrong_caps)
{
  GstHarness *h = test_harness ("artalkaudioenc", model ());
  static const char *const wrong[] = {
    "audio/x-raw,format=S16LE,rate=16000,channels=1,layout=interleaved",
    "audio/x-raw,format=F32LE,rate=8000,channels=1,layout=interleaved",
    "audio/x-raw,format=F32LE,rate=16000,channels=2,layout=interleaved",
    "motion/x-flame,format=F32LE,expression=100,pose=6,framerate=25/1",
  };
  g_autoptr (GstPad) pad = gst_element_get_static_pad (h->element, "sink");

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GstCaps) caps = gst_caps_from_string (wrong[i]);

    fail_if (gst_pad_query_accept_caps (pad, caps), "accepts %s", wrong[i]);
  }
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_times)
{
  const guint n = TEST_WINDOW * 2 + 5000;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) all = test_run ("artalkaudioenc", model (), speech, n, 320);

  fail_unless_equals_int (all->len, 3);
  test_check_window (test_buffer (all, 0), 0, 16000, 0, TRUE);
  test_check_window (test_buffer (all, 1), 16000, 32000, 0, FALSE);
  test_check_window (test_buffer (all, 2), 32000, n, 0, FALSE);
}
GST_END_TEST

/* A window leaves as soon as the samples after it that the model wants are there, not before. */
GST_START_TEST (test_look_ahead)
{
  GstHarness *h = start ();
  const guint n = TEST_WINDOW + test_model_small.ahead;
  g_autofree float *speech = test_speech (n);

  test_push_speech (h, speech, n - 1, 0);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  gst_harness_push (h, test_audio (speech, n - 1, 1, TRUE));
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_any_split)
{
  const guint n = TEST_WINDOW * 2 + 1234;
  static const guint steps[] = { 160, 441, 1024, TEST_WINDOW, TEST_WINDOW * 2 + 1234, 0 };
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) one = test_run ("artalkaudioenc", model (), speech, n, 1);

  fail_unless_equals_int (one->len, 3);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    g_autoptr (GPtrArray) other = test_run ("artalkaudioenc", model (), speech, n, steps[i]);

    test_same (one, other);
  }
}
GST_END_TEST

GST_START_TEST (test_short)
{
  g_autofree float *speech = test_speech (160);
  g_autoptr (GPtrArray) none = test_run ("artalkaudioenc", model (), speech, 0, 1);
  g_autoptr (GPtrArray) one = test_run ("artalkaudioenc", model (), speech, 1, 1);
  g_autoptr (GPtrArray) some = test_run ("artalkaudioenc", model (), speech, 160, 100);

  fail_unless_equals_int (none->len, 0);
  fail_unless_equals_int (one->len, 1);
  test_check_window (test_buffer (one, 0), 0, 1, 0, TRUE);
  fail_unless_equals_int (some->len, 1);
  test_check_window (test_buffer (some, 0), 0, 160, 0, TRUE);
}
GST_END_TEST

/* Buffers without timestamps and segments that are not in time count from 0. */
GST_START_TEST (test_untimed)
{
  const guint n = TEST_WINDOW + 7000;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) timed = test_run ("artalkaudioenc", model (), speech, n, 512);

  for (guint bytes = 0; bytes < 2; bytes++) {
    GstHarness *h = start ();
    g_autoptr (GPtrArray) all = NULL;
    g_autoptr (GstEvent) event = NULL;
    const GstSegment *segment;

    if (bytes) {
      GstSegment in;

      gst_segment_init (&in, GST_FORMAT_BYTES);
      gst_harness_push_event (h, gst_event_new_segment (&in));
    }
    for (guint i = 0; i < n; i += 500)
      gst_harness_push (h, test_audio (speech, i, MIN (500, n - i), FALSE));
    event = gst_pad_get_sticky_event (h->sinkpad, GST_EVENT_SEGMENT, 0);
    gst_event_parse_segment (event, &segment);
    fail_unless_equals_int (segment->format, GST_FORMAT_TIME);
    all = test_finish (h);
    test_same (timed, all);
  }
}
GST_END_TEST

/* `speech` with samples from `first` to `end` shifted in time by `shift` samples. */
static GPtrArray *
run_shifted (const float *speech, guint n, guint first, int shift, gboolean flag)
{
  GstHarness *h = start ();

  for (guint i = 0; i < n; i += 500) {
    GstBuffer *b = test_audio (speech, i, MIN (500, n - i), TRUE);

    if (i >= first)
      GST_BUFFER_PTS (b) = gst_util_uint64_scale ((gint64) i + shift, GST_SECOND, 16000);
    if (flag && i == first)
      GST_BUFFER_FLAG_SET (b, GST_BUFFER_FLAG_DISCONT);
    fail_unless_equals_int (gst_harness_push (h, b), GST_FLOW_OK);
  }
  return test_finish (h);
}

GST_START_TEST (test_discont_flag)
{
  const guint n = TEST_WINDOW * 2;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) plain = test_run ("artalkaudioenc", model (), speech, n, 500);
  g_autoptr (GPtrArray) flagged = run_shifted (speech, n, 6000, 0, TRUE);
  g_autoptr (GPtrArray) jitter = run_shifted (speech, n, 6000, 600, TRUE); /* below 40 ms */

  test_same (plain, flagged);
  test_same (plain, jitter);
}
GST_END_TEST

GST_START_TEST (test_hole)
{
  const guint n = TEST_WINDOW * 2, at = 6000, hole = 4000;
  g_autofree float *speech = test_speech (n);
  g_autofree float *filled = g_new0 (float, n + hole);
  g_autoptr (GPtrArray) with_hole = run_shifted (speech, n, at, hole, TRUE);
  g_autoptr (GPtrArray) with_silence = NULL;

  memcpy (filled, speech, at * sizeof (float));
  memcpy (filled + at + hole, speech + at, (n - at) * sizeof (float));
  with_silence = test_run ("artalkaudioenc", model (), filled, n + hole, 500);
  test_same (with_hole, with_silence);
}
GST_END_TEST

GST_START_TEST (test_overlap)
{
  const guint n = TEST_WINDOW * 2, at = 6000, over = 3700;
  g_autofree float *speech = test_speech (n);
  g_autofree float *cut = g_new0 (float, n);
  g_autoptr (GPtrArray) with_overlap = run_shifted (speech, n, at, -(int) over, FALSE);
  g_autoptr (GPtrArray) without = NULL;

  memcpy (cut, speech, at * sizeof (float));
  memcpy (cut + at, speech + at + over, (n - at - over) * sizeof (float));
  without = test_run ("artalkaudioenc", model (), cut, n - over, 500);
  test_same (with_overlap, without);
}
GST_END_TEST

GST_START_TEST (test_jump)
{
  const guint n = TEST_WINDOW * 2, at = 6000;
  g_autofree float *speech = test_speech (n);

  for (int back = 0; back < 2; back++) {
    const int shift = back ? -5000 : TEST_WINDOW * 4;
    g_autoptr (GPtrArray) all = NULL;
    GstHarness *h = start ();
    const guint64 base = back ? 40000 : 0; /* of the whole, so that there is room to go back */

    for (guint i = 0; i < n; i += 500) {
      GstBuffer *b = test_audio (speech, i, 500, TRUE);
      gint64 where = (gint64) (base + i) + (i < at ? 0 : back ? shift - TEST_WINDOW : shift);

      GST_BUFFER_PTS (b) = gst_util_uint64_scale (where, GST_SECOND, 16000);
      gst_harness_push (h, b);
    }
    all = test_finish (h);
    fail_unless_equals_int (all->len, 3);
    test_check_window (
        test_buffer (all, 0), 0, at, gst_util_uint64_scale (base, GST_SECOND, 16000), TRUE);
    test_check_window (test_buffer (all, 1), 0, TEST_WINDOW,
        gst_util_uint64_scale (base + at + (back ? shift - TEST_WINDOW : shift), GST_SECOND, 16000),
        TRUE);
    test_check_window (
        test_buffer (all, 2), TEST_WINDOW, n - at, GST_BUFFER_PTS (test_buffer (all, 1)), FALSE);
  }
}
GST_END_TEST

GST_START_TEST (test_gap)
{
  const guint n = TEST_WINDOW, gap = TEST_WINDOW * 5 + 333;
  g_autofree float *speech = test_speech (2 * n);
  g_autofree float *filled = g_new0 (float, 2 * n + gap);
  g_autoptr (GPtrArray) with_gap = NULL, with_silence = NULL;
  GstHarness *h = start ();

  test_push_speech (h, speech, n, 500);
  gst_harness_push_event (h, gst_event_new_gap (GST_SECOND, GST_CLOCK_TIME_NONE));
  gst_harness_push_event (
      h, gst_event_new_gap (GST_SECOND, gst_util_uint64_scale (gap, GST_SECOND, 16000)));
  for (guint i = n; i < 2 * n; i += 500) {
    GstBuffer *b = test_audio (speech, i, 500, TRUE);

    GST_BUFFER_PTS (b) = gst_util_uint64_scale (i + gap, GST_SECOND, 16000);
    gst_harness_push (h, b);
  }
  with_gap = test_finish (h);
  memcpy (filled, speech, n * sizeof (float));
  memcpy (filled + n + gap, speech + n, n * sizeof (float));
  with_silence = test_run ("artalkaudioenc", model (), filled, 2 * n + gap, 777);
  test_same (with_gap, with_silence);
}
GST_END_TEST

/* Long silence in one event comes out window by window. */
GST_START_TEST (test_long_gap)
{
  GstHarness *h = start ();

  gst_harness_set_drop_buffers (h, TRUE);
  gst_harness_push_event (h, gst_event_new_gap (0, 60 * GST_SECOND));
  gst_harness_push_event (h, gst_event_new_eos ());
  fail_unless_equals_int (gst_harness_buffers_received (h), 60);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_segment_clips)
{
  const guint n = TEST_WINDOW * 2;
  g_autofree float *speech = test_speech (n);
  static const guint steps[] = { 500, 1024, 0 };
  GPtrArray *first = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    GstHarness *h = start ();
    GPtrArray *all;
    GstSegment segment;

    gst_segment_init (&segment, GST_FORMAT_TIME);
    segment.start = 250 * GST_MSECOND;
    segment.stop = 1500 * GST_MSECOND;
    segment.time = segment.start;
    gst_harness_push_event (h, gst_event_new_segment (&segment));
    for (guint at = 0; at < n;) {
      guint m = MIN (steps[i] ? steps[i] : 100 + at % 900, n - at);

      gst_harness_push (h, test_audio (speech, at, m, TRUE));
      at += m;
    }
    all = test_finish (h);
    fail_unless_equals_int (all->len, 2);
    test_check_window (test_buffer (all, 0), 0, TEST_WINDOW, segment.start, TRUE);
    test_check_window (test_buffer (all, 1), TEST_WINDOW, 20000, segment.start, FALSE);
    if (first) {
      test_same (first, all);
      g_ptr_array_unref (all);
    } else {
      first = all;
    }
  }
  g_ptr_array_unref (first);
}
GST_END_TEST

/* A new segment without a flush ends one stream and begins another. */
GST_START_TEST (test_new_segment)
{
  GstHarness *h = start ();
  g_autofree float *speech = test_speech (8000);
  g_autoptr (GPtrArray) all = NULL;
  GstSegment segment;

  test_push_speech (h, speech, 8000, 500);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.stop = 100 * GST_SECOND;
  gst_harness_push_event (h, gst_event_new_segment (&segment)); /* only another end */
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  segment.base = 500 * GST_MSECOND;
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
  test_push_speech (h, speech, 8000, 500);
  all = test_finish (h);
  fail_unless_equals_int (all->len, 2);
  test_check_window (test_buffer (all, 0), 0, 8000, 0, TRUE);
  test_check_window (test_buffer (all, 1), 0, 8000, 0, TRUE);
}
GST_END_TEST

static void
push_stream_start (GstHarness *h, guint group)
{
  GstEvent *event = gst_event_new_stream_start ("a file");

  gst_event_set_group_id (event, group);
  fail_unless (gst_harness_push_event (h, event));
}

/* A file that a player repeats has the id and the segment that it had before: what waits of it goes before both. */
GST_START_TEST (test_same_file_again)
{
  GstHarness *h = start ();
  g_autofree float *speech = test_speech (8000);
  g_autoptr (GPtrArray) all = NULL;

  push_stream_start (h, 1);
  test_push_segment (h, 0, 0);
  gst_harness_push (h, test_audio (speech, 0, 5000, TRUE));
  push_stream_start (h, 1); /* said once more, as after a new link */
  test_push_segment (h, 0, 0);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  gst_harness_push (h, test_audio (speech, 5000, 3000, TRUE));
  push_stream_start (h, 2);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
  test_push_segment (h, 0, 0);
  gst_harness_push (h, test_audio (speech, 0, 8000, TRUE));
  all = test_finish (h);
  fail_unless_equals_int (all->len, 2);
  test_check_window (test_buffer (all, 0), 0, 8000, 0, TRUE);
  test_check_window (test_buffer (all, 1), 0, 8000, 0, TRUE);
}
GST_END_TEST

GST_START_TEST (test_flush)
{
  const guint n = TEST_WINDOW + 9000;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) fresh = test_run ("artalkaudioenc", model (), speech, n, 500);
  g_autoptr (GPtrArray) before = NULL, after = NULL;
  GstHarness *h = start ();

  test_push_speech (h, speech, n, 500);
  test_push_flush (h);
  before = test_pull_all (h);
  test_push_segment (h, 0, 0);
  test_push_speech (h, speech, n, 300);
  after = test_finish (h);
  test_same (fresh, after);
}
GST_END_TEST

GST_START_TEST (test_seek)
{
  GstHarness *h = start ();

  fail_if (gst_harness_push_upstream_event (
      h, gst_event_new_seek (-1.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
             GST_SEEK_TYPE_SET, GST_SECOND)));
  fail_unless_equals_int (gst_harness_upstream_events_in_queue (h), 1); /* RECONFIGURE only */
  gst_harness_push_upstream_event (h, gst_event_new_seek (2.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                          GST_SEEK_TYPE_SET, GST_SECOND, GST_SEEK_TYPE_NONE, 0));
  fail_unless_equals_int (gst_harness_upstream_events_in_queue (h), 2);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_not_numbers)
{
  const guint n = TEST_WINDOW * 2;
  g_autofree float *speech = test_speech (n);
  g_autofree float *bad = g_memdup2 (speech, n * sizeof (float));
  g_autoptr (GPtrArray) silent = NULL, all = NULL;
  g_autofree char *warning = NULL;
  GstHarness *h = start ();

  for (guint i = 0; i < n; i += 3001) {
    speech[i] = 0;
    bad[i] = i % 2 ? NAN : INFINITY;
  }
  silent = test_run ("artalkaudioenc", model (), speech, n, 500);
  test_push_speech (h, bad, n, 500);
  gst_harness_push_event (h, gst_event_new_eos ());
  warning = test_message (h->element, GST_MESSAGE_WARNING);
  fail_unless (warning && strstr (warning, "NaN"));
  all = test_pull_all (h);
  test_end (h); /* there is no second warning */
  test_same (silent, all);
}
GST_END_TEST

GST_START_TEST (test_loud_and_silent)
{
  const guint n = TEST_WINDOW + 100;
  g_autofree float *samples = g_new0 (float, n);
  g_autoptr (GPtrArray) silent = test_run ("artalkaudioenc", model (), samples, n, 500);
  g_autoptr (GPtrArray) loud = NULL;

  for (guint i = 0; i < n; i++)
    samples[i] = i / 40 % 2 ? 1000 : -1000;
  loud = test_run ("artalkaudioenc", model (), samples, n, 500);
  for (guint k = 0; k < 2; k++) {
    GstMapInfo map;

    fail_unless (gst_buffer_map (test_buffer (k ? loud : silent, 0), &map, GST_MAP_READ));
    for (guint i = 0; i < map.size / sizeof (float); i++)
      fail_unless (isfinite (((float *) map.data)[i]));
    gst_buffer_unmap (test_buffer (k ? loud : silent, 0), &map);
  }
}
GST_END_TEST

GST_START_TEST (test_latency)
{
  const GstClockTime delay =
      gst_util_uint64_scale (TEST_WINDOW + test_model_small.ahead, GST_SECOND, 16000);
  guint64 deadline, latency;
  GstHarness *h;
  GstElement *e = gst_element_factory_make ("artalkaudioenc", NULL);

  gst_object_ref_sink (e);
  g_object_set (e, "model", model (), "processing-deadline", 70 * GST_MSECOND, NULL);
  h = gst_harness_new_with_element (e, "sink", "src");
  gst_harness_set_upstream_latency (h, 5 * GST_MSECOND);
  fail_unless_equals_uint64 (
      gst_harness_query_latency (h), delay + 70 * GST_MSECOND + 5 * GST_MSECOND);
  g_object_get (e, "latency", &latency, NULL);
  fail_unless_equals_uint64 (latency, delay + 70 * GST_MSECOND);
  gst_harness_teardown (h);
  gst_object_unref (e);

  /* measured, and the same as long as the element plays */
  h = start ();
  gst_harness_set_live (h, TRUE);
  latency = gst_harness_query_latency (h);
  g_object_get (h->element, "processing-deadline", &deadline, NULL);
  fail_unless_equals_uint64 (latency, delay + deadline);
  fail_unless (deadline >= 10 * GST_MSECOND && deadline % GST_MSECOND == 0);
  fail_unless_equals_uint64 (gst_harness_query_latency (h), latency);
  test_end (h);
}
GST_END_TEST

/* A promise that the machine cannot keep is raised once, with one message of each kind. */
GST_START_TEST (test_overrun)
{
  GstElement *e = gst_element_factory_make ("artalkaudioenc", NULL);
  g_autoptr (GstBus) bus = gst_bus_new ();
  const guint n = TEST_WINDOW * 4;
  g_autofree float *speech = test_speech (n);
  g_autofree char *warning = NULL, *second = NULL;
  guint64 deadline;
  GstHarness *h;

  gst_object_ref_sink (e);
  gst_element_set_bus (e, bus);
  g_object_set (e, "model", model (), "processing-deadline", G_GUINT64_CONSTANT (1), NULL);
  h = gst_harness_new_with_element (e, "sink", "src");
  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  gst_harness_set_live (h, TRUE);
  gst_harness_query_latency (h);
  test_push_speech (h, speech, n, 500);
  warning = test_message (e, GST_MESSAGE_WARNING);
  second = test_message (e, GST_MESSAGE_WARNING);
  fail_unless (warning && !second);
  g_object_get (e, "processing-deadline", &deadline, NULL);
  fail_unless (deadline >= 10 * GST_MSECOND);
  gst_element_set_bus (e, NULL);
  gst_harness_teardown (h);
  gst_object_unref (e);
}
GST_END_TEST

GST_START_TEST (test_tags_pass)
{
  GstHarness *h = start ();
  gboolean seen = FALSE;
  GstEvent *event;

  gst_harness_push_event (
      h, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "a sentence", NULL)));
  while ((event = gst_harness_try_pull_event (h))) {
    seen |= GST_EVENT_TYPE (event) == GST_EVENT_TAG;
    gst_event_unref (event);
  }
  fail_unless (seen);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_states)
{
  const guint n = TEST_WINDOW + 9000;
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) fresh = test_run ("artalkaudioenc", model (), speech, n, 500);
  g_autoptr (GPtrArray) again = NULL;
  GstHarness *h = start ();

  test_push_speech (h, speech, TEST_WINDOW / 2, 500);
  gst_element_set_state (h->element, GST_STATE_NULL);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (
      h, "audio/x-raw,format=F32LE,rate=16000,channels=1,layout=interleaved");
  g_ptr_array_unref (test_pull_all (h));
  test_push_speech (h, speech, n, 500);
  again = test_finish (h);
  test_same (fresh, again);
}
GST_END_TEST

GST_START_TEST (test_bad_models)
{
  GstElement *e = gst_object_ref_sink (gst_element_factory_make ("artalkaudioenc", NULL));
  g_autofree char *cut = test_path ("cut.safetensors"), *empty = test_path ("empty.pt");
  g_autofree char *content = NULL;
  gsize size;

  /* first, as a module that is open stays so, and with a card here it is opened below */
  g_setenv ("ARTALK_MODULE_DIR", "/nonexistent", TRUE);
  g_object_set (e, "model", model (), "device", "cuda", NULL);
  test_fails_to_start (e, "build without CUDA");
  g_object_set (e, "device", "auto", NULL);

  g_object_set (e, "model", "/nonexistent/model.safetensors", NULL);
  test_fails_to_start (e, "/nonexistent/model.safetensors");

  fail_unless (g_file_get_contents (model (), &content, &size, NULL));
  fail_unless (g_file_set_contents (cut, content, size / 2, NULL));
  g_object_set (e, "model", cut, NULL);
  test_fails_to_start (e, cut);

  fail_unless (g_file_set_contents (empty, "", 0, NULL));
  g_object_set (e, "model", empty, NULL);
  test_fails_to_start (e, empty);

  g_object_set (e, "model", model (), "device", "abacus", NULL);
  test_fails_to_start (e, "abacus");
  g_object_set (e, "device", "cpu", "precision", 3 /* int8 */, NULL);
  test_fails_to_start (e, "int8");

  g_object_set (e, "precision", 0, NULL);
  fail_unless_equals_int (gst_element_set_state (e, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (e, GST_STATE_NULL);
  gst_object_unref (e);
}
GST_END_TEST

/* A model with the other encoder: its caps, 13 steps for 25 frames, and the same bytes however cut. */
GST_START_TEST (test_mimi)
{
  const char *path = test_model_path (&test_model_mimi);
  const guint n = TEST_WINDOW * 2 + 1234, bytes = 13 * test_model_mimi.hidden * sizeof (float);
  g_autofree float *speech = test_speech (n);
  g_autoptr (GPtrArray) one = test_run ("artalkaudioenc", path, speech, n, 333);
  g_autoptr (GPtrArray) other = test_run ("artalkaudioenc", path, speech, n, 0);
  g_autoptr (GPtrArray) last = test_run ("artalkaudioenc", path, speech + TEST_WINDOW, 500, 500);
  g_autoptr (GPtrArray) alone =
      test_run ("artalkaudioenc", path, speech + TEST_WINDOW, TEST_WINDOW, 500);
  GstHarness *h = test_harness ("artalkaudioenc", path);
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GstBuffer) first = NULL;
  GstMapInfo map;
  GstStructure *s;
  int value;

  test_same (one, other);
  fail_unless_equals_int (one->len, 3);
  test_check_window (test_buffer (one, 0), 0, 16000, 0, TRUE);
  test_check_window (test_buffer (one, 2), 32000, n, 0, FALSE);
  for (guint i = 0; i < one->len; i++)
    fail_unless_equals_uint64 (gst_buffer_get_size (test_buffer (one, i)), bytes);
  /* no state between windows, and the sound matters */
  fail_unless (gst_buffer_map (test_buffer (one, 1), &map, GST_MAP_READ));
  fail_unless (gst_buffer_memcmp (test_buffer (alone, 0), 0, map.data, map.size) == 0);
  fail_if (gst_buffer_memcmp (test_buffer (last, 0), 0, map.data, map.size) == 0);
  gst_buffer_unmap (test_buffer (one, 1), &map);

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  test_push_speech (h, speech, TEST_WINDOW, 500); /* nothing ahead is waited for */
  first = gst_harness_pull (h);
  caps = gst_pad_get_current_caps (h->sinkpad);
  s = gst_caps_get_structure (caps, 0);
  fail_unless_equals_string (gst_structure_get_string (s, "encoder"), "mimi");
  fail_unless (
      gst_structure_get_int (s, "channels", &value) && value == (int) test_model_mimi.hidden);
  fail_unless (gst_structure_get_int (s, "window", &value) && value == TEST_WINDOW);
  fail_unless (gst_structure_get_int (s, "before", &value) && value == 0);
  fail_unless (gst_structure_get_int (s, "ahead", &value) && value == 0);
  test_end (h);
}
GST_END_TEST

static Suite *
artalkaudioenc_suite (void)
{
  Suite *s = suite_create ("artalkaudioenc");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_caps);
  tcase_add_test (c, test_wrong_caps);
  tcase_add_test (c, test_times);
  tcase_add_test (c, test_look_ahead);
  tcase_add_test (c, test_any_split);
  tcase_add_test (c, test_short);
  tcase_add_test (c, test_untimed);
  tcase_add_test (c, test_discont_flag);
  tcase_add_test (c, test_hole);
  tcase_add_test (c, test_overlap);
  tcase_add_test (c, test_jump);
  tcase_add_test (c, test_gap);
  tcase_add_test (c, test_long_gap);
  tcase_add_test (c, test_segment_clips);
  tcase_add_test (c, test_new_segment);
  tcase_add_test (c, test_same_file_again);
  tcase_add_test (c, test_flush);
  tcase_add_test (c, test_seek);
  tcase_add_test (c, test_not_numbers);
  tcase_add_test (c, test_loud_and_silent);
  tcase_add_test (c, test_latency);
  tcase_add_test (c, test_overrun);
  tcase_add_test (c, test_tags_pass);
  tcase_add_test (c, test_states);
  tcase_add_test (c, test_bad_models);
  tcase_add_test (c, test_mimi);
  return s;
}

GST_CHECK_MAIN (artalkaudioenc)
