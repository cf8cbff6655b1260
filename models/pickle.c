/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stack machine. See pickle_priv.h. */
#include "pickle_priv.h"

#include <stdarg.h>
#include <string.h>

#define VALUES_PER_BLOCK 1024
#define MAX_VALUES ((size_t) 1 << 20)
#define MAX_STACK ((size_t) 1 << 20)
#define MAX_MARKS 4096
#define MAX_GLOBAL_NAME 256
#define MAX_KEY 512

enum {
  OP_MARK = '(',
  OP_STOP = '.',
  OP_POP = '0',
  OP_POP_MARK = '1',
  OP_DUP = '2',
  OP_BINBYTES = 'B',
  OP_SHORT_BINBYTES = 'C',
  OP_BINFLOAT = 'G',
  OP_BININT = 'J',
  OP_BININT1 = 'K',
  OP_BININT2 = 'M',
  OP_NONE = 'N',
  OP_BINPERSID = 'Q',
  OP_REDUCE = 'R',
  OP_BINUNICODE = 'X',
  OP_EMPTY_LIST = ']',
  OP_APPEND = 'a',
  OP_BUILD = 'b',
  OP_GLOBAL = 'c',
  OP_DICT = 'd',
  OP_APPENDS = 'e',
  OP_BINGET = 'h',
  OP_LONG_BINGET = 'j',
  OP_LIST = 'l',
  OP_BINPUT = 'q',
  OP_LONG_BINPUT = 'r',
  OP_SETITEM = 's',
  OP_TUPLE = 't',
  OP_SETITEMS = 'u',
  OP_EMPTY_DICT = '}',
  OP_EMPTY_TUPLE = ')',
  OP_PROTO = 0x80,
  OP_TUPLE1 = 0x85,
  OP_TUPLE2,
  OP_TUPLE3,
  OP_NEWTRUE,
  OP_NEWFALSE,
  OP_LONG1,
  OP_LONG4,
  OP_SHORT_BINUNICODE,
  OP_BINUNICODE8,
  OP_BINBYTES8,
  OP_STACK_GLOBAL = 0x93,
  OP_MEMOIZE,
  OP_FRAME,
  OP_BYTEARRAY8,
};

AmPickle *
am_pickle_new (AmWeights *w)
{
  AmPickle *s = g_new0 (AmPickle, 1);

  s->w = w;
  s->blocks = g_ptr_array_new_with_free_func (g_free);
  s->tensors = g_ptr_array_new_with_free_func (g_free);
  s->storages = g_ptr_array_new_with_free_func (g_free);
  s->by_key = g_tree_new ((GCompareFunc) strcmp);
  s->stack = g_ptr_array_new ();
  s->marks = g_array_new (FALSE, FALSE, sizeof (size_t));
  s->memo = g_ptr_array_new ();
  return s;
}

static AmValue *
nth_value (const AmPickle *s, size_t i)
{
  AmValue *block = g_ptr_array_index (s->blocks, i / VALUES_PER_BLOCK);

  return &block[i % VALUES_PER_BLOCK];
}

static gboolean
has_items (const AmValue *v)
{
  return v->kind == AM_VALUE_LIST || v->kind == AM_VALUE_TUPLE || v->kind == AM_VALUE_DICT;
}

void
am_pickle_free (AmPickle *s)
{
  for (size_t i = 0; i < s->n_values; i++)
    if (has_items (nth_value (s, i)))
      g_free (nth_value (s, i)->items);
  for (guint i = 0; i < s->storages->len; i++)
    g_free (((AmStorage *) g_ptr_array_index (s->storages, i))->key);
  g_ptr_array_unref (s->blocks);
  g_ptr_array_unref (s->tensors);
  g_ptr_array_unref (s->storages);
  g_tree_unref (s->by_key);
  g_ptr_array_unref (s->stack);
  g_array_unref (s->marks);
  g_ptr_array_unref (s->memo);
  g_free (s);
}

