/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configurations, good and bad, and models that do not fit theirs. */
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "models/config.h"
#include "models/model_priv.h"
#include "models/smooth.h"
#include "synth.h"

static void
test_defaults (void)
{
  g_autoptr (GError) error = NULL;
  AmConfig c;

  g_assert_true (am_config_parse ("test", "{}", -1, &c, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (c.tokens, ==, 181);
  g_assert_cmpuint (c.frames, ==, 100);
  g_assert_cmpuint (c.audio_width, ==, 1024);
  g_assert_cmpstr (c.basis, ==, "flame");
  g_assert_cmpuint (am_config_wav2vec_steps (&c.wav2vec, 64000), ==, 199);
  g_assert_cmpuint (am_config_wav2vec_hop (&c.wav2vec), ==, 320);
  g_assert_cmpint (c.audio_norm, ==, AM_AUDIO_NORM_WINDOW);

  g_assert_true (am_config_parse_for ("test", "{}", -1, AM_ENCODER_MIMI, &c, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (c.audio_width, ==, 512);
  g_assert_cmpuint (am_config_mimi_steps (&c.mimi, 64000), ==, 50);
  g_assert_cmpuint (am_config_mimi_steps (&c.mimi, 16000), ==, 13);
  g_assert_cmpint (c.audio_norm, ==, AM_AUDIO_NORM_NONE);
}

/* Text, and what the message must name. */
static void
test_refused (void)
{
  static const char *const cases[][2] = {
    { "", "object" },
    { "[]", "object" },
    { "{", "JSON" },
    { "{\"AR_CONFIG\": 5}", "AR_CONFIG" },
    { "{\"AR_CONFIG\": {\"T_DEPTH\": 0}}", "AR_CONFIG.T_DEPTH: 0" },
    { "{\"AR_CONFIG\": {\"T_DEPTH\": 1e99}}", "AR_CONFIG.T_DEPTH: 1" },
    { "{\"AR_CONFIG\": {\"T_DEPTH\": 2.5}}", "T_DEPTH: 2.5" },
    { "{\"AR_CONFIG\": {\"T_DEPTH\": \"12\"}}", "T_DEPTH: a number" },
    { "{\"AR_CONFIG\": {\"T_NUM_HEADS\": 7}}", "AR_WIDTH" },
    { "{\"AR_CONFIG\": {\"AUDIO_ENCODER\": \"hubert\"}}", "hubert" },
    { "{\"VAE_CONFIG\": {\"V_PATCH_NUMS\": []}}", "V_PATCH_NUMS" },
    { "{\"VAE_CONFIG\": {\"V_PATCH_NUMS\": [5, 1]}}", "V_PATCH_NUMS" },
    { "{\"VAE_CONFIG\": {\"V_PATCH_NUMS\": [1, -5]}}", "V_PATCH_NUMS" },
    { "{\"VAE_CONFIG\": {\"V_PATCH_NUMS\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}}", "17 values" },
    { "{\"SIZES\": {\"AUDIO_WIDTH\": 64}}", "AUDIO_WIDTH" },
    { "{\"SIZES\": {\"WAV2VEC\": {\"CONV_DIM\": [3]}}}", "CONV_DIM" },
    { "{\"SIZES\": {\"WAV2VEC\": {\"POS_GROUPS\": 3}}}", "POS_GROUPS" },
    { "{\"AR_CONFIG\": {\"AUDIO_ENCODER\": \"mimi\"}, \"AUDIO_CONTEXT\": {\"AHEAD\": 640}}",
        "context" },
    { "{\"AR_CONFIG\": {\"AUDIO_ENCODER\": \"mimi\"}, \"SIZES\": {\"AUDIO_WIDTH\": 1024}}",
        "AUDIO_WIDTH" },
    { "{\"SIZES\": {\"MIMI\": {\"HEAD_DIM\": 7}}}", "HEAD_DIM" },
    { "{\"SIZES\": {\"MIMI\": {\"SEMANTIC\": 33}}}", "SEMANTIC" },
    { "{\"SIZES\": {\"MIMI\": {\"FILTERS\": 1}}}", "COMPRESS" },
    { "{\"SIZES\": {\"MIMI\": {\"RESIDUAL_LAYERS\": 16, \"DILATION_GROWTH\": 16}}}",
        "DILATION_GROWTH" },
    { "{\"AUDIO_NORM\": \"loud\"}", "AUDIO_NORM" },
    { "{\"AUDIO_NORM\": \"two\nlines\"}", "two\\x0alines" },
    { "{\"AR_CONFIG\": {\"AUDIO_ENCODER\": \"two\\nlines\"}}", "AUDIO_ENCODER" },
    { "{\"AUDIO_CONTEXT\": {\"BEFORE\": -1}}", "AUDIO_CONTEXT.BEFORE: -1" },
    { "{\"BASIS\": \"a b\"}", "BASIS" },
    { "{\"BASIS\": \"\"}", "BASIS" },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    AmConfig c;

    g_assert_false (am_config_parse ("some.json", cases[i][0], -1, &c, &error));
    g_assert_nonnull (error);
    g_assert_true (g_str_has_prefix (error->message, "some.json"));
    if (!strstr (error->message, cases[i][1]))
      g_error ("%s: \"%s\" does not name %s", cases[i][0], error->message, cases[i][1]);
    g_assert_null (strchr (error->message, '\n'));
  }
}

static void
test_deep (void)
{
  g_autofree char *text = g_strnfill (100000, '[');
  g_autoptr (GError) error = NULL;
  AmConfig c;

  g_assert_false (am_config_parse ("deep", text, -1, &c, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_LIMIT);
}

/* The case `name`, with `change` in the place of as many letters from `from` on in its config. */
static AmModel *
open_own (const char *name, const char *from, const char *change, GError **error)
{
  g_autofree char *manifest = g_build_filename (GOLDEN_DIR, "motion", name, "manifest.json", NULL);
  g_autofree char *config = g_build_filename (GOLDEN_DIR, "motion", name, "config.json", NULL);
  g_autofree char *text = NULL, *path = NULL;
  AmModel *model;
  int fd = g_file_open_tmp (NULL, &path, NULL);

  g_close (fd, NULL);
  g_assert_true (g_file_get_contents (config, &text, NULL, NULL));
  if (change) {
    char *at = strstr (text, from);

    g_assert_nonnull (at);
    memcpy (at, change, strlen (change));
  }
  g_assert_true (synth_write (manifest, -1, path, NULL, NULL));
  model = am_model_open_with_config (path, text, "cpu", AK_F32, 1, error);
  g_unlink (path);
  return model;
}

/* A config that asks for a layer that is not there names the tensor. */
static void
test_mismatch (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = open_own ("own-past", "\"T_DEPTH\": 3", "\"T_DEPTH\": 4", &error);
  AmMotion *motion;

  g_assert_no_error (error);
  motion = am_motion_new (model, &error);
  g_assert_null (motion);
  g_assert_error (error, AM_ERROR, AM_ERROR_MISSING);
  g_assert_nonnull (strstr (error->message, "attn_blocks.3"));
}

/* The published config.json does not name the encoder; and a tensor of mimi's that is missing is named. */
static void
test_mimi (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = open_own ("own-mimi", "AUDIO_ENCODER", "AUDIO_UNKNOWN", &error);
  g_autoptr (AmAudioEncoder) enc = NULL, none = NULL;
  g_autoptr (AmModel) larger = NULL;

  g_assert_no_error (error);
  g_assert_cmpint (am_model_info (model)->encoder, ==, AM_ENCODER_MIMI);
  g_assert_cmpint (am_model_config (model)->audio_norm, ==, AM_AUDIO_NORM_NONE);
  g_assert_cmpuint (am_model_info (model)->steps, ==, 7); /* 14400 / 1120 = 12.9 and half of it */
  enc = am_audio_encoder_new (model, &error);
  g_assert_no_error (error);
  larger = open_own ("own-mimi", "\"QUANTIZERS\": 6", "\"QUANTIZERS\": 7", &error);
  g_assert_no_error (error);
  none = am_audio_encoder_new (larger, &error);
  g_assert_null (none);
  g_assert_error (error, AM_ERROR, AM_ERROR_MISSING);
  g_assert_nonnull (strstr (error->message, "acoustic_residual_vector_quantizer.layers.4"));
}

/* Features of `batch` windows [batch][window] by one plan. (transfer full) */
static float *
mimi_features (AmModel *model, const float *windows, size_t batch)
{
  const AmModelInfo *info = am_model_info (model);
  const AmEncoderNetworks *networks = am_model_encoder (model, NULL);
  size_t n = batch * info->window_samples, f = batch * info->steps * info->channels;
  AkPlan *plan = ak_plan_new (am_model_device (model));
  AkQueue *queue = ak_queue_new (am_model_device (model));
  float *in = ak_plan_memory (plan, n * sizeof *in), *out = ak_plan_memory (plan, f * sizeof *out);
  float *features = g_new (float, f);

  am_mimi_record (networks->mimi, plan, ak_dense (out, info->steps, info->channels), in, batch,
      info->window_samples, NULL);
  g_assert_cmpint (ak_plan_finish (plan), ==, AK_OK);
  ak_upload (queue, in, windows, n * sizeof *in);
  g_assert_cmpint (ak_plan_run (plan, queue, NULL), ==, AK_OK);
  ak_download (queue, features, out, f * sizeof *features);
  g_assert_cmpint (ak_queue_sync (queue), ==, AK_OK);
  ak_queue_free (queue);
  ak_plan_free (plan);
  return features;
}

/* Windows of a batch do not touch one another. */
static void
test_mimi_batch (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = open_own ("own-mimi", NULL, NULL, &error);
  const AmModelInfo *info = am_model_info (model);
  size_t n = info->window_samples, f = (size_t) info->steps * info->channels;
  g_autofree float *windows = g_new (float, 3 * n), *all = NULL;

  g_assert_no_error (error);
  for (size_t i = 0; i < 3 * n; i++)
    windows[i] = 0.3f * sinf ((float) i * 0.05f) * sinf ((float) i * 0.0007f);
  all = mimi_features (model, windows, 3);
  for (size_t b = 0; b < 3; b++) {
    g_autofree float *one = mimi_features (model, windows + b * n, 1);

    for (size_t i = 0; i < f; i++)
      g_assert_cmpfloat_with_epsilon (one[i], all[b * f + i], 1e-4f);
  }
  for (size_t i = 0, same = 0; i < f; i++) {
    same += all[i] == all[f + i];
    g_assert_cmpuint (same, <, f / 2);
  }
}

/* A cancelled run says so, and after a reset everything is as at the start; not a number is silence. */
static void
test_stream (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = open_own ("own-past", NULL, NULL, &error);
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (AmAudioEncoder) enc = am_audio_encoder_new (model, &error);
  g_autoptr (AmMotion) motion = am_motion_new (model, &error);
  size_t n = info->window_samples, f = (size_t) info->steps * info->channels;
  size_t m = (size_t) info->window_frames * info->motion_dim;
  g_autofree float *samples = g_new0 (float, n), *features = g_new (float, f),
                   *quiet = g_new (float, f);
  g_autofree float *first = g_new (float, m), *second = g_new (float, m), *again = g_new (float, m);
  atomic_int cancel = 0;

  g_assert_no_error (error);
  g_assert_true (am_audio_encoder_run (enc, samples, quiet, NULL, &error));
  for (size_t i = 0; i < n; i++)
    samples[i] = NAN;
  g_assert_true (am_audio_encoder_run (enc, samples, features, &cancel, &error));
  g_assert_cmpmem (features, f * sizeof *features, quiet, f * sizeof *quiet);

  g_assert_true (am_motion_run (motion, features, first, &cancel, &error));
  g_assert_true (am_motion_run (motion, features, second, &cancel, &error));
  g_assert_cmpint (memcmp (first, second, m * sizeof *first), !=, 0); /* the past matters */
  cancel = 1;
  g_assert_false (am_motion_run (motion, features, again, &cancel, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_CANCELLED);
  g_clear_error (&error);
  cancel = 0;
  am_motion_reset (motion);
  g_assert_true (am_motion_run (motion, features, again, &cancel, &error));
  g_assert_cmpmem (again, m * sizeof *again, first, m * sizeof *first);
  g_assert_true (am_motion_run (motion, features, again, &cancel, &error));
  g_assert_cmpmem (again, m * sizeof *again, second, m * sizeof *second);
}

/* Windows given out in parts see the past that was given out, and seams fade; a part that is a whole window is one. */
static void
test_parts (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = open_own ("own-past", NULL, NULL, &error);
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (AmAudioEncoder) enc = am_audio_encoder_new (model, &error);
  g_autoptr (AmMotion) whole = am_motion_new (model, &error), parts = am_motion_new (model, &error);
  const size_t n = info->window_samples, f = (size_t) info->steps * info->channels;
  const unsigned t = info->window_frames, d = info->motion_dim, cut = t / 3;
  g_autofree float *samples = g_new (float, n), *features = g_new (float, f);
  g_autofree float *a = g_new (float, (size_t) t *d), *b = g_new (float, (size_t) t *d),
                   *first = g_new (float, (size_t) t *d);

  g_assert_no_error (error);
  for (size_t i = 0; i < n; i++)
    samples[i] = 0.3f * sinf ((float) i * 0.05f) * sinf ((float) i * 0.0007f);
  g_assert_true (am_audio_encoder_run (enc, samples, features, NULL, &error));
  g_assert_true (am_motion_run (whole, features, first, NULL, &error));
  g_assert_true (am_motion_run_part (parts, features, 0, 0, t, b, NULL, &error));
  g_assert_cmpmem (first, (size_t) t * d * sizeof *a, b, (size_t) t * d * sizeof *b);

  g_assert_true (am_motion_run (whole, features, a, NULL, &error));
  g_assert_true (am_motion_run_part (parts, features, t, 0, t, b, NULL, &error));
  for (unsigned k = 0; k < d; k++) {
    const float last = first[(size_t) (t - 1) * d + k], seam = b[k] - a[k];

    /* between where the window begins and where the last one ended */
    g_assert_cmpfloat (seam * (last - a[k]), >=, 0);
    g_assert_cmpfloat (fabsf (seam), <=, fabsf (last - a[k]) + 1e-6f);
    for (unsigned i = 1; i < t; i++)
      g_assert_cmpfloat (fabsf (b[i * d + k] - a[i * d + k]), <=,
          fmaxf (1 - 0.25f * (float) i, 0) * fabsf (seam) + 1e-5f);
  }

  /* the same features twice within a window: nothing to blend but the step that is put off */
  am_motion_reset (parts);
  g_assert_true (am_motion_run_part (parts, features, 0, 0, cut, b, NULL, &error));
  g_assert_cmpmem (b, (size_t) cut * d * sizeof *b, first, (size_t) cut * d * sizeof *b);
  g_assert_true (am_motion_run_part (parts, features, 0, cut, t - cut, b, NULL, &error));
  for (unsigned k = 0; k < d; k++) {
    const float last = first[(cut - 1) * d + k], next = first[cut * d + k];

    g_assert_cmpfloat (fabsf (b[k] - last), <=, fabsf (next - last) + 1e-6f);
    g_assert_cmpfloat_with_epsilon (
        b[(size_t) (t - cut - 1) * d + k], first[(size_t) (t - 1) * d + k], 1e-3f);
  }

  /* frame by frame: steps that are put off do not add up */
  am_motion_reset (parts);
  for (unsigned i = 0; i < t; i++) {
    g_assert_true (am_motion_run_part (parts, features, 0, i, 1, b, NULL, &error));
    for (unsigned k = 0; k < d; k++) {
      float step = 0;

      for (unsigned j = 1; j <= i; j++)
        step = fmaxf (step, fabsf (first[j * d + k] - first[(j - 1) * d + k]));
      g_assert_cmpfloat (fabsf (b[k] - first[i * d + k]), <=, 0.1f * step + 1e-5f);
    }
  }

  /* a stream that slides, and begins in its middle: what was not given out is the window's own */
  am_motion_reset (parts);
  for (unsigned start = 7; start < 7 + 3 * t; start += 3) {
    g_assert_true (am_motion_run_part (parts, features, start, t - 3, 3, b, NULL, &error));
    for (unsigned k = 0; k < 3 * d; k++)
      g_assert_true (isfinite (b[k]));
    if (start == 7)
      g_assert_cmpmem (b, 3 * d * sizeof *b, first + (size_t) (t - 3) * d, 3 * d * sizeof *b);
  }
}

/* A filter that waits for fewer frames gives each as soon as that; with 2, all but the head's turns are the same. */
static void
test_smooth_delay (void)
{
  enum { FRAMES = 40 };
  g_autofree float *published = g_new (float, FRAMES * 106);

  for (unsigned delay = AM_SMOOTH_DELAY + 1; delay-- > 0;) {
    g_autoptr (AmSmooth) s = am_smooth_new (106, delay);
    g_autofree float *all = g_new (float, (FRAMES + 16) * 106);
    float frame[106];
    unsigned got = 0;

    for (unsigned i = 0; i < FRAMES; i++) {
      for (unsigned c = 0; c < 106; c++)
        frame[c] = c == 3 ? (float) i : sinf ((float) (i * (c + 1)) * 0.7f);
      got += am_smooth_push (s, frame, all + got * 106);
      if (delay < AM_SMOOTH_DELAY)
        g_assert_cmpuint (got, ==, i < delay ? 0 : i + 1 - delay);
    }
    got += am_smooth_finish (s, all + got * 106);
    g_assert_cmpuint (got, ==, FRAMES);
    for (unsigned i = 0; i < FRAMES; i++) {
      g_assert_cmpfloat_with_epsilon (all[i * 106 + 3], (float) i, 1e-3f);
      if (delay != 2 || i < 2 || i >= FRAMES - 2)
        continue;
      g_assert_cmpmem (
          all + i * 106, 100 * sizeof (float), published + i * 106, 100 * sizeof (float));
      g_assert_cmpmem (
          all + i * 106 + 103, 3 * sizeof (float), published + i * 106 + 103, 3 * sizeof (float));
    }
    if (delay == AM_SMOOTH_DELAY)
      memcpy (published, all, FRAMES * 106 * sizeof (float));
  }
}

/* Frames come out in order, 4 late, all of them, however many there are. */
static void
test_smooth (void)
{
  for (unsigned n = 0; n < 30; n++) {
    g_autoptr (AmSmooth) s = am_smooth_new (106, AM_SMOOTH_DELAY);
    float frame[106] = { 0 }, out[106 * 2 * AM_SMOOTH_DELAY];
    unsigned got = 0;

    for (unsigned i = 0; i < n; i++) {
      unsigned ready;

      frame[3] = (float) i; /* a line stays a line */
      ready = am_smooth_push (s, frame, out);
      g_assert_cmpuint (ready, <=, AM_SMOOTH_DELAY + 1);
      for (unsigned k = 0; k < ready; k++)
        g_assert_cmpfloat_with_epsilon (out[106 * k + 3], (float) got++, 1e-4f);
      g_assert_cmpuint (got, ==, i < 8 ? 0 : i - 3);
    }
    for (unsigned k = 0, ready = am_smooth_finish (s, out); k < ready; k++)
      g_assert_cmpfloat_with_epsilon (out[106 * k + 3], (float) got++, 1e-4f);
    g_assert_cmpuint (got, ==, n);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/defaults", test_defaults);
  g_test_add_func ("/config/refused", test_refused);
  g_test_add_func ("/config/deep", test_deep);
  g_test_add_func ("/model/mismatch", test_mismatch);
  g_test_add_func ("/model/mimi", test_mimi);
  g_test_add_func ("/model/mimi-batch", test_mimi_batch);
  g_test_add_func ("/model/stream", test_stream);
  g_test_add_func ("/model/parts", test_parts);
  g_test_add_func ("/smooth/order", test_smooth);
  g_test_add_func ("/smooth/delay", test_smooth_delay);
  return g_test_run ();
}
