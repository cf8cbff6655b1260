/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole motion models: every tensor of io.safetensors is looked up among what our run made. */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/model_priv.h"
#include "models/safetensors.h"
#include "models/smooth.h"
#include "synth.h"

#include <glib/gstdio.h>

typedef struct
{
  float *data;
  size_t rows, cols;
} Values;

typedef struct
{
  GoldenCase *c;
  AmModel *model;
  const AmConfig *config;
  AmWeights *io;
  AmWeights *weights; /* of the model */
  GHashTable *made;   /* name -> Values */
} Run;

static void
values_free (gpointer p)
{
  g_free (((Values *) p)->data);
  g_free (p);
}

/* Takes `data`. */
static void
keep (Run *r, char *name, float *data, size_t rows, size_t cols)
{
  Values *v = g_new (Values, 1);

  *v = (Values){ data, rows, cols };
  g_hash_table_replace (r->made, name, v);
}

/* The taps under PREFIX/, or where golden/motion/README.md has them. */
static void
keep_taps (Run *r, const AmTaps *taps, const char *run, const char *prefix, size_t chunk)
{
  const AmConfig *c = r->config;

  for (size_t i = 0; i < am_taps_count (taps); i++) {
    const AmTap *tap = am_taps_nth (taps, i);
    float *data = g_new (float, MAX (tap->rows * tap->cols, 1));
    gboolean scales = strcmp (tap->name, "tokens") == 0 || strcmp (tap->name, "logits") == 0 ||
                      strcmp (tap->name, "bits") == 0;

    am_tap_read (r->model, tap, data);
    if (strcmp (tap->name, "latent") == 0)
      keep (r, g_strdup_printf ("%s/code_margin", prefix),
          golden_code_margins (r->weights, &c->mimi, data, tap->rows), c->mimi.quantizers,
          tap->rows);
    for (unsigned s = 0, rows = 0; scales && s < c->n_scales; s++) {
      rows += c->scales[s];
      keep (r, g_strdup_printf ("%s/s%u/%s", prefix, s, tap->name),
          g_memdup2 (data, rows * tap->cols * sizeof *data), rows, tap->cols);
    }
    if (strcmp (tap->name, "cond") == 0)
      keep (r, g_strdup_printf ("%s/cond", run), data, tap->rows, tap->cols);
    else if (strcmp (tap->name, "audio_cond") == 0)
      keep (r, g_strdup_printf ("audio/%zu/cond", chunk), data, tap->rows, tap->cols);
    else
      keep (r, g_strdup_printf ("%s/%s", prefix, tap->name), data, tap->rows, tap->cols);
  }
}

static gboolean
has_prefix (Run *r, const char *prefix)
{
  for (size_t i = 0; i < am_weights_count (r->io); i++)
    if (g_str_has_prefix (am_weights_nth (r->io, i)->name, prefix))
      return TRUE;
  return FALSE;
}

/* All windows through the encoder; [chunks][steps * channels]. */
static float *
encode (Run *r, const float *samples, size_t n, size_t chunks, GError **error)
{
  const AmModelInfo *info = am_model_info (r->model);
  size_t before = info->before_samples, window = info->window_samples;
  size_t length = before + window + info->ahead_samples,
         each = (size_t) info->steps * info->channels;
  g_autofree float *features = g_new (float, chunks *each), *in = g_new (float, length);
  g_autoptr (AmTaps) taps = am_taps_new ();
  g_autoptr (AmAudioEncoder) enc = am_audio_encoder_new_tapped (r->model, taps, error);

  for (size_t c = 0; enc && c < chunks; c++) {
    g_autofree char *prefix = g_strdup_printf ("audio/%zu", c);
    gint64 start;

    for (size_t i = 0; i < length; i++) {
      size_t at = c * window + i;

      in[i] = at >= before && at - before < n ? samples[at - before] : 0;
    }
    start = g_get_monotonic_time ();
    if (!am_audio_encoder_run (enc, in, features + c * each, NULL, error))
      return NULL;
    if (r->c->golden->times)
      printf (
          "  encoder, window %zu: %.1f ms\n", c, 1e-3 * (double) (g_get_monotonic_time () - start));
    keep_taps (r, taps, "audio", prefix, c);
  }
  return enc ? g_steal_pointer (&features) : NULL;
}

