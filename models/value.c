/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the values of a pickle. */
#include "pickle_priv.h"

#include <string.h>

AmValueKind
am_value_kind (const AmValue *v)
{
  return MIN ((AmValueKind) v->kind, AM_VALUE_OTHER);
}

size_t
am_value_size (const AmValue *v)
{
  switch (v->kind) {
    case AM_VALUE_DICT:
      return v->n / 2;
    case AM_VALUE_LIST:
    case AM_VALUE_TUPLE:
    case AM_VALUE_STRING:
    case AM_VALUE_BYTES:
    case AM_VALUE_BIG_INT:
      return v->n;
    default:
      return 0;
  }
}

const AmValue *
am_value_item (const AmValue *v, size_t i)
{
  if (v->kind == AM_VALUE_DICT)
    return i < v->n / 2 ? v->items[2 * i + 1] : NULL;
  if (v->kind == AM_VALUE_LIST || v->kind == AM_VALUE_TUPLE)
    return i < v->n ? v->items[i] : NULL;
  return NULL;
}

const AmValue *
am_value_key (const AmValue *v, size_t i)
{
  return v->kind == AM_VALUE_DICT && i < v->n / 2 ? v->items[2 * i] : NULL;
}

const AmValue *
am_value_get (const AmValue *v, const char *key)
{
  size_t length = strlen (key);

  for (size_t i = 0; v && v->kind == AM_VALUE_DICT && i < v->n; i += 2) {
    const AmValue *k = v->items[i];

    if (k->kind == AM_VALUE_STRING && k->n == length && memcmp (k->bytes, key, length) == 0)
      return v->items[i + 1];
  }
  return NULL;
}

const void *
am_value_bytes (const AmValue *v)
{
  if (v->kind == AM_VALUE_STRING || v->kind == AM_VALUE_BYTES || v->kind == AM_VALUE_BIG_INT)
    return v->bytes;
  return NULL;
}

char *
am_value_dup_string (const AmValue *v)
{
  if (v == NULL || v->kind != AM_VALUE_STRING || (v->n && memchr (v->bytes, 0, v->n)))
    return NULL;
  return g_strndup ((const char *) v->bytes, v->n);
}

gboolean
am_value_int (const AmValue *v, gint64 *out)
{
  if (v == NULL || (v->kind != AM_VALUE_INT && v->kind != AM_VALUE_BOOL))
    return FALSE;
  *out = v->i;
  return TRUE;
}

gboolean
am_value_float (const AmValue *v, double *out)
{
  gint64 i;

  if (v && v->kind == AM_VALUE_FLOAT)
    *out = v->f;
  else if (am_value_int (v, &i))
    *out = (double) i;
  else
    return FALSE;
  return TRUE;
}

const AmTensor *
am_value_tensor (const AmValue *v)
{
  return v && v->kind == AM_VALUE_TENSOR ? &v->tensor->tensor : NULL;
}
