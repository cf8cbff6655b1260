/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading zip archives that are in memory: what PyTorch writes and a little more (stored or deflated,
 * zip64, data descriptors). Entries are only looked up by name; no file is ever made from one. */
#pragma once

#include "weights_priv.h"

G_BEGIN_DECLS

typedef struct
{
  char *name;
  const guint8 *data; /* packed bytes, in the archive */
  guint64 packed, size;
  guint32 crc;
  gboolean deflated;
} AmZipEntry;

typedef struct
{
  AmWeights *w;
  GArray *entries; /* AmZipEntry, in the directory's order */
  GTree *by_name;
} AmZip;

/* am_zip_open:
 * Reads the directory of the archive that is w->base and checks that each entry lies inside it.
 * Returns: (transfer full): the archive, or NULL with AM_ERROR_FORMAT, _REFUSED or _LIMIT. */
AmZip *am_zip_open (AmWeights *w, GError **error);
void am_zip_free (AmZip *zip);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmZip, am_zip_free)

/* am_zip_find:
 * Returns: (transfer none): the entry of exactly that name, or NULL. */
const AmZipEntry *am_zip_find (const AmZip *zip, const char *name);

/* am_zip_read:
 * @size: the bytes the entry must unpack to, at least
 * @data: the contents, as long as the AmWeights lives: in the archive, or unpacked
 *
 * Checks the CRC-32, or leaves that to am_weights_check_entry() for a large entry of a file that was opened
 * lazily; called once for an entry. */
gboolean am_zip_read (
    const AmZip *zip, const AmZipEntry *entry, guint64 size, const guint8 **data, GError **error);

/* am_zip_crc: the CRC-32 of @n bytes */
guint32 am_zip_crc (const guint8 *p, guint64 n);

G_END_DECLS
