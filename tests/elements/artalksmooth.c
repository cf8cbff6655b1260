/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* artalksmooth: every frame comes out once, at its own time, up to four frames later. */
#include <math.h>
#include <string.h>

#include "testmotion.h"

#define CAPS "motion/x-flame,format=F32LE,expression=100,pose=6,basis=any,framerate=25/1"

static GstBuffer *
frame (guint i, float value)
{
  float numbers[TEST_MOTION];
  GstBuffer *b;

  for (guint k = 0; k < TEST_MOTION; k++)
    numbers[k] = value;
  b = test_motion_buffer (i, numbers);
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
    float numbers[TEST_MOTION];

    fail_unless_equals_uint64 (GST_BUFFER_PTS (b), i * TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (b), TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), i);
    fail_unless_equals_int (GST_BUFFER_IS_DISCONT (b), i == 0);
    fail_unless_equals_uint64 (gst_buffer_extract (b, 0, numbers, sizeof numbers), sizeof numbers);
    for (guint k = 0; k < TEST_MOTION; k++)
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

  push (h, 0, 12, 1);
  before = test_pull_all (h);
  fail_unless_equals_int (before->len, 8);
  test_push_flush (h);
  test_push_segment (h, 0, 0);
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
  float numbers[TEST_MOTION];

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

/* With a shorter delay frames come sooner, that is promised, and it holds from the next start on. */
GST_START_TEST (test_shorter_delay)
{
  for (guint delay = 0; delay <= 4; delay++) {
    GstElement *e = gst_object_ref_sink (gst_element_factory_make ("artalksmooth", NULL));
    g_autoptr (GPtrArray) all = NULL;
    GstHarness *h;

    g_object_set (e, "delay", delay, NULL);
    h = gst_harness_new_with_element (e, "sink", "src");
    gst_harness_set_src_caps_str (h, CAPS);
    g_object_set (e, "delay", 4 - delay, NULL);
    fail_unless_equals_uint64 (gst_harness_query_latency (h), delay * TEST_FRAME);
    push (h, 0, 30, 0.5);
    fail_unless_equals_int (gst_harness_buffers_in_queue (h), 30 - delay);
    gst_harness_push_event (h, gst_event_new_eos ());
    all = test_pull_all (h);
    fail_unless_equals_int (all->len, 30);
    check (all, 0, 30, 0.5);
    gst_harness_teardown (h);
    gst_object_unref (e);
  }
}
GST_END_TEST

/* Events and frames in the order in which they came out, an event as 1000 more than its number. */
static GstPadProbeReturn
note (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  const GstStructure *s;
  int number;

  if (GST_IS_BUFFER (info->data)) {
    number = (int) GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info));
  } else {
    s = gst_event_get_structure (GST_PAD_PROBE_INFO_EVENT (info));
    if (!s || !gst_structure_get_int (s, "number", &number))
      return GST_PAD_PROBE_OK;
  }
  g_array_append_val ((GArray *) data, number);
  return GST_PAD_PROBE_OK;
}

static GstEvent *
numbered (int number)
{
  return gst_event_new_custom (
      GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new ("event", "number", G_TYPE_INT, number, NULL));
}

/* An event stays between its frames; a flush loses it with them. */
GST_START_TEST (test_events_in_place)
{
  static const int wanted[] = { 1000, 0, 1, 2, 1003, 3, 4, 5, 6, 7, 8, 9, 1010, 1010 };
  GstHarness *h = start ();
  g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (int));

  gst_pad_add_probe (h->sinkpad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      note, order, NULL);
  gst_harness_push_event (h, numbered (1000));
  push (h, 0, 3, 0.5);
  gst_harness_push_event (h, numbered (1003));
  push (h, 3, 10, 0.5);
  gst_harness_push_event (h, numbered (1010));
  gst_harness_push_event (h, numbered (1010));
  gst_harness_push_event (h, gst_event_new_eos ());
  fail_unless_equals_int (order->len, G_N_ELEMENTS (wanted));
  for (guint i = 0; i < order->len; i++)
    fail_unless_equals_int (g_array_index (order, int, i), wanted[i]);

  test_push_flush (h);
  test_push_segment (h, 0, 0);
  g_array_set_size (order, 0);
  push (h, 0, 3, 0.5);
  gst_harness_push_event (h, numbered (1003));
  test_push_flush (h);
  fail_unless_equals_int (order->len, 0);
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
  tcase_add_test (c, test_shorter_delay);
  tcase_add_test (c, test_events_in_place);
  return s;
}

GST_CHECK_MAIN (artalksmooth)
