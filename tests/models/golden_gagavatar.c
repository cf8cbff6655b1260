/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* avatar/avatar (a whole tiny avatar) and avatar/watermark_full. */
#include "golden.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/avatar_priv.h"
#include "models/camera.h"
#include "models/dino.h"
#include "models/watermark.h"
#include "png.h"
#include "synth.h"

#define FRAMES 6
#define SWITCH 4 /* the frame from which the second person is shown */

/* One case: a model, a head, people, their golden numbers. */
typedef struct
{
  GoldenCase *c;
  const AmWeights *io;
  JsonObject *config;
  AmAvatarModel *model;
  AmHead *head;
  AmAvatar *people[2];
  GArray *average; /* uint32_t */
  uint8_t *mark;   /* RGBA */
  unsigned mark_width, mark_height;
  float *motion; /* [FRAMES][106] */
  size_t dim;
} Case;

static void
case_clear (Case *x)
{
  am_avatar_unref (x->people[0]);
  am_avatar_unref (x->people[1]);
  am_head_unref (x->head);
  am_avatar_model_unref (x->model);
  if (x->average)
    g_array_unref (x->average);
  g_free (x->mark);
  g_free (x->motion);
}

static gboolean
fail (Case *x, GError *error)
{
  golden_fail (x->c, "%s", error ? error->message : "lacks tensors, or they do not fit");
  g_clear_error (&error);
  return FALSE;
}

static void
note_progress (double done, gpointer data)
{
  double *last = data;

  if (!(done >= *last && done <= 1))
    *last = 2; /* never again good */
  else
    *last = done;
}

/* Prepares, writes, reads back: what is read must be the very same numbers. */
static AmAvatar *
prepare (Case *x, const AmPerson *person, GError **error)
{
  g_autofree char *key = am_avatar_key (x->model, person);
  g_autofree char *path = g_strdup_printf ("%s/artalk-%s.safetensors", g_get_tmp_dir (), key);
  double done = 0;
  g_autoptr (AmAvatar) made =
      am_avatar_prepare (x->model, person, NULL, note_progress, &done, error);
  g_autoptr (AmAvatar) back = NULL;
  g_autoptr (AmSplats) a = NULL, b = NULL;

  if (!made || !am_avatar_write (made, path, error))
    return NULL;
  back = am_avatar_read (x->model, path, key, error);
  g_unlink (path);
  if (!back)
    return NULL;
  a = am_avatar_splats (made, error);
  b = am_avatar_splats (back, error);
  golden_compare_error (x->c, "progress", fabs (done - 1), 1e-9);
  golden_compare_error (x->c, "written and read",
      a && b && a->n == b->n && memcmp (a->means, b->means, 3 * a->n * sizeof (float)) == 0 &&
              memcmp (a->scales, b->scales, 3 * a->n * sizeof (float)) == 0 &&
              memcmp (a->rotations, b->rotations, 4 * a->n * sizeof (float)) == 0 &&
              memcmp (a->opacities, b->opacities, a->n * sizeof (float)) == 0 &&
              memcmp (a->colors, b->colors, a->n * a->channels * sizeof (float)) == 0
          ? 0
          : 1,
      1e-9);
  return g_steal_pointer (&back);
}

