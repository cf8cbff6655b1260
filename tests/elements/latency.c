/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Live pipelines: latency, what a machine does that cannot keep up, and that live and file runs agree. Computing goes
 * on in real time, so what a busy machine may spoil is tried several times, and the best counts. */
#include <math.h>
#include <string.h>

#include "testharness.h"

#define ATTEMPTS 6
#define LOW_WAITS                                                                                  \
  (330 * GST_MSECOND) /* of what low mode promises: source, hop, look-ahead, smoothing */
#define IDLE                                                                                       \
  (48 * GST_MSECOND) /* what it promises for computing on a machine that does nothing else */
#define ENOUGH                                                                                     \
  1.5 /* times real time, starting included; below that a live source cannot be followed */
#define LOW_LIMIT                                                                                  \
  (400 * GST_MSECOND) /* from voice to lips, everything included, with latency-mode=low */

#define IN_TIME                                                                                    \
  (240 * GST_MSECOND) /* what a sink adds to what is promised, may be late by, and a busy machine */

/* What a sink called `v` saw of a pipeline. */
typedef struct
{
  guint frames;
  GstClockTimeDiff
      oldest;            /* longest time from a frame's running time to its coming or being shown */
  GstClockTime promised; /* latency of an element called `a` at the end, if there is one */
  GArray *motion;        /* of float, may be NULL: what was in the buffers */
  gulong slower; /* microseconds that an element called `motion` takes longer for a window */
} Shown;

static void
show (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (sink);
  g_autoptr (GstEvent) event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  Shown *shown = data;
  GstMapInfo map;

  gst_event_parse_segment (event, &segment);
  if (clock) {
    const GstClockTime time =
        gst_segment_to_running_time (segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
    const GstClockTimeDiff age =
        GST_CLOCK_DIFF (time + gst_element_get_base_time (sink), gst_clock_get_time (clock));

    shown->oldest = MAX (shown->oldest, age);
  }
  shown->frames++;
  if (shown->motion) {
    fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
    g_array_append_vals (shown->motion, map.data, map.size / sizeof (float));
    gst_buffer_unmap (buffer, &map);
  }
}

/* Warnings of our elements, those among them that tell of a run that falls behind, and QoS messages. */
typedef struct
{
  guint ours, behind, qos;
} Said;

static GstPadProbeReturn
delay_window (GstPad *pad, GstPadProbeInfo *info, gpointer slower)
{
  g_usleep (*(gulong *) slower);
  return GST_PAD_PROBE_OK;
}

static void
slow_down (GstElement *pipeline, gulong *slower)
{
  g_autoptr (GstElement) motion = gst_bin_get_by_name (GST_BIN (pipeline), "motion");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (motion, "sink");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, delay_window, slower, NULL);
}

