/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times what a user waits for, with the built-in assets:
 *   bench SPEECH WHAT
 * prints "name: value unit (ratio to its limit)". WHAT is one of
 *   speech  sample to raw 512x512 frames, on two processors: times real time, seconds to the first frame
 *   mesh    flamemesh alone on one processor: frames per second, with and without smooth edges
 *   splat   gagsplat alone with the built-in avatar on two processors: frames per second
 *   memory  peak of the whole pipeline, from minutes of noise to an MP4 file */
#define _GNU_SOURCE
#include <gst/app/app.h>
#include <gst/gst.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#define FRAME_TIME (40 * GST_MSECOND)
#define MESH_FRAMES 2000
#define SPLAT_FRAMES 100
#define MINUTES 10

typedef struct
{
  gint64 first; /* monotonic microseconds of the first buffer, 0 before */
  guint64 buffers;
} Counter;

/* Keeps this process to `n` of the processors it may use. */
static void
limit_processors (int n)
{
  cpu_set_t allowed, few;
  int taken = 0;

  sched_getaffinity (0, sizeof allowed, &allowed);
  CPU_ZERO (&few);
  for (int i = 0; i < CPU_SETSIZE && taken < n; i++) {
    if (CPU_ISSET (i, &allowed)) {
      CPU_SET (i, &few);
      taken++;
    }
  }
  sched_setaffinity (0, sizeof few, &few);
}

static GstPadProbeReturn
count (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Counter *c = data;

  if (c->buffers++ == 0)
    c->first = g_get_monotonic_time ();
  return GST_PAD_PROBE_OK;
}

/* Runs `line` to its end; counts what reaches the element `sink`. Ends the program if that fails. */
static double
play (const char *line, const char *speech, Counter *counter)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch_full (line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  g_autoptr (GstElement) source = NULL, sink = NULL;
  g_autoptr (GstPad) pad = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;
  gint64 start;

  if (pipeline == NULL)
    g_error ("%s", error->message);
  source = gst_bin_get_by_name (GST_BIN (pipeline), "speech");
  if (source != NULL)
    g_object_set (source, "location", speech, NULL);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, count, counter, NULL);
  bus = gst_pipeline_get_bus (GST_PIPELINE (pipeline));
  start = g_get_monotonic_time ();
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message =
      gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_error ("%s", error->message);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return (double) (g_get_monotonic_time () - start) / 1e6;
}

#define ELEMENTS                                                                                   \
  "audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! queue ! "         \
  "flamemesh name=head ! video/x-raw,format=I420,width=512,height=512 "

static void
time_speech (const char *speech, gint64 program_start)
{
  Counter counter = { 0 };
  double seconds, speed;

  limit_processors (2);
  play ("filesrc name=speech ! decodebin ! " ELEMENTS "! fakesink name=sink sync=false", speech,
      &counter);
  seconds = (double) (counter.first - program_start) / 1e6;
  g_print (
      "start to first frame: %.0f ms (%.2f of the limit, 300)\n", seconds * 1e3, seconds / 0.3);
  memset (&counter, 0, sizeof counter);
  seconds = play ("filesrc name=speech ! decodebin ! " ELEMENTS "! fakesink name=sink sync=false",
      speech, &counter);
  speed = (double) counter.buffers / 25 / seconds;
  g_print ("speech to 512x512 frames, 2 processors: %.1f times real time (%.2f of the goal, 20)\n",
      speed, speed / 20);
}

