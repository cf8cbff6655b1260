/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Speech to motion on a device by the clock, beside the goals for one card, and what it changes against float32 on the
 * processor:
 *
 * device-bench [--device=NAME] [--precision=f32|bf16] [--windows=N] [--streams=N] [--alone] [--batched] [MODEL]
 *
 * --streams: at most so many at once, of which more than 64 are always computed together. --alone: no comparison with the
 * processor. --batched: only what batches of 1, 4, 16, … of so many streams give; on the processor by processor time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "spoken.h"
#include "models/model_priv.h"

static const struct
{
  const char *name;
  AkPrecision precision;
  double chunk_ms; /* goals on one H100: a window of one stream, streams in real time */
  double streams;
} precisions[] = { { "f32", AK_F32, 8, 400 }, { "bf16", AK_BF16, 4, 2000 } };

#define MOST_ALONE 64 /* streams at once, each with plans of its own */
#define WAIT 5000     /* µs that a window waits for others */

typedef struct
{
  AmModel *model;
  AmBatching batching;
  unsigned windows;
  MeasureStreams *all;
  double encoder, motion; /* medians in seconds */
  GError *error;
} Stream;

/* One stream: two windows to warm up, then, when all are there, `windows` of them. */
static gpointer
stream_run (gpointer data)
{
  Stream *s = data;
  const AmModelInfo *info = am_model_info (s->model);
  size_t n = (size_t) info->before_samples + info->window_samples + info->ahead_samples;
  g_autofree float *samples = g_new (float, n);
  g_autofree float *features = g_new (float, (size_t) info->steps * info->channels);
  g_autofree float *frames = g_new (float, (size_t) info->window_frames * info->motion_dim);
  g_autofree double *encoder_times = g_new0 (double, s->windows);
  g_autofree double *motion_times = g_new0 (double, s->windows);
  g_autoptr (AmAudioEncoder) encoder =
      am_audio_encoder_new_batched (s->model, &s->batching, &s->error);
  g_autoptr (AmMotion) motion =
      encoder ? am_motion_new_batched (s->model, &s->batching, &s->error) : NULL;

  for (size_t i = 0; i < n; i++)
    samples[i] = 0.3f * sinf ((float) i * 0.05f) * sinf ((float) i * 0.0007f);
  for (unsigned i = 0; i < s->windows + 2; i++) {
    double start, middle;

    if (i == 2)
      measure_streams_ready (s->all);
    if (s->error)
      continue;
    start = measure_wall ();
    if (!am_audio_encoder_run (encoder, samples, features, NULL, &s->error))
      continue;
    middle = measure_wall ();
    if (am_motion_run (motion, features, frames, NULL, &s->error) && i >= 2) {
      encoder_times[i - 2] = middle - start;
      motion_times[i - 2] = measure_wall () - middle;
    }
  }
  measure_sort (encoder_times, s->windows);
  measure_sort (motion_times, s->windows);
  s->encoder = encoder_times[s->windows / 2];
  s->motion = motion_times[s->windows / 2];
  return NULL;
}

typedef struct
{
  double wall, processor; /* seconds for all windows */
  double encoder, motion; /* of one window of the first stream */
  double together;        /* streams in a batch of the motion model */
} Measured;

/* `n` streams at once, up to `batch` of them computed together. */
static gboolean
measure (AmModel *model, unsigned n, unsigned batch, unsigned windows, Measured *m)
{
  g_autofree Stream *streams = g_new0 (Stream, n);
  gboolean good = TRUE;
  guint64 batches[2], members[2];
  double wall, processor;
  MeasureStreams all;

  for (unsigned i = 0; i < n; i++)
    streams[i] = (Stream){ model, { batch, WAIT }, windows, &all, 0, 0, NULL };
  measure_streams_begin (&all, n, stream_run, streams, sizeof *streams);
  am_model_batch_counts (model, AM_NETWORK_MOTION, &batches[0], &members[0]);
  wall = measure_wall ();
  processor = measure_processor ();
  measure_streams_run (&all);
  m->wall = measure_wall () - wall;
  m->processor = measure_processor () - processor;
  m->encoder = streams[0].encoder;
  m->motion = streams[0].motion;
  am_model_batch_counts (model, AM_NETWORK_MOTION, &batches[1], &members[1]);
  m->together = batches[1] == batches[0]
                    ? 1
                    : (double) (members[1] - members[0]) / (double) (batches[1] - batches[0]);
  for (unsigned i = 0; i < n; i++)
    if (streams[i].error) {
      if (good)
        printf ("FAILED: %u streams, batch %u: %s\n", n, batch, streams[i].error->message);
      good = FALSE;
      g_clear_error (&streams[i].error);
    }
  return good;
}

static double
real_time (const AmModel *model, unsigned n, unsigned windows, double seconds)
{
  return n * windows / seconds * am_model_info (model)->window_frames / 25.0;
}

