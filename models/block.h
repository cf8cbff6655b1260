/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transformer block that wav2vec 2.0, Mimi and DINOv2 share (norms come first), spec sections 1, 1b and 10:
 *
 *   x += scale * out (attention (qkv (norm (x)))),  x += final_scale * down (gelu (up (final_norm (x)))). */
#pragma once

#include "kernels/matrix.h"
#include "kernels/plan.h"
#include "kernels/rows.h"

/* Weights, all the device's: W the width, I = heads * dim, F the width between up and down. Biases and scales may be NULL. */
typedef struct
{
  const float *norm_weight, *norm_bias, *final_weight, *final_bias; /* [W] */
  const AkMatrix *qkv, *out;                                        /* [3 I][W], [W][I] */
  const float *qkv_bias, *out_bias;
  const AkMatrix *up, *down; /* [F][W], [W][F] */
  const float *up_bias, *down_bias;
  float *scale, *final_scale; /* [W] */
} AmBlock;

/* What blocks of one stack have in common. */
typedef struct
{
  AkRows x;       /* [batch][rows][W], read and written */
  AkRows h, seen; /* scratch of W and of I columns; the same where W = I */
  AkRows qkv, up; /* scratch of 3 I and of F columns */
  size_t batch, rows, width, heads, dim;
  float eps;          /* of the norms */
  double rotary_base; /* of rotary positions, 0 for none */
  size_t window;      /* of the attention, see AkAttention */
} AmBlocks;

/* Scratch out of the plan's memory for what x, batch, rows, width, heads and dim say. */
void am_blocks_scratch (AmBlocks *blocks, AkPlan *plan, size_t ffn);

void am_block_record (const AmBlock *block, AkPlan *plan, const AmBlocks *blocks);

/* The same where only rows first … first+count-1 of the result are wanted, of a last block: the others of x are left as they
 * are. Not with a window. */
void am_block_record_rows (
    const AmBlock *block, AkPlan *plan, const AmBlocks *blocks, size_t first, size_t count);
