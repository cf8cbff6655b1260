/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of `artalk` that only look at files. Each returns an exit status. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Lists the tensors of the file at `path`: name, type, shape. */
int inspect_file (const char *path);

/* Says whether the file at `path` is, byte for byte, a published one that is known by its SHA-256. */
int inspect_verify (const char *path);

/* Lists the built-in styles, one name a line. */
int inspect_styles (void);

/* Describes the built-in head and lists its faces, one a line. */
int inspect_heads (void);

G_END_DECLS
