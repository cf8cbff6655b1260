/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling published files by size and SHA-256. */
#include "models/known.h"

#include <glib/gstdio.h>
#include <string.h>

static const AmKnownFile files[] = {
  { "other.pt", 99, "00" },
  { "abc.pt", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }, /* "abc" */
};

static void
test_verify (void)
{
  g_autofree char *folder = g_dir_make_tmp (NULL, NULL), *none = NULL, *sha256 = NULL;
  g_autofree char *path = g_build_filename (folder, "abc.pt", NULL);
  g_autofree char *renamed = g_build_filename (folder, "renamed", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "abc", 3, NULL));
  g_assert_true (am_known_verify (path, files, 2, &sha256, &error) == &files[1]);
  g_assert_no_error (error);
  g_assert_cmpstr (sha256, ==, files[1].sha256);
  g_clear_pointer (&sha256, g_free);
  g_assert_null (am_known_verify (path, files, 1, &none, &error)); /* of no known size or name */
  g_assert_error (error, AM_ERROR, AM_ERROR_MISMATCH);
  g_assert_nonnull (strstr (error->message, path));
  g_clear_error (&error);

  g_assert_true (g_file_set_contents (path, "abd", 3, NULL));
  g_assert_null (am_known_verify (path, files, 2, &sha256, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_MISMATCH);
  g_assert_nonnull (strstr (error->message, "instead of"));
  g_clear_error (&error);
  g_clear_pointer (&sha256, g_free);

  g_assert_true (g_file_set_contents (path, "ab", 2, NULL));
  g_assert_null (am_known_verify (path, files, 2, &sha256, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_MISMATCH);
  g_assert_nonnull (strstr (error->message, "has 2 bytes, the published abc.pt has 3"));
  g_assert_null (sha256); /* there was no need to read it */
  g_clear_error (&error);

  g_rename (path, renamed);
  g_assert_true (g_file_set_contents (renamed, "abc", 3, NULL));
  g_assert_true (am_known_verify (renamed, files, 2, &sha256, &error) == &files[1]);
  g_clear_pointer (&sha256, g_free);
  g_unlink (renamed);
  g_assert_null (am_known_verify (renamed, files, 2, &sha256, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
  g_clear_error (&error);
  g_assert_null (am_known_verify (folder, files, 2, &sha256, &error));
  g_assert_error (error, AM_ERROR, AM_ERROR_OPEN);
  g_rmdir (folder);
}

static void
test_table (void)
{
  size_t n;
  const AmKnownFile *known = am_known_files (&n);

  g_assert_cmpuint (n, >=, 1);
  for (size_t i = 0; i < n; i++) {
    g_assert_cmpuint (strlen (known[i].sha256), ==, 64);
    g_assert_cmpuint (strspn (known[i].sha256, "0123456789abcdef"), ==, 64);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/known/verify", test_verify);
  g_test_add_func ("/known/table", test_table);
  return g_test_run ();
}
