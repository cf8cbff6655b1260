/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "face.h"
#include "paths.h"

#include <math.h>
#include <string.h>

#define FOLDER "faces"

char **
am_face_list (void)
{
  return am_data_names (FOLDER);
}

char *
am_face_describe (const char *name, GError **error)
{
  g_autofree char *path = am_data_asset (FOLDER, name);
  g_autoptr (AmWeights) w = am_weights_open (path, error);
  const char *text = w ? am_weights_metadata (w, "description") : NULL;

  return w ? g_strdup (text ? text : "") : NULL;
}

char *
am_face_path (const char *name_or_path, GError **error)
{
  if (strchr (name_or_path, G_DIR_SEPARATOR))
    return g_strdup (name_or_path);
  return am_data_find (FOLDER, "face", name_or_path, error);
}

gboolean
am_face_is_one (const AmWeights *w)
{
  return am_weights_find (w, "shape") && !am_weights_find (w, "flame_model.v_template");
}

/* `rest` [V][3] moved by the coefficients `shape`. */
static void
add_shape (const AmHead *head, const AmTensor *shape, float *rest)
{
  size_t columns = head->shapedirs->shape[2];
  g_autofree float *x = am_tensor_to_f32 (shape), *row = g_new (float, columns);

  for (size_t i = 0; i < 3 * (size_t) head->info.vertices; i++) {
    double sum = rest[i];

    am_tensor_read_f32 (head->shapedirs, i * columns, columns, row);
    for (size_t s = 0; s < shape->n; s++)
      sum += (double) x[s] * (double) row[s];
    rest[i] = (float) sum;
  }
}

gboolean
am_head_wear (AmHead *head, AmWeights *face, GError **error)
{
  const AmTensor *shape = am_weights_find (face, "shape"), *offset;
  size_t V = head->info.vertices;

  if (!am_head_read_looks (head, face, error))
    return FALSE;
  if (shape->n == 0 || shape->n > head->info.shapes) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
        "%s: shape: %zu numbers, the built-in head has %u", am_weights_path (face), shape->n,
        head->info.shapes);
    return FALSE;
  }
  if (!am_head_check_finite (face, shape, error))
    return FALSE;
  g_free (head->rest);
  head->rest = am_tensor_to_f32 (head->v_template);
  add_shape (head, shape, head->rest);
  if (am_weights_find (face, "offset")) {
    g_autofree float *move = NULL;

    if (!am_weights_check (face, "offset", &offset, error, 2, V, 3) ||
        !am_head_check_finite (face, offset, error))
      return FALSE;
    move = am_tensor_to_f32 (offset);
    for (size_t i = 0; i < 3 * V; i++)
      head->rest[i] += move[i];
  }
  return TRUE;
}