const AmValue *
am_pickle_root (const AmPickle *s)
{
  return s->root;
}

gboolean
am_pickle_fail (AmPickle *s, GError **error, AmError code, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  return am_weights_fail (
      s->w, error, code, "pickle, byte %" G_GSIZE_FORMAT ": %s", (gsize) (s->p - s->data), text);
}

static gboolean
wrong (AmPickle *s, GError **error, const char *what)
{
  return am_pickle_fail (s, error, AM_ERROR_FORMAT, "%s", what);
}

AmValue *
am_pickle_value (AmPickle *s, int kind, GError **error)
{
  AmValue *v;

  if (s->n_values == MAX_VALUES) {
    am_pickle_fail (s, error, AM_ERROR_LIMIT, "more than %" G_GSIZE_FORMAT " values", MAX_VALUES);
    return NULL;
  }
  if (s->n_values % VALUES_PER_BLOCK == 0)
    g_ptr_array_add (s->blocks, g_new0 (AmValue, VALUES_PER_BLOCK));
  v = nth_value (s, s->n_values++);
  v->kind = (guint8) kind;
  return v;
}

/* available: items above the last mark */
static size_t
available (const AmPickle *s)
{
  size_t base = 0;

  if (s->marks->len)
    base = g_array_index (s->marks, size_t, s->marks->len - 1);
  return s->stack->len - base;
}

static gboolean
need (AmPickle *s, size_t n, GError **error)
{
  return available (s) >= n || wrong (s, error, "takes more from the stack than is there");
}

static AmValue *
top (const AmPickle *s, guint below)
{
  return g_ptr_array_index (s->stack, s->stack->len - 1 - below);
}

static void
drop (AmPickle *s, size_t n)
{
  g_ptr_array_set_size (s->stack, (gint) (s->stack->len - n));
}

static gboolean
push (AmPickle *s, AmValue *v, GError **error)
{
  if (v == NULL)
    return FALSE;
  if (s->stack->len == MAX_STACK)
    return am_pickle_fail (s, error, AM_ERROR_LIMIT, "the stack grows beyond all need");
  g_ptr_array_add (s->stack, v);
  return TRUE;
}

static gboolean
push_int (AmPickle *s, int kind, gint64 i, GError **error)
{
  AmValue *v = am_pickle_value (s, kind, error);

  if (v)
    v->i = i;
  return push (s, v, error);
}

/* read_uint: @n bytes, little-endian */
static gboolean
read_uint (AmPickle *s, unsigned n, guint64 *out, GError **error)
{
  if ((size_t) (s->end - s->p) < n)
    return wrong (s, error, "cut off");
  *out = 0;
  for (unsigned i = 0; i < n; i++)
    *out |= (guint64) s->p[i] << (8 * i);
  s->p += n;
  return TRUE;
}

/* read_block: a length of @n bytes, then as many bytes, which stay where they are */
static gboolean
read_block (AmPickle *s, unsigned n, const guint8 **out, size_t *length, GError **error)
{
  guint64 claimed = 0;

  if (!read_uint (s, n, &claimed, error))
    return FALSE;
  if (claimed > (guint64) (s->end - s->p))
    return am_pickle_fail (s, error, AM_ERROR_FORMAT,
        "cut off: %" G_GUINT64_FORMAT " bytes are announced, %" G_GSIZE_FORMAT " are left", claimed,
        (gsize) (s->end - s->p));
  *out = s->p;
  *length = claimed;
  s->p += claimed;
  return TRUE;
}

/* is_utf8: as g_utf8_validate(), but zero bytes are characters like others */
static gboolean
is_utf8 (const guint8 *p, size_t n)
{
  const char *at = (const char *) p, *end = at + n;

  while (!g_utf8_validate (at, end - at, &at)) {
    if (*at != 0)
      return FALSE;
    at++;
  }
  return TRUE;
}

