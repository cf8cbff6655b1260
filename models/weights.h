/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one door to tensor files: safetensors and PyTorch .pt, told apart by content, memory-mapped,
 * checked when opened and read-only afterwards. Nothing a file contains is ever executed. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "error.h"

G_BEGIN_DECLS

#define AM_MAX_DIMS 8

typedef enum {
  AM_F32,
  AM_F16,
  AM_BF16,
  AM_F64,
  AM_I64,
  AM_I32,
  AM_I16,
  AM_I8,
  AM_U8,
  AM_BOOL,
  AM_U16,
  AM_U32,
  AM_U64,
  AM_N_DTYPES
} AmDType;

/* am_dtype_size:
 * Returns: bytes of one element. */
size_t am_dtype_size (AmDType dtype);

/* am_dtype_name:
 * Returns: the name safetensors uses ("F32", "BF16", "BOOL", ...), static. */
const char *am_dtype_name (AmDType dtype);

/* am_dtype_from_name:
 * Returns: FALSE, with *dtype untouched, if @name is none of the names above. */
gboolean am_dtype_from_name (const char *name, AmDType *dtype);

typedef struct
{
  const char *name; /* full name; keys of nested dicts and indices of lists are joined with "."
                       ("flame_model.f"); a tensor that is the whole file is "tensor" */
  AmDType dtype;
  unsigned n_dims; /* 0 .. AM_MAX_DIMS */
  size_t shape[AM_MAX_DIMS];
  size_t n;         /* elements: the product of shape, 1 if n_dims is 0 */
  const void *data; /* dense, row-major, little-endian: into the mapped file or into memory that the
                       AmWeights owns; NULL when n is 0. It may lie at any address: cast it only if
                       am_tensor_is_aligned() says so, else use the functions below. */
  size_t bytes;     /* n * am_dtype_size (dtype) */
} AmTensor;

/* Reference-counted. Nothing that shows changes after am_weights_open(), so threads may share it freely. */
typedef struct _AmWeights AmWeights;

/* A value of a .pt file that need not be a tensor; see pickle.h. */
typedef struct _AmValue AmValue;

/* am_weights_open:
 * @path: a safetensors or .pt file (zip or the older format). Its first bytes decide, not its name.
 *
 * Maps the file, checks all of it that can be checked (for zip also every CRC-32) and lists its
 * tensors. Tensors whose elements lie densely in the file are not copied. The file must not be
 * shortened while it is open.
 *
 * Returns: (transfer full): the tensors, or NULL with @error (AM_ERROR_OPEN, _FORMAT, _REFUSED or
 * _LIMIT): one line with file and reason. */
AmWeights *am_weights_open (const char *path, GError **error);

/* am_weights_open_lazily:
 * As am_weights_open(), but the checksums of large entries are left to am_weights_verify(), so that a
 * large file need not be read twice: call that before a tensor's elements are relied on. */
AmWeights *am_weights_open_lazily (const char *path, GError **error);

/* am_weights_verify:
 * @t: a tensor of @w
 *
 * Checks what am_weights_open_lazily() left of the entry that holds the tensor, each entry once. Thread
 * safe.
 *
 * Returns: FALSE with AM_ERROR_FORMAT if the entry is damaged. */
gboolean am_weights_verify (const AmWeights *w, const AmTensor *t, GError **error);

/* am_weights_open_bytes:
 * @name: what error messages call it
 * @bytes: the contents of a file; a reference is kept as long as the tensors live
 *
 * As am_weights_open(), for data that is in memory already (a GResource, a test). */
AmWeights *am_weights_open_bytes (const char *name, GBytes *bytes, GError **error);

AmWeights *am_weights_ref (AmWeights *w);
void am_weights_unref (AmWeights *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmWeights, am_weights_unref)

/* am_weights_path:
 * Returns: the path (or name) it was opened by. */
const char *am_weights_path (const AmWeights *w);

/* am_weights_count, am_weights_nth:
 * The tensors in the file's order. Returns: (transfer none): tensor @i < count, valid as long as @w. */
size_t am_weights_count (const AmWeights *w);
const AmTensor *am_weights_nth (const AmWeights *w, size_t i);

/* am_weights_find:
 * Returns: (transfer none): the tensor of that full name, or NULL. */
const AmTensor *am_weights_find (const AmWeights *w, const char *name);

/* am_weights_metadata:
 * Returns: (transfer none): the string under @key in the __metadata__ of a safetensors file, or NULL. */
const char *am_weights_metadata (const AmWeights *w, const char *key);

/* am_weights_root:
 * Returns: (transfer none): the object a .pt file holds, with its numbers and strings; NULL for
 * safetensors. Read it with the functions in pickle.h. */
const AmValue *am_weights_root (const AmWeights *w);

/* am_weights_check:
 * @out: (optional): the tensor
 * @n_dims: the rank it must have, followed by that many sizes; 0 accepts any size
 *
 * Looks up a tensor that must be there: am_weights_check (w, "embed.weight", &t, error, 2, 768, 0).
 *
 * Returns: TRUE, or FALSE with AM_ERROR_MISSING or AM_ERROR_SHAPE naming file, tensor, the shape
 * that is needed and the one that was found. */
#define am_weights_check(w, name, out, error, ...)                                                 \
  am_weights_check_shape ((w), (name), (out), (error), (const size_t[]){ __VA_ARGS__ },            \
      sizeof ((const size_t[]){ __VA_ARGS__ }) / sizeof (size_t))

/* am_weights_check_shape:
 * @want: the rank, then the sizes; @n_want = rank + 1 of them. What am_weights_check() calls. */
gboolean am_weights_check_shape (const AmWeights *w, const char *name, const AmTensor **out,
    GError **error, const size_t *want, size_t n_want);

/* am_weights_drop:
 * @t: a tensor of @w
 *
 * Tells the kernel that the tensor's file pages are not needed in memory soon, for instance because
 * they were just packed. The tensor stays readable (its pages come back from the file). */
void am_weights_drop (const AmWeights *w, const AmTensor *t);

/* am_tensor_is_aligned:
 * Returns: whether t->data may be cast to a pointer to its element type. */
gboolean am_tensor_is_aligned (const AmTensor *t);

/* am_tensor_read_f32:
 * Converts elements @first .. @first + @count - 1 to float, rounding to nearest; BOOL gives 0 or 1.
 * @out: [count] */
void am_tensor_read_f32 (const AmTensor *t, size_t first, size_t count, float *out);

/* am_tensor_to_f32:
 * Returns: (transfer full): all elements as float, [t->n]; g_free() it. Not NULL, even if n is 0. */
float *am_tensor_to_f32 (const AmTensor *t);

/* am_tensor_to_i64:
 * Returns: (transfer full): all elements as integers, [t->n]; g_free() it. Not NULL, even if n is 0.
 * Floats are cut towards zero, those beyond the range become the nearest end of it, NaN becomes 0. */
int64_t *am_tensor_to_i64 (const AmTensor *t);

/* am_tensor_shape_string:
 * Returns: (transfer full): "F32 [50,106]" for messages. */
char *am_tensor_shape_string (const AmTensor *t);

G_END_DECLS
