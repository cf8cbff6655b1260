/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* artalkavatar where things go on without end: interruptions, sources that stop, sinks that stall, many at once. Time
 * is that of a test clock; only what comes out is looked at. */
#include <gst/app/app.h>
#include <gst/base/gstbasesink.h>
#include <string.h>

#include "testmotion.h"

#define PIECE 1600 /* samples that are pushed at once */
#define PIECE_TIME (100 * GST_MSECOND)
#define JAW_AT (100 + 3)

/* A buffer that arrived somewhere. */
typedef struct
{
  GstClockTime pts, end;
  float jaw; /* where it is motion */
} Arrival;

/* What arrived somewhere, in order; more may arrive at any time. */
typedef struct
{
  GMutex lock;
  GArray *arrivals; /* of Arrival */
} Track;

/* A pipeline with an appsrc `in`, the bin `a`, and sinks `v` and `s` that keep to a test clock. */
typedef struct
{
  GstElement *pipeline, *source, *bin;
  GstTestClock *clock;
  GThread *ticker; /* lets those go on whose time has come */
  gboolean stop;
  Track made, motion, video, sound; /* frames before artalkidle, and shown; pictures; sound */
} Stage;

static const char *
model (void)
{
  return test_model_path (&test_model_small);
}

static void
note (Track *track, GstBuffer *b)
{
  const GstClockTime pts = GST_BUFFER_PTS (b);
  Arrival a = { .pts = pts, .end = pts + GST_BUFFER_DURATION (b) };

  if (gst_buffer_get_size (b) == TEST_MOTION * sizeof a.jaw)
    gst_buffer_extract (b, JAW_AT * sizeof a.jaw, &a.jaw, sizeof a.jaw);
  g_mutex_lock (&track->lock);
  g_array_append_val (track->arrivals, a);
  g_mutex_unlock (&track->lock);
}

static void
on_handoff (GstElement *sink, GstBuffer *b, GstPad *pad, Track *track)
{
  note (track, b);
}

static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer track)
{
  note (track, GST_PAD_PROBE_INFO_BUFFER (info));
  return GST_PAD_PROBE_OK;
}

static void
track_init (Track *track)
{
  g_mutex_init (&track->lock);
  track->arrivals = g_array_new (FALSE, FALSE, sizeof (Arrival));
}

static void
track_clear (Track *track)
{
  g_array_unref (track->arrivals);
  g_mutex_clear (&track->lock);
}

static guint
track_length (Track *track)
{
  guint n;

  g_mutex_lock (&track->lock);
  n = track->arrivals->len;
  g_mutex_unlock (&track->lock);
  return n;
}

static Arrival
arrival (Track *track, guint i)
{
  Arrival a;

  g_mutex_lock (&track->lock);
  a = g_array_index (track->arrivals, Arrival, i);
  g_mutex_unlock (&track->lock);
  return a;
}

/* Follows what is shown at the fakesink `name`. */
static void
follow (GstElement *pipeline, const char *name, Track *track)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), name);

  g_object_set (sink, "signal-handoffs", TRUE, NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (on_handoff), track);
}

/* Follows the motion that reaches the child `name` of `bin`. */
static void
follow_motion (GstElement *bin, const char *name, Track *track)
{
  g_autoptr (GstElement) child = gst_bin_get_by_name (GST_BIN (bin), name);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (child, "sink");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, track, NULL);
}

/* Sound from `from` to `to`, without times if `from` is NONE. */
static void
say (Stage *stage, const float *samples, GstClockTime from, GstClockTime duration)
{
  for (GstClockTime t = 0; t < duration; t += PIECE_TIME) {
    GstBuffer *b = gst_buffer_new_memdup (samples + t / PIECE_TIME * PIECE, PIECE * sizeof (float));

    if (GST_CLOCK_TIME_IS_VALID (from)) {
      GST_BUFFER_PTS (b) = from + t;
      GST_BUFFER_DURATION (b) = PIECE_TIME;
    }
    fail_unless_equals_int (gst_app_src_push_buffer (GST_APP_SRC (stage->source), b), GST_FLOW_OK);
  }
}

static GstClockTime
now (Stage *stage)
{
  return gst_clock_get_time (GST_CLOCK (stage->clock));
}

