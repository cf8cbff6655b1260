/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Days of talk, and what they cost:
 *   endurance simulated HOURS [CSV]         as fast as it goes, a tiny model: memory, descriptors, threads, offsets
 *   endurance live MINUTES SPEECH [CSV [HEADS [PROPERTIES]]]   the built-in model from live sources to sinks that keep
 *                                           to the clock; HEADS bins at once, each with PROPERTIES, in other places of
 *                                           the speech
 * A line a simulated ten minutes or a second goes to CSV. Fails if memory, descriptors or threads grow, if sound and
 * pictures drift apart by 1 ms in an hour or more, or if a frame goes missing (in simulated time: live, frames may be
 * late on a busy machine). */
#define _GNU_SOURCE
#include <gst/app/app.h>
#include <gst/gst.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/elements/testmodel.h"

#define RATE 16000
#define FRAME_TIME (40 * GST_MSECOND)
#define PIECE 640 /* samples pushed at once: a frame, so that restarts keep to the grid of frames */
#define PIECE_TIME FRAME_TIME
#define CAPS "audio/x-raw,format=F32LE,rate=16000,channels=1,layout=interleaved"
#define LIVE_PIECE 320 /* 20 ms */

/* What arrives at a sink. */
typedef struct
{
  GMutex lock;
  guint64 count;      /* buffers */
  GstClockTime first; /* running time of the first one */
  GstClockTime end;   /* and of the end of the last one */
  GstClockTime held;  /* sum of their durations */
  gint64 worst;       /* largest offset of `held` from the time that has passed */
  gint64 late, later; /* lateness on the clock: of the last one, the worst since it was asked for */
} Arrivals;

typedef struct
{
  double rss; /* MB */
  guint descriptors, threads;
} Use;

static FILE *csv;

/* Measuring */

static guint
count_entries (const char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (dir && g_dir_read_name (dir))
    n++;
  if (dir)
    g_dir_close (dir);
  return n;
}

static Use
use_now (void)
{
  g_autofree char *text = NULL;
  Use use = { 0 };
  long pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    sscanf (text, "%*d %ld", &pages);
  use.rss = (double) pages * (double) sysconf (_SC_PAGESIZE) / 1048576;
  use.descriptors = count_entries ("/proc/self/fd");
  use.threads = count_entries ("/proc/self/task");
  return use;
}

static void
arrive (GstElement *sink, GstBuffer *buffer, GstPad *pad, Arrivals *a)
{
  g_autoptr (GstEvent) event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  g_autoptr (GstClock) clock = gst_element_get_clock (sink);
  const GstSegment *segment;
  GstClockTime time, length = GST_BUFFER_DURATION (buffer);
  gint64 off;

  gst_event_parse_segment (event, &segment);
  time = gst_segment_to_running_time (segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  g_mutex_lock (&a->lock);
  if (a->count++ == 0)
    a->first = a->end = time;
  a->held += length;
  a->end = time + length;
  off = (gint64) a->held - (gint64) (a->end - a->first);
  if (ABS (off) > ABS (a->worst))
    a->worst = off;
  if (clock) {
    a->late = GST_CLOCK_DIFF (
        gst_element_get_base_time (sink) + time + gst_base_sink_get_latency (GST_BASE_SINK (sink)),
        gst_clock_get_time (clock));
    a->later = MAX (a->later, a->late);
  }
  g_mutex_unlock (&a->lock);
}

static void
watch (GstElement *pipeline, const char *name, Arrivals *a)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), name);

  memset (a, 0, sizeof *a);
  a->later = G_MININT64 / 2;
  g_mutex_init (&a->lock);
  g_object_set (sink, "signal-handoffs", TRUE, NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (arrive), a);
}

static GstElement *
parse (const char *line)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch_full (line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);

  if (!pipeline)
    g_error ("%s", error->message);
  return pipeline;
}

/* Ends the program at an error; sees to the latency. */
static gboolean
poll_bus (GstElement *pipeline, GstClockTime timeout)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) m = gst_bus_timed_pop_filtered (bus, timeout,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_LATENCY | GST_MESSAGE_WARNING);
  g_autoptr (GError) error = NULL;

  if (!m)
    return FALSE;
  if (GST_MESSAGE_TYPE (m) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (m, &error, NULL);
    g_error ("%s", error->message);
  }
  if (GST_MESSAGE_TYPE (m) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning (m, &error, NULL);
    g_print ("warning: %s\n", error->message);
  }
  if (GST_MESSAGE_TYPE (m) == GST_MESSAGE_LATENCY)
    gst_bin_recalculate_latency (GST_BIN (pipeline));
  return GST_MESSAGE_TYPE (m) == GST_MESSAGE_EOS;
}

