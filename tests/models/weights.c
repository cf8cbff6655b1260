/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening, looking up and converting. */
#include "models/weights.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "models/safetensors.h"
#include "synth.h"

static char *folder;

static void
test_open (void)
{
  g_autofree char *fifo = g_build_filename (folder, "fifo", NULL);
  g_autofree char *empty = g_build_filename (folder, "empty", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (am_weights_open ("/no/such/file", &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
  g_assert_cmpstr (error->message, ==, "/no/such/file: No such file or directory");
  g_clear_error (&error);
  g_assert_null (am_weights_open (folder, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
  g_clear_error (&error);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_null (am_weights_open (fifo, &error)); /* and does not wait */
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
  g_clear_error (&error);
  g_unlink (fifo);
  g_assert_true (g_file_set_contents (empty, "", 0, NULL));
  g_assert_null (am_weights_open (empty, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_FORMAT);
  g_unlink (empty);
}

static void
test_check (void)
{
  static const float data[6] = { 1, 2, 3, 4, 5, 6 };
  const AmTensor tensors[] = {
    { .name = "w", .dtype = AM_F32, .n_dims = 2, .shape = { 2, 3 }, .data = data },
    { .name = "s", .dtype = AM_F32, .data = data },
  };
  g_autofree char *path = g_build_filename (folder, "c", NULL); /* no suffix needed */
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) w = NULL;
  const AmTensor *t = NULL;

  g_assert_true (am_safetensors_write (path, tensors, 2, NULL, &error));
  w = am_weights_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (am_weights_path (w), ==, path);
  g_assert_true (am_weights_check (w, "w", &t, &error, 2, 2, 3));
  g_assert_cmpstr (t->name, ==, "w");
  g_assert_true (am_weights_check (w, "w", NULL, &error, 2, 0, 3));
  g_assert_true (am_weights_check (w, "s", &t, &error, 0));
  g_assert_false (am_weights_check (w, "w", &t, &error, 2, 0, 4));
  g_assert_error (error, AM_ERROR, AM_ERROR_SHAPE);
  g_assert_true (
      g_str_has_suffix (error->message, ": tensor \"w\" has shape [2,3], but [*,4] is needed"));
  g_clear_error (&error);
  g_assert_false (am_weights_check (w, "w", &t, &error, 1, 6));
  g_assert_error (error, AM_ERROR, AM_ERROR_SHAPE);
  g_clear_error (&error);
  g_assert_false (am_weights_check (w, "x", &t, &error, 1, 6));
  g_assert_error (error, AM_ERROR, AM_ERROR_MISSING);
  g_assert_true (g_str_has_suffix (error->message, ": there is no tensor \"x\" of shape [6]"));
  am_weights_drop (w, am_weights_nth (w, 0)); /* may be read again after that */
  g_assert_cmpmem (am_weights_nth (w, 0)->data, sizeof data, data, sizeof data);
  g_unlink (path);
}

/* as: the element of @dtype at @data, from an odd address, as float and as integer */
static void
as (AmDType dtype, const void *data, double want_f, gint64 want_i)
{
  guint8 copy[1 + 8];
  AmTensor t = { .dtype = dtype, .n = 1, .bytes = am_dtype_size (dtype), .data = copy + 1 };
  g_autofree float *f = NULL;
  g_autofree int64_t *i = NULL;
  AmDType again;

  memcpy (copy + 1, data, t.bytes);
  f = am_tensor_to_f32 (&t);
  i = am_tensor_to_i64 (&t);
  g_test_message ("%s %g %" G_GINT64_FORMAT, am_dtype_name (dtype), (double) *f, *i);
  if (isnan (want_f))
    g_assert_true (isnan (*f));
  else
    g_assert_cmpfloat ((double) *f, ==, want_f);
  g_assert_true ((signbit (*f) != 0) == (signbit (want_f) != 0));
  g_assert_cmpint (*i, ==, want_i);
  g_assert_true (am_dtype_from_name (am_dtype_name (dtype), &again));
  g_assert_cmpint (again, ==, dtype);
}

#define AS(dtype, type, value, f, i) as (dtype, &(const type){ value }, f, i)

static void
test_convert (void)
{
  AmDType dtype = AM_F32;

  AS (AM_F32, float, -1.5f, -1.5, -1);
  AS (AM_F32, float, -0.0f, -0.0, 0);
  AS (AM_F32, float, 1e30f, (double) 1e30f, G_MAXINT64);
  AS (AM_F64, double, 0.1, (double) 0.1f, 0);
  AS (AM_F64, double, -1e300, -INFINITY, G_MININT64);
  AS (AM_F16, guint16, 0x3c00, 1, 1);
  AS (AM_F16, guint16, 0xc500, -5, -5);
  AS (AM_F16, guint16, 0x7bff, 65504, 65504);
  AS (AM_F16, guint16, 0x0001, 0x1p-24, 0);
  AS (AM_F16, guint16, 0x83ff, -0x3ffp-24, 0);
  AS (AM_F16, guint16, 0x0400, 0x1p-14, 0);
  AS (AM_F16, guint16, 0x8000, -0.0, 0);
  AS (AM_F16, guint16, 0x7c00, INFINITY, G_MAXINT64);
  AS (AM_F16, guint16, 0xfc00, -INFINITY, G_MININT64);
  AS (AM_F16, guint16, 0x7e00, (double) NAN, 0);
  AS (AM_BF16, guint16, 0x3f80, 1, 1);
  AS (AM_BF16, guint16, 0xc2f7, -123.5, -123);
  AS (AM_I64, gint64, 16777217, 16777216, 16777217);
  AS (AM_I64, gint64, G_MININT64, -0x1p63, G_MININT64);
  AS (AM_I32, gint32, -7, -7, -7);
  AS (AM_I16, gint16, -32768, -32768, -32768);
  AS (AM_I8, gint8, -128, -128, -128);
  AS (AM_U8, guint8, 200, 200, 200);
  AS (AM_BOOL, guint8, 1, 1, 1);
  AS (AM_U16, guint16, 65535, 65535, 65535);
  AS (AM_U32, guint32, 4294967295u, 4294967296., 4294967295);
  AS (AM_U64, guint64, G_MAXUINT64, 0x1p64, G_MAXINT64);
  g_assert_false (am_dtype_from_name ("f32", &dtype));
}

static void
test_parts (void)
{
  const gint16 data[] = { 1, 2, 3, 4 };
  AmTensor t = { .dtype = AM_I16, .n_dims = 1, .shape = { 4 }, .n = 4, .bytes = 8, .data = data };
  const AmTensor none = { .dtype = AM_F64, .n_dims = 1 };
  g_autofree char *shape = am_tensor_shape_string (&t);
  g_autofree float *empty = am_tensor_to_f32 (&none);
  g_autofree int64_t *empty_too = am_tensor_to_i64 (&none);
  float out[2];

  am_tensor_read_f32 (&t, 1, 2, out);
  g_assert_cmpfloat (out[0], ==, 2);
  g_assert_cmpfloat (out[1], ==, 3);
  am_tensor_read_f32 (&t, 4, 0, NULL);
  g_assert_cmpstr (shape, ==, "I16 [4]");
  g_assert_nonnull (empty);
  g_assert_nonnull (empty_too);
  g_assert_true (am_tensor_is_aligned (&t));
  t.data = (const guint8 *) data + 1;
  g_assert_false (am_tensor_is_aligned (&t));
}

/* Numbers from the Python program that first made such weights. */
static void
test_synth (void)
{
  static const float row[] = { 0, 1, 0, 1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) w = synth_open (
      DATA_DIR "/manifest.json", -1, (const char *[]){ "config", "{\"A\": 1}\n", NULL }, &error);
  g_autoptr (AmWeights) other = synth_open (DATA_DIR "/manifest.json", 4, NULL, &error);
  const AmTensor *t = NULL;
  g_autofree float *mask = NULL, *half = NULL, *pe = NULL;
  g_autofree int64_t *index = NULL;
  float last[2], scalar;

  g_assert_no_error (error);
  g_assert_cmpuint (am_weights_count (w), ==, 7);
  g_assert_cmpstr (am_weights_metadata (w, "config"), ==, "{\"A\": 1}\n");
  g_assert_true (am_weights_check (w, "a.weight", &t, &error, 2, 2, 70000));
  g_assert_cmpfloat (((const float *) t->data)[0], ==, 0x1.03e386p+0f);
  am_tensor_read_f32 (t, t->n - 2, 2, last);
  g_assert_cmpfloat (last[0], ==, 0x1.07fd04p+0f);
  g_assert_cmpfloat (last[1], ==, 0x1.006156p+0f);
  g_assert_true (memcmp (t->data, am_weights_find (other, "a.weight")->data, t->bytes) != 0);
  g_assert_true (am_weights_check (w, "one", &t, &error, 0));
  am_tensor_read_f32 (t, 0, 1, &scalar);
  g_assert_cmpfloat (scalar, ==, -0x1.83b53cp-1f);
  index = am_tensor_to_i64 (am_weights_find (w, "index"));
  g_assert_true (index[0] == 0 && index[1] == 1 && index[3] == 1);
  mask = am_tensor_to_f32 (am_weights_find (w, "mask"));
  g_assert_true (mask[0] == 0 && mask[2] == 0 && isinf (mask[3]) && mask[3] < 0 && mask[9] == 0);
  half = am_tensor_to_f32 (am_weights_find (w, "half"));
  g_assert_true (half[1] == 0 && isinf (half[2]) && isinf (half[7]) && half[10] == 0);
  pe = am_tensor_to_f32 (am_weights_find (w, "pe"));
  g_assert_cmpmem (pe, sizeof row, row, sizeof row);
  g_assert_cmpfloat_with_epsilon (pe[10], 0x1.47a87cp-6f, 1e-8f);
  g_assert_false (synth_write (folder, 0, "x", NULL, &error));
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp (NULL, NULL);
  g_test_add_func ("/weights/open", test_open);
  g_test_add_func ("/weights/check", test_check);
  g_test_add_func ("/weights/convert", test_convert);
  g_test_add_func ("/weights/parts", test_parts);
  g_test_add_func ("/weights/synth", test_synth);
  status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  return status;
}
