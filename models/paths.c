/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "paths.h"

#include <string.h>

#include "error.h"

#define SUFFIX ".safetensors"

char *
am_data_path (const char *name)
{
  const char *dir = g_getenv ("ARTALK_DATA_DIR");

  return g_build_filename (dir && *dir ? dir : ARTALK_DATA_DIR, name, NULL);
}

char *
am_data_asset (const char *folder, const char *name)
{
  g_autofree char *file = g_strconcat (folder, G_DIR_SEPARATOR_S, name, SUFFIX, NULL);

  return am_data_path (file);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

char **
am_data_names (const char *folder)
{
  g_autofree char *path = am_data_path (folder);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  GPtrArray *names = g_ptr_array_new ();
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, SUFFIX))
      g_ptr_array_add (names, g_strndup (name, strlen (name) - strlen (SUFFIX)));
  g_ptr_array_sort (names, compare_strings);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}

char *
am_data_find (const char *folder, const char *kind, const char *name_or_path, GError **error)
{
  g_autofree char *built_in = am_data_asset (folder, name_or_path), *list = NULL;
  g_auto (GStrv) names = NULL;

  if (!strchr (name_or_path, G_DIR_SEPARATOR) && g_file_test (built_in, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&built_in);
  if (g_file_test (name_or_path, G_FILE_TEST_EXISTS))
    return g_strdup (name_or_path);
  names = am_data_names (folder);
  list = g_strjoinv (", ", names);
  g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: neither a file nor a built-in %s (%s)",
      name_or_path, kind, *list ? list : "there are none");
  return NULL;
}