/* A line beside the goals. */
static gboolean
print_line (AmModel *model, unsigned n, unsigned batch, unsigned windows, size_t which)
{
  const char *name = precisions[which].name;
  double streams, window;
  Measured m;

  if (!measure (model, n, batch, windows, &m))
    return FALSE;
  streams = real_time (model, n, windows, m.wall);
  window = 1e3 * (m.encoder + m.motion);
  if (n == 1)
    printf ("| %s, one stream | encoder %.2f ms, motion %.2f ms, window %.2f ms | goal %.0f ms, "
            "%.2f of it |\n",
        name, 1e3 * m.encoder, 1e3 * m.motion, window, precisions[which].chunk_ms,
        window / precisions[which].chunk_ms);
  printf ("| %s, %u at once, %s %.1f | %.1f windows/s, %.0f streams in real time | goal %.0f, %.2f "
          "of it |\n",
      name, n, batch > 1 ? "batches of" : "alone,", m.together, n * windows / m.wall, streams,
      precisions[which].streams, streams / precisions[which].streams);
  return TRUE;
}

/* What batches give: all lines with the same number of streams. */
static gboolean
print_batches (AmModel *model, unsigned n, unsigned windows)
{
  const gboolean card = ak_device_threads (am_model_device (model)) == 0;
  double alone = 0;

  for (unsigned batch = 1; batch <= MIN (n, AM_BATCH_LIMIT); batch *= 4) {
    double streams;
    Measured m;

    if (!measure (model, n, batch, windows, &m))
      return FALSE;
    streams = real_time (model, n, windows, card ? m.wall : m.processor);
    if (batch == 1)
      alone = streams;
    printf ("%u streams, at most %u together (%.1f): %.1f streams in real time per %s (%.2f of "
            "alone)\n",
        n, batch, m.together, streams, card ? "card" : "processor", streams / alone);
  }
  return TRUE;
}

/* Against float32 on the processor, over some windows. */
static gboolean
compare (AmModel *model, const char *path, const char *name, GError **error)
{
  g_autoptr (AmModel) exact = am_model_open (path, "cpu", AK_F32, 0, error);
  g_autoptr (GArray) samples = g_array_new (FALSE, FALSE, sizeof (float));
  const AmModelInfo *info = am_model_info (model);
  Spoken a = { 0 }, b = { 0 };
  double mean, worst;
  gboolean good;

  for (unsigned i = 0; i < 4 * info->window_samples; i++) {
    float x = 0.3f * sinf ((float) i * 0.05f) * sinf ((float) i * 0.0007f);

    g_array_append_val (samples, x);
  }
  good = exact && spoken_run (&a, exact, samples, error) && spoken_run (&b, model, samples, error);
  if (good) {
    printf ("| %s against f32 on the processor | bits equal: %.2f %% from the same past, %.2f %% "
            "of %u windows | "
            "motion error %.5f of its size |\n",
        name, spoken_equal (&a, &b, a.each), spoken_equal (&a, &b, a.bits->len), 4u,
        spoken_error (&a, &b));
    if (spoken_lips (info, &a, &b, &mean, &worst))
      printf ("| %s, lips | %.4f mm mean, %.3f mm at most | limit %.1f mm |\n", name, mean, worst,
          SPOKEN_LIP_LIMIT);
  }
  spoken_clear (&a);
  spoken_clear (&b);
  return good;
}

int
main (int argc, char **argv)
{
  const char *path = NULL, *device = "cuda";
  unsigned windows = 20, most = 256;
  gboolean alone = FALSE, batched = FALSE;
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = NULL;
  size_t which = 0;

  for (int i = 1; i < argc; i++) {
    if (g_str_has_prefix (argv[i], "--device="))
      device = argv[i] + 9;
    else if (g_str_has_prefix (argv[i], "--precision="))
      which = strcmp (argv[i] + 12, "bf16") == 0;
    else if (g_str_has_prefix (argv[i], "--windows="))
      windows = (unsigned) MAX (atoi (argv[i] + 10), 1);
    else if (g_str_has_prefix (argv[i], "--streams="))
      most = (unsigned) MAX (atoi (argv[i] + 10), 1);
    else if (strcmp (argv[i], "--alone") == 0)
      alone = TRUE;
    else if (strcmp (argv[i], "--batched") == 0)
      batched = TRUE;
    else
      path = argv[i];
  }
  model = am_model_open (path, device, precisions[which].precision, 0, &error);
  if (!model) {
    printf ("SKIPPED: %s\n", error->message);
    return 77;
  }
  if (batched)
    return print_batches (model, most, windows) ? 0 : 1;
  printf ("| %s on %s | | |\n|---|---|---|\n", path ? path : "the built-in model", device);
  for (unsigned n = 1; n <= MIN (most, MOST_ALONE); n *= 4)
    if (!print_line (model, n, 1, windows, which))
      return 1;
  for (unsigned n = 4; n <= most; n *= 4)
    if (!print_line (model, n, MIN (n, AM_BATCH_LIMIT), windows, which))
      return 1;
  if (alone || compare (model, path, precisions[which].name, &error))
    return 0;
  printf ("FAILED: %s\n", error->message);
  return 1;
}
