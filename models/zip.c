/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Written after the published description of the format (APPNOTE.TXT). The directory at the end of
 * the file is the truth; local headers only say where the data start. */
#include "zip.h"

#include <string.h>
#include <zlib.h>

#define END_SIZE 22
#define END64_SIZE 56
#define LOCATOR64_SIZE 20
#define CENTRAL_SIZE 46
#define LOCAL_SIZE 30
#define MAX_ENTRIES (1u << 20)
#define LARGE ((guint64) 1 << 16) /* bytes of an entry whose checksum may wait */

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define FUZZING 1 /* no fuzzer gets past a checksum */
#else
#define FUZZING 0
#endif

typedef struct
{
  guint64 count, offset, size;
  guint64 limit; /* where the directory must have ended */
} Directory;

static guint64
get (const guint8 *p, unsigned n)
{
  guint64 v = 0;

  for (unsigned i = 0; i < n; i++)
    v |= (guint64) p[i] << (8 * i);
  return v;
}

static gboolean
wrong (const AmZip *zip, GError **error, const char *what)
{
  return am_weights_fail (zip->w, error, AM_ERROR_FORMAT, "zip archive: %s", what);
}

/* find_end: the end record, whose comment must reach exactly to the end of the file */
static gboolean
find_end (const AmZip *zip, guint64 *at, GError **error)
{
  const guint8 *base = zip->w->base;
  size_t size = zip->w->size;

  for (size_t comment = 0; comment <= 0xffff && comment + END_SIZE <= size; comment++) {
    const guint8 *p = base + size - comment - END_SIZE;
    if (memcmp (p, "PK\5\6", 4) == 0 && get (p + 20, 2) == comment) {
      *at = (guint64) (p - base);
      return TRUE;
    }
  }
  return wrong (zip, error, "cut off: there is no directory at its end");
}

static gboolean
find_directory (const AmZip *zip, Directory *d, GError **error)
{
  const guint8 *base = zip->w->base, *p;
  guint64 end = 0, end64;

  if (!find_end (zip, &end, error))
    return FALSE;
  p = base + end;
  d->count = get (p + 10, 2);
  d->size = get (p + 12, 4);
  d->offset = get (p + 16, 4);
  d->limit = end;
  if (end >= LOCATOR64_SIZE && memcmp (p - LOCATOR64_SIZE, "PK\6\7", 4) == 0) {
    end64 = get (p - LOCATOR64_SIZE + 8, 8);
    if (end - LOCATOR64_SIZE < END64_SIZE || end64 > end - LOCATOR64_SIZE - END64_SIZE ||
        memcmp (base + end64, "PK\6\6", 4) != 0)
      return wrong (zip, error, "the zip64 end record is not where it should be");
    if (d->count == 0xffff)
      d->count = get (base + end64 + 32, 8);
    if (d->size == 0xffffffff)
      d->size = get (base + end64 + 40, 8);
    if (d->offset == 0xffffffff)
      d->offset = get (base + end64 + 48, 8);
    d->limit = end64;
  }
  if (d->offset > d->limit || d->size > d->limit - d->offset)
    return wrong (zip, error, "its directory lies outside the file");
  if (d->count > d->size / CENTRAL_SIZE)
    return wrong (zip, error, "its directory is too short for the entries it claims");
  if (d->count > MAX_ENTRIES)
    return am_weights_fail (
        zip->w, error, AM_ERROR_LIMIT, "more than %u entries in the archive", MAX_ENTRIES);
  return TRUE;
}

/* read_extra: the zip64 field replaces those of the three numbers that are all ones, in this order */
static gboolean
read_extra (const guint8 *p, size_t n, guint64 *size, guint64 *packed, guint64 *offset)
{
  guint64 *const all[] = { size, packed, offset };

  if (*size != 0xffffffff && *packed != 0xffffffff && *offset != 0xffffffff)
    return TRUE;
  while (n >= 4) {
    size_t length = get (p + 2, 2);

    if (length > n - 4)
      return FALSE;
    if (get (p, 2) == 1) {
      const guint8 *field = p + 4;
      for (int i = 0; i < 3; i++) {
        if (*all[i] != 0xffffffff)
          continue;
        if (length < 8)
          return FALSE;
        *all[i] = get (field, 8);
        field += 8;
        length -= 8;
      }
      return TRUE;
    }
    p += 4 + length;
    n -= 4 + length;
  }
  return FALSE;
}

