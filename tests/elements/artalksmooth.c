/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* artalksmooth: every frame comes out once, at its own time, four frames later. */
#include <math.h>
#include <string.h>

#include "testharness.h"

#define CAPS "motion/x-flame,format=F32LE,expression=100,pose=6,basis=any,framerate=25/1"
#define DIM 106

static GstBuffer *
frame (guint i, float value)
{
  float numbers[DIM];
  GstBuffer *b;

  for (guint k = 0; k < DIM; k++)
    numbers[k] = value;
  b = gst_buffer_new_memdup (numbers, sizeof numbers);
  GST_BUFFER_PTS (b) = i * TEST_FRAME;
  GST_BUFFER_DURATION (b) = TEST_FRAME;
  GST_BUFFER_OFFSET (b) = i;
  GST_BUFFER_OFFSET_END (b) = i + 1;
  if (i == 0)
    GST_BUFFER_FLAG_SET (b, GST_BUFFER_FLAG_DISCONT);
  return b;
}

static void
push (GstHarness *h, guint from, guint to, float value)
{
  for (guint i = from; i < to; i++)
    fail_unless_equals_int (gst_harness_push (h, frame (i, value)), GST_FLOW_OK);
}

static GstHarness *
start (void)
{
  GstHarness *h = test_harness ("artalksmooth", NULL);

  gst_harness_set_src_caps_str (h, CAPS);
  return h;
}

static void
check (GPtrArray *all, guint at, guint n, float value)
{
  for (guint i = 0; i < n; i++) {
    GstBuffer *b = test_buffer (all, at + i);
    float numbers[DIM];

    fail_unless_equals_uint64 (GST_BUFFER_PTS (b), i * TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (b), TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), i);
    fail_unless_equals_int (GST_BUFFER_IS_DISCONT (b), i == 0);
    fail_unless_equals_uint64 (gst_buffer_extract (b, 0, numbers, sizeof numbers), sizeof numbers);
    for (guint k = 0; k < DIM; k++)
      fail_unless (fabsf (numbers[k] - (k >= 104 ? 0 : value)) < 1e-5f, "frame %u channel %u: %g",
          i, k, numbers[k]);
  }
}

GST_START_TEST (test_delay_and_drain)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  push (h, 0, 30, 0.5);
  fail_unless_equals_int (gst_harness_buffers_in_queue (h), 26);
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 30);
  check (all, 0, 30, 0.5);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_any_length)
{
  for (guint n = 0; n < 20; n++) {
    GstHarness *h = start ();
    g_autoptr (GPtrArray) all = NULL;

    push (h, 0, n, -0.25);
    gst_harness_push_event (h, gst_event_new_eos ());
    all = test_pull_all (h);
    fail_unless_equals_int (all->len, n);
    check (all, 0, n, -0.25);
    test_end (h);
  }
}
GST_END_TEST

GST_START_TEST (test_restart)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  push (h, 0, 12, 1);
  push (h, 0, 15, 2); /* nothing of the first stream may show in the second */
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 27);
  check (all, 0, 12, 1);
  check (all, 12, 15, 2);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_flush)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) before = NULL, after = NULL;
  GstSegment segment;

  push (h, 0, 12, 1);
  before = test_pull_all (h);
  fail_unless_equals_int (before->len, 8);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (h, gst_event_new_segment (&segment));
  push (h, 0, 12, 3);
  gst_harness_push_event (h, gst_event_new_eos ());
  after = test_pull_all (h);
  fail_unless_equals_int (after->len, 12);
  check (after, 0, 12, 3);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_fix_pose)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;
  float numbers[DIM];

  g_object_set (h->element, "fix-pose", TRUE, NULL);
  push (h, 0, 20, 0.5);
  g_object_set (h->element, "fix-pose", FALSE, NULL);
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  for (guint i = 0; i < 20; i++) {
    gst_buffer_extract (test_buffer (all, i), 0, numbers, sizeof numbers);
    for (guint k = 100; k < 103; k++)
      fail_unless (fabsf (numbers[k] - (i < 16 ? 0 : 0.5f)) < 1e-5f);
    fail_unless (fabsf (numbers[103] - 0.5f) < 1e-5f);
  }
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_latency)
{
  GstHarness *h = start ();

  gst_harness_set_upstream_latency (h, GST_SECOND);
  fail_unless_equals_uint64 (gst_harness_query_latency (h), GST_SECOND + 4 * TEST_FRAME);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_wrong_size)
{
  GstHarness *h = start ();
  g_autofree char *error = NULL;

  fail_unless_equals_int (gst_harness_push (h, gst_buffer_new_memdup ("short", 5)), GST_FLOW_ERROR);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (error && strstr (error, "106"));
  push (h, 0, 10, 1);
  test_end (h);
}
GST_END_TEST

GST_START_TEST (test_states)
{
  GstHarness *h = start ();
  g_autoptr (GPtrArray) all = NULL;

  push (h, 0, 12, 1);
  gst_element_set_state (h->element, GST_STATE_NULL);
  g_ptr_array_unref (test_pull_all (h));
  gst_element_set_state (h->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str (h, CAPS);
  push (h, 0, 12, 2);
  gst_harness_push_event (h, gst_event_new_eos ());
  all = test_pull_all (h);
  fail_unless_equals_int (all->len, 12);
  check (all, 0, 12, 2);
  test_end (h);
}
GST_END_TEST

static Suite *
artalksmooth_suite (void)
{
  Suite *s = suite_create ("artalksmooth");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_delay_and_drain);
  tcase_add_test (c, test_any_length);
  tcase_add_test (c, test_restart);
  tcase_add_test (c, test_flush);
  tcase_add_test (c, test_fix_pose);
  tcase_add_test (c, test_latency);
  tcase_add_test (c, test_wrong_size);
  tcase_add_test (c, test_states);
  return s;
}

GST_CHECK_MAIN (artalksmooth)