static void
push (GstElement *source, const float *samples, guint n, GstClockTime pts)
{
  GstBuffer *buffer = gst_buffer_new_memdup (samples, n * sizeof (float));

  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = gst_util_uint64_scale (n, GST_SECOND, RATE);
  gst_app_src_push_buffer (GST_APP_SRC (source), buffer);
}

/* Simulated time */

/* The 40 ms that follow `time`: syllables, twenty seconds of silence a minute. */
static void
talk (GstClockTime time, float *samples)
{
  static guint32 noise = 1;
  const double start = (double) time / GST_SECOND;

  for (guint i = 0; i < PIECE; i++) {
    const double t = start + (double) i / RATE;
    const double loud = fmod (t, 60) < 40 && fmod (t, 2) < 1.6 ? sin (G_PI * fmod (t * 4, 1)) : 0;

    noise = noise * 1664525 + 1013904223;
    samples[i] = (float) (0.3 * loud * (sin (2 * G_PI * 140 * t) + 0.5 * sin (2 * G_PI * 710 * t)) +
                          0.002 * ((noise >> 16) / 32768.0 - 1));
  }
}

typedef struct
{
  GstElement *source, *bin;
  GstClockTime total;
} Talker;

/* Speaks for the whole time; every ten minutes for three seconds nothing comes, every seven it is interrupted. */
static gpointer
speak (gpointer data)
{
  Talker *talker = data;
  float samples[PIECE];

  for (GstClockTime t = 0; t < talker->total; t += PIECE_TIME) {
    if (t > 0 && t % (7 * 60 * GST_SECOND) == 0)
      gst_element_send_event (talker->bin, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_OOB,
                                               gst_structure_new_empty ("artalk-interrupt")));
    if (t % (600 * GST_SECOND) >= 3 * GST_SECOND || t < 600 * GST_SECOND) {
      talk (t, samples);
      push (talker->source, samples, PIECE, t);
    }
  }
  gst_app_src_end_of_stream (GST_APP_SRC (talker->source));
  return NULL;
}

static int
simulate (double hours)
{
  g_autofree char *line =
      g_strdup_printf ("appsrc name=in format=time block=true max-bytes=320000 caps=\"" CAPS
                       "\" ! artalkavatar name=a model=%s ! model/x-mesh ! "
                       "fakesink name=v sync=false a.audio_src ! fakesink name=s sync=false",
          test_model_path (&test_model_small));
  g_autoptr (GstElement) pipeline = parse (line);
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (pipeline), "in");
  g_autoptr (GstElement) bin = gst_bin_get_by_name (GST_BIN (pipeline), "a");
  const GstClockTime step = 600 * GST_SECOND, total = (GstClockTime) (hours * 3600) * GST_SECOND;
  Talker talker = { source, bin, total };
  Use first = { 0 }, now = { 0 };
  Arrivals video, sound;
  GstClockTime next = step;
  GThread *thread;
  gboolean done = FALSE;
  int failures = 0;
  double drift;

  watch (pipeline, "v", &video);
  watch (pipeline, "s", &sound);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  thread = g_thread_new ("speak", speak, &talker);
  while (!done) {
    GstClockTime end;

    done = poll_bus (pipeline, 20 * GST_MSECOND);
    g_mutex_lock (&video.lock);
    end = video.end;
    g_mutex_unlock (&video.lock);
    if (end < next)
      continue;
    next += step;
    now = use_now ();
    if (first.threads == 0)
      first = now; /* after ten minutes all that is made once is there */
    if (csv)
      fprintf (csv, "%.4f,%.2f,%u,%u,%.6f\n", (double) end / (3600.0 * GST_SECOND), now.rss,
          now.descriptors, now.threads, (double) video.worst / GST_MSECOND);
    if (csv)
      fflush (csv);
  }
  g_thread_join (thread);
  drift = (double) ABS ((gint64) video.end - (gint64) sound.end) / GST_MSECOND / hours;
  g_print ("%.1f hours: %" G_GUINT64_FORMAT " frames, offset %.4f ms an hour; memory %.1f to %.1f "
           "MB, descriptors %u to %u, threads %u to %u\n",
      hours, video.count, drift, first.rss, now.rss, first.descriptors, now.descriptors,
      first.threads, now.threads);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  failures += video.count != total / FRAME_TIME;
  failures += video.worst != 0 || drift >= 1;
  failures += now.rss > first.rss * 1.05 + 2;
  failures += now.descriptors > first.descriptors || now.threads > first.threads;
  return failures;
}

