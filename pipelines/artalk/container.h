/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which encoders and muxer make a file of which suffix. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  const char *element;
  const char *launch; /* element with settings, and parser */
  unsigned
      priming; /* samples at 48 kHz that a decoder puts out before the sound, which the muxer does
                             not tell (measured; tests/pipelines checks it) */
} Encoder;

typedef struct
{
  const char *suffix;
  const char *mux;
  const Encoder *video, *audio; /* best first; ends with element NULL */
} Container;

/* The container that the name `path` asks for, or NULL with `error` set to a sentence that lists them. */
const Container *container_for (const char *path, GError **error);

/* The first of `encoders` that is installed, or NULL with `error` naming what to install. */
const Encoder *encoder_choose (const Encoder *encoders, GError **error);

/* Makes what enters `pad` (raw audio, 48 kHz) earlier by `priming` samples, of which the first are lost, so
 * that it is decoded in time. */
void encoder_compensate (GstPad *pad, unsigned priming);

G_END_DECLS
