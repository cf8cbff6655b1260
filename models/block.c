/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block.h"

#include <math.h>

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/rotary.h"

static AkRows
scratch (const AmBlocks *b, AkPlan *plan, size_t cols)
{
  return ak_dense (
      ak_plan_memory (plan, b->batch * b->rows * cols * sizeof (float)), b->rows, cols);
}

void
am_blocks_scratch (AmBlocks *blocks, AkPlan *plan, size_t ffn)
{
  size_t inner = blocks->heads * blocks->dim;

  blocks->h = scratch (blocks, plan, blocks->width);
  blocks->seen = inner == blocks->width ? blocks->h : scratch (blocks, plan, inner);
  blocks->qkv = scratch (blocks, plan, 3 * inner);
  blocks->up = scratch (blocks, plan, ffn);
}

static void
norm (const AmBlocks *b, AkPlan *plan, const float *weight, const float *bias, size_t first,
    size_t count)
{
  ak_layer_norm (plan, &(AkLayerNorm){ .y = ak_from (b->h, first, 0),
                           .x = ak_from (b->x, first, 0),
                           .weight = weight,
                           .bias = bias,
                           .eps = b->eps,
                           .batch = b->batch,
                           .rows = count,
                           .cols = b->width });
}

static void
attend (const AmBlock *block, const AmBlocks *b, AkPlan *plan, size_t first, size_t count)
{
  size_t inner = b->heads * b->dim;

  if (b->rotary_base > 0)
    ak_rotary (plan, &(AkRotary){ .y = b->qkv, /* queries and keys, which lie side by side */
                         .x = b->qkv,
                         .base = b->rotary_base,
                         .batch = b->batch,
                         .rows = b->rows,
                         .heads = 2 * b->heads,
                         .dim = b->dim });
  ak_attention (
      plan, &(AkAttention){ .y = ak_from (b->seen, first, 0),
                .q = ak_from (b->qkv, first, 0),
                .keys = { { ak_from (b->qkv, 0, inner), ak_from (b->qkv, 0, 2 * inner), b->rows } },
                .batch = b->batch,
                .rows = count,
                .heads = b->heads,
                .dim = b->dim,
                .scale = 1 / sqrtf ((float) b->dim),
                .window = b->window,
                .like = block->qkv });
}

void
am_block_record_rows (
    const AmBlock *block, AkPlan *plan, const AmBlocks *b, size_t first, size_t count)
{
  AkRows x = ak_from (b->x, first, 0), h = ak_from (b->h, first, 0), up = ak_from (b->up, first, 0);

  norm (b, plan, block->norm_weight, block->norm_bias, 0, b->rows);
  ak_linear (plan, &(AkLinear){ .y = b->qkv,
                       .x = b->h,
                       .matrix = block->qkv,
                       .bias = block->qkv_bias,
                       .batch = b->batch,
                       .rows = b->rows });
  attend (block, b, plan, first, count);
  ak_linear (plan, &(AkLinear){ .y = x,
                       .x = ak_from (b->seen, first, 0),
                       .matrix = block->out,
                       .bias = block->out_bias,
                       .gate = ak_same (block->scale),
                       .residual = x,
                       .batch = b->batch,
                       .rows = count });
  norm (b, plan, block->final_weight, block->final_bias, first, count);
  ak_linear (plan, &(AkLinear){ .y = up,
                       .x = h,
                       .matrix = block->up,
                       .bias = block->up_bias,
                       .activation = AK_ACT_GELU,
                       .batch = b->batch,
                       .rows = count });
  ak_linear (plan, &(AkLinear){ .y = x,
                       .x = up,
                       .matrix = block->down,
                       .bias = block->down_bias,
                       .gate = ak_same (block->final_scale),
                       .residual = x,
                       .batch = b->batch,
                       .rows = count });
}

void
am_block_record (const AmBlock *block, AkPlan *plan, const AmBlocks *b)
{
  am_block_record_rows (block, plan, b, 0, b->rows);
}
