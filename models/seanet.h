/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The convolutions at the front of the Mimi codec's encoder (model spec, section 1b, steps 1 and 2). */
#pragma once

#include "config.h"
#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmSeanet AmSeanet; /* weights, owned by their part */

/* Errors are kept in `part`. */
AmSeanet *am_seanet_load (AmPart *part, const AmMimiConfig *config);
void am_seanet_free (AmSeanet *w);

/* Records it: `x` [batch][samples] at 16 kHz to `y` [batch][am_config_seanet_steps()][hidden]. */
void am_seanet_record (const AmSeanet *w, AkPlan *plan, AkRows y, float *x, size_t batch,
    size_t samples, AmTaps *taps);

/* Padding on the right of a causal convolution, so that no step of `rows` is lost. */
size_t am_seanet_fill (size_t rows, size_t stride);

/* The resampler from 16 to 24 kHz as a convolution: the weight of input sample 2b + j - 7 in output 3b + p is
 * kernel[16 p + j]. */
void am_seanet_resample_kernel (double kernel[48]);

/* Records it: `x` [batch][n] to `y`, rows of 3 output samples, am_seanet_resample_rows() of them. */
void am_seanet_resample (
    AkPlan *plan, const AkMatrix *kernel, AkRows y, float *x, size_t batch, size_t n);
size_t am_seanet_resample_rows (size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmSeanet, am_seanet_free)

G_END_DECLS
