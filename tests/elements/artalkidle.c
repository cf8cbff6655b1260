/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* artalkidle: frames at 25 a second whatever comes, in order and numbered, and speech untouched. */
#include <math.h>
#include <string.h>

#include "testmotion.h"

#define IDLE 30 /* frames of silence after which all is idle */

static GstHarness *
start (void)
{
  GstHarness *h = test_motion_harness ("artalkidle");

  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  return h;
}

/* A GAP event of `n` frames from frame `from` on. */
static gboolean
gap (GstHarness *h, double from, double n)
{
  return gst_harness_push_event (h, gst_event_new_gap (from * TEST_FRAME, n * TEST_FRAME));
}

GST_START_TEST (test_speech_and_silence)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 50, 0.1f);
  test_push_motion (h, 50, 150, 0);
  all = test_pull_all (h);
  test_check_motion (all, 0, 150);
  for (guint i = 0; i < 50; i++)
    test_same_motion (test_buffer (all, i), i, 0.1f);
  for (guint i = 50 + IDLE; i < 150; i++) {
    fail_unless (test_number (test_buffer (all, i), TEST_JAW) == 0);
    fail_unless (test_number (test_buffer (all, i), TEST_SMILE) == 0.25f);
    fail_unless (test_number (test_buffer (all, i), TEST_YAW) != 0);
  }
  gst_harness_push_event (h, gst_event_new_eos ());
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_gap)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  fail_unless (gap (h, 0, 10)); /* before any frame */
  test_push_motion (h, 10, 20, 0.1f);
  fail_unless (gap (h, 20, 30));
  fail_unless (gap (h, 45, 5));   /* over time that was filled */
  fail_unless (gap (h, 50, 0.5)); /* halves of a frame */
  fail_unless (gap (h, 50.5, 0.5));
  fail_unless (gap (h, 55, 5)); /* after a hole */
  test_push_motion (h, 60, 70, 0.1f);
  all = test_pull_all (h);
  test_check_motion (all, 0, 70);
  fail_unless (test_number (test_buffer (all, 49), TEST_JAW) == 0);
  fail_unless (test_number (test_buffer (all, 69), TEST_JAW) > 0);
  test_end (h);
}
GST_END_TEST

/* What names no time is none of ours. */
GST_START_TEST (test_gap_passes)
{
  GstHarness *h = start ();
  guint gaps = 0;
  GstEvent *event;

  test_push_motion (h, 0, 1, 0);
  fail_unless (gst_harness_push_event (h, gst_event_new_gap (TEST_FRAME, GST_CLOCK_TIME_NONE)));
  fail_unless (gst_harness_push_event (h, gst_event_new_gap (G_MAXUINT64 - 5, TEST_FRAME)));
  g_object_set (h->element, "strength", 0.0, NULL);
  fail_unless (gap (h, 1, 5));
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 1);
  while ((event = gst_harness_try_pull_event (h))) {
    gaps += GST_EVENT_TYPE (event) == GST_EVENT_GAP;
    gst_event_unref (event);
  }
  fail_unless_equals_int (gaps, 3);
  test_end (h);
}
GST_END_TEST

/* A GAP of a thousand years ends after ten minutes. */
GST_START_TEST (test_gap_endless)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  fail_unless (gst_harness_push_event (h, gst_event_new_gap (0, G_MAXINT64)));
  all = test_pull_all (h);
  test_check_motion (all, 0, 15000);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_hole)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 30, 0.1f);
  test_push_motion (h, 31, 40, 0.1f);
  test_push_motion (h, 290, 300, 0.1f); /* ten seconds */
  all = test_pull_all (h);
  test_check_motion (all, 0, 300);
  fail_unless (test_number (test_buffer (all, 200), TEST_JAW) == 0);
  for (guint i = 40; i < 290; i++) /* never a jump */
    fail_unless (fabsf (test_number (test_buffer (all, i), TEST_YAW) -
                        test_number (test_buffer (all, i - 1), TEST_YAW)) < 0.0057f);
  test_end (h);
}
GST_END_TEST

/* Numbers go on over a hole that upstream took for a restart. */
GST_START_TEST (test_hole_renumbers)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 10, 0.1f);
  for (guint i = 0; i < 10; i++) {
    GstBuffer *b = test_motion_frame (i, 0.1f);

    GST_BUFFER_PTS (b) += 20 * TEST_FRAME + 7; /* and not quite on the grid */
    fail_unless_equals_int (gst_harness_push (h, b), GST_FLOW_OK);
  }
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 30);
  for (guint i = 0; i < 30; i++) {
    GstBuffer *b = test_buffer (all, i);

    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), i);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (b), i * TEST_FRAME + (i < 20 ? 0 : 7));
    fail_unless_equals_int (GST_BUFFER_IS_DISCONT (b), i == 0);
  }
  test_end (h);
}
GST_END_TEST