static gboolean
push_block (AmPickle *s, int kind, unsigned n, GError **error)
{
  AmValue *v = am_pickle_value (s, kind, error);

  if (v == NULL || !read_block (s, n, &v->bytes, &v->n, error))
    return FALSE;
  if (kind == AM_VALUE_STRING && !is_utf8 (v->bytes, v->n))
    return wrong (s, error, "a string that is not UTF-8");
  return push (s, v, error);
}

/* push_long: an integer of any length, shortened to 64 bits where it fits */
static gboolean
push_long (AmPickle *s, unsigned n, GError **error)
{
  AmValue *v = am_pickle_value (s, AM_VALUE_BIG_INT, error);
  const guint8 *bytes = NULL;
  size_t length = 0, kept;
  guint8 sign;

  if (v == NULL || !read_block (s, n, &bytes, &length, error))
    return FALSE;
  sign = length && bytes[length - 1] & 0x80 ? 0xff : 0;
  for (kept = length; kept > 8 && bytes[kept - 1] == sign; kept--)
    ;
  if (kept <= 8 && (kept < 8 || ((bytes[7] ^ sign) & 0x80) == 0)) {
    guint64 u = sign ? G_MAXUINT64 : 0;

    for (size_t i = 0; i < kept; i++)
      u = (u & ~((guint64) 0xff << (8 * i))) | (guint64) bytes[i] << (8 * i);
    v->kind = AM_VALUE_INT;
    v->i = (gint64) u;
  } else {
    v->bytes = bytes;
    v->n = length;
  }
  return push (s, v, error);
}

/* fill: appends the top @n items of the stack to @v's own and takes them off the stack */
static gboolean
fill (AmPickle *s, AmValue *v, size_t n, GError **error)
{
  if (n > v->allocated - v->n) {
    size_t want = MAX (v->n + n, v->allocated + (size_t) v->allocated / 2);

    if (want > MAX_STACK)
      return am_pickle_fail (s, error, AM_ERROR_LIMIT, "a list or dict grows beyond all need");
    v->items = g_renew (AmValue *, v->items, want);
    v->allocated = (guint32) want;
  }
  if (n)
    memcpy (v->items + v->n, s->stack->pdata + s->stack->len - n, n * sizeof *v->items);
  v->n += n;
  drop (s, n);
  return TRUE;
}

static gboolean
is_key (const AmValue *v)
{
  return v->kind <= AM_VALUE_BYTES || v->kind == AM_VALUE_TUPLE || v->kind == AM_VALUE_GLOBAL;
}

/* set_items: the top @n items become pairs of the dict under them */
static gboolean
set_items (AmPickle *s, AmValue *dict, size_t n, GError **error)
{
  if (dict->kind != AM_VALUE_DICT)
    return wrong (s, error, "sets items of something that is no dict");
  if (n % 2)
    return wrong (s, error, "a dict key without a value");
  for (size_t i = 0; i < n; i += 2) {
    const AmValue *key = g_ptr_array_index (s->stack, s->stack->len - n + i);

    if (!is_key (key))
      return wrong (s, error, "a dict key that cannot be one");
    if (key->kind == AM_VALUE_STRING && key->n > MAX_KEY)
      return am_pickle_fail (s, error, AM_ERROR_LIMIT, "a dict key longer than %d bytes", MAX_KEY);
  }
  return fill (s, dict, n, error);
}

/* since_mark: takes the last mark away. @n: the items above it; @below: so many must be under it */
static gboolean
since_mark (AmPickle *s, size_t *n, size_t below, GError **error)
{
  if (s->marks->len == 0)
    return wrong (s, error, "needs a mark on the stack");
  *n = available (s);
  g_array_set_size (s->marks, s->marks->len - 1);
  return need (s, *n + below, error);
}

static gboolean
push_container (AmPickle *s, int kind, size_t n, GError **error)
{
  AmValue *v = am_pickle_value (s, kind, error);

  if (v == NULL)
    return FALSE;
  return (kind == AM_VALUE_DICT ? set_items (s, v, n, error) : fill (s, v, n, error)) &&
         push (s, v, error);
}