/* When the first of those goes on that wait for the clock, or NONE. */
static GstClockTime
next_tick (Stage *stage)
{
  GstClockTime time;
  GstClockID id;

  if (!gst_test_clock_peek_next_pending_id (stage->clock, &id))
    return GST_CLOCK_TIME_NONE;
  time = gst_clock_id_get_time (id);
  gst_clock_id_unref (id);
  return time;
}

static gpointer
tick (gpointer data)
{
  Stage *stage = data;

  while (!g_atomic_int_get (&stage->stop)) {
    if (next_tick (stage) <= now (stage)) {
      GstClockID id = gst_test_clock_process_next_clock_id (stage->clock);

      if (id)
        gst_clock_id_unref (id);
    } else {
      g_usleep (200);
    }
  }
  return NULL;
}

static void
advance (Stage *stage, GstClockTime time)
{
  gst_test_clock_set_time (stage->clock, time);
}

/* When the next picture is to be shown, and a frame more: until then time can go on without leaving pictures behind. */
static GstClockTime
next_picture (Stage *stage)
{
  const guint n = track_length (&stage->video);
  g_autoptr (GstElement) sink = NULL;

  if (n == 0)
    return GST_CLOCK_TIME_NONE;
  sink = gst_bin_get_by_name (GST_BIN (stage->pipeline), "v");
  return arrival (&stage->video, n - 1).end + gst_base_sink_get_latency (GST_BASE_SINK (sink)) +
         TEST_FRAME;
}

/* Time goes on as fast as somebody waits for it and pictures are drawn, until `track` has `n` entries. */
static void
play_until (Stage *stage, Track *track, guint n)
{
  while (track_length (track) < n) {
    const GstClockTime next = next_tick (stage);

    if (GST_CLOCK_TIME_IS_VALID (next) && next > now (stage) && next <= next_picture (stage))
      advance (stage, next);
    else
      g_usleep (200); /* computing */
  }
}

/* What computing takes is promised generously: a slow moment of the machine must not move the latency. */
static void
stage_init (Stage *stage, gboolean live)
{
  g_autofree char *line = g_strdup_printf (
      "appsrc name=in is-live=%s format=time block=true max-bytes=64000 caps=\"" TEST_AUDIO_CAPS
      "\" ! artalkavatar name=a model=%s ! video/x-raw,width=16,height=16 ! "
      "fakesink name=v sync=true qos=false max-lateness=-1 async=false "
      "a.audio_src ! fakesink name=s sync=true async=false",
      live ? "true" : "false", model ());
  g_autoptr (GError) error = NULL;

  stage->pipeline = gst_parse_launch (line, &error);
  g_assert_no_error (error);
  stage->source = gst_bin_get_by_name (GST_BIN (stage->pipeline), "in");
  stage->bin = gst_bin_get_by_name (GST_BIN (stage->pipeline), "a");
  stage->clock = GST_TEST_CLOCK (gst_test_clock_new ());
  gst_pipeline_use_clock (GST_PIPELINE (stage->pipeline), GST_CLOCK (stage->clock));
  gst_child_proxy_set (GST_CHILD_PROXY (stage->bin), "audioenc::processing-deadline",
      500 * GST_MSECOND, "motion::processing-deadline", 500 * GST_MSECOND, NULL);
  track_init (&stage->made);
  track_init (&stage->motion);
  track_init (&stage->video);
  track_init (&stage->sound);
  follow (stage->pipeline, "v", &stage->video);
  follow (stage->pipeline, "s", &stage->sound);
  follow_motion (stage->bin, "idle", &stage->made);
  follow_motion (stage->bin, "renderer", &stage->motion);
  stage->stop = FALSE;
  stage->ticker = g_thread_new ("ticker", tick, stage);
  gst_element_set_state (stage->pipeline, GST_STATE_PLAYING);
}

