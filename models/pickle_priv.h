/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The restricted pickle machine, for pt.c. It knows the opcodes of protocols 2 to 5 that plain data
 * need, and a fixed list of globals; each of those is a piece of this program, nothing is looked up or
 * run. Everything it makes belongs to one AmPickle and is freed with it, one by one, so that neither
 * depth nor cycles matter. */
#pragma once

#include "pickle.h"
#include "weights_priv.h"

G_BEGIN_DECLS

/* kinds after the public ones; am_value_kind() calls them AM_VALUE_OTHER */
enum {
  AM_VALUE_GLOBAL = AM_VALUE_OTHER + 1, /* tag: AmGlobal */
  AM_VALUE_STORAGE,                     /* storage */
  AM_VALUE_NUMPY_DTYPE,                 /* tag: AmDType */
  AM_VALUE_NUMPY_NEW,                   /* an array before its BUILD */
};

typedef enum {
  AM_GLOBAL_ORDERED_DICT,
  AM_GLOBAL_REBUILD_TENSOR,
  AM_GLOBAL_REBUILD_TENSOR_V2,
  AM_GLOBAL_REBUILD_TENSOR_V3,
  AM_GLOBAL_REBUILD_PARAMETER,
  AM_GLOBAL_SIZE,
  AM_GLOBAL_ENCODE,
  AM_GLOBAL_BYTES,
  AM_GLOBAL_NUMPY_NDARRAY,
  AM_GLOBAL_NUMPY_DTYPE,
  AM_GLOBAL_NUMPY_RECONSTRUCT,
  AM_GLOBAL_NUMPY_FROMBUFFER,
  AM_GLOBAL_NUMPY_SCALAR,
  AM_GLOBAL_UNTYPED_STORAGE,
  AM_GLOBAL_STORAGE,                                 /* + AmDType */
  AM_GLOBAL_DTYPE = AM_GLOBAL_STORAGE + AM_N_DTYPES, /* + AmDType */
} AmGlobal;

/* Where the elements of tensors lie. */
typedef struct
{
  char *key; /* in the archive; NULL for the bytes of a numpy array */
  AmDType dtype;
  guint64 n;          /* elements */
  size_t bytes;       /* n * the size of dtype */
  const guint8 *data; /* bytes of them; NULL until found */
} AmStorage;

typedef struct
{
  AmTensor tensor; /* name, data: NULL until placed */
  AmStorage *storage;
  guint64 offset, strides[AM_MAX_DIMS]; /* elements */
} AmPickleTensor;

struct _AmValue
{
  guint8 kind, tag;
  guint32 allocated; /* items */
  size_t n;          /* items (dict: keys and values), bytes */
  union {
    gint64 i;
    double f;
    const guint8 *bytes;
    AmValue **items; /* dict: key, value, key, value, ... */
    AmPickleTensor *tensor;
    AmStorage *storage;
  };
};

struct _AmPickle
{
  AmWeights *w; /* not a reference: it owns us */
  const AmValue *root;
  GPtrArray *blocks; /* of VALUES_PER_BLOCK AmValue; g_free */
  size_t n_values;
  GPtrArray *tensors;  /* AmPickleTensor; g_free */
  GPtrArray *storages; /* AmStorage */
  GTree *by_key;       /* key -> AmStorage */
  /* of the run in progress */
  const guint8 *data, *p, *end;
  GPtrArray *stack; /* AmValue */
  GArray *marks;    /* size_t: length of the stack at each mark */
  GPtrArray *memo;
};

AmPickle *am_pickle_new (AmWeights *w);
void am_pickle_free (AmPickle *s);
const AmValue *am_pickle_root (const AmPickle *s);

/* am_pickle_run:
 * Runs the pickle at the start of @data. @used: (optional): its length.
 * Returns: (transfer none): the object, or NULL with @error */
AmValue *am_pickle_run (AmPickle *s, const guint8 *data, size_t size, size_t *used, GError **error);

/* am_pickle_check_dicts: FALSE with @error if a dict has a string or number twice as a key */
gboolean am_pickle_check_dicts (AmPickle *s, GError **error);

/* The rest is between pickle.c and pickle_call.c. */

/* am_pickle_value: a new value, or NULL with @error if there are too many */
AmValue *am_pickle_value (AmPickle *s, int kind, GError **error);
gboolean am_pickle_fail (AmPickle *s, GError **error, AmError code, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

/* What the opcodes GLOBAL, BINPERSID, REDUCE and BUILD do; NULL or FALSE with @error. */
AmValue *am_pickle_global (AmPickle *s, const char *module, size_t module_length, const char *name,
    size_t name_length, GError **error);
AmValue *am_pickle_storage (AmPickle *s, const AmValue *id, GError **error);
AmValue *am_pickle_call (AmPickle *s, const AmValue *callable, AmValue *args, GError **error);
gboolean am_pickle_build (AmPickle *s, AmValue *object, const AmValue *state, GError **error);

G_END_DECLS
