/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* avatar/gs_generators: the picture's features and the splats made from them, tensor by tensor. */
#include "golden.h"

#include <string.h>

#include "models/dino.h"
#include "models/gaussians.h"

float *
golden_read_rows (const AmTensor *t, size_t cols)
{
  float *values = am_tensor_to_f32 (t), *out;
  size_t rows = t->n / MAX (cols, 1);

  if (t->n_dims != 3 || t->shape[0] != cols)
    return values;
  out = g_new (float, MAX (t->n, 1));
  for (size_t c = 0; c < cols; c++)
    for (size_t r = 0; r < rows; r++)
      out[r * cols + c] = values[c * rows + r];
  g_free (values);
  return out;
}

void
golden_compare_rows (GoldenCase *c, const AmWeights *io, const char *name, const float *got,
    size_t n, size_t cols, double tol)
{
  const AmTensor *t = golden_find (c, io, name, n);
  g_autofree float *want = t ? golden_read_rows (t, cols) : NULL;

  if (want)
    golden_compare_error (c, name, golden_largest (got, want, n), tol);
}

/* 5 to 10 times what float rounding does to the published program. */
static double
tap_tolerance (const char *name)
{
  return g_str_equal (name, "global")            ? 1.2e-5
         : g_str_equal (name, "features")        ? 5e-5
         : g_str_has_prefix (name, "refinenet.") ? 4e-5
                                                 : 3e-5;
}

static void
compare_taps (GoldenCase *c, AkQueue *queue, const AmWeights *io, const AmTaps *taps)
{
  for (size_t i = 0; i < am_taps_count (taps); i++) {
    const AmTap *tap = am_taps_nth (taps, i);
    g_autofree char *name = g_strconcat ("base.", tap->name, NULL);
    size_t n = tap->rows * tap->cols;
    g_autofree float *got = g_new (float, n);

    ak_download (queue, got, tap->data, n * sizeof *got);
    ak_queue_sync (queue);
    golden_compare_rows (c, io, name, got, n, tap->cols, tap_tolerance (tap->name));
  }
}

