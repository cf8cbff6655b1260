/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A checkpoint's configuration (model spec, section 0). */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "error.h"
#include "model.h"

G_BEGIN_DECLS

#define AM_MAX_SCALES 16
#define AM_MAX_CONVS 16
#define AM_SAMPLES_PER_FRAME 640 /* 16 kHz, 25 frames a second */

/* How a window of samples is brought to one loudness (AUDIO_NORM). */
typedef enum {
  AM_AUDIO_NORM_WINDOW,  /* each window alone, as published for wav2vec 2.0 */
  AM_AUDIO_NORM_NONE,    /* as it comes, as published for mimi */
  AM_AUDIO_NORM_RUNNING, /* by a level that follows the stream (kernels/level.h) */
} AmAudioNorm;

typedef struct
{
  unsigned n_convs, conv_dim[AM_MAX_CONVS], conv_kernel[AM_MAX_CONVS], conv_stride[AM_MAX_CONVS];
  unsigned hidden, layers, heads, ffn, pos_kernel, pos_groups;
} AmWav2vecConfig;

typedef struct
{
  unsigned hidden, filters, residual_layers, n_ratios, ratios[AM_MAX_CONVS];
  unsigned kernel, last_kernel, residual_kernel, dilation_growth, compress;
  unsigned codebook_size, codebook_dim, quantizers, semantic;
  unsigned layers, heads, head_dim, ffn, window;
} AmMimiConfig;

typedef struct
{
  unsigned motion_dim;
  unsigned code_dim;                                 /* K, bits per token */
  unsigned n_scales, scales[AM_MAX_SCALES];          /* tokens per scale; the last is `frames` */
  unsigned frames;                                   /* T */
  unsigned tokens;                                   /* L, the sum of scales */
  unsigned codec_depth, codec_heads, codec_width;    /* T_DEPTH, T_NUM_HEADS, T_HIDDEN_DIM */
  unsigned ar_depth, ar_heads, ar_width, prev_ratio; /* prev_ratio: R */
  AmEncoderKind encoder;
  unsigned audio_width; /* of the features */
  unsigned style_width, style_heads, style_ffn, style_layers;
  AmWav2vecConfig wav2vec;
  AmMimiConfig mimi;
  unsigned before, ahead; /* AUDIO_CONTEXT, samples */
  AmAudioNorm audio_norm;
  char basis[64];
} AmConfig;

/* am_config_parse:
 * @name: what error messages call the text
 * @text: JSON, @len bytes (-1: up to its terminating zero); may be anything at all
 * @config: filled; keys that are absent have the released values
 *
 * Reads and checks a configuration: every number lies within stated limits, heads divide widths, the
 * scales grow.
 *
 * Returns: FALSE with @error (AM_ERROR_FORMAT, _CONFIG, _LIMIT) naming text, key and value. */
gboolean am_config_parse (
    const char *name, const char *text, gssize len, AmConfig *config, GError **error);

/* am_config_parse_for:
 * @encoder: the audio encoder if the text has no AUDIO_ENCODER
 *
 * As am_config_parse(), which takes wav2vec 2.0: the published config.json leaves it to the name of the
 * checkpoint. */
gboolean am_config_parse_for (const char *name, const char *text, gssize len, AmEncoderKind encoder,
    AmConfig *config, GError **error);

/* am_config_wav2vec_steps:
 * Returns: how many steps the convolutions make of @samples; 0 if they are too few. */
size_t am_config_wav2vec_steps (const AmWav2vecConfig *config, size_t samples);

/* am_config_wav2vec_hop:
 * Returns: samples from one step to the next, the product of the strides. */
size_t am_config_wav2vec_hop (const AmWav2vecConfig *config);

/* am_config_seanet_steps, am_config_mimi_steps:
 * Returns: how many steps mimi's convolutions make of @samples at 16 kHz; and how many are left at the end. */
size_t am_config_seanet_steps (const AmMimiConfig *config, size_t samples);
size_t am_config_mimi_steps (const AmMimiConfig *config, size_t samples);

G_END_DECLS
