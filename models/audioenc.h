/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The audio encoder of one stream: windows of samples to features (model spec, sections 1 and 1b). */
#pragma once

#include "model.h"

G_BEGIN_DECLS

typedef struct _AmAudioEncoder AmAudioEncoder;

/* A stream's encoder; holds a reference to `model`. NULL with `error` set if tensors are missing or
 * of wrong shape, or memory is short. */
AmAudioEncoder *am_audio_encoder_new (AmModel *model, GError **error);
/* The same, computed together with other streams of `model` as `batching` says. */
AmAudioEncoder *am_audio_encoder_new_batched (
    AmModel *model, const AmBatching *batching, GError **error);
void am_audio_encoder_free (AmAudioEncoder *enc);

/* Forgets the running level of AUDIO_NORM "running". */
void am_audio_encoder_reset (AmAudioEncoder *enc);

/* Encodes one window. `samples`: [before + window + ahead] of AmModelInfo, 16 kHz mono, -1..1, zeros
 * where the stream has none. `features`: [steps][channels], filled. Non-finite samples count as 0.
 * FALSE with `error` set (AM_ERROR_CANCELLED once `cancel`, may be NULL, is not 0). */
gboolean am_audio_encoder_run (AmAudioEncoder *enc, const float *samples, float *features,
    const atomic_int *cancel, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmAudioEncoder, am_audio_encoder_free)

G_END_DECLS
