/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command `artalk avatars`. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Lists the tracked people in the file or folder at `path`, one name a line; with `sheet`, also draws them in that
 * order, six a row, into a PNG file of that name. Returns an exit status. */
int avatars_list (const char *path, const char *sheet);

G_END_DECLS