/* Plays `line`, with a sink called v, to its end. */
static void
play (const char *line, Shown *shown, Said *said)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) p =
      gst_parse_launch_full (line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  g_autoptr (GstElement) sink = NULL, a = NULL;
  g_autoptr (GstBus) bus = NULL;
  gboolean done = FALSE;

  g_assert_no_error (error);
  sink = gst_bin_get_by_name (GST_BIN (p), "v");
  bus = gst_element_get_bus (p);
  g_object_set (sink, "signal-handoffs", TRUE, NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (show), shown);
  if (shown->slower > 0)
    slow_down (p, &shown->slower);
  memset (said, 0, sizeof *said);
  fail_unless (gst_element_set_state (p, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE);
  while (!done) {
    g_autoptr (GstMessage) m = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND,
        GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_LATENCY | GST_MESSAGE_WARNING |
            GST_MESSAGE_QOS);

    fail_unless (m != NULL, "nothing happens");
    switch (GST_MESSAGE_TYPE (m)) {
      case GST_MESSAGE_ERROR:
        gst_message_parse_error (m, &error, NULL);
        g_assert_no_error (error);
        break;
      case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency (GST_BIN (p));
        break;
      case GST_MESSAGE_QOS:
        said->qos++;
        break;
      case GST_MESSAGE_WARNING:
        if (g_str_has_prefix (G_OBJECT_TYPE_NAME (GST_MESSAGE_SRC (m)), "GstArtalk")) {
          g_autoptr (GError) warning = NULL;

          gst_message_parse_warning (m, &warning, NULL);
          said->ours++;
          said->behind += strstr (warning->message, "cannot keep up") != NULL;
        }
        break;
      default:
        done = TRUE;
    }
  }
  a = gst_bin_get_by_name (GST_BIN (p), "a");
  if (a) {
    GstQuery *query = gst_query_new_latency ();
    g_autoptr (GstPad) pad = gst_element_get_static_pad (a, "src");

    if (gst_pad_query (pad, query))
      gst_query_parse_latency (query, NULL, &shown->promised, NULL);
    gst_query_unref (query);
  }
  fail_unless_equals_int (gst_element_set_state (p, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

/* The bin with the built-in model, `live` or as fast as it can. 3 s, 75 frames. */
static void
play_bin (const char *mode, gboolean live, gboolean sync, Shown *shown, Said *said)
{
  g_autofree char *line = g_strdup_printf (
      "audiotestsrc is-live=%d wave=red-noise num-buffers=300 samplesperbuffer=160 ! "
      "audio/x-raw,rate=16000 ! artalkavatar name=a latency-mode=%s ! "
      "video/x-raw,width=128,height=128 ! fakesink name=v sync=%d qos=%d max-lateness=%d",
      live, mode, sync, sync, sync ? 0 : -1);

  play (line, shown, said);
}

/* Whether this machine, as busy as it is, can follow a live source. */
static gboolean
is_fast_enough (const char *mode)
{
  Shown shown = { 0 };
  gint64 begun = g_get_monotonic_time ();
  double speed;
  Said said;

  play_bin (mode, FALSE, FALSE, &shown, &said);
  fail_unless_equals_int (shown.frames, 75);
  speed = 3 * G_USEC_PER_SEC / (double) (g_get_monotonic_time () - begun);
  if (speed < ENOUGH)
    g_print (
        "%s mode: not judged, this machine is too slow or too busy now (%.1f times real time)\n",
        mode, speed);
  return speed >= ENOUGH;
}

/* What is promised is enough, and no more than a little more than the latest frame needs: of windows that follow one
 * another that is the first which smoothing holds back, of short ones each. */
static void
check_promise (const char *mode, GstClockTime waits)
{
  gboolean good = FALSE, idle = FALSE;

  if (!is_fast_enough (mode))
    return;
  for (guint i = 0; i < ATTEMPTS && !good; i++) {
    Shown shown = { 0 };
    GstClockTimeDiff left, spare;
    Said said;

    play_bin (mode, TRUE, FALSE, &shown, &said);
    fail_unless_equals_int (shown.frames, 75);
    fail_unless (shown.promised > waits);
    spare = MAX (40 * GST_MSECOND, (shown.promised - waits) / 4);
    left = GST_CLOCK_DIFF (shown.oldest, shown.promised);
    g_print ("%s mode: %.0f ms promised, at most %.0f ms taken, %u warnings\n", mode,
        shown.promised / 1e6, shown.oldest / 1e6, said.ours);
    good = said.ours == 0 && left >= 0 && left <= spare;
    idle |= shown.promised - waits <= IDLE;
  }
  if (!good && !idle)
    g_print ("%s mode: not judged, this machine is too busy now\n", mode);
  else
    fail_unless (good);
}

GST_START_TEST (test_promise_normal)
{
  check_promise ("normal", (1000 + 160 + 160 + 10) * GST_MSECOND);
}
GST_END_TEST

GST_START_TEST (test_promise_low)
{
  check_promise ("low", LOW_WAITS);
}
GST_END_TEST

/* The built-in model in its low mode: each frame is shown within the limit of its voice, none is dropped. */
GST_START_TEST (test_low)
{
  GstClockTimeDiff best = G_MAXINT64;

  if (!is_fast_enough ("low"))
    return;
  for (guint i = 0; i < ATTEMPTS && best > (GstClockTimeDiff) LOW_LIMIT; i++) {
    Shown shown = { 0 };
    Said said;

    play_bin ("low", TRUE, TRUE, &shown, &said);
    g_print ("low mode: %u of 75 frames, at most %.0f ms after the voice, %u warnings\n",
        shown.frames, shown.oldest / 1e6, said.ours);
    if (shown.frames == 75 && shown.promised <= LOW_WAITS + IDLE)
      best = MIN (best, shown.oldest);
  }
  if (best == G_MAXINT64)
    g_print ("low mode: not judged, this machine is too busy now\n");
  else
    fail_unless (best <= (GstClockTimeDiff) LOW_LIMIT, "%.0f ms", best / 1e6);
}
GST_END_TEST

/* Motion from a live source and from one that is as fast as it can be is the same. */
GST_START_TEST (test_live_is_as_file)
{
  const char *path = test_model_path (&test_model_small);
  static const char *const settings[] = { "hop=0", "hop=80000000",
    "hop=120000000 lookahead=40000000" };

  for (guint i = 0; i < G_N_ELEMENTS (settings); i++) {
    GArray *motion[2];

    for (guint live = 0; live < 2; live++) {
      g_autofree char *line = g_strdup_printf (
          "audiotestsrc is-live=%u wave=sine freq=200 volume=0.5 num-buffers=%u "
          "samplesperbuffer=%u ! "
          "audio/x-raw,rate=16000 ! audioconvert ! artalkaudioenc %s model=%s ! queue ! "
          "artalkmotion model=%s ! artalksmooth delay=2 ! fakesink name=v sync=%u",
          live, live ? 150 : 24, live ? 160 : 1000, settings[i], path, path, live);
      Shown shown = { .motion = g_array_new (FALSE, FALSE, sizeof (float)) };
      Said said;

      play (line, &shown, &said);
      fail_unless_equals_int (shown.frames, 38);
      motion[live] = shown.motion;
    }
    fail_unless_equals_int (motion[0]->len, motion[1]->len);
    fail_unless (memcmp (motion[0]->data, motion[1]->data, motion[0]->len * sizeof (float)) == 0);
    g_array_unref (motion[0]);
    g_array_unref (motion[1]);
  }
}
GST_END_TEST

#define KEEP_UP                                                                                    \
  "audiotestsrc is-live=true num-buffers=400 samplesperbuffer=160 ! audio/x-raw,rate=16000 ! "     \
  "queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! "
#define KEEP_UP_SINK                                                                               \
  "video/x-raw,width=64,height=64 ! fakesink name=v sync=true qos=true max-lateness=20000000"

/* Plays 4 s in windows of 40 ms that take 70 ms, and more; there is one warning (in ten seconds: a busy machine takes
 * longer). */
static void
fall_behind (const char *line, Shown *shown, Said *said)
{
  const gint64 begun = g_get_monotonic_time ();
  gint64 seconds;

  shown->slower = 70000;
  play (line, shown, said);
  seconds = (g_get_monotonic_time () - begun) / G_USEC_PER_SEC;
  g_print (
      "%u of 100 frames in %d s, %u dropped, %u warnings, %u of a run that falls behind; %.0f ms "
      "promised at the end, at most %.0f ms taken\n",
      shown->frames, (int) seconds, said->qos, said->ours, said->behind, shown->promised / 1e6,
      shown->oldest / 1e6);
  fail_unless (said->ours >= 1 && said->ours <= 1 + seconds / 10);
  fail_unless (said->behind >= 1 || seconds >= 10); /* else it is what the one warning says */
}

/* A run that cannot keep up says so once, and frames that come too late are dropped. */
GST_START_TEST (test_cannot_keep_up)
{
  const char *path = test_model_path (&test_model_small);
  g_autofree char *line = g_strdup_printf (KEEP_UP
      "audioconvert ! "
      "artalkaudioenc hop=40000000 processing-deadline=50000000 model=%s ! "
      "artalkmotion name=motion processing-deadline=50000000 model=%s ! "
      "artalksmooth delay=2 ! queue ! flamemesh ! " KEEP_UP_SINK,
      path, path);
  Shown shown = { 0 };
  Said said;

  fall_behind (line, &shown, &said);
  fail_unless (said.qos > 0 && shown.frames > 0 && shown.frames < 100);
}
GST_END_TEST

/* The bin shows all pictures then, in time: a face that lives for those that come too late. */
GST_START_TEST (test_in_time_though)
{
  g_autofree char *line = g_strdup_printf (KEEP_UP
      "artalkavatar name=a model=%s audioenc::hop=40000000 "
      "audioenc::processing-deadline=50000000 motion::processing-deadline=50000000 "
      "smooth::delay=2 ! " KEEP_UP_SINK,
      test_model_path (&test_model_small));
  Shown shown = { 0 };
  Said said;

  fall_behind (line, &shown, &said);
  fail_unless (shown.frames + said.qos >= 100 && said.qos <= 10);
  fail_unless (shown.oldest <= (GstClockTimeDiff) (shown.promised + IN_TIME));
}
GST_END_TEST

/* A burst of half a second every second, silence between. */
static float *
bursts (guint n)
{
  float *samples = test_speech (n);

  for (guint i = 0; i < n; i++)
    if (i % 16000 < 8000)
      samples[i] = 0;
  return samples;
}

/* Openings of the jaw, one a frame, that the built-in model makes of `speech`. */
static float *
jaw_of (const float *speech, guint n, const char *mode, guint *frames, GArray *steps)
{
  g_autofree char *launch = g_strdup_printf ("artalkaudioenc %s ! artalkmotion", mode);
  GstHarness *h = test_harness_parse (launch);
  g_autoptr (GPtrArray) all = NULL;
  float *jaw, last[106] = { 0 };

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  test_push_speech (h, speech, n, 1000);
  all = test_finish (h);
  *frames = all->len;
  jaw = g_new (float, all->len);
  for (guint i = 0; i < all->len; i++) {
    float frame[106], sum = 0;

    gst_buffer_extract (test_buffer (all, i), 0, frame, sizeof frame);
    jaw[i] = frame[103];
    for (guint k = 0; k < 106; k++)
      sum += (frame[k] - last[k]) * (frame[k] - last[k]);
    sum = sqrtf (sum);
    if (i > 0)
      g_array_append_val (steps, sum);
    memcpy (last, frame, sizeof last);
  }
  return jaw;
}

/* Correlation of b, `lag` frames later, with a. */
static double
correlation (const float *a, const float *b, int n, int lag)
{
  double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  int m = 0;

  for (int i = MAX (0, -lag); i < n - MAX (0, lag); i++, m++) {
    const double x = a[i], y = b[i + lag];

    sa += x, sb += y, saa += x * x, sbb += y * y, sab += x * y;
  }
  return (sab - sa * sb / m) / sqrt ((saa - sa * sa / m) * (sbb - sb * sb / m));
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const float x = *(const float *) a, y = *(const float *) b;

  return (x > y) - (x < y);
}

static float
median (GArray *values)
{
  g_array_sort (values, compare);
  return g_array_index (values, float, values->len / 2);
}

/* The built-in model's lips move at the same time in both modes, to within a frame, and much alike; where windows meet
 * the face moves no further than elsewhere. */
GST_START_TEST (test_low_moves_alike)
{
  const guint n = 6 * 16000;
  g_autofree float *speech = bursts (n), *normal = NULL, *low = NULL;
  g_autoptr (GArray) steps = g_array_new (FALSE, FALSE, sizeof (float));
  g_autoptr (GArray) low_steps = g_array_new (FALSE, FALSE, sizeof (float));
  g_autoptr (GArray) seams = g_array_new (FALSE, FALSE, sizeof (float));
  guint frames, low_frames;
  int best = -3;

  normal = jaw_of (speech, n, "", &frames, steps);
  low = jaw_of (speech, n, "hop=-1", &low_frames, low_steps);
  fail_unless_equals_int (frames, 150);
  fail_unless_equals_int (low_frames, 150);
  for (int lag = -3; lag <= 3; lag++)
    if (correlation (normal, low, (int) frames, lag) >
        correlation (normal, low, (int) frames, best))
      best = lag;
  g_print ("low against normal: correlation %.3f at a lag of %d frames\n",
      correlation (normal, low, (int) frames, best), best);
  fail_unless (ABS (best) <= 1);
  fail_unless (correlation (normal, low, (int) frames, best) > 0.8);

  for (guint i = 0; i < low_steps->len; i++)
    if ((i + 1) % 25 % 2 == 0) /* a hop of 2 frames begins with this step's second frame */
      g_array_append_val (seams, g_array_index (low_steps, float, i));
  g_print ("median step at seams %.4f, ", median (seams));
  g_print ("of all %.4f\n", median (low_steps));
  fail_unless (median (seams) <= median (low_steps));
}
GST_END_TEST

static Suite *
latency_suite (void)
{
  Suite *s = suite_create ("latency");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_live_is_as_file);
  tcase_add_test (c, test_low_moves_alike);
  if (!test_on_valgrind ()) { /* too slow for it */
    tcase_add_test (c, test_promise_normal);
    tcase_add_test (c, test_promise_low);
    tcase_add_test (c, test_low);
    tcase_add_test (c, test_cannot_keep_up);
    tcase_add_test (c, test_in_time_though);
  }
  return s;
}

GST_CHECK_MAIN (latency)
