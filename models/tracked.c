/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tracked.h"

#include <math.h>
#include <string.h>

#include "pickle.h"
#include "weights.h"

#define MAX_SIDE 8192
#define MAX_SHAPE 4096
#define MAX_NAMED 5 /* names in a message */

/* Where a person's three things are found. */
typedef struct
{
  const AmWeights *weights;
  const AmValue *dict; /* of a .pt file, else NULL: */
  char *prefix;        /* "NAME." of the tensors, "" for the file itself */
} Place;

struct _AmTracked
{
  char *path;
  GPtrArray *files;  /* AmWeights */
  GPtrArray *names;  /* char *, NULL at the end */
  GArray *places;    /* Place, one per name */
  GHashTable *index; /* name -> 1 + number */
};

static const char *const keys[] = { "image", "transform_matrix", "shapecode" };

static void
place_clear (gpointer place)
{
  g_free (((Place *) place)->prefix);
}

void
am_tracked_free (AmTracked *t)
{
  if (!t)
    return;
  g_hash_table_unref (t->index);
  g_array_unref (t->places);
  g_ptr_array_unref (t->names);
  g_ptr_array_unref (t->files);
  g_free (t->path);
  g_free (t);
}

void
am_person_free (AmPerson *person)
{
  if (!person)
    return;
  g_free (person->name);
  g_free (person->image);
  g_free (person->shape);
  g_free (person);
}

/* Names are shown to people, in lists and in errors. */
static gboolean
is_shown (const char *name)
{
  if (!*name || !g_utf8_validate (name, -1, NULL))
    return FALSE;
  for (const char *at = name; *at; at = g_utf8_next_char (at))
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      return FALSE;
  return TRUE;
}

/* Takes `name` and `place.prefix`. */
static void
add (AmTracked *t, char *name, Place place)
{
  if (!is_shown (name) || g_hash_table_contains (t->index, name)) {
    g_free (name);
    g_free (place.prefix);
    return;
  }
  g_ptr_array_add (t->names, name);
  g_array_append_val (t->places, place);
  g_hash_table_insert (t->index, name, GUINT_TO_POINTER (t->places->len));
}

/* A name for whom a file is about. */
static char *
file_stem (const char *path)
{
  char *name = g_path_get_basename (path), *dot = strrchr (name, '.');

  if (dot && dot != name)
    *dot = 0;
  return name;
}

static gboolean
looks_like_person (const AmValue *v)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (keys); i++)
    if (am_value_get (v, keys[i]))
      return TRUE;
  return FALSE;
}

static void
list_values (AmTracked *t, const AmWeights *w, const AmValue *root)
{
  if (looks_like_person (root)) {
    add (t, file_stem (am_weights_path (w)), (Place){ w, root, NULL });
    return;
  }
  if (am_value_kind (root) != AM_VALUE_DICT)
    return;
  for (size_t i = 0; i < am_value_size (root); i++) {
    const AmValue *v = am_value_item (root, i);
    char *name = am_value_dup_string (am_value_key (root, i));

    if (name && looks_like_person (v))
      add (t, name, (Place){ w, v, NULL });
    else
      g_free (name);
  }
}

static void
list_tensors (AmTracked *t, const AmWeights *w)
{
  for (size_t i = 0; i < am_weights_count (w); i++) {
    const char *name = am_weights_nth (w, i)->name;

    if (strcmp (name, keys[0]) == 0)
      add (t, file_stem (am_weights_path (w)), (Place){ w, NULL, g_strdup ("") });
    else if (g_str_has_suffix (name, ".image") && name[0] != '.')
      add (t, g_strndup (name, strlen (name) - strlen (".image")),
          (Place){ w, NULL, g_strndup (name, strlen (name) - strlen ("image")) });
  }
}

static gboolean
open_file (AmTracked *t, const char *path, GError **error)
{
  AmWeights *w = am_weights_open (path, error);

  if (!w)
    return FALSE;
  g_ptr_array_add (t->files, w);
  if (am_weights_root (w))
    list_values (t, w, am_weights_root (w));
  else
    list_tensors (t, w);
  return TRUE;
}

static int
by_string (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
open_folder (AmTracked *t, const char *path, GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) cause = NULL;
  g_autoptr (GDir) dir = g_dir_open (path, 0, &cause);
  const char *name;

  if (!dir) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", path, cause->message);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ".pt") || g_str_has_suffix (name, ".safetensors"))
      g_ptr_array_add (files, g_build_filename (path, name, NULL));
  g_ptr_array_sort (files, by_string);
  for (guint i = 0; i < files->len; i++)
    if (!open_file (t, files->pdata[i], error))
      return FALSE;
  return TRUE;
}

