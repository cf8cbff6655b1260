/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* avatar/styleunet, the upsampler of avatar/full_size, and avatar/gs_generators/resize_ops. Pictures are
 * [channels][height][width] in the files, channels last here. */
#include "golden.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "kernels/norm.h"
#include "kernels/resize2d.h"
#include "models/modconv.h"
#include "models/resblock.h"
#include "models/styleunet.h"
#include "synth.h"

/* How often the error of float32 (README.md) is allowed, and the least that is. */
#define ERRORS 10
#define LEAST 2e-7

typedef struct
{
  GoldenCase *c;
  AmWeights *io;
  AkDevice *dev;
  AkQueue *queue;
  AkPlan *plan;
  AmPart *part; /* the tensors of `io` as weights */
  JsonObject *errors;
} Run;

static float *
to_channels_last (const float *from, size_t channels, size_t pixels)
{
  float *to = g_new (float, MAX (channels * pixels, 1));

  for (size_t p = 0; p < pixels; p++)
    for (size_t c = 0; c < channels; c++)
      to[p * channels + c] = from[c * pixels + p];
  return to;
}

static const AmTensor *find (Run *r, const char *format, ...) G_GNUC_PRINTF (2, 3);

static const AmTensor *
find (Run *r, const char *format, ...)
{
  g_autofree char *name = NULL;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  return am_weights_find (r->io, name);
}

static float *
room (Run *r, size_t n)
{
  return ak_plan_memory (r->plan, n * sizeof (float));
}

/* A picture [(batch,) channels, height, width] on the device, channels last. */
static float *
upload (Run *r, const AmTensor *t)
{
  const size_t *s = t->shape + t->n_dims - 3;
  size_t n = s[0] * s[1] * s[2];
  g_autofree float *values = am_tensor_to_f32 (t);
  float *to = room (r, t->n);

  for (size_t b = 0; to && b < t->n / n; b++) {
    g_autofree float *image = to_channels_last (values + b * n, s[0], s[1] * s[2]);

    ak_upload (r->queue, to + b * n, image, n * sizeof *image);
  }
  return to;
}

static float *
upload_plain (Run *r, const AmTensor *t)
{
  g_autofree float *values = am_tensor_to_f32 (t);
  float *to = room (r, t->n);

  if (to)
    ak_upload (r->queue, to, values, t->n * sizeof *values);
  return to;
}

/* Largest distance of device memory `y`, channels last, to a tensor of pictures. */
static void
compare (Run *r, const char *name, const float *y, const AmTensor *want, double tol)
{
  size_t channels = want->shape[want->n_dims >= 3 ? want->n_dims - 3 : want->n_dims - 1];
  size_t pixels =
      want->n_dims >= 3 ? want->shape[want->n_dims - 2] * want->shape[want->n_dims - 1] : 1;
  g_autofree float *got = g_new (float, want->n), *values = am_tensor_to_f32 (want);
  double worst = 0;

  ak_download (r->queue, got, y, want->n * sizeof *got);
  ak_queue_sync (r->queue);
  for (size_t b = 0; b < want->n / (channels * pixels); b++) {
    g_autofree float *last = to_channels_last (values + b * channels * pixels, channels, pixels);
    double e = golden_largest (got + b * channels * pixels, last, channels * pixels);

    if (!(e <= worst))
      worst = e;
  }
  golden_compare_error (r->c, name, worst, tol);
}

