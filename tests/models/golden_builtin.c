/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* avatar/builtin: a frame of the built-in avatar (models/default/avatar/golden.py). */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/avatar_priv.h"
#include "models/paths.h"

typedef struct
{
  GoldenCase *c;
  const AmWeights *io;
  AmAvatarView *view;
  AmAvatarInside in;
  size_t side, network, C;
} Builtin;

static const AmTensor *
find (Builtin *x, const char *name)
{
  return am_weights_find (x->io, name);
}

/* Rows `at` of values [][cols]. */
static float *
pick (const float *values, size_t cols, const int64_t *at, size_t n)
{
  float *out = g_new (float, n *cols);

  for (size_t i = 0; i < n; i++)
    memcpy (out + i * cols, values + (size_t) at[i] * cols, cols * sizeof *out);
  return out;
}

/* Pixels from (row, col) on, every `step`, of a square of rows of `cols` numbers. */
static float *
stride (const float *values, size_t side, size_t cols, size_t row, size_t col, size_t step)
{
  size_t n = side / step;
  float *out = g_new (float, n *n *cols);

  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      memcpy (out + (i * n + j) * cols, values + ((row + i * step) * side + col + j * step) * cols,
          cols * sizeof *out);
  return out;
}

static void
covariance (double out[9], const float *s, const float *q)
{
  double w = q[0], a = q[1], b = q[2], c = q[3];
  const double R[9] = { 1 - 2 * (b * b + c * c), 2 * (a * b - w * c), 2 * (a * c + w * b),
    2 * (a * b + w * c), 1 - 2 * (a * a + c * c), 2 * (b * c - w * a), 2 * (a * c - w * b),
    2 * (b * c + w * a), 1 - 2 * (a * a + b * b) };

  for (int i = 0; i < 9; i++) {
    out[i] = 0;
    for (int j = 0; j < 3; j++)
      out[i] += R[3 * (i / 3) + j] * (double) s[j] * (double) s[j] * R[3 * (i % 3) + j];
  }
}

/* Splats on the posed head. Their shapes are compared as covariances: the main axes of a round disc may be any. */
static void
compare_bound (Builtin *x)
{
  const AmTensor *index_t = find (x, "index"), *scales_t = find (x, "scales"),
                 *rotations_t = find (x, "rotations");
  size_t n = index_t ? index_t->n : 0, N = x->in.splats;
  g_autofree int64_t *at = index_t ? am_tensor_to_i64 (index_t) : NULL;
  g_autofree float *means = golden_fetch (x->in.queue, x->in.means, 3 * N),
                   *scales = golden_fetch (x->in.queue, x->in.scales, 3 * N),
                   *rotations = golden_fetch (x->in.queue, x->in.rotations, 4 * N),
                   *colors = golden_fetch (x->in.queue, x->in.colors, x->C * N);
  g_autofree float *some_means = NULL, *some_colors = NULL, *want_s = NULL, *want_q = NULL;
  double worst = 0;

  for (size_t i = 0; i < n; i++)
    if (at[i] < 0 || (size_t) at[i] >= N)
      n = 0;
  if (!n || !scales_t || !rotations_t || scales_t->n != 3 * n || rotations_t->n != 4 * n) {
    golden_compare_error (x->c, "index", NAN, 1);
    return;
  }
  some_means = pick (means, 3, at, n);
  some_colors = pick (colors, x->C, at, n);
  golden_compare_rows (x->c, x->io, "means", some_means, 3 * n, 3, 5e-6);
  golden_compare_rows (x->c, x->io, "colors", some_colors, x->C * n, x->C, 2e-4);
  want_s = am_tensor_to_f32 (scales_t);
  want_q = am_tensor_to_f32 (rotations_t);
  for (size_t i = 0; i < n; i++) {
    double a[9], b[9], size = 0;

    covariance (a, scales + 3 * at[i], rotations + 4 * at[i]);
    covariance (b, want_s + 3 * i, want_q + 4 * i);
    for (int k = 0; k < 9; k++)
      size = fmax (size, fabs (b[k]));
    for (int k = 0; k < 9; k++)
      worst = fmax (worst, fabs (a[k] - b[k]) / (1e-7 + size));
  }
  golden_compare_error (x->c, "covariances", worst, 2e-3);
}

/* Images may decide otherwise in single pixels: the mean, the share that is off, the worst. */
static void
compare_image (Builtin *x, const char *name, const float *got, size_t n, size_t cols, double mean)
{
  const AmTensor *t = find (x, name);
  g_autofree float *want = t && t->n == n ? golden_read_rows (t, cols) : NULL;
  double sum = 0, worst = 0;
  size_t off = 0;

  for (size_t i = 0; want && i < n; i++) {
    double d = fabs ((double) got[i] - want[i]);

    sum += d;
    off += !(d <= 10 * mean);
    worst = fmax (worst, d);
  }
  golden_compare_error (x->c, name, want ? sum / (double) n : NAN, mean);
  golden_compare_error (x->c, name, (double) off / (double) n, 3e-3);
  golden_compare_error (x->c, name, worst, 0.05);
}

/* The wanted mean was added up in floats. */
static void
compare_mean (Builtin *x, const char *name, const float *values, size_t pixels, size_t cols)
{
  g_autofree float *mean = g_new (float, cols);

  for (size_t c = 0; c < cols; c++) {
    double m = 0;

    for (size_t i = 0; i < pixels; i++)
      m += values[i * cols + c];
    mean[c] = (float) (m / (double) pixels);
  }
  golden_compare_rows (x->c, x->io, name, mean, cols, 1, 2e-4);
}

