/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is and what is not a safetensors file; writing whole files and growing ones. */
#include "models/safetensors.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define T(name, dtype, shape, offsets)                                                             \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

static AmWeights *
open_text (const char *header, gsize n_header, gsize n_data, GError **error)
{
  g_autoptr (GByteArray) file = g_byte_array_new ();
  g_autoptr (GBytes) bytes = NULL;
  guint64 length = GUINT64_TO_LE ((guint64) n_header);

  g_byte_array_append (file, (const guint8 *) &length, 8);
  g_byte_array_append (file, (const guint8 *) header, (guint) n_header);
  for (gsize i = 0; i < n_data; i++)
    g_byte_array_append (file, (const guint8[]){ (guint8) i }, 1);
  bytes = g_byte_array_free_to_bytes (g_steal_pointer (&file));
  return am_weights_open_bytes ("test", bytes, error);
}

static void
test_good (void)
{
  static const struct
  {
    const char *header;
    gsize data, count;
  } good[] = {
    { "{}", 0, 0 },
    { "{}   ", 0, 0 },
    { "{" T ("a", "U8", "4", "0,4") "}", 4, 1 },
    { "{ \"a\" : { \"shape\" : [ 2 , 2 ] ,\n\t\"data_offsets\":[0,4],\r\"dtype\":\"U8\" } } ", 4,
        1 },
    { "{" T ("b", "F32", "1", "2,6") "," T ("a", "F16", "", "0,2") "}", 6, 2 },
    { "{" T ("e", "F32", "0,9999999999", "0,0") "," T ("a", "I8", "3", "0,3") "}", 3, 2 },
    { "{" T ("a", "I8", "3", "0,3") "," T ("e", "F64", "7,0", "3,3") "}", 3, 2 },
    { "{" T ("", "BOOL", "1,1,1,1,1,1,1,1", "0,1") "}", 1, 1 },
    { "{\"__metadata__\":{}," T ("a", "BF16", "2", "0,4") "}", 4, 1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (AmWeights) w =
        open_text (good[i].header, strlen (good[i].header), good[i].data, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (am_weights_count (w), ==, good[i].count);
  }
}

static void
test_contents (void)
{
  static const char header[] =
      "{\"__metadata__\":{\"k\\u00e9y\":\"\\ud83d\\ude00\\n\\\"\\/\"},"
      "" T ("second", "U8", "2,2", "4,8") "," T ("first", "I16", "2", "0,4") "}";
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) w = open_text (header, strlen (header), 8, &error);
  const AmTensor *t;

  g_assert_no_error (error);
  g_assert_cmpstr (am_weights_metadata (w, "k\xc3\xa9y"), ==, "\xf0\x9f\x98\x80\n\"/");
  g_assert_null (am_weights_metadata (w, "other"));
  g_assert_null (am_weights_root (w));
  g_assert_cmpstr (am_weights_nth (w, 0)->name, ==, "first"); /* in the order of the data */
  t = am_weights_find (w, "second");
  g_assert_nonnull (t);
  g_assert_cmpuint (t->n_dims, ==, 2);
  g_assert_cmpuint (t->n, ==, 4);
  g_assert_cmpmem (t->data, t->bytes, "\4\5\6\7", 4);
  g_assert_null (am_weights_find (w, "third"));
}

static void
test_bad (void)
{
  static const struct
  {
    const char *header;
    gsize data;
    const char *message;
  } bad[] = {
    { "", 1, "expected '{'" },
    { "{", 0, "expected '\"'" },
    { "{}x", 0, "something follows" },
    { "{},", 0, "something follows" },
    { "{} {}", 0, "something follows" },
    { "{}", 1, "1 bytes at the end belong to no tensor" },
    { "{" T ("a", "U8", "4", "0,4") ",}", 4, "expected '\"'" },
    { "{" T ("a", "U8", "4", "0,4") "}", 5, "1 bytes at the end" },
    { "{" T ("a", "U8", "4", "0,4") "}", 3, "but the file has 3 bytes" },
    { "{" T ("a", "U8", "4", "4,0") "}", 4, "lies at 4..0" },
    { "{" T ("a", "U8", "4", "1,5") "}", 5, "starts at byte 1 of the data instead of 0" },
    { "{" T ("a", "U8", "4", "0,4") "," T ("b", "U8", "2", "5,7") "}", 7, "instead of 4" },
    { "{" T ("a", "U8", "4", "0,4") "," T ("b", "U8", "4", "2,6") "}", 6, "instead of 4" },
    { "{" T ("a", "U8", "4", "0,4") "," T ("b", "U8", "4", "0,4") "}", 4, "instead of 4" },
    { "{" T ("a", "U8", "4", "0,4") "," T ("a", "U8", "1", "4,5") "}", 5, "two tensors called" },
    { "{" T ("a", "U8", "4", "0,4") "," T ("\\u0061", "U8", "1", "4,5") "}", 5,
        "two tensors called" },
    { "{" T ("a", "F32", "4", "0,4") "}", 4, "is F32 [4], 16 bytes, but has 4" },
    { "{" T ("a", "U8", "4294967296,4294967296,4", "0,0") "}", 0, "multiply beyond 63 bits" },
    { "{" T ("a", "U8", "0,4294967296,4294967296,4", "0,0") "}", 0, "multiply beyond 63 bits" },
    { "{" T ("a", "F64", "1152921504606846976", "0,0") "}", 0, "multiply beyond 63 bits" },
    { "{" T ("a", "U8", "18446744073709551616", "0,0") "}", 0, "does not fit in 64 bits" },
    { "{" T ("a", "U8", "4", "0,36893488147419103236") "}", 4, "does not fit in 64 bits" },
    { "{" T ("a", "U8", "-1", "0,4") "}", 4, "not negative" },
    { "{" T ("a", "U8", "4.0", "0,4") "}", 4, "expected ']'" },
    { "{" T ("a", "U8", "1e1", "0,4") "}", 4, "expected ']'" },
    { "{" T ("a", "U8", "04", "0,4") "}", 4, "starts with 0" },
    { "{" T ("a", "U8", "4,", "0,4") "}", 4, "expected a whole number" },
    { "{" T ("a", "U8", "1,1,1,1,1,1,1,1,1", "0,1") "}", 1, "more than 8 dimensions" },
    { "{" T ("a", "U8", "4", "0") "}", 4, "needs two numbers" },
    { "{" T ("a", "U8", "4", "0,4,4") "}", 4, "more than two" },
    { "{" T ("a", "F8_E4M3", "4", "0,4") "}", 4, "unknown dtype \"F8_E4M3\"" },
    { "{" T ("a", "u8", "4", "0,4") "}", 4, "unknown dtype" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4, "is missing" },
    { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
        "unknown or there twice" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"more\":{}}}", 4, "unknown or there twice" },
    { "{\"a\":[]}", 0, "expected '{'" },
    { "{\"a\":null}", 0, "expected '{'" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "expected '\"'" },
    { "{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "__metadata__ is there twice" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice" },
    { "{\"\\ud800\":{}}", 0, "half a surrogate pair" },
    { "{\"\\ud800\\u0041\":{}}", 0, "half a surrogate pair" },
    { "{\"\\udc00\":{}}", 0, "half a surrogate pair" },
    { "{\"\\u12", 0, "\\u is cut off" },
    { "{\"\\u12g4\":{}}", 0, "four hexadecimal digits" },
    { "{\"\\u0000\":{}}", 0, "zero byte" },
    { "{\"\\x\":{}}", 0, "unknown escape" },
    { "{\"a\nb\":{}}", 0, "a control character" },
    { "{\"\xff\":{}}", 0, "not UTF-8" },
    { "{\"\xed\xa0\x80\":{}}", 0, "not UTF-8" },
    { "{'a':{}}", 0, "expected '\"'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (AmWeights) w =
        open_text (bad[i].header, strlen (bad[i].header), bad[i].data, &error);
    g_autofree char *shown = g_strescape (bad[i].header, NULL);

    g_test_message ("%s", shown);
    g_assert_null (w);
    g_assert_nonnull (error);
    g_test_message ("  %s", error->message);
    g_assert_true (error->domain == AM_ERROR);
    g_assert_true (g_str_has_prefix (error->message, "test: "));
    g_assert_null (strchr (error->message, '\n'));
    if (*bad[i].header == '{') /* else it is not even taken for one */
      g_assert_nonnull (strstr (error->message, bad[i].message));
  }
}

/* Every prefix of a good file, and every single byte of it changed in some way, must end well. */
static void
test_mangled (void)
{
  static const char header[] = "{\"__metadata__\":{\"k\":\"v\"}," T (
      "a", "I16", "2,2", "0,8") "," T ("b", "U8", "3", "8,11") "}";
  const gsize n = 8 + strlen (header) + 11;
  g_autofree guint8 *file = g_malloc0 (n);
  guint opened = 0;

  file[0] = (guint8) strlen (header);
  memcpy (file + 8, header, strlen (header));
  for (gsize i = 0; i <= n; i++) {
    g_autoptr (GBytes) bytes = g_bytes_new (file, i);
    g_autoptr (AmWeights) w = am_weights_open_bytes ("prefix", bytes, NULL);

    g_assert_true ((w != NULL) == (i == n));
  }
  for (gsize i = 0; i < n - 11; i++)
    for (guint change = 1; change < 256; change++) {
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (AmWeights) w = NULL;

      file[i] ^= (guint8) change;
      bytes = g_bytes_new (file, n);
      file[i] ^= (guint8) change;
      w = am_weights_open_bytes ("changed", bytes, NULL);
      if (w)
        opened++;
    }
  g_assert_cmpuint (opened, >, 0); /* another letter in a name is a good file, too */
}

static void
test_header_size (void)
{
  static const guint64 sizes[] = { 100000001, G_MAXUINT64, G_MAXUINT64 - 7, 3 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GError) error = NULL;
    guint8 file[10] = "--------{}";
    g_autoptr (GBytes) bytes = NULL;
    guint64 length = GUINT64_TO_LE (sizes[i]);

    memcpy (file, &length, 8);
    bytes = g_bytes_new (file, sizeof file);
    g_assert_null (am_weights_open_bytes ("test", bytes, &error));
    g_assert_error (error, AM_ERROR, AM_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, i < 3 ? "more than 100 MB" : "cut off"));
  }
}

