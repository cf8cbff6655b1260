/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* motion/ops: single operations on the device. */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/conv.h"
#include "kernels/level.h"
#include "kernels/norm.h"
#include "kernels/resize.h"
#include "models/bsq.h"
#include "models/seanet.h"
#include "models/smooth.h"
#include "models/wav2vec.h"

typedef struct
{
  GoldenCase *c;
  const AmWeights *io;
  AkDevice *dev;
  AkQueue *queue;
  AkPlan *plan; /* of the operation under way */
} Ops;

static const AmTensor *tensor (Ops *o, const char *format, ...) G_GNUC_PRINTF (2, 3);

static const AmTensor *
tensor (Ops *o, const char *format, ...)
{
  g_autofree char *name = NULL;
  const AmTensor *t;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  t = am_weights_find (o->io, name);
  if (!t)
    g_error ("%s: no tensor %s", am_weights_path (o->io), name);
  return t;
}

static float *
room (Ops *o, size_t n)
{
  return ak_plan_memory (o->plan, MAX (n, 1) * sizeof (float));
}

static float *
upload (Ops *o, const AmTensor *t)
{
  g_autofree float *values = am_tensor_to_f32 (t);
  float *to = room (o, t->n);

  ak_upload (o->queue, to, values, t->n * sizeof *values);
  return to;
}

/* A plan for the next operation. */
static void
begin (Ops *o)
{
  o->plan = ak_plan_new (o->dev);
}

