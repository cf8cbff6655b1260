/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening by content, looking up and converting tensors. */
#include "weights_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pickle_priv.h"
#include "zip.h"

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "tensor data are used as stored, which is little-endian"
#endif

static const struct
{
  const char *name;
  guint8 size;
} dtypes[AM_N_DTYPES] = {
  [AM_F32] = { "F32", 4 },
  [AM_F16] = { "F16", 2 },
  [AM_BF16] = { "BF16", 2 },
  [AM_F64] = { "F64", 8 },
  [AM_I64] = { "I64", 8 },
  [AM_I32] = { "I32", 4 },
  [AM_I16] = { "I16", 2 },
  [AM_I8] = { "I8", 1 },
  [AM_U8] = { "U8", 1 },
  [AM_BOOL] = { "BOOL", 1 },
  [AM_U16] = { "U16", 2 },
  [AM_U32] = { "U32", 4 },
  [AM_U64] = { "U64", 8 },
};

size_t
am_dtype_size (AmDType dtype)
{
  g_return_val_if_fail ((unsigned) dtype < AM_N_DTYPES, 0);
  return dtypes[dtype].size;
}

const char *
am_dtype_name (AmDType dtype)
{
  g_return_val_if_fail ((unsigned) dtype < AM_N_DTYPES, "?");
  return dtypes[dtype].name;
}

gboolean
am_dtype_from_name (const char *name, AmDType *dtype)
{
  for (unsigned i = 0; i < AM_N_DTYPES; i++)
    if (strcmp (dtypes[i].name, name) == 0) {
      *dtype = (AmDType) i;
      return TRUE;
    }
  return FALSE;
}

gboolean
am_weights_fail (const AmWeights *w, GError **error, AmError code, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, AM_ERROR, code, "%s: %s", w->path, text);
  return FALSE;
}

gboolean
am_tensor_finish (AmTensor *t)
{
  size_t n = 1;
  gboolean empty = FALSE;

  /* a size of 0 makes the product 0, but the others must still make sense together */
  for (unsigned i = 0; i < t->n_dims; i++) {
    if (t->shape[i] == 0)
      empty = TRUE;
    else if (!g_size_checked_mul (&n, n, t->shape[i]))
      return FALSE;
  }
  if (!g_size_checked_mul (&t->bytes, n, am_dtype_size (t->dtype)) || t->bytes > G_MAXINT64)
    return FALSE;
  t->n = empty ? 0 : n;
  if (empty)
    t->bytes = 0;
  return TRUE;
}

gboolean
am_weights_add (AmWeights *w, const AmTensor *t, GError **error)
{
  AmTensor copy = *t;

  if (g_tree_lookup (w->index, t->name) != NULL) {
    g_autofree char *text = am_text_for_message (t->name, strlen (t->name));
    return am_weights_fail (w, error, AM_ERROR_FORMAT, "there are two tensors called %s", text);
  }
  copy.name = g_string_chunk_insert (w->names, t->name);
  if (copy.n == 0)
    copy.data = NULL;
  g_array_append_val (w->tensors, copy);
  g_tree_insert (w->index, (gpointer) copy.name, GSIZE_TO_POINTER (w->tensors->len));
  return TRUE;
}

void *
am_weights_alloc (AmWeights *w, size_t n, const char *what, GError **error)
{
  size_t most = w->size > G_MAXSIZE / 32 ? G_MAXSIZE / 2 : w->size * 16 + (1 << 20);
  void *out;

  if (n > most - MIN (w->owned_bytes, most)) {
    am_weights_fail (w, error, AM_ERROR_LIMIT,
        "%s: %" G_GSIZE_FORMAT " bytes to copy, all copies together may be %" G_GSIZE_FORMAT, what,
        n, most);
    return NULL;
  }
  out = g_try_malloc (MAX (n, 1));
  if (out == NULL) {
    am_weights_fail (
        w, error, AM_ERROR_MEMORY, "%s: not enough memory for %" G_GSIZE_FORMAT " bytes", what, n);
    return NULL;
  }
  g_ptr_array_add (w->owned, out);
  w->owned_bytes += n;
  return out;
}

/* map_file:
 * Not g_mapped_file_new(): that would wait for a writer at a named pipe. */
