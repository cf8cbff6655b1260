/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PyTorch files: a zip archive of one pickle and one entry per storage, or, before that, a row of
 * pickles followed by the storages. */
#include "pickle_priv.h"
#include "zip.h"

#include <string.h>

#define MAX_DEPTH 64
#define MAX_NAME 2048

/* need_elements: how far into its storage the last element of @t lies; FALSE beyond 63 bits */
static gboolean
need_elements (const AmPickleTensor *t, guint64 *out)
{
  guint64 last = t->offset, step;

  if (t->tensor.n > 0) {
    for (unsigned i = 0; i < t->tensor.n_dims; i++)
      if (!g_uint64_checked_mul (&step, t->tensor.shape[i] - 1, t->strides[i]) ||
          !g_uint64_checked_add (&last, last, step))
        return FALSE;
    last++;
  }
  *out = last;
  return last <= G_MAXINT64;
}

static gboolean
is_dense (const AmPickleTensor *t)
{
  guint64 stride = 1;

  for (unsigned i = t->tensor.n_dims; i-- > 0;) {
    if (t->tensor.shape[i] != 1 && t->strides[i] != stride)
      return FALSE;
    stride *= t->tensor.shape[i];
  }
  return TRUE;
}

/* gather: copies a strided tensor, row by row of its last dimension */
static void
gather (const AmPickleTensor *t, guint8 *out)
{
  const AmTensor *a = &t->tensor;
  const size_t size = am_dtype_size (a->dtype);
  const unsigned last = a->n_dims - 1;
  const guint8 *row = t->storage->data + t->offset * size;
  size_t at[AM_MAX_DIMS] = { 0 };

  for (size_t done = 0; done < a->n; done += a->shape[last]) {
    const guint8 *from = row;
    unsigned d = last;

    for (size_t i = 0; i < a->shape[last]; i++) {
      memcpy (out, from, size);
      out += size;
      from += t->strides[last] * size;
    }
    while (d-- > 0) {
      row += t->strides[d] * size;
      if (++at[d] < a->shape[d])
        break;
      row -= a->shape[d] * t->strides[d] * size;
      at[d] = 0;
    }
  }
}

/* place_tensor: points @t at its elements; a view that is not dense is copied */
static gboolean
place_tensor (AmWeights *w, AmPickleTensor *t, const char *name, GError **error)
{
  const size_t size = am_dtype_size (t->tensor.dtype);
  g_autofree char *shape = am_tensor_shape_string (&t->tensor);
  g_autofree char *text = am_text_for_message (name, strlen (name));
  g_autofree char *what = g_strdup_printf ("tensor %s, %s", text, shape);
  guint64 last;
  guint8 *copy;

  if (!need_elements (t, &last) || last > t->storage->bytes / size)
    return am_weights_fail (w, error, AM_ERROR_FORMAT,
        "%s, reaches beyond its storage of %" G_GSIZE_FORMAT " elements", what,
        (gsize) (t->storage->bytes / size));
  if (t->tensor.n == 0)
    return TRUE;
  if (is_dense (t)) {
    t->tensor.data = t->storage->data + t->offset * size;
    return TRUE;
  }
  if (!am_weights_check_entry (w, t->storage->data, error))
    return FALSE;
  copy = am_weights_alloc (w, t->tensor.bytes, what, error);
  if (copy == NULL)
    return FALSE;
  gather (t, copy);
  t->tensor.data = copy;
  return TRUE;
}

/* append_key: how @key stands in a tensor's name */
static gboolean
append_key (AmWeights *w, GString *name, const AmValue *key, size_t i, GError **error)
{
  if (name->len)
    g_string_append_c (name, '.');
  if (key == NULL)
    g_string_append_printf (name, "%" G_GSIZE_FORMAT, i);
  else if (key->kind == AM_VALUE_INT)
    g_string_append_printf (name, "%" G_GINT64_FORMAT, key->i);
  else if (key->kind == AM_VALUE_STRING && (key->n == 0 || !memchr (key->bytes, 0, key->n)))
    g_string_append_len (name, (const char *) key->bytes, (gssize) key->n);
  else
    return am_weights_fail (
        w, error, AM_ERROR_REFUSED, "a dict key that is neither text nor a whole number");
  if (name->len > MAX_NAME)
    return am_weights_fail (w, error, AM_ERROR_LIMIT, "a name longer than %d bytes", MAX_NAME);
  return TRUE;
}

