/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads every file that FOLDER/index.json lists and compares it with what the list, or the files
 * NAME.expect.json and NAME.expect.safetensors beside it, say. FOLDER is one of ours (data, made by
 * make.py) or the golden folder "loader".
 *
 *     pt FOLDER
 */
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "models/pickle.h"

#define MAX_RSS_GROWTH_KB (64 * 1024)
#define MAX_SECONDS 10

typedef struct
{
  const char *file;
  JsonObject *values, *tensors; /* what is expected, by path */
  AmWeights *arrays;            /* the tensors' contents, or NULL if .tensors hold them */
  guint n_values, n_tensors;    /* found */
  const AmWeights *w;
} Case;

static unsigned failures;

static void G_GNUC_PRINTF (2, 3) fail (const char *file, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  printf ("FAIL %s: %s\n", file, text);
  failures++;
}

static gboolean
same_bytes (const AmValue *v, JsonNode *want)
{
  JsonArray *list;

  if (!JSON_NODE_HOLDS_OBJECT (want) ||
      !json_object_has_member (json_node_get_object (want), "bytes"))
    return FALSE;
  list = json_object_get_array_member (json_node_get_object (want), "bytes");
  if (json_array_get_length (list) != am_value_size (v))
    return FALSE;
  for (guint i = 0; i < am_value_size (v); i++)
    if (((const guint8 *) am_value_bytes (v))[i] != json_array_get_int_element (list, i))
      return FALSE;
  return TRUE;
}

static gboolean
same_value (const AmValue *v, JsonNode *want)
{
  g_autofree char *text = NULL;
  gint64 i = 0;
  double f = 0;

  switch (am_value_kind (v)) {
    case AM_VALUE_NONE:
      return JSON_NODE_HOLDS_NULL (want);
    case AM_VALUE_BOOL:
      return json_node_get_value_type (want) == G_TYPE_BOOLEAN && am_value_int (v, &i) &&
             json_node_get_boolean (want) == (i != 0);
    case AM_VALUE_INT:
      return json_node_get_value_type (want) == G_TYPE_INT64 && am_value_int (v, &i) &&
             json_node_get_int (want) == i;
    case AM_VALUE_BIG_INT: /* the JSON reader has no such numbers either */
      return json_node_get_value_type (want) == G_TYPE_INT64 && am_value_size (v) > 8;
    case AM_VALUE_FLOAT:
      if (JSON_NODE_HOLDS_OBJECT (want))
        return am_value_float (v, &f) && f == (double) INFINITY &&
               strcmp (json_object_get_string_member (json_node_get_object (want), "float"),
                   "inf") == 0;
      return am_value_float (v, &f) && json_node_get_double (want) == f;
    case AM_VALUE_STRING:
      text = am_value_dup_string (v);
      return json_node_get_value_type (want) == G_TYPE_STRING &&
             g_strcmp0 (text, json_node_get_string (want)) == 0;
    case AM_VALUE_BYTES:
      return same_bytes (v, want);
    case AM_VALUE_LIST:
    case AM_VALUE_TUPLE:
      return JSON_NODE_HOLDS_ARRAY (want) && am_value_size (v) == 0 &&
             json_array_get_length (json_node_get_array (want)) == 0;
    case AM_VALUE_DICT:
      return JSON_NODE_HOLDS_OBJECT (want) && am_value_size (v) == 0 &&
             json_object_get_size (json_node_get_object (want)) == 0;
    default:
      return FALSE;
  }
}

/* compare_listed: with ["F32", [2,3], [1,2,...]] */
static void
compare_listed (Case *c, const char *path, const AmTensor *t, JsonArray *want)
{
  JsonArray *shape = json_array_get_array_element (want, 1);
  JsonArray *numbers = json_array_get_array_element (want, 2);
  g_autofree float *found = am_tensor_to_f32 (t);

  if (strcmp (am_dtype_name (t->dtype), json_array_get_string_element (want, 0)) != 0 ||
      t->n_dims != json_array_get_length (shape) || t->n != json_array_get_length (numbers)) {
    fail (c->file, "%s has another type or shape", path);
    return;
  }
  for (guint i = 0; i < t->n_dims; i++)
    if ((gint64) t->shape[i] != json_array_get_int_element (shape, i))
      fail (c->file, "%s has another shape", path);
  for (guint i = 0; i < t->n; i++)
    if ((double) found[i] != json_array_get_double_element (numbers, i))
      fail (c->file, "%s: element %u is %g", path, i, (double) found[i]);
}