static GBytes *
map_file (const char *path, GError **error)
{
  g_autoptr (GMappedFile) map = NULL;
  g_autoptr (GError) cause = NULL;
  struct stat st;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0 || fstat (fd, &st) != 0) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", path, g_strerror (errno));
  } else if (!S_ISREG (st.st_mode)) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: not a regular file", path);
  } else if ((map = g_mapped_file_new_from_fd (fd, FALSE, &cause)) == NULL) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", path, cause->message);
  }
  if (fd >= 0)
    close (fd);
  return map ? g_mapped_file_get_bytes (map) : NULL;
}

static int
compare_unchecked (gconstpointer a, gconstpointer b, gpointer data)
{
  const guint8 *x = ((const AmUnchecked *) a)->data, *y = ((const AmUnchecked *) b)->data;

  return (x > y) - (x < y);
}

static void
unchecked_free (gpointer data)
{
  g_free (((AmUnchecked *) data)->name);
  g_free (data);
}

static AmWeights *
weights_read (const char *path, GBytes *bytes, gboolean mapped, gboolean lazy, GError **error)
{
  g_autoptr (AmWeights) w = g_new0 (AmWeights, 1);
  gboolean ok;

  g_atomic_ref_count_init (&w->refs);
  w->path = g_strdup (path);
  w->bytes = g_bytes_ref (bytes);
  w->base = g_bytes_get_data (bytes, &w->size);
  w->mapped = mapped;
  w->lazy = lazy;
  w->unchecked = g_tree_new_full (compare_unchecked, NULL, NULL, unchecked_free);
  w->tensors = g_array_new (FALSE, FALSE, sizeof (AmTensor));
  w->index = g_tree_new ((GCompareFunc) strcmp);
  w->metadata = g_tree_new ((GCompareFunc) strcmp);
  w->names = g_string_chunk_new (1024);
  w->owned = g_ptr_array_new_with_free_func (g_free);

  if (w->size == 0)
    ok = am_weights_fail (w, error, AM_ERROR_FORMAT, "the file is empty");
  else if (w->size > 8 && w->base[8] == '{')
    ok = am_safetensors_read (w, error);
  else if (w->size >= 4 &&
           (memcmp (w->base, "PK\3\4", 4) == 0 || memcmp (w->base, "PK\5\6", 4) == 0 ||
               (w->base[0] == 0x80 && w->base[1] >= 2 && w->base[1] <= 5)))
    ok = am_pt_read (w, error);
  else
    ok = am_weights_fail (
        w, error, AM_ERROR_FORMAT, "neither a safetensors nor a PyTorch (.pt) file");
  return ok ? g_steal_pointer (&w) : NULL;
}

AmWeights *
am_weights_open (const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;

  g_return_val_if_fail (path != NULL, NULL);

  bytes = map_file (path, error);
  return bytes ? weights_read (path, bytes, TRUE, FALSE, error) : NULL;
}

AmWeights *
am_weights_open_lazily (const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;

  g_return_val_if_fail (path != NULL, NULL);

  bytes = map_file (path, error);
  return bytes ? weights_read (path, bytes, TRUE, TRUE, error) : NULL;
}

gboolean
am_weights_check_entry (const AmWeights *w, const void *data, GError **error)
{
  const AmUnchecked key = { .data = data };
  GTreeNode *after = g_tree_upper_bound (w->unchecked, &key);
  GTreeNode *node = after ? g_tree_node_previous (after) : g_tree_node_last (w->unchecked);
  AmUnchecked *entry = node ? g_tree_node_value (node) : NULL;

  if (entry == NULL || (guint64) ((const guint8 *) data - entry->data) >= entry->size ||
      g_atomic_int_get (&entry->good))
    return TRUE;
  if (am_zip_crc (entry->data, entry->size) != entry->crc)
    return am_weights_fail (
        w, error, AM_ERROR_FORMAT, "%s is damaged: its CRC-32 does not match", entry->name);
  g_atomic_int_set (&entry->good, 1);
  return TRUE;
}

gboolean
am_weights_verify (const AmWeights *w, const AmTensor *t, GError **error)
{
  return t->data == NULL || am_weights_check_entry (w, t->data, error);
}

AmWeights *
am_weights_open_bytes (const char *name, GBytes *bytes, GError **error)
{
  g_return_val_if_fail (name != NULL && bytes != NULL, NULL);

  return weights_read (name, bytes, FALSE, FALSE, error);
}

AmWeights *
am_weights_ref (AmWeights *w)
{
  g_atomic_ref_count_inc (&w->refs);
  return w;
}

