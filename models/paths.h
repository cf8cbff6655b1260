/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the built-in assets lie. */
#pragma once

#include <glib.h>

/* Full path of the built-in file `name` ("artalk.safetensors", "head.safetensors", "styles/calm.safetensors"):
 * in the folder that the environment variable ARTALK_DATA_DIR names, else in the installed data
 * folder. The file need not exist. (transfer full) */
char *am_data_path (const char *name);

/* The same of "FOLDER/NAME.safetensors", one of a kind of assets. */
char *am_data_asset (const char *folder, const char *name);
/* The names of those there are, sorted. (transfer full) */
char **am_data_names (const char *folder);
/* The path of the built-in one, else of the file `name_or_path`; NULL if there is neither, with an error that lists the
 * built-in ones, each a `kind`. (transfer full) */
char *am_data_find (const char *folder, const char *kind, const char *name_or_path, GError **error);
