/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What networks and streams see of a model. For models/ only. */
#pragma once

#include "batch.h"
#include "codec.h"
#include "config.h"
#include "load.h"
#include "mimi.h"
#include "model.h"
#include "motion.h"
#include "audioenc.h"
#include "style.h"
#include "transformer.h"
#include "wav2vec.h"

G_BEGIN_DECLS

/* The audio encoder: one of the two, the other is NULL. */
typedef struct
{
  AmWav2vec *wav2vec;
  AmMimi *mimi;
} AmEncoderNetworks;

/* The networks of the motion model. */
typedef struct
{
  AmCodec *codec;
  AmStyle *style;
  AmTransformer *transformer;
  float *null_cond; /* [A] */
} AmMotionNetworks;

/* As am_model_open() for a file, with `config` instead of the one that belongs to it; not shared. */
AmModel *am_model_open_with_config (const char *path, const char *config, const char *device,
    AkPrecision precision, unsigned threads, GError **error);

const AmConfig *am_model_config (const AmModel *model);
AkDevice *am_model_device (const AmModel *model);

/* The weights of one part, loaded at the first call; shared and owned by the model. NULL with `error` set. */
const AmEncoderNetworks *am_model_encoder (AmModel *model, GError **error);
const AmMotionNetworks *am_model_motion (AmModel *model, GError **error);

/* The batcher of `network`, made if there is none yet; owned by the model. NULL when out of memory. */
AmBatcher *am_model_batcher (AmModel *model, const AmNetwork *network);
/* am_batcher_counts() of network `which`, 0 where none was made. */
void am_model_batch_counts (AmModel *model, unsigned which, guint64 *batches, guint64 *members);

/* As am_audio_encoder_new() and am_motion_new(), with copies of everything on the way in `taps` (for
 * tests; may be NULL). The taps of am_motion_new_tapped() are those of a window; `start` has those of
 * the encoded zero motion, and `style` is filled anew by every am_motion_set_style(). */
AmAudioEncoder *am_audio_encoder_new_tapped (AmModel *model, AmTaps *taps, GError **error);
AmMotion *am_motion_new_tapped (
    AmModel *model, AmTaps *taps, AmTaps *start, AmTaps *style, GError **error);

/* Copies a tap to host memory [rows * cols]. */
void am_tap_read (AmModel *model, const AmTap *tap, float *out);

G_END_DECLS