static gboolean
put (AmPickle *s, guint64 slot, GError **error)
{
  if (!need (s, 1, error))
    return FALSE;
  /* each slot costs at least a byte to write, so that an honest number is below the size */
  if (slot >= (guint64) (s->end - s->data) || slot >= MAX_VALUES)
    return am_pickle_fail (s, error, AM_ERROR_LIMIT, "writes memo slot %" G_GUINT64_FORMAT, slot);
  if (slot >= s->memo->len)
    g_ptr_array_set_size (s->memo, (gint) slot + 1);
  g_ptr_array_index (s->memo, slot) = top (s, 0);
  return TRUE;
}

static gboolean
get (AmPickle *s, guint64 slot, GError **error)
{
  if (slot >= s->memo->len || g_ptr_array_index (s->memo, slot) == NULL)
    return am_pickle_fail (s, error, AM_ERROR_FORMAT,
        "reads memo slot %" G_GUINT64_FORMAT ", which was never written", slot);
  return push (s, g_ptr_array_index (s->memo, slot), error);
}

/* text_global: two lines of text */
static gboolean
text_global (AmPickle *s, GError **error)
{
  const char *line[2];
  size_t length[2];

  for (int i = 0; i < 2; i++) {
    const guint8 *end = memchr (s->p, '\n', MIN ((size_t) (s->end - s->p), MAX_GLOBAL_NAME));
    if (end == NULL)
      return wrong (s, error, "the name of a global has no end");
    line[i] = (const char *) s->p;
    length[i] = (size_t) (end - s->p);
    s->p = end + 1;
  }
  return push (s, am_pickle_global (s, line[0], length[0], line[1], length[1], error), error);
}

static gboolean
stack_global (AmPickle *s, GError **error)
{
  const AmValue *module, *name;

  if (!need (s, 2, error))
    return FALSE;
  module = top (s, 1);
  name = top (s, 0);
  if (module->kind != AM_VALUE_STRING || name->kind != AM_VALUE_STRING)
    return wrong (s, error, "the name of a global is no string");
  drop (s, 2);
  return push (s,
      am_pickle_global (
          s, (const char *) module->bytes, module->n, (const char *) name->bytes, name->n, error),
      error);
}

static gboolean
push_float (AmPickle *s, GError **error)
{
  AmValue *v = am_pickle_value (s, AM_VALUE_FLOAT, error);
  guint64 u = 0;

  if (v == NULL || !read_uint (s, 8, &u, error))
    return FALSE;
  u = GUINT64_SWAP_LE_BE (u); /* the one big-endian number of the format */
  memcpy (&v->f, &u, sizeof u);
  return push (s, v, error);
}

static gboolean
call (AmPickle *s, GError **error)
{
  AmValue *result;

  if (!need (s, 2, error))
    return FALSE;
  result = am_pickle_call (s, top (s, 1), top (s, 0), error);
  drop (s, 2);
  return push (s, result, error);
}

static gboolean
build (AmPickle *s, GError **error)
{
  gboolean ok;

  if (!need (s, 2, error))
    return FALSE;
  ok = am_pickle_build (s, top (s, 1), top (s, 0), error);
  drop (s, 1);
  return ok;
}

static gboolean
persistent (AmPickle *s, GError **error)
{
  AmValue *v;

  if (!need (s, 1, error))
    return FALSE;
  v = am_pickle_storage (s, top (s, 0), error);
  drop (s, 1);
  return push (s, v, error);
}

static gboolean
append (AmPickle *s, size_t n, GError **error)
{
  AmValue *list = top (s, (guint) n);

  if (list->kind != AM_VALUE_LIST)
    return wrong (s, error, "appends to something that is no list");
  return fill (s, list, n, error);
}

