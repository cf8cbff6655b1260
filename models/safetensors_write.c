/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing safetensors, whole or row by row. The file grows under another name, so that PATH never
 * holds half a file. */
#include "safetensors.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "weights_priv.h"

#define DATA_ALIGNMENT 64

struct _AmSafetensorsWriter
{
  char *path, *part;
  FILE *file;
  GArray *tensors;  /* AmTensor: those written; names in .names; the last one grows, if row_bytes */
  GPtrArray *names; /* g_free */
  GPtrArray *metadata;
  size_t row_bytes;   /* of the growing tensor; 0 only if a row holds nothing */
  size_t header_size; /* reserved, without the 8 bytes of the length */
  gboolean failed;    /* an append did */
};

static gboolean
fail_errno (AmSafetensorsWriter *s, GError **error)
{
  int code = errno;

  s->failed = TRUE;
  g_set_error (error, AM_ERROR, AM_ERROR_WRITE, "%s: cannot write: %s", s->path, g_strerror (code));
  return FALSE;
}

static gboolean
fail_format (AmSafetensorsWriter *s, GError **error, const char *name, const char *what)
{
  g_autofree char *text = am_text_for_message (name, strlen (name));

  s->failed = TRUE;
  g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: tensor %s: %s", s->path, text, what);
  return FALSE;
}

static void
append_json (GString *out, const char *s)
{
  g_string_append_c (out, '"');
  for (; *s; s++) {
    if (*s == '"' || *s == '\\')
      g_string_append_printf (out, "\\%c", *s);
    else if ((guchar) *s < 0x20 || *s == 0x7f)
      g_string_append_printf (out, "\\u%04x", (unsigned) (guchar) *s);
    else
      g_string_append_c (out, *s);
  }
  g_string_append_c (out, '"');
}

/* header_text: the header as the tensors are now */
static GString *
header_text (const AmSafetensorsWriter *s)
{
  GString *out = g_string_new ("{");
  guint64 at = 0;

  if (s->metadata->len > 0) {
    g_string_append (out, "\"__metadata__\":{");
    for (guint i = 0; i < s->metadata->len; i += 2) {
      if (i)
        g_string_append_c (out, ',');
      append_json (out, g_ptr_array_index (s->metadata, i));
      g_string_append_c (out, ':');
      append_json (out, g_ptr_array_index (s->metadata, i + 1));
    }
    g_string_append_c (out, '}');
  }
  for (guint i = 0; i < s->tensors->len; i++) {
    const AmTensor *t = &g_array_index (s->tensors, AmTensor, i);

    if (out->len > 1)
      g_string_append_c (out, ',');
    append_json (out, t->name);
    g_string_append_printf (out, ":{\"dtype\":\"%s\",\"shape\":[", am_dtype_name (t->dtype));
    for (unsigned d = 0; d < t->n_dims; d++)
      g_string_append_printf (out, "%s%" G_GSIZE_FORMAT, d ? "," : "", t->shape[d]);
    g_string_append_printf (out,
        "],\"data_offsets\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]}", at, at + t->bytes);
    at += t->bytes;
  }
  g_string_append_c (out, '}');
  return out;
}

static gboolean
write_header (AmSafetensorsWriter *s, GError **error)
{
  g_autoptr (GString) text = header_text (s);
  guint64 length = GUINT64_TO_LE ((guint64) s->header_size);

  if (text->len > s->header_size)
    g_return_val_if_reached (FALSE);
  while (text->len < s->header_size)
    g_string_append_c (text, ' ');
  if (fseek (s->file, 0, SEEK_SET) != 0 || fwrite (&length, 1, 8, s->file) != 8 ||
      fwrite (text->str, 1, text->len, s->file) != text->len)
    return fail_errno (s, error);
  return TRUE;
}