/* Real time */

static GArray *
decode (const char *file)
{
  g_autofree char *line = g_strdup_printf (
      "filesrc location=%s ! decodebin ! audioconvert ! audioresample ! " CAPS " ! appsink name=s",
      file);
  g_autoptr (GstElement) pipeline = parse (line);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  GArray *samples = g_array_new (FALSE, FALSE, sizeof (float));
  GstSample *sample;

  g_object_set (sink, "sync", FALSE, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_pull_sample (GST_APP_SINK (sink)))) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);
    GstMapInfo map;

    gst_buffer_map (buffer, &map, GST_MAP_READ);
    g_array_append_vals (samples, map.data, map.size / sizeof (float));
    gst_buffer_unmap (buffer, &map);
    gst_sample_unref (sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return samples;
}

/* One bin with a source and two sinks of its own. */
typedef struct
{
  GstElement *source, *sink;
  GArray *speech;
  guint at; /* where in the speech it begins */
  GstClockTime total;
  GThread *thread;
  Arrivals video, sound;
} Head;

/* What a second was like, the worst of all heads. */
typedef struct
{
  gint64 video, sound; /* lateness */
  gint64 offset;       /* pictures against sound */
  gboolean shown;      /* by all of them */
} Second;

/* A microphone: each 20 ms come when they are over. */
static gpointer
capture (gpointer data)
{
  Head *h = data;
  g_autoptr (GstClock) clock = gst_element_get_clock (h->source);
  const GstClockTime base = gst_element_get_base_time (h->source);
  const GstClockTime piece = gst_util_uint64_scale (LIVE_PIECE, GST_SECOND, RATE);

  for (guint64 i = 0; i * piece < h->total; i++) {
    const guint at = (h->at + i * LIVE_PIECE) % (h->speech->len - LIVE_PIECE);
    GstClockID id = gst_clock_new_single_shot_id (clock, base + (i + 1) * piece);

    gst_clock_id_wait (id, NULL);
    gst_clock_id_unref (id);
    push (h->source, &g_array_index (h->speech, float, at), LIVE_PIECE, i * piece);
  }
  gst_app_src_end_of_stream (GST_APP_SRC (h->source));
  return NULL;
}

static guint64
dropped (const Head *h)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 n = 0;

  g_object_get (h->sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "dropped", &n);
  return n;
}

static void
head_init (Head *h, GstElement *pipeline, const char *properties, GArray *speech, guint at,
    GstClockTime total)
{
  g_autofree char *line =
      g_strdup_printf ("appsrc name=in is-live=true format=time caps=\"" CAPS
                       "\" ! artalkavatar name=a %s ! video/x-raw,width=256,height=256 ! "
                       "fakesink name=v sync=true qos=true max-lateness=20000000 "
                       "a.audio_src ! fakesink name=s sync=true",
          properties);
  g_autoptr (GError) error = NULL;
  GstElement *bin =
      gst_parse_bin_from_description_full (line, FALSE, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);

  if (!bin)
    g_error ("%s", error->message);
  h->source = gst_bin_get_by_name (GST_BIN (bin), "in");
  h->sink = gst_bin_get_by_name (GST_BIN (bin), "v");
  h->speech = speech;
  h->at = at;
  h->total = total;
  watch (bin, "v", &h->video);
  watch (bin, "s", &h->sound);
  gst_bin_add (GST_BIN (pipeline), bin);
}

static void
head_clear (Head *h)
{
  gst_object_unref (h->source);
  gst_object_unref (h->sink);
}

