/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testmotion.h"

#include <math.h>
#include <string.h>

GstBuffer *
test_motion_buffer (guint i, const float *numbers)
{
  GstBuffer *b = gst_buffer_new_memdup (numbers, TEST_MOTION * sizeof *numbers);

  GST_BUFFER_PTS (b) = i * TEST_FRAME;
  GST_BUFFER_DURATION (b) = TEST_FRAME;
  GST_BUFFER_OFFSET (b) = i;
  GST_BUFFER_OFFSET_END (b) = i + 1;
  return b;
}

GstHarness *
test_motion_harness (const char *element)
{
  GstHarness *h = test_harness (element, NULL);

  gst_harness_set_live (h, FALSE);
  gst_harness_query_latency (h);
  return h;
}

GstBuffer *
test_motion_frame (guint i, float jaw)
{
  float numbers[TEST_MOTION] = { 0 };
  GstBuffer *b;

  numbers[TEST_SMILE] = 0.25f;
  numbers[TEST_JAW] = jaw * (1.1f + sinf (i));
  b = test_motion_buffer (i, numbers);
  if (i == 0)
    GST_BUFFER_FLAG_SET (b, GST_BUFFER_FLAG_DISCONT);
  return b;
}

void
test_push_motion (GstHarness *h, guint from, guint to, float jaw)
{
  for (guint i = from; i < to; i++)
    fail_unless_equals_int (gst_harness_push (h, test_motion_frame (i, jaw)), GST_FLOW_OK);
}

float
test_number (GstBuffer *frame, guint k)
{
  float value = NAN;

  fail_unless_equals_uint64 (gst_buffer_get_size (frame), TEST_MOTION * sizeof (float));
  gst_buffer_extract (frame, k * sizeof (float), &value, sizeof value);
  return value;
}

void
test_check_motion (GPtrArray *all, guint from, guint n)
{
  fail_unless_equals_int (all->len, n);
  for (guint i = 0; i < n; i++) {
    GstBuffer *b = test_buffer (all, i);

    fail_unless_equals_uint64 (GST_BUFFER_PTS (b), (from + i) * TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (b), TEST_FRAME);
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), from + i);
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (b), from + i + 1);
    fail_unless_equals_int (GST_BUFFER_IS_DISCONT (b), from + i == 0);
  }
}

void
test_nonsense (GstHarness *h)
{
  g_autofree char *error = NULL;
  float numbers[TEST_MOTION];
  GstBuffer *b;

  for (guint i = 0; i < TEST_MOTION; i++)
    numbers[i] = i % 3 ? NAN : 1e30f;
  b = gst_harness_push_and_pull (h, test_motion_buffer (0, numbers));
  fail_unless (b != NULL);
  gst_buffer_unref (b);
  fail_unless_equals_int (gst_harness_push (h, gst_buffer_new_memdup (numbers, 5)), GST_FLOW_ERROR);
  error = test_message (h->element, GST_MESSAGE_ERROR);
  fail_unless (error && strstr (error, "106"));
}

void
test_same_motion (GstBuffer *frame, guint i, float jaw)
{
  g_autoptr (GstBuffer) in = test_motion_frame (i, jaw);
  GstMapInfo map;

  gst_buffer_map (in, &map, GST_MAP_READ);
  fail_unless_equals_uint64 (gst_buffer_get_size (frame), map.size);
  fail_unless (gst_buffer_memcmp (frame, 0, map.data, map.size) == 0);
  gst_buffer_unmap (in, &map);
}

GstEvent *
test_interruption (GstEventType type, GstClockTime time, gboolean marked)
{
  GstStructure *s = gst_structure_new_empty ("artalk-interrupt");

  if (GST_CLOCK_TIME_IS_VALID (time))
    gst_structure_set (s, "running-time", G_TYPE_UINT64, time, NULL);
  if (marked)
    gst_structure_set (s, "marked", G_TYPE_BOOLEAN, TRUE, NULL);
  return gst_event_new_custom (type, s);
}