static void
compare_pictures (Builtin *x, const uint8_t *white)
{
  size_t pixels = x->side * x->side, R = x->network, n4 = x->side / 4, n16 = x->side / 16;
  g_autofree float *image = golden_fetch (x->in.queue, x->in.image, pixels * x->C);
  g_autofree float *t = golden_fetch (x->in.queue, x->in.transmittance, pixels);
  g_autofree float *network = golden_fetch (x->in.queue, x->in.network, R * R * 3);
  g_autofree float *image16 = stride (image, x->side, x->C, 3, 5, 16);
  g_autofree float *t4 = stride (t, x->side, 1, 1, 2, 4);
  g_autofree float *network8 = stride (network, R, 3, 1, 2, 8);
  const AmTensor *bytes = find (x, "picture_white_stride4");
  size_t off = 0, far = 0, n = n4 * n4 * 3;

  /* stored as f16 */
  compare_image (x, "splat_stride16", image16, n16 * n16 * x->C, x->C, 3e-4);
  compare_image (x, "final_T_stride4", t4, n4 * n4, n4, 3e-4);
  compare_mean (x, "splat_mean", image, pixels, x->C);
  compare_image (x, "network_stride8", network8, R / 8 * (R / 8) * 3, 3, 1e-4);
  compare_mean (x, "network_mean", network, R * R, 3);
  for (size_t i = 0; bytes && bytes->n == n && i < n; i++) {
    size_t r = 1 + 4 * (i / 3 / n4), q = 2 + 4 * (i / 3 % n4);
    int d = abs (((const uint8_t *) bytes->data)[i] - white[3 * (r * x->side + q) + i % 3]);

    off += d > 0;
    far += d > 1;
  }
  golden_compare_error (x->c, "picture_white_stride4, off by one",
      bytes && bytes->n == n ? (double) off / (double) n : NAN, 1e-2);
  golden_compare_error (
      x->c, "picture_white_stride4, off by more", (double) far / (double) n, 1e-3);
}

static gboolean
check (Builtin *x, GError **error)
{
  const AmTensor *motion_t = find (x, "motion"), *vertices_t = find (x, "vertices_every_13");
  g_autoptr (AmAvatarModel) model =
      am_avatar_model_open (NULL, x->c->golden->device, AK_F32, x->c->golden->threads, error);
  g_autoptr (AmHead) head = model ? am_head_open (NULL, error) : NULL;
  g_autoptr (AmAvatar) avatar =
      head ? am_avatar_prepare (model, NULL, NULL, NULL, NULL, error) : NULL;
  g_autoptr (AmAvatarView) view =
      avatar ? am_avatar_view_new_inside (avatar, head, NULL, error) : NULL;
  g_autofree float *motion = NULL, *vertices = NULL;
  g_autofree uint8_t *white = NULL;
  AmPicture picture = { .pixels = AM_PIXELS_RGB };
  size_t V, n;

  if (!view)
    return FALSE;
  V = am_head_info (head)->vertices;
  if (!motion_t || motion_t->n != am_head_info (head)->expressions + 6 || !vertices_t) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISSING, "lacks motion or vertices");
    return FALSE;
  }
  motion = am_tensor_to_f32 (motion_t);
  x->view = view;
  x->side = am_avatar_model_info (model)->side;
  x->C = am_avatar_model_info (model)->channels;
  x->network = model->bound.network_side;
  white = g_malloc (3 * x->side * x->side);
  picture.width = picture.height = (unsigned) x->side;
  picture.plane[0] = white;
  picture.stride[0] = 3 * (ptrdiff_t) x->side;
  if (!am_avatar_view_draw (view, motion, &picture, NULL, error))
    return FALSE;
  am_avatar_view_inside (view, &x->in);
  vertices = golden_fetch (x->in.queue, x->in.points, 3 * V);
  n = (V + 12) / 13;
  for (size_t i = 0; i < n; i++)
    memmove (vertices + 3 * i, vertices + 39 * i, 3 * sizeof *vertices);
  golden_compare_rows (x->c, x->io, "vertices_every_13", vertices, 3 * n, 3, 3e-6);
  compare_bound (x);
  compare_pictures (x, white);
  return TRUE;
}

/* Is the checksum in the golden file that of `file`? */
static gboolean
made_for (const AmWeights *io, const char *file)
{
  const char *want = am_weights_metadata (io, "avatar");
  g_autofree char *contents = NULL, *got = NULL;
  gsize n;

  if (!want || !g_file_get_contents (file, &contents, &n, NULL))
    return FALSE;
  got = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) contents, n);
  return strcmp (want, got) == 0;
}

void
golden_builtin (Golden *g, const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "builtin.safetensors", NULL);
  g_autofree char *file = am_data_path ("avatar.safetensors");
  g_autoptr (AmWeights) io = NULL;
  g_autoptr (GError) error = NULL;
  GoldenCase c;
  Builtin x = { .c = &c };

  if (!g_file_test (path, G_FILE_TEST_EXISTS) || !golden_begin (g, &c, "avatar/builtin"))
    return;
  if (!g_file_test (file, G_FILE_TEST_EXISTS)) {
    golden_skip (&c, "%s is not there", file);
    return;
  }
  io = golden_open_io (&c, path);
  if (!io)
    return;
  x.io = io;
  if (!made_for (io, file)) {
    golden_fail (
        &c, "was made for another %s: make it anew (models/default/avatar/golden.py)", file);
    return;
  }
  if (check (&x, &error))
    golden_end (&c);
  else
    golden_fail (&c, "%s", error->message);
}
