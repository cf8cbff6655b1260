/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "load.h"

#include <string.h>

#define BLOCK ((size_t) 1 << 17) /* numbers that are converted at a time */
#define MAX_FILLERS 8 /* threads that prepare weights for a device that has none of its own */

/* Matrices are filled by a pool of threads while the network's loader goes on; what is small is done at
 * once. */
struct _AmPart
{
  AkDevice *dev;
  AkPrecision precision;
  AmWeights *weights;
  char *prefix; /* of all names */
  AkQueue *queue;
  const atomic_int *cancel;
  GPtrArray *matrices, *vectors;
  GThreadPool *pool; /* of Job; NULL after am_part_finish() */
  GMutex lock;       /* of failure */
  GError *failure;   /* the pool's first */
  GError *error;
};

/* A tensor that becomes the rows of a matrix from `first` on. */
typedef struct
{
  AkMatrix *matrix;
  const AmTensor *tensor;
  size_t first, rows;
} Job;

static gboolean
go_on (const AmPart *part, GError **error)
{
  AkStatus status = part->cancel && atomic_load (part->cancel) ? AK_CANCELLED : AK_OK;

  return am_error_from_status (status, am_weights_path (part->weights), error);
}

/* Checks, converts and packs in one pass, and lets the file's pages go. */
static void
fill (gpointer data, gpointer user_data)
{
  g_autofree Job *job = data;
  AmPart *part = user_data;
  const AmTensor *t = job->tensor;
  size_t each = t->n / job->rows, block = MAX (BLOCK / each, 1);
  gboolean in_place = t->dtype == AM_F32 && am_tensor_is_aligned (t);
  g_autofree float *values = in_place ? NULL : g_new (float, MIN (block, job->rows) * each);
  g_autoptr (GError) error = NULL;
  AkStatus status = AK_OK;

  if (!go_on (part, &error) || !am_weights_verify (part->weights, t, &error))
    goto out;
  block = MAX (block / 16 * 16, 1);
  for (size_t row = 0; row < job->rows && status == AK_OK; row += block) {
    size_t n = MIN (block, job->rows - row);

    if (!go_on (part, &error))
      goto out;
    if (!in_place)
      am_tensor_read_f32 (t, row * each, n * each, values);
    status = ak_matrix_fill (
        job->matrix, in_place ? (const float *) t->data + row * each : values, job->first + row, n);
  }
  am_error_from_status (status, am_weights_path (part->weights), &error);
out:
  am_weights_drop (part->weights, t);
  g_mutex_lock (&part->lock);
  if (!part->failure)
    part->failure = g_steal_pointer (&error);
  g_mutex_unlock (&part->lock);
}

AmPart *
am_part_new (AkDevice *dev, AkPrecision precision, AmWeights *weights)
{
  AmPart *part = g_new0 (AmPart, 1);
  unsigned threads = ak_device_threads (dev);

  part->dev = ak_device_ref (dev);
  part->precision = precision;
  part->weights = am_weights_ref (weights);
  part->prefix = g_strdup ("");
  part->queue = ak_queue_new (dev);
  part->matrices = g_ptr_array_new_with_free_func ((GDestroyNotify) ak_matrix_free);
  part->vectors = g_ptr_array_new ();
  g_mutex_init (&part->lock);
  part->pool =
      g_thread_pool_new (fill, part, threads ? (int) threads : MAX_FILLERS, TRUE, &part->error);
  if (!part->error && !part->queue)
    am_error_from_status (AK_ERR_MEMORY, am_weights_path (weights), &part->error);
  return part;
}

/* Waits for the pool. */
static void
end_pool (AmPart *part)
{
  if (part->pool)
    g_thread_pool_free (g_steal_pointer (&part->pool), FALSE, TRUE);
  if (part->failure && !part->error)
    part->error = g_steal_pointer (&part->failure);
}

void
am_part_free (AmPart *part)
{
  if (!part)
    return;
  end_pool (part);
  g_ptr_array_unref (part->matrices);
  for (guint i = 0; i < part->vectors->len; i++)
    ak_free (part->dev, part->vectors->pdata[i]);
  g_ptr_array_unref (part->vectors);
  ak_queue_free (part->queue);
  am_weights_unref (part->weights);
  g_free (part->prefix);
  ak_device_unref (part->dev);
  g_mutex_clear (&part->lock);
  g_clear_error (&part->failure);
  g_clear_error (&part->error);
  g_free (part);
}

gboolean
am_part_finish (AmPart *part, GError **error)
{
  end_pool (part);
  part->cancel = NULL;
  if (part->queue && !part->error)
    am_error_from_status (
        ak_queue_sync (part->queue), am_weights_path (part->weights), &part->error);
  if (!part->error)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&part->error));
  return FALSE;
}

gboolean
am_part_ok (const AmPart *part)
{
  return !part->error;
}

void
am_part_fail (AmPart *part, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  if (part->error)
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (
      &part->error, AM_ERROR, AM_ERROR_SHAPE, "%s: %s", am_weights_path (part->weights), text);
}

