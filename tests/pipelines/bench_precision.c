/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lower precision changes:
 *   bench-precision SPEECH [MODEL]
 * runs the model (the built-in one) over the speech in float32 and in bfloat16, and prints how many of its bits
 * are equal and how far motion and lips are apart. Each run follows its own past, as a stream does; "from the
 * same past" is the first window alone. */
#include <gst/app/app.h>
#include <gst/gst.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/head.h"
#include "models/model_priv.h"
#include "models/smooth.h"

#define LIP_LIMIT 0.1 /* mm, mean: what can be seen */

typedef struct
{
  GArray *bits;   /* float, of all windows */
  GArray *motion; /* float, [frames][motion_dim], smoothed */
  size_t each;    /* bits of a window */
} Result;

static GArray *
decode (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (
      "filesrc name=speech ! decodebin ! audioconvert ! audioresample ! "
      "audio/x-raw,format=F32LE,rate=16000,channels=1 ! appsink name=sink sync=false",
      &error);
  g_autoptr (GstElement) source = NULL, sink = NULL;
  GArray *samples = g_array_new (FALSE, FALSE, sizeof (float));
  GstSample *sample;

  if (error)
    g_error ("%s", error->message);
  source = gst_bin_get_by_name (GST_BIN (pipeline), "speech");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (source, "location", path, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_pull_sample (GST_APP_SINK (sink)))) {
    GstMapInfo map;

    gst_buffer_map (gst_sample_get_buffer (sample), &map, GST_MAP_READ);
    g_array_append_vals (samples, map.data, (guint) (map.size / sizeof (float)));
    gst_buffer_unmap (gst_sample_get_buffer (sample), &map);
    gst_sample_unref (sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return samples;
}

static void
keep_bits (AmModel *model, AmTaps *taps, Result *r)
{
  for (size_t i = 0; i < am_taps_count (taps); i++) {
    const AmTap *tap = am_taps_nth (taps, i);

    if (strcmp (tap->name, "bits") != 0)
      continue;
    r->each = tap->rows * tap->cols;
    g_array_set_size (r->bits, r->bits->len + (guint) r->each);
    am_tap_read (model, tap, &g_array_index (r->bits, float, r->bits->len - r->each));
  }
}

static Result
run (AmModel *model, const GArray *samples)
{
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (GError) error = NULL;
  g_autoptr (AmTaps) taps = am_taps_new ();
  g_autoptr (AmAudioEncoder) encoder = am_audio_encoder_new (model, &error);
  g_autoptr (AmMotion) motion =
      encoder ? am_motion_new_tapped (model, taps, NULL, NULL, &error) : NULL;
  g_autoptr (AmSmooth) smooth = am_smooth_new (info->motion_dim, AM_SMOOTH_DELAY);
  size_t before = info->before_samples,
         length = before + info->window_samples + info->ahead_samples;
  size_t dim = info->motion_dim, frames = (size_t) info->window_frames * dim;
  g_autofree float *in = g_new (float, length), *window = g_new (float, frames);
  g_autofree float *features = g_new (float, (size_t) info->steps * info->channels);
  g_autofree float *out = g_new (float, 16 * dim);
  Result r = { .bits = g_array_new (FALSE, FALSE, sizeof (float)),
    .motion = g_array_new (FALSE, FALSE, sizeof (float)) };

  for (size_t at = 0; !error && at < samples->len; at += info->window_samples) {
    for (size_t i = 0; i < length; i++)
      in[i] = at + i >= before && at + i - before < samples->len
                  ? g_array_index (samples, float, at + i - before)
                  : 0;
    if (!am_audio_encoder_run (encoder, in, features, NULL, &error) ||
        !am_motion_run (motion, features, window, NULL, &error))
      break;
    keep_bits (model, taps, &r);
    for (size_t i = 0; i < info->window_frames; i++)
      g_array_append_vals (
          r.motion, out, (guint) (am_smooth_push (smooth, window + i * dim, out) * dim));
  }
  if (error)
    g_error ("%s", error->message);
  return r;
}

static double
equal (const Result *a, const Result *b, size_t n)
{
  size_t same = 0;

  for (size_t i = 0; i < n; i++)
    same += g_array_index (a->bits, float, i) == g_array_index (b->bits, float, i);
  return 100.0 * (double) same / (double) n;
}

/* Mean and largest distance of the lips' vertices in mm; FALSE where the head does not fit the motion. */
static gboolean
lips (const AmModelInfo *info, const Result *a, const Result *b, double *mean, double *worst)
{
  static const char *const names[] = { "inner_lip_upper", "inner_lip_lower" };
  g_autoptr (GError) error = NULL;
  g_autoptr (AmHead) head = am_head_open (NULL, &error);
  g_autoptr (AmPoser) one = head ? am_poser_new (head, "cpu", NULL, 0, 1, &error) : NULL;
  g_autoptr (AmPoser) two = head ? am_poser_new (head, "cpu", NULL, 0, 1, &error) : NULL;
  g_autofree float *x = NULL, *y = NULL;
  size_t n = 0, dim = info->motion_dim;
  double sum = 0;

  if (!one || !two || strcmp (am_head_info (head)->basis, info->basis) != 0 ||
      am_poser_motion_dim (one) != dim)
    return FALSE;
  x = g_new (float, (size_t) am_head_info (head)->vertices * 3);
  y = g_new (float, (size_t) am_head_info (head)->vertices * 3);
  *worst = 0;
  for (size_t f = 0; f + dim <= a->motion->len; f += dim) {
    am_poser_run (one, &g_array_index (a->motion, float, f), x, NULL);
    am_poser_run (two, &g_array_index (b->motion, float, f), y, NULL);
    for (size_t r = 0; r < G_N_ELEMENTS (names); r++) {
      size_t count;
      const uint32_t *region = am_head_region (head, names[r], &count);

      for (size_t i = 0; region && i < count; i++, n++) {
        const float *p = x + 3 * region[i], *q = y + 3 * region[i];
        double d = 1e3 * sqrt (pow (p[0] - q[0], 2) + pow (p[1] - q[1], 2) + pow (p[2] - q[2], 2));

        sum += d;
        *worst = MAX (*worst, d);
      }
    }
  }
  *mean = sum / (double) MAX (n, 1);
  return n > 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = NULL, half = NULL;
  g_autoptr (GArray) samples = NULL;
  Result a, b;
  double square = 0, difference = 0, mean, worst;

  if (argc < 2 || argc > 3) {
    fprintf (stderr, "usage: bench-precision SPEECH [MODEL]\n");
    return 2;
  }
  gst_init (NULL, NULL);
  model = am_model_open (argv[2], "cpu", AK_F32, 0, &error);
  half = model ? am_model_open (argv[2], "cpu", AK_BF16, 0, &error) : NULL;
  if (!half) {
    printf ("SKIPPED: %s\n", error->message);
    return 77;
  }
  samples = decode (argv[1]);
  a = run (model, samples);
  b = run (half, samples);
  for (guint i = 0; i < a.motion->len; i++) {
    double x = g_array_index (a.motion, float, i), y = g_array_index (b.motion, float, i);

    square += x * x;
    difference += (x - y) * (x - y);
  }
  printf ("bits equal, bf16, from the same past: %.2f %%\n", equal (&a, &b, a.each));
  printf ("bits equal, bf16, whole speech: %.2f %%\n", equal (&a, &b, a.bits->len));
  printf ("motion error, bf16: %.4f of its size\n", sqrt (difference / square));
  if (lips (am_model_info (model), &a, &b, &mean, &worst))
    printf ("lip error, bf16: %.3f mm mean (%.2f of the limit, %.1f), %.2f mm at most\n", mean,
        mean / LIP_LIMIT, LIP_LIMIT, worst);
  g_array_unref (a.bits);
  g_array_unref (a.motion);
  g_array_unref (b.bits);
  g_array_unref (b.motion);
  return 0;
}
