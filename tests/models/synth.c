/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "synth.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK ((size_t) 1 << 16)
#define MAX_TABLE ((size_t) 1 << 24) /* elements of a tensor that is no "uniform" */

/* One line of the list. */
typedef struct
{
  AmTensor tensor; /* without data */
  JsonObject *spec;
} Entry;

typedef struct
{
  const char *path; /* of the list, for messages */
  guint64 salt;
  GArray *entries; /* Entry */
} List;

static gboolean G_GNUC_PRINTF (3, 4)
    wrong (const char *path, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, AM_ERROR, AM_ERROR_CONFIG, "%s: %s", path, text);
  return FALSE;
}

static guint64
fnv1a (const char *text)
{
  guint64 h = G_GUINT64_CONSTANT (14695981039346656037);

  for (; *text; text++)
    h = (h ^ (guint8) *text) * G_GUINT64_CONSTANT (1099511628211);
  return h;
}

void
synth_uniform (
    float *out, size_t first, size_t count, guint64 salt, const char *name, float base, float scale)
{
  g_autofree char *key = g_strdup_printf ("%" G_GUINT64_FORMAT ":%s", salt, name);
  const guint64 seed = fnv1a (key);

  for (size_t i = 0; i < count; i++) {
    guint64 z = seed + (first + i + 1) * G_GUINT64_CONSTANT (0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * G_GUINT64_CONSTANT (0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * G_GUINT64_CONSTANT (0x94D049BB133111EB);
    z ^= z >> 31;
    /* the product is exact in double, so it does not matter whether it is fused with the sum */
    out[i] = (float) ((double) base +
                      (double) scale * ((double) ((gint64) (z >> 40) - (1 << 23)) / 0x1p23));
  }
}

static double
number (const Entry *e, const char *key)
{
  return json_object_get_double_member_with_default (e->spec, key, 0);
}

static size_t
count (const Entry *e, const char *key)
{
  gint64 n = json_object_get_int_member_with_default (e->spec, key, 0);

  return n > 0 && n <= 1 << 20 ? (size_t) n : 0;
}

/* levels: the level of each token. Returns: [*n], g_free() it */
static size_t *
levels (const Entry *e, size_t *n)
{
  JsonArray *list = json_object_has_member (e->spec, "patch_nums")
                        ? json_object_get_array_member (e->spec, "patch_nums")
                        : NULL;
  g_autoptr (GArray) out = g_array_new (FALSE, FALSE, sizeof (size_t));

  for (guint k = 0; list && k < json_array_get_length (list); k++)
    for (gint64 i = 0; i < json_array_get_int_element (list, k) && out->len < 1 << 16; i++)
      g_array_append_vals (out, &(const size_t){ k }, 1);
  *n = out->len;
  return (size_t *) g_array_steal (out, NULL);
}

/* table: the elements of a tensor that is made as a whole, as doubles. Returns: FALSE if the rule
 * gives another number of them than @e has */
static gboolean
table (const Entry *e, const char *rule, double *out)
{
  const AmTensor *t = &e->tensor;
  g_autofree size_t *level = NULL;
  size_t n;

  if (strcmp (rule, "constant") == 0) {
    for (size_t i = 0; i < t->n; i++)
      out[i] = number (e, "value");
    return TRUE;
  }
  if (strcmp (rule, "level_index") == 0) {
    level = levels (e, &n);
    for (size_t i = 0; i < n && n == t->n; i++)
      out[i] = (double) level[i];
    return n == t->n;
  }
  if (strcmp (rule, "level_mask") == 0) {
    size_t prev = count (e, "prev");

    level = levels (e, &n);
    if (n * (prev + n) != t->n)
      return FALSE;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < prev + n; j++)
        *out++ = j < prev || level[i] >= level[j - prev] ? 0 : (double) -INFINITY;
    return TRUE;
  }
  if (strcmp (rule, "half_mask") == 0) {
    n = count (e, "n");
    if (4 * n * n != t->n)
      return FALSE;
    for (size_t i = 0; i < 2 * n; i++)
      for (size_t j = 0; j < 2 * n; j++)
        *out++ = i < n && j >= n ? (double) -INFINITY : 0;
    return TRUE;
  }
  if (strcmp (rule, "sinusoid") == 0) {
    n = count (e, "width");
    if (t->n_dims < 2 || n == 0 || n % 2 || t->shape[t->n_dims - 1] != n)
      return FALSE;
    for (size_t i = 0; i < t->n; i += 2) {
      double angle = (double) (i / n) * exp ((double) (i % n) * (-log (10000.0) / (double) n));

      out[i] = sin (angle);
      out[i + 1] = cos (angle);
    }
    return TRUE;
  }
  return FALSE;
}

static gboolean
write_table (const List *list, const Entry *e, const char *rule, FILE *file, GError **error)
{
  const size_t n = e->tensor.n;
  g_autofree double *values = NULL;

  if (n > MAX_TABLE)
    return wrong (list->path, error, "tensor %s is too large for its rule", e->tensor.name);
  values = g_new (double, n);
  if (!table (e, rule, values))
    return wrong (
        list->path, error, "tensor %s: the rule %s does not give its shape", e->tensor.name, rule);
  for (size_t i = 0; i < n; i++) {
    const float f = (float) values[i];
    const gint64 k = e->tensor.dtype == AM_I64 ? GINT64_TO_LE ((gint64) values[i]) : 0;

    if (e->tensor.dtype == AM_I64)
      fwrite (&k, sizeof k, 1, file);
    else
      fwrite (&f, sizeof f, 1, file);
  }
  return TRUE;
}

static gboolean
write_tensor (const List *list, const Entry *e, FILE *file, GError **error)
{
  const char *rule = json_object_get_string_member_with_default (e->spec, "rule", "");
  g_autofree float *block = NULL;

  if (strcmp (rule, "uniform") != 0)
    return write_table (list, e, rule, file, error);
  if (e->tensor.dtype != AM_F32)
    return wrong (list->path, error, "tensor %s: uniform, but not F32", e->tensor.name);
  block = g_new (float, BLOCK);
  for (size_t i = 0; i < e->tensor.n; i += BLOCK) {
    size_t n = MIN (BLOCK, e->tensor.n - i);

    synth_uniform (block, i, n, list->salt, e->tensor.name, (float) number (e, "base"),
        (float) number (e, "scale"));
    fwrite (block, sizeof *block, n, file);
  }
  return TRUE;
}

static gboolean
read_entry (const char *path, JsonObject *spec, Entry *e, GError **error)
{
  const char *dtype = json_object_get_string_member_with_default (spec, "dtype", "");
  JsonArray *shape =
      json_object_has_member (spec, "shape") ? json_object_get_array_member (spec, "shape") : NULL;

  *e = (Entry){ .spec = spec };
  e->tensor.name = json_object_get_string_member_with_default (spec, "name", NULL);
  if (e->tensor.name == NULL || shape == NULL || json_array_get_length (shape) > AM_MAX_DIMS)
    return wrong (path, error, "a tensor without a name or a shape");
  if (!am_dtype_from_name (dtype, &e->tensor.dtype) ||
      (e->tensor.dtype != AM_F32 && e->tensor.dtype != AM_I64))
    return wrong (path, error, "tensor %s is neither F32 nor I64", e->tensor.name);
  e->tensor.n = 1;
  e->tensor.n_dims = json_array_get_length (shape);
  for (unsigned d = 0; d < e->tensor.n_dims; d++) {
    gint64 size = json_array_get_int_element (shape, d);

    if (size < 0 || !g_size_checked_mul (&e->tensor.n, e->tensor.n, (guint64) size) ||
        e->tensor.n > (size_t) 1 << 40)
      return wrong (path, error, "tensor %s has an impossible shape", e->tensor.name);
    e->tensor.shape[d] = (size_t) size;
  }
  e->tensor.bytes = e->tensor.n * am_dtype_size (e->tensor.dtype);
  return TRUE;
}

static gboolean
read_list (List *list, JsonParser *parser, gint64 salt, GError **error)
{
  JsonNode *root;
  JsonObject *top;
  JsonArray *tensors;

  if (!json_parser_load_from_file (parser, list->path, error))
    return FALSE;
  root = json_parser_get_root (parser);
  top = root && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  if (top == NULL || !json_object_has_member (top, "tensors") ||
      strcmp (json_object_get_string_member_with_default (top, "format", ""), "synth-weights-1") !=
          0)
    return wrong (list->path, error, "not a list of the format synth-weights-1");
  list->salt = salt >= 0 ? (guint64) salt
                         : (guint64) json_object_get_int_member_with_default (top, "salt", 0);
  tensors = json_object_get_array_member (top, "tensors");
  for (guint i = 0; i < json_array_get_length (tensors); i++) {
    Entry e;

    if (!read_entry (list->path, json_array_get_object_element (tensors, i), &e, error))
      return FALSE;
    g_array_append_val (list->entries, e);
  }
  return TRUE;
}

static void
append_string (GString *out, const char *s)
{
  g_autoptr (JsonNode) node = json_node_init_string (json_node_alloc (), s);
  g_autofree char *text = json_to_string (node, FALSE);

  g_string_append (out, text);
}

static GString *
header (const List *list, const char *const *metadata)
{
  GString *out = g_string_new ("{");
  guint64 at = 0;

  for (size_t i = 0; metadata && metadata[i]; i += 2) {
    g_string_append (out, i ? "," : "\"__metadata__\":{");
    append_string (out, metadata[i]);
    g_string_append_c (out, ':');
    append_string (out, metadata[i + 1]);
  }
  if (metadata && metadata[0])
    g_string_append_c (out, '}');
  for (guint i = 0; i < list->entries->len; i++) {
    const AmTensor *t = &g_array_index (list->entries, Entry, i).tensor;

    if (out->len > 1)
      g_string_append_c (out, ',');
    append_string (out, t->name);
    g_string_append_printf (out, ":{\"dtype\":\"%s\",\"shape\":[", am_dtype_name (t->dtype));
    for (unsigned d = 0; d < t->n_dims; d++)
      g_string_append_printf (out, "%s%" G_GSIZE_FORMAT, d ? "," : "", t->shape[d]);
    g_string_append_printf (out,
        "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}", at, at + t->bytes);
    at += t->bytes;
  }
  g_string_append_c (out, '}');
  while (out->len % 8)
    g_string_append_c (out, ' ');
  return out;
}

gboolean
synth_write (
    const char *manifest, gint64 salt, const char *out, const char *const *metadata, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GArray) entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_autoptr (GString) text = NULL;
  List list = { .path = manifest, .entries = entries };
  gboolean ok = TRUE, written;
  guint64 length;
  FILE *file;

  if (!read_list (&list, parser, salt, error))
    return FALSE;
  text = header (&list, metadata);
  length = GUINT64_TO_LE ((guint64) text->len);
  file = g_fopen (out, "wbe");
  if (file == NULL) {
    g_set_error (error, AM_ERROR, AM_ERROR_WRITE, "%s: %s", out, g_strerror (errno));
    return FALSE;
  }
  fwrite (&length, sizeof length, 1, file);
  fwrite (text->str, text->len, 1, file);
  for (guint i = 0; ok && i < entries->len; i++)
    ok = write_tensor (&list, &g_array_index (entries, Entry, i), file, error);
  written = !ferror (file);
  if ((fclose (file) != 0 || !written) && ok) {
    g_set_error (error, AM_ERROR, AM_ERROR_WRITE, "%s: cannot write it", out);
    ok = FALSE;
  }
  if (!ok)
    g_unlink (out);
  return ok;
}

AmWeights *
synth_open (const char *manifest, gint64 salt, const char *const *metadata, GError **error)
{
  g_autofree char *path = NULL;
  AmWeights *w = NULL;
  int fd = g_file_open_tmp (NULL, &path, error);

  if (fd < 0)
    return NULL;
  g_close (fd, NULL);
  if (synth_write (manifest, salt, path, metadata, error))
    w = am_weights_open (path, error);
  g_unlink (path);
  return w;
}
