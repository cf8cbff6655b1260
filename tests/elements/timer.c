/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* artalkidle on the clock: in a live pipeline frames come on time, whatever comes in, and interruptions shut the mouth. */
#include <math.h>

#include "testharness.h"
#include "testmotion.h"

#define LATENCY (200 * GST_MSECOND)

/* Playing, live with LATENCY, the clock at 0. */
static GstHarness *
start (void)
{
  GstHarness *h = test_motion_harness ("artalkidle");

  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  gst_harness_set_live (h, TRUE);
  gst_harness_set_upstream_latency (h, LATENCY);
  fail_unless_equals_uint64 (gst_harness_query_latency (h), LATENCY);
  return h;
}

/* Lets the timer do all that it has to do until `time`. It must be waiting for something. */
static void
advance (GstHarness *h, GstClockTime time)
{
  g_autoptr (GstTestClock) clock = gst_harness_get_testclock (h);

  for (;;) {
    GstClockTime next;
    GstClockID id;

    gst_test_clock_wait_for_next_pending_id (clock, &id);
    next = gst_clock_id_get_time (id);
    gst_clock_id_unref (id);
    if (next > time)
      break;
    fail_unless (gst_test_clock_crank (clock));
  }
  gst_test_clock_set_time (clock, time);
}

/* The clock's reading when frame `i` has to be there. */
static GstClockTime
due (guint i)
{
  return i * TEST_FRAME + LATENCY;
}

GST_START_TEST (test_on_time)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 10, 0.1f);
  advance (h, due (10) + TEST_FRAME / 2 - 1);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 10); /* it may still come */
  advance (h, due (10) + TEST_FRAME / 2);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 11);
  advance (h, due (11) - 1); /* after that none is waited for */
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 11);
  advance (h, due (11));
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 12);
  advance (h, due (29));
  all = test_pull_all (h);
  test_check_motion (all, 0, 30);
  fail_unless (test_number (test_buffer (all, 29), TEST_JAW) == 0);
  test_end (h);
}
GST_END_TEST

/* A minute without anything, longer than what is filled at once: the face lives, and speech goes on in time. */
GST_START_TEST (test_nothing_comes)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 10, 0.1f);
  advance (h, due (1499));
  test_push_motion (h, 1500, 1510, 0.1f);
  all = test_pull_all (h);
  test_check_motion (all, 0, 1510);
  fail_unless (test_number (test_buffer (all, 1000), TEST_YAW) != 0);
  fail_unless (test_number (test_buffer (all, 1509), TEST_JAW) > 0);
  test_end (h);
}
GST_END_TEST

/* What comes too late is not shown, and what comes after it in time is. */
GST_START_TEST (test_late)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 10, 0.1f);
  advance (h, due (14));
  test_push_motion (h, 10, 30, 0.1f);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 30);
  all = test_pull_all (h);
  test_check_motion (all, 0, 30);
  test_end (h);
}
GST_END_TEST

/* Frames that come in time are not disturbed. */
GST_START_TEST (test_in_time)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  for (guint i = 0; i < 50; i++) {
    test_push_motion (h, i, i + 1, 0.1f);
    advance (h, due (i));
  }
  all = test_pull_all (h);
  test_check_motion (all, 0, 50);
  for (guint i = 0; i < 50; i++)
    test_same_motion (test_buffer (all, i), i, 0.1f);
  test_end (h);
}
GST_END_TEST

static void
check_idle_of_timer (GstHarness *h)
{
  g_autoptr (GstTestClock) clock = gst_harness_get_testclock (h);

  test_push_motion (h, 0, 10, 0.1f);
  gst_test_clock_advance_time (clock, GST_SECOND);
  test_push_motion (h, 10, 20, 0.1f);
  gst_element_set_state (h->element, GST_STATE_NULL); /* waits for the thread if there is one */
  fail_unless_equals_int (gst_harness_buffers_received (h), 20);
  test_end (h);
}

