/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An artalk-interrupt event in each element by itself: what came before is forgotten, what comes after starts clean.
 * (artalkidle: timer.c; in the middle of the work: cancel.c) */
#include <string.h>

#include "testmotion.h"

#define SPAN (TEST_WINDOW + 1600) /* samples that the first window of the small model waits for */

static const char *
model (void)
{
  return test_model_path (&test_model_small);
}

static GstHarness *
start (const char *element)
{
  GstHarness *h = test_harness (element, model ());

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  return h;
}

static void
push_oob (GstHarness *h, GstClockTime time, gboolean marked)
{
  fail_unless (gst_harness_push_event (
      h, test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, time, marked)));
}

/* The interruptions among the events that came out: `oob` of them, each marked, and `marks`. */
static void
check_events (GstHarness *h, guint oob, guint marks)
{
  guint seen[2] = { 0 };
  GstEvent *event;

  while ((event = gst_harness_try_pull_event (h))) {
    const GstStructure *s = gst_event_get_structure (event);

    if (s && gst_structure_has_name (s, "artalk-interrupt")) {
      const gboolean is_mark = GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM;

      seen[is_mark]++;
      fail_unless (gst_structure_has_field (s, "marked") == !is_mark);
    }
    gst_event_unref (event);
  }
  fail_unless_equals_int (seen[0], oob);
  fail_unless_equals_int (seen[1], marks);
}

/* Half a window was heard; then something else is said. */
GST_START_TEST (test_audioenc)
{
  g_autofree float *speech = test_speech (3 * TEST_WINDOW);
  GstHarness *h = start ("artalkaudioenc");
  g_autoptr (GPtrArray) plain = test_run ("artalkaudioenc", model (), speech, SPAN, 0), all = NULL;

  gst_harness_push (h, test_audio (speech, 2 * TEST_WINDOW, TEST_WINDOW / 2, TRUE));
  push_oob (h, GST_CLOCK_TIME_NONE, FALSE);
  test_push_speech (h, speech, SPAN, 1000); /* an earlier time, as new */
  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  all = test_pull_all (h);
  test_same (all, plain);
  check_events (h, 1, 1);
  test_end (h);
}
GST_END_TEST

/* Sound without times goes on at the time of the interruption or, if that is over, now. */
GST_START_TEST (test_audioenc_untimed)
{
  static const struct
  {
    GstClockTime time, now, want;
  } cases[] = {
    { 5 * GST_SECOND, 2 * GST_SECOND, 5 * GST_SECOND },
    { 5 * GST_SECOND, 7 * GST_SECOND, 7 * GST_SECOND },
    { GST_CLOCK_TIME_NONE, 3 * GST_SECOND, 3 * GST_SECOND },
  };
  g_autofree float *speech = test_speech (SPAN);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstHarness *h = start ("artalkaudioenc");
    g_autoptr (GstBuffer) out = NULL;

    gst_harness_set_time (h, cases[i].now);
    gst_harness_push (h, test_audio (speech, 0, TEST_WINDOW / 2, FALSE));
    push_oob (h, cases[i].time, FALSE);
    for (guint k = 0; k < SPAN; k += 1600)
      gst_harness_push (h, test_audio (speech, k, 1600, FALSE));
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
    out = gst_harness_pull (h);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (out), cases[i].want);
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (out), 0);
    test_end (h);
  }
}
GST_END_TEST

/* Until the mark comes all is old, gaps too; a second event of the same interruption is none. */
GST_START_TEST (test_audioenc_marked)
{
  g_autofree float *speech = test_speech (3 * TEST_WINDOW);
  GstHarness *h = start ("artalkaudioenc");
  GstEvent *oob = test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, GST_CLOCK_TIME_NONE, TRUE);
  GstEvent *mark = test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM, GST_CLOCK_TIME_NONE, FALSE);
  g_autoptr (GPtrArray) plain = test_run ("artalkaudioenc", model (), speech, SPAN, 0), all = NULL;

  gst_event_set_seqnum (mark, gst_event_get_seqnum (oob));
  gst_harness_push_event (h, gst_event_ref (oob));
  test_push_speech (h, speech, 2 * TEST_WINDOW, 1000);
  gst_harness_push_event (h, gst_event_new_gap (2 * GST_SECOND, 2 * GST_SECOND));
  fail_unless_equals_int (gst_harness_buffers_received (h), 0);
  gst_harness_push_event (h, mark);
  test_push_speech (h, speech, TEST_WINDOW / 2, 1000);
  gst_harness_push_event (h, oob);
  for (guint i = TEST_WINDOW / 2; i < SPAN; i += 800)
    gst_harness_push (h, test_audio (speech, i, 800, TRUE));
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  test_same (all, plain);
  check_events (h, 1, 1);
  test_end (h);
}
GST_END_TEST