AmTracked *
am_tracked_open (const char *path, GError **error)
{
  g_autoptr (AmTracked) t = g_new0 (AmTracked, 1);
  gboolean ok;

  t->path = g_strdup (path);
  t->files = g_ptr_array_new_with_free_func ((GDestroyNotify) am_weights_unref);
  t->names = g_ptr_array_new_with_free_func (g_free);
  t->places = g_array_new (FALSE, FALSE, sizeof (Place));
  g_array_set_clear_func (t->places, place_clear);
  t->index = g_hash_table_new (g_str_hash, g_str_equal);
  ok = g_file_test (path, G_FILE_TEST_IS_DIR) ? open_folder (t, path, error)
                                              : open_file (t, path, error);
  if (ok && t->names->len == 0) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISSING,
        "%s: holds no tracked person (a name with image, transform_matrix and shapecode)", path);
    ok = FALSE;
  }
  g_ptr_array_add (t->names, NULL);
  return ok ? g_steal_pointer (&t) : NULL;
}

const char *const *
am_tracked_names (const AmTracked *t)
{
  return (const char *const *) t->names->pdata;
}

/* What is read at the moment, for messages. */
typedef struct
{
  const Place *place;
  const char *name;
  GError **error;
} Reader;

static gboolean fail (Reader *r, AmError code, const char *key, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

static gboolean
fail (Reader *r, AmError code, const char *key, const char *format, ...)
{
  g_autofree char *why = NULL;
  va_list args;

  va_start (args, format);
  why = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (r->error, AM_ERROR, code, "%s: \"%s\": %s %s", am_weights_path (r->place->weights),
      r->name, key, why);
  return FALSE;
}

/* The numbers of nested lists, row after row; FALSE if there is anything else, or more than `most`. */
static gboolean
flatten (const AmValue *v, unsigned depth, size_t most, GArray *out)
{
  AmValueKind kind = am_value_kind (v);
  double d;

  if (am_value_float (v, &d)) {
    float f = (float) d;

    g_array_append_val (out, f);
    return out->len <= most;
  }
  if ((kind != AM_VALUE_LIST && kind != AM_VALUE_TUPLE) || depth == 0 || am_value_size (v) > most)
    return FALSE;
  for (size_t i = 0; i < am_value_size (v); i++)
    if (!flatten (am_value_item (v, i), depth - 1, most, out))
      return FALSE;
  return TRUE;
}

static const AmTensor *
find_tensor (const Place *p, const char *key)
{
  g_autofree char *name = NULL;

  if (p->dict)
    return am_value_tensor (am_value_get (p->dict, key));
  name = g_strconcat (p->prefix, key, NULL);
  return am_weights_find (p->weights, name);
}

/* The finite numbers of a tensor or of lists; at most `most`. NULL after fail(). */
static float *
read_numbers (Reader *r, const char *key, size_t most, size_t *n)
{
  const AmTensor *t = find_tensor (r->place, key);
  const AmValue *v = r->place->dict ? am_value_get (r->place->dict, key) : NULL;
  g_autofree float *out = NULL;

  if (!t && !v) {
    fail (r, AM_ERROR_MISSING, key, "is missing");
    return NULL;
  }
  if (t) {
    if (t->n > most) {
      g_autofree char *shape = am_tensor_shape_string (t);

      fail (r, AM_ERROR_SHAPE, key, "is %s, more than %zu numbers", shape, most);
      return NULL;
    }
    out = am_tensor_to_f32 (t);
    *n = t->n;
  } else {
    g_autoptr (GArray) list = g_array_new (FALSE, FALSE, sizeof (float));

    if (!flatten (v, 3, most, list)) {
      fail (r, AM_ERROR_SHAPE, key, "is neither a tensor nor a list of at most %zu numbers", most);
      return NULL;
    }
    *n = list->len;
    out = (float *) g_array_steal (list, NULL);
  }
  for (size_t i = 0; i < *n; i++)
    if (!isfinite (out[i])) {
      fail (r, AM_ERROR_FORMAT, key, "element %zu is not a finite number", i);
      return NULL;
    }
  return g_steal_pointer (&out);
}

static gboolean
read_image (Reader *r, AmPerson *person)
{
  const char *key = keys[0];
  const AmTensor *t = find_tensor (r->place, key);
  g_autofree char *shape = t ? am_tensor_shape_string (t) : NULL;
  g_autofree float *planes = NULL;
  float scale, low = 0, high = 0;
  size_t pixels;

  if (!t)
    return fail (r, AM_ERROR_MISSING, key, "is missing or not a tensor");
  if (t->n_dims == 3 && t->shape[2] == 3 && t->shape[0] != 3)
    return fail (r, AM_ERROR_SHAPE, key,
        "is %s: its three colours must come first, as [3,height,width]", shape);
  if (t->n_dims != 3 || t->shape[0] != 3 || t->shape[1] < 1 || t->shape[2] < 1)
    return fail (r, AM_ERROR_SHAPE, key, "is %s, must be [3,height,width]", shape);
  if (t->shape[1] > MAX_SIDE || t->shape[2] > MAX_SIDE)
    return fail (
        r, AM_ERROR_SHAPE, key, "is %s, larger than %dx%d pixels", shape, MAX_SIDE, MAX_SIDE);
  if (t->dtype != AM_U8 && t->dtype != AM_F32 && t->dtype != AM_F64 && t->dtype != AM_F16 &&
      t->dtype != AM_BF16)
    return fail (r, AM_ERROR_SHAPE, key, "is %s, must be of bytes or floats", shape);
  planes = am_tensor_to_f32 (t);
  pixels = t->shape[1] * t->shape[2];
  scale = t->dtype == AM_U8 ? 255 : 1;
  person->height = t->shape[1];
  person->width = t->shape[2];
  person->image = g_new (float, 3 * pixels);
  for (size_t c = 0; c < 3; c++)
    for (size_t i = 0; i < pixels; i++) {
      float v = planes[c * pixels + i] / scale;

      if (!isfinite (v))
        return fail (r, AM_ERROR_FORMAT, key, "element %zu is not a finite number", c * pixels + i);
      low = fminf (low, v);
      high = fmaxf (high, v);
      person->image[3 * i + c] = v;
    }
  if (low < -1 || high > 2) /* some room, for pictures that were resized with a sharp filter */
    return fail (r, AM_ERROR_FORMAT, key, "has floats from %g to %g, must be 0 to 1", (double) low,
        (double) high);
  return TRUE;
}

static gboolean
read_transform (Reader *r, AmPerson *person)
{
  const char *key = keys[1];
  size_t n = 0;
  g_autofree float *m = read_numbers (r, key, 16, &n);
  double worst = 0, det;

  if (!m)
    return FALSE;
  if (n != 12)
    return fail (r, AM_ERROR_SHAPE, key, "has %zu numbers, must be [3,4]", n);
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      double dot = 0;

      for (int k = 0; k < 3; k++)
        dot += (double) m[4 * i + k] * m[4 * j + k];
      worst = fmax (worst, fabs (dot - (i == j)));
    }
  det = (double) m[0] * ((double) m[5] * m[10] - (double) m[6] * m[9]) -
        (double) m[1] * ((double) m[4] * m[10] - (double) m[6] * m[8]) +
        (double) m[2] * ((double) m[4] * m[9] - (double) m[5] * m[8]);
  if (!(worst <= 1e-2) || det < 0)
    return fail (r, AM_ERROR_FORMAT, key, "is not rigid: its first three columns are no rotation");
  memcpy (person->transform, m, sizeof person->transform);
  return TRUE;
}

