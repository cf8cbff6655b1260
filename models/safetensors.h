/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing safetensors files. Reading goes through weights.h. */
#pragma once

#include "weights.h"

G_BEGIN_DECLS

/* am_safetensors_write:
 * @path: replaced as a whole, or left as it was if anything fails
 * @tensors: (array length=n): written in this order; name, dtype, n_dims, shape and data count
 * @metadata: (nullable): key, value, key, value, ..., NULL
 *
 * Returns: FALSE with AM_ERROR_WRITE, or AM_ERROR_FORMAT for tensors no file can hold (two of one
 * name, a name that is not UTF-8). */
gboolean am_safetensors_write (const char *path, const AmTensor *tensors, size_t n,
    const char *const *metadata, GError **error);

/* am_safetensors_to_bytes:
 * As am_safetensors_write(), but in memory, for blobs of less than 4 GiB.
 *
 * Returns: (transfer full): the contents of the file, or NULL with AM_ERROR_FORMAT. */
GBytes *am_safetensors_to_bytes (
    const AmTensor *tensors, size_t n, const char *const *metadata, GError **error);

/* A file in the making whose last tensor grows along its first dimension, so that an hour of motion
 * or vertices never has to fit in memory. */
typedef struct _AmSafetensorsWriter AmSafetensorsWriter;

/* am_safetensors_writer_open:
 * @path: appears (or is replaced) when the writer is closed; until then the data are in PATH.part
 * @fixed: (array length=n_fixed) (nullable): whole tensors, written at once, before the growing one
 * @name, @dtype, @n_dims, @shape: the growing tensor; shape[0] is ignored and n_dims at least 1
 * @metadata: (nullable): key, value, ..., NULL
 *
 * Returns: (transfer full): the writer, or NULL with @error as am_safetensors_write(). */
AmSafetensorsWriter *am_safetensors_writer_open (const char *path, const AmTensor *fixed,
    size_t n_fixed, const char *name, AmDType dtype, unsigned n_dims, const size_t *shape,
    const char *const *metadata, GError **error);

/* am_safetensors_writer_append:
 * @rows: [n_rows][shape[1]]...[shape[n_dims-1]] elements of the writer's dtype
 *
 * After a failure the writer can only be closed or thrown away. */
gboolean am_safetensors_writer_append (
    AmSafetensorsWriter *writer, const void *rows, size_t n_rows, GError **error);

/* am_safetensors_writer_rows:
 * Returns: rows appended so far. */
size_t am_safetensors_writer_rows (const AmSafetensorsWriter *writer);

/* am_safetensors_writer_close:
 * @writer: (transfer full): finishes the header, moves the file to its place and frees the writer.
 *
 * Returns: FALSE with @error if that, or an append before, failed; nothing is left behind then. */
gboolean am_safetensors_writer_close (AmSafetensorsWriter *writer, GError **error);

/* am_safetensors_writer_free:
 * @writer: (transfer full) (nullable): gives up: removes what was written and frees the writer. */
void am_safetensors_writer_free (AmSafetensorsWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmSafetensorsWriter, am_safetensors_writer_free)

G_END_DECLS
