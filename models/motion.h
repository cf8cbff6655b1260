/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Features to motion: style encoder, autoregressive bit transformer, motion codec
 * (model spec, sections 2 to 6). */
#pragma once

#include "model.h"

G_BEGIN_DECLS

#define AM_STYLE_FRAMES 50 /* length of a style clip (model spec, section 5) */

typedef struct _AmMotion AmMotion;

/* A stream's motion model with its past; holds a reference to `model`. Errors as
 * am_audio_encoder_new(). */
AmMotion *am_motion_new (AmModel *model, GError **error);
/* The same, computed together with other streams of `model` as `batching` says. */
AmMotion *am_motion_new_batched (AmModel *model, const AmBatching *batching, GError **error);
void am_motion_free (AmMotion *motion);

/* Starts anew: the past becomes encoded zero motion. The style stays. */
void am_motion_reset (AmMotion *motion);

/* Sets the style from the next window on: `clip` [AM_STYLE_FRAMES][motion_dim], or NULL for none;
 * cond = guidance * style + (1 - guidance) * null style; the published guidance is 1.1. */
gboolean am_motion_set_style (AmMotion *motion, const float *clip, float guidance, GError **error);

/* One window: `features` [steps][channels] of AmModelInfo to `frames` [window_frames][motion_dim], and
 * the past moves on by one window. FALSE with `error` set (AM_ERROR_CANCELLED once `cancel`, may be
 * NULL, is not 0; then call am_motion_reset()). */
gboolean am_motion_run (AmMotion *motion, const float *features, float *frames,
    const atomic_int *cancel, GError **error);

/* The newest frames of a window that overlaps others: `n` frames from frame `first` of the window on, which begins at
 * frame `start` of the stream, to `frames` [n][motion_dim]. The past that the model sees are the frames that were given
 * out before `start` (rest before the stream began), decoded and encoded again. New frames begin where those before them
 * ended: what the window has otherwise fades over the frames that follow. `start` never goes back; with `first` 0 and
 * `n` a whole window the numbers are those of am_motion_run() but for the seam, and the two must not be mixed without
 * am_motion_reset(). */
gboolean am_motion_run_part (AmMotion *motion, const float *features, guint64 start, unsigned first,
    unsigned n, float *frames, const atomic_int *cancel, GError **error);

/* Reads a style clip: a file with one [50,106] tensor (.pt or .safetensors, any name), or the name of a
 * built-in style ("calm"). Checks the shape, that all values are finite and that its basis is `basis`: a clip
 * has the basis that its metadata name, else "flame", like heads. Returns [AM_STYLE_FRAMES * motion_dim] floats
 * (g_free) or NULL with `error` set. */
float *am_style_load (
    const char *name_or_path, unsigned motion_dim, const char *basis, GError **error);

/* Names of the built-in styles, sorted, NULL-terminated (g_strfreev). */
char **am_style_list (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmMotion, am_motion_free)

G_END_DECLS
