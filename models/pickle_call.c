/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The globals a tensor file may name, and what calling or building them means here. */
#include "pickle_priv.h"

#include <string.h>

#define MAX_TENSORS (1u << 18)

static const struct
{
  const char *module, *name;
  int global;
} globals[] = {
  { "collections", "OrderedDict", AM_GLOBAL_ORDERED_DICT },
  { "torch._utils", "_rebuild_tensor", AM_GLOBAL_REBUILD_TENSOR },
  { "torch._utils", "_rebuild_tensor_v2", AM_GLOBAL_REBUILD_TENSOR_V2 },
  { "torch._utils", "_rebuild_tensor_v3", AM_GLOBAL_REBUILD_TENSOR_V3 },
  { "torch._utils", "_rebuild_parameter", AM_GLOBAL_REBUILD_PARAMETER },
  { "torch", "Size", AM_GLOBAL_SIZE },
  { "torch", "FloatStorage", AM_GLOBAL_STORAGE + AM_F32 },
  { "torch", "HalfStorage", AM_GLOBAL_STORAGE + AM_F16 },
  { "torch", "BFloat16Storage", AM_GLOBAL_STORAGE + AM_BF16 },
  { "torch", "DoubleStorage", AM_GLOBAL_STORAGE + AM_F64 },
  { "torch", "LongStorage", AM_GLOBAL_STORAGE + AM_I64 },
  { "torch", "IntStorage", AM_GLOBAL_STORAGE + AM_I32 },
  { "torch", "ShortStorage", AM_GLOBAL_STORAGE + AM_I16 },
  { "torch", "CharStorage", AM_GLOBAL_STORAGE + AM_I8 },
  { "torch", "ByteStorage", AM_GLOBAL_STORAGE + AM_U8 },
  { "torch", "BoolStorage", AM_GLOBAL_STORAGE + AM_BOOL },
  { "torch", "UntypedStorage", AM_GLOBAL_UNTYPED_STORAGE },
  { "torch.storage", "UntypedStorage", AM_GLOBAL_UNTYPED_STORAGE },
  { "torch", "float32", AM_GLOBAL_DTYPE + AM_F32 },
  { "torch", "float16", AM_GLOBAL_DTYPE + AM_F16 },
  { "torch", "bfloat16", AM_GLOBAL_DTYPE + AM_BF16 },
  { "torch", "float64", AM_GLOBAL_DTYPE + AM_F64 },
  { "torch", "int64", AM_GLOBAL_DTYPE + AM_I64 },
  { "torch", "int32", AM_GLOBAL_DTYPE + AM_I32 },
  { "torch", "int16", AM_GLOBAL_DTYPE + AM_I16 },
  { "torch", "int8", AM_GLOBAL_DTYPE + AM_I8 },
  { "torch", "uint8", AM_GLOBAL_DTYPE + AM_U8 },
  { "torch", "bool", AM_GLOBAL_DTYPE + AM_BOOL },
  { "torch", "uint16", AM_GLOBAL_DTYPE + AM_U16 },
  { "torch", "uint32", AM_GLOBAL_DTYPE + AM_U32 },
  { "torch", "uint64", AM_GLOBAL_DTYPE + AM_U64 },
  { "_codecs", "encode", AM_GLOBAL_ENCODE },
  { "__builtin__", "bytes", AM_GLOBAL_BYTES },
  { "builtins", "bytes", AM_GLOBAL_BYTES },
  { "numpy", "ndarray", AM_GLOBAL_NUMPY_NDARRAY },
  { "numpy", "dtype", AM_GLOBAL_NUMPY_DTYPE },
  { "numpy.core.multiarray", "_reconstruct", AM_GLOBAL_NUMPY_RECONSTRUCT },
  { "numpy._core.multiarray", "_reconstruct", AM_GLOBAL_NUMPY_RECONSTRUCT },
  { "numpy.core.numeric", "_frombuffer", AM_GLOBAL_NUMPY_FROMBUFFER },
  { "numpy._core.numeric", "_frombuffer", AM_GLOBAL_NUMPY_FROMBUFFER },
  { "numpy.core.multiarray", "scalar", AM_GLOBAL_NUMPY_SCALAR },
  { "numpy._core.multiarray", "scalar", AM_GLOBAL_NUMPY_SCALAR },
};

/* wrong: for functions that return a value; gives NULL */
static void *
wrong (AmPickle *s, GError **error, const char *what)
{
  am_pickle_fail (s, error, AM_ERROR_FORMAT, "%s", what);
  return NULL;
}