static gboolean
read_person (Reader *r, AmPerson *person)
{
  if (!read_image (r, person) || !read_transform (r, person))
    return FALSE;
  person->shape = read_numbers (r, keys[2], MAX_SHAPE, &person->n_shape);
  if (person->shape && person->n_shape == 0)
    return fail (r, AM_ERROR_SHAPE, keys[2], "is empty");
  return person->shape != NULL;
}

/* The number of `name`, or of the only name that is `name` with an extension; -1 if there is none. */
static int
find_name (const AmTracked *t, const char *name)
{
  guint at = GPOINTER_TO_UINT (g_hash_table_lookup (t->index, name));
  int found = -1;

  if (at)
    return (int) at - 1;
  for (guint i = 0; i < t->places->len; i++) {
    const char *full = t->names->pdata[i], *dot = strrchr (full, '.');

    if (dot && (size_t) (dot - full) == strlen (name) && g_str_has_prefix (full, name)) {
      if (found >= 0)
        return -1;
      found = (int) i;
    }
  }
  return found;
}

AmPerson *
am_tracked_person (const AmTracked *t, const char *name, GError **error)
{
  g_autoptr (AmPerson) person = NULL;
  int at = name && *name ? find_name (t, name) : t->places->len == 1 ? 0 : -1;
  Reader r;

  if (at < 0) {
    g_autoptr (GString) some = g_string_new (NULL);

    for (guint i = 0; i < MIN (t->places->len, MAX_NAMED); i++)
      g_string_append_printf (some, "%s\"%s\"", i ? ", " : "", (char *) t->names->pdata[i]);
    if (t->places->len > MAX_NAMED)
      g_string_append_printf (some, " and %u more", t->places->len - MAX_NAMED);
    if (name && *name)
      g_set_error (error, AM_ERROR, AM_ERROR_MISSING, "%s: there is no \"%s\"; there is %s",
          t->path, name, some->str);
    else
      g_set_error (error, AM_ERROR, AM_ERROR_MISSING, "%s: name one of %s", t->path, some->str);
    return NULL;
  }
  r = (Reader){ &g_array_index (t->places, Place, at), t->names->pdata[at], error };
  person = g_new0 (AmPerson, 1);
  person->name = g_strdup (r.name);
  return read_person (&r, person) ? g_steal_pointer (&person) : NULL;
}
