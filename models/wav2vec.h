/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wav2vec 2.0 encoder (model spec, section 1): samples to features. */
#pragma once

#include "config.h"
#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmWav2vec AmWav2vec; /* weights, owned by their part */

/* Errors are kept in `part`. */
AmWav2vec *am_wav2vec_load (AmPart *part, const AmWav2vecConfig *config);
void am_wav2vec_free (AmWav2vec *w);

/* Records the network: `x` [batch][samples], normalised, to `y`, rows first … first+count-1 of its
 * steps: [batch][count][hidden]. */
void am_wav2vec_record (const AmWav2vec *w, AkPlan *plan, AkRows y, float *x, size_t batch,
    size_t samples, size_t first, size_t count, AmTaps *taps);

/* The weights of the positional convolution in place: v [rows][kernel] becomes g · v / ||v||, the norm
 * over all rows for each kernel tap, no epsilon. */
void am_wav2vec_normalise (float *v, const float *g, size_t rows, size_t kernel);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmWav2vec, am_wav2vec_free)

G_END_DECLS
