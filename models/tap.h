/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of what flows through a network, for tests that compare it with golden files. */
#pragma once

#include <glib.h>

#include "kernels/bits.h"
#include "kernels/elementwise.h"
#include "kernels/plan.h"

G_BEGIN_DECLS

typedef struct
{
  char *name;  /* as in golden/motion/README.md, without the chunk's number */
  float *data; /* device memory of the plan: [rows][cols] of the first batch item */
  size_t rows, cols;
} AmTap;

typedef struct _AmTaps AmTaps;

/* An empty list. Hand it to am_audio_encoder_new_tapped() or am_motion_new_tapped(); it must not be read
 * after what was made with it is gone. */
AmTaps *am_taps_new (void);
void am_taps_free (AmTaps *taps);
size_t am_taps_count (const AmTaps *taps);
const AmTap *am_taps_nth (const AmTaps *taps, size_t i);

/* For networks; all do nothing if `taps` is NULL.
 * Memory for [rows][cols] under a name. Returns a view without data if `taps` is NULL. */
AkRows am_tap_new (AmTaps *taps, AkPlan *plan, size_t rows, size_t cols, const char *format, ...)
    G_GNUC_PRINTF (5, 6);
/* Records a copy of `rows` rows of `from` into rows `first` … of a view made by am_tap_new(). */
void am_tap_rows (AkPlan *plan, AkRows tap, size_t first, AkRows from, size_t rows, size_t cols);
/* Both at once. */
void am_tap (AmTaps *taps, AkPlan *plan, AkRows from, size_t rows, size_t cols, const char *format,
    ...) G_GNUC_PRINTF (6, 7);
/* Bits, as 1 and -1. */
void am_tap_bits (
    AmTaps *taps, AkPlan *plan, AkBits from, size_t rows, size_t cols, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmTaps, am_taps_free)

G_END_DECLS