/* place: finds the data of @e behind its local header */
static gboolean
place (const AmZip *zip, AmZipEntry *e, guint64 offset, guint64 limit, GError **error)
{
  const guint8 *local = zip->w->base + offset;
  size_t name = strlen (e->name);
  g_autofree char *text = am_text_for_message (e->name, name);
  guint64 start;

  if (offset > limit || limit - offset < LOCAL_SIZE || memcmp (local, "PK\3\4", 4) != 0)
    return am_weights_fail (zip->w, error, AM_ERROR_FORMAT,
        "zip archive: entry %s is not where the directory says", text);
  start = offset + LOCAL_SIZE + get (local + 26, 2) + get (local + 28, 2);
  if (start > limit || e->packed > limit - start)
    return am_weights_fail (zip->w, error, AM_ERROR_FORMAT,
        "zip archive: entry %s claims more bytes than there are", text);
  if (get (local + 26, 2) != name || memcmp (local + LOCAL_SIZE, e->name, name) != 0)
    return am_weights_fail (zip->w, error, AM_ERROR_FORMAT,
        "zip archive: entry %s has another name in the directory", text);
  e->data = zip->w->base + start;
  return TRUE;
}

/* read_entry: the directory entry at @p, which ends before @end. Returns: its length, 0 with @error */
static size_t
read_entry (AmZip *zip, const guint8 *p, const guint8 *end, guint64 limit, GError **error)
{
  AmZipEntry e = { 0 };
  g_autofree char *text = NULL;
  size_t name, extra, length;
  guint64 offset, method;

  if ((size_t) (end - p) < CENTRAL_SIZE || memcmp (p, "PK\1\2", 4) != 0)
    return wrong (zip, error, "its directory is damaged");
  method = get (p + 10, 2);
  e.crc = (guint32) get (p + 16, 4);
  e.packed = get (p + 20, 4);
  e.size = get (p + 24, 4);
  name = get (p + 28, 2);
  extra = get (p + 30, 2);
  offset = get (p + 42, 4);
  length = CENTRAL_SIZE + name + extra + get (p + 32, 2);
  if ((size_t) (end - p) < length)
    return wrong (zip, error, "its directory is damaged");
  text = am_text_for_message ((const char *) p + CENTRAL_SIZE, name);
  if (memchr (p + CENTRAL_SIZE, 0, name))
    return am_weights_fail (
        zip->w, error, AM_ERROR_FORMAT, "zip archive: entry %s has a zero byte in its name", text);
  if (!read_extra (p + CENTRAL_SIZE + name, extra, &e.size, &e.packed, &offset))
    return am_weights_fail (
        zip->w, error, AM_ERROR_FORMAT, "zip archive: entry %s lacks its zip64 sizes", text);
  if (get (p + 8, 2) & 1)
    return am_weights_fail (
        zip->w, error, AM_ERROR_REFUSED, "zip archive: entry %s is encrypted", text);
  if (method != 0 && method != 8)
    return am_weights_fail (zip->w, error, AM_ERROR_REFUSED,
        "zip archive: entry %s is neither stored nor deflated, but packed by method %u", text,
        (unsigned) method);
  e.deflated = method == 8;
  if (!e.deflated && e.packed != e.size)
    return am_weights_fail (
        zip->w, error, AM_ERROR_FORMAT, "zip archive: entry %s is stored, but has two sizes", text);
  e.name = g_strndup ((const char *) p + CENTRAL_SIZE, name);
  g_array_append_val (zip->entries, e); /* from here on it is freed with the archive */
  if (!place (zip, &g_array_index (zip->entries, AmZipEntry, zip->entries->len - 1), offset, limit,
          error))
    return 0;
  if (g_tree_lookup (zip->by_name, e.name))
    return am_weights_fail (
        zip->w, error, AM_ERROR_FORMAT, "zip archive: entry %s is there twice", text);
  g_tree_insert (zip->by_name, e.name, GSIZE_TO_POINTER (zip->entries->len));
  return length;
}

