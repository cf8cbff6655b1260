/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object a .pt file holds, as a read-only tree: am_weights_root() is its top.
 *
 * Objects may be shared and may even contain themselves; whoever walks the tree must bound depth and
 * number of steps. */
#pragma once

#include "weights.h"

G_BEGIN_DECLS

typedef enum {
  AM_VALUE_NONE,
  AM_VALUE_BOOL,
  AM_VALUE_INT,     /* fits in 64 bits, signed */
  AM_VALUE_BIG_INT, /* does not; its bytes are little-endian two's complement */
  AM_VALUE_FLOAT,
  AM_VALUE_STRING, /* UTF-8 */
  AM_VALUE_BYTES,
  AM_VALUE_LIST,
  AM_VALUE_TUPLE,
  AM_VALUE_DICT,
  AM_VALUE_TENSOR, /* of PyTorch or numpy */
  AM_VALUE_OTHER, /* something a file may mention but that has no meaning here (a dtype, a class) */
} AmValueKind;

AmValueKind am_value_kind (const AmValue *v);

/* am_value_size:
 * Returns: items of a list or tuple, pairs of a dict, bytes of a string, bytes or big integer; else 0. */
size_t am_value_size (const AmValue *v);

/* am_value_item:
 * Returns: (transfer none): item @i of a list or tuple, value @i of a dict in the file's order; NULL
 * if @v is none of them or has no such item. */
const AmValue *am_value_item (const AmValue *v, size_t i);

/* am_value_key:
 * Returns: (transfer none): key @i of a dict (any hashable kind), or NULL. */
const AmValue *am_value_key (const AmValue *v, size_t i);

/* am_value_get:
 * Returns: (transfer none): what a dict has under the string @key, or NULL. @v may be NULL. */
const AmValue *am_value_get (const AmValue *v, const char *key);

/* am_value_bytes:
 * Returns: (transfer none): the bytes of a string, bytes or big integer (am_value_size() of them, not
 * terminated), else NULL. */
const void *am_value_bytes (const AmValue *v);

/* am_value_dup_string:
 * Returns: (transfer full): a string as C string; NULL if @v is none or has a zero byte inside. */
char *am_value_dup_string (const AmValue *v);

/* am_value_int: also of a bool. Returns: FALSE if @v is neither or NULL. */
gboolean am_value_int (const AmValue *v, gint64 *out);

/* am_value_float: also of an integer or bool. Returns: FALSE if @v is none of them or NULL. */
gboolean am_value_float (const AmValue *v, double *out);

/* am_value_tensor:
 * Returns: (transfer none): the tensor, or NULL if @v is none. */
const AmTensor *am_value_tensor (const AmValue *v);

G_END_DECLS