/* Smoothed as a stream of its own. */
static float *
smooth (const float *motion, size_t frames, unsigned dim)
{
  g_autoptr (AmSmooth) s = am_smooth_new (dim, AM_SMOOTH_DELAY);
  g_autofree float *out = g_new (float, (frames + 16) * dim);
  size_t n = 0;

  for (size_t i = 0; i < frames; i++)
    n += am_smooth_push (s, motion + i * dim, out + n * dim);
  n += am_smooth_finish (s, out + n * dim);
  g_assert_cmpuint (n, ==, frames);
  return g_steal_pointer (&out);
}

static gboolean
run_motion (Run *r, const char *run, const float *features, size_t chunks, size_t frames,
    const float *clip, GError **error)
{
  const AmModelInfo *info = am_model_info (r->model);
  size_t each = (size_t) info->steps * info->channels, t = info->window_frames;
  unsigned dim = info->motion_dim;
  g_autofree float *motion = g_new (float, chunks *t *dim), *out = NULL;
  g_autoptr (AmTaps) taps = am_taps_new (), start = am_taps_new (), style = am_taps_new ();
  g_autoptr (AmMotion) m = am_motion_new_tapped (r->model, taps, start, style, error);
  g_autofree char *init = g_strdup_printf ("%s/init", run);

  if (!m || (clip && !am_motion_set_style (m, clip, 1.1f, error)))
    return FALSE;
  for (size_t c = 0; c < chunks; c++) {
    g_autofree char *prefix = g_strdup_printf ("%s/%zu", run, c);
    gint64 begin = g_get_monotonic_time ();

    if (!am_motion_run (m, features + c * each, motion + c * t * dim, NULL, error))
      return FALSE;
    if (r->c->golden->times)
      printf (
          "  %s, window %zu: %.1f ms\n", run, c, 1e-3 * (double) (g_get_monotonic_time () - begin));
    keep_taps (r, taps, run, prefix, c);
  }
  keep_taps (r, start, run, init, 0);
  keep_taps (r, style, run, run, 0);
  out = smooth (motion, frames, dim);
  keep (r, g_strdup_printf ("%s/motion", run), g_memdup2 (motion, frames * dim * sizeof *motion),
      frames, dim);
  keep (r, g_strdup_printf ("%s/smooth", run), g_memdup2 (out, frames * dim * sizeof *out), frames,
      dim);
  for (size_t i = 0; i < frames; i++)
    am_smooth_clean (out + i * dim, dim, FALSE);
  keep (r, g_strdup_printf ("%s/final", run), g_steal_pointer (&out), frames, dim);
  for (size_t n = 1; n <= frames && strcmp (run, "plain") == 0; n++)
    keep (r, g_strdup_printf ("smooth_n/%zu", n), smooth (motion, n, dim), n, dim);
  return TRUE;
}

/* The table of golden/motion/README.md. */
static double
tolerance (const char *name)
{
  static const struct
  {
    const char *part;
    double limit;
  } table[] = { { "/norm", 2e-5 }, { "/resampled", 2e-5 }, { "audio/", 2e-4 }, { "/style/", 2e-5 },
    { "/tokens", 3e-5 }, { "/prev_feat", 3e-5 }, { "/cond", 2e-5 }, { "/ar_layer/", 3e-4 },
    { "/logits", 3e-4 }, { "/dec_in", 1e-5 }, { "/enc_out", 2e-4 } };

  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++)
    if (strstr (name, table[i].part))
      return table[i].limit;
  if (g_str_has_suffix (name, "/z"))
    return 2e-4;
  return 1e-4; /* dec_stream, motion, smooth */
}

/* The margin of bit `i` of the stored bits `name`, from the logits or z beside them; 1 if not stored. */
static double
bit_margin (Run *r, const char *name, size_t i)
{
  const char *end = strrchr (name, '/') + 1;
  gboolean again = strcmp (end, "prev_bits") == 0;
  g_autofree char *base = g_strndup (name, (gsize) (end - name));
  g_autofree char *last = g_strdup_printf ("%ss%u/", base, r->config->n_scales - 1);
  g_autofree char *here = g_strconcat (base, again ? "z" : "logits", NULL);
  g_autofree char *there = g_strconcat (last, "logits", NULL);
  const AmTensor *t = am_weights_find (r->io, here);
  const char *deviation = am_weights_metadata (r->io, "logit_std");
  float v[2];

  if (!t && !again)
    t = am_weights_find (r->io, there);
  if (!t || i * (again ? 1 : 2) >= t->n)
    return 1;
  am_tensor_read_f32 (t, again ? i : 2 * i, again ? 1 : 2, v);
  return again ? fabs (v[0]) * sqrt (r->config->code_dim)
               : fabs ((double) v[1] - v[0]) / (deviation ? g_ascii_strtod (deviation, NULL) : 1);
}