/* What must be refused: counts a wrong tensor for each that is not. */
static void
check_refused (Case *x, const AmPerson *person)
{
  g_autofree char *path =
      g_strdup_printf ("%s/artalk-%u.safetensors", g_get_tmp_dir (), g_random_int ());
  g_autoptr (GError) cancelled = NULL, nobody = NULL, other = NULL, half = NULL, shape = NULL;
  AmPerson longer = *person;
  atomic_int cancel = 1;
  g_autofree char *contents = NULL;
  gsize n = 0;

  am_avatar_unref (am_avatar_prepare (x->model, person, &cancel, NULL, NULL, &cancelled));
  am_avatar_unref (am_avatar_prepare (x->model, NULL, NULL, NULL, NULL, &nobody));
  if (am_avatar_write (x->people[0], path, NULL) &&
      g_file_get_contents (path, &contents, &n, NULL)) {
    am_avatar_unref (am_avatar_read (x->model, path, "another", &other));
    (void) g_file_set_contents (path, contents, (gssize) n / 2, NULL);
    am_avatar_unref (am_avatar_read (x->model, path, NULL, &half));
  }
  g_unlink (path);
  longer.n_shape = 301;
  longer.shape = g_new0 (float, 301);
  {
    g_autoptr (AmAvatar) a = am_avatar_prepare (x->model, &longer, NULL, NULL, NULL, NULL);

    am_avatar_view_free (a ? am_avatar_view_new (a, x->head, NULL, &shape) : NULL);
  }
  g_free (longer.shape);
  golden_compare_error (x->c, "cancelled preparing",
      g_error_matches (cancelled, AM_ERROR, AM_ERROR_CANCELLED) ? 0 : 1, 1e-9);
  golden_compare_error (x->c, "nobody to prepare",
      g_error_matches (nobody, AM_ERROR, AM_ERROR_MISSING) ? 0 : 1, 1e-9);
  golden_compare_error (
      x->c, "another's file", g_error_matches (other, AM_ERROR, AM_ERROR_MISMATCH) ? 0 : 1, 1e-9);
  golden_compare_error (
      x->c, "half a file", g_error_matches (half, AM_ERROR, AM_ERROR_FORMAT) ? 0 : 1, 1e-9);
  golden_compare_error (x->c, "an identity that is too long",
      g_error_matches (shape, AM_ERROR, AM_ERROR_SHAPE) ? 0 : 1, 1e-9);
}

static gboolean
case_open (Case *x, const char *dir)
{
  g_autofree char *model = g_build_filename (dir, "GAGAvatar_tiny.pt", NULL);
  g_autofree char *tracked_path = g_build_filename (dir, "tracked.pt", NULL);
  g_autofree char *mark = g_build_filename (dir, "watermark.png", NULL);
  g_autofree char *head = g_build_filename (
      dir, json_object_get_string_member_with_default (x->config, "flame", "-"), NULL);
  JsonArray *list = json_object_get_array_member (x->config, "forehead");
  const AmTensor *motion = am_weights_find (x->io, "motion");
  g_autoptr (AmTracked) tracked = NULL;
  unsigned channels;
  GError *error = NULL;

  x->model = am_avatar_model_open_heads (model, x->c->golden->device, x->c->golden->threads,
      (unsigned) json_object_get_int_member_with_default (x->config, "heads", 0), &error);
  x->head = x->model ? am_head_open (head, &error) : NULL;
  tracked = x->head ? am_tracked_open (tracked_path, &error) : NULL;
  for (unsigned i = 0; i < 2 && tracked; i++) {
    g_autoptr (AmPerson) person =
        am_tracked_person (tracked, am_tracked_names (tracked)[i], &error);

    x->people[i] = person ? prepare (x, person, &error) : NULL;
    if (!x->people[i])
      return fail (x, error);
    if (i == 0)
      check_refused (x, person);
  }
  x->average = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  for (guint i = 0; list && i < json_array_get_length (list); i++) {
    uint32_t v = (uint32_t) json_array_get_int_element (list, i);

    g_array_append_val (x->average, v);
  }
  x->mark = png_read (mark, &x->mark_width, &x->mark_height, &channels);
  if (!tracked || !x->mark || channels != 4 || !motion || motion->n_dims != 2 ||
      motion->shape[0] != FRAMES)
    return fail (x, error);
  x->motion = am_tensor_to_f32 (motion);
  x->dim = motion->shape[1];
  return TRUE;
}

/* Row `frame` of a golden tensor [FRAMES][n], or NULL; with `cols`, maps are turned round. */
static float *
frame_of (Case *x, const char *name, unsigned frame, size_t n, size_t cols)
{
  const AmTensor *t = am_weights_find (x->io, name);
  float *values;
  AmTensor one;

  if (!t || t->n != FRAMES * n)
    return NULL;
  one = *t;
  one.n_dims--;
  memmove (one.shape, one.shape + 1, sizeof one.shape - sizeof *one.shape);
  one.n = n;
  one.bytes = t->bytes / FRAMES;
  one.data = (const char *) t->data + frame * one.bytes;
  values = golden_read_rows (&one, cols);
  return values;
}

