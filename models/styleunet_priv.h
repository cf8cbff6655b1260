/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The weights of a StyleUNet. For styleunet*.c only. */
#pragma once

#include "modconv.h"
#include "resblock.h"
#include "styleunet.h"

G_BEGIN_DECLS

#define AM_STYLEUNET_LEVELS 8
#define AM_STYLEUNET_MLP 16

/* A style convolution with its noise. */
typedef struct
{
  AmModconv conv;
  const float *bias;  /* [out] */
  const float *noise; /* [side · side], times the strength; NULL if the strength is 0 */
  float strength;
  size_t side;
} AmStyleconv;

/* To colours: 1 x 1, without demodulation. */
typedef struct
{
  AmModconv conv;
  const float *bias;
} AmStyleunetRgb;

/* Level i of the way up: 4 · 2^(i + 1) pixels a side. */
typedef struct
{
  AmResblock up;
  const AkMatrix *hidden; /* of scale and shift, one below the other: [2 h][width] */
  const float *hidden_bias;
  const AkMatrix *scale, *shift; /* [out][h] */
  const float *scale_bias, *shift_bias;
  size_t h, out;
  AmStyleconv conv[2];
  AmStyleunetRgb rgb;
} AmStyleunetLevel;

struct _AmStyleunet
{
  AmStyleunetInfo info;
  const AkMatrix *first; /* [c][features] */
  const float *first_bias;
  size_t first_out;
  AmResblock down[AM_STYLEUNET_LEVELS];
  const AkMatrix *final_conv; /* [c][c], at 4 x 4 */
  const float *final_conv_bias;
  const AkMatrix *final_linear; /* [style][16 c], columns in the order of pixels */
  const float *final_linear_bias;
  size_t bottom, style; /* c, style */
  const AkMatrix *mlp[AM_STYLEUNET_MLP];
  const float *mlp_bias[AM_STYLEUNET_MLP];
  unsigned mlp_layers;
  float *constant; /* [16][d] */
  AmStyleconv first_style;
  AmStyleunetRgb first_rgb;
  AmStyleunetLevel level[AM_STYLEUNET_LEVELS];
};

/* Multiply-adds, as published: of the way down, the bottleneck with the style, the decoder at 4 x 4, the
 * way up with its conditions, the decoder. */
double am_styleunet_down_multiplies (const AmStyleunet *w, unsigned i);
double am_styleunet_style_multiplies (const AmStyleunet *w);
double am_styleunet_first_multiplies (const AmStyleunet *w);
double am_styleunet_up_multiplies (const AmStyleunet *w, unsigned i);
double am_styleunet_decoder_multiplies (const AmStyleunet *w, unsigned i);

G_END_DECLS
