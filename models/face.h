/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces: files that give the built-in head an identity, hair and colours of its own. For models/ only; users name
 * them where a head is wanted (am_head_open()).
 *
 * A file has `shape` (coefficients of the head's identity directions, any axes) and may have `offset` [V,3], in metres, which is
 * added after it; `color` [V,3], sRGB as 0..1 or in bytes; `material` [V]; `groom.vertex` [n] and `groom.offset` [n,3], how hair,
 * brows and lashes lie in pictures of the mesh (avatars are bound to their plain form). Heads may have all but the
 * first two of these as well. Metadata: `description`. */
#pragma once

#include "head_priv.h"

G_BEGIN_DECLS

/* The file that `name_or_path` means: of the built-in face so called, else the path itself. (transfer full)
 * NULL with AM_ERROR_OPEN where it is a bare name of neither. */
char *am_face_path (const char *name_or_path, GError **error);

/* Is this a face and not a head? */
gboolean am_face_is_one (const AmWeights *w);

/* Gives the head, just read, the rest shape and looks of `face`, for which am_face_is_one(). FALSE with `error`. */
gboolean am_head_wear (AmHead *head, AmWeights *face, GError **error);

G_END_DECLS