static void
stage_clear (Stage *stage)
{
  g_autofree char *error = test_message (stage->pipeline, GST_MESSAGE_ERROR);

  fail_unless (error == NULL, "%s", error);
  gst_element_set_state (stage->pipeline, GST_STATE_NULL);
  g_atomic_int_set (&stage->stop, TRUE);
  g_thread_join (stage->ticker);
  track_clear (&stage->made);
  track_clear (&stage->motion);
  track_clear (&stage->video);
  track_clear (&stage->sound);
  gst_object_unref (stage->source);
  gst_object_unref (stage->bin);
  gst_object_unref (stage->pipeline);
  gst_object_unref (stage->clock);
}

static void
wait_until (gboolean (*met) (Stage *stage, guint n), Stage *stage, guint n)
{
  while (!met (stage, n))
    g_usleep (500);
}

/* How much waits between artalkidle and the renderer, and may. */
static void
get_level (Stage *stage, guint64 *level, guint64 *most)
{
  g_autoptr (GstElement) frames = gst_bin_get_by_name (GST_BIN (stage->bin), "frames");

  g_object_get (frames, "current-level-time", level, "max-size-time", most, NULL);
}

/* Two seconds of sound from `from` on, and the end; time stands still until they are computed, or as far as there is room. */
static void
say_and_end (Stage *stage, const float *samples, GstClockTime from)
{
  const guint made = track_length (&stage->made);
  guint64 level, most;

  say (stage, samples, from, 2 * GST_SECOND);
  gst_app_src_end_of_stream (GST_APP_SRC (stage->source));
  do {
    g_usleep (200);
    get_level (stage, &level, &most);
  } while (level < most && track_length (&stage->made) < made + 50);
}

/* Whether `n` frames of speech are there: only then may time go on, or they would come too late. */
static gboolean
is_made (Stage *stage, guint n)
{
  return track_length (&stage->made) >= n;
}

static gboolean
sound_is_played (Stage *stage, guint n)
{
  return track_length (&stage->sound) >= n;
}

static gboolean
source_is_empty (Stage *stage, guint unused)
{
  return gst_app_src_get_current_level_bytes (GST_APP_SRC (stage->source)) == 0;
}

/* Frames one after the other from 0 on. */
static void
check_frames (Track *track, guint n)
{
  const guint length = track_length (track);

  fail_unless (length >= n, "%u of %u frames", length, n);
  for (guint i = 0; i < length; i++) {
    const GstClockTime pts = arrival (track, i).pts;

    fail_unless (pts == i * TEST_FRAME, "frame %u at %" GST_TIME_FORMAT, i, GST_TIME_ARGS (pts));
  }
}

/* The largest opening of the jaw in frames of running time `from` to `to`. */
static float
jaw (Track *track, GstClockTime from, GstClockTime to)
{
  const guint length = track_length (track);
  float most = 0;

  for (guint i = 0; i < length; i++) {
    const Arrival a = arrival (track, i);

    if (a.pts >= from && a.pts < to)
      most = MAX (most, ABS (a.jaw));
  }
  return most;
}

/* The report on the bus: its fields. */
static void
get_report (Stage *stage, guint64 *time, guint64 *heard)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (stage->pipeline);
  g_autoptr (GstMessage) m = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);
  const GstStructure *s;
  guint64 samples;
  int rate;

  fail_unless (m != NULL);
  s = gst_message_get_structure (m);
  fail_unless (gst_structure_has_name (s, "artalk-interrupted"));
  fail_unless (gst_structure_get (s, "running-time", G_TYPE_UINT64, time, "heard", G_TYPE_UINT64,
      heard, "samples", G_TYPE_UINT64, &samples, "rate", G_TYPE_INT, &rate, NULL));
  fail_unless_equals_int (rate, 16000);
  fail_unless_equals_uint64 (samples, gst_util_uint64_scale (*heard, 16000, GST_SECOND));
}

/* Four seconds are said, two of them heard; then the mouth is shut, pictures go on without a hole, and nothing more of
 * the old sound comes. Returns the running time of the cut. */
