/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command `artalk style`: a style clip out of recorded motion. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Runs `artalk style IN -o OUT.safetensors …`, `argv[0]` being the program and `argv[1]` "style". Returns an
 * exit status; everything has been said by then. */
int make_style (int argc, char **argv);

G_END_DECLS