/* add_tensor: checks @t and appends a copy with its own name */
static gboolean
add_tensor (AmSafetensorsWriter *s, const AmTensor *t, GError **error)
{
  AmTensor copy = *t;

  g_return_val_if_fail (t->name != NULL && t->n_dims <= AM_MAX_DIMS, FALSE);
  if (!g_utf8_validate (t->name, -1, NULL))
    return fail_format (s, error, t->name, "the name is not UTF-8");
  if (strcmp (t->name, "__metadata__") == 0)
    return fail_format (s, error, t->name, "the format keeps this name for itself");
  for (guint i = 0; i < s->names->len; i++)
    if (strcmp (g_ptr_array_index (s->names, i), t->name) == 0)
      return fail_format (s, error, t->name, "the name is there twice");
  if (!am_tensor_finish (&copy))
    return fail_format (s, error, t->name, "too large");
  copy.name = g_strdup (t->name);
  g_ptr_array_add (s->names, (gpointer) copy.name);
  g_array_append_val (s->tensors, copy);
  return TRUE;
}

static AmSafetensorsWriter *
writer_new (const char *path, const char *const *metadata, GError **error)
{
  g_autoptr (AmSafetensorsWriter) s = g_new0 (AmSafetensorsWriter, 1);

  s->path = g_strdup (path);
  s->tensors = g_array_new (FALSE, FALSE, sizeof (AmTensor));
  s->names = g_ptr_array_new_with_free_func (g_free);
  s->metadata = g_ptr_array_new_with_free_func (g_free);
  for (size_t i = 0; metadata && metadata[i]; i += 2) {
    g_return_val_if_fail (metadata[i + 1] != NULL, NULL);
    for (size_t k = 0; k < 2; k++) {
      if (!g_utf8_validate (metadata[i + k], -1, NULL)) {
        g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: metadata must be UTF-8", path);
        return NULL;
      }
      g_ptr_array_add (s->metadata, g_strdup (metadata[i + k]));
    }
  }
  return g_steal_pointer (&s);
}

