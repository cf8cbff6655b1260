/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushing, stopping and interrupting in the middle of a window's work take less than 50 ms, whatever the window takes.
 * On a machine that is so busy that the window takes seconds, they may take a twentieth of that. On the processor with two
 * threads, wherever it runs: more of them, or a card, are done before anybody could interrupt. */
#include "testmotion.h"

#define LIMIT_MS 50.0
enum { FLUSH, STOP, INTERRUPT, WAYS };
static const char *const ways[WAYS] = { "flush", "stop", "interrupt" };

#define ATTEMPTS 8 /* the best of these counts */

typedef struct
{
  GstHarness *h;
  GstBuffer *buffer; /* makes a whole window */
  GstFlowReturn flow;
} Job;

static gpointer
push (gpointer data)
{
  Job *job = data;

  job->flow = gst_harness_push (job->h, job->buffer);
  return NULL;
}

static const char *
model (void)
{
  return test_model_path (&test_model_heavy);
}

static GstHarness *
harness (const char *element)
{
  g_autofree char *launch = g_strdup_printf ("%s model=%s device=cpu threads=2", element, model ());

  return test_harness_parse (launch);
}

static guint
window_samples (void)
{
  return test_model_heavy.patches[4] * 640;
}

/* Input of `element` that makes a window of work. */
static GstBuffer *
work (const char *element, GstCaps *features)
{
  GstStructure *s = gst_caps_get_structure (features, 0);
  int channels;

  if (g_str_equal (element, "artalkaudioenc")) {
    const guint n = window_samples () + test_model_heavy.ahead;
    g_autofree float *speech = test_speech (n);

    return test_audio (speech, 0, n, TRUE);
  }
  gst_structure_get_int (s, "channels", &channels);
  {
    const gsize bytes = (gsize) 2 * test_model_heavy.patches[4] * channels * sizeof (float);
    GstBuffer *b = gst_buffer_new_wrapped (g_malloc0 (bytes), bytes);

    GST_BUFFER_PTS (b) = 0;
    GST_BUFFER_OFFSET (b) = 0;
    GST_BUFFER_OFFSET_END (b) = window_samples ();
    return b;
  }
}

/* The caps of the heavy model's features, without any being computed. */
static GstCaps *
feature_caps (void)
{
  GstHarness *h = harness ("artalkaudioenc");
  GstCaps *caps;

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  caps = gst_pad_get_current_caps (h->sinkpad);
  test_end (h);
  return caps;
}

static void
prepare (GstHarness *h, const char *element, GstCaps *features)
{
  if (g_str_equal (element, "artalkaudioenc"))
    gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  else
    gst_harness_set_src_caps (h, gst_caps_ref (features));
}

/* Interrupts `element` `wait` us after it was given a window and returns how many ms it took to come back, or G_MAXDOUBLE
 * if the window was done before: then it waits half as long the next time. */
static double
interrupt (const char *element, GstCaps *features, gint64 *wait, guint way)
{
  GstHarness *h = harness (element);
  Job job = { .h = h };
  GThread *thread;
  gint64 begun;
  double took;

  prepare (h, element, features);
  job.buffer = work (element, features);
  thread = g_thread_new ("push", push, &job);
  g_usleep (*wait);
  begun = g_get_monotonic_time ();
  if (way == STOP)
    gst_element_set_state (h->element, GST_STATE_READY);
  else if (way == FLUSH)
    gst_harness_push_event (h, gst_event_new_flush_start ());
  else
    gst_harness_push_event (
        h, test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, GST_CLOCK_TIME_NONE, FALSE));
  g_thread_join (thread);
  took = (g_get_monotonic_time () - begun) / 1000.0;
  if (gst_harness_buffers_received (h) > 0) {
    took = G_MAXDOUBLE;
    *wait /= 2;
  } else {
    fail_unless_equals_int (job.flow, way == INTERRUPT ? GST_FLOW_OK : GST_FLOW_FLUSHING);
  }
  if (way == STOP)
    gst_element_set_state (h->element, GST_STATE_NULL);
  else if (way == FLUSH)
    gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
  test_end (h);
  return took;
}

static void
check (const char *element)
{
  g_autoptr (GstCaps) features = feature_caps ();
  GstHarness *h = harness (element);
  gint64 begun, whole;
  double limit;

  prepare (h, element, features);
  begun = g_get_monotonic_time ();
  fail_unless_equals_int (gst_harness_push (h, work (element, features)), GST_FLOW_OK);
  whole = g_get_monotonic_time () - begun;
  test_end (h);
  g_print ("%s: a window takes %.0f ms\n", element, whole / 1000.0);
  fail_unless (whole > 3 * LIMIT_MS * 1000, "too little work to interrupt");
  limit = MAX (LIMIT_MS, whole / 20000.0);

  for (guint way = 0; way < WAYS; way++) {
    const char *what = ways[way];
    double best = G_MAXDOUBLE;
    gint64 wait = whole / 3;

    for (guint i = 0; i < ATTEMPTS && best >= limit; i++)
      best = MIN (best, interrupt (element, features, &wait, way));
    g_print ("%s: %s after %.1f ms\n", element, what, best);
    fail_unless (best < limit, "%s takes %.1f ms to %s", element, best, what);
  }
}

GST_START_TEST (test_audioenc)
{
  check ("artalkaudioenc");
}
GST_END_TEST

GST_START_TEST (test_motion)
{
  check ("artalkmotion");
}
GST_END_TEST

static Suite *
cancel_suite (void)
{
  Suite *s = suite_create ("cancel");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  if (test_on_valgrind ())
    return s; /* it would measure valgrind */
  tcase_add_test (c, test_audioenc);
  tcase_add_test (c, test_motion);
  return s;
}

GST_CHECK_MAIN (cancel)