static GstClockTime
interrupt_speech (Stage *stage, const float *speech, GstElement *sender, GstEventType type)
{
  guint64 time, heard;
  guint sounds, before, after;

  say (stage, speech, 0, 4 * GST_SECOND);
  wait_until (source_is_empty, stage, 0);
  wait_until (is_made, stage, 2 * 25 - 4); /* two windows, but what artalksmooth holds */
  play_until (stage, &stage->video, 50);
  before = track_length (&stage->video);
  wait_until (sound_is_played, stage,
      (guint) (49 * TEST_FRAME / PIECE_TIME)); /* to the last frame's time */
  fail_unless (
      gst_element_send_event (sender, test_interruption (type, GST_CLOCK_TIME_NONE, FALSE)));
  get_report (stage, &time, &heard);
  sounds = track_length (&stage->sound);
  after = track_length (&stage->video);
  fail_unless (time >= before * TEST_FRAME && time <= (after + 3) * TEST_FRAME,
      "cut at %" GST_TIME_FORMAT, GST_TIME_ARGS (time));
  fail_unless (heard >= (before - 1) * TEST_FRAME && heard <= time, "heard %" GST_TIME_FORMAT,
      GST_TIME_ARGS (heard));
  play_until (stage, &stage->video, after + 25);
  check_frames (&stage->video, after + 25);
  fail_unless (jaw (&stage->motion, 0, time) > 0.01f);
  fail_unless (jaw (&stage->motion, time + TEST_FRAME, GST_CLOCK_TIME_NONE) == 0);
  fail_unless (
      track_length (&stage->sound) <= sounds + 1, "old sound goes on"); /* what the sink had */
  return time;
}

static void
check_interruption (gboolean live, gboolean to_pipeline, GstEventType type)
{
  g_autofree float *speech = test_speech (10 * TEST_WINDOW);
  Stage stage;
  guint sounds;

  stage_init (&stage, live);
  interrupt_speech (&stage, speech, to_pipeline ? stage.pipeline : stage.bin, type);
  sounds = track_length (&stage.sound);
  say_and_end (&stage, speech, 6 * GST_SECOND);
  play_until (&stage, &stage.video, 200);
  play_until (&stage, &stage.sound, sounds + 20);
  check_frames (&stage.video, 200);
  fail_unless (jaw (&stage.motion, 6 * GST_SECOND, 8 * GST_SECOND) > 0.01f);
  fail_unless (jaw (&stage.motion, 3 * GST_SECOND, 6 * GST_SECOND) == 0);
  if (arrival (&stage.sound, sounds).pts < 6 * GST_SECOND)
    sounds++; /* what the sink had */
  fail_unless_equals_uint64 (arrival (&stage.sound, sounds).pts, 6 * GST_SECOND);
  stage_clear (&stage);
}

GST_START_TEST (test_interrupt)
{
  check_interruption (FALSE, FALSE, GST_EVENT_CUSTOM_DOWNSTREAM_OOB);
}
GST_END_TEST

GST_START_TEST (test_interrupt_live)
{
  check_interruption (TRUE, FALSE, GST_EVENT_CUSTOM_DOWNSTREAM_OOB);
}
GST_END_TEST

/* From the source, and from both sinks at once. */
GST_START_TEST (test_interrupt_from_outside)
{
  check_interruption (TRUE, TRUE, GST_EVENT_CUSTOM_DOWNSTREAM_OOB);
  check_interruption (TRUE, TRUE, GST_EVENT_CUSTOM_UPSTREAM);
}
GST_END_TEST

/* Nothing comes for half a minute, and then somebody speaks again. */
GST_START_TEST (test_source_stops)
{
  g_autofree float *speech = test_speech (10 * TEST_WINDOW);
  GstClockTime again;
  Stage stage;

  stage_init (&stage, TRUE);
  say (&stage, speech, 0, 2 * GST_SECOND);
  wait_until (is_made, &stage, 25 - 4);
  play_until (&stage, &stage.video, 750);
  again = (now (&stage) / GST_SECOND + 1) * GST_SECOND;
  say_and_end (&stage, speech, again);
  play_until (&stage, &stage.video, again / TEST_FRAME + 50);
  play_until (&stage, &stage.sound, 40);
  check_frames (&stage.video, again / TEST_FRAME + 50);
  fail_unless (jaw (&stage.motion, 0, 2 * GST_SECOND) > 0.01f);
  fail_unless (jaw (&stage.motion, 3 * GST_SECOND, again) == 0);
  fail_unless (jaw (&stage.motion, again, again + 2 * GST_SECOND) > 0.01f);
  fail_unless_equals_uint64 (arrival (&stage.sound, 20).pts, again);
  stage_clear (&stage);
}
GST_END_TEST