/* writer_start: reserves the header, with @spare bytes to grow, and writes the first @n tensors */
static gboolean
writer_start (AmSafetensorsWriter *s, guint n, size_t spare, GError **error)
{
  g_autoptr (GString) text = header_text (s);

  s->header_size =
      (8 + text->len + spare + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT - 8;
  s->part = g_strconcat (s->path, ".part", NULL);
  s->file = g_fopen (s->part, "wbe");
  if (s->file == NULL)
    return fail_errno (s, error);
  if (!write_header (s, error))
    return FALSE;
  for (guint i = 0; i < n; i++) {
    const AmTensor *t = &g_array_index (s->tensors, AmTensor, i);

    if (t->bytes && fwrite (t->data, 1, t->bytes, s->file) != t->bytes)
      return fail_errno (s, error);
  }
  return TRUE;
}

AmSafetensorsWriter *
am_safetensors_writer_open (const char *path, const AmTensor *fixed, size_t n_fixed,
    const char *name, AmDType dtype, unsigned n_dims, const size_t *shape,
    const char *const *metadata, GError **error)
{
  g_autoptr (AmSafetensorsWriter) s = NULL;
  AmTensor grows = { .name = name, .dtype = dtype, .n_dims = n_dims };

  g_return_val_if_fail (path != NULL && n_dims >= 1 && n_dims <= AM_MAX_DIMS, NULL);

  s = writer_new (path, metadata, error);
  if (s == NULL)
    return NULL;
  for (size_t i = 0; i < n_fixed; i++)
    if (!add_tensor (s, &fixed[i], error))
      return NULL;
  grows.shape[0] = 1;
  for (unsigned d = 1; d < n_dims; d++)
    grows.shape[d] = shape[d];
  if (!add_tensor (s, &grows, error))
    return NULL;
  s->row_bytes = g_array_index (s->tensors, AmTensor, n_fixed).bytes;
  g_array_index (s->tensors, AmTensor, n_fixed).shape[0] = 0;
  g_array_index (s->tensors, AmTensor, n_fixed).bytes = 0;
  /* two numbers may become 20 digits long: the rows and the end */
  if (!writer_start (s, (guint) n_fixed, 40, error))
    return NULL;
  return g_steal_pointer (&s);
}

gboolean
am_safetensors_writer_append (
    AmSafetensorsWriter *s, const void *rows, size_t n_rows, GError **error)
{
  AmTensor *t = &g_array_index (s->tensors, AmTensor, s->tensors->len - 1);
  size_t bytes;

  if (s->failed) {
    g_set_error (error, AM_ERROR, AM_ERROR_WRITE, "%s: an earlier write failed", s->path);
    return FALSE;
  }
  if (!g_size_checked_mul (&bytes, n_rows, s->row_bytes) || bytes > G_MAXINT64 - t->bytes)
    return fail_format (s, error, t->name, "too large");
  if (bytes && fwrite (rows, 1, bytes, s->file) != bytes)
    return fail_errno (s, error);
  t->shape[0] += n_rows;
  t->bytes += bytes;
  return TRUE;
}

size_t
am_safetensors_writer_rows (const AmSafetensorsWriter *s)
{
  return g_array_index (s->tensors, AmTensor, s->tensors->len - 1).shape[0];
}

void
am_safetensors_writer_free (AmSafetensorsWriter *s)
{
  if (s == NULL)
    return;
  if (s->file) {
    fclose (s->file);
    g_unlink (s->part);
  }
  g_free (s->path);
  g_free (s->part);
  g_array_unref (s->tensors);
  g_ptr_array_unref (s->names);
  g_ptr_array_unref (s->metadata);
  g_free (s);
}

gboolean
am_safetensors_writer_close (AmSafetensorsWriter *writer, GError **error)
{
  g_autoptr (AmSafetensorsWriter) s = writer;
  FILE *file;

  if (s->failed) {
    g_set_error (error, AM_ERROR, AM_ERROR_WRITE, "%s: an earlier write failed", s->path);
    return FALSE;
  }
  if (!write_header (s, error))
    return FALSE;
  file = g_steal_pointer (&s->file);
  if (fclose (file) != 0 || g_rename (s->part, s->path) != 0) {
    fail_errno (s, error);
    g_unlink (s->part);
    return FALSE;
  }
  return TRUE;
}

gboolean
am_safetensors_write (const char *path, const AmTensor *tensors, size_t n,
    const char *const *metadata, GError **error)
{
  g_autoptr (AmSafetensorsWriter) s = NULL;

  g_return_val_if_fail (path != NULL, FALSE);

  s = writer_new (path, metadata, error);
  if (s == NULL)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    if (!add_tensor (s, &tensors[i], error))
      return FALSE;
  return writer_start (s, (guint) n, 0, error) &&
         am_safetensors_writer_close (g_steal_pointer (&s), error);
}

GBytes *
am_safetensors_to_bytes (
    const AmTensor *tensors, size_t n, const char *const *metadata, GError **error)
{
  g_autoptr (AmSafetensorsWriter) s = writer_new ("safetensors in memory", metadata, error);
  g_autoptr (GString) text = NULL;
  g_autoptr (GByteArray) out = NULL;
  guint64 length;

  if (s == NULL)
    return NULL;
  for (size_t i = 0; i < n; i++)
    if (!add_tensor (s, &tensors[i], error))
      return NULL;
  text = header_text (s);
  while ((8 + text->len) % DATA_ALIGNMENT != 0)
    g_string_append_c (text, ' ');
  length = GUINT64_TO_LE ((guint64) text->len);
  out = g_byte_array_new ();
  g_byte_array_append (out, (const guint8 *) &length, 8);
  g_byte_array_append (out, (const guint8 *) text->str, text->len);
  for (guint i = 0; i < s->tensors->len; i++) {
    const AmTensor *t = &g_array_index (s->tensors, AmTensor, i);

    if (t->bytes > G_MAXUINT - out->len) {
      fail_format (s, error, t->name, "too large");
      return NULL;
    }
    if (t->bytes)
      g_byte_array_append (out, t->data, t->bytes);
  }
  return g_byte_array_free_to_bytes (g_steal_pointer (&out));
}