static void
compare_bits (Run *r, const AmTensor *t, const Values *v)
{
  g_autofree float *want = am_tensor_to_f32 (t);
  size_t wrong = 0, close_calls = 0;

  r->c->compared++;
  for (size_t i = 0; i < t->n; i++)
    if ((v->data[i] > 0) != (want[i] > 0)) {
      if (bit_margin (r, t->name, i) < 1e-4)
        close_calls++;
      else
        wrong++;
    }
  if (close_calls)
    printf (
        "%s: %s: %zu bits differ whose margin is below 1e-4\n", r->c->name, t->name, close_calls);
  if (wrong) {
    printf ("%s: %s: %zu of %zu bits are wrong\n", r->c->name, t->name, wrong, t->n);
    r->c->wrong++;
  }
}

/* Codes must be equal where their margin, stored beside them, exceeds 1e-4. */
static void
compare_codes (Run *r, const AmTensor *t, const Values *v)
{
  g_autofree char *folder = g_path_get_dirname (t->name);
  g_autofree char *margin_name = g_strconcat (folder, "/code_margin", NULL);
  const AmTensor *margin = am_weights_find (r->io, margin_name);
  g_autofree int64_t *want = am_tensor_to_i64 (t);
  g_autofree float *margins = margin && margin->n == t->n ? am_tensor_to_f32 (margin) : NULL;
  size_t wrong = 0, close_calls = 0;

  r->c->compared++;
  for (size_t i = 0; i < t->n; i++)
    if (!(v->data[i] == (float) want[i])) {
      if (margins && margins[i] <= 1e-4f)
        close_calls++;
      else
        wrong++;
    }
  if (close_calls)
    printf ("%s: %s: %zu codes differ whose margin is at most 1e-4\n", r->c->name, t->name,
        close_calls);
  if (wrong) {
    printf ("%s: %s: %zu of %zu codes are wrong\n", r->c->name, t->name, wrong, t->n);
    r->c->wrong++;
  }
}

static void
compare (Run *r, const AmTensor *t)
{
  static const char *const inputs[] = { "samples", "style_motion", NULL };
  g_autofree char *name = g_strdup (t->name);
  g_autofree float *got = NULL;
  Values *v;
  size_t step = 1, rows;

  if (g_strv_contains (inputs, name))
    return;
  if (g_str_has_suffix (name, "_every8")) {
    name[strlen (name) - 7] = 0;
    step = 8;
  } else if (g_str_has_suffix (name, "_first4000")) {
    name[strlen (name) - 10] = 0;
  }
  v = g_hash_table_lookup (r->made, name);
  rows = v ? (v->rows + step - 1) / step : 0;
  if (!v || rows * v->cols < t->n ||
      (rows * v->cols != t->n && !g_str_has_suffix (t->name, "_first4000"))) {
    printf ("%s: %s: %s\n", r->c->name, t->name, v ? "of another size" : "not computed");
    r->c->compared++;
    r->c->wrong++;
    return;
  }
  if (t->dtype == AM_U8 && t->n) {
    compare_bits (r, t, v);
    return;
  }
  if (t->dtype == AM_I32) {
    compare_codes (r, t, v);
    return;
  }
  got = g_new (float, MAX (t->n, 1));
  for (size_t i = 0; i < t->n; i++)
    got[i] = v->data[i / v->cols * step * v->cols + i % v->cols];
  golden_compare_tensor (r->c, r->io, t->name, got, t->n, tolerance (t->name));
}

/* Everything that is made of `samples` [n]; `clip` may be NULL. */
static gboolean
run_all (Run *r, const float *samples, size_t n, size_t frames, const float *clip, gboolean plain,
    GError **error)
{
  size_t window = am_model_info (r->model)->window_samples, chunks = (n + window - 1) / window;
  g_autofree float *features = encode (r, samples, n, chunks, error);

  if (!features)
    return FALSE;
  if (plain && !run_motion (r, "plain", features, chunks, frames, NULL, error))
    return FALSE;
  return !clip || run_motion (r, "style", features, chunks, frames, clip, error);
}