static void
compare_frame (
    Case *x, const char *name, unsigned frame, const float *got, size_t n, size_t cols, double tol)
{
  g_autofree float *want = frame_of (x, name, frame, n, cols);
  g_autofree char *what = g_strdup_printf ("%s, frame %u", name, frame);

  golden_compare_error (x->c, what, want ? golden_largest (got, want, n) : NAN, tol);
}

/* Splats may decide otherwise in a few pixels: mean, 99.9 % and the worst, as for avatar/splat. */
static void
compare_image (GoldenCase *c, const char *name, const float *got, const float *want, size_t n)
{
  double sum = 0, worst = 0;
  size_t off = 0;

  for (size_t i = 0; want && i < n; i++) {
    double d = fabs ((double) got[i] - want[i]);

    sum += d;
    off += !(d <= 1e-4);
    if (!(d <= worst))
      worst = d;
  }
  if (!want || isnan (sum))
    sum = worst = NAN;
  golden_compare_error (c, name, sum / (double) n, 1e-5);
  golden_compare_error (c, name, (double) off / (double) n, 1e-3);
  golden_compare_error (c, name, worst, 0.05);
}

/* Everything on the way to frame `i`'s colours. */
static void
compare_inside (Case *x, AmAvatarView *view, unsigned i)
{
  const AmAvatarModelInfo *info = am_avatar_model_info (x->model);
  size_t pixels = (size_t) info->side * info->side, V = info->vertices, C = info->channels;
  const AmTensor *radii = am_weights_find (x->io, "radii");
  g_autofree char *splat_name = g_strdup_printf ("splat, frame %u", i);
  g_autofree char *t_name = g_strdup_printf ("final_T, frame %u", i);
  g_autofree float *points = NULL, *average = NULL, *image = NULL, *t = NULL, *want_image = NULL,
                   *want_t = NULL;
  g_autofree int32_t *radius = NULL;
  g_autofree int64_t *want_radius = NULL;
  size_t other = 0;
  AmAvatarInside in;
  AmCamera camera;

  am_avatar_view_inside (view, &in);
  points = golden_fetch (in.queue, in.points, 3 * V);
  average = golden_fetch (in.queue, in.average, 3 * x->average->len);
  image = golden_fetch (in.queue, in.image, pixels * C);
  t = golden_fetch (in.queue, in.transmittance, pixels);
  compare_frame (x, "points", i, points, 3 * V, 3, 1.5e-6);
  compare_frame (x, "forehead_average", i, average, 3 * (size_t) x->average->len, 3, 1.5e-6);
  am_camera_frame (&camera, x->people[i >= SWITCH]->transform, x->motion + i * x->dim + x->dim - 6);
  compare_frame (x, "transform", i, camera.transform, 12, 1, 1e-6);
  compare_frame (x, "view", i, camera.view, 16, 1, 1e-6);
  compare_frame (x, "projection", i, camera.projection, 16, 1, 1.2e-5);
  want_image = frame_of (x, "splat_f32", i, pixels * C, C);
  want_t = frame_of (x, "final_T", i, pixels, 1);
  compare_image (x->c, splat_name, image, want_image, pixels * C);
  compare_image (x->c, t_name, t, want_t, pixels);
  if (i == 0) {
    const AmTensor *exact = am_weights_find (x->io, "splat_f64_frame0");
    g_autofree float *want = exact ? golden_read_rows (exact, C) : NULL;

    compare_image (x->c, "splat_f64_frame0", image, want, pixels * C);
  }
  if (!radii || radii->n != FRAMES * in.splats) {
    golden_compare_error (x->c, "radii", NAN, 1e-3);
    return;
  }
  radius = g_new (int32_t, in.splats);
  ak_download (in.queue, radius, in.radius, in.splats * sizeof *radius);
  ak_queue_sync (in.queue);
  want_radius = am_tensor_to_i64 (radii);
  for (size_t k = 0; k < in.splats; k++)
    other += radius[k] != want_radius[i * in.splats + k];
  golden_compare_error (x->c, "radii", (double) other / (double) in.splats, 1e-3);
}