static gboolean
equals (const char *text, const void *s, size_t n)
{
  return strlen (text) == n && memcmp (text, s, n) == 0;
}

static gboolean
is_global (const AmValue *v, int global)
{
  return v->kind == AM_VALUE_GLOBAL && v->tag == global;
}

AmValue *
am_pickle_global (AmPickle *s, const char *module, size_t module_length, const char *name,
    size_t name_length, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GString) both = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (globals); i++)
    if (equals (globals[i].module, module, module_length) &&
        equals (globals[i].name, name, name_length)) {
      AmValue *v = am_pickle_value (s, AM_VALUE_GLOBAL, error);
      if (v)
        v->tag = (guint8) globals[i].global;
      return v;
    }
  both = g_string_new_len (module, (gssize) MIN (module_length, 60));
  g_string_append_c (both, '.');
  g_string_append_len (both, name, (gssize) MIN (name_length, 60));
  text = am_text_for_message (both->str, both->len);
  am_pickle_fail (s, error, AM_ERROR_REFUSED,
      "asks for %s, which tensor files do not need; nothing was run", text);
  return NULL;
}

/* (tuple) of @n items, where n is between the two */
static gboolean
is_tuple (const AmValue *v, size_t least, size_t most)
{
  return v->kind == AM_VALUE_TUPLE && v->n >= least && v->n <= most;
}

static gboolean
is_count (const AmValue *v)
{
  return v->kind == AM_VALUE_INT && v->i >= 0;
}