static void
compare_tensor (Case *c, const char *path, const AmTensor *t)
{
  g_autofree char *name = g_strdelimit (g_strdup (path), "/", '.');
  const AmTensor *want, *named = am_weights_find (c->w, name);
  g_autofree char *found = am_tensor_shape_string (t);
  g_autofree char *shape = NULL;
  unsigned dims;

  c->n_tensors++;
  if (named == NULL || named->data != t->data || named->n != t->n)
    fail (c->file, "%s is not found by that name", name);
  if (!json_object_has_member (c->tensors, path)) {
    fail (c->file, "tensor %s is not expected", path);
    return;
  }
  if (c->arrays == NULL) {
    compare_listed (c, path, t, json_object_get_array_member (c->tensors, path));
    return;
  }
  want = am_weights_find (c->arrays, path);
  if (want == NULL) {
    fail (c->file, "no expected tensor %s", path);
    return;
  }
  /* the golden files hold numpy's 0-d array as [1] (its ascontiguousarray() makes it so) */
  dims = g_str_has_suffix (path, "zero_d") && want->n == 1 ? t->n_dims : want->n_dims;
  shape = am_tensor_shape_string (want);
  if (t->dtype != want->dtype || t->n_dims != dims || t->n != want->n ||
      memcmp (t->shape, want->shape, dims * sizeof *t->shape) != 0)
    fail (c->file, "%s is %s, expected %s", path, found, shape);
  else if (t->n && memcmp (t->data, want->data, t->bytes) != 0)
    fail (c->file, "%s has other contents", path);
}

/* compare: by recursion; only for good files */
static void
compare (Case *c, const char *path, const AmValue *v)
{
  if (am_value_kind (v) == AM_VALUE_TENSOR) {
    compare_tensor (c, *path ? path : "tensor", am_value_tensor (v));
    return;
  }
  if (am_value_item (v, 0) == NULL) {
    c->n_values++;
    if (!json_object_has_member (c->values, path))
      fail (c->file, "value %s is not expected", path);
    else if (!same_value (v, json_object_get_member (c->values, path)))
      fail (c->file, "value %s is another", path);
    return;
  }
  for (size_t i = 0; i < am_value_size (v); i++) {
    const AmValue *key = am_value_key (v, i);
    g_autofree char *step = key ? am_value_dup_string (key) : NULL;
    g_autofree char *child = NULL;
    gint64 number = (gint64) i;

    if (step == NULL) {
      am_value_int (key, &number);
      step = g_strdup_printf ("%" G_GINT64_FORMAT, number);
    }
    if (key && am_value_kind (key) == AM_VALUE_STRING &&
        am_value_get (v, step) != am_value_item (v, i))
      fail (c->file, "%s is not found under its key", step);
    child = *path ? g_strconcat (path, "/", step, NULL) : g_strdup (step);
    compare (c, child, am_value_item (v, i));
  }
}

static JsonParser *
load_json (const char *path)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;

  if (!json_parser_load_from_file (parser, path, &error)) {
    fail (path, "%s", error->message);
    return NULL;
  }
  return g_steal_pointer (&parser);
}

