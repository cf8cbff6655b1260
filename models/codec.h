/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The motion codec (model spec, section 4): motion to features and back. */
#pragma once

#include "config.h"
#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmCodec AmCodec; /* weights, owned by their part */

AmCodec *am_codec_load (AmPart *part, const AmConfig *config);
void am_codec_free (AmCodec *w);

/* Records the encoder: `motion` [batch][T][motion_dim] to `y` [batch][T][K]. Taps "enc_out". */
void am_codec_encode (
    const AmCodec *w, AkPlan *plan, AkRows y, AkRows motion, size_t batch, AmTaps *taps);

/* Records the decoder: `past` and `now` [batch][T][K], the quantised features of the chunk before and
 * of this one, to `motion` [batch][T][motion_dim]. Taps "dec_in", "dec_stream/N", "motion". */
void am_codec_decode (const AmCodec *w, AkPlan *plan, AkRows motion, AkRows past, AkRows now,
    size_t batch, AmTaps *taps);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmCodec, am_codec_free)

G_END_DECLS
