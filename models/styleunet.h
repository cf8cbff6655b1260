/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The StyleUNet (model spec, section 11): a picture of features, as splats leave it, to colours.
 *
 * All sizes come from the tensors: the picture's side is 4 · 2^levels, with as many levels as there are
 * blocks (up to 8). Images are channels last. */
#pragma once

#include "kernels/spans.h"
#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmStyleunet AmStyleunet; /* weights, owned by their part */

typedef struct
{
  size_t side;       /* pixels, height and width */
  size_t features;   /* channels of the input */
  size_t colours;    /* channels of the result */
  double multiplies; /* multiply-adds of a picture, as published */
  unsigned levels;
} AmStyleunetInfo;

typedef enum {
  AM_NOISE_FIXED, /* the checkpoint's buffers */
  AM_NOISE_NONE,
  AM_NOISE_RANDOM, /* new for every picture */
} AmNoise;

/* The tensors below PREFIX ("upsampler."). Errors are kept in the part; NULL after one. */
AmStyleunet *am_styleunet_load (AmPart *part, const char *prefix);
void am_styleunet_free (AmStyleunet *w);
const AmStyleunetInfo *am_styleunet_info (const AmStyleunet *w);

/* A part of the network, so that a benchmark can time it alone: the network asks for the plan that its
 * next operations go to; all plans are run in the order of the calls and freed together. `multiplies` of
 * the stage, as published. */
typedef AkPlan *AmStyleunetStage (void *data, const char *name, double multiplies);

/* Records colours `y` [side · side][colours] in 0 … 1 from `x` [side · side][features], dense. `seed`:
 * device memory of one number, the state of random noise (else not used). Taps are named as in
 * golden/avatar/README.md, channels last. `wanted` (device memory, read at each run; NULL: all): what will be seen of y;
 * the rest is anything. */
void am_styleunet_record (const AmStyleunet *w, AkPlan *plan, float *y, float *x, AmNoise noise,
    uint64_t *seed, const AkSpan *wanted, AmTaps *taps);
void am_styleunet_record_staged (const AmStyleunet *w, AmStyleunetStage *stage, void *data,
    float *y, float *x, AmNoise noise, uint64_t *seed, const AkSpan *wanted, AmTaps *taps);
/* The same from what the first layer makes of x before its bias, weight · x with the tensor conv_body_first.weight: as
 * it sees each pixel by itself and is linear, who adds up x may add up that instead. sums: [side · side][first]. */
void am_styleunet_record_sums (const AmStyleunet *w, AkPlan *plan, float *y, AkRows sums,
    AmNoise noise, uint64_t *seed, const AkSpan *wanted);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmStyleunet, am_styleunet_free)

G_END_DECLS
