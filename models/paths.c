/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "paths.h"

char *
am_data_path (const char *name)
{
  const char *dir = g_getenv ("ARTALK_DATA_DIR");

  return g_build_filename (dir && *dir ? dir : ARTALK_DATA_DIR, name, NULL);
}
