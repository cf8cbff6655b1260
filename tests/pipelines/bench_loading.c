/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long a checkpoint of the published size takes to load from a warm cache, and how much memory it keeps:
 *   bench-loading [CHECKPOINT]
 * makes one (2 GB, removed again) unless it is named; prints "name: value unit (ratio to the limit)". Each
 * measurement is a process of its own. */
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "tests/models/published.h"

#define LIMIT_SECONDS 3.0
#define LIMIT_ABOVE 300e6 /* bytes above the weights themselves */
#define TRIES 3
#define ROOM (3ull << 30)

/* Peak of resident memory, anonymous and file pages, in bytes. */
static double
peak_memory (void)
{
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &text, NULL, NULL) ||
      (line = strstr (text, "VmHWM:")) == NULL)
    return 0;
  return (double) g_ascii_strtoull (line + strlen ("VmHWM:"), NULL, 10) * 1024;
}

static GstElement *
pipeline_new (const char *model, const char *precision)
{
  /* live and not async, so that PLAYING does not wait for a window's frames; a deadline is not measured */
  g_autofree char *line = g_strdup_printf (
      "audiotestsrc is-live=true wave=pink-noise num-buffers=4 samplesperbuffer=16000 ! "
      "audio/x-raw,format=F32LE,rate=16000,channels=1 ! "
      "artalkaudioenc precision=%s processing-deadline=1000000000 name=encoder ! "
      "artalkmotion precision=%s processing-deadline=1000000000 name=motion ! "
      "fakesink name=sink sync=false async=false",
      precision, precision);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch_full (line, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  static const char *const names[] = { "encoder", "motion" };

  if (pipeline == NULL)
    g_error ("%s", error->message);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GstElement) element = gst_bin_get_by_name (GST_BIN (pipeline), names[i]);

    g_object_set (element, "model", model, NULL);
  }
  return pipeline;
}

static void
wait_for_end (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_pipeline_get_bus (GST_PIPELINE (pipeline));
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_error ("%s", error->message);
  }
}

/* In its own process: prints seconds to PLAYING, and the peak there or after a window of each stream; 0 streams:
 * one is only loaded. */
static int
measure (const char *model, const char *precision, guint streams)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  gint64 start = g_get_monotonic_time ();
  double seconds = 0;

  for (guint i = 0; i < MAX (streams, 1); i++) {
    g_ptr_array_add (all, pipeline_new (model, precision));
    gst_element_set_state (all->pdata[i], GST_STATE_PLAYING);
    gst_element_get_state (all->pdata[i], NULL, NULL, GST_CLOCK_TIME_NONE);
    if (i == 0)
      seconds = (double) (g_get_monotonic_time () - start) / 1e6;
  }
  for (guint i = 0; i < streams; i++)
    wait_for_end (all->pdata[i]);
  printf ("%.4f %.0f\n", seconds, peak_memory ());
  for (guint i = 0; i < all->len; i++) {
    gst_element_set_state (all->pdata[i], GST_STATE_NULL);
    gst_object_unref (all->pdata[i]);
  }
  return 0;
}

static gboolean
run (const char *program, const char *model, const char *precision, const char *streams,
    double *seconds, double *bytes)
{
  const char *const argv[] = { program, "--measure", model, precision, streams, NULL };
  g_autofree char *out = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_spawn_sync (
          NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, NULL, NULL, &error) ||
      sscanf (out, "%lf %lf", seconds, bytes) != 2) {
    printf ("FAILED: %s: %s\n", precision, error ? error->message : "it did not end well");
    return FALSE;
  }
  return TRUE;
}

static int
report (const char *program, const char *model, double weights)
{
  static const char *const precisions[] = { "f32", "bf16" };
  static const char *const streams[] = { "1", "2" };
  double seconds, bytes;
  gboolean good = TRUE;

  for (gsize p = 0; p < G_N_ELEMENTS (precisions); p++) {
    double limit = weights / (p ? 2 : 1) + LIMIT_ABOVE, best = G_MAXDOUBLE;

    for (int i = 0; i < TRIES; i++) { /* the first of all also warms the cache */
      if (!run (program, model, precisions[p], "0", &seconds, &bytes))
        return 1;
      best = MIN (best, seconds);
    }
    printf ("time to PLAYING, %s: %.2f s (%.2f of the limit, %.0f)\n", precisions[p], best,
        best / LIMIT_SECONDS, LIMIT_SECONDS);
    fflush (stdout);
    for (gsize s = 0; s < G_N_ELEMENTS (streams); s++) {
      if (!run (program, model, precisions[p], streams[s], &seconds, &bytes))
        return 1;
      printf ("peak memory, %s, streams: %s: %.0f MB (%.2f of the limit, %.0f)\n", precisions[p],
          streams[s], bytes / 1e6, bytes / limit, limit / 1e6);
      fflush (stdout);
      good = good && bytes <= limit;
    }
  }
  return good ? 0 : 1; /* time depends on what else the machine does, memory does not */
}

int
main (int argc, char **argv)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  struct statvfs room;
  guint64 weights = 0;
  GStatBuf st;
  int fd, status;

  if (argc == 5 && strcmp (argv[1], "--measure") == 0) {
    gst_init (NULL, NULL);
    return measure (argv[2], argv[3], (guint) g_ascii_strtoull (argv[4], NULL, 10));
  }
  if (argc == 2) {
    if (g_stat (argv[1], &st) == 0)
      weights = (guint64) st.st_size; /* it holds little else */
    return report (argv[0], argv[1], (double) weights);
  }
  if (statvfs (g_get_tmp_dir (), &room) != 0 || room.f_bavail * room.f_frsize < ROOM) {
    printf ("SKIPPED: %s has no room for a checkpoint of 2 GB\n", g_get_tmp_dir ());
    return 77;
  }
  fd = g_file_open_tmp (NULL, &path, &error);
  if (fd < 0 || !g_close (fd, &error) || !published_write (path, "{}", &weights, &error)) {
    printf ("FAILED: %s\n", error->message);
    return 1;
  }
  status = report (argv[0], path, (double) weights);
  g_unlink (path);
  return status;
}