static gint64
take_worst (Arrivals *a, gint64 *last)
{
  gint64 worst;

  g_mutex_lock (&a->lock);
  worst = a->later;
  *last = a->late;
  a->later = G_MININT64 / 2;
  g_mutex_unlock (&a->lock);
  return worst;
}

static Second
take_second (Head *heads, guint n)
{
  Second second = { G_MININT64 / 2, G_MININT64 / 2, 0, TRUE };

  for (guint i = 0; i < n; i++) {
    gint64 late, sound_late;
    const gint64 video = take_worst (&heads[i].video, &late),
                 sound = take_worst (&heads[i].sound, &sound_late);

    if (video < -GST_SECOND || sound < -GST_SECOND)
      second.shown = FALSE;
    second.video = MAX (second.video, video);
    second.sound = MAX (second.sound, sound);
    if (ABS (late - sound_late) > ABS (second.offset))
      second.offset = late - sound_late;
  }
  return second;
}

static int
play_live (double minutes, const char *file, guint n, const char *properties)
{
  g_autoptr (GArray) speech = decode (file);
  g_autoptr (GstElement) pipeline = gst_pipeline_new (NULL);
  g_autofree Head *heads = g_new0 (Head, n);
  Use first = { 0 }, now = { 0 };
  gboolean done = FALSE;

  for (guint i = 0; i < n; i++)
    head_init (&heads[i], pipeline, properties, speech, i * speech->len / n,
        (GstClockTime) (minutes * 60 * GST_SECOND));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < n; i++)
    heads[i].thread = g_thread_new ("capture", capture, &heads[i]);
  for (gint64 start = g_get_monotonic_time (), second = 1; !done; second++) {
    double load = 0;
    guint64 late = 0;
    Second worst;

    while (!done && g_get_monotonic_time () < start + second * G_USEC_PER_SEC)
      done = poll_bus (pipeline, 100 * GST_MSECOND);
    now = use_now ();
    if (second == 60)
      first = now;
    worst = take_second (heads, n);
    if (!csv || !worst.shown)
      continue;
    for (guint i = 0; i < n; i++)
      late += dropped (&heads[i]);
    getloadavg (&load, 1);
    fprintf (csv, "%" G_GINT64_FORMAT ",%.2f,%u,%u,%.3f,%.3f,%.3f,%" G_GUINT64_FORMAT ",%.2f\n",
        second, now.rss, now.descriptors, now.threads, (double) worst.video / GST_MSECOND,
        (double) worst.sound / GST_MSECOND, (double) worst.offset / GST_MSECOND, late, load);
    fflush (csv);
  }
  for (guint i = 0; i < n; i++) {
    g_thread_join (heads[i].thread);
    g_print ("head %u, %g minutes: %" G_GUINT64_FORMAT " frames shown, %" G_GUINT64_FORMAT
             " too late\n",
        i + 1, minutes, heads[i].video.count, dropped (&heads[i]));
    head_clear (&heads[i]);
  }
  g_print ("memory %.1f to %.1f MB, descriptors %u to %u, threads %u to %u\n", first.rss, now.rss,
      first.descriptors, now.descriptors, first.threads, now.threads);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return minutes > 1 && (now.rss > first.rss * 1.05 + 2 || now.descriptors > first.descriptors ||
                            now.threads > first.threads);
}

int
main (int argc, char **argv)
{
  gboolean live;
  int failures;

  gst_init (&argc, &argv);
  live = argc > 1 && g_str_equal (argv[1], "live");
  if (argc < (live ? 4 : 3)) {
    g_printerr ("endurance simulated HOURS [CSV] | "
                "live MINUTES SPEECH [CSV [HEADS [PROPERTIES]]]\n");
    return 2;
  }
  if (argc > (live ? 4 : 3))
    csv = fopen (argv[live ? 4 : 3], "w");
  if (csv)
    fputs (live ? "second,rss_mb,descriptors,threads,video_late_ms,sound_late_ms,offset_ms,dropped,"
                  "load\n"
                : "hour,rss_mb,descriptors,threads,offset_ms\n",
        csv);
  failures = live ? play_live (g_ascii_strtod (argv[2], NULL), argv[3],
                        argc > 5 ? (guint) MAX (atoi (argv[5]), 1) : 1, argc > 6 ? argv[6] : "")
                  : simulate (g_ascii_strtod (argv[2], NULL));
  if (csv)
    fclose (csv);
  return failures != 0;
}
