/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Published files that are known by size and SHA-256. */
#pragma once

#include <glib.h>

#include "error.h"

G_BEGIN_DECLS

typedef struct
{
  const char *name;
  guint64 size;
  const char *sha256; /* 64 hexadecimal digits, small */
} AmKnownFile;

/* am_known_files:
 * Returns: (transfer none): the table; @n: its length. */
const AmKnownFile *am_known_files (size_t *n);

/* am_known_verify:
 * @path: a file, whatever it is called
 * @files: (array length=n): what it may be
 * @sha256: (out) (transfer full): its sum, where it was computed; else NULL
 *
 * Reads the file only if its size is that of a known one, or its name (then to say what differs).
 *
 * Returns: (transfer none): the known file that it is, byte for byte; NULL with @error: AM_ERROR_OPEN if it
 * cannot be read, AM_ERROR_MISMATCH if it is none of them, in words. */
const AmKnownFile *am_known_verify (
    const char *path, const AmKnownFile *files, size_t n, char **sha256, GError **error);

G_END_DECLS
