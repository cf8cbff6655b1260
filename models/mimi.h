/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The encoder and quantiser of the Mimi codec (model spec, section 1b): samples to features. The codec's decoder, which
 * a checkpoint holds as well, is not read. */
#pragma once

#include "config.h"
#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmMimi AmMimi; /* weights, owned by their part */

/* Whether a checkpoint has this encoder, by the names of its tensors. */
gboolean am_mimi_is_in (const AmWeights *weights);

/* Errors are kept in `part`. */
AmMimi *am_mimi_load (AmPart *part, const AmMimiConfig *config);
void am_mimi_free (AmMimi *w);

/* Records the network: `x` [batch][samples] at 16 kHz to `y` [batch][am_config_mimi_steps()][hidden]. */
void am_mimi_record (
    const AmMimi *w, AkPlan *plan, AkRows y, float *x, size_t batch, size_t samples, AmTaps *taps);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmMimi, am_mimi_free)

G_END_DECLS
