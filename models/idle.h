/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life in a face while nobody speaks, frame by frame: breath, sway, glances, blinks and a shut mouth.
 *
 * Whether somebody speaks is told from the motion alone: e = |Δjaw| / 0.02 + Σ |Δmouth| / 0.25 from frame to frame (the
 * second term in the basis arkit-1 only). Speech begins at e > 0.7 and lasts while e > 0.4, or while a jaw that is open
 * came to rest less than 2 s ago, and AM_IDLE_HOLD frames longer. Outside speech a weight w rises to 1 over AM_IDLE_EASE
 * frames as w = p² (3 - 2 p), and falls back likewise when speech begins (for the mouth in 3 frames;
 * after an interruption it rises to 1 for the mouth in AM_IDLE_SHUT frames), and
 *
 *   out = in + w (idle - in).
 *
 * What idle is for a channel:
 * - global rotation: the mean of quiet input, and for yaw, pitch and roll four sines an octave apart from about
 *   0.05 Hz on with equal amplitudes (1/f noise), at most 0.030, 0.012 and 0.012 rad; pitch breathes by 0.004 rad at 0.25 Hz
 * - jaw: 0. In the basis arkit-1 also what opens the mouth: 0
 * - in the basis arkit-1 lids and eyes: blinks 2 to 6.4 s apart; fixations of 0.7 to 3 s, which turn against the head
 * - all else: the input, or where none came the mean of quiet input.
 *
 * Blinks and glances of the input are replaced, not added to. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define AM_IDLE_EASE 13 /* frames from speech to idle and back */
#define AM_IDLE_HOLD 12 /* quiet frames before idle begins */
#define AM_IDLE_SHUT 2  /* frames in which a mouth is shut that was interrupted */

typedef struct _AmIdle AmIdle;

/* `dim`: numbers per frame, at least 6 (the last 6 are global rotation and jaw, radians); `basis` names what the others
 * mean, "arkit-1" or anything else; the same `seed` gives the same motion. Never fails. */
AmIdle *am_idle_new (unsigned dim, const char *basis, guint32 seed);
void am_idle_free (AmIdle *idle);

/* Starts anew, with `seed`. */
void am_idle_reset (AmIdle *idle, guint32 seed);

/* Whoever speaks stops in the middle of it: the next frame is idle, and the mouth shuts at once. */
void am_idle_interrupt (AmIdle *idle);

/* Takes one `frame` [dim], or NULL where none came, and writes the frame to show to `out` [dim] (not `frame`).
 * `strength`, 0 to 1, scales sway, breath and glances; at 0 the input passes (without input: the last one).
 * TRUE if `out` may differ from `frame`; otherwise it has the same bytes. A frame with a number that is not finite
 * passes. */
gboolean am_idle_push (AmIdle *idle, const float *frame, float strength, float *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmIdle, am_idle_free)

G_END_DECLS
