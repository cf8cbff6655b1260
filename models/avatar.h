/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gaussian avatars (model spec, sections 10 and 11; models/default/avatar/FORMAT.md for the built-in one).
 *
 * AmAvatarModel: the networks, opened once per process. AmAvatar: one person, prepared once and kept in a
 * file; shared by streams. AmAvatarView: what one stream draws with. */
#pragma once

#include <glib.h>
#include <stdatomic.h>

#include "head.h"
#include "meshview.h"
#include "styleunet.h"
#include "tracked.h"

G_BEGIN_DECLS

typedef struct _AmAvatarModel AmAvatarModel;
typedef struct _AmAvatar AmAvatar;
typedef struct _AmAvatarView AmAvatarView;

typedef struct
{
  unsigned side;     /* of the square picture */
  unsigned vertices; /* that the head must have */
  unsigned channels; /* of a splat's colour */
  gboolean
      needs_person; /* people are prepared from tracked pictures; else the file is one person itself */
  const char *basis;      /* expression basis it was made for: "flame", or the file's */
  const char *checkpoint; /* hash of tensor names, shapes and sampled values, hexadecimal */
} AmAvatarModelInfo;

/* am_avatar_model_open:
 * @path: (nullable): GAGAvatar.pt (a dict with the key `model`), a .safetensors file with the same names, with or
 *   without "model." before them (its metadata may name the `heads` of the vision transformer, else they are 64
 *   wide), a file in the built-in avatar's format, or a folder with GAGAvatar.pt, GAGAvatar.safetensors or
 *   avatar.safetensors; NULL is the built-in avatar
 * @device, @threads: as for am_model_open()
 * @precision: of the network that refines every picture; splats are prepared in float32 in any case
 *
 * Shared per process; weights are packed when they are needed. Thread safe.
 *
 * Returns: (transfer full): the model, or NULL with @error naming file, tensor and reason. */
AmAvatarModel *am_avatar_model_open (
    const char *path, const char *device, AkPrecision precision, unsigned threads, GError **error);
AmAvatarModel *am_avatar_model_ref (AmAvatarModel *model);
void am_avatar_model_unref (AmAvatarModel *model);
const AmAvatarModelInfo *am_avatar_model_info (const AmAvatarModel *model);

/* am_avatar_model_check_head:
 * Returns: whether the model can be drawn on @head (vertices, faces, basis); else FALSE with @error. */
gboolean am_avatar_model_check_head (
    const AmAvatarModel *model, const AmHead *head, GError **error);

/* Called in the thread that prepares, with @done from 0 to 1. */
typedef void (*AmAvatarProgress) (double done, gpointer data);

/* am_avatar_prepare:
 * @person: (nullable): NULL for a model that needs none
 * @cancel: (nullable): once it is not 0, preparing ends with AM_ERROR_CANCELLED within about 20 ms of work
 * @progress: (nullable)
 *
 * Runs the networks that make the person's splats, once: some 400 G multiply-adds for the published model.
 *
 * Returns: (transfer full): the avatar; it keeps a reference to @model. */
AmAvatar *am_avatar_prepare (AmAvatarModel *model, const AmPerson *person, const atomic_int *cancel,
    AmAvatarProgress progress, gpointer data, GError **error);

/* am_avatar_key:
 * Returns: (transfer full): a name for what am_avatar_prepare() gives for the two: 64 hexadecimal digits, another
 * for every other picture, camera, identity or model. For files of prepared avatars ("KEY.safetensors"). */
char *am_avatar_key (AmAvatarModel *model, const AmPerson *person);

/* am_avatar_write, am_avatar_read:
 * A prepared avatar as a safetensors file. Reading checks sizes, numbers and that it was made by @model for @key
 * (NULL: for whomever). Only for models that need a person. */
gboolean am_avatar_write (AmAvatar *avatar, const char *path, GError **error);
AmAvatar *am_avatar_read (AmAvatarModel *model, const char *path, const char *key, GError **error);

AmAvatar *am_avatar_ref (AmAvatar *avatar);
void am_avatar_unref (AmAvatar *avatar);

typedef struct
{
  AmNoise noise; /* of the network: fixed, none, or new for every frame as published */
  /* RGBA, straight, [height][width][4]: drawn into the bottom right corner, half as wide as the picture, at 0.8 of
   * its own alpha; NULL for none. Needed only during am_avatar_view_new(). */
  const uint8_t *watermark;
  unsigned watermark_width, watermark_height;
  const uint32_t *
      average; /* vertices that follow their average; NULL: the head's region `forehead`, else the */
  size_t n_average;         /* published one, if the head has the published number of vertices */
  const atomic_int *cancel; /* loading the network ends once it is not 0; NULL: never */
} AmAvatarOptions;

/* am_avatar_view_new:
 * @options: (nullable): NULL for none of them
 *
 * A stream's renderer. The head must have the vertices (and the identity directions) that the avatar needs. */
AmAvatarView *am_avatar_view_new (
    AmAvatar *avatar, AmHead *head, const AmAvatarOptions *options, GError **error);
void am_avatar_view_free (AmAvatarView *view);

/* am_avatar_view_set_avatar: another person of the same model from the next frame on. What the forehead's average
 * is stays, as published. After an error the view is as before. */
gboolean am_avatar_view_set_avatar (AmAvatarView *view, AmAvatar *avatar, GError **error);

/* Forgets the frames so far: for a new session (flush, discontinuity). */
void am_avatar_view_reset (AmAvatarView *view);

/* As for am_mesh_view_set_background(). Models that draw all of the picture show it only around the square. */
void am_avatar_view_set_background (AmAvatarView *view, uint32_t argb);

/* am_avatar_view_run:
 * @motion: [expressions + 6]; numbers that are not finite count as 0
 * @straight: colours as they are, not over the background (for models that leave one)
 * @rgba: (nullable): [side][side][4], 0..1: colour and coverage
 *
 * Computes one frame. FALSE with AM_ERROR_CANCELLED or another @error. */
gboolean am_avatar_view_run (AmAvatarView *view, const float *motion, gboolean straight,
    float *rgba, const atomic_int *cancel, GError **error);

/* am_avatar_view_draw:
 * Computes one frame into @picture, any size from 1x1 up to 16384x16384: the square as large as fits, in the middle,
 * the background around it. */
gboolean am_avatar_view_draw (AmAvatarView *view, const float *motion, const AmPicture *picture,
    const atomic_int *cancel, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmAvatarModel, am_avatar_model_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmAvatar, am_avatar_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmAvatarView, am_avatar_view_free)

G_END_DECLS
