/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads PNG files of 8 bits a channel, RGB or RGBA, not interlaced: what golden pictures are. */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* [height][width][channels] bytes (g_free), or NULL. Checksums are not looked at. */
uint8_t *png_read (const char *path, unsigned *width, unsigned *height, unsigned *channels);

G_END_DECLS