/* The motion of `speech`, frame by frame. */
static GstBufferList *
record (const char *speech)
{
  GstBufferList *list = gst_buffer_list_new ();
  g_autoptr (GstElement) pipeline = gst_parse_launch (
      "filesrc name=speech ! decodebin ! audioconvert ! audioresample ! "
      "artalkaudioenc ! artalkmotion ! artalksmooth ! appsink name=sink sync=false",
      NULL);
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (pipeline), "speech");
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  GstSample *sample;

  g_object_set (source, "location", speech, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_pull_sample (GST_APP_SINK (sink))) != NULL) {
    gst_buffer_list_add (list, gst_buffer_ref (gst_sample_get_buffer (sample)));
    gst_sample_unref (sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return list;
}

/* Frames a second that `renderer` makes of `frames` frames of motion, without the first, on so many processors. */
static double
time_renderer (const char *speech, const char *renderer, guint frames, int processors)
{
  GstBufferList *motion = record (speech);
  g_autofree char *line = g_strdup_printf (
      "appsrc name=motion format=time max-buffers=%u max-bytes=0 "
      "caps=\"motion/x-flame,format=F32LE,expression=100,pose=6,basis=arkit-1,framerate=25/1\" ! "
      "%s ! video/x-raw,format=I420,width=512,height=512 ! fakesink name=sink sync=false",
      frames + 1, renderer);
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, NULL);
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (pipeline), "motion");
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstBus) bus = gst_pipeline_get_bus (GST_PIPELINE (pipeline));
  g_autoptr (GstMessage) message = NULL;
  Counter counter = { 0 };
  double speed;

  limit_processors (processors);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, count, &counter, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < frames; i++) {
    GstBuffer *frame =
        gst_buffer_copy (gst_buffer_list_get (motion, i % gst_buffer_list_length (motion)));
    GST_BUFFER_PTS (frame) = i * FRAME_TIME;
    GST_BUFFER_OFFSET (frame) = i;
    gst_app_src_push_buffer (GST_APP_SRC (source), frame);
  }
  gst_app_src_end_of_stream (GST_APP_SRC (source));
  message =
      gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  speed =
      (double) (counter.buffers - 1) / ((double) (g_get_monotonic_time () - counter.first) / 1e6);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_buffer_list_unref (motion);
  return speed;
}

static void
time_mesh (const char *speech, gboolean antialias)
{
  const char *renderer = antialias ? "flamemesh antialias=true" : "flamemesh antialias=false";
  double limit = antialias ? 800 : 1000, speed = time_renderer (speech, renderer, MESH_FRAMES, 1);

  g_print ("flamemesh 512x512, 1 processor, %s edges: %.0f frames/s (%.2f of the goal, %.0f)\n",
      antialias ? "smooth" : "plain", speed, speed / limit, limit);
}

static void
time_splat (const char *speech)
{
  double speed = time_renderer (speech, "gagsplat", SPLAT_FRAMES, 2);

  g_print (
      "gagsplat 512x512, built-in avatar, 2 processors: %.1f frames/s (%.2f of the goal, 25)\n",
      speed, speed / 25);
}

static void
measure_memory (void)
{
  Counter counter = { 0 };
  struct rusage use;
  double peak;
  g_autofree char *line = g_strdup_printf (
      "audiotestsrc wave=red-noise samplesperbuffer=1600 num-buffers=%d ! "
      "audio/x-raw,rate=16000,channels=1 ! "
      "tee name=t t. ! queue ! " ELEMENTS
      "! queue max-size-buffers=4 ! x264enc speed-preset=veryfast ! "
      "h264parse ! mp4mux name=m ! filesink name=sink location=/dev/null "
      "t. ! queue max-size-time=12000000000 max-size-bytes=0 max-size-buffers=0 ! audioconvert ! "
      "audioresample ! audio/x-raw,rate=48000 ! avenc_aac ! m.",
      MINUTES * 600);

  play (line, NULL, &counter);
  getrusage (RUSAGE_SELF, &use);
  peak = (double) use.ru_maxrss / 1024;
  g_print ("peak memory, %d minutes to MP4: %.0f MB (%.2f of the limit, 250)\n", MINUTES, peak,
      peak / 250);
}

int
main (int argc, char **argv)
{
  gint64 start = g_get_monotonic_time ();

  gst_init (&argc, &argv);
  if (argc != 3)
    return 2;
  if (strcmp (argv[2], "speech") == 0) {
    time_speech (argv[1], start);
  } else if (strcmp (argv[2], "mesh") == 0) {
    time_mesh (argv[1], TRUE);
    time_mesh (argv[1], FALSE);
  } else if (strcmp (argv[2], "splat") == 0) {
    time_splat (argv[1]);
  } else {
    measure_memory ();
  }
  return 0;
}
