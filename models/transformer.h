/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The autoregressive transformer over bits (model spec, section 6). */
#pragma once

#include "config.h"
#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmTransformer AmTransformer; /* weights, owned by their part */

AmTransformer *am_transformer_load (AmPart *part, const AmConfig *config);
void am_transformer_free (AmTransformer *w);

/* Records the embedding of quantised features `x` [batch][rows][K] to tokens `y` [batch][rows][A]. */
void am_transformer_embed (
    const AmTransformer *w, AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows);

/* What one chunk reads and writes; all in device memory. */
typedef struct
{
  AkRows features; /* [batch][steps][audio width], the encoder's */
  size_t steps;
  AkRows cond;      /* [batch][1][A] */
  AkRows prev_feat; /* [batch][R · L][A], oldest chunk first */
  AkBits bits;      /* [batch][L][K], written */
  AkRows sum;       /* [batch][T][K], written: the quantised feature of the bits */
  size_t batch;
} AmChunk;

/* Records one chunk, scale by scale, with the keys and values of the past made once and those of the
 * chunk kept from scale to scale. Taps "cond", "audio_cond", "tokens", "logits", "bits", "ar_layer/N". */
void am_transformer_record (
    const AmTransformer *w, AkPlan *plan, const AmChunk *chunk, AmTaps *taps);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmTransformer, am_transformer_free)

G_END_DECLS