void
am_part_set_cancel (AmPart *part, const atomic_int *cancel)
{
  part->cancel = cancel;
}

AkDevice *
am_part_device (const AmPart *part)
{
  return part->dev;
}

const AmWeights *
am_part_weights (const AmPart *part)
{
  return part->weights;
}

gboolean
am_part_has (const AmPart *part, const char *name)
{
  return am_part_find (part, name) != NULL;
}

void
am_part_set_prefix (AmPart *part, const char *prefix)
{
  g_free (part->prefix);
  part->prefix = g_strdup (prefix);
}

const AmTensor *
am_part_find (const AmPart *part, const char *name)
{
  g_autofree char *full = g_strconcat (part->prefix, name, NULL);

  return am_weights_find (part->weights, full);
}

/* A tensor's numbers, checked, with its pages let go. */
static float *
read_tensor (AmPart *part, const AmTensor *t)
{
  float *values;

  if (!go_on (part, &part->error) || !am_weights_verify (part->weights, t, &part->error))
    return NULL;
  values = am_tensor_to_f32 (t);
  am_weights_drop (part->weights, t);
  return values;
}

static float *
read_shape (AmPart *part, const char *name, const size_t *shape, size_t n)
{
  const AmTensor *t;

  if (part->error || !am_weights_check_shape (part->weights, name, &t, &part->error, shape, n))
    return NULL;
  return read_tensor (part, t);
}

static float *
read_count (AmPart *part, const char *name, size_t n)
{
  const AmTensor *t;

  if (part->error)
    return NULL;
  t = am_weights_find (part->weights, name);
  if (!t || t->n != n) {
    g_autofree char *found = t ? am_tensor_shape_string (t) : g_strdup ("absent");

    g_set_error (&part->error, AM_ERROR, t ? AM_ERROR_SHAPE : AM_ERROR_MISSING,
        "%s: tensor \"%s\" is %s, but %zu elements are needed", am_weights_path (part->weights),
        name, found, n);
    return NULL;
  }
  return read_tensor (part, t);
}

static const AkMatrix *
keep_matrix (AmPart *part, AkMatrix *m, AkStatus status)
{
  if (!m)
    am_error_from_status (status, am_weights_path (part->weights), &part->error);
  else
    g_ptr_array_add (part->matrices, m);
  return m;
}

const AkMatrix *
am_part_conv_values (AmPart *part, const float *values, size_t out, size_t in, size_t kernel,
    size_t groups, gboolean exact)
{
  AkStatus status;
  AkMatrix *m;

  if (part->error || !values)
    return NULL;
  m = ak_matrix_new_conv (
      part->dev, values, out, in, kernel, groups, exact ? AK_F32 : part->precision, &status);
  return keep_matrix (part, m, status);
}

const AkMatrix *
am_part_conv2d_values (AmPart *part, const float *values, size_t out, size_t in, size_t side)
{
  AkStatus status;
  AkMatrix *m;

  if (part->error || !values)
    return NULL;
  m = ak_matrix_new_conv2d (part->dev, values, out, in, side, part->precision, &status);
  return keep_matrix (part, m, status);
}

float *
am_part_values (AmPart *part, const float *values, size_t n)
{
  float *to;

  if (part->error || !values)
    return NULL;
  to = ak_alloc (part->dev, MAX (n, 1) * sizeof *to);
  if (!to) {
    am_error_from_status (AK_ERR_MEMORY, am_weights_path (part->weights), &part->error);
    return NULL;
  }
  g_ptr_array_add (part->vectors, to);
  ak_upload (part->queue, to, values, n * sizeof *to);
  return to;
}

#define FORMAT_NAME(name)                                                                          \
  g_autofree char *own_name = NULL, *name = NULL;                                                  \
  va_list args;                                                                                    \
  va_start (args, format);                                                                         \
  own_name = g_strdup_vprintf (format, args);                                                      \
  va_end (args);                                                                                   \
  name = g_strconcat (part->prefix, own_name, NULL)

/* A matrix whose numbers are still to come. */
static AkMatrix *
matrix_new (AmPart *part, size_t out, size_t in, size_t kernel, size_t groups)
{
  AkStatus status;
  AkMatrix *m = ak_matrix_new_empty (part->dev, out, in, kernel, groups, part->precision, &status);

  if (m)
    g_ptr_array_add (part->matrices, m);
  else
    am_error_from_status (status, am_weights_path (part->weights), &part->error);
  return m;
}

/* Hands the rows of `t`, from row `first` of `m` on, to the pool. */
static void
fill_later (AmPart *part, AkMatrix *m, const AmTensor *t, size_t first)
{
  Job *job;

  if (!m || part->error)
    return;
  job = g_new (Job, 1);
  *job = (Job){ m, t, first, t->shape[0] };
  g_thread_pool_push (part->pool, job, NULL); /* queued even if no thread can be had just now */
}

