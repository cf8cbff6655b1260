/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modulated convolutions (model spec, section 11): a style of the frame scales the inputs by s and, with
 * demodulation, the outputs by gain / sqrt (Σ (weight · s)² + 1e-8). Both scales are computed on the
 * device; the weights are packed once. */
#pragma once

#include "kernels/conv2d.h"
#include "load.h"

G_BEGIN_DECLS

typedef struct
{
  const AkMatrix *weight, *modulation; /* [out][in][side][side], [in][style] */
  const float *modulation_bias;        /* [in] */
  const AkMatrix *squares; /* [out][in], Σ weight² / gain²; NULL without demodulation */
  const float *epsilon;    /* [out], 1e-8 / gain² */
  size_t out, in, style, side;
} AmModconv;

/* The tensors PREFIXweight [1][out][in][side][side] and PREFIXmodulation.{weight,bias}, of any sizes.
 * gain 0: without demodulation. */
void am_modconv_load (AmPart *part, AmModconv *m, float gain, const char *prefix);

/* Records s = modulation (style) and the outputs' scales for `style` [batch][style] into new memory of
 * the plan, and sets in_scale, out_scale and matrix of `conv`. */
void am_modconv_record (
    const AmModconv *m, AkPlan *plan, AkConv2d *conv, const float *style, size_t batch);

G_END_DECLS