static void
compare_rgb (Case *x, const char *name, unsigned frame, const float *rgba)
{
  size_t side = am_avatar_model_info (x->model)->side, pixels = side * side;
  g_autofree float *rgb = g_new (float, 3 * pixels);

  for (size_t i = 0; i < 3 * pixels; i++)
    rgb[i] = rgba[i / 3 * 4 + i % 3];
  compare_frame (x, name, frame, rgb, 3 * pixels, 3, 5e-6);
}

/* Draws a frame as RGB, into the device's memory first where it stays there. */
static gboolean
draw_rgb (
    Case *x, AmAvatarView *view, unsigned frame, gboolean on_device, unsigned side, uint8_t *rgb)
{
  AkDevice *dev = x->model->device;
  size_t bytes = 3 * (size_t) side * side;
  uint8_t *there = on_device ? ak_alloc (dev, bytes) : NULL;
  AkQueue *queue = ak_queue_new (dev);
  const AmPicture picture = { .pixels = AM_PIXELS_RGB,
    .on_device = on_device,
    .width = side,
    .height = side,
    .plane = { there ? there : rgb },
    .stride = { 3 * (ptrdiff_t) side } };
  gboolean ok = am_avatar_view_draw (view, x->motion + frame * x->dim, &picture, NULL, NULL);

  if (ok && there)
    ok = ak_download (queue, rgb, there, bytes) == AK_OK && ak_queue_sync (queue) == AK_OK;
  ak_queue_free (queue);
  ak_free (dev, there);
  return ok;
}

/* The published program's bytes, by the way a video frame takes; every other one stays on the device. */
static void
compare_png (Case *x, AmAvatarView *view, const char *dir, unsigned frame)
{
  g_autofree char *name = g_strdup_printf ("frame%u.png", frame);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  unsigned side = am_avatar_model_info (x->model)->side, w = 0, h = 0, channels = 0;
  g_autofree uint8_t *want = png_read (path, &w, &h, &channels);
  g_autofree uint8_t *got = g_malloc0 (3 * (size_t) side * side);
  size_t off = 0, n = 3 * (size_t) side * side;
  int worst = 0;

  if (!want || w != side || h != side || channels != 3 ||
      !draw_rgb (x, view, frame, frame % 2, side, got)) {
    golden_compare_error (x->c, name, NAN, 1);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    int d = abs (got[i] - want[i]);

    off += d != 0;
    worst = MAX (worst, d);
  }
  golden_compare_error (x->c, name, worst, 1);
  golden_compare_error (x->c, name, (double) off / (double) n, 5e-3);
}

/* All frames with or without noise and watermark. */
static gboolean
run_frames (Case *x, const char *dir, gboolean noise, gboolean mark)
{
  size_t side = am_avatar_model_info (x->model)->side;
  g_autofree float *rgba = g_new (float, 4 * side * side);
  g_autofree char *name =
      g_strdup_printf ("rgb_%s%s", noise ? "fixed_noise" : "no_noise", mark ? "_watermarked" : "");
  AmAvatarOptions options = { .noise = noise ? AM_NOISE_FIXED : AM_NOISE_NONE,
    .watermark = mark ? x->mark : NULL,
    .watermark_width = x->mark_width,
    .watermark_height = x->mark_height,
    .average = (const uint32_t *) x->average->data,
    .n_average = x->average->len };
  GError *error = NULL;
  g_autoptr (AmAvatarView) view =
      am_avatar_view_new_inside (x->people[0], x->head, &options, &error);

  if (!view)
    return fail (x, error);
  for (unsigned i = 0; i < FRAMES; i++) {
    if (i == SWITCH && !am_avatar_view_set_avatar (view, x->people[1], &error))
      return fail (x, error);
    if (noise && mark && i == FRAMES - 1) {
      compare_png (x, view, dir, i);
      break;
    }
    if (!am_avatar_view_run (view, x->motion + i * x->dim, FALSE, rgba, NULL, &error))
      return fail (x, error);
    compare_rgb (x, name, i, rgba);
    if (!noise && !mark)
      compare_inside (x, view, i);
    if (i == 0 && noise && mark) {
      am_avatar_view_reset (view); /* the first frame again */
      compare_png (x, view, dir, i);
    }
  }
  if (noise && !mark) {
    g_autofree float *rgb = g_new (float, 3 * side * side);
    const AmTensor *exact = am_weights_find (x->io, "rgb_fixed_noise_f64");
    g_autofree float *all = exact ? am_tensor_to_f32 (exact) : NULL;
    size_t n = side * side, at = (FRAMES - 1) * 3 * n;

    for (size_t k = 0; k < 3 * n; k++)
      rgb[k] = rgba[k % n * 4 + k / n];
    golden_compare_error (x->c, "rgb_fixed_noise_f64, last frame",
        all && exact->n == FRAMES * 3 * n ? golden_largest (rgb, all + at, 3 * n) : NAN, 5e-6);
  }
  return TRUE;
}

