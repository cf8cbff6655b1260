/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is promised for computing: one sum of both elements, raised when the work on a window took longer than that, and
 * only where somebody has to wait for it. */
#include "gst/gstartalkpromise.h"
#include "testharness.h"

#define MS GST_MSECOND

/* Of 20 ms, of a stream that is 1.2 s late where the element has done with it. */
static GstArtalkPromise
promise (void)
{
  GstArtalkPromise p;

  gst_artalk_promise_init (&p);
  gst_artalk_promise_make (&p, 12 * MS, 0, 0);
  p.latency = 1200 * MS;
  p.live = TRUE;
  return p;
}

/* A window that ended `now` s after the start, took `took` ms and was `age` ms old then. */
static char *
judge (GstArtalkPromise *p, double now, double took, double age)
{
  const GstArtalkWindow window = { .now = (gint64) (now * G_USEC_PER_SEC),
    .took = (GstClockTime) (took * MS),
    .duration = GST_SECOND,
    .age = (GstClockTimeDiff) (age * MS) };

  return gst_artalk_promise_judge (p, &window);
}

/* What was measured, and some of it or of the delay more. */
GST_START_TEST (test_made)
{
  static const guint cases[][4] = { { 12, 0, 0, 20 }, { 12, 2, 240, 22 }, { 12, 0, 1160, 24 },
    { 12, 0, 4000, 24 }, { 800, 0, 4000, 900 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstArtalkPromise p;

    gst_artalk_promise_init (&p);
    gst_artalk_promise_make (&p, cases[i][0] * MS, cases[i][1] * MS, cases[i][2] * MS);
    fail_unless_equals_uint64 (p.time, cases[i][3] * MS);
  }
}
GST_END_TEST

GST_START_TEST (test_kept)
{
  GstArtalkPromise p = promise ();
  g_autofree char *late = NULL, *early = NULL, *less_before = NULL;

  fail_unless_equals_uint64 (p.time, 20 * MS);
  late = judge (&p, 1, 20, 1250); /* as it came */
  early = judge (&p, 2, 45, 1199);
  p.over = -15 * (GstClockTimeDiff) MS;
  less_before = judge (&p, 3, 34, 1250);
  fail_if (late || early || less_before);
  fail_unless_equals_uint64 (p.time, 20 * MS);
}
GST_END_TEST

GST_START_TEST (test_raised)
{
  GstArtalkPromise p = promise ();
  g_autofree char *first = judge (&p, 1, 21, 1201), *soon = judge (&p, 5, 50, 1230), *later = NULL;

  fail_unless (first && !soon);
  fail_unless_equals_uint64 (p.time, 30 * MS);
  p.over = 15 * MS;
  later = judge (&p, 11, 20, 1230);
  fail_unless (later && strstr (later, "5.0 ms more"), "%s", later);
  fail_unless_equals_uint64 (p.time, 40 * MS);
  fail_unless_equals_int64 (p.over, 0);
}
GST_END_TEST

/* A process that was stopped for a while is not one that needs so long. */
GST_START_TEST (test_stopped)
{
  GstArtalkPromise p = promise ();
  g_autofree char *said = judge (&p, 1, 24000, 25000);

  fail_unless (said != NULL);
  fail_unless_equals_uint64 (p.time, 2020 * MS);
}
GST_END_TEST

GST_START_TEST (test_falls_behind)
{
  GstArtalkPromise p = promise ();
  g_autofree char *first = judge (&p, 1, 15, 1190), *jump = judge (&p, 2, 15, 3000),
                  *same = judge (&p, 3, 15, 3000), *grows = judge (&p, 4, 15, 3100);

  fail_if (first || jump || same);
  fail_unless (grows && strstr (grows, "cannot keep up"), "%s", grows);
  fail_unless (p.time >= 1900 * MS);
}
GST_END_TEST

/* A window: the first one and another are held up. */
static gboolean
work (gpointer left, const float *in, float *out, const atomic_int *cancel)
{
  const int n = --*(int *) left;

  g_usleep (n == 99 || n == 95 ? 300000 : 2000);
  return n > 0;
}

GST_START_TEST (test_measured)
{
  int enough = 100, too_few = 3;
  const GstClockTime took = gst_artalk_promise_measure (work, &enough, 1, 1, NULL);

  fail_unless (took >= 2 * MS && took < 100 * MS);
  fail_unless (enough > 80);
  fail_unless_equals_uint64 (gst_artalk_promise_measure (work, &too_few, 1, 1, NULL), 0);
}
GST_END_TEST

/* Speech through both elements with promises of their own, all of it `late` on the clock; the warnings. */
static guint
run (guint64 audioenc, guint64 motion, GstClockTime late)
{
  const char *path = test_model_path (&test_model_small);
  g_autofree char *line = g_strdup_printf (
      "artalkaudioenc name=e processing-deadline=%" G_GUINT64_FORMAT
      " model=%s ! identity ! artalkmotion name=m processing-deadline=%" G_GUINT64_FORMAT
      " model=%s",
      audioenc, path, motion, path);
  const guint n = 4 * TEST_WINDOW;
  g_autofree float *speech = test_speech (n);
  GstHarness *h = test_harness_parse (line);
  g_autoptr (GstElement) e = gst_bin_get_by_name (GST_BIN (h->element), "e");
  g_autoptr (GPtrArray) all = NULL;
  guint64 time = 0;
  guint said = 0;

  gst_harness_set_live (h, TRUE);
  gst_harness_set_time (h, late);
  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  gst_harness_query_latency (h);
  test_push_speech (h, speech, n, 500);
  for (char *text; (text = test_message (h->element, GST_MESSAGE_WARNING)); g_free (text))
    said++;
  g_object_get (e, "processing-deadline", &time, NULL);
  fail_unless_equals_uint64 (time, audioenc); /* who comes last sees to it */
  all = test_finish (h);
  fail_unless_equals_int (all->len, 100);
  return said;
}

GST_START_TEST (test_sum)
{
  fail_unless_equals_int (run (1, 60 * GST_SECOND, 600 * GST_SECOND), 0);
  fail_unless_equals_int (run (60 * GST_SECOND, 1, 600 * GST_SECOND), 0);
  fail_unless_equals_int (run (1, 1, 600 * GST_SECOND), 1);
  fail_unless_equals_int (run (1, 1, 0), 0); /* all of it before its time */
}
GST_END_TEST

static Suite *
promise_suite (void)
{
  Suite *s = suite_create ("promise");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_made);
  tcase_add_test (c, test_kept);
  tcase_add_test (c, test_raised);
  tcase_add_test (c, test_stopped);
  tcase_add_test (c, test_falls_behind);
  tcase_add_test (c, test_measured);
  tcase_add_test (c, test_sum);
  return s;
}

GST_CHECK_MAIN (promise)
