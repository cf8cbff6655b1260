/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time of the StyleUNet's stages, against what their multiply-adds, as published, take at the speed of
 * the faster of two large products through oneDNN in the same run. It is processor time, so that other programs disturb
 * it little; elapsed time is printed too. Weights are random: sizes of the published network, or those
 * of a checkpoint.
 *
 * styleunet-bench [--device=NAME] [--threads=N] [--frames=N] [CHECKPOINT [PREFIX]] */
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/linear.h"
#include "models/styleunet.h"
#include "synth.h"

static double
clock_of (clockid_t id)
{
  struct timespec t;

  clock_gettime (id, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Seconds of this process on all processors, per thread. */
static double
now (unsigned threads)
{
  return clock_of (CLOCK_PROCESS_CPUTIME_ID) / threads;
}

/* Multiply-adds per second of a product of `rows` x n x n. */
static double
product_speed (AkDevice *dev, size_t rows, size_t n)
{
  g_autofree float *values = g_new (float, n *n);
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  AkMatrix *m;
  AkStatus status;
  double best = 1e9;

  for (size_t i = 0; i < n * n; i++)
    values[i] = (float) (i % 17) * 0.1f;
  m = ak_matrix_new (dev, values, n, n, AK_F32, &status);
  ak_linear (plan, &(AkLinear){ .y = ak_dense (ak_plan_memory (plan, rows * n * 4), rows, n),
                       .x = ak_dense (ak_plan_memory (plan, rows * n * 4), rows, n),
                       .matrix = m,
                       .batch = 1,
                       .rows = rows });
  ak_plan_finish (plan);
  for (int i = 0; i < 10; i++) {
    double start = now (ak_device_threads (dev));

    ak_plan_run (plan, queue, NULL);
    ak_queue_sync (queue);
    best = fmin (best, now (ak_device_threads (dev)) - start);
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_matrix_free (m);
  return (double) rows * (double) n * (double) n / best;
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

/* The tensors of a network of the published sizes, as a list for synth_open(). */
static void
add (GString *s, const char *name, const char *shape, double base, double scale)
{
  g_string_append_printf (s,
      "%s{\"name\":\"%s\",\"dtype\":\"F32\",\"shape\":[%s],\"rule\":\"uniform\",\"base\":%g,"
      "\"scale\":%g}",
      s->str[s->len - 1] == '[' ? "" : ",\n", name, shape, base, scale);
}

static void
add_conv (GString *s, const char *name, size_t out, size_t in, size_t side, gboolean bias)
{
  g_autofree char *w = g_strconcat (name, ".weight", NULL), *b = g_strconcat (name, ".bias", NULL);
  g_autofree char *shape = g_strdup_printf ("%zu,%zu,%zu,%zu", out, in, side, side);
  g_autofree char *one = g_strdup_printf ("%zu", out);

  add (s, w, shape, 0, 1 / sqrt ((double) (in * side * side)));
  if (bias)
    add (s, b, one, 0, 0.2);
}

static void
add_modconv (GString *s, const char *name, size_t out, size_t in, size_t side, size_t style)
{
  g_autofree char *prefix = g_strconcat ("stylegan_decoder.", name, NULL);
  g_autofree char *w = g_strconcat (prefix, ".modulated_conv.weight", NULL);
  g_autofree char *m = g_strconcat (prefix, ".modulated_conv.modulation.weight", NULL);
  g_autofree char *b = g_strconcat (prefix, ".modulated_conv.modulation.bias", NULL);
  g_autofree char *strength = g_strconcat (prefix, ".weight", NULL);
  g_autofree char *bias = g_strconcat (prefix, ".bias", NULL);
  g_autofree char *shape = g_strdup_printf ("1,%zu,%zu,%zu,%zu", out, in, side, side);
  g_autofree char *modulation = g_strdup_printf ("%zu,%zu", in, style);
  g_autofree char *inputs = g_strdup_printf ("%zu", in);
  g_autofree char *outputs = g_strdup_printf ("1,%zu,1,1", out);

  add (s, w, shape, 0, 1 / sqrt ((double) (in * side * side)));
  add (s, m, modulation, 0, 0.03);
  add (s, b, inputs, 1, 0.2);
  add (s, bias, outputs, 0, 0.2);
  if (side > 1)
    add (s, strength, "1", 0.15, 0.1);
}

static AmWeights *
published_sizes (GError **error)
{
  static const size_t width[] = { 256, 256, 256, 256, 128, 64, 32, 16 }; /* of 4 … 512 pixels */
  g_autoptr (GString) s = g_string_new ("{\"format\":\"synth-weights-1\",\"salt\":0,\"tensors\":[");
  g_autofree char *path = NULL;
  size_t levels = G_N_ELEMENTS (width) - 1, style = 512;
  AmWeights *weights = NULL;
  char name[96], shape[64];
  int fd;

  add_conv (s, "conv_body_first", width[levels], 32, 1, TRUE);
  for (size_t i = 0; i < levels; i++)
    for (int up = 0; up < 2; up++) {
      size_t in = up ? width[i] : width[levels - i],
             out = up ? width[i + 1] : width[levels - 1 - i];

      for (int k = 1; k <= 2; k++) {
        g_snprintf (name, sizeof name, "conv_body_%s.%zu.conv%d", up ? "up" : "down", i, k);
        add_conv (s, name, k == 1 ? in : out, in, 3, TRUE);
      }
      g_snprintf (name, sizeof name, "conv_body_%s.%zu.skip", up ? "up" : "down", i);
      add_conv (s, name, out, in, 1, FALSE);
    }
  add_conv (s, "final_conv", width[0], width[0], 3, TRUE);
  g_snprintf (shape, sizeof shape, "%zu,%zu", style, 16 * width[0]);
  add (s, "final_linear.weight", shape, 0, 1 / sqrt (16.0 * (double) width[0]));
  g_snprintf (shape, sizeof shape, "%zu", style);
  add (s, "final_linear.bias", shape, 0, 0.2);
  for (int i = 1; i <= 15; i += 2) {
    g_snprintf (name, sizeof name, "stylegan_decoder.style_mlp.%d.bias", i);
    add (s, name, shape, 0, 0.2);
  }
  g_snprintf (shape, sizeof shape, "%zu,%zu", style, style);
  for (int i = 1; i <= 15; i += 2) {
    g_snprintf (name, sizeof name, "stylegan_decoder.style_mlp.%d.weight", i);
    add (s, name, shape, 0, 0.1);
  }
  g_snprintf (shape, sizeof shape, "1,%zu,4,4", 2 * width[0]);
  add (s, "stylegan_decoder.constant_input.weight", shape, 0, 1);
  add_modconv (s, "style_conv1", 2 * width[0], 2 * width[0], 3, style);
  add_modconv (s, "to_rgb1", 3, 2 * width[0], 1, style);
  for (size_t i = 0; i < levels; i++) {
    size_t c = width[i + 1], out = 2 * c;

    g_snprintf (name, sizeof name, "style_convs.%zu", 2 * i);
    add_modconv (s, name, out, 2 * width[i], 3, style);
    g_snprintf (name, sizeof name, "style_convs.%zu", 2 * i + 1);
    add_modconv (s, name, out, out, 3, style);
    g_snprintf (name, sizeof name, "to_rgbs.%zu", i);
    add_modconv (s, name, 3, out, 1, style);
    for (int k = 0; k < 2; k++) {
      g_snprintf (name, sizeof name, "condition_%s.%zu.0", k ? "shift" : "scale", i);
      add_conv (s, name, c, c, 3, TRUE);
      g_snprintf (name, sizeof name, "condition_%s.%zu.2", k ? "shift" : "scale", i);
      add_conv (s, name, out, c, 3, TRUE);
    }
  }
  for (size_t i = 0; i <= 2 * levels; i++) {
    size_t side = (size_t) 1 << (i + 5) / 2;

    g_snprintf (name, sizeof name, "stylegan_decoder.noises.noise%zu", i);
    g_snprintf (shape, sizeof shape, "1,1,%zu,%zu", side, side);
    add (s, name, shape, 0, 1.7);
  }
  g_string_append (s, "]}");
  fd = g_file_open_tmp (NULL, &path, error);
  if (fd < 0)
    return NULL;
  g_close (fd, NULL);
  if (g_file_set_contents (path, s->str, (gssize) s->len, error))
    weights = synth_open (path, -1, NULL, error);
  g_unlink (path);
  return weights;
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
  printf ("one large product through oneDNN, %u threads: %.1f G multiply-adds/s\n", threads,
      1e-9 * speed);
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
  weights = path ? am_weights_open (path, &error) : published_sizes (&error);
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
  am_styleunet_record_staged (w, next_stage, &b, y, x, AM_NOISE_FIXED, NULL, NULL);
  for (guint i = 0; i < stages->len; i++)
    if (ak_plan_finish (g_array_index (stages, Stage, i).plan) != AK_OK) {
      printf ("FAILED: %s\n", g_array_index (stages, Stage, i).name);
      return 1;
    }
  speed = fmax (product_speed (onednn, 2048, 1024), product_speed (onednn, 4096, 512));
  for (unsigned f = 0; f < frames; f++) {
    double start = clock_of (CLOCK_MONOTONIC);

    for (guint i = 0; i < stages->len; i++) {
      Stage *s = &g_array_index (stages, Stage, i);
      double begin = now (threads);

      ak_plan_run (s->plan, queue, NULL);
      ak_queue_sync (queue);
      s->best = fmin (s->best, now (threads) - begin);
    }
    elapsed = fmin (elapsed, clock_of (CLOCK_MONOTONIC) - start);
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
