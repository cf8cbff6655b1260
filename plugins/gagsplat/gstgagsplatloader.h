/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prepares avatars in a thread of its own, and keeps them in the user's cache folder
 * (artalk/avatars/KEY.safetensors) so that a person is prepared once. */
#pragma once

#include <glib.h>

#include "models/avatar.h"

G_BEGIN_DECLS

typedef struct _GstGagSplatLoader GstGagSplatLoader;

/* Called in the loader's thread: with `done` from 0 to less than 1 while networks run for `name` (not where the
 * cache has it), with 1 when there is something to take, with -1 when it ended otherwise (by end(): in its caller's
 * thread). Never for a model that needs no person. */
typedef void (*GstGagSplatProgress) (const char *name, double done, gpointer data);

/* `people` (taken): NULL for a model that needs none. */
GstGagSplatLoader *gst_gag_splat_loader_new (
    AmAvatarModel *model, AmTracked *people, GstGagSplatProgress progress, gpointer data);

/* Gives up what is being prepared. The loader's thread then lets go of the model and of `view` (taken; may be NULL):
 * giving back a GB of memory takes a while, and nobody waits for it here. Afterwards nothing is told, and only free()
 * may be called. */
void gst_gag_splat_loader_end (GstGagSplatLoader *loader, AmAvatarView *view);

/* Ends it if that has not been done, and waits for its thread. */
void gst_gag_splat_loader_free (GstGagSplatLoader *loader);

/* Begins to prepare the person `name` (NULL: the only one), in the place of whomever is being prepared. FALSE with
 * `error` if there is none of that name; then nothing changes. Any thread. */
gboolean gst_gag_splat_loader_ask (GstGagSplatLoader *loader, const char *name, GError **error);

/* Takes the result of the last ask(), once: an avatar, or NULL with `error`. FALSE if there is none yet. */
gboolean gst_gag_splat_loader_take (GstGagSplatLoader *loader, AmAvatar **avatar, GError **error);

/* Waits until there is something to take; FALSE if `cancel` became other than 0 before (call wake() then). */
gboolean gst_gag_splat_loader_wait (GstGagSplatLoader *loader, const atomic_int *cancel);
void gst_gag_splat_loader_wake (GstGagSplatLoader *loader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstGagSplatLoader, gst_gag_splat_loader_free)

G_END_DECLS
