/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several pipelines in one process that are computed together make what each makes alone, whatever the others do. */
#include <math.h>

#include "testharness.h"

#include "kernels/device.h"

#define STREAMS 4
#define SAMPLES (5 * TEST_WINDOW / 2)

static const char *
model (void)
{
  return test_model_path (&test_model_small);
}

/* The first's results do not depend on the batch by a bit; the other adds in an order that follows the batch's size. */
static const char *const devices[] = { "cpu:plain", "cuda:host" };

static gboolean
has_device (const char *name)
{
  AkDevice *dev;

  if (test_on_valgrind () && g_str_has_prefix (name, "cuda"))
    return FALSE; /* its fibres are too much for valgrind */
  dev = ak_device_open (name, 0, NULL);
  if (!dev)
    g_print ("SKIPPED on %s: %s\n", name, ak_device_problem ());
  ak_device_unref (dev);
  return dev != NULL;
}

static GstHarness *
start (const char *device, guint i, guint batch, GstClockTime deadline)
{
  g_autofree char *common =
      g_strdup_printf ("device=%s batch=%u batch-deadline=%" G_GUINT64_FORMAT " model=%s", device,
          batch, deadline, model ());
  g_autofree char *launch = g_strdup_printf ("artalkaudioenc %s %s ! artalkmotion %s guidance=%f",
      common, i % 2 ? "hop=520000000" : "", common, 0.5 + i);
  GstHarness *h = test_harness_parse (launch);

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  return h;
}

/* As test_same(), but for the order of sums. */
static void
same_but_for_rounding (GPtrArray *a, GPtrArray *b)
{
  fail_unless_equals_int (a->len, b->len);
  for (guint i = 0; i < a->len; i++) {
    GstMapInfo x, y;

    fail_unless (gst_buffer_map (g_ptr_array_index (a, i), &x, GST_MAP_READ));
    fail_unless (gst_buffer_map (g_ptr_array_index (b, i), &y, GST_MAP_READ));
    fail_unless_equals_uint64 (x.size, y.size);
    for (gsize k = 0; k < x.size / sizeof (float); k++) {
      const float want = ((const float *) x.data)[k], got = ((const float *) y.data)[k];

      fail_unless (fabsf (got - want) <= 1e-4f * (1 + fabsf (want)),
          "buffer %u, number %" G_GSIZE_FORMAT ": %g instead of %g", i, k, (double) got,
          (double) want);
    }
    gst_buffer_unmap (g_ptr_array_index (a, i), &x);
    gst_buffer_unmap (g_ptr_array_index (b, i), &y);
  }
}

typedef struct
{
  const char *device;
  guint i;
  guint batch;
  gboolean disturb; /* begins with something that is thrown away */
  GPtrArray *out;
} Pipeline;

static gpointer
pipeline_thread (gpointer data)
{
  Pipeline *p = data;
  g_autofree float *speech = test_speech (SAMPLES);
  GstHarness *h = start (p->device, p->i, p->batch, 5 * GST_MSECOND);
  GstSegment segment;

  if (p->disturb) {
    test_push_speech (h, speech, TEST_WINDOW + 3000, 700);
    gst_harness_push_event (h, gst_event_new_flush_start ());
    gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_harness_push_event (h, gst_event_new_segment (&segment));
    g_ptr_array_unref (test_pull_all (h));
  }
  test_push_speech (h, speech, SAMPLES / (p->i + 1), 1000);
  p->out = test_finish (h);
  return NULL;
}

/* Four pipelines with other guidance each, every other one with windows that overlap, of other lengths: first alone, one
 * after the other, then at once; two of these are flushed on the way. */
GST_START_TEST (test_together)
{
  const char *device = devices[__i__];
  Pipeline alone[STREAMS], together[STREAMS];
  GThread *threads[STREAMS];

  if (!has_device (device))
    return;
  for (guint i = 0; i < STREAMS; i++) {
    alone[i] = (Pipeline){ device, i, 1, FALSE, NULL };
    together[i] = (Pipeline){ device, i, STREAMS, i >= 2, NULL };
    pipeline_thread (&alone[i]);
  }
  for (guint i = 0; i < STREAMS; i++)
    threads[i] = g_thread_new ("pipeline", pipeline_thread, &together[i]);
  for (guint i = 0; i < STREAMS; i++) {
    g_thread_join (threads[i]);
    if (g_str_equal (device, "cpu:plain"))
      test_same (alone[i].out, together[i].out);
    else
      same_but_for_rounding (alone[i].out, together[i].out);
    fail_unless (together[i].out->len > 0);
    g_ptr_array_unref (alone[i].out);
    g_ptr_array_unref (together[i].out);
  }
}
GST_END_TEST

static gpointer
push_thread (gpointer data)
{
  GstHarness *h = data;
  g_autofree float *speech = test_speech (2 * TEST_WINDOW);

  return GINT_TO_POINTER (gst_harness_push (h, test_audio (speech, 0, 2 * TEST_WINDOW, TRUE)));
}

/* A window that waits for another stream's, which does not come, is given up at once by a flush. */
GST_START_TEST (test_flush_while_waiting)
{
  GstHarness *h = start ("cpu", 0, 16, 10 * GST_SECOND), *other = start ("cpu", 2, 16, 0);
  GThread *thread = g_thread_new ("push", push_thread, h);

  g_usleep (20000);
  gst_harness_push_event (h, gst_event_new_flush_start ());
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)), GST_FLOW_FLUSHING);
  fail_unless_equals_int (gst_harness_buffers_received (h), 0);
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  test_end (other);
  test_end (h);
}
GST_END_TEST

/* What is promised for computing has the time that a window waits for others, unless the promise is set. */
GST_START_TEST (test_latency)
{
  static const char *const names[] = { "artalkaudioenc", "artalkmotion" };
  const char *name = names[__i__];
  guint64 promised;

  for (guint set = 0; set < 2; set++) {
    GstElement *e = gst_element_factory_make (name, NULL);
    GstHarness *h;

    gst_object_ref_sink (e);
    g_object_set (e, "model", model (), "device", "cpu", "batch", 8, "batch-deadline",
        300 * GST_MSECOND, NULL);
    if (set)
      g_object_set (e, "processing-deadline", 50 * GST_MSECOND, NULL);
    h = gst_harness_new_with_element (e, "sink", "src");
    gst_harness_set_live (h, TRUE);
    gst_harness_query_latency (h);
    g_object_get (e, "processing-deadline", &promised, NULL);
    fail_unless (set ? promised == 50 * GST_MSECOND : promised > 300 * GST_MSECOND);
    gst_harness_teardown (h);
    gst_object_unref (e);
  }
}
GST_END_TEST

static Suite *
batch_suite (void)
{
  Suite *s = suite_create ("batch");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_loop_test (c, test_together, 0, G_N_ELEMENTS (devices));
  tcase_add_test (c, test_flush_while_waiting);
  tcase_add_loop_test (c, test_latency, 0, 2);
  return s;
}

GST_CHECK_MAIN (batch)
