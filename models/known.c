/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "known.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#define PART ((size_t) 1 << 20)

static const AmKnownFile table[] = {
  { "ARTalk_wav2vec.pt", 1959150898,
      "d89615a32e2a6b4e35cf5494c1e400b2acedc43812f63423b9f5d705046d67c2" },
};

const AmKnownFile *
am_known_files (size_t *n)
{
  *n = G_N_ELEMENTS (table);
  return table;
}

static char *
sum (const char *path, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *part = g_malloc (PART);
  FILE *file = g_fopen (path, "rbe");
  gboolean read_well;
  size_t n;

  if (file == NULL) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", path, g_strerror (errno));
    return NULL;
  }
  while ((n = fread (part, 1, PART, file)) > 0)
    g_checksum_update (checksum, part, (gssize) n);
  read_well = !ferror (file);
  fclose (file);
  if (!read_well) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", path, g_strerror (EIO));
    return NULL;
  }
  return g_strdup (g_checksum_get_string (checksum));
}

const AmKnownFile *
am_known_verify (
    const char *path, const AmKnownFile *files, size_t n, char **sha256, GError **error)
{
  g_autofree char *base = g_path_get_basename (path);
  const AmKnownFile *meant = NULL;
  GStatBuf st;

  *sha256 = NULL;
  if (g_stat (path, &st) != 0 || !S_ISREG (st.st_mode)) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", path,
        errno && !g_file_test (path, G_FILE_TEST_EXISTS) ? g_strerror (errno)
                                                         : "not a regular file");
    return NULL;
  }
  for (size_t i = 0; i < n; i++)
    if (strcmp (files[i].name, base) == 0)
      meant = &files[i];
  for (size_t i = 0; i < n; i++) {
    if (files[i].size != (guint64) st.st_size)
      continue;
    if (*sha256 == NULL && (*sha256 = sum (path, error)) == NULL)
      return NULL;
    if (strcmp (files[i].sha256, *sha256) == 0)
      return &files[i];
    meant = &files[i];
  }
  if (meant && meant->size == (guint64) st.st_size)
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: has the size of the published %s, but SHA-256 %s instead of %s: damaged, or changed",
        path, meant->name, *sha256, meant->sha256);
  else if (meant)
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: has %" G_GUINT64_FORMAT " bytes, the published %s has %" G_GUINT64_FORMAT
        ": cut off, or another version",
        path, (guint64) st.st_size, meant->name, meant->size);
  else
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: not a published file whose checksum is known here (%" G_GUINT64_FORMAT " bytes)", path,
        (guint64) st.st_size);
  return NULL;
}