static gboolean
run_case (Run *r, GError **error)
{
  const AmTensor *samples_tensor = am_weights_find (r->io, "samples");
  const AmTensor *clip_tensor = am_weights_find (r->io, "style_motion");
  const char *frames_text = am_weights_metadata (r->io, "frames");
  g_autofree float *samples = NULL, *clip = NULL;
  size_t n;

  if (!samples_tensor || !frames_text) {
    g_set_error (
        error, AM_ERROR, AM_ERROR_MISSING, "io.safetensors has no samples, or no number of frames");
    return FALSE;
  }
  samples = am_tensor_to_f32 (samples_tensor);
  n = samples_tensor->n;
  for (size_t i = 0; i < n; i++)
    samples[i] /= 32768;
  if (clip_tensor)
    clip = am_tensor_to_f32 (clip_tensor);
  if (!run_all (r, samples, n, (size_t) g_ascii_strtoull (frames_text, NULL, 10), clip,
          has_prefix (r, "plain/"), error))
    return FALSE;
  for (size_t i = 0; i < am_weights_count (r->io); i++)
    compare (r, am_weights_nth (r->io, i));
  return TRUE;
}

/* The case's weights: given, in its folder, or small enough to be made of its manifest (then to a file
 * that is removed again). Returns NULL if there are none. */