GST_START_TEST (test_off)
{
  GstHarness *h = start ();

  g_object_set (h->element, "strength", 0.0, NULL);
  check_idle_of_timer (h);
  h = start ();
  g_object_set (h->element, "max-fill", G_GUINT64_CONSTANT (0), NULL);
  check_idle_of_timer (h);
}
GST_END_TEST

GST_START_TEST (test_not_live)
{
  GstHarness *h = test_motion_harness ("artalkidle");

  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  check_idle_of_timer (h);
}
GST_END_TEST

GST_START_TEST (test_eos)
{
  GstHarness *h = start ();
  g_autoptr (GstTestClock) clock = gst_harness_get_testclock (h);

  test_push_motion (h, 0, 10, 0.1f);
  gst_harness_push_event (h, gst_event_new_eos ());
  gst_test_clock_advance_time (clock, 10 * GST_SECOND);
  gst_element_set_state (h->element, GST_STATE_NULL);
  fail_unless_equals_int (gst_harness_buffers_received (h), 10);
  test_end (h);
}
GST_END_TEST

/* In PAUSED nothing is made, and after it life goes on where it was. */
GST_START_TEST (test_pause)
{
  GstHarness *h = start ();
  g_autoptr (GstTestClock) clock = gst_harness_get_testclock (h);

  test_push_motion (h, 0, 10, 0.1f);
  advance (h, due (11));
  fail_unless_equals_int (gst_harness_buffers_received (h), 12);
  gst_element_set_state (h->element, GST_STATE_PAUSED);
  gst_test_clock_advance_time (clock, 10 * GST_SECOND);
  gst_element_set_base_time (h->element, 10 * GST_SECOND); /* as a pipeline does */
  fail_unless_equals_int (gst_harness_buffers_received (h), 12);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  advance (h, 10 * GST_SECOND + due (19));
  fail_unless_equals_int (gst_harness_buffers_received (h), 20);
  test_end (h);
}
GST_END_TEST

/* Another stream's times mean another running time: life goes on in that. */
GST_START_TEST (test_next_stream)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 10, 0.1f);
  gst_harness_push_event (h, gst_event_new_stream_start ("another"));
  test_push_segment (h, 100 * GST_SECOND, 5 * TEST_FRAME);
  advance (h, due (12));
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 13);
  for (guint i = 10; i < 13; i++)
    fail_unless_equals_uint64 (
        GST_BUFFER_PTS (test_buffer (all, i)), 100 * GST_SECOND + (i - 5) * TEST_FRAME);
  test_end (h);
}
GST_END_TEST

/* Events of the interruption `seqnum` that came out, and nothing else of that kind. */
static void
check_events (GstHarness *h, guint32 seqnum, guint oob, guint marks)
{
  guint seen[2] = { 0 };
  GstEvent *event;

  while ((event = gst_harness_try_pull_event (h))) {
    const GstStructure *s = gst_event_get_structure (event);

    if (s && gst_structure_has_name (s, "artalk-interrupt")) {
      fail_unless_equals_int (gst_event_get_seqnum (event), seqnum);
      seen[GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM]++;
    }
    gst_event_unref (event);
  }
  fail_unless_equals_int (seen[0], oob);
  fail_unless_equals_int (seen[1], marks);
}

/* Fifty frames were made, twenty of them were seen: the twenty-second has its mouth shut. */
static void
check_interruption (GstHarness *h, GstEvent *event, gboolean up)
{
  const guint32 seqnum = gst_event_get_seqnum (event);
  g_autoptr (GPtrArray) all = NULL;

  test_push_motion (h, 0, 50, 0.1f);
  advance (h, due (20));
  g_ptr_array_unref (test_pull_all (h));
  if (up)
    gst_harness_push_upstream_event (h, event);
  else
    gst_harness_push_event (h, event);
  advance (h, due (24));
  all = test_pull_all (h);
  test_check_motion (all, 20, 5);
  fail_unless (test_number (test_buffer (all, 0), TEST_JAW) > 0);
  for (guint i = 1; i < 5; i++)
    fail_unless (test_number (test_buffer (all, i), TEST_JAW) == 0);
  check_events (h, seqnum, 1, 1);
}

