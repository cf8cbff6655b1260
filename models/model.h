/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A speech-to-motion checkpoint on a device: opened once, shared by every stream of the process. */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include "kernels/device.h"

G_BEGIN_DECLS

typedef struct _AmModel AmModel;

typedef enum {
  AM_ENCODER_WAV2VEC2,
  AM_ENCODER_MIMI,
} AmEncoderKind;

/* What the elements need to know of a model; all of it from the config and the tensors. */
typedef struct
{
  AmEncoderKind encoder;
  unsigned channels;       /* features per step */
  unsigned steps;          /* steps per window handed to the motion model */
  unsigned window_samples; /* new samples per window, 640 per frame */
  unsigned before_samples; /* AUDIO_CONTEXT: samples the encoder is given before the window */
  unsigned ahead_samples;  /* and after it */
  unsigned window_frames;  /* T */
  unsigned motion_dim;     /* 106 */
  gboolean can_overlap;    /* windows may overlap: loudness is not handed on from one to the next */
  const char *basis;       /* names the expression basis: "flame", or the config's BASIS */
  const char *checkpoint;  /* hash of tensor names, shapes and sampled values, hexadecimal */
} AmModelInfo;

/* How a stream shares a device with other streams of its model, whose windows may be computed together. */
typedef struct
{
  unsigned most; /* streams at once with this one among them: 1 alone, 0 as suits the device */
  gint64
      wait; /* how long, in µs, its window waits for others; what waits anyway is computed together */
} AmBatching;

#define AM_BATCH_LIMIT 256 /* the largest `most`; more is taken as this */
#define AM_BATCH_CARD 64   /* what suits a card; a processor computes each alone */

/* Opens the checkpoint at `path`: a .safetensors file with its config in the metadata or beside it, a
 * .pt file with config.json beside it, or a folder holding one of them; NULL is the built-in model.
 * `device` is "auto", "cpu" or another name of ak_device_open(); `threads` as there. The same file,
 * device, precision and thread count give the same object. Weights are packed for the device when the first stream
 * needs them. Returns a reference for am_model_unref(), or NULL with `error` set. Thread safe. */
AmModel *am_model_open (
    const char *path, const char *device, AkPrecision precision, unsigned threads, GError **error);
AmModel *am_model_ref (AmModel *model);
void am_model_unref (AmModel *model);
const AmModelInfo *am_model_info (const AmModel *model);

/* What `wanted` streams at once (AmBatching.most) are on the device of `model`, 1 to AM_BATCH_LIMIT. */
unsigned am_batch_most (const AmModel *model, unsigned wanted);

/* The open model of this process whose checkpoint hash is `checkpoint`, else the built-in model if
 * it is its hash, else NULL with `error` set. */
AmModel *am_model_open_checkpoint (const char *checkpoint, const char *device,
    AkPrecision precision, unsigned threads, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmModel, am_model_unref)

G_END_DECLS
