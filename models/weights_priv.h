/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the readers see of an AmWeights while they fill it. Only safetensors.c, pt.c and weights.c. */
#pragma once

#include "weights.h"

G_BEGIN_DECLS

typedef struct _AmPickle AmPickle; /* pickle.h */

/* An entry whose checksum is still to be checked. */
typedef struct
{
  const guint8 *data;
  guint64 size;
  guint32 crc;
  char *name; /* for the message */
  gint good;  /* atomic */
} AmUnchecked;

struct _AmWeights
{
  gatomicrefcount refs;
  char *path;
  GBytes *bytes;      /* the whole file, mapped or not */
  const guint8 *base; /* of bytes */
  size_t size;        /* of bytes */
  gboolean mapped;    /* base is a file mapping, madvise() makes sense */
  GArray *tensors;    /* AmTensor */
  /* trees, not hash tables: a hostile file could give all its names one hash */
  GTree *index;        /* name -> 1 + position in tensors */
  GTree *metadata;     /* key -> value */
  GStringChunk *names; /* storage of names and metadata */
  GPtrArray *owned;    /* copies of what does not lie in the file as it is needed; g_free */
  size_t owned_bytes;
  gboolean lazy;    /* large entries go to `unchecked` */
  GTree *unchecked; /* AmUnchecked by its data, as key and value */
  AmPickle *pickle; /* .pt: the value tree */
};

/* am_weights_add:
 * Appends @t; its name is copied, its data must live as long as @w. FALSE with AM_ERROR_FORMAT if
 * the name is taken. */
gboolean am_weights_add (AmWeights *w, const AmTensor *t, GError **error);

/* am_weights_alloc:
 * @what: needs them, for the message
 * Returns: (transfer none): @n bytes that live as long as @w; not NULL for 0. NULL with AM_ERROR_LIMIT
 * if that makes the copies more than a small multiple of the file. */
void *am_weights_alloc (AmWeights *w, size_t n, const char *what, GError **error);

/* am_weights_fail:
 * Sets @error to "FILE: message". Returns: FALSE */
gboolean am_weights_fail (const AmWeights *w, GError **error, AmError code, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

/* am_tensor_finish:
 * Computes n and bytes from dtype and shape. Returns: FALSE if a product does not fit in 63 bits. */
gboolean am_tensor_finish (AmTensor *t);

/* am_weights_check_entry:
 * Checks the entry of w->unchecked that holds the byte at @data, if there is one. FALSE with @error. */
gboolean am_weights_check_entry (const AmWeights *w, const void *data, GError **error);

/* am_drop_pages: am_weights_drop() for any part of the file. */
void am_drop_pages (const AmWeights *w, const void *data, size_t n);

/* The readers. Each fills @w from w->base, w->size. */
gboolean am_safetensors_read (AmWeights *w, GError **error);
gboolean am_pt_read (AmWeights *w, GError **error);

G_END_DECLS