/* A face before the first sound: it lives, and then it speaks. */
GST_START_TEST (test_first_life)
{
  g_autofree float *speech = test_speech (10 * TEST_WINDOW);
  GstClockTime first, start;
  Stage stage;

  stage_init (&stage, TRUE);
  play_until (&stage, &stage.video, 100);
  start = (now (&stage) / TEST_FRAME + 1) * TEST_FRAME;
  say_and_end (&stage, speech, start);
  first = arrival (&stage.video, 0).pts;
  play_until (&stage, &stage.video, (start - first) / TEST_FRAME + 50);
  play_until (&stage, &stage.sound, 20);
  for (guint i = 1; i < track_length (&stage.video); i++) /* the speech's grid is another */
    fail_unless (ABS (GST_CLOCK_DIFF (arrival (&stage.video, i - 1).end,
                     arrival (&stage.video, i).pts)) <= (gint64) TEST_FRAME / 2);
  fail_unless (jaw (&stage.motion, 0, start) == 0);
  fail_unless (jaw (&stage.motion, start, start + 2 * GST_SECOND) > 0.01f);
  stage_clear (&stage);
}
GST_END_TEST

static GstClockTime
latency (Stage *stage)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min;

  fail_unless (gst_element_query (stage->pipeline, query));
  gst_query_parse_latency (query, NULL, &min, NULL);
  gst_query_unref (query);
  return min;
}

/* Sound that comes in bursts, up to 0.7 s late: each frame once, in order and in time, to the end of the sound. */
GST_START_TEST (test_jitter)
{
  g_autofree float *speech = test_speech (10 * TEST_WINDOW);
  GstClockTime delay;
  guint pushed = 0;
  Stage stage;

  stage_init (&stage, TRUE);
  delay = latency (&stage) + TEST_FRAME / 2;
  while (gst_test_clock_peek_id_count (stage.clock) == 0)
    g_usleep (200); /* artalkidle is ready */
  for (guint i = 1; i <= 100; i++) {
    if (i % 9 >= 7 || i == 100) {
      say (&stage, speech + pushed * PIECE, pushed * PIECE_TIME, (i - pushed) * PIECE_TIME);
      pushed = i;
    }
    advance (&stage, i * PIECE_TIME);
    while (
        now (&stage) > delay && track_length (&stage.video) <= (now (&stage) - delay) / TEST_FRAME)
      g_usleep (200); /* what has to be shown is shown before time goes on */
  }
  gst_app_src_end_of_stream (GST_APP_SRC (stage.source));
  play_until (&stage, &stage.video, 250);
  play_until (&stage, &stage.sound, 100);
  check_frames (&stage.video, 250);
  fail_unless_equals_int (track_length (&stage.video), 250);
  for (guint i = 0; i < 100; i++)
    fail_unless_equals_uint64 (arrival (&stage.sound, i).pts, i * PIECE_TIME);
  stage_clear (&stage);
}
GST_END_TEST

/* Somebody who pushes silence without end. */
typedef struct
{
  Stage *stage;
  int accepted; /* pieces */
  gboolean stop;
} Silence;

static gpointer
push_silence (gpointer data)
{
  Silence *silence = data;
  GstFlowReturn flow = GST_FLOW_OK;

  for (guint i = 0; flow == GST_FLOW_OK && !g_atomic_int_get (&silence->stop); i++) {
    GstBuffer *b =
        gst_buffer_new_wrapped (g_malloc0 (PIECE * sizeof (float)), PIECE * sizeof (float));

    GST_BUFFER_PTS (b) = i * PIECE_TIME;
    GST_BUFFER_DURATION (b) = PIECE_TIME;
    flow = gst_app_src_push_buffer (GST_APP_SRC (silence->stage->source), b);
    g_atomic_int_inc (&silence->accepted);
  }
  return NULL;
}

#define LEAD 80 /* pieces, 8 s: all queues, the source's own and a window */

static GstPadProbeReturn
stall (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_PAD_PROBE_OK; /* the pad stays blocked */
}

