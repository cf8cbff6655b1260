/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cases below avatar/: posing, rotations, and pictures of meshes. */
#include "golden.h"

#include "kernels/flame.h"
#include "models/head.h"

#include <math.h>
#include <string.h>

/* Float rounding of the published program is 6.5e-8 m (5e-8 at the real size, 3.9e-7 for rotations). */
#define POSE_TOL 3.5e-7
#define ROTATION_TOL 2e-6

/* Poses every row of `io` with `head` and compares with its tensor `name`. */
static void
compare_poses (GoldenCase *c, AmHead *head, const AmWeights *io, float scale, const char *name)
{
  const AmHeadInfo *info = am_head_info (head);
  size_t V = info->vertices, E = info->expressions, S = info->shapes;
  const AmTensor *want_t = am_weights_find (io, name), *shape_t = am_weights_find (io, "shape");
  const AmTensor *expression_t = am_weights_find (io, "expression"),
                 *pose_t = am_weights_find (io, "pose");
  g_autofree float *got = g_new (float, 3 * V), *want = NULL, *shape = NULL, *expression = NULL,
                   *pose = NULL;
  double worst = 0;
  size_t rows;

  if (!want_t || !shape_t || !expression_t || !pose_t || shape_t->shape[1] != S ||
      expression_t->shape[1] != E || want_t->n != expression_t->shape[0] * 3 * V) {
    c->compared++;
    c->wrong++;
    return;
  }
  rows = expression_t->shape[0];
  want = am_tensor_to_f32 (want_t);
  shape = am_tensor_to_f32 (shape_t);
  expression = am_tensor_to_f32 (expression_t);
  pose = am_tensor_to_f32 (pose_t);
  for (size_t r = 0; r < rows; r++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (AmPoser) poser =
        am_poser_new (head, c->golden->device, shape + S * r, S, scale, &error);
    g_autofree float *motion = g_new (float, E + 6);
    double e;

    memcpy (motion, expression + E * r, E * sizeof *motion);
    memcpy (motion + E, pose + 6 * r, 6 * sizeof *motion);
    if (!poser || !am_poser_run (poser, motion, got, &error)) {
      c->compared++;
      c->wrong++;
      return;
    }
    e = golden_largest (got, want + 3 * V * r, 3 * V);
    if (!(e <= worst))
      worst = e;
  }
  golden_compare_error (c, name, worst, POSE_TOL * scale);
}

/* The head of `vertices` vertices among the .pt files of `dir`, or the one given for the case. */
static AmHead *
find_head (GoldenCase *c, const char *dir, size_t vertices)
{
  const char *given = g_hash_table_lookup (c->golden->weights, c->name), *name;
  g_autoptr (GDir) list = g_dir_open (dir, 0, NULL);
  g_autoptr (GError) error = NULL;
  AmHead *head;

  if (given) {
    head = am_head_open (given, &error);
    if (!head)
      golden_fail (c, "%s", error->message);
    return head;
  }
  while (list && (name = g_dir_read_name (list))) {
    g_autofree char *path = g_build_filename (dir, name, NULL);

    head = g_str_has_suffix (name, ".pt") ? am_head_open (path, NULL) : NULL;
    if (head && am_head_info (head)->vertices == vertices)
      return head;
    am_head_unref (head);
  }
  golden_skip (c, "its head of %zu vertices (tools/synth_flame.py) is given by --weights %s=FILE",
      vertices, c->name);
  return NULL;
}

static void
golden_flame (Golden *g, const char *dir, const char *io_name)
{
  g_autofree char *io_path = g_strdup_printf ("%s/%s.safetensors", dir, io_name);
  g_autoptr (AmWeights) io = NULL;
  g_autoptr (AmHead) head = NULL;
  const AmTensor *want;
  GoldenCase c;

  if (!golden_begin (g, &c, "avatar/flame/%s", io_name))
    return;
  io = golden_open_io (&c, io_path);
  if (!io)
    return;
  want = am_weights_find (io, "vertices_f64");
  if (!want || want->n_dims != 3) {
    golden_fail (&c, "has no vertices_f64");
    return;
  }
  head = find_head (&c, dir, want->shape[1]);
  if (!head)
    return;
  compare_poses (&c, head, io, 1, "vertices_f64");
  if (am_weights_find (io, "vertices_scale5_f32"))
    compare_poses (&c, head, io, 5, "vertices_scale5_f32");
  golden_end (&c);
}