void
am_weights_unref (AmWeights *w)
{
  if (!g_atomic_ref_count_dec (&w->refs))
    return;
  g_clear_pointer (&w->pickle, am_pickle_free);
  g_array_unref (w->tensors);
  g_tree_unref (w->index);
  g_tree_unref (w->metadata);
  g_tree_unref (w->unchecked);
  g_string_chunk_free (w->names);
  g_ptr_array_unref (w->owned);
  g_bytes_unref (w->bytes);
  g_free (w->path);
  g_free (w);
}

const char *
am_weights_path (const AmWeights *w)
{
  return w->path;
}

size_t
am_weights_count (const AmWeights *w)
{
  return w->tensors->len;
}

const AmTensor *
am_weights_nth (const AmWeights *w, size_t i)
{
  g_return_val_if_fail (i < w->tensors->len, NULL);
  return &g_array_index (w->tensors, AmTensor, i);
}

const AmTensor *
am_weights_find (const AmWeights *w, const char *name)
{
  size_t at = GPOINTER_TO_SIZE (g_tree_lookup (w->index, name));

  return at ? am_weights_nth (w, at - 1) : NULL;
}

const char *
am_weights_metadata (const AmWeights *w, const char *key)
{
  return g_tree_lookup (w->metadata, key);
}

const AmValue *
am_weights_root (const AmWeights *w)
{
  return w->pickle ? am_pickle_root (w->pickle) : NULL;
}

/* shape_string: "[50,*]"; 0 is written as @zero. */
static char *
shape_string (const size_t *shape, size_t n, const char *zero)
{
  GString *s = g_string_new ("[");

  for (size_t i = 0; i < n; i++) {
    if (i)
      g_string_append_c (s, ',');
    if (shape[i])
      g_string_append_printf (s, "%" G_GSIZE_FORMAT, shape[i]);
    else
      g_string_append (s, zero);
  }
  g_string_append_c (s, ']');
  return g_string_free (s, FALSE);
}

char *
am_tensor_shape_string (const AmTensor *t)
{
  g_autofree char *shape = shape_string (t->shape, t->n_dims, "0");

  return g_strdup_printf ("%s %s", am_dtype_name (t->dtype), shape);
}

gboolean
am_weights_check_shape (const AmWeights *w, const char *name, const AmTensor **out, GError **error,
    const size_t *want, size_t n_want)
{
  const AmTensor *t = am_weights_find (w, name);
  gboolean same;

  g_return_val_if_fail (n_want >= 1 && want[0] == n_want - 1 && want[0] <= AM_MAX_DIMS, FALSE);

  if (t == NULL) {
    g_autofree char *shape = shape_string (want + 1, want[0], "*");
    return am_weights_fail (
        w, error, AM_ERROR_MISSING, "there is no tensor \"%s\" of shape %s", name, shape);
  }
  same = t->n_dims == want[0];
  for (unsigned i = 0; same && i < t->n_dims; i++)
    same = want[i + 1] == 0 || t->shape[i] == want[i + 1];
  if (!same) {
    g_autofree char *needed = shape_string (want + 1, want[0], "*");
    g_autofree char *found = shape_string (t->shape, t->n_dims, "0");
    return am_weights_fail (w, error, AM_ERROR_SHAPE,
        "tensor \"%s\" has shape %s, but %s is needed", name, found, needed);
  }
  if (out)
    *out = t;
  return TRUE;
}

/* am_drop_pages: only pages that lie in [data, data + n) as a whole */
void
am_drop_pages (const AmWeights *w, const void *data, size_t n)
{
  guintptr page = (guintptr) sysconf (_SC_PAGESIZE);
  guintptr from = ((guintptr) data + page - 1) & ~(page - 1);
  guintptr to = ((guintptr) data + n) & ~(page - 1);

  if (w->mapped && data != NULL && (const guint8 *) data >= w->base &&
      (const guint8 *) data < w->base + w->size && from < to)
    (void) madvise ((void *) from, to - from, MADV_DONTNEED);
}

void
am_weights_drop (const AmWeights *w, const AmTensor *t)
{
  am_drop_pages (w, t->data, t->bytes);
}

gboolean
am_tensor_is_aligned (const AmTensor *t)
{
  return (guintptr) t->data % am_dtype_size (t->dtype) == 0;
}