static gboolean
run_plan (Run *r)
{
  AkStatus status = ak_plan_finish (r->plan);

  if (status == AK_OK)
    status = ak_plan_run (r->plan, r->queue, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (r->queue);
  if (status != AK_OK) {
    golden_compare_error (r->c, ak_status_text (status), NAN, 1);
    return FALSE;
  }
  return TRUE;
}

static void
end_run (Run *r)
{
  ak_plan_free (r->plan);
  ak_queue_free (r->queue);
  ak_device_unref (r->dev);
  am_weights_unref (r->io);
}

/* Opens the case's tensors; FALSE after golden_fail(). */
static gboolean
begin_run (Run *r, GoldenCase *c, const char *path)
{
  g_autoptr (GError) error = NULL;
  AkStatus status;

  *r = (Run){ .c = c };
  r->io = am_weights_open (path, &error);
  r->dev = r->io ? ak_device_open (c->golden->device, c->golden->threads, &status) : NULL;
  r->queue = r->dev ? ak_queue_new (r->dev) : NULL;
  if (r->queue)
    return TRUE;
  end_run (r);
  golden_fail (c, "%s", error ? error->message : "no device");
  return FALSE;
}

/* The result of `record` for the tensor NAME.out against NAME.out_f64. */
typedef float *Record (Run *r, const char *name, const AmTensor *in, const AmTensor *out);

static void
one (Run *r, Record *record, const char *name, double tol)
{
  const AmTensor *in = find (r, "%s.in", name), *out = find (r, "%s.out_f64", name);
  float *y;

  if (!in)
    in = find (r, "%s.in0", name);
  if (!out)
    out = find (r, "%s.out", name);
  if (!in || !out) {
    golden_compare_error (r->c, name, NAN, tol);
    return;
  }
  r->part = am_part_new (r->dev, AK_F32, r->io);
  r->plan = ak_plan_new (r->dev);
  y = record (r, name, in, out);
  if (run_plan (r))
    compare (r, name, y, out, tol);
  ak_plan_free (r->plan);
  am_part_free (r->part);
  r->plan = NULL;
  r->part = NULL;
}

static float *
record_resize (Run *r, const char *name, const AmTensor *in, const AmTensor *out)
{
  const size_t *from = in->shape + in->n_dims - 3, *to = out->shape + out->n_dims - 3;
  float *y = room (r, out->n);

  ak_resize2d (r->plan, &(AkResize2d){ .y = ak_dense (y, to[1] * to[2], to[0]),
                            .x = ak_dense (upload (r, in), from[1] * from[2], from[0]),
                            .mode = g_str_has_prefix (name, "aa_")   ? AK_RESIZE2D_SMOOTH
                                    : g_str_has_prefix (name, "ac_") ? AK_RESIZE2D_CORNERS
                                                                     : AK_RESIZE2D_LINEAR,
                            .batch = 1,
                            .in_height = from[1],
                            .in_width = from[2],
                            .out_height = to[1],
                            .out_width = to[2],
                            .channels = to[0] });
  return y;
}

static float *
record_deconv (Run *r, const char *name, const AmTensor *in, const AmTensor *out)
{
  size_t k = out->shape[1] / in->shape[1];
  const AkMatrix *rows[8];
  g_autofree char *weight = g_strdup_printf ("%s.weight", name),
                  *bias = g_strdup_printf ("%s.bias", name);
  const float *biases =
      am_part_deconv2d (r->part, rows, MIN (k, 8), out->shape[0], in->shape[0], weight, bias);
  float *y = room (r, out->n);

  ak_deconv2d (r->plan, &(AkDeconv2d){ .y = y,
                            .x = upload (r, in),
                            .rows = rows,
                            .bias = biases,
                            .side = k,
                            .batch = 1,
                            .height = in->shape[1],
                            .width = in->shape[2] });
  return y;
}

static void
check_resize_ops (Golden *g)
{
  g_autofree char *path =
      g_build_filename (g->folder, "avatar", "gs_generators", "resize_ops.safetensors", NULL);
  GoldenCase c;
  Run r;

  if (!g_file_test (path, G_FILE_TEST_EXISTS) ||
      !golden_begin (g, &c, "avatar/gs_generators/resize_ops") || !begin_run (&r, &c, path))
    return;
  for (size_t i = 0; i < am_weights_count (r.io); i++) {
    const char *tensor = am_weights_nth (r.io, i)->name;
    g_autofree char *name = g_strndup (tensor, strcspn (tensor, "."));

    if (!g_str_has_suffix (tensor, ".in"))
      continue;
    /* published positions are float32, these are exact, so 10 times 4.3e-6 is not needed */
    if (g_str_has_prefix (name, "deconv"))
      one (&r, record_deconv, name, 1e-5);
    else
      one (&r, record_resize, name, 2e-6);
  }
  end_run (&r);
  golden_end (&c);
}

static float *
record_modconv (Run *r, const char *name, const AmTensor *in, const AmTensor *out)
{
  gboolean doubled = g_str_has_suffix (name, "_up") || g_str_has_suffix (name, "wide");
  gboolean styled = strcmp (name, "styleconv_up") == 0, rgb = strcmp (name, "to_rgb_up") == 0;
  gboolean plain = rgb || strstr (name, "nodemod") != NULL;
  g_autofree char *prefix = g_strconcat (name, styled || rgb ? ".modulated_conv." : ".", NULL);
  const AmTensor *style = find (r, "%s.in1", name), *other = find (r, "%s.in2", name);
  size_t batch = in->shape[0], height = in->shape[2], width = in->shape[3];
  AmModconv m = { 0 };
  AkConv2d conv = { .batch = batch, .stride = 1 };
  float *x = upload (r, in), *y = room (r, out->n);

  am_modconv_load (r->part, &m, plain ? 0 : styled ? (float) G_SQRT2 : 1, prefix);
  am_part_finish (r->part, NULL); /* matrices are filled in the background until then */
  if (!m.weight || !style)
    return NULL;
  if (doubled && !rgb) {
    float *large = room (r, 4 * in->n);

    ak_resize2d (r->plan, &(AkResize2d){ .y = ak_dense (large, 4 * height * width, m.in),
                              .x = ak_dense (x, height * width, m.in),
                              .mode = AK_RESIZE2D_LINEAR,
                              .batch = batch,
                              .in_height = height,
                              .in_width = width,
                              .out_height = 2 * height,
                              .out_width = 2 * width,
                              .channels = m.in });
    x = large;
    height *= 2;
    width *= 2;
  }
  conv.x = ak_dense (x, height * width, m.in);
  conv.y = ak_dense (y, height * width, m.out);
  conv.height = height;
  conv.width = width;
  conv.padding = m.side / 2;
  if (styled || rgb)
    conv.bias = am_part_vector (r->part, m.out, "%s.bias", name);
  if (styled) {
    g_autofree float *strength = am_part_host (r->part, 1, "%s.weight", name);
    float *noise = upload_plain (r, other), *scaled = room (r, other->n);

    ak_blend (r->plan, &(AkBlend){ .y = ak_dense (scaled, 1, other->n),
                           .a = ak_dense (noise, 1, other->n),
                           .alpha = strength ? *strength : NAN,
                           .batch = 1,
                           .rows = 1,
                           .cols = other->n });
    conv.noise = (AkRows){ scaled, 1, 0 };
    conv.activation = AK_ACT_LEAKY_RELU;
  }
  if (rgb) {
    conv.residual = ak_dense (room (r, out->n), height * width, m.out);
    ak_resize2d (r->plan, &(AkResize2d){ .y = conv.residual,
                              .x = ak_dense (upload (r, other), height * width / 4, m.out),
                              .mode = AK_RESIZE2D_LINEAR,
                              .batch = batch,
                              .in_height = height / 2,
                              .in_width = width / 2,
                              .out_height = height,
                              .out_width = width,
                              .channels = m.out });
  }
  am_modconv_record (&m, r->plan, &conv, upload_plain (r, style), batch);
  ak_conv2d (r->plan, &conv);
  return y;
}

/* The identity 1 x 1 convolution with gate and residual. */
static float *
record_sft (Run *r, const char *name, const AmTensor *in, const AmTensor *out)
{
  size_t c = in->shape[1], n = in->shape[2] * in->shape[3];
  g_autofree float *identity = g_new0 (float, c *c);
  float *y = room (r, out->n);

  for (size_t i = 0; i < c; i++)
    identity[i * c + i] = 1;
  ak_conv2d (r->plan, &(AkConv2d){ .y = ak_dense (y, n, c),
                          .x = ak_dense (upload (r, in), n, c),
                          .matrix = am_part_conv2d_values (r->part, identity, c, c, 1),
                          .gate = ak_dense (upload (r, find (r, "%s.in1", name)), n, c),
                          .residual = ak_dense (upload (r, find (r, "%s.in2", name)), n, c),
                          .batch = 1,
                          .height = in->shape[2],
                          .width = in->shape[3],
                          .stride = 1 });
  return y;
}

static float *
record_pixel_norm (Run *r, const char *name, const AmTensor *in, const AmTensor *out)
{
  size_t rows = in->shape[0], cols = in->shape[1];
  float *y = room (r, out->n);

  ak_rms_norm (r->plan, &(AkRmsNorm){ .y = ak_dense (y, rows, cols),
                            .x = ak_dense (upload_plain (r, in), rows, cols),
                            .eps = 1e-8f,
                            .batch = 1,
                            .rows = rows,
                            .cols = cols });
  return y;
}

static float *
record_resblock (Run *r, const char *name, const AmTensor *in, const AmTensor *out)
{
  g_autofree char *prefix = g_strconcat (name, ".", NULL);
  size_t most = 4 * (in->n + out->n);
  AmResblock b = { 0 };
  AmResblockMemory memory = { room (r, most), room (r, most), room (r, most) };
  float *y = room (r, out->n);

  am_resblock_load (r->part, &b, prefix);
  am_part_finish (r->part, NULL);
  am_resblock_record (&b, r->plan, y, upload (r, in), in->shape[2], in->shape[3],
      g_str_has_suffix (name, "_up"), &memory, (AmResblockSpans){ 0 });
  return y;
}

static void
check_styleunet_ops (Golden *g, const char *dir)
{
  static const struct
  {
    const char *prefix;
    Record *record;
  } records[] = { { "modconv", record_modconv }, { "styleconv", record_modconv },
    { "to_rgb", record_modconv }, { "up2", record_resize }, { "down2", record_resize },
    { "sft", record_sft }, { "pixel_norm", record_pixel_norm }, { "resblock", record_resblock } };
  g_autofree char *path = g_build_filename (dir, "ops.safetensors", NULL);
  g_autofree char *errors = g_build_filename (dir, "ops_errors.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GoldenCase c;
  Run r;

  if (!g_file_test (path, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "avatar/styleunet/ops"))
    return;
  if (!json_parser_load_from_file (parser, errors, NULL)) {
    golden_fail (&c, "%s cannot be read", errors);
    return;
  }
  if (!begin_run (&r, &c, path))
    return;
  for (size_t i = 0; i < am_weights_count (r.io); i++) {
    const char *tensor = am_weights_nth (r.io, i)->name;
    g_autofree char *name = g_strndup (tensor, strcspn (tensor, "."));
    Record *record = NULL;

    if (!g_str_has_suffix (tensor, ".out_f64"))
      continue;
    for (size_t k = 0; k < G_N_ELEMENTS (records); k++)
      if (g_str_has_prefix (name, records[k].prefix))
        record = records[k].record;
    if (record)
      one (&r, record, name,
          LEAST + ERRORS * json_object_get_double_member_with_default (
                               json_node_get_object (json_parser_get_root (parser)), name, 0));
    else
      golden_compare_error (&c, tensor, NAN, 1);
  }
  end_run (&r);
  golden_end (&c);
}

/* The network of `weights` over the host's picture `x`, channels first; fills `taps`. Returns the result
 * in device memory of r->plan. */
static float *
run_styleunet (Run *r, AmStyleunet *w, const float *x, AmNoise noise, AmTaps *taps)
{
  const AmStyleunetInfo *info = am_styleunet_info (w);
  size_t n = info->side * info->side;
  g_autofree float *image = to_channels_last (x, info->features, n);
  float *in, *out;

  r->plan = ak_plan_new (r->dev);
  in = room (r, n * info->features);
  out = room (r, n * info->colours);
  am_styleunet_record (w, r->plan, out, in, noise, NULL, NULL, taps);
  if (in)
    ak_upload (r->queue, in, image, n * info->features * sizeof *image);
  return run_plan (r) ? out : NULL;
}

static void
check_tensors (Run *r, AmStyleunet *w, AmNoise noise, JsonObject *all)
{
  const char *prefix = noise == AM_NOISE_NONE ? "no_noise" : "fixed_noise";
  JsonObject *errors = json_object_get_object_member (all, prefix);
  g_autoptr (AmTaps) taps = am_taps_new ();
  g_autofree float *x = am_tensor_to_f32 (find (r, "input"));
  float *out = run_styleunet (r, w, x, noise, taps);

  for (size_t i = 0; out && i < am_weights_count (r->io); i++) {
    const AmTensor *t = am_weights_nth (r->io, i);
    const char *name = t->name + strlen (prefix) + 1;
    gboolean exact = g_str_has_suffix (t->name, "_f64");
    double error;
    size_t k = 0;

    if (!g_str_has_prefix (t->name, prefix))
      continue;
    while (!exact && k < am_taps_count (taps) && strcmp (am_taps_nth (taps, k)->name, name) != 0)
      k++;
    error = json_object_get_double_member_with_default (errors, exact ? "image" : name, 0);
    if (exact)
      compare (r, t->name, out, t, LEAST + ERRORS * error);
    else if (k < am_taps_count (taps) &&
             am_taps_nth (taps, k)->rows * am_taps_nth (taps, k)->cols == t->n)
      compare (r, t->name, am_taps_nth (taps, k)->data, t, LEAST + ERRORS * error);
    else
      golden_compare_error (r->c, t->name, NAN, 1);
  }
  ak_plan_free (r->plan);
  r->plan = NULL;
}

static void
check_styleunet (Golden *g, const char *dir, const char *name)
{
  g_autofree char *io = g_strdup_printf ("%s/%s_io.safetensors", dir, name);
  g_autofree char *weights_path = g_strdup_printf ("%s/%s_weights.safetensors", dir, name);
  g_autofree char *json = g_strdup_printf ("%s/%s.json", dir, name);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (AmWeights) weights = NULL;
  g_autoptr (AmPart) part = NULL;
  g_autoptr (AmStyleunet) w = NULL;
  g_autoptr (GError) error = NULL;
  JsonObject *errors;
  GoldenCase c;
  Run r;

  if (!golden_begin (g, &c, "avatar/styleunet/%s", name) || !begin_run (&r, &c, io))
    return;
  weights = am_weights_open (weights_path, &error);
  if (weights && json_parser_load_from_file (parser, json, &error)) {
    part = am_part_new (r.dev, AK_F32, weights);
    w = am_styleunet_load (part, "upsampler.");
    am_part_finish (part, &error);
  }
  if (error) {
    end_run (&r);
    golden_fail (&c, "%s", error->message);
    return;
  }
  errors = json_object_get_object_member (
      json_node_get_object (json_parser_get_root (parser)), "f32_vs_f64_max");
  check_tensors (&r, w, AM_NOISE_FIXED, errors);
  check_tensors (&r, w, AM_NOISE_NONE, errors);
  end_run (&r);
  golden_end (&c);
}

/* Every `stride`-th pixel of `y` [side · side][colours], from (row, col) on, against the tensor. */
static void
compare_strided (Run *r, const char *name, const float *y, size_t side, size_t stride, size_t row,
    size_t col, double tol)
{
  const AmTensor *t = find (r, "%s", name);
  size_t n = side / stride, colours = 3;
  g_autofree float *got = g_new (float, colours *side *side), *want = NULL,
                   *picked = g_new (float, colours *n *n);

  if (!t || t->n != colours * n * n) {
    golden_compare_error (r->c, name, NAN, tol);
    return;
  }
  want = am_tensor_to_f32 (t);
  ak_download (r->queue, got, y, colours * side * side * sizeof *got);
  ak_queue_sync (r->queue);
  for (size_t k = 0; k < colours; k++)
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++)
        picked[(k * n + i) * n + j] =
            got[((row + i * stride) * side + col + j * stride) * colours + k];
  golden_compare_error (r->c, name, golden_largest (picked, want, t->n), tol);
}

static void
check_full_size (Golden *g)
{
  g_autofree char *dir = g_build_filename (g->folder, "avatar", "full_size", NULL);
  g_autofree char *io = g_build_filename (dir, "gagavatar_io.safetensors", NULL);
  g_autofree char *manifest = g_build_filename (dir, "gagavatar_manifest.json", NULL);
  g_autoptr (AmWeights) weights = NULL;
  g_autoptr (AmPart) part = NULL;
  g_autoptr (AmStyleunet) w = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree float *u = g_new (float, 32 * 128 * 128), *x = NULL;
  const char *given;
  GoldenCase c;
  Run r;

  if (!g_file_test (io, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "avatar/full_size/upsampler"))
    return;
  given = g_hash_table_lookup (g->weights, c.name);
  if (!given && !g->large) {
    golden_skip (&c, "give --weights %s=PATH, or --large to make them (678 MB)", c.name);
    return;
  }
  if (!begin_run (&r, &c, io))
    return;
  weights = given ? am_weights_open (given, &error) : synth_open (manifest, -1, NULL, &error);
  if (weights) {
    part = am_part_new (r.dev, AK_F32, weights);
    w = am_styleunet_load (part, "upsampler.");
    am_part_finish (part, &error);
  }
  if (error) {
    end_run (&r);
    golden_fail (&c, "%s", error->message);
    return;
  }
  synth_uniform (u, 0, 32 * 128 * 128, 0, "input.features", 0, 2);
  x = g_new (float, 32 * 512 * 512);
  for (size_t i = 0; i < (size_t) 32 * 512 * 512; i++)
    x[i] = u[(i / 512 / 512 * 128 + i / 512 % 512 / 4) * 128 + i % 512 / 4];
  for (int fixed = 0; fixed < 2; fixed++) {
    float *y = run_styleunet (&r, w, x, fixed ? AM_NOISE_FIXED : AM_NOISE_NONE, NULL);

    /* 10 times the errors of float32, 4.9e-7 and 5.7e-7 */
    if (y && fixed)
      compare_strided (&r, "upsampler_alone_fixed_noise_stride4", y, 512, 4, 1, 2, 5.7e-6);
    else if (y)
      compare_strided (&r, "upsampler_alone_no_noise_stride2", y, 512, 2, 0, 1, 4.9e-6);
    ak_plan_free (r.plan);
    r.plan = NULL;
  }
  end_run (&r);
  golden_end (&c);
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

void
golden_styleunet (Golden *g)
{
  g_autofree char *dir = g_build_filename (g->folder, "avatar", "styleunet", NULL);
  g_autoptr (GDir) list = g_dir_open (dir, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  check_resize_ops (g);
  check_styleunet_ops (g, dir);
  while (list && (name = g_dir_read_name (list)))
    if (g_str_has_suffix (name, "_io.safetensors"))
      g_ptr_array_add (names, g_strndup (name, strlen (name) - strlen ("_io.safetensors")));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    check_styleunet (g, dir, g_ptr_array_index (names, i));
  check_full_size (g);
}
