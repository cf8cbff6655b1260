/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prepared avatars as files. */
#include "avatar_priv.h"

#include <math.h>
#include <string.h>

#include "kernels/splat.h"
#include "safetensors.h"

#define FORMAT "artalk-splats-1"

static AmTensor
tensor (const char *name, const float *data, size_t rows, size_t cols)
{
  return (AmTensor){ .name = name,
    .dtype = AM_F32,
    .n_dims = cols ? 2 : 1,
    .shape = { rows, cols },
    .n = rows * MAX (cols, 1),
    .data = data,
    .bytes = rows * MAX (cols, 1) * sizeof *data };
}

gboolean
am_avatar_write (AmAvatar *avatar, const char *path, GError **error)
{
  AmAvatarModel *model = avatar->model;
  g_autofree char *followers = g_strdup_printf ("%zu", avatar->followers);
  const char *metadata[] = { "format", FORMAT, "model", model->checkpoint, "key",
    avatar->key ? avatar->key : "", "followers", followers, NULL };
  g_autoptr (AmSplats) s = NULL;

  if (!model->info.needs_person) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: this model is a file of one avatar already", am_weights_path (model->weights));
    return FALSE;
  }
  s = am_avatar_splats (avatar, error);
  if (!s)
    return FALSE;
  {
    const AmTensor tensors[] = { tensor ("means", s->means, s->n, 3),
      tensor ("scales", s->scales, s->n, 3), tensor ("rotations", s->rotations, s->n, 4),
      tensor ("opacities", s->opacities, s->n, 0), tensor ("colors", s->colors, s->n, s->channels),
      tensor ("transform_matrix", avatar->transform, 3, 4),
      tensor ("shapecode", avatar->shape, avatar->n_shape, 0) };

    return am_safetensors_write (path, tensors, G_N_ELEMENTS (tensors), metadata, error);
  }
}

/* The finite numbers of a tensor of that shape into `to` (cols 0: one axis). */
static gboolean
read_tensor (
    const AmWeights *w, const char *name, float *to, size_t rows, size_t cols, GError **error)
{
  const AmTensor *t;
  size_t want[3] = { cols ? 2 : 1, rows, cols };

  if (!am_weights_check_shape (w, name, &t, error, want, cols ? 3 : 2))
    return FALSE;
  am_tensor_read_f32 (t, 0, t->n, to);
  for (size_t i = 0; i < t->n; i++)
    if (!isfinite (to[i])) {
      g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: %s: element %zu is not a finite number",
          am_weights_path (w), name, i);
      return FALSE;
    }
  return TRUE;
}

static gboolean
check_metadata (AmAvatarModel *model, const AmWeights *w, const char *key, GError **error)
{
  const char *format = am_weights_metadata (w, "format");
  const char *checkpoint = am_weights_metadata (w, "model"), *own = am_weights_metadata (w, "key");

  if (!model->info.needs_person || !format || strcmp (format, FORMAT) != 0)
    g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: not a prepared avatar (format " FORMAT ")",
        am_weights_path (w));
  else if (!checkpoint || strcmp (checkpoint, model->checkpoint) != 0)
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: was prepared by model %s, this one is %s: prepare it again", am_weights_path (w),
        checkpoint ? checkpoint : "unknown", model->checkpoint);
  else if (key && (!own || strcmp (own, key) != 0))
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: was prepared for another picture, camera or identity", am_weights_path (w));
  else
    return TRUE;
  return FALSE;
}

AmAvatar *
am_avatar_read (AmAvatarModel *model, const char *path, const char *key, GError **error)
{
  g_autoptr (AmWeights) w = am_weights_open (path, error);
  g_autoptr (AmSplats) s = NULL;
  g_autofree float *shape = NULL;
  float transform[12];
  const AmTensor *means, *shapecode;
  size_t V = model->info.vertices, n;

  if (!w || !check_metadata (model, w, key, error) ||
      !am_weights_check (w, "means", &means, error, 2, 0, 3) ||
      !am_weights_check (w, "shapecode", &shapecode, error, 1, 0))
    return NULL;
  n = means->shape[0];
  if (n < V || n > AK_SPLAT_MAX) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
        "%s: means: %zu splats, must be %zu (the head's vertices) to %d", path, n, V, AK_SPLAT_MAX);
    return NULL;
  }
  if (!am_weights_check (w, "colors", NULL, error, 2, n, (size_t) model->info.channels))
    return NULL;
  s = am_splats_new (n, model->info.channels, V);
  shape = g_new (float, MAX (shapecode->n, 1));
  if (!read_tensor (w, "means", s->means, n, 3, error) ||
      !read_tensor (w, "scales", s->scales, n, 3, error) ||
      !read_tensor (w, "rotations", s->rotations, n, 4, error) ||
      !read_tensor (w, "opacities", s->opacities, n, 0, error) ||
      !read_tensor (w, "colors", s->colors, n, s->channels, error) ||
      !read_tensor (w, "transform_matrix", transform, 3, 4, error) ||
      !read_tensor (w, "shapecode", shape, shapecode->n, 0, error))
    return NULL;
  return am_avatar_new (
      model, s, transform, shape, shapecode->n, am_weights_metadata (w, "key"), error);
}