static char *
find_weights (Golden *g, const char *folder, const char *name, gboolean *made, GError **error)
{
  const char *given = g_hash_table_lookup (g->weights, name);
  g_autofree char *weights = g_build_filename (folder, "weights.safetensors", NULL);
  g_autofree char *manifest = g_build_filename (folder, "manifest.json", NULL), *path = NULL;
  GStatBuf st;
  int fd;

  *made = FALSE;
  if (given)
    return g_strdup (given);
  if (g_file_test (weights, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&weights);
  if (g_stat (manifest, &st) != 0 || (st.st_size > 50000 && !g->large))
    return NULL;
  fd = g_file_open_tmp (NULL, &path, error);
  if (fd < 0)
    return NULL;
  g_close (fd, NULL);
  if (synth_write (manifest, -1, path, NULL, error)) {
    *made = TRUE;
    return g_steal_pointer (&path);
  }
  g_unlink (path);
  return NULL;
}

static void
check_case (Golden *g, const char *folder, const char *name)
{
  g_autofree char *io_path = g_build_filename (folder, "io.safetensors", NULL);
  g_autofree char *weights = NULL;
  g_autofree char *config_path = g_build_filename (folder, "config.json", NULL), *text = NULL;
  g_autoptr (GHashTable) made =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, values_free);
  g_autoptr (AmModel) model = NULL;
  g_autoptr (AmWeights) io = NULL, tensors = NULL;
  g_autoptr (GError) error = NULL;
  gboolean made_weights = FALSE;
  GoldenCase c;
  Run r = { .c = &c, .made = made };

  if (!golden_begin (g, &c, "motion/%s", name))
    return;
  if (!g_file_get_contents (config_path, &text, NULL, &error)) {
    golden_fail (&c, "%s", error->message);
    return;
  }
  weights = find_weights (g, folder, c.name, &made_weights, &error);
  if (!weights && !error) {
    golden_skip (&c,
        "no weights.safetensors: give --weights %s=PATH, or --large to make them (some GB)",
        c.name);
    return;
  }
  model = weights ? am_model_open_with_config (weights, text, g->device, AK_F32, g->threads, &error)
                  : NULL;
  tensors = model ? am_weights_open (weights, &error) : NULL;
  if (made_weights)
    g_unlink (weights); /* it stays open */
  io = tensors ? am_weights_open (io_path, &error) : NULL;
  if (io) {
    r.model = model;
    r.config = am_model_config (model);
    r.io = io;
    r.weights = tensors;
    run_case (&r, &error);
  }
  if (error)
    golden_fail (&c, "%s", error->message);
  else
    golden_end (&c);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

void
golden_motion (Golden *g)
{
  g_autofree char *folder = g_build_filename (g->folder, "motion", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *sub = g_build_filename (folder, names->pdata[i], NULL);
    g_autofree char *config = g_build_filename (sub, "config.json", NULL);

    if (g_file_test (config, G_FILE_TEST_EXISTS))
      check_case (g, sub, names->pdata[i]);
  }
}

/* Something like speech: a gliding voice in syllables, with noise between them and a silent end. */
static void
make_audio (gint16 *samples, size_t n)
{
  g_autofree float *noise = g_new (float, n);
  double phase = 0;

  synth_uniform (noise, 0, n, 0, "golden audio", 0, 1);
  for (size_t i = 0; i < n; i++) {
    double t = (double) i / 16000, syllable = 0.5 - 0.5 * cos (2 * G_PI * 3.3 * t);
    double pitch = 140 + 40 * sin (2 * G_PI * 0.7 * t), voice = 0;

    phase += 2 * G_PI * pitch / 16000;
    for (int h = 1; h <= 8; h++)
      voice += sin (h * phase) / (1 + fabs (h - 3.5 - 2 * sin (2 * G_PI * 1.1 * t)));
    voice = 0.12 * syllable * voice + 0.02 * (1 - syllable) * noise[i];
    samples[i] = i + 2000 > n ? 0 : (gint16) lrint (32767 * voice * (t < 1 ? 0.3 : 1));
  }
}

/* What is worth its room in a committed file. */
static gboolean
is_stored (const AmConfig *c, const char *name)
{
  static const char *const skipped[] = { "/norm", "/conv", "/proj", "/posconv", "/layer/",
    "/tokens", "ar_layer", "dec_stream", "dec_in", "smooth_n", "/smooth", "prev_feat", "audio_cond",
    "/enc_out", "/style/encoded" };
  g_autofree char *last = g_strdup_printf ("/s%u/logits", c->n_scales - 1);
  g_auto (GStrv) parts = g_strsplit (name, "/", -1);

  for (unsigned i = 0; i < G_N_ELEMENTS (skipped); i++)
    if (strstr (name, skipped[i]))
      return FALSE;
  if (g_strv_length (parts) == 2 && strcmp (parts[1], "motion") == 0)
    return FALSE; /* the windows are there */
  if (g_str_has_prefix (name, "audio/"))
    return strstr (name, "/final") || strstr (name, "/code");
  if (g_strv_length (parts) == 4) /* run/chunk/scale/… */
    return strstr (name, last) != NULL;
  return TRUE;
}

static int
compare_tensor_names (gconstpointer a, gconstpointer b)
{
  return strcmp (((const AmTensor *) a)->name, ((const AmTensor *) b)->name);
}

/* The smallest |z| sqrt (K), the smallest logit difference in units of their deviation, and the smallest of
 * mimi's codes. */
static void
margins (Run *r, double *z_margin, double *logit_margin, double *deviation, double *code_margin)
{
  GHashTableIter iter;
  gpointer name, value;
  double sum = 0, square = 0, n = 0, least = INFINITY;
  g_autofree char *last = g_strdup_printf ("/s%u/logits", r->config->n_scales - 1);

  *z_margin = *code_margin = INFINITY;
  g_hash_table_iter_init (&iter, r->made);
  while (g_hash_table_iter_next (&iter, &name, &value)) {
    const Values *v = value;
    size_t count = v->rows * v->cols;

    if (g_str_has_suffix (name, "/z"))
      for (size_t i = 0; i < count; i++)
        *z_margin = fmin (*z_margin, fabs (v->data[i]) * sqrt (r->config->code_dim));
    if (g_str_has_suffix (name, "/code_margin"))
      for (size_t i = 0; i < count; i++)
        *code_margin = fmin (*code_margin, v->data[i]);
    if (g_str_has_suffix (name, last))
      for (size_t i = 0; i + 1 < count; i += 2) {
        double d = (double) v->data[i + 1] - v->data[i];

        sum += d;
        square += d * d;
        n++;
        least = fmin (least, fabs (d));
      }
  }
  *deviation = sqrt (square / n - sum / n * (sum / n));
  *logit_margin = least / *deviation;
}

static gboolean
write_case (Run *r, const char *path, const gint16 *samples, size_t n, size_t frames,
    const float *clip, GError **error)
{
  g_autoptr (GArray) list = g_array_new (FALSE, TRUE, sizeof (AmTensor));
  g_autoptr (GPtrArray) bytes = g_ptr_array_new_with_free_func (g_free);
  AmTensor audio = {
    .name = "samples", .dtype = AM_I16, .n_dims = 1, .shape = { n }, .n = n, .data = samples
  };
  AmTensor style = { .name = "style_motion",
    .n_dims = 2,
    .shape = { AM_STYLE_FRAMES, r->config->motion_dim },
    .n = (size_t) AM_STYLE_FRAMES * r->config->motion_dim,
    .data = clip };
  g_autofree char *text[4] = { g_strdup_printf ("%zu", frames), NULL, NULL, NULL };
  char number[3][G_ASCII_DTOSTR_BUF_SIZE];
  double z, logit, deviation, code;
  GHashTableIter iter;
  gpointer name, value;

  margins (r, &z, &logit, &deviation, &code);
  printf ("%s: smallest margins: z %.3g, logits %.3g, codes %.3g\n", r->c->name, z, logit, code);
  g_ascii_formatd (number[0], sizeof number[0], "%.6g", deviation);
  g_ascii_formatd (number[1], sizeof number[1], "%.3g", logit);
  g_ascii_formatd (number[2], sizeof number[2], "%.3g", z);
  g_array_append_val (list, audio);
  g_array_append_val (list, style);
  g_hash_table_iter_init (&iter, r->made);
  while (g_hash_table_iter_next (&iter, &name, &value)) {
    const Values *v = value;
    size_t count = v->rows * v->cols;
    AmTensor t = {
      .name = name, .n_dims = 2, .shape = { v->rows, v->cols }, .n = count, .data = v->data
    };

    if (!is_stored (r->config, name))
      continue;
    if (g_str_has_suffix (name, "bits")) {
      guint8 *b = g_new (guint8, count);

      for (size_t i = 0; i < count; i++)
        b[i] = v->data[i] > 0;
      g_ptr_array_add (bytes, b);
      t.dtype = AM_U8;
      t.data = b;
    } else if (g_str_has_suffix (name, "/codes")) {
      gint32 *codes = g_new (gint32, count);

      for (size_t i = 0; i < count; i++)
        codes[i] = (gint32) v->data[i];
      g_ptr_array_add (bytes, codes);
      t.dtype = AM_I32;
      t.data = codes;
    }
    g_array_append_val (list, t);
  }
  g_array_sort (list, compare_tensor_names);
  for (guint i = 0; i < list->len; i++) {
    AmTensor *t = &g_array_index (list, AmTensor, i);

    t->bytes = t->n * am_dtype_size (t->dtype);
  }
  return am_safetensors_write (path, (const AmTensor *) (void *) list->data, list->len,
      (const char *const[]){ "frames", text[0], "logit_std", number[0], "min_logit_margin_over_std",
          number[1], "min_abs_z_times_sqrt_K", number[2], NULL },
      error);
}

gboolean
golden_make (Golden *g, const char *name, GError **error)
{
  g_autofree char *folder = g_build_filename (g->folder, "motion", name, NULL);
  g_autofree char *config_path = g_build_filename (folder, "config.json", NULL), *text = NULL;
  g_autofree char *io_path = g_build_filename (folder, "io.safetensors", NULL), *weights = NULL;
  g_autoptr (GHashTable) made =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, values_free);
  g_autoptr (AmModel) model = NULL;
  g_autoptr (AmWeights) tensors = NULL;
  g_autofree gint16 *audio = NULL;
  g_autofree float *samples = NULL, *clip = NULL;
  GoldenCase c = { .golden = g, .name = (char *) name };
  Run r = { .c = &c, .made = made };
  gboolean temporary = FALSE;
  size_t n, frames, clip_size;

  if (!g_file_get_contents (config_path, &text, NULL, error))
    return FALSE;
  weights = find_weights (g, folder, name, &temporary, error);
  if (!weights)
    return FALSE;
  model = am_model_open_with_config (weights, text, g->device, AK_F32, g->threads, error);
  tensors = model ? am_weights_open (weights, error) : NULL;
  if (temporary)
    g_unlink (weights);
  if (!tensors)
    return FALSE;
  r.weights = tensors;
  r.model = model;
  r.config = am_model_config (model);
  n = (size_t) (2.6 * am_model_info (model)->window_samples) + 123;
  frames = (n + AM_SAMPLES_PER_FRAME - 1) / AM_SAMPLES_PER_FRAME;
  clip_size = (size_t) AM_STYLE_FRAMES * r.config->motion_dim;
  audio = g_new (gint16, n);
  samples = g_new (float, n);
  clip = g_new (float, clip_size);
  make_audio (audio, n);
  for (size_t i = 0; i < n; i++)
    samples[i] = audio[i] / 32768.0f;
  synth_uniform (clip, 0, clip_size, 0, "golden style", 0, 0.5f);
  return run_all (&r, samples, n, frames, clip, TRUE, error) &&
         write_case (&r, io_path, audio, n, frames, clip, error);
}