static void
check_good (const char *folder, const char *file, JsonObject *entry)
{
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autofree char *stem = g_strndup (path, strlen (path) - strlen (".pt"));
  g_autofree char *json_path = g_strconcat (stem, ".expect.json", NULL);
  g_autofree char *arrays_path = g_strconcat (stem, ".expect.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) w = am_weights_open (path, &error);
  g_autoptr (AmWeights) arrays = NULL;
  g_autoptr (JsonParser) json = NULL;
  Case c = { .file = file, .w = w };

  if (w == NULL) {
    fail (file, "%s", error->message);
    return;
  }
  if (!json_object_has_member (entry, "tensors")) {
    json = load_json (json_path);
    arrays = am_weights_open (arrays_path, &error);
    if (json == NULL || arrays == NULL) {
      fail (file, "%s", error ? error->message : "no list");
      return;
    }
    entry = json_node_get_object (json_parser_get_root (json));
    c.arrays = arrays;
  }
  c.values = json_object_get_object_member (entry, "values");
  c.tensors = json_object_get_object_member (entry, "tensors");
  compare (&c, "", am_weights_root (w));
  if (c.n_tensors != json_object_get_size (c.tensors) ||
      c.n_values != json_object_get_size (c.values) || am_weights_count (w) != c.n_tensors)
    fail (file, "%u tensors, %u values and %zu names; expected %u and %u", c.n_tensors, c.n_values,
        am_weights_count (w), json_object_get_size (c.tensors), json_object_get_size (c.values));
}

static void
check_bad (const char *folder, const char *file, JsonObject *entry)
{
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) w = NULL;
  gint64 start = g_get_monotonic_time ();
  const char *must = json_object_get_string_member_with_default (entry, "must", "error");
  const char *message = json_object_get_string_member_with_default (entry, "message", "");

  w = am_weights_open (path, &error);
  if (g_get_monotonic_time () - start > MAX_SECONDS * G_USEC_PER_SEC)
    fail (file, "took longer than %d s", MAX_SECONDS);
  printf ("%s -> %s\n", file, error ? error->message : "opened");
  if (w != NULL) { /* some may be read: those only must not crash */
    if (strstr (must, "may load") == NULL && strstr (must, "are both right") == NULL &&
        strstr (must, "or a right read") == NULL)
      fail (file, "was opened");
    for (size_t i = 0; i < am_weights_count (w); i++)
      g_free (am_tensor_to_f32 (am_weights_nth (w, i)));
    return;
  }
  if (error == NULL || error->domain != AM_ERROR || !g_str_has_prefix (error->message, path) ||
      strchr (error->message, '\n') || !g_utf8_validate (error->message, -1, NULL))
    fail (file, "no clear error: %s", error ? error->message : "none at all");
  else if (strstr (error->message, message) == NULL)
    fail (file, "the error should say: %s", message);
  if (strstr (must, "os.system") && strstr (must, "never run") &&
      !strstr (error->message, "system"))
    fail (file, "the error does not name the refused global");
}

static long
rss_kb (void)
{
  struct rusage use;

  getrusage (RUSAGE_SELF, &use);
  return use.ru_maxrss;
}

int
main (int argc, char **argv)
{
  g_autofree char *index = NULL;
  g_autoptr (JsonParser) parser = NULL;
  const char *folder = argc > 1 ? argv[1] : "";
  static const char *const kinds[] = { "good", "bad" };
  guint n = 0;
  long before;

  index = g_build_filename (folder, "index.json", NULL);
  if (!g_file_test (index, G_FILE_TEST_EXISTS)) {
    printf ("SKIP: there is no %s\n", index);
    return 77;
  }
  parser = load_json (index);
  if (parser == NULL)
    return 1;
  before = rss_kb ();
  for (int k = 0; k < 2; k++) {
    JsonArray *list = json_object_get_array_member (
        json_node_get_object (json_parser_get_root (parser)), kinds[k]);

    for (guint i = 0; i < json_array_get_length (list); i++, n++) {
      JsonObject *entry = json_array_get_object_element (list, i);
      const char *file = json_object_get_string_member (entry, "file");

      (k ? check_bad : check_good) (folder, file, entry);
    }
  }
  if (rss_kb () - before > MAX_RSS_GROWTH_KB)
    fail (folder, "memory grew by %ld KB", rss_kb () - before);
  if (g_file_test ("CANARY_SYSTEM", G_FILE_TEST_EXISTS))
    fail (folder, "CANARY_SYSTEM exists: something in a file was run");
  printf ("%u files, %u failures, %ld KB\n", n, failures, rss_kb () - before);
  return failures || n == 0;
}