/* am_pickle_storage: ("storage", class, key, where it was, elements[, view]) */
AmValue *
am_pickle_storage (AmPickle *s, const AmValue *id, GError **error)
{
  AmDType dtype = AM_U8;
  g_autofree char *key = NULL;
  AmStorage *storage;
  AmValue *v;
  size_t bytes;

  if (!is_tuple (id, 5, 6) || id->items[0]->kind != AM_VALUE_STRING ||
      !equals ("storage", id->items[0]->bytes, id->items[0]->n))
    return wrong (s, error, "refers to something that is no storage");
  if (id->items[1]->kind == AM_VALUE_GLOBAL && id->items[1]->tag >= AM_GLOBAL_STORAGE &&
      id->items[1]->tag < AM_GLOBAL_STORAGE + AM_N_DTYPES)
    dtype = (AmDType) (id->items[1]->tag - AM_GLOBAL_STORAGE);
  else if (!is_global (id->items[1], AM_GLOBAL_UNTYPED_STORAGE))
    return wrong (s, error, "the class of a storage is none");
  key = am_value_dup_string (id->items[2]);
  if (key == NULL || key[0] == 0 || strlen (key) > 64 ||
      strspn (key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") !=
          strlen (key))
    return wrong (s, error, "the key of a storage is not a plain name");
  if (!is_count (id->items[4]) ||
      !g_size_checked_mul (&bytes, (guint64) id->items[4]->i, am_dtype_size (dtype)) ||
      bytes > G_MAXINT64)
    return wrong (s, error, "a storage of an impossible size");
  if (id->n == 6 && id->items[5]->kind != AM_VALUE_NONE)
    return wrong (s, error, "a view of a storage, as only very old PyTorch wrote");
  v = am_pickle_value (s, AM_VALUE_STORAGE, error);
  if (v == NULL)
    return NULL;
  storage = g_tree_lookup (s->by_key, key);
  if (storage == NULL) {
    storage = g_new0 (AmStorage, 1);
    storage->dtype = dtype;
    storage->n = (guint64) id->items[4]->i;
    storage->bytes = bytes;
    storage->key = g_steal_pointer (&key);
    g_ptr_array_add (s->storages, storage);
    g_tree_insert (s->by_key, storage->key, storage);
  } else if (storage->dtype != dtype || storage->bytes != bytes) {
    return wrong (s, error, "one storage has two types or sizes");
  }
  v->storage = storage;
  return v;
}

static AmPickleTensor *
new_tensor (AmPickle *s, AmDType dtype, AmStorage *storage, GError **error)
{
  AmPickleTensor *t;

  if (s->tensors->len == MAX_TENSORS) {
    am_pickle_fail (s, error, AM_ERROR_LIMIT, "more than %u tensors", MAX_TENSORS);
    return NULL;
  }
  t = g_new0 (AmPickleTensor, 1);
  t->tensor.name = "";
  t->tensor.dtype = dtype;
  t->storage = storage;
  g_ptr_array_add (s->tensors, t);
  return t;
}

static gboolean
read_shape (AmPickle *s, AmTensor *t, const AmValue *shape, GError **error)
{
  if (shape->kind != AM_VALUE_TUPLE && shape->kind != AM_VALUE_LIST)
    return am_pickle_fail (s, error, AM_ERROR_FORMAT, "the shape of a tensor is no tuple");
  if (shape->n > AM_MAX_DIMS)
    return am_pickle_fail (
        s, error, AM_ERROR_LIMIT, "a tensor of more than %d dimensions", AM_MAX_DIMS);
  t->n_dims = (unsigned) shape->n;
  for (size_t i = 0; i < shape->n; i++) {
    if (!is_count (shape->items[i]))
      return am_pickle_fail (
          s, error, AM_ERROR_FORMAT, "a size of a tensor is not a number from 0");
    t->shape[i] = (size_t) shape->items[i]->i;
  }
  if (!am_tensor_finish (t))
    return am_pickle_fail (
        s, error, AM_ERROR_FORMAT, "the sizes of a tensor multiply beyond 63 bits");
  return TRUE;
}

/* rebuild_tensor: (storage, offset, shape, strides, ...[, dtype]) */
static AmValue *
rebuild_tensor (AmPickle *s, const AmValue *args, int global, GError **error)
{
  const size_t least = global == AM_GLOBAL_REBUILD_TENSOR      ? 4
                       : global == AM_GLOBAL_REBUILD_TENSOR_V2 ? 6
                                                               : 7;
  const AmValue *strides;
  AmPickleTensor *t;
  AmDType dtype;
  AmValue *v;

  if (!is_tuple (args, least, least + (least > 4)) || args->items[0]->kind != AM_VALUE_STORAGE)
    return wrong (s, error, "a tensor is made from something other than a storage");
  dtype = args->items[0]->storage->dtype;
  if (global == AM_GLOBAL_REBUILD_TENSOR_V3) {
    if (args->items[6]->kind != AM_VALUE_GLOBAL || args->items[6]->tag < AM_GLOBAL_DTYPE)
      return wrong (s, error, "the type of a tensor is none");
    dtype = (AmDType) (args->items[6]->tag - AM_GLOBAL_DTYPE);
  }
  t = new_tensor (s, dtype, args->items[0]->storage, error);
  if (t == NULL || !read_shape (s, &t->tensor, args->items[2], error))
    return NULL;
  if (!is_count (args->items[1]))
    return wrong (s, error, "the offset of a tensor is not a number from 0");
  t->offset = (guint64) args->items[1]->i;
  strides = args->items[3];
  if (strides->kind != AM_VALUE_TUPLE && strides->kind != AM_VALUE_LIST)
    return wrong (s, error, "the strides of a tensor are no tuple");
  if (strides->n != t->tensor.n_dims)
    return wrong (s, error, "a tensor has not as many strides as sizes");
  for (size_t i = 0; i < strides->n; i++) {
    if (!is_count (strides->items[i]))
      return wrong (s, error, "a stride of a tensor is not a number from 0");
    t->strides[i] = (guint64) strides->items[i]->i;
  }
  v = am_pickle_value (s, AM_VALUE_TENSOR, error);
  if (v)
    v->tensor = t;
  return v;
}

/* encode: how protocol 2 stores bytes: as the characters U+0000 to U+00FF */
static AmValue *
encode (AmPickle *s, const AmValue *args, GError **error)
{
  const guint8 *from, *end;
  guint8 *to;
  AmValue *v;

  if (!is_tuple (args, 2, 2) || args->items[0]->kind != AM_VALUE_STRING ||
      args->items[1]->kind != AM_VALUE_STRING ||
      !(equals ("latin1", args->items[1]->bytes, args->items[1]->n) ||
          equals ("latin-1", args->items[1]->bytes, args->items[1]->n)))
    return wrong (s, error, "bytes are not stored as latin1 text");
  v = am_pickle_value (s, AM_VALUE_BYTES, error);
  if (v == NULL ||
      (to = am_weights_alloc (s->w, args->items[0]->n, "bytes stored as text", error)) == NULL)
    return NULL;
  v->bytes = to;
  from = args->items[0]->bytes;
  end = from + args->items[0]->n;
  while (from < end) {
    if (*from < 0x80) {
      *to++ = *from++;
    } else if (*from == 0xc2 || *from == 0xc3) { /* valid UTF-8: one more byte follows */
      *to++ = (guint8) (from[0] << 6 | (from[1] & 0x3f));
      from += 2;
    } else {
      return wrong (s, error, "latin1 text with a character that is none of latin1");
    }
  }
  v->n = (size_t) (to - v->bytes);
  return v;
}

/* numpy_dtype: ("f4", align, copy) */
static AmValue *
numpy_dtype (AmPickle *s, const AmValue *args, GError **error)
{
  static const struct
  {
    char name[3];
    AmDType dtype;
  } known[] = {
    { "f2", AM_F16 },
    { "f4", AM_F32 },
    { "f8", AM_F64 },
    { "i1", AM_I8 },
    { "i2", AM_I16 },
    { "i4", AM_I32 },
    { "i8", AM_I64 },
    { "u1", AM_U8 },
    { "u2", AM_U16 },
    { "u4", AM_U32 },
    { "u8", AM_U64 },
    { "b1", AM_BOOL },
  };
  g_autofree char *text = NULL;
  const AmValue *name;

  if (!is_tuple (args, 1, 3) || args->items[0]->kind != AM_VALUE_STRING)
    return wrong (s, error, "a numpy dtype without a name");
  name = args->items[0];
  for (size_t i = 0; i < G_N_ELEMENTS (known); i++)
    if (equals (known[i].name, name->bytes, name->n)) {
      AmValue *v = am_pickle_value (s, AM_VALUE_NUMPY_DTYPE, error);
      if (v)
        v->tag = (guint8) known[i].dtype;
      return v;
    }
  text = am_text_for_message ((const char *) name->bytes, name->n);
  am_pickle_fail (s, error, AM_ERROR_REFUSED, "the numpy dtype %s holds no plain numbers", text);
  return NULL;
}

/* numpy_fill: makes @v the array of @shape in @bytes */
static gboolean
numpy_fill (AmPickle *s, AmValue *v, const AmValue *shape, const AmValue *dtype, gboolean fortran,
    const AmValue *bytes, GError **error)
{
  AmPickleTensor *t;
  AmStorage *storage;
  guint64 stride = 1;

  if (dtype->kind != AM_VALUE_NUMPY_DTYPE || bytes->kind != AM_VALUE_BYTES)
    return am_pickle_fail (s, error, AM_ERROR_FORMAT, "a numpy array without type or contents");
  storage = g_new0 (AmStorage, 1);
  g_ptr_array_add (s->storages, storage);
  storage->dtype = dtype->tag;
  storage->bytes = bytes->n;
  storage->n = bytes->n / am_dtype_size (dtype->tag);
  storage->data = bytes->bytes;
  t = new_tensor (s, dtype->tag, storage, error);
  if (t == NULL || !read_shape (s, &t->tensor, shape, error))
    return FALSE;
  if (t->tensor.bytes != bytes->n)
    return am_pickle_fail (s, error, AM_ERROR_FORMAT,
        "a numpy array needs %" G_GSIZE_FORMAT " bytes, it has %" G_GSIZE_FORMAT, t->tensor.bytes,
        bytes->n);
  for (unsigned i = 0; i < t->tensor.n_dims && t->tensor.n > 0; i++) {
    unsigned d = fortran ? i : t->tensor.n_dims - 1 - i;

    t->strides[d] = stride;
    stride *= t->tensor.shape[d]; /* <= n */
  }
  v->kind = AM_VALUE_TENSOR;
  v->tensor = t;
  return TRUE;
}

/* numpy_frombuffer: (bytes, dtype, shape, "C" or "F") */
static AmValue *
numpy_frombuffer (AmPickle *s, const AmValue *args, GError **error)
{
  AmValue *v;
  const AmValue *order;

  if (!is_tuple (args, 4, 4) || args->items[3]->kind != AM_VALUE_STRING || args->items[3]->n != 1)
    return wrong (s, error, "a numpy array without type or contents");
  order = args->items[3];
  if (order->bytes[0] != 'C' && order->bytes[0] != 'F')
    return wrong (s, error, "a numpy array of unknown order");
  v = am_pickle_value (s, AM_VALUE_OTHER, error);
  if (v == NULL || !numpy_fill (s, v, args->items[2], args->items[1], order->bytes[0] == 'F',
                       args->items[0], error))
    return NULL;
  return v;
}

/* numpy_scalar: (dtype, bytes) becomes a plain number */
static AmValue *
numpy_scalar (AmPickle *s, const AmValue *args, GError **error)
{
  AmTensor t = { .n = 1 };
  AmValue *v;

  if (!is_tuple (args, 2, 2) || args->items[0]->kind != AM_VALUE_NUMPY_DTYPE ||
      args->items[1]->kind != AM_VALUE_BYTES ||
      args->items[1]->n != am_dtype_size (args->items[0]->tag))
    return wrong (s, error, "a numpy number without type or contents");
  t.dtype = args->items[0]->tag;
  t.data = args->items[1]->bytes;
  v = am_pickle_value (s, AM_VALUE_INT, error);
  if (v == NULL)
    return NULL;
  if (t.dtype == AM_F64) {
    v->kind = AM_VALUE_FLOAT;
    memcpy (&v->f, t.data, sizeof v->f);
  } else if (t.dtype == AM_F32 || t.dtype == AM_F16) {
    float f;

    am_tensor_read_f32 (&t, 0, 1, &f);
    v->kind = AM_VALUE_FLOAT;
    v->f = (double) f;
  } else if (t.dtype == AM_U64 && args->items[1]->bytes[7] & 0x80) {
    return wrong (s, error, "a numpy number beyond 63 bits");
  } else {
    g_autofree int64_t *i = am_tensor_to_i64 (&t);

    v->kind = t.dtype == AM_BOOL ? AM_VALUE_BOOL : AM_VALUE_INT;
    v->i = *i;
  }
  return v;
}

AmValue *
am_pickle_call (AmPickle *s, const AmValue *callable, AmValue *args, GError **error)
{
  if (callable->kind != AM_VALUE_GLOBAL)
    return wrong (s, error, "calls something that is no function");
  switch (callable->tag) {
    case AM_GLOBAL_ORDERED_DICT:
      if (!is_tuple (args, 0, 0))
        return wrong (s, error, "an OrderedDict is made from something");
      return am_pickle_value (s, AM_VALUE_DICT, error);
    case AM_GLOBAL_REBUILD_TENSOR:
    case AM_GLOBAL_REBUILD_TENSOR_V2:
    case AM_GLOBAL_REBUILD_TENSOR_V3:
      return rebuild_tensor (s, args, callable->tag, error);
    case AM_GLOBAL_REBUILD_PARAMETER:
      if (!is_tuple (args, 3, 3) || args->items[0]->kind != AM_VALUE_TENSOR)
        return wrong (s, error, "a parameter is made from something other than a tensor");
      return args->items[0];
    case AM_GLOBAL_SIZE:
      if (!is_tuple (args, 1, 1) || args->items[0]->kind != AM_VALUE_TUPLE)
        return wrong (s, error, "a torch.Size is made from something other than a tuple");
      return args->items[0];
    case AM_GLOBAL_ENCODE:
      return encode (s, args, error);
    case AM_GLOBAL_BYTES:
      if (!is_tuple (args, 0, 0))
        return wrong (s, error, "bytes are made from something");
      return am_pickle_value (s, AM_VALUE_BYTES, error);
    case AM_GLOBAL_NUMPY_DTYPE:
      return numpy_dtype (s, args, error);
    case AM_GLOBAL_NUMPY_RECONSTRUCT:
      if (!is_tuple (args, 3, 3) || !is_global (args->items[0], AM_GLOBAL_NUMPY_NDARRAY))
        return wrong (s, error, "a numpy array of an unknown class");
      return am_pickle_value (s, AM_VALUE_NUMPY_NEW, error);
    case AM_GLOBAL_NUMPY_FROMBUFFER:
      return numpy_frombuffer (s, args, error);
    case AM_GLOBAL_NUMPY_SCALAR:
      return numpy_scalar (s, args, error);
    default:
      return wrong (s, error, "calls something that is no function");
  }
}

gboolean
am_pickle_build (AmPickle *s, AmValue *object, const AmValue *state, GError **error)
{
  AmValue *const *item = state->kind == AM_VALUE_TUPLE ? state->items : NULL;

  switch (object->kind) {
    case AM_VALUE_DICT: /* attributes of an OrderedDict (_metadata of a state dict) mean nothing here */
      if (state->kind == AM_VALUE_DICT)
        return TRUE;
      break;
    case AM_VALUE_NUMPY_DTYPE: /* (version, byte order, ...) */
      if (!is_tuple (state, 2, 9) || item[1]->kind != AM_VALUE_STRING || item[1]->n != 1)
        break;
      if (item[1]->bytes[0] == '>')
        return am_pickle_fail (s, error, AM_ERROR_REFUSED, "a numpy array of big-endian numbers");
      return TRUE;
    case AM_VALUE_NUMPY_NEW: /* (version, shape, dtype, Fortran order, bytes) */
      if (!is_tuple (state, 5, 5) || item[3]->kind != AM_VALUE_BOOL)
        break;
      return numpy_fill (s, object, item[1], item[2], item[3]->i != 0, item[4], error);
    default:
      break;
  }
  return am_pickle_fail (
      s, error, AM_ERROR_REFUSED, "sets the state of something that has none here");
}