static gboolean
source_is_full (Stage *stage, guint unused)
{
  return gst_app_src_get_current_level_bytes (GST_APP_SRC (stage->source)) >=
         gst_app_src_get_max_bytes (GST_APP_SRC (stage->source));
}

/* What is not shown is not taken; afterwards all goes on, and speech is shown as soon as it can be. */
static void
check_bounds (gboolean live)
{
  g_autofree float *speech = test_speech (10 * TEST_WINDOW);
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstPad) pad = NULL;
  guint64 time, heard, level, most;
  Silence silence = { 0 };
  GstClockTime again;
  GThread *thread;
  gulong probe;
  Stage stage;
  int taken;

  stage_init (&stage, live);
  silence.stage = &stage;
  thread = g_thread_new ("silence", push_silence, &silence);
  for (guint n = 25; n <= 500; n += 25) {
    play_until (&stage, &stage.video, n);
    taken = g_atomic_int_get (&silence.accepted);
    fail_unless (taken <= (int) (n * TEST_FRAME / PIECE_TIME) + LEAD, "%d after %u", taken, n);
  }

  sink = gst_bin_get_by_name (GST_BIN (stage.pipeline), "v");
  pad = gst_element_get_static_pad (sink, "sink");
  probe = gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, stall, NULL, NULL);
  for (guint i = 0; i < 60; i++) { /* time passes, in which more could be taken */
    advance (&stage, now (&stage) + GST_SECOND);
    wait_until (source_is_full, &stage, 0);
    g_usleep (500);
  }
  taken = g_atomic_int_get (&silence.accepted);
  fail_unless (taken <= 200 + LEAD, "%d while nothing is shown", taken);
  get_level (&stage, &level, &most);
  fail_unless (level <= most + TEST_FRAME);
  gst_pad_remove_probe (pad, probe);

  g_atomic_int_set (&silence.stop, TRUE);
  /* what was missed in a live pipeline is made up for */
  play_until (&stage, &stage.video, live ? now (&stage) / TEST_FRAME - 50 : 500 + 50);
  g_thread_join (thread);
  while (!source_is_empty (&stage, 0))
    play_until (&stage, &stage.video, track_length (&stage.video) + 1);
  fail_unless (gst_element_send_event (
      stage.bin, test_interruption (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, GST_CLOCK_TIME_NONE, FALSE)));
  get_report (&stage, &time, &heard);
  play_until (&stage, &stage.video, now (&stage) / TEST_FRAME - 50); /* life is in step again */
  again = (now (&stage) / GST_SECOND + 1) * GST_SECOND;
  say_and_end (&stage, speech, again);
  play_until (&stage, &stage.video, again / TEST_FRAME + 50);
  check_frames (&stage.video, again / TEST_FRAME + 50);
  fail_unless (jaw (&stage.motion, again, GST_CLOCK_TIME_NONE) > 0.01f);
  stage_clear (&stage);
}

GST_START_TEST (test_bounds)
{
  check_bounds (FALSE);
}
GST_END_TEST

GST_START_TEST (test_bounds_live)
{
  check_bounds (TRUE);
}
GST_END_TEST

#define BINS 8

static const char *const waves[4] = { "sine", "square", "saw", "triangle" };

static GstPadProbeReturn
add_up (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstBuffer *b = GST_PAD_PROBE_INFO_BUFFER (info);
  GChecksum *sum = data;
  GstMapInfo map;

  gst_buffer_map (b, &map, GST_MAP_READ);
  g_checksum_update (sum, map.data, map.size);
  g_checksum_update (sum, (const guchar *) &GST_BUFFER_PTS (b), sizeof (GstClockTime));
  gst_buffer_unmap (b, &map);
  return GST_PAD_PROBE_OK;
}