const AkMatrix *
am_part_matrix (AmPart *part, size_t out, size_t in, const char *format, ...)
{
  FORMAT_NAME (name);
  const AmTensor *t;
  AkMatrix *m;

  if (part->error || !am_weights_check (part->weights, name, &t, &part->error, 2, out, in))
    return NULL;
  m = matrix_new (part, out, in, 1, 1);
  fill_later (part, m, t, 0);
  return m;
}

const AkMatrix *
am_part_stack (
    AmPart *part, size_t out, size_t in, const char *prefix, const char *const *names, size_t n)
{
  g_autofree const AmTensor **all = g_new0 (const AmTensor *, MAX (n, 1));
  AkMatrix *m;

  /* nothing is allocated for sizes that the file does not hold */
  for (size_t i = 0; i < n && !part->error; i++) {
    g_autofree char *name = g_strconcat (part->prefix, prefix, names[i], NULL);

    am_weights_check (part->weights, name, &all[i], &part->error, 2, out, in);
  }
  if (part->error)
    return NULL;
  m = matrix_new (part, n * out, in, 1, 1);
  for (size_t i = 0; i < n; i++)
    fill_later (part, m, all[i], i * out);
  return m;
}

const AkMatrix *
am_part_conv (
    AmPart *part, size_t out, size_t in, size_t kernel, size_t groups, const char *format, ...)
{
  FORMAT_NAME (name);
  const AmTensor *t;
  AkMatrix *m;

  if (part->error ||
      !am_weights_check (part->weights, name, &t, &part->error, 3, out, in / groups, kernel))
    return NULL;
  m = matrix_new (part, out, in, kernel, groups);
  fill_later (part, m, t, 0);
  return m;
}

const AkMatrix *
am_part_conv2d (AmPart *part, size_t out, size_t in, size_t side, const char *format, ...)
{
  FORMAT_NAME (name);
  g_autofree float *values = read_shape (part, name, (size_t[]){ 4, out, in, side, side }, 5);

  return am_part_conv2d_values (part, values, out, in, side);
}

const float *
am_part_deconv2d (AmPart *part, const AkMatrix **rows, size_t side, size_t out, size_t in,
    const char *weight, const char *bias)
{
  g_autofree char *weight_name = g_strconcat (part->prefix, weight, NULL);
  g_autofree char *bias_name = g_strconcat (part->prefix, bias, NULL);
  g_autofree float *values =
      read_shape (part, weight_name, (size_t[]){ 4, in, out, side, side }, 5);
  g_autofree float *one = read_count (part, bias_name, out), *biases = NULL, *matrix = NULL;

  for (size_t i = 0; i < side; i++)
    rows[i] = NULL;
  if (!values || !one)
    return NULL;
  biases = g_new (float, side *out);
  matrix = g_new (float, side *out *in);
  for (size_t i = 0; i < side; i++) {
    for (size_t j = 0; j < side; j++)
      for (size_t o = 0; o < out; o++) {
        biases[j * out + o] = one[o];
        for (size_t c = 0; c < in; c++)
          matrix[(j * out + o) * in + c] = values[((c * out + o) * side + i) * side + j];
      }
    rows[i] = am_part_conv_values (part, matrix, side * out, in, 1, 1, FALSE);
  }
  return am_part_values (part, biases, side * out);
}

const size_t *
am_part_shape (AmPart *part, size_t n_dims, const char *format, ...)
{
  size_t any[1 + AM_MAX_DIMS] = { n_dims };
  const AmTensor *t;
  FORMAT_NAME (name);

  if (part->error ||
      !am_weights_check_shape (part->weights, name, &t, &part->error, any, 1 + n_dims))
    return NULL;
  if (t->n == 0) {
    g_set_error (&part->error, AM_ERROR, AM_ERROR_SHAPE, "%s: tensor \"%s\" is empty",
        am_weights_path (part->weights), name);
    return NULL;
  }
  return t->shape;
}

size_t
am_part_size (AmPart *part, const char *name, unsigned n_dims, unsigned axis)
{
  const size_t *shape = am_part_shape (part, n_dims, "%s", name);

  return shape ? shape[axis] : 0;
}

float *
am_part_vector (AmPart *part, size_t n, const char *format, ...)
{
  FORMAT_NAME (name);
  g_autofree float *values = read_count (part, name, n);

  return am_part_values (part, values, n);
}

float *
am_part_vectors (AmPart *part, size_t each, const char *prefix, const char *const *names, size_t n)
{
  g_autofree float *all = g_new0 (float, MAX (n * each, 1));

  for (size_t i = 0; i < n; i++)
    if (names[i]) {
      g_autofree char *name = g_strconcat (part->prefix, prefix, names[i], NULL);
      g_autofree float *values = read_count (part, name, each);

      if (values)
        memcpy (all + i * each, values, each * sizeof *all);
    }
  return am_part_values (part, all, n * each);
}

float *
am_part_host (AmPart *part, size_t n, const char *format, ...)
{
  FORMAT_NAME (name);

  return read_count (part, name, n);
}
