/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Savitzky-Golay smoothing of motion, streaming (model spec, section 7): AM_SMOOTH_DELAY frames late as published, or
 * fewer. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define AM_SMOOTH_DELAY 4

typedef struct _AmSmooth AmSmooth;

/* `dim`: numbers per frame (106: the last 6 are global rotation and jaw). `delay`: frames after a frame that are waited
 * for, 0 to AM_SMOOTH_DELAY. With fewer than AM_SMOOTH_DELAY the polynomials are fitted to the last 5 and 9 frames there
 * are and evaluated nearer to their end: with 2 the numbers are the published ones in all channels but the global
 * rotation. Never fails. */
AmSmooth *am_smooth_new (unsigned dim, unsigned delay);
void am_smooth_free (AmSmooth *smooth);
void am_smooth_reset (AmSmooth *smooth);

/* Takes one frame [dim] and writes the frames that are ready by now to `out` (room for
 * AM_SMOOTH_DELAY + 1 frames); returns how many: 0 for the first frames, then mostly 1. As published, nothing is ready
 * before there are 9 frames; with a shorter delay no frame waits for more than that, and the first frames, for which
 * there are not yet 5, come out unfiltered. */
unsigned am_smooth_push (AmSmooth *smooth, const float *frame, float *out);

/* The end of the sequence: writes the frames still held (room for 2 * AM_SMOOTH_DELAY) and resets.
 * Sequences shorter than 9 frames come out unfiltered as published. Only the filter is here; which channels are zeroed
 * is the caller's: am_smooth_clean(). */
unsigned am_smooth_finish (AmSmooth *smooth, float *out);

/* What the published program sets to zero after smoothing: jaw channels 1 and 2, and with `fix_pose`
 * the global rotation as well. `frame`: [dim]. */
void am_smooth_clean (float *frame, unsigned dim, gboolean fix_pose);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmSmooth, am_smooth_free)

G_END_DECLS
