/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time of the StyleUNet's stages, against what their multiply-adds, as published, take at the speed of
 * the fastest of large products in the same run, oneDNN's and the device's own. It is processor time,
 * so that other programs disturb it little; elapsed time is printed too. Weights are random, of the
 * sizes of the published network, or those of a checkpoint.
 *
 * styleunet-bench [--device=NAME] [--threads=N] [--frames=N] [CHECKPOINT [PREFIX]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "models/styleunet.h"
#include "styleunet_synth.h"
#include "synth.h"

/* Seconds of this process on all processors, per thread. */
static double
now (unsigned threads)
{
  return measure_processor () / threads;
}

/* Multiply-adds per such second of a product of `rows` x n x n. */
static double
product_speed (AkDevice *dev, size_t rows, size_t n)
{
  return ak_device_threads (dev) * measure_product (dev, rows, n);
}

typedef struct
{
  char name[32];
  AkPlan *plan;
  double multiplies, best;
} Stage;

typedef struct
{
  AkDevice *dev;
  GArray *stages;
} Bench;

static AkPlan *
next_stage (void *data, const char *name, double multiplies)
{
  Bench *b = data;
  Stage s = { .plan = ak_plan_new (b->dev), .multiplies = multiplies, .best = 1e9 };

  g_strlcpy (s.name, name, sizeof s.name);
  g_array_append_val (b->stages, s);
  return s.plan;
}

static void
report (const Bench *b, unsigned threads, double speed, double elapsed)
{
  double sum = 0, multiplies = 0;

  for (guint i = 0; i < b->stages->len; i++) {
    const Stage *s = &g_array_index (b->stages, Stage, i);

    sum += s->best;
    multiplies += s->multiplies;
    printf ("%-12s %8.2f ms, limit %7.2f, ratio %.2f\n", s->name, 1e3 * s->best,
        1e3 * s->multiplies / speed, s->best * speed / s->multiplies);
  }
  printf ("the fastest large product, %u threads: %.1f G multiply-adds/s\n", threads, 1e-9 * speed);
  printf ("picture: %.1f ms (elapsed, at best: %.1f), %.1f G multiply-adds, limit %.1f ms, ratio "
          "%.2f\n",
      1e3 * sum, 1e3 * elapsed, 1e-9 * multiplies, 1e3 * multiplies / speed,
      sum * speed / multiplies);
}

int
main (int argc, char **argv)
{
  const char *path = NULL, *prefix = NULL, *device = "cpu";
  unsigned threads = 2, frames = 4;
  g_autoptr (GArray) stages = g_array_new (FALSE, TRUE, sizeof (Stage));
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) weights = NULL;
  g_autoptr (AmPart) part = NULL;
  g_autoptr (AmStyleunet) w = NULL;
  Bench b = { .stages = stages };
  AkDevice *onednn;
  AkQueue *queue;
  AkStatus status;
  double speed, elapsed = 1e9;
  size_t n;
  float *x, *y;

  for (int i = 1; i < argc; i++) {
    if (g_str_has_prefix (argv[i], "--device="))
      device = argv[i] + 9;
    else if (g_str_has_prefix (argv[i], "--threads="))
      threads = (unsigned) MAX (atoi (argv[i] + 10), 1);
    else if (g_str_has_prefix (argv[i], "--frames="))
      frames = (unsigned) MAX (atoi (argv[i] + 9), 1);
    else if (!path)
      path = argv[i];
    else
      prefix = argv[i];
  }
  b.dev = ak_device_open (device, threads, &status);
  onednn = ak_device_open ("cpu:onednn", threads, &status);
  if (!b.dev || !onednn) {
    printf ("SKIPPED: no device %s\n", device);
    return 77;
  }
  weights = path ? am_weights_open (path, &error) : styleunet_synth (&styleunet_published, &error);
  if (weights) {
    part = am_part_new (b.dev, AK_F32, weights);
    w = am_styleunet_load (part, path ? prefix ? prefix : "upsampler." : "");
    am_part_finish (part, &error);
  }
  if (error) {
    printf ("FAILED: %s\n", error->message);
    return 1;
  }
  n = am_styleunet_info (w)->side * am_styleunet_info (w)->side;
  queue = ak_queue_new (b.dev);
  x = ak_alloc (b.dev, n * am_styleunet_info (w)->features * sizeof *x);
  y = ak_alloc (b.dev, n * am_styleunet_info (w)->colours * sizeof *y);
  {
    g_autofree float *values = g_new (float, n *am_styleunet_info (w)->features);

    synth_uniform (values, 0, n * am_styleunet_info (w)->features, 0, "input", 0, 2);
    ak_upload (queue, x, values, n * am_styleunet_info (w)->features * sizeof *x);
  }
  am_styleunet_record_staged (w, next_stage, &b, y, x, AM_NOISE_FIXED, NULL, NULL, NULL);
  for (guint i = 0; i < stages->len; i++)
    if (ak_plan_finish (g_array_index (stages, Stage, i).plan) != AK_OK) {
      printf ("FAILED: %s\n", g_array_index (stages, Stage, i).name);
      return 1;
    }
  speed = fmax (fmax (product_speed (onednn, 2048, 1024), product_speed (onednn, 4096, 512)),
      product_speed (b.dev, 2048, 1024));
  for (unsigned f = 0; f < frames; f++) {
    double start = measure_wall ();

    for (guint i = 0; i < stages->len; i++) {
      Stage *s = &g_array_index (stages, Stage, i);
      double begin = now (threads);

      ak_plan_run (s->plan, queue, NULL);
      ak_queue_sync (queue);
      s->best = fmin (s->best, now (threads) - begin);
    }
    elapsed = fmin (elapsed, measure_wall () - start);
  }
  report (&b, threads, speed, elapsed);
  for (guint i = 0; i < stages->len; i++)
    ak_plan_free (g_array_index (stages, Stage, i).plan);
  ak_free (b.dev, x);
  ak_free (b.dev, y);
  ak_queue_free (queue);
  g_clear_pointer (&w, am_styleunet_free);
  g_clear_pointer (&part, am_part_free);
  ak_device_unref (onednn);
  ak_device_unref (b.dev);
  return 0;
}