AmZip *
am_zip_open (AmWeights *w, GError **error)
{
  g_autoptr (AmZip) zip = g_new0 (AmZip, 1);
  Directory d;
  const guint8 *p, *end;
  guint64 total = 0;

  zip->w = w;
  zip->entries = g_array_new (FALSE, FALSE, sizeof (AmZipEntry));
  zip->by_name = g_tree_new ((GCompareFunc) strcmp);
  if (!find_directory (zip, &d, error))
    return NULL;
  p = w->base + d.offset;
  end = p + d.size;
  for (guint64 i = 0; i < d.count; i++) {
    size_t length = read_entry (zip, p, end, d.offset, error);

    if (length == 0)
      return NULL;
    p += length;
    /* entries that overlap could make a small file take very long */
    total += g_array_index (zip->entries, AmZipEntry, zip->entries->len - 1).packed;
    if (total > w->size) {
      wrong (zip, error, "its entries overlap");
      return NULL;
    }
  }
  if (p != end) {
    wrong (zip, error, "its directory holds more than it claims");
    return NULL;
  }
  return g_steal_pointer (&zip);
}

void
am_zip_free (AmZip *zip)
{
  g_tree_unref (zip->by_name);
  for (guint i = 0; i < zip->entries->len; i++)
    g_free (g_array_index (zip->entries, AmZipEntry, i).name);
  g_array_unref (zip->entries);
  g_free (zip);
}

const AmZipEntry *
am_zip_find (const AmZip *zip, const char *name)
{
  size_t at = GPOINTER_TO_SIZE (g_tree_lookup (zip->by_name, name));

  return at ? &g_array_index (zip->entries, AmZipEntry, at - 1) : NULL;
}

/* zlib counts in 32 bits */
guint32
am_zip_crc (const guint8 *p, guint64 n)
{
  uLong crc = crc32 (0, NULL, 0);

  while (n > 0) {
    uInt part = (uInt) MIN (n, 1u << 30);
    crc = crc32 (crc, p, part);
    p += part;
    n -= part;
  }
  return (guint32) crc;
}

/* inflate_all: exactly e->packed bytes must give exactly e->size bytes */
static gboolean
inflate_all (const AmZipEntry *e, guint8 *out)
{
  z_stream z = { .next_in = (Bytef *) e->data, .next_out = out };
  guint64 in = e->packed, left = e->size;
  int status = inflateInit2 (&z, -MAX_WBITS);
  guint8 none;

  if (status != Z_OK)
    return FALSE;
  if (left == 0)
    z.next_out = &none;
  do {
    if (z.avail_in == 0) {
      z.avail_in = (uInt) MIN (in, 1u << 30);
      in -= z.avail_in;
    }
    if (z.avail_out == 0) {
      z.avail_out = (uInt) MIN (left, 1u << 30);
      left -= z.avail_out;
    }
    status = inflate (&z, Z_NO_FLUSH);
  } while (status == Z_OK);
  left += z.avail_out;
  in += z.avail_in;
  inflateEnd (&z);
  return status == Z_STREAM_END && left == 0 && in == 0;
}

gboolean
am_zip_read (
    const AmZip *zip, const AmZipEntry *e, guint64 size, const guint8 **data, GError **error)
{
  g_autofree char *text = am_text_for_message (e->name, strlen (e->name));

  if (e->size < size || (e->deflated && e->size != size))
    return am_weights_fail (zip->w, error, AM_ERROR_FORMAT,
        "%s has %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT " are needed", text, e->size,
        size);
  *data = e->data;
  if (e->deflated) {
    guint8 *out = am_weights_alloc (zip->w, e->size, text, error);

    if (out == NULL)
      return FALSE;
    if (!inflate_all (e, out))
      return am_weights_fail (
          zip->w, error, AM_ERROR_FORMAT, "%s is damaged: it cannot be unpacked", text);
    *data = out;
  }
  if (zip->w->lazy && !e->deflated && e->size >= LARGE) {
    AmUnchecked *later = g_new (AmUnchecked, 1);

    *later = (AmUnchecked){ e->data, e->size, e->crc, g_steal_pointer (&text), 0 };
    g_tree_insert (zip->w->unchecked, later, later);
    return TRUE;
  }
  if (am_zip_crc (*data, e->size) != e->crc && !FUZZING)
    return am_weights_fail (
        zip->w, error, AM_ERROR_FORMAT, "%s is damaged: its CRC-32 does not match", text);
  if (!e->deflated && e->size >= 1 << 20) /* not to count all of a large file as memory in use */
    am_drop_pages (zip->w, e->data, e->size);
  return TRUE;
}
