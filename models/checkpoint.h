/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of contents: a checkpoint by what is in it, a file by where it lies and when it was changed. */
#pragma once

#include "weights.h"

G_BEGIN_DECLS

/* A hash of names, shapes and a few values of every tensor, the same for every kind of file that holds them
 * (hashing gigabytes would take longer than loading them). 16 hexadecimal digits. */
void am_checkpoint_hash (const AmWeights *w, char out[17]);

/* Name of a file's present content, so that a replaced file is opened anew. (transfer full) */
char *am_file_key (const char *path);

G_END_DECLS