static char *folder; /* for files */

static void
test_write (void)
{
  static const float a[] = { 1, -2, 0.5f };
  static const gint64 b[] = { 1, -2, 3, 4 };
  const AmTensor tensors[] = {
    { .name = "a", .dtype = AM_F32, .n_dims = 1, .shape = { 3 }, .data = a },
    { .name = "none", .dtype = AM_F16, .n_dims = 2, .shape = { 0, 3 } },
    { .name = "\xc3\xa4 \"\\\n", .dtype = AM_I64, .n_dims = 2, .shape = { 2, 2 }, .data = b },
    { .name = "scalar", .dtype = AM_F32, .data = a + 2 },
  };
  const char *const metadata[] = { "config", "{\"A\":\"\\n\"}", "z", "", NULL };
  g_autofree char *path = g_build_filename (folder, "w.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) w = NULL;
  const AmTensor *t;

  g_assert_true (am_safetensors_write (path, tensors, 4, metadata, &error));
  g_assert_no_error (error);
  w = am_weights_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (am_weights_count (w), ==, 4);
  g_assert_cmpstr (am_weights_metadata (w, "config"), ==, metadata[1]);
  g_assert_cmpstr (am_weights_metadata (w, "z"), ==, "");
  for (gsize i = 0; i < 4; i++) {
    t = am_weights_find (w, tensors[i].name);
    g_assert_nonnull (t);
    g_assert_cmpint (t->dtype, ==, tensors[i].dtype);
    g_assert_cmpuint (t->n_dims, ==, tensors[i].n_dims);
    g_assert_cmpmem (t->shape, t->n_dims * sizeof (size_t), tensors[i].shape,
        tensors[i].n_dims * sizeof (size_t));
    g_assert_cmpmem (t->data, t->bytes, tensors[i].data, t->bytes);
  }
  g_assert_true (am_tensor_is_aligned (am_weights_nth (w, 0)));
  g_clear_pointer (&w, am_weights_unref);

  /* what cannot be written leaves the old file */
  g_assert_false (
      am_safetensors_write (path, (const AmTensor[]){ tensors[0], tensors[0] }, 2, NULL, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_FORMAT);
  g_clear_error (&error);
  w = am_weights_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (am_weights_count (w), ==, 4);
  g_unlink (path);
  g_assert_false (am_safetensors_write ("/nowhere/at/all", tensors, 1, NULL, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_WRITE);
  g_clear_error (&error);
  g_assert_false (am_safetensors_write (
      "x", &(const AmTensor){ .name = "\xff", .dtype = AM_U8, .n_dims = 1 }, 1, NULL, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_FORMAT);
}

static void
test_grow (void)
{
  static const guint8 faces[] = { 1, 2, 3 };
  const AmTensor fixed = {
    .name = "faces", .dtype = AM_U8, .n_dims = 1, .shape = { 3 }, .data = faces
  };
  const char *const metadata[] = { "fps", "25", NULL };
  const size_t shape[] = { 99, 2, 3 };
  g_autofree char *path = g_build_filename (folder, "g.safetensors", NULL);
  g_autofree char *part = g_strconcat (path, ".part", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) w = NULL;
  AmSafetensorsWriter *writer;
  const AmTensor *t = NULL;
  float rows[3 * 6];
  float value;

  writer = am_safetensors_writer_open (path, &fixed, 1, "mesh", AM_F32, 3, shape, metadata, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 4000; i++) {
    for (guint k = 0; k < G_N_ELEMENTS (rows); k++)
      rows[k] = (float) (i * 18 + k);
    g_assert_true (am_safetensors_writer_append (writer, rows, 3, &error));
  }
  g_assert_true (am_safetensors_writer_append (writer, rows, 0, &error));
  g_assert_cmpuint (am_safetensors_writer_rows (writer), ==, 12000);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (am_safetensors_writer_close (writer, &error));
  g_assert_false (g_file_test (part, G_FILE_TEST_EXISTS));
  w = am_weights_open (path, &error);
  g_assert_no_error (error);
  g_assert_true (am_weights_check (w, "faces", NULL, &error, 1, 3));
  g_assert_true (am_weights_check (w, "mesh", &t, &error, 3, 12000, 2, 3));
  g_assert_cmpstr (am_weights_metadata (w, "fps"), ==, "25");
  for (size_t i = 0; i < t->n; i += 1001) {
    am_tensor_read_f32 (t, i, 1, &value);
    g_assert_cmpfloat (value, ==, (float) i);
  }
  g_clear_pointer (&w, am_weights_unref);

  /* no rows; and given up */
  writer = am_safetensors_writer_open (path, NULL, 0, "m", AM_F32, 1, shape, NULL, &error);
  g_assert_true (am_safetensors_writer_close (writer, &error));
  w = am_weights_open (path, &error);
  g_assert_no_error (error);
  g_assert_true (am_weights_check (w, "m", &t, &error, 1, 0));
  g_assert_cmpuint (t->n, ==, 0);
  writer = am_safetensors_writer_open (path, NULL, 0, "m", AM_F32, 1, shape, NULL, &error);
  am_safetensors_writer_free (writer);
  g_assert_false (g_file_test (part, G_FILE_TEST_EXISTS));
  g_assert_null (
      am_safetensors_writer_open (path, &fixed, 1, "faces", AM_F32, 1, shape, NULL, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_FORMAT);
  g_unlink (path);
}

static void
test_full_disk (void)
{
  const size_t shape[] = { 0, 1 << 20 };
  g_autofree char *path = g_build_filename (folder, "f.safetensors", NULL);
  g_autofree char *part = g_strconcat (path, ".part", NULL);
  g_autofree float *row = g_new0 (float, 1 << 20);
  g_autoptr (GError) error = NULL;
  AmSafetensorsWriter *writer;

  if (!g_file_test ("/dev/full", G_FILE_TEST_EXISTS) || symlink ("/dev/full", part) != 0) {
    g_test_skip ("there is no /dev/full");
    return;
  }
  writer = am_safetensors_writer_open (path, NULL, 0, "m", AM_F32, 2, shape, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (am_safetensors_writer_append (writer, row, 1, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_WRITE);
  g_clear_error (&error);
  g_assert_false (am_safetensors_writer_close (writer, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_WRITE);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp (NULL, NULL);
  g_test_add_func ("/safetensors/good", test_good);
  g_test_add_func ("/safetensors/contents", test_contents);
  g_test_add_func ("/safetensors/bad", test_bad);
  g_test_add_func ("/safetensors/mangled", test_mangled);
  g_test_add_func ("/safetensors/header-size", test_header_size);
  g_test_add_func ("/safetensors/write", test_write);
  g_test_add_func ("/safetensors/grow", test_grow);
  g_test_add_func ("/safetensors/full-disk", test_full_disk);
  status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  return status;
}
