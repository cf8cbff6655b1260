/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spoken.h"

#include <math.h>
#include <string.h>

#include "models/head.h"
#include "models/model_priv.h"
#include "models/smooth.h"

static void
keep_bits (AmModel *model, AmTaps *taps, Spoken *r)
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

gboolean
spoken_run (Spoken *r, AmModel *model, const GArray *samples, GError **error)
{
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (AmTaps) taps = am_taps_new ();
  g_autoptr (AmAudioEncoder) encoder = am_audio_encoder_new (model, error);
  g_autoptr (AmMotion) motion =
      encoder ? am_motion_new_tapped (model, taps, NULL, NULL, error) : NULL;
  g_autoptr (AmSmooth) smooth = am_smooth_new (info->motion_dim, AM_SMOOTH_DELAY);
  size_t before = info->before_samples,
         length = before + info->window_samples + info->ahead_samples;
  size_t dim = info->motion_dim, frames = (size_t) info->window_frames * dim;
  g_autofree float *in = g_new (float, length), *window = g_new (float, frames);
  g_autofree float *features = g_new (float, (size_t) info->steps * info->channels);
  g_autofree float *out = g_new (float, 16 * dim);

  *r = (Spoken){ .bits = g_array_new (FALSE, FALSE, sizeof (float)),
    .motion = g_array_new (FALSE, FALSE, sizeof (float)) };
  if (!motion)
    return FALSE;
  for (size_t at = 0; at < samples->len; at += info->window_samples) {
    for (size_t i = 0; i < length; i++)
      in[i] = at + i >= before && at + i - before < samples->len
                  ? g_array_index (samples, float, at + i - before)
                  : 0;
    if (!am_audio_encoder_run (encoder, in, features, NULL, error) ||
        !am_motion_run (motion, features, window, NULL, error))
      return FALSE;
    keep_bits (model, taps, r);
    for (size_t i = 0; i < info->window_frames; i++)
      g_array_append_vals (
          r->motion, out, (guint) (am_smooth_push (smooth, window + i * dim, out) * dim));
  }
  return TRUE;
}

void
spoken_clear (Spoken *r)
{
  g_clear_pointer (&r->bits, g_array_unref);
  g_clear_pointer (&r->motion, g_array_unref);
}

double
spoken_equal (const Spoken *a, const Spoken *b, size_t n)
{
  size_t same = 0;

  for (size_t i = 0; i < n; i++)
    same += g_array_index (a->bits, float, i) == g_array_index (b->bits, float, i);
  return 100.0 * (double) same / (double) n;
}

double
spoken_error (const Spoken *a, const Spoken *b)
{
  double square = 0, difference = 0;

  for (guint i = 0; i < a->motion->len; i++) {
    double x = g_array_index (a->motion, float, i), y = g_array_index (b->motion, float, i);

    square += x * x;
    difference += (x - y) * (x - y);
  }
  return sqrt (difference / square);
}

gboolean
spoken_lips (const AmModelInfo *info, const Spoken *a, const Spoken *b, double *mean, double *worst)
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