/* list_tensors: walks the tree below the root and gives every tensor its name. Objects may be shared
 * or contain themselves, so depth, steps and the bytes of all names are bounded. */
static gboolean
list_tensors (AmWeights *w, GError **error)
{
  struct
  {
    const AmValue *v;
    size_t next, name; /* child to visit, length of the name so far */
  } path[MAX_DEPTH];
  g_autoptr (GString) name = g_string_new (NULL);
  size_t steps = 1024 + 4 * w->pickle->n_values, bytes = 0;
  unsigned depth = 0;
  const AmValue *v = w->pickle->root;

  for (;;) {
    if (v->kind == AM_VALUE_TENSOR) {
      AmTensor *t = &v->tensor->tensor;

      if (depth == 0)
        g_string_assign (name, "tensor");
      bytes += name->len;
      if (bytes > (1 << 20) + 16 * w->size)
        return am_weights_fail (w, error, AM_ERROR_LIMIT, "the names of its tensors have no end");
      if (t->data == NULL && !place_tensor (w, v->tensor, name->str, error))
        return FALSE;
      t->name = name->str;
      if (!am_weights_add (w, t, error))
        return FALSE;
      t->name = am_weights_nth (w, am_weights_count (w) - 1)->name;
    } else if (am_value_size (v) > 0 && am_value_item (v, 0)) {
      if (depth == MAX_DEPTH)
        return am_weights_fail (
            w, error, AM_ERROR_LIMIT, "objects nested deeper than %d levels", MAX_DEPTH);
      path[depth].v = v;
      path[depth].next = 0;
      path[depth].name = name->len;
      depth++;
    }
    while (depth > 0 && path[depth - 1].next == am_value_size (path[depth - 1].v))
      depth--;
    if (depth == 0)
      return TRUE;
    if (steps-- == 0)
      return am_weights_fail (w, error, AM_ERROR_LIMIT, "shared objects, endless if followed");
    g_string_truncate (name, path[depth - 1].name);
    v = path[depth - 1].v;
    if (!append_key (w, name, am_value_key (v, path[depth - 1].next), path[depth - 1].next, error))
      return FALSE;
    v = am_value_item (v, path[depth - 1].next++);
  }
}

static gboolean
check_byte_order (AmZip *zip, const char *folder, GError **error)
{
  g_autofree char *name = g_strconcat (folder, "byteorder", NULL);
  const AmZipEntry *e = am_zip_find (zip, name);
  const guint8 *data;

  if (e == NULL) /* older files are little-endian, if they were made on any machine of today */
    return TRUE;
  if (!am_zip_read (zip, e, MIN (e->size, 6), &data, error))
    return FALSE;
  if (e->size != 6 || memcmp (data, "little", 6) != 0)
    return am_weights_fail (zip->w, error, AM_ERROR_REFUSED, "its byte order is not \"little\"");
  return TRUE;
}

/* find_pickle: FOLDER/data.pkl, whatever the folder is called. Returns: (transfer full): "FOLDER/" */
static char *
find_pickle (const AmZip *zip, const AmZipEntry **out, GError **error)
{
  *out = NULL;
  for (guint i = 0; i < zip->entries->len; i++) {
    const AmZipEntry *e = &g_array_index (zip->entries, AmZipEntry, i);

    if (!g_str_has_suffix (e->name, "/data.pkl") && strcmp (e->name, "data.pkl") != 0)
      continue;
    if (*out) {
      am_weights_fail (zip->w, error, AM_ERROR_FORMAT, "there are two data.pkl in it");
      return NULL;
    }
    *out = e;
  }
  if (*out == NULL) {
    am_weights_fail (zip->w, error, AM_ERROR_FORMAT,
        "a zip archive without data.pkl, so not one that PyTorch wrote");
    return NULL;
  }
  return g_strndup ((*out)->name, strlen ((*out)->name) - strlen ("data.pkl"));
}

