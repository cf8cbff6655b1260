/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "load.h"

#include <string.h>

struct _AmPart
{
  AkDevice *dev;
  AkPrecision precision;
  AmWeights *weights;
  AkQueue *queue;
  GPtrArray *matrices, *vectors;
  GError *error;
};

AmPart *
am_part_new (AkDevice *dev, AkPrecision precision, AmWeights *weights)
{
  AmPart *part = g_new0 (AmPart, 1);

  part->dev = ak_device_ref (dev);
  part->precision = precision;
  part->weights = am_weights_ref (weights);
  part->queue = ak_queue_new (dev);
  part->matrices = g_ptr_array_new_with_free_func ((GDestroyNotify) ak_matrix_free);
  part->vectors = g_ptr_array_new ();
  if (!part->queue)
    am_error_from_status (AK_ERR_MEMORY, am_weights_path (weights), &part->error);
  return part;
}

void
am_part_free (AmPart *part)
{
  if (!part)
    return;
  g_ptr_array_unref (part->matrices);
  for (guint i = 0; i < part->vectors->len; i++)
    ak_free (part->dev, part->vectors->pdata[i]);
  g_ptr_array_unref (part->vectors);
  ak_queue_free (part->queue);
  am_weights_unref (part->weights);
  ak_device_unref (part->dev);
  g_clear_error (&part->error);
  g_free (part);
}

gboolean
am_part_finish (AmPart *part, GError **error)
{
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
  return am_weights_find (part->weights, name) != NULL;
}

static float *
read_shape (AmPart *part, const char *name, const size_t *shape, size_t n)
{
  const AmTensor *t;
  float *values;

  if (part->error || !am_weights_check_shape (part->weights, name, &t, &part->error, shape, n))
    return NULL;
  values = am_tensor_to_f32 (t);
  am_weights_drop (part->weights, t);
  return values;
}

static float *
read_count (AmPart *part, const char *name, size_t n)
{
  const AmTensor *t;
  float *values;

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
  values = am_tensor_to_f32 (t);
  am_weights_drop (part->weights, t);
  return values;
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
am_part_conv_values (
    AmPart *part, const float *values, size_t out, size_t in, size_t kernel, size_t groups)
{
  AkStatus status;
  AkMatrix *m;

  if (part->error || !values)
    return NULL;
  m = ak_matrix_new_conv (part->dev, values, out, in, kernel, groups, part->precision, &status);
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
  g_autofree char *name = NULL;                                                                    \
  va_list args;                                                                                    \
  va_start (args, format);                                                                         \
  name = g_strdup_vprintf (format, args);                                                          \
  va_end (args)

const AkMatrix *
am_part_matrix (AmPart *part, size_t out, size_t in, const char *format, ...)
{
  FORMAT_NAME (name);
  g_autofree float *values = read_shape (part, name, (size_t[]){ 2, out, in }, 3);

  return am_part_conv_values (part, values, out, in, 1, 1);
}

const AkMatrix *
am_part_stack (
    AmPart *part, size_t out, size_t in, const char *prefix, const char *const *names, size_t n)
{
  g_autofree float *all = NULL;

  /* nothing is allocated for sizes that the file does not hold */
  for (size_t i = 0; i < n && !part->error; i++) {
    g_autofree char *name = g_strconcat (prefix, names[i], NULL);

    am_weights_check (part->weights, name, NULL, &part->error, 2, out, in);
  }
  if (part->error)
    return NULL;
  all = g_new (float, MAX (n * out * in, 1));
  for (size_t i = 0; i < n; i++) {
    g_autofree char *name = g_strconcat (prefix, names[i], NULL);
    g_autofree float *values = read_shape (part, name, (size_t[]){ 2, out, in }, 3);

    memcpy (all + i * out * in, values, out * in * sizeof *all);
  }
  return am_part_conv_values (part, all, n * out, in, 1, 1);
}

const AkMatrix *
am_part_conv (
    AmPart *part, size_t out, size_t in, size_t kernel, size_t groups, const char *format, ...)
{
  FORMAT_NAME (name);
  g_autofree float *values = read_shape (part, name, (size_t[]){ 3, out, in / groups, kernel }, 4);

  return am_part_conv_values (part, values, out, in, kernel, groups);
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
  g_autofree float *values = read_shape (part, weight, (size_t[]){ 4, in, out, side, side }, 5);
  g_autofree float *one = read_count (part, bias, out), *biases = NULL, *matrix = NULL;

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
    rows[i] = am_part_conv_values (part, matrix, side * out, in, 1, 1);
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
      g_autofree char *name = g_strconcat (prefix, names[i], NULL);
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
