/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An avatar as large as the published one, or small, with pseudo-random numbers: the part of the model that draws frames,
 * a head of the same layout, and the splats that the rest of the model would prepare. */
#pragma once

#include "models/avatar_priv.h"

G_BEGIN_DECLS

/* published_avatar_new:
 * @folder: gets GAGAvatar.safetensors and head.safetensors
 * @side: of the picture: 512 as published; 8, 16 … 256 with the network's lower levels only and fewer splats; 0 is a
 *   network of few channels in 32x32
 * @head: (out) (transfer full): what the avatar is drawn on
 *
 * Returns: (transfer full): a prepared avatar, or NULL with @error */
AmAvatar *published_avatar_new (const char *folder, unsigned side, const char *device,
    AkPrecision precision, AmHead **head, GError **error);

G_END_DECLS