static void
check_unfilled (GstHarness *h, guint again)
{
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 40, 0);
  test_push_motion (h, again, again + 20, 0);
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 60);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (test_buffer (all, 40)), again * TEST_FRAME);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (test_buffer (all, 40)), again);
  test_same_motion (test_buffer (all, 40), again, 0); /* anew: idle has not begun */
  test_end (h);
}

GST_START_TEST (test_hole_too_long)
{
  check_unfilled (start (), 291);
}
GST_END_TEST

GST_START_TEST (test_max_fill)
{
  GstHarness *h = start ();

  g_object_set (h->element, "max-fill", G_GUINT64_CONSTANT (0), NULL);
  check_unfilled (h, 42);
  h = start ();
  g_object_set (h->element, "max-fill", 3 * TEST_FRAME, NULL);
  check_unfilled (h, 44);
}
GST_END_TEST

GST_START_TEST (test_strength_0)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  g_object_set (h->element, "strength", 0.0, NULL);
  test_push_motion (h, 0, 100, 0);
  test_push_motion (h, 110, 120, 0.1f);
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 110);
  for (guint i = 0; i < 110; i++)
    test_same_motion (test_buffer (all, i), i < 100 ? i : i + 10, i < 100 ? 0 : 0.1f);
  test_end (h);
}
GST_END_TEST

static GPtrArray *
silence (guint seed)
{
  GstHarness *h = test_motion_harness ("artalkidle");
  GPtrArray *all;

  g_object_set (h->element, "seed", seed, NULL);
  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  test_push_motion (h, 0, 100, 0);
  all = test_pull_all (h);
  test_end (h);
  return all;
}

GST_START_TEST (test_seed)
{
  g_autoptr (GPtrArray) a = silence (1), b = silence (1), c = silence (2);

  test_same (a, b);
  fail_unless (
      test_number (test_buffer (a, 99), TEST_YAW) != test_number (test_buffer (c, 99), TEST_YAW));
}
GST_END_TEST

GST_START_TEST (test_flush)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) before = NULL, after = NULL;

  test_push_motion (h, 0, 60, 0);
  before = test_pull_all (h);
  test_push_flush (h);
  test_push_segment (h, 0, 0);
  test_push_motion (h, 0, 60, 0);
  after = test_pull_all (h);
  test_same (before, after); /* nothing of before is left, and the past is no hole */
  test_end (h);
}
GST_END_TEST

/* A stream that follows has times and numbers of its own, and the face goes on without a jump. */
GST_START_TEST (test_next_stream)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 100, 0);
  gst_harness_push_event (h, gst_event_new_stream_start ("another"));
  test_push_segment (h, 0, 4 * GST_SECOND);
  test_push_motion (h, 0, 100, 0);
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 200);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (test_buffer (all, 100)), 0);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (test_buffer (all, 100)), 0);
  fail_unless (fabsf (test_number (test_buffer (all, 99), TEST_YAW)) > 0);
  for (guint i = 1; i < 200; i++)
    fail_unless (fabsf (test_number (test_buffer (all, i), TEST_YAW) -
                        test_number (test_buffer (all, i - 1), TEST_YAW)) < 0.003f);
  test_end (h);
}
GST_END_TEST

/* A flush ends a fill that nobody wants. */
GST_START_TEST (test_flushing_downstream)
{
  GstHarness *h = start ();

  test_push_motion (h, 0, 10, 0);
  gst_pad_set_active (h->sinkpad, FALSE);
  fail_if (gap (h, 10, 100));
  fail_unless_equals_int (gst_harness_push (h, test_motion_frame (200, 0)), GST_FLOW_FLUSHING);
  gst_pad_set_active (h->sinkpad, TRUE);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_latency)
{
  GstHarness *h = start ();

  gst_harness_set_upstream_latency (h, GST_SECOND);
  fail_unless_equals_uint64 (gst_harness_query_latency (h), GST_SECOND);
  test_end (h);
}
GST_END_TEST

static Suite *
artalkidle_suite (void)
{
  Suite *s = suite_create ("artalkidle");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_speech_and_silence);
  tcase_add_test (c, test_gap);
  tcase_add_test (c, test_gap_passes);
  tcase_add_test (c, test_gap_endless);
  tcase_add_test (c, test_hole);
  tcase_add_test (c, test_hole_renumbers);
  tcase_add_test (c, test_hole_too_long);
  tcase_add_test (c, test_max_fill);
  tcase_add_test (c, test_strength_0);
  tcase_add_test (c, test_seed);
  tcase_add_test (c, test_flush);
  tcase_add_test (c, test_next_stream);
  tcase_add_test (c, test_flushing_downstream);
  tcase_add_test (c, test_latency);
  return s;
}

GST_CHECK_MAIN (artalkidle)