/* Opcodes that take their operands from the stack only. */
static gboolean
step_stack (AmPickle *s, guint8 op, GError **error)
{
  size_t n;

  switch (op) {
    case OP_MARK:
      if (s->marks->len == MAX_MARKS)
        return am_pickle_fail (s, error, AM_ERROR_LIMIT, "more than %d open marks", MAX_MARKS);
      n = s->stack->len;
      g_array_append_val (s->marks, n);
      return TRUE;
    case OP_POP:
      if (available (s) == 0 && s->marks->len) {
        g_array_set_size (s->marks, s->marks->len - 1);
        return TRUE;
      }
      if (!need (s, 1, error))
        return FALSE;
      drop (s, 1);
      return TRUE;
    case OP_POP_MARK:
      if (!since_mark (s, &n, 0, error))
        return FALSE;
      drop (s, n);
      return TRUE;
    case OP_DUP:
      return need (s, 1, error) && push (s, top (s, 0), error);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
      n = op - OP_TUPLE1 + 1u;
      return need (s, n, error) && push_container (s, AM_VALUE_TUPLE, n, error);
    case OP_TUPLE:
      return since_mark (s, &n, 0, error) && push_container (s, AM_VALUE_TUPLE, n, error);
    case OP_LIST:
      return since_mark (s, &n, 0, error) && push_container (s, AM_VALUE_LIST, n, error);
    case OP_DICT:
      return since_mark (s, &n, 0, error) && push_container (s, AM_VALUE_DICT, n, error);
    case OP_APPEND:
      return need (s, 2, error) && append (s, 1, error);
    case OP_APPENDS:
      return since_mark (s, &n, 1, error) && append (s, n, error);
    case OP_SETITEM:
      return need (s, 3, error) && set_items (s, top (s, 2), 2, error);
    case OP_SETITEMS:
      return since_mark (s, &n, 1, error) && set_items (s, top (s, (guint) n), n, error);
    case OP_STACK_GLOBAL:
      return stack_global (s, error);
    case OP_REDUCE:
      return call (s, error);
    case OP_BUILD:
      return build (s, error);
    case OP_BINPERSID:
      return persistent (s, error);
    case OP_MEMOIZE:
      return put (s, s->memo->len, error);
    default:
      return am_pickle_fail (
          s, error, AM_ERROR_REFUSED, "opcode 0x%02x is not used for tensors", op);
  }
}

/* Opcodes that push a constant or have an operand in the file. */
static gboolean
step (AmPickle *s, guint8 op, GError **error)
{
  guint64 u = 0;

  switch (op) {
    case OP_PROTO:
      if (!read_uint (s, 1, &u, error))
        return FALSE;
      if (u < 2 || u > 5)
        return am_pickle_fail (
            s, error, AM_ERROR_FORMAT, "protocol %u is none of 2 to 5", (unsigned) u);
      return TRUE;
    case OP_FRAME:
      if (!read_uint (s, 8, &u, error))
        return FALSE;
      return u <= (guint64) (s->end - s->p) || wrong (s, error, "a frame is longer than the data");
    case OP_NONE:
      return push (s, am_pickle_value (s, AM_VALUE_NONE, error), error);
    case OP_NEWTRUE:
    case OP_NEWFALSE:
      return push_int (s, AM_VALUE_BOOL, op == OP_NEWTRUE, error);
    case OP_BININT:
      return read_uint (s, 4, &u, error) && push_int (s, AM_VALUE_INT, (gint32) (guint32) u, error);
    case OP_BININT1:
      return read_uint (s, 1, &u, error) && push_int (s, AM_VALUE_INT, (gint64) u, error);
    case OP_BININT2:
      return read_uint (s, 2, &u, error) && push_int (s, AM_VALUE_INT, (gint64) u, error);
    case OP_LONG1:
      return push_long (s, 1, error);
    case OP_LONG4: /* the length is signed, and a negative one reads as too long */
      return push_long (s, 4, error);
    case OP_BINFLOAT:
      return push_float (s, error);
    case OP_SHORT_BINUNICODE:
      return push_block (s, AM_VALUE_STRING, 1, error);
    case OP_BINUNICODE:
      return push_block (s, AM_VALUE_STRING, 4, error);
    case OP_BINUNICODE8:
      return push_block (s, AM_VALUE_STRING, 8, error);
    case OP_SHORT_BINBYTES:
      return push_block (s, AM_VALUE_BYTES, 1, error);
    case OP_BINBYTES:
      return push_block (s, AM_VALUE_BYTES, 4, error);
    case OP_BINBYTES8:
    case OP_BYTEARRAY8:
      return push_block (s, AM_VALUE_BYTES, 8, error);
    case OP_EMPTY_LIST:
      return push_container (s, AM_VALUE_LIST, 0, error);
    case OP_EMPTY_TUPLE:
      return push_container (s, AM_VALUE_TUPLE, 0, error);
    case OP_EMPTY_DICT:
      return push_container (s, AM_VALUE_DICT, 0, error);
    case OP_GLOBAL:
      return text_global (s, error);
    case OP_BINGET:
      return read_uint (s, 1, &u, error) && get (s, u, error);
    case OP_LONG_BINGET:
      return read_uint (s, 4, &u, error) && get (s, u, error);
    case OP_BINPUT:
      return read_uint (s, 1, &u, error) && put (s, u, error);
    case OP_LONG_BINPUT:
      return read_uint (s, 4, &u, error) && put (s, u, error);
    default:
      return step_stack (s, op, error);
  }
}