static gboolean
read_zip (AmWeights *w, GError **error)
{
  g_autoptr (AmZip) zip = am_zip_open (w, error);
  g_autofree char *folder = NULL;
  const AmZipEntry *e;
  const guint8 *data;

  if (zip == NULL || (folder = find_pickle (zip, &e, error)) == NULL ||
      !check_byte_order (zip, folder, error) || !am_zip_read (zip, e, e->size, &data, error))
    return FALSE;
  w->pickle->root = am_pickle_run (w->pickle, data, e->size, NULL, error);
  if (w->pickle->root == NULL)
    return FALSE;
  for (guint i = 0; i < w->pickle->storages->len; i++) {
    AmStorage *storage = g_ptr_array_index (w->pickle->storages, i);
    g_autofree char *name = NULL;

    if (storage->key == NULL)
      continue;
    name = g_strconcat (folder, "data/", storage->key, NULL);
    e = am_zip_find (zip, name);
    if (e == NULL) {
      g_autofree char *text = am_text_for_message (name, strlen (name));
      return am_weights_fail (
          w, error, AM_ERROR_FORMAT, "a tensor's storage %s is not in the archive", text);
    }
    if (!am_zip_read (zip, e, storage->bytes, &storage->data, error))
      return FALSE;
  }
  return TRUE;
}

/* run_next: the pickle at *at, which is moved behind it */
static AmValue *
run_next (AmWeights *w, size_t *at, GError **error)
{
  size_t used;
  AmValue *v = am_pickle_run (w->pickle, w->base + *at, w->size - *at, &used, error);

  if (v)
    *at += used;
  return v;
}

/* read_storages: for each key of the list its number of elements, then the elements */
static gboolean
read_storages (AmWeights *w, const AmValue *keys, size_t at, GError **error)
{
  if (keys->kind != AM_VALUE_LIST)
    return am_weights_fail (w, error, AM_ERROR_FORMAT, "the list of its storages is none");
  for (size_t i = 0; i < keys->n; i++) {
    g_autofree char *key = am_value_dup_string (keys->items[i]);
    AmStorage *storage = key ? g_tree_lookup (w->pickle->by_key, key) : NULL;
    guint64 n;

    if (storage == NULL || storage->data)
      return am_weights_fail (
          w, error, AM_ERROR_FORMAT, "the list of its storages names one that no tensor uses");
    if (w->size - at < 8)
      return am_weights_fail (w, error, AM_ERROR_FORMAT, "cut off in the storages");
    memcpy (&n, w->base + at, 8);
    at += 8;
    if (n != storage->n)
      return am_weights_fail (w, error, AM_ERROR_FORMAT,
          "storage %s has %" G_GUINT64_FORMAT " elements, %" G_GUINT64_FORMAT " are needed", key, n,
          storage->n);
    if (w->size - at < storage->bytes)
      return am_weights_fail (w, error, AM_ERROR_FORMAT, "cut off in storage %s", key);
    storage->data = w->base + at;
    at += storage->bytes;
  }
  for (guint i = 0; i < w->pickle->storages->len; i++) {
    const AmStorage *storage = g_ptr_array_index (w->pickle->storages, i);

    if (storage->data == NULL && storage->bytes > 0)
      return am_weights_fail (
          w, error, AM_ERROR_FORMAT, "a tensor's storage %s is not in the file", storage->key);
  }
  return TRUE;
}

static gboolean
read_legacy (AmWeights *w, GError **error)
{
  static const guint8 magic[10] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };
  const AmValue *v, *keys;
  gint64 i;
  size_t at = 0;

  v = run_next (w, &at, error);
  if (v == NULL)
    return FALSE;
  if (v->kind != AM_VALUE_BIG_INT || v->n != sizeof magic ||
      memcmp (v->bytes, magic, sizeof magic) != 0)
    return am_weights_fail (w, error, AM_ERROR_FORMAT, "a pickle, but not one that PyTorch wrote");
  v = run_next (w, &at, error);
  if (v == NULL)
    return FALSE;
  if (!am_value_int (v, &i) || i != 1001)
    return am_weights_fail (w, error, AM_ERROR_FORMAT, "an unknown version of the old format");
  v = run_next (w, &at, error);
  if (v == NULL)
    return FALSE;
  if (!am_value_int (am_value_get (v, "little_endian"), &i) || i != 1)
    return am_weights_fail (w, error, AM_ERROR_REFUSED, "its byte order is not \"little\"");
  w->pickle->root = run_next (w, &at, error);
  if (w->pickle->root == NULL)
    return FALSE;
  keys = run_next (w, &at, error);
  return keys && read_storages (w, keys, at, error);
}

gboolean
am_pt_read (AmWeights *w, GError **error)
{
  w->pickle = am_pickle_new (w);
  return (w->base[0] == 'P' ? read_zip (w, error) : read_legacy (w, error)) &&
         am_pickle_check_dicts (w->pickle, error) && list_tensors (w, error);
}
