/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file like the published ARTalk_wav2vec.pt, of any size: its tensors by name and size, with
 * pseudo-random values that keep every layer's output at unit scale. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* published_write:
 * @path: the .pt file to make: a zip archive as PyTorch writes it
 * @config: the text of a config.json for a wav2vec model; "{}" has the published sizes, 1.96 GB
 * @tensors: (optional): the bytes of its tensors
 *
 * Returns: FALSE with @error; nothing is left then. */
gboolean published_write (const char *path, const char *config, guint64 *tensors, GError **error);

G_END_DECLS