AmValue *
am_pickle_run (AmPickle *s, const guint8 *data, size_t size, size_t *used, GError **error)
{
  s->data = s->p = data;
  s->end = data + size;
  g_ptr_array_set_size (s->stack, 0);
  g_array_set_size (s->marks, 0);
  g_ptr_array_set_size (s->memo, 0);

  if (size < 2 || data[0] != OP_PROTO) {
    wrong (s, error, "not a pickle of protocol 2 to 5");
    return NULL;
  }
  for (;;) {
    guint8 op;

    if (s->p == s->end) {
      wrong (s, error, "cut off: there is no stop");
      return NULL;
    }
    op = *s->p++;
    if (op == OP_STOP)
      break;
    if (!step (s, op, error))
      return NULL;
  }
  if (s->stack->len != 1 || s->marks->len != 0) {
    wrong (s, error, "stops with something other than one object on the stack");
    return NULL;
  }
  if (used)
    *used = (size_t) (s->p - data);
  return top (s, 0);
}

/* compare_keys: 0 only for keys that are equal */
static gint
compare_keys (gconstpointer a, gconstpointer b, gpointer unused G_GNUC_UNUSED)
{
  const AmValue *x = *(AmValue *const *) a, *y = *(AmValue *const *) b;

  if (x == y)
    return 0;
  if (x->kind != y->kind)
    return x->kind < y->kind ? -1 : 1;
  if (x->kind == AM_VALUE_INT)
    return x->i < y->i ? -1 : x->i > y->i;
  if (x->n != y->n)
    return x->n < y->n ? -1 : 1;
  return x->n ? memcmp (x->bytes, y->bytes, x->n) : 0;
}

/* By sorting, since hostile keys could all have one hash. */
gboolean
am_pickle_check_dicts (AmPickle *s, GError **error)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();

  for (size_t i = 0; i < s->n_values; i++) {
    const AmValue *v = nth_value (s, i);

    if (v->kind != AM_VALUE_DICT || v->n < 4)
      continue;
    g_ptr_array_set_size (keys, 0);
    for (size_t k = 0; k < v->n; k += 2)
      if (v->items[k]->kind == AM_VALUE_INT || v->items[k]->kind == AM_VALUE_STRING)
        g_ptr_array_add (keys, v->items[k]);
    g_ptr_array_sort_with_data (keys, compare_keys, NULL);
    for (guint k = 1; k < keys->len; k++)
      if (compare_keys (&keys->pdata[k - 1], &keys->pdata[k], NULL) == 0)
        return am_weights_fail (s->w, error, AM_ERROR_FORMAT, "a dict holds the same key twice");
  }
  return TRUE;
}