/* A flush that comes after it does away with an interruption. */
GST_START_TEST (test_flush)
{
  g_autofree float *speech = test_speech (SPAN);
  GstHarness *h = start ("artalkaudioenc");
  g_autoptr (GPtrArray) plain = test_run ("artalkaudioenc", model (), speech, SPAN, 0), all = NULL;

  gst_harness_push (h, test_audio (speech, 0, TEST_WINDOW / 2, TRUE));
  push_oob (h, GST_CLOCK_TIME_NONE, TRUE);
  test_push_flush (h);
  test_push_segment (h, 0, 0);
  test_push_speech (h, speech, SPAN, 0);
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  test_same (all, plain);
  check_events (h, 1, 0);
  test_end (h);
}
GST_END_TEST

/* Whatever goes up comes down again, once, from the first element. */
GST_START_TEST (test_upstream)
{
  g_autofree float *speech = test_speech (SPAN);
  g_autofree char *line = g_strdup_printf (
      "artalkaudioenc model=%s ! artalkmotion model=%s ! artalksmooth", model (), model ());
  GstHarness *h = test_harness_parse (line);
  GstEvent *event = test_interruption (GST_EVENT_CUSTOM_UPSTREAM, GST_CLOCK_TIME_NONE, FALSE);
  guint seen = 0;

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  gst_harness_push (h, test_audio (speech, 0, TEST_WINDOW / 2, TRUE));
  fail_unless (gst_harness_push_upstream_event (h, event));
  while ((event = gst_harness_try_pull_upstream_event (h))) {
    seen += GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM;
    gst_event_unref (event);
  }
  fail_unless_equals_int (seen, 1);
  gst_harness_push (h, test_audio (speech, 0, TEST_WINDOW / 2, TRUE));
  check_events (h, 1, 1);
  gst_harness_push_event (h, gst_event_new_eos ());
  fail_unless_equals_int (gst_harness_buffers_received (h), 13); /* half a second, once */
  test_end (h);
}
GST_END_TEST

/* All elements in a row, interrupted after a window and a half: what is said then moves the face as if it were the first. */
GST_START_TEST (test_starts_clean)
{
  g_autofree float *speech = test_speech (3 * TEST_WINDOW);
  g_autofree char *line = g_strdup_printf (
      "artalkaudioenc model=%s ! artalkmotion model=%s ! artalksmooth", model (), model ());
  GPtrArray *runs[2] = { NULL };

  for (guint i = 0; i < 2; i++) {
    GstHarness *h = test_harness_parse (line);

    gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
    if (i == 1) {
      test_push_speech (h, speech, 3 * TEST_WINDOW / 2 + 1600, 0);
      fail_unless_equals_int (gst_harness_buffers_in_queue (h), 21); /* 4 wait */
      push_oob (h, GST_CLOCK_TIME_NONE, FALSE);
      g_ptr_array_unref (test_pull_all (h));
    }
    for (guint k = TEST_WINDOW; k < 3 * TEST_WINDOW; k += 1600)
      gst_harness_push (h, test_audio (speech, k, 1600, TRUE));
    gst_harness_push_event (h, gst_event_new_eos ());
    runs[i] = test_pull_all (h);
    test_end (h);
  }
  test_same (runs[0], runs[1]);
  g_ptr_array_unref (runs[0]);
  g_ptr_array_unref (runs[1]);
}
GST_END_TEST

GST_START_TEST (test_smooth)
{
  GstHarness *h = test_harness ("artalksmooth", NULL);
  g_autoptr (GPtrArray) all = NULL;

  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  test_push_motion (h, 100, 120, 0.1f);
  g_ptr_array_unref (test_pull_all (h));
  push_oob (h, GST_CLOCK_TIME_NONE, FALSE);
  test_push_motion (h, 0, 20, 0);
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  test_check_motion (all, 0, 20); /* none of the four that waited */
  for (guint i = 0; i < 20; i++)
    fail_unless (test_number (test_buffer (all, i), TEST_JAW) == 0);
  check_events (h, 1, 1);
  test_end (h);
}
GST_END_TEST

static Suite *
interrupt_suite (void)
{
  Suite *s = suite_create ("interrupt");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_audioenc);
  tcase_add_test (c, test_audioenc_untimed);
  tcase_add_test (c, test_audioenc_marked);
  tcase_add_test (c, test_flush);
  tcase_add_test (c, test_upstream);
  tcase_add_test (c, test_starts_clean);
  tcase_add_test (c, test_smooth);
  return s;
}

GST_CHECK_MAIN (interrupt)