/* The first person's splats. */
static void
compare_gaussians (Case *x)
{
  size_t V = am_avatar_model_info (x->model)->vertices;
  g_autofree float *first = frame_of (x, "points", 0, 3 * V, 3);
  g_autoptr (AmSplats) s = am_avatar_splats (x->people[0], NULL);
  float normal[3] = { 0 };
  const AmTensor *plane = am_weights_find (x->io, "plane_points");

  if (!s || !first || !plane) {
    golden_compare_error (x->c, "gaussians", NAN, 1);
    return;
  }
  memcpy (s->means, first, 3 * V * sizeof *first);
  golden_compare_rows (x->c, x->io, "gaussians.xyz", s->means, 3 * s->n, 3, 1.5e-5);
  golden_compare_rows (x->c, x->io, "gaussians.scales", s->scales, 3 * s->n, 3, 5e-7);
  golden_compare_rows (x->c, x->io, "gaussians.rotations", s->rotations, 4 * s->n, 4, 1.5e-4);
  golden_compare_rows (x->c, x->io, "gaussians.opacities", s->opacities, s->n, 1, 1e-5);
  golden_compare_rows (
      x->c, x->io, "gaussians.colors", s->colors, s->n * s->channels, s->channels, 7e-5);
  {
    size_t n = plane->n / 3, side = (size_t) sqrt ((double) n);
    g_autofree float *points = g_new (float, 3 * n);
    float code[AM_DIRECTION_CODE];

    am_plane_points (x->people[0]->transform, side, points, normal);
    am_direction_code (normal, code);
    golden_compare_rows (x->c, x->io, "plane_points", points, 3 * n, 3, 1e-5);
    golden_compare_rows (x->c, x->io, "plane_dirs", normal, 3, 1, 1e-7);
    golden_compare_rows (x->c, x->io, "dir_encoding", code, AM_DIRECTION_CODE, 1, 1.5e-6);
  }
}

static void
compare_watermark (Case *x)
{
  AmWatermark mark;

  if (!am_watermark_make (&mark, x->model->device, x->mark, x->mark_width, x->mark_height,
          am_avatar_model_info (x->model)->side, NULL)) {
    golden_compare_error (x->c, "watermark_resized", NAN, 1);
    return;
  }
  golden_compare_rows (
      x->c, x->io, "watermark_resized", mark.resized, 4 * mark.rows * mark.cols, 4, 2e-6);
  am_watermark_clear (&mark);
}

static void
golden_tiny (Golden *g, const char *dir)
{
  g_autofree char *io_path = g_build_filename (dir, "io.safetensors", NULL);
  g_autofree char *config_path = g_build_filename (dir, "config.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (AmWeights) io = NULL;
  GoldenCase c;
  Case x = { .c = &c };

  if (!g_file_test (io_path, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "avatar/avatar"))
    return;
  io = golden_open_io (&c, io_path);
  if (!io)
    return;
  x.io = io;
  if (!json_parser_load_from_file (parser, config_path, NULL) ||
      !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser))) {
    golden_fail (&c, "has no config.json");
    return;
  }
  x.config = json_node_get_object (json_parser_get_root (parser));
  if (case_open (&x, dir)) {
    gboolean ok = TRUE;

    compare_gaussians (&x);
    compare_watermark (&x);
    for (int k = 0; k < 4 && ok; k++)
      ok = run_frames (&x, dir, k & 1, k >> 1);
    if (ok)
      golden_end (&c);
  }
  case_clear (&x);
}

