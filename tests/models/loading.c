/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading a checkpoint: what is checked when, what is shared, and what bfloat16 keeps. */
#define _GNU_SOURCE /* memmem */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "models/model_priv.h"
#include "models/safetensors.h"
#include "published.h"

/* Small, but with entries that are large enough for their checksums to wait. */
static const char config[] =
    "{\"AR_CONFIG\": {\"T_DEPTH\": 2, \"T_NUM_HEADS\": 2},"
    " \"VAE_CONFIG\": {\"T_DEPTH\": 1, \"T_NUM_HEADS\": 2, \"T_HIDDEN_DIM\": 64,"
    "  \"V_PATCH_NUMS\": [1, 5, 10]},"
    " \"SIZES\": {\"AR_WIDTH\": 128, \"STYLE_WIDTH\": 32, \"STYLE_HEADS\": 2, \"STYLE_FFN\": 64,"
    "  \"STYLE_LAYERS\": 1, \"AUDIO_WIDTH\": 128, \"WAV2VEC\": {"
    "   \"CONV_DIM\": [32, 32, 32, 32, 32, 32, 32], \"HIDDEN\": 128, \"LAYERS\": 2, \"HEADS\": 2,"
    "   \"FFN\": 256, \"POS_KERNEL\": 16, \"POS_GROUPS\": 4}}}";

typedef struct
{
  char *folder, *path, *config_path;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  f->folder = g_dir_make_tmp (NULL, &error);
  g_assert_no_error (error);
  f->path = g_build_filename (f->folder, "model.pt", NULL);
  f->config_path = g_build_filename (f->folder, "config.json", NULL);
  published_write (f->path, config, NULL, &error);
  g_assert_no_error (error);
  g_file_set_contents (f->config_path, config, -1, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_unlink (f->path);
  g_unlink (f->config_path);
  g_rmdir (f->folder);
  g_free (f->path);
  g_free (f->config_path);
  g_free (f->folder);
}

/* One window through both networks. Returns: [window_frames * motion_dim], g_free() it */
static float *
speak (AmModel *model, size_t *n)
{
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (GError) error = NULL;
  g_autoptr (AmAudioEncoder) encoder = am_audio_encoder_new (model, &error);
  g_autoptr (AmMotion) motion = NULL;
  g_autofree float *samples = g_new (float, info->window_samples), *frames = NULL;
  g_autofree float *features = g_new (float, (size_t) info->steps * info->channels);

  g_assert_no_error (error);
  motion = am_motion_new (model, &error);
  g_assert_no_error (error);
  for (unsigned i = 0; i < info->window_samples; i++)
    samples[i] = 0.3f * sinf ((float) i * 0.05f) * sinf ((float) i * 0.0007f);
  *n = (size_t) info->window_frames * info->motion_dim;
  frames = g_new (float, *n);
  g_assert_true (am_audio_encoder_run (encoder, samples, features, NULL, &error));
  g_assert_true (am_motion_run (motion, features, frames, NULL, &error));
  return g_steal_pointer (&frames);
}

/* A .pt file gives what the same tensors in a safetensors file give, and all who open it share it. */
static void
test_same (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = am_model_open (f->path, "cpu", AK_F32, 2, &error), again = NULL;
  g_autoptr (AmModel) copy = NULL;
  g_autoptr (AmWeights) weights = NULL;
  g_autoptr (GArray) list = g_array_new (FALSE, FALSE, sizeof (AmTensor));
  g_autofree char *path = g_build_filename (f->folder, "model.safetensors", NULL);
  g_autofree float *frames = NULL, *other = NULL;
  size_t n;

  g_assert_no_error (error);
  again = am_model_open (f->path, "cpu", AK_F32, 2, &error);
  g_assert_true (again == model);
  weights = am_weights_open (f->path, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < am_weights_count (weights); i++)
    g_array_append_vals (list, am_weights_nth (weights, i), 1);
  am_safetensors_write (path, (const AmTensor *) (void *) list->data, list->len,
      (const char *const[]){ "config", config, NULL }, &error);
  g_assert_no_error (error);
  copy = am_model_open (path, "cpu", AK_F32, 1, &error);
  g_unlink (path);
  g_assert_no_error (error);
  g_assert_cmpstr (am_model_info (copy)->checkpoint, ==, am_model_info (model)->checkpoint);
  frames = speak (model, &n);
  other = speak (copy, &n);
  g_assert_cmpmem (frames, n * sizeof *frames, other, n * sizeof *other);
}

/* Changes one byte of the tensor `name`. */
static void
damage (const char *path, const char *name)
{
  g_autoptr (AmWeights) weights = am_weights_open (path, NULL);
  const AmTensor *t = am_weights_find (weights, name);
  g_autofree char *bytes = NULL;
  gsize size;
  char *at;

  g_assert_nonnull (t);
  g_assert_cmpuint (t->bytes, >=, 1 << 16);
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  at = memmem (bytes, size, t->data, t->bytes);
  g_assert_nonnull (at);
  at[t->bytes / 2] ^= 4;
  g_assert_true (g_file_set_contents (path, bytes, (gssize) size, NULL));
}

/* A damaged entry is found when it is loaded, before anything is computed with it; the rest works. */
static void
test_damaged (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) weights = NULL;
  g_autoptr (AmModel) model = NULL;

  damage (f->path, "audio_encoder.encoder.layers.1.feed_forward.intermediate_dense.weight");
  weights = am_weights_open (f->path, &error);
  g_assert_error (error, AM_ERROR, AM_ERROR_FORMAT);
  g_assert_null (weights);
  g_clear_error (&error);
  model = am_model_open (f->path, "cpu", AK_F32, 2, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 2; i++) { /* not only the first time */
    g_assert_null (am_model_encoder (model, &error));
    g_assert_error (error, AM_ERROR, AM_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, f->path));
    g_assert_nonnull (strstr (error->message, "CRC-32"));
    g_clear_error (&error);
  }
  g_assert_nonnull (am_model_motion (model, &error));
  g_assert_no_error (error);
}

/* bfloat16 is another model object whose motion is near. */
static void
test_bf16 (Fixture *f, gconstpointer device)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = am_model_open (f->path, device, AK_F32, 1, &error);
  g_autoptr (AmModel) half = am_model_open (f->path, device, AK_BF16, 1, &error);
  g_autofree float *a = NULL, *b = NULL;
  double square = 0, error_square = 0;
  size_t n;

  g_assert_no_error (error);
  g_assert_true (half != model);
  a = speak (model, &n);
  b = speak (half, &n);
  for (size_t i = 0; i < n; i++) {
    square += (double) a[i] * a[i];
    error_square += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
  }
  g_test_message ("relative error %.3g", sqrt (error_square / square));
  g_assert_cmpfloat (error_square, >, 0);
  g_assert_cmpfloat (sqrt (error_square / square), <, 0.3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/loading/same", Fixture, NULL, set_up, test_same, tear_down);
  g_test_add ("/loading/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
  g_test_add ("/loading/bf16", Fixture, "cpu", set_up, test_bf16, tear_down);
  g_test_add ("/loading/bf16-onednn", Fixture, "cpu:onednn", set_up, test_bf16, tear_down);
  return g_test_run ();
}