/* Plays bins `first` to `end` in one pipeline, live or not, and adds up the motion of each. */
static void
play_bins (guint first, guint end, gboolean live, GChecksum **sums, Track *video, Track *sound)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new (NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) m = NULL;

  for (guint i = first; i < end; i++) {
    g_autofree char *line = g_strdup_printf (
        "audiotestsrc is-live=%s wave=%s freq=%u samplesperbuffer=1600 num-buffers=30 ! "
        "audio/x-raw,rate=16000 ! artalkavatar name=a model=%s seed=%u ! "
        "video/x-raw,width=16,height=16 ! fakesink name=v sync=%s qos=false max-lateness=-1 "
        "a.audio_src ! fakesink name=s sync=%s",
        live ? "true" : "false", waves[i % 4], 200 + 50 * i, model (), i, live ? "true" : "false",
        live ? "true" : "false");
    GstElement *one = gst_parse_bin_from_description (line, FALSE, NULL);
    g_autoptr (GstElement) bin = gst_bin_get_by_name (GST_BIN (one), "a");
    g_autoptr (GstElement) renderer = gst_bin_get_by_name (GST_BIN (bin), "renderer");
    g_autoptr (GstPad) pad = gst_element_get_static_pad (renderer, "sink");

    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, add_up, sums[i], NULL);
    track_init (&video[i]);
    track_init (&sound[i]);
    follow (one, "v", &video[i]);
    follow (one, "s", &sound[i]);
    gst_bin_add (GST_BIN (pipeline), one);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  do {
    g_clear_pointer (&m, gst_message_unref);
    m = gst_bus_timed_pop_filtered (
        bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_LATENCY);
    if (GST_MESSAGE_TYPE (m) == GST_MESSAGE_LATENCY)
      gst_bin_recalculate_latency (GST_BIN (pipeline));
  } while (GST_MESSAGE_TYPE (m) == GST_MESSAGE_LATENCY);
  fail_unless_equals_int (GST_MESSAGE_TYPE (m), GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  for (guint i = first; i < end; i++) {
    const guint frames = track_length (&video[i]);

    if (live) /* a face whose end has not been computed yet lives on */
      fail_unless (frames >= 75, "%u frames", frames);
    else
      fail_unless_equals_int (frames, 75);
    for (guint k = 1; k < frames; k++)
      fail_unless_equals_uint64 (arrival (&video[i], k).pts, arrival (&video[i], k - 1).end);
    fail_unless_equals_int (track_length (&sound[i]), 30);
    fail_unless_equals_uint64 (arrival (&sound[i], 29).end, arrival (&video[i], 74).end);
    track_clear (&video[i]);
    track_clear (&sound[i]);
  }
}

/* Eight heads in one process: each moves as it does alone, with its own sound. */
GST_START_TEST (test_eight)
{
  GChecksum *alone[BINS], *together[BINS];
  Track video[BINS], sound[BINS];

  for (guint i = 0; i < BINS; i++) {
    alone[i] = g_checksum_new (G_CHECKSUM_SHA1);
    together[i] = g_checksum_new (G_CHECKSUM_SHA1);
  }
  for (guint i = 0; i < BINS; i += 3)
    play_bins (i, i + 1, FALSE, alone, video, sound);
  play_bins (0, BINS, FALSE, together, video, sound);
  for (guint i = 0; i < BINS; i++) {
    const char *sum = g_checksum_get_string (together[i]);

    if (i % 3 == 0)
      fail_unless_equals_string (g_checksum_get_string (alone[i]), sum);
    for (guint k = 0; k < i; k++)
      fail_if (g_str_equal (sum, g_checksum_get_string (together[k])));
  }
  /* and live, where a busy machine may make some frames late, but none goes missing */
  for (guint i = 0; i < BINS; i++)
    g_checksum_reset (together[i]);
  play_bins (0, BINS, TRUE, together, video, sound);
  for (guint i = 0; i < BINS; i++) {
    g_checksum_free (alone[i]);
    g_checksum_free (together[i]);
  }
}
GST_END_TEST

static Suite *
endless_suite (void)
{
  Suite *s = suite_create ("endless");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_interrupt);
  tcase_add_test (c, test_interrupt_live);
  tcase_add_test (c, test_interrupt_from_outside);
  tcase_add_test (c, test_source_stops);
  tcase_add_test (c, test_first_life);
  tcase_add_test (c, test_jitter);
  tcase_add_test (c, test_bounds);
  tcase_add_test (c, test_bounds_live);
  tcase_add_test (c, test_eight);
  return s;
}

GST_CHECK_MAIN (endless)