/* A head of one joint and three vertices on the axes: posed, its vertices are a rotation's columns. */
static void
golden_rotations (Golden *g, const char *dir)
{
  static const float axes[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, zero[3] = { 0, 0, 0 },
                     one[3] = { 1, 1, 1 };
  static const int32_t parents[1] = { -1 };
  g_autofree char *path = g_build_filename (dir, "rotations.safetensors", NULL);
  g_autofree float *r = NULL, *want = NULL;
  g_autoptr (AmWeights) io = NULL;
  const AmTensor *r_t, *want_t;
  AkFlameDesc desc = { .vertices = 3,
    .joints = 1,
    .v_template = axes,
    .regressor = zero,
    .parents = parents,
    .weights = one,
    .scale = 1 };
  AkDevice *dev;
  AkFlame *flame = NULL;
  AkQueue *queue = NULL;
  AkPlan *plan = NULL;
  AkStatus status;
  double worst = 0;
  GoldenCase c;

  if (!g_file_test (path, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "avatar/flame/rotations"))
    return;
  io = golden_open_io (&c, path);
  if (!io)
    return;
  r_t = am_weights_find (io, "axis_angle");
  want_t = am_weights_find (io, "flame_rotation_f64");
  dev = ak_device_open (g->device, g->threads, &status);
  if (!r_t || !want_t || want_t->n != 3 * r_t->n || !dev) {
    golden_fail (&c, "cannot be read");
    ak_device_unref (dev);
    return;
  }
  r = am_tensor_to_f32 (r_t);
  want = am_tensor_to_f32 (want_t);
  flame = ak_flame_new (dev, &desc, &status);
  queue = ak_queue_new (dev);
  plan = ak_plan_new (dev);
  if (flame && queue && plan) {
    float *in = ak_plan_memory (plan, 3 * sizeof *in),
          *out = ak_plan_memory (plan, 9 * sizeof *out), got[9];

    ak_flame_pose (plan, flame, out, NULL, in);
    status = ak_plan_finish (plan);
    for (size_t i = 0; i < r_t->n / 3 && status == AK_OK; i++) {
      ak_upload (queue, in, r + 3 * i, 3 * sizeof *in);
      ak_plan_run (plan, queue, NULL);
      ak_download (queue, got, out, sizeof got);
      status = ak_queue_sync (queue);
      for (size_t k = 0; k < 9; k++) {
        double e = fabs ((double) got[k] - want[9 * i + 3 * (k % 3) + k / 3]);

        if (!(e <= worst))
          worst = e;
      }
    }
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_flame_free (flame);
  ak_device_unref (dev);
  if (status != AK_OK)
    golden_fail (&c, "%s", ak_status_text (status));
  else {
    golden_compare_error (&c, "rotations", worst, ROTATION_TOL);
    golden_end (&c);
  }
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

void
golden_avatar (Golden *g)
{
  g_autofree char *flame = g_build_filename (g->folder, "avatar", "flame", NULL);
  g_autofree char *mesh = g_build_filename (g->folder, "avatar", "mesh", NULL);
  g_autofree char *avatar = g_build_filename (g->folder, "avatar", NULL);
  g_autofree char *generators = g_build_filename (avatar, "gs_generators", NULL);
  g_autofree char *splat = g_build_filename (g->folder, "avatar", "splat", NULL);
  g_autoptr (GDir) list = g_dir_open (flame, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  while (list && (name = g_dir_read_name (list)))
    if (g_str_has_prefix (name, "io_") && g_str_has_suffix (name, ".safetensors"))
      g_ptr_array_add (names, g_strndup (name, strlen (name) - strlen (".safetensors")));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    golden_flame (g, flame, g_ptr_array_index (names, i));
  golden_rotations (g, flame);
  golden_mesh (g, mesh);
  golden_generators (g, generators);
  golden_gagavatar (g, avatar);
  golden_splat (g, splat);
}