/* Without branches, so that compilers do several at a time. */
static float
half_to_float (guint16 h)
{
  const guint32 infinite = 0x7f800000;
  union {
    guint32 u;
    float f;
  } x = { .u = (guint32) (h & 0x7fff) << 13 };

  x.f *= 0x1p112f; /* the exponents' biases are 15 and 127; denormal halves become normal */
  x.u |= (h & 0x7c00) == 0x7c00 ? infinite : 0;
  x.u |= (guint32) (h & 0x8000) << 16;
  return x.f;
}

static float
bfloat_to_float (guint16 b)
{
  union {
    guint32 u;
    float f;
  } x = { .u = (guint32) b << 16 };

  return x.f;
}

/* Elements may lie at odd addresses: memcpy() each, which compilers turn into a plain load. */
#define CONVERT(type, expression)                                                                  \
  for (size_t i = 0; i < count; i++) {                                                             \
    type v;                                                                                        \
    memcpy (&v, from + i * sizeof v, sizeof v);                                                    \
    out[i] = (expression);                                                                         \
  }                                                                                                \
  break

void
am_tensor_read_f32 (const AmTensor *t, size_t first, size_t count, float *out)
{
  const guint8 *from;

  g_return_if_fail (first <= t->n && count <= t->n - first);
  if (count == 0)
    return;

  from = (const guint8 *) t->data + first * am_dtype_size (t->dtype);
  switch (t->dtype) {
    case AM_F32:
      memcpy (out, from, count * sizeof *out);
      break;
    case AM_F16:
      CONVERT (guint16, half_to_float (v));
    case AM_BF16:
      CONVERT (guint16, bfloat_to_float (v));
    case AM_F64:
      CONVERT (double, (float) v);
    case AM_I64:
      CONVERT (gint64, (float) v);
    case AM_I32:
      CONVERT (gint32, (float) v);
    case AM_I16:
      CONVERT (gint16, v);
    case AM_I8:
      CONVERT (gint8, v);
    case AM_U8:
      CONVERT (guint8, v);
    case AM_BOOL:
      CONVERT (guint8, v != 0);
    case AM_U16:
      CONVERT (guint16, v);
    case AM_U32:
      CONVERT (guint32, (float) v);
    case AM_U64:
      CONVERT (guint64, (float) v);
    case AM_N_DTYPES:
      g_assert_not_reached ();
  }
}

float *
am_tensor_to_f32 (const AmTensor *t)
{
  const size_t huge = (size_t) 1 << 21, bytes = MAX (t->n, 1) * sizeof (float);
  void *large = NULL;
  float *out;

  /* many numbers lie in huge pages: faults on small ones take longer than converting */
  if (bytes >= huge && posix_memalign (&large, huge, bytes) == 0)
    (void) madvise (large, bytes / huge * huge, MADV_HUGEPAGE);
  else
    large = NULL;
  out = large ? large : g_malloc (bytes);
  am_tensor_read_f32 (t, 0, t->n, out);
  return out;
}

static gint64
double_to_i64 (double v)
{
  if (isnan (v))
    return 0;
  if (v >= 0x1p63)
    return G_MAXINT64;
  if (v < -0x1p63)
    return G_MININT64;
  return (gint64) v;
}

int64_t *
am_tensor_to_i64 (const AmTensor *t)
{
  size_t count = t->n;
  int64_t *out = g_new (int64_t, MAX (count, 1));
  const guint8 *from = t->data;

  if (count == 0)
    return out;
  switch (t->dtype) {
    case AM_F32:
      CONVERT (float, double_to_i64 (v));
    case AM_F16:
      CONVERT (guint16, double_to_i64 (half_to_float (v)));
    case AM_BF16:
      CONVERT (guint16, double_to_i64 (bfloat_to_float (v)));
    case AM_F64:
      CONVERT (double, double_to_i64 (v));
    case AM_I64:
      memcpy (out, from, count * sizeof *out);
      break;
    case AM_I32:
      CONVERT (gint32, v);
    case AM_I16:
      CONVERT (gint16, v);
    case AM_I8:
      CONVERT (gint8, v);
    case AM_U8:
      CONVERT (guint8, v);
    case AM_BOOL:
      CONVERT (guint8, v != 0);
    case AM_U16:
      CONVERT (guint16, v);
    case AM_U32:
      CONVERT (guint32, v);
    case AM_U64:
      CONVERT (guint64, (gint64) MIN (v, (guint64) G_MAXINT64));
    case AM_N_DTYPES:
      g_assert_not_reached ();
  }
  return out;
}