GST_START_TEST (test_interrupt)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  check_interruption (
      h, test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, 20 * TEST_FRAME, FALSE), FALSE);
  test_push_motion (h, 25, 40, 0.1f); /* and then something new */
  all = test_pull_all (h);
  test_check_motion (all, 25, 15);
  for (guint i = 13; i < 15; i++)
    test_same_motion (test_buffer (all, i), 25 + i, 0.1f);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_interrupt_upstream)
{
  GstHarness *h = start ();
  guint seen = 0;
  GstEvent *event;

  check_interruption (
      h, test_interruption (GST_EVENT_CUSTOM_UPSTREAM, 20 * TEST_FRAME, FALSE), TRUE);
  while ((event = gst_harness_try_pull_upstream_event (h))) {
    seen += GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_UPSTREAM;
    gst_event_unref (event);
  }
  fail_unless_equals_int (seen, 1);
  test_end (h);
}
GST_END_TEST

/* What comes before the mark is old, whatever its time. */
GST_START_TEST (test_interrupt_marked)
{
  GstHarness *h = start ();
  GstEvent *event = test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, 20 * TEST_FRAME, TRUE);
  const guint32 seqnum = gst_event_get_seqnum (event);
  g_autoptr (GPtrArray) all = NULL;

  check_interruption (h, event, FALSE);
  test_push_motion (h, 50, 60, 0.1f);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 0);
  event = test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM, 20 * TEST_FRAME, FALSE);
  gst_event_set_seqnum (event, seqnum);
  gst_harness_push_event (h, event);
  check_events (h, seqnum, 0, 0); /* it went out long ago */
  test_push_motion (h, 25, 30, 0.1f);
  all = test_pull_all (h);
  test_check_motion (all, 25, 5);
  test_end (h);
}
GST_END_TEST

/* Also where nothing is live: frames are made on time until something comes. */
GST_START_TEST (test_interrupt_not_live)
{
  GstHarness *h = test_motion_harness ("artalkidle");
  g_autoptr (GstTestClock) clock = gst_harness_get_testclock (h);
  g_autoptr (GPtrArray) all = NULL;

  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  test_push_motion (h, 0, 50, 0.1f);
  g_ptr_array_unref (test_pull_all (h));
  gst_test_clock_set_time (clock, 20 * TEST_FRAME);
  gst_harness_push_event (
      h, test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, 20 * TEST_FRAME, FALSE));
  advance (h, 23 * TEST_FRAME);
  all = test_pull_all (h);
  test_check_motion (all, 20, 5); /* one of them ahead of its time */
  fail_unless (test_number (test_buffer (all, 1), TEST_JAW) == 0);
  test_push_motion (h, 25, 26, 0.1f);
  gst_test_clock_set_time (clock, 100 * TEST_FRAME);
  gst_element_set_state (h->element, GST_STATE_NULL);
  fail_unless_equals_int (gst_harness_buffers_received (h), 56);
  test_end (h);
}
GST_END_TEST

static Suite *
timer_suite (void)
{
  Suite *s = suite_create ("timer");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_on_time);
  tcase_add_test (c, test_nothing_comes);
  tcase_add_test (c, test_late);
  tcase_add_test (c, test_in_time);
  tcase_add_test (c, test_off);
  tcase_add_test (c, test_not_live);
  tcase_add_test (c, test_eos);
  tcase_add_test (c, test_pause);
  tcase_add_test (c, test_next_stream);
  tcase_add_test (c, test_interrupt);
  tcase_add_test (c, test_interrupt_upstream);
  tcase_add_test (c, test_interrupt_marked);
  tcase_add_test (c, test_interrupt_not_live);
  return s;
}

GST_CHECK_MAIN (timer)