/* Splats first … of `s` against the tensors PREFIX.*. */
static void
compare_splats (GoldenCase *c, const AmWeights *io, const char *prefix, const AmSplats *s,
    size_t first, size_t n)
{
  const struct
  {
    const char *name;
    const float *values;
    size_t cols;
    double tol;
  } parts[] = {
    { "colors", s->colors, s->channels, 7e-5 },
    { "opacities", s->opacities, 1, 1e-5 },
    { "scales", s->scales, 3, 5e-7 },
    { "rotations", s->rotations, 4, first ? 1.5e-4 : 2e-6 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *name = g_strdup_printf ("%s.%s", prefix, parts[i].name);

    golden_compare_rows (c, io, name, parts[i].values + first * parts[i].cols, n * parts[i].cols,
        parts[i].cols, parts[i].tol);
  }
}

/* All on one device, in one plan. */
typedef struct
{
  AkDevice *dev;
  AkQueue *queue;
  AkPlan *plan;
  AmPart *part;
  AmDino *dino;
  AmGenerators *generators;
} Networks;

static void
networks_clear (Networks *n)
{
  ak_plan_free (n->plan);
  ak_queue_free (n->queue);
  am_generators_free (n->generators);
  am_dino_free (n->dino);
  am_part_free (n->part);
  ak_device_unref (n->dev);
}

static gboolean
networks_open (Networks *n, GoldenCase *c, AmWeights *weights, unsigned heads)
{
  g_autoptr (GError) error = NULL;
  AkStatus status;

  n->dev = ak_device_open (c->golden->device, c->golden->threads, &status);
  if (!n->dev) {
    golden_fail (c, "%s", ak_status_text (status));
    return FALSE;
  }
  n->queue = ak_queue_new (n->dev);
  n->plan = ak_plan_new (n->dev);
  n->part = am_part_new (n->dev, AK_F32, weights);
  n->dino = am_dino_load (n->part, heads);
  n->generators = am_generators_load (n->part, am_dino_features (n->dino), am_dino_width (n->dino));
  if (am_part_finish (n->part, &error))
    return TRUE;
  golden_fail (c, "%s", error->message);
  return FALSE;
}

static float *
plan_copy (Networks *n, const float *values, size_t count)
{
  float *to = ak_plan_memory (n->plan, count * sizeof *to);

  if (to)
    ak_upload (n->queue, to, values, count * sizeof *to);
  return to;
}

static void
check_generators (GoldenCase *c, Networks *n, const AmWeights *io)
{
  /* with this camera a local splat's mean is its position along the normal, and nothing else */
  static const float transform[12] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0 };
  const AmTensor *image_t = am_weights_find (io, "input_image"),
                 *code_t = am_weights_find (io, "dir_encoding");
  g_autofree float *image = image_t ? golden_read_rows (image_t, 3) : NULL;
  g_autofree float *code = code_t ? am_tensor_to_f32 (code_t) : NULL, *vertices = NULL,
                   *plane0 = NULL, *plane1 = NULL;
  size_t side = am_dino_features_side (n->dino), F = am_dino_features (n->dino);
  size_t C = am_generators_channels (n->generators), V = am_generators_vertices (n->generators);
  size_t pixels = side * side, cols = F + AM_DIRECTION_CODE;
  g_autoptr (AmTaps) taps = am_taps_new ();
  g_autoptr (AmDinoRun) run = NULL;
  g_autoptr (AmSplats) splats = NULL;
  float own_code[AM_DIRECTION_CODE];
  AmRawSplats raw;
  AkRows map, global, dev_code;
  AkStatus status;

  if (!image || !code || image_t->n_dims != 3 || code_t->n != AM_DIRECTION_CODE) {
    golden_fail (c, "lacks its input");
    return;
  }
  map = ak_dense (ak_plan_memory (n->plan, pixels * cols * sizeof (float)), pixels, cols);
  global = ak_dense (ak_plan_memory (n->plan, am_dino_width (n->dino) * sizeof (float)), 1,
      am_dino_width (n->dino));
  dev_code = ak_same (plan_copy (n, code, code_t->n));
  run = am_dino_run_new (n->dino, n->plan, plan_copy (n, image, image_t->n), image_t->shape[1],
      image_t->shape[2], map, global, taps);
  for (unsigned i = 0; i < am_dino_stages (n->dino); i++)
    am_dino_record (run, n->plan, i);
  raw = am_generators_room (n->generators, n->plan, side);
  for (unsigned i = 0; i < AM_GENERATORS_STAGES; i++)
    am_generators_record (n->generators, n->plan, n->plan, i, &raw, map, global, dev_code, side);
  status = ak_plan_finish (n->plan);
  if (status == AK_OK) {
    ak_plan_run (n->plan, n->queue, NULL);
    status = ak_queue_sync (n->queue);
  }
  if (status != AK_OK) {
    golden_fail (c, "%s", ak_status_text (status));
    return;
  }
  compare_taps (c, n->queue, io, taps);
  am_direction_code (code + 24, own_code);
  golden_compare_rows (c, io, "dir_encoding", own_code, AM_DIRECTION_CODE, 1, 1e-6);
  vertices = golden_fetch (n->queue, raw.vertices.data, V * (C + 8));
  plane0 = golden_fetch (n->queue, raw.planes[0].data, pixels * (C + 9));
  plane1 = golden_fetch (n->queue, raw.planes[1].data, pixels * (C + 9));
  golden_compare_rows (c, io, "local0_raw", plane0, pixels * (C + 9), C + 9, 8e-5);
  splats = am_generators_finish (
      n->generators, vertices, (const float *const[]){ plane0, plane1 }, side, transform);
  for (int f64 = 0; f64 < 2; f64++) {
    const char *p = f64 ? "f64." : "";
    g_autofree char *g = g_strconcat (p, "global", NULL);

    compare_splats (c, io, g, splats, 0, V);
    for (unsigned k = 0; k < 2; k++) {
      g_autofree char *name = g_strdup_printf ("%slocal%u", p, k);
      g_autofree char *positions = g_strconcat (name, ".positions", NULL);
      g_autofree float *z = g_new (float, pixels);

      compare_splats (c, io, name, splats, V + k * pixels, pixels);
      for (size_t i = 0; i < pixels; i++)
        z[i] = (k ? -1.f : 1.f) * splats->means[3 * (V + k * pixels + i) + 2];
      golden_compare_rows (c, io, positions, z, pixels, 1, 1.2e-5);
    }
  }
  golden_end (c);
}

void
golden_generators (Golden *g, const char *dir)
{
  g_autofree char *weights_path = g_build_filename (dir, "tiny_weights.safetensors", NULL);
  g_autofree char *io_path = g_build_filename (dir, "tiny_io.safetensors", NULL);
  g_autoptr (AmWeights) weights = NULL, io = NULL;
  Networks n = { 0 };
  GoldenCase c;

  if (!g_file_test (io_path, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "avatar/gs_generators"))
    return;
  io = golden_open_io (&c, io_path);
  if (!io)
    return;
  weights = golden_open_io (&c, weights_path);
  if (!weights)
    return;
  if (networks_open (&n, &c, weights, 4)) /* the tiny model's heads, as its README says */
    check_generators (&c, &n, io);
  networks_clear (&n);
}
