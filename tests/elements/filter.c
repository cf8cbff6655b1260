/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all elements do that take motion and give motion. */
#include <string.h>

#include "testmotion.h"

static const char *const filters[] = { "artalksmooth", "artalkidle" };

static GstHarness *
start (int i)
{
  GstHarness *h = test_motion_harness (filters[i]);

  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  return h;
}

/* Numbers of another format follow, and none come without one. */
GST_START_TEST (test_negotiation)
{
  GstHarness *h = start (__i__);
  g_autoptr (GstCaps) caps = gst_caps_from_string (TEST_MOTION_CAPS), out = NULL;

  test_push_motion (h, 0, 1, 0);
  out = gst_pad_get_current_caps (h->sinkpad);
  fail_unless (gst_caps_is_equal (caps, out));
  gst_harness_set_src_caps_str (
      h, "motion/x-flame,format=F32LE,expression=50,pose=6,framerate=25/1");
  fail_unless_equals_int (
      gst_harness_push (h, gst_buffer_new_memdup (g_alloca0 (56 * 4), 56 * 4)), GST_FLOW_OK);
  test_end (h);
  h = test_motion_harness (filters[__i__]);
  gst_harness_push_event (h, gst_event_new_stream_start ("some"));
  test_push_segment (h, 0, 0);
  fail_unless_equals_int (gst_harness_push (h, test_motion_frame (0, 0)), GST_FLOW_NOT_NEGOTIATED);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_wrong_size)
{
  GstHarness *h = start (__i__);
  g_autofree char *error = NULL;

  fail_unless_equals_int (gst_harness_push (h, gst_buffer_new_memdup ("short", 5)), GST_FLOW_ERROR);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (error && strstr (error, "106"));
  fail_unless_equals_int (gst_harness_push (h, gst_buffer_new ()), GST_FLOW_ERROR);
  g_free (error);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (error && strstr (error, "106"));
  test_push_motion (h, 0, 10, 0);
  test_end (h);
}
GST_END_TEST

/* Nothing is left of what came before READY, waiting frames included. */
GST_START_TEST (test_states)
{
  GstHarness *h = start (__i__);
  g_autoptr (GPtrArray) before = NULL, after = NULL;

  test_push_motion (h, 0, 60, 0.1f);
  before = test_pull_all (h);
  fail_unless (before->len > 50);
  gst_element_set_state (h->element, GST_STATE_NULL);
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, TEST_MOTION_CAPS);
  test_push_motion (h, 0, 60, 0.1f);
  after = test_pull_all (h);
  test_same (before, after);
  test_end (h);
}
GST_END_TEST

static gboolean
seek (GstHarness *h, double rate)
{
  return gst_harness_push_upstream_event (
      h, gst_event_new_seek (rate, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
             GST_SEEK_TYPE_SET, GST_SECOND));
}

GST_START_TEST (test_seek)
{
  GstHarness *h = start (__i__);
  GstEvent *event;

  fail_if (seek (h, -1));
  fail_unless_equals_int (
      gst_harness_upstream_events_in_queue (h), 1); /* the harness's RECONFIGURE */
  seek (h, 1);
  event = gst_harness_pull_upstream_event (h);
  gst_event_unref (event);
  event = gst_harness_pull_upstream_event (h);
  fail_unless_equals_int (GST_EVENT_TYPE (event), GST_EVENT_SEEK);
  gst_event_unref (event);
  test_end (h);
}
GST_END_TEST

static Suite *
filter_suite (void)
{
  Suite *s = suite_create ("filter");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_loop_test (c, test_negotiation, 0, G_N_ELEMENTS (filters));
  tcase_add_loop_test (c, test_wrong_size, 0, G_N_ELEMENTS (filters));
  tcase_add_loop_test (c, test_states, 0, G_N_ELEMENTS (filters));
  tcase_add_loop_test (c, test_seek, 0, G_N_ELEMENTS (filters));
  return s;
}

GST_CHECK_MAIN (filter)
