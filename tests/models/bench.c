/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time of a model's windows on the device, against what its products would take at the speed of one
 * large product in the same run. It is processor time, so that other programs disturb it little.
 *
 * model-bench [--device=NAME] [--precision=bf16] [--threads=N] [--windows=N] [--wall] [MODEL]
 * --wall also prints the time of whole windows by the clock. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "models/model_priv.h"

static double
mimi_macs (const AmMimiConfig *c, const AmModelInfo *info)
{
  double rows = 1.5 * info->window_samples, channels = c->filters, h = c->hidden;
  double inner = (double) c->heads * c->head_dim, macs = 48.0 / 3 * rows;

  macs += rows * channels * c->kernel;
  for (unsigned i = c->n_ratios; i-- > 0;) {
    macs +=
        c->residual_layers * rows * channels * channels / c->compress * (c->residual_kernel + 1);
    rows = ceil (rows / c->ratios[i]);
    macs += rows * channels * 2 * channels * 2 * c->ratios[i];
    channels *= 2;
  }
  macs += rows * channels * h * c->last_kernel;
  macs += c->layers * rows * (4 * h * inner + 2 * h * c->ffn + 2 * fmin (rows, c->window) * inner);
  return macs + info->steps * (4 * h * h + 4 * h * c->codebook_dim +
                                  (double) c->quantizers * c->codebook_size * c->codebook_dim);
}

/* Multiply-adds of one window, from the config. */
static double
encoder_macs (const AmConfig *c, const AmModelInfo *info)
{
  const AmWav2vecConfig *w = &c->wav2vec;
  double rows = info->before_samples + info->window_samples + info->ahead_samples, in = 1, macs = 0;
  double h = w->hidden;

  if (c->encoder == AM_ENCODER_MIMI)
    return mimi_macs (&c->mimi, info);
  for (unsigned i = 0; i < w->n_convs; i++) {
    rows = floor ((rows - w->conv_kernel[i]) / w->conv_stride[i]) + 1;
    macs += rows * in * w->conv_dim[i] * w->conv_kernel[i];
    in = w->conv_dim[i];
  }
  macs += rows * in * h + rows * h * h / w->pos_groups * w->pos_kernel;
  return macs + w->layers * (rows * (4 * h * h + 2 * h * w->ffn) + 2 * rows * rows * h);
}

static double
motion_macs (const AmConfig *c)
{
  double a = c->ar_width, l = c->tokens, past = l * c->prev_ratio, h = c->codec_width,
         t = c->frames;
  double ar = l * (4 * a * a + 8 * a * a + 6 * a * c->audio_width) + past * 2 * a * a +
              2 * l * (past + l / 2) * a;
  double codec = 3 * t * (4 * h * h + 2 * h * floor (1.5 * h)) + 2 * (t * t + 4 * t * t) * h;

  return c->ar_depth * ar + c->codec_depth * codec;
}

static void
report (const char *what, double *times, unsigned n, double macs, double speed)
{
  measure_sort (times, n);
  printf ("%s: %.2f ms, median %.2f (%.2f of the products' limit of %.2f ms)\n", what,
      1e3 * times[0], 1e3 * times[n / 2], times[0] * speed / macs, 1e3 * macs / speed);
}

int
main (int argc, char **argv)
{
  const char *path = NULL, *device = "cpu";
  unsigned threads = 1, windows = 20;
  AkPrecision precision = AK_F32;
  gboolean by_clock = FALSE;
  double least = 1e9, least_processors = 1e9;
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = NULL;
  g_autoptr (AmAudioEncoder) enc = NULL;
  g_autoptr (AmMotion) motion = NULL;
  const AmModelInfo *info;
  g_autofree float *samples = NULL, *features = NULL, *frames = NULL;
  g_autofree double *encoder_times = NULL, *motion_times = NULL;
  size_t n;
  double start, speed;

  for (int i = 1; i < argc; i++) {
    if (g_str_has_prefix (argv[i], "--device="))
      device = argv[i] + 9;
    else if (strcmp (argv[i], "--precision=bf16") == 0)
      precision = AK_BF16;
    else if (strcmp (argv[i], "--wall") == 0)
      by_clock = TRUE;
    else if (g_str_has_prefix (argv[i], "--threads="))
      threads = (unsigned) atoi (argv[i] + 10);
    else if (g_str_has_prefix (argv[i], "--windows="))
      windows = (unsigned) MAX (atoi (argv[i] + 10), 1);
    else
      path = argv[i];
  }
  start = measure_processor ();
  model = am_model_open (path, device, precision, threads, &error);
  if (!model) {
    printf ("SKIPPED: %s\n", error->message);
    return 77;
  }
  printf ("model open: %.1f ms\n", 1e3 * (measure_processor () - start));
  start = measure_processor ();
  enc = am_audio_encoder_new (model, &error);
  motion = enc ? am_motion_new (model, &error) : NULL;
  if (!motion) {
    printf ("FAILED: %s\n", error->message);
    return 1;
  }
  printf ("weights packed, plans recorded: %.1f ms\n", 1e3 * (measure_processor () - start));
  info = am_model_info (model);
  n = (size_t) info->before_samples + info->window_samples + info->ahead_samples;
  samples = g_new (float, n);
  features = g_new (float, (size_t) info->steps * info->channels);
  frames = g_new (float, (size_t) info->window_frames * info->motion_dim);
  encoder_times = g_new (double, windows);
  motion_times = g_new (double, windows);
  for (size_t i = 0; i < n; i++)
    samples[i] = 0.3f * sinf ((float) i * 0.05f) * sinf ((float) i * 0.0007f);
  speed = measure_product (am_model_device (model), 384, 1024);
  for (unsigned i = 0; i < windows; i++) {
    double begin = measure_wall ();

    start = measure_processor ();
    if (!am_audio_encoder_run (enc, samples, features, NULL, &error))
      break;
    encoder_times[i] = measure_processor () - start;
    start = measure_processor ();
    if (!am_motion_run (motion, features, frames, NULL, &error))
      break;
    motion_times[i] = measure_processor () - start;
    least = fmin (least, measure_wall () - begin);
    least_processors = fmin (least_processors, encoder_times[i] + motion_times[i]);
  }
  if (error) {
    printf ("FAILED: %s\n", error->message);
    return 1;
  }
  if (by_clock)
    printf ("whole window: %.2f ms, processors %.2f ms\n", 1e3 * least, 1e3 * least_processors);
  printf ("one large product: %.1f GFLOP/s\n", 2e-9 * speed);
  report ("audio encoder, one window", encoder_times, windows,
      encoder_macs (am_model_config (model), info), speed);
  report ("motion model, one window", motion_times, windows, motion_macs (am_model_config (model)),
      speed);
  printf ("real time factor: %.1f\n",
      info->window_frames / 25.0 / (encoder_times[windows / 2] + motion_times[windows / 2]));
  return 0;
}