static void
run (Ops *o)
{
  AkStatus status = ak_plan_finish (o->plan);

  if (status == AK_OK)
    status = ak_plan_run (o->plan, o->queue, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (o->queue);
  if (status != AK_OK) {
    printf ("%s: %s\n", o->c->name, ak_status_text (status));
    o->c->wrong++;
  }
}

/* Device memory against the tensor `name`. */
static void
result (Ops *o, const char *name, const float *y, size_t n, double tol)
{
  g_autofree float *got = g_new (float, MAX (n, 1));

  ak_download (o->queue, got, y, n * sizeof *got);
  ak_queue_sync (o->queue);
  golden_compare_tensor (o->c, o->io, name, got, n, tol);
}

static void
end (Ops *o)
{
  ak_plan_free (o->plan);
  o->plan = NULL;
}

/* area/L/to/n and linear/L/to/n. */
static void
check_resize (Ops *o, const AmTensor *t)
{
  g_auto (GStrv) parts = g_strsplit (t->name, "/", -1);
  AkResizeMode mode = strcmp (parts[0], "area") == 0 ? AK_RESIZE_AREA : AK_RESIZE_LINEAR;
  const AmTensor *in;
  float *y;

  if (g_strv_length (parts) != 4)
    return;
  in = tensor (o, "%s/%s/in", parts[0], parts[1]);
  begin (o);
  y = room (o, t->n);
  ak_resize (o->plan, &(AkResize){ .y = ak_dense (y, t->shape[0], t->shape[1]),
                          .x = ak_dense (upload (o, in), in->shape[0], in->shape[1]),
                          .mode = mode,
                          .batch = 1,
                          .in_rows = in->shape[0],
                          .out_rows = t->shape[0],
                          .cols = t->shape[1],
                          .factor = 1 });
  run (o);
  result (o, t->name, y, t->n, mode == AK_RESIZE_AREA ? 1e-5 : 5e-5);
  end (o);
}

static void
compare_bits (Ops *o, const char *name, AkPlan *plan, AkBits bits, size_t rows, size_t cols)
{
  float *y = room (o, rows * cols);

  ak_bits_values (plan, ak_dense (y, rows, cols), bits, 0.5f, 1, rows, cols);
  run (o);
  {
    g_autofree float *got = g_new (float, rows *cols);

    ak_download (o->queue, got, y, rows * cols * sizeof *got);
    ak_queue_sync (o->queue);
    for (size_t i = 0; i < rows * cols; i++)
      got[i] += 0.5f;
    golden_compare_tensor (o->c, o->io, name, got, rows * cols, 0);
  }
}

static void
check_bsq (Ops *o, const char *name)
{
  const AmTensor *in = tensor (o, "bsq/%s/in", name), *nums = tensor (o, "bsq/%s/patch_nums", name);
  const AmTensor *random = tensor (o, "bsq/%s/random_bits", name);
  g_autofree int64_t *scales = am_tensor_to_i64 (nums), *bits_in = am_tensor_to_i64 (random);
  g_autofree uint8_t *bytes = g_new (uint8_t, MAX (random->n, 1));
  g_autoptr (AmTaps) taps = am_taps_new ();
  AmConfig c = { .n_scales = (unsigned) nums->n,
    .code_dim = (unsigned) in->shape[1],
    .frames = (unsigned) in->shape[0] };
  size_t k = c.code_dim, t = c.frames, rest;
  AkBits bits, other;
  AkRows sum, feats;
  g_autofree char *n_z = g_strdup_printf ("bsq/%s/z", name),
                  *n_bits = g_strdup_printf ("bsq/%s/bits", name);

  for (unsigned i = 0; i < c.n_scales; i++)
    c.tokens += c.scales[i] = (unsigned) scales[i];
  rest = c.tokens - c.scales[0];
  begin (o);
  bits = (AkBits){ (uint8_t *) room (o, c.tokens * k), k, c.tokens * k };
  other = (AkBits){ (uint8_t *) room (o, c.tokens * k), k, c.tokens * k };
  for (size_t i = 0; i < random->n; i++)
    bytes[i] = (uint8_t) bits_in[i];
  ak_upload (o->queue, other.data, bytes, random->n);
  sum = ak_dense (room (o, t * k), t, k);
  feats = ak_dense (room (o, rest * k), rest, k);
  am_bsq_encode (o->plan, &c, bits, ak_dense (upload (o, in), t, k), 1, taps);
  am_bsq_sum (o->plan, &c, sum, feats, bits, 1);
  compare_bits (o, n_bits, o->plan, bits, c.tokens, k);
  result (o, n_z, am_taps_nth (taps, 0)->data, c.tokens * k, 1e-4);
  for (int i = 0; i < 2; i++) {
    g_autofree char *n_sum = g_strdup_printf ("bsq/%s/%ssum_feat", name, i ? "random_" : "");
    g_autofree char *n_feats = g_strdup_printf ("bsq/%s/%snext_feats", name, i ? "random_" : "");
    g_autofree char *n_quantized = g_strdup_printf ("bsq/%s/quantized", name);

    if (i) {
      end (o);
      begin (o);
      other.data = (uint8_t *) room (o, c.tokens * k);
      ak_upload (o->queue, other.data, bytes, random->n);
      sum = ak_dense (room (o, t * k), t, k);
      feats = ak_dense (room (o, rest * k), rest, k);
      am_bsq_sum (o->plan, &c, sum, feats, other, 1);
      run (o);
    } else {
      result (o, n_quantized, sum.data, t * k, 5e-5);
    }
    result (o, n_sum, sum.data, t * k, 5e-5);
    result (o, n_feats, feats.data, rest * k, 5e-5);
  }
  for (unsigned s = 0; s + 1 < c.n_scales; s++) {
    g_autofree char *n = g_strdup_printf ("bsq/%s/random_ar_feats/%u", name, s);

    if (am_weights_find (o->io, n))
      result (
          o, n, feats.data, (am_bsq_first (&c, s + 1) + c.scales[s + 1] - c.scales[0]) * k, 5e-5);
  }
  end (o);
}

static void
check_activations (Ops *o)
{
  static const struct
  {
    const char *name;
    AkActivation act;
  } list[] = { { "gelu/erf", AK_ACT_GELU }, { "gelu/tanh", AK_ACT_GELU_TANH },
    { "silu/out", AK_ACT_SILU }, { "elu/out", AK_ACT_ELU },
    { "leaky_relu_0.2/out", AK_ACT_LEAKY_RELU } };
  const AmTensor *in = tensor (o, "gelu/in");

  for (unsigned i = 0; i < G_N_ELEMENTS (list); i++) {
    float *y;

    begin (o);
    y = room (o, in->n);
    ak_activate (o->plan, &(AkActivate){ .y = ak_dense (y, 1, in->n),
                              .x = ak_dense (upload (o, in), 1, in->n),
                              .activation = list[i].act,
                              .batch = 1,
                              .rows = 1,
                              .cols = in->n });
    run (o);
    result (o, list[i].name, y, in->n, 1e-6);
    end (o);
  }
}

static void
check_posconv (Ops *o, const char *name)
{
  const AmTensor *vt = tensor (o, "posconv/%s/v", name), *in = tensor (o, "posconv/%s/in", name);
  g_autofree float *v = am_tensor_to_f32 (vt),
                   *g = am_tensor_to_f32 (tensor (o, "posconv/%s/g", name));
  g_autofree int64_t *groups = am_tensor_to_i64 (tensor (o, "posconv/%s/groups", name));
  size_t out = vt->shape[0], k = vt->shape[2], rows = in->shape[0];
  g_autofree char *n_weight = g_strdup_printf ("posconv/%s/weight", name);
  g_autofree char *n_conv = g_strdup_printf ("posconv/%s/conv", name);
  g_autofree char *n_out = g_strdup_printf ("posconv/%s/out", name);
  AkMatrix *m;
  AkStatus status;
  AkConv a;

  am_wav2vec_normalise (v, g, vt->n / k, k);
  golden_compare_tensor (o->c, o->io, n_weight, v, vt->n, 1e-6);
  m = ak_matrix_new_conv (o->dev, v, out, out, k, (size_t) groups[0], AK_F32, &status);
  begin (o);
  a = (AkConv){ .y = ak_dense (room (o, rows * out), rows, out),
    .x = ak_dense (upload (o, in), rows, out),
    .matrix = m,
    .bias = upload (o, tensor (o, "posconv/%s/bias", name)),
    .batch = 1,
    .rows = rows,
    .stride = 1,
    .dilation = 1,
    .left = k / 2,
    .right = k / 2 - (k % 2 == 0) };
  ak_conv (o->plan, &a);
  run (o);
  result (o, n_conv, a.y.data, rows * out, 1e-5);
  ak_plan_free (o->plan);
  begin (o);
  a.y.data = room (o, rows * out);
  a.x.data = upload (o, in);
  a.bias = upload (o, tensor (o, "posconv/%s/bias", name));
  a.activation = AK_ACT_GELU;
  a.residual = a.x;
  ak_conv (o->plan, &a);
  run (o);
  result (o, n_out, a.y.data, rows * out, 1e-5);
  end (o);
  ak_matrix_free (m);
}

static void
check_norm (Ops *o, const AmTensor *t)
{
  const AmTensor *in =
      tensor (o, strstr (t->name, "zero_row") ? "norm/unit_zero_row_in" : "norm/in");
  gboolean affine = strcmp (t->name, "norm/layer_norm_1e-5") == 0;
  size_t rows = in->shape[0], cols = in->shape[1];
  AkRows y, x;

  begin (o);
  y = ak_dense (room (o, t->n), rows, cols);
  x = ak_dense (upload (o, in), rows, cols);
  if (strstr (t->name, "unit"))
    ak_unit_norm (o->plan,
        &(AkUnitNorm){ .y = y, .x = x, .batch = 1, .rows = rows, .heads = 1, .dim = cols });
  else
    ak_layer_norm (o->plan, &(AkLayerNorm){ .y = y,
                                .x = x,
                                .weight = affine ? upload (o, tensor (o, "norm/weight")) : NULL,
                                .bias = affine ? upload (o, tensor (o, "norm/bias")) : NULL,
                                .eps = affine ? 1e-5f : 1e-6f,
                                .batch = 1,
                                .rows = rows,
                                .cols = cols });
  run (o);
  result (o, t->name, y.data, t->n, 1e-5);
  end (o);
}

static void
check_savgol (Ops *o, const char *n_out)
{
  g_auto (GStrv) parts = g_strsplit (n_out, "/", -1);
  const AmTensor *in = tensor (o, "savgol/%s/in", parts[1]);
  g_autofree float *frames = am_tensor_to_f32 (in), *out = g_new (float, in->n + 16 * in->shape[1]);
  unsigned dim = (unsigned) in->shape[1];
  g_autoptr (AmSmooth) s = am_smooth_new (dim, AM_SMOOTH_DELAY);
  size_t n = 0;

  for (size_t i = 0; i < in->shape[0]; i++)
    n += am_smooth_push (s, frames + i * dim, out + n * dim);
  n += am_smooth_finish (s, out + n * dim);
  golden_compare_tensor (o->c, o->io, n_out, out, n * dim, 1e-6);
}

/* resample_16_24/n/in. */
static void
check_resample (Ops *o, const AmTensor *in)
{
  g_auto (GStrv) parts = g_strsplit (in->name, "/", -1);
  g_autofree char *n_out = g_strdup_printf ("resample_16_24/%s/out", parts[1]);
  size_t rows = am_seanet_resample_rows (in->n), n = (3 * in->n + 1) / 2;
  double kernel[48];
  float values[48], *y;
  AkMatrix *m;
  AkStatus status;

  am_seanet_resample_kernel (kernel);
  for (int i = 0; i < 48; i++)
    values[i] = (float) kernel[i];
  golden_compare_tensor (o->c, o->io, "resample_16_24/kernel", values, 48, 2e-7);
  m = ak_matrix_new_conv (o->dev, values, 3, 1, 16, 1, AK_F32, &status);
  begin (o);
  y = room (o, 3 * rows);
  am_seanet_resample (o->plan, m, ak_dense (y, rows, 3), upload (o, in), 1, in->n);
  run (o);
  result (o, n_out, y, n, 2e-6);
  end (o);
  ak_matrix_free (m);
}

static void
check_audio_norm (Ops *o)
{
  const AmTensor *in = tensor (o, "audio_norm/samples");
  g_autofree float *samples = am_tensor_to_f32 (in);
  float *x, *y;

  for (size_t i = 0; i < in->n; i++)
    samples[i] /= 32768;
  begin (o);
  x = room (o, in->n);
  y = room (o, in->n);
  ak_upload (o->queue, x, samples, in->n * sizeof *samples);
  ak_level_window (o->plan, y, x, 1, in->n);
  run (o);
  result (o, "audio_norm/out", y, in->n, 2e-6);
  end (o);
}

static void
check_frame_count (Ops *o)
{
  const AmTensor *t = tensor (o, "frame_count/samples");
  g_autofree int64_t *samples = am_tensor_to_i64 (t);
  g_autofree int64_t *exact = am_tensor_to_i64 (tensor (o, "frame_count/exact"));

  o->c->compared++;
  for (size_t i = 0; i < t->n; i++)
    if ((samples[i] + AM_SAMPLES_PER_FRAME - 1) / AM_SAMPLES_PER_FRAME != exact[i]) {
      printf (
          "%s: frame_count/exact: wrong for %lld samples\n", o->c->name, (long long) samples[i]);
      o->c->wrong++;
      break;
    }
}

static void
check_all (Ops *o)
{
  for (size_t i = 0; i < am_weights_count (o->io); i++) {
    const AmTensor *t = am_weights_nth (o->io, i);
    g_auto (GStrv) parts = g_strsplit (t->name, "/", -1);
    const char *last = parts[g_strv_length (parts) - 1];

    if (strcmp (parts[0], "area") == 0 || strcmp (parts[0], "linear") == 0)
      check_resize (o, t);
    else if (strcmp (parts[0], "bsq") == 0 && strcmp (last, "in") == 0)
      check_bsq (o, parts[1]);
    else if (strcmp (parts[0], "posconv") == 0 && strcmp (last, "in") == 0)
      check_posconv (o, parts[1]);
    else if (strcmp (parts[0], "resample_16_24") == 0 && strcmp (last, "in") == 0)
      check_resample (o, t);
    else if (strcmp (parts[0], "savgol") == 0 && strcmp (last, "out") == 0)
      check_savgol (o, t->name);
    else if (strcmp (parts[0], "norm") == 0 && !g_str_has_suffix (last, "in") &&
             strcmp (last, "weight") != 0 && strcmp (last, "bias") != 0)
      check_norm (o, t);
  }
  check_activations (o);
  check_audio_norm (o);
  check_frame_count (o);
}

void
golden_ops (Golden *g)
{
  g_autofree char *path = g_build_filename (g->folder, "motion", "ops", "io.safetensors", NULL);
  g_autoptr (AmWeights) io = NULL;
  g_autoptr (GError) error = NULL;
  GoldenCase c;
  AkStatus status;
  Ops o = { .c = &c };

  if (!g_file_test (path, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "motion/ops"))
    return;
  io = am_weights_open (path, &error);
  o.dev = ak_device_open (g->device, g->threads, &status);
  if (!io || !o.dev) {
    golden_fail (&c, "%s", io ? ak_status_text (status) : error->message);
    ak_device_unref (o.dev);
    return;
  }
  o.io = io;
  o.queue = ak_queue_new (o.dev);
  check_all (&o);
  golden_end (&c);
  ak_queue_free (o.queue);
  ak_device_unref (o.dev);
}
