/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "face.h"
#include "paths.h"

#include <math.h>
#include <string.h>

#define SUFFIX ".safetensors"

/* The file of the built-in face `name`, whether there is one or not. */
static char *
built_in (const char *name)
{
  g_autofree char *file = g_strconcat (name, SUFFIX, NULL);
  g_autofree char *path = g_build_filename ("faces", file, NULL);

  return am_data_path (path);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

char **
am_face_list (void)
{
  g_autofree char *path = am_data_path ("faces");
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  GPtrArray *names = g_ptr_array_new ();
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, SUFFIX))
      g_ptr_array_add (names, g_strndup (name, strlen (name) - strlen (SUFFIX)));
  g_ptr_array_sort (names, compare_strings);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}

char *
am_face_describe (const char *name, GError **error)
{
  g_autofree char *path = built_in (name);
  g_autoptr (AmWeights) w = am_weights_open (path, error);
  const char *text = w ? am_weights_metadata (w, "description") : NULL;

  return w ? g_strdup (text ? text : "") : NULL;
}

char *
am_face_path (const char *name_or_path, GError **error)
{
  g_autofree char *path = built_in (name_or_path), *list = NULL;
  g_auto (GStrv) names = NULL;

  if (strchr (name_or_path, G_DIR_SEPARATOR))
    return g_strdup (name_or_path);
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&path);
  if (g_file_test (name_or_path, G_FILE_TEST_EXISTS))
    return g_strdup (name_or_path);
  names = am_face_list ();
  list = g_strjoinv (", ", names);
  g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: neither a file nor a built-in face (%s)",
      name_or_path, *list ? list : "there are none");
  return NULL;
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
