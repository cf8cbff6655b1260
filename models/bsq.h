/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The multi-scale binary spherical quantiser (model spec, section 3). Bits [batch][L][K] lie scale after
 * scale; their values are ±1 / sqrt (K). */
#pragma once

#include "config.h"
#include "tap.h"

G_BEGIN_DECLS

/* Row of the first token of scale `s`. */
size_t am_bsq_first (const AmConfig *config, unsigned s);

/* Records the encoding of `r` [batch][T][K], which is used up, to `bits`. Taps "z". */
void am_bsq_encode (
    AkPlan *plan, const AmConfig *config, AkBits bits, AkRows r, size_t batch, AmTaps *taps);

/* Records the addition of scale `s` of `bits` to the running sum `f` [batch][T][K]; scale 0 starts
 * it anew. After the last scale it is the quantised feature, sum_feat. */
void am_bsq_add (
    AkPlan *plan, const AmConfig *config, AkRows f, AkBits bits, unsigned s, size_t batch);

/* Records the sum of all scales to `f`, and on the way next_feats, the input tokens of scales 1 and up,
 * to `feats` [batch][L - scales[0]][K] (may be without data). */
void am_bsq_sum (
    AkPlan *plan, const AmConfig *config, AkRows f, AkRows feats, AkBits bits, size_t batch);

G_END_DECLS
