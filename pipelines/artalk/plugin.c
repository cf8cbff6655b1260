/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plugin.h"

#include <gst/gst.h>

static gboolean
is_there (void)
{
  return gst_registry_check_feature_version (gst_registry_get (), "artalkaudioenc", 0, 0, 0);
}

/* As far from the program as meson installs it, wherever that has been moved since. (transfer full) */
static char *
folder (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *bin = program ? g_path_get_dirname (program) : NULL;
  g_autofree char *prefix = bin ? g_path_get_dirname (bin) : NULL;

  return prefix ? g_canonicalize_filename (ARTALK_PLUGIN_DIR, prefix) : NULL;
}

gboolean
plugin_find (GError **error)
{
  g_autofree char *path = is_there () ? NULL : folder ();

  if (path && g_file_test (path, G_FILE_TEST_IS_DIR))
    gst_registry_scan_path (gst_registry_get (), path);
  if (is_there ())
    return TRUE;
  g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
      "artalk's GStreamer plugin is not found: set GST_PLUGIN_PATH to the folder with "
      "libgstartalk.so");
  return FALSE;
}