/* The published mark in the corner of a picture of 512x512. */
static void
golden_watermark (Golden *g, const char *dir)
{
  enum { SIDE = 512, TOP = 420, LEFT = 240, ROWS = 92, COLS = 272 };
  g_autofree char *io_path = g_build_filename (dir, "watermark_full.safetensors", NULL);
  g_autofree char *png = g_build_filename (dir, "watermark_full.png", NULL);
  g_autofree uint8_t *rgba = NULL;
  g_autofree float *corner = NULL, *picture = NULL, *got = NULL;
  g_autoptr (AmWeights) io = NULL;
  unsigned width = 0, height = 0, channels = 0;
  AmWatermark mark = { 0 };
  AkDevice *dev = NULL;
  AkQueue *queue = NULL;
  AkPlan *plan = NULL;
  AkStatus status = AK_ERR_DEVICE;
  const AmTensor *in;
  GoldenCase c;

  if (!g_file_test (io_path, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "avatar/watermark_full"))
    return;
  io = golden_open_io (&c, io_path);
  if (!io)
    return;
  in = am_weights_find (io, "picture_corner_in");
  rgba = png_read (png, &width, &height, &channels);
  dev = ak_device_open (g->device, g->threads, &status);
  if (in && in->n == 3 * ROWS * COLS && rgba && channels == 4 && dev &&
      am_watermark_make (&mark, dev, rgba, width, height, SIDE, NULL)) {
    size_t n = 8 * mark.rows * mark.cols;
    float *device_picture, *terms;

    corner = golden_read_rows (in, 3);
    picture = g_new0 (float, 4 * SIDE * SIDE);
    got = g_new (float, 3 * ROWS * COLS);
    for (size_t i = 0; i < ROWS * COLS; i++)
      memcpy (picture + 4 * ((TOP + i / COLS) * SIDE + LEFT + i % COLS), corner + 3 * i,
          3 * sizeof *picture);
    queue = ak_queue_new (dev);
    plan = ak_plan_new (dev);
    device_picture = ak_plan_memory (plan, 4 * SIDE * SIDE * sizeof *picture);
    terms = ak_plan_memory (plan, n * sizeof *terms);
    am_watermark_record (&mark, plan, device_picture, SIDE, terms);
    status = ak_plan_finish (plan);
    if (status == AK_OK) {
      ak_upload (queue, device_picture, picture, 4 * SIDE * SIDE * sizeof *picture);
      ak_upload (queue, terms, mark.terms, n * sizeof *terms);
      ak_plan_run (plan, queue, NULL);
      ak_download (queue, picture, device_picture, 4 * SIDE * SIDE * sizeof *picture);
      status = ak_queue_sync (queue);
    }
    for (size_t i = 0; i < ROWS * COLS; i++)
      memcpy (got + 3 * i, picture + 4 * ((TOP + i / COLS) * SIDE + LEFT + i % COLS),
          3 * sizeof *picture);
    golden_compare_rows (&c, io, "resized", mark.resized, 4 * mark.rows * mark.cols, 4, 2e-5);
    golden_compare_rows (&c, io, "picture_corner_out", got, 3 * ROWS * COLS, 3, 2e-5);
  } else {
    status = AK_ERR_ARG;
  }
  if (status == AK_OK)
    golden_end (&c);
  else
    golden_fail (&c, "%s", ak_status_text (status));
  ak_plan_free (plan);
  ak_queue_free (queue);
  am_watermark_clear (&mark);
  ak_device_unref (dev);
}

void
golden_gagavatar (Golden *g, const char *dir)
{
  g_autofree char *tiny = g_build_filename (dir, "avatar", NULL);
  g_autofree char *full = g_build_filename (dir, "full_size", NULL);

  golden_tiny (g, tiny);
  golden_watermark (g, tiny);
  golden_full_size (g, full);
  golden_builtin (g, dir);
}
