/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the built-in assets lie. */
#pragma once

#include <glib.h>

/* Full path of the built-in file `name` ("artalk.safetensors", "head.safetensors", "styles/calm.safetensors"):
 * in the folder that the environment variable ARTALK_DATA_DIR names, else in the installed data
 * folder. The file need not exist. (transfer full) */
char *am_data_path (const char *name);
