/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <math.h>

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

#define EPS 1e-5f

/* Attention and MLP. */
typedef struct
{
  const float *norm_weight, *norm_bias; /* [H] */
  const AkMatrix *qkv;                  /* [3H][H] */
  const AkMatrix *out;                  /* [H][H] */
  const float *out_bias;
  const AkMatrix *up, *down; /* [F][H], [H][F] */
  const float *up_bias, *down_bias;
} Block;

typedef struct
{
  const AkMatrix *in, *out; /* [H][in], [out][H] */
  const float *in_bias, *out_bias;
  Block *blocks;
} Stack;

struct _AmCodec
{
  const AmConfig *config;
  size_t width, ffn;                            /* H, F */
  const float *mean, *std, *inverse_std;        /* [motion_dim] */
  float *encoder_positions, *decoder_positions; /* [2T][motion_dim], [2T][K] */
  Stack encoder, decoder;
};

static void
load_stack (AmPart *part, const AmCodec *w, Stack *s, const char *which, size_t in, size_t out,
    const char *out_name)
{
  unsigned depth = w->config->codec_depth;
  size_t h = w->width;

  s->in = am_part_matrix (part, h, in, "basic_vae.%s.inp_mapping.0.weight", which);
  s->in_bias = am_part_vector (part, h, "basic_vae.%s.inp_mapping.0.bias", which);
  s->out = am_part_matrix (part, out, h, "basic_vae.%s.%s.weight", which, out_name);
  s->out_bias = am_part_vector (part, out, "basic_vae.%s.%s.bias", which, out_name);
  s->blocks = g_new0 (Block, depth);
  for (unsigned i = 0; i < depth; i++) {
    Block *b = &s->blocks[i];
    g_autofree char *a = g_strdup_printf ("basic_vae.%s.%s_transformer.%u.", which, which, 2 * i);
    g_autofree char *m =
        g_strdup_printf ("basic_vae.%s.%s_transformer.%u.", which, which, 2 * i + 1);

    b->norm_weight = am_part_vector (part, h, "%snorm.weight", a);
    b->norm_bias = am_part_vector (part, h, "%snorm.bias", a);
    b->qkv = am_part_matrix (part, 3 * h, h, "%sto_qkv.weight", a);
    b->out = am_part_matrix (part, h, h, "%sto_out.weight", a);
    b->out_bias = am_part_vector (part, h, "%sto_out.bias", a);
    b->up = am_part_matrix (part, w->ffn, h, "%s0.weight", m);
    b->up_bias = am_part_vector (part, w->ffn, "%s0.bias", m);
    b->down = am_part_matrix (part, h, w->ffn, "%s2.weight", m);
    b->down_bias = am_part_vector (part, h, "%s2.bias", m);
  }
}

AmCodec *
am_codec_load (AmPart *part, const AmConfig *config)
{
  AmCodec *w = g_new0 (AmCodec, 1);
  size_t m = config->motion_dim;
  g_autofree float *std = am_part_host (part, m, "basic_vae.motion_std");

  w->config = config;
  w->width = config->codec_width;
  w->ffn = config->codec_width * 3 / 2;
  w->mean = am_part_vector (part, m, "basic_vae.motion_mean");
  w->std = am_part_values (part, std, m);
  for (size_t i = 0; std && i < m; i++)
    std[i] = 1 / std[i];
  w->inverse_std = am_part_values (part, std, m);
  w->encoder_positions = am_part_vector (part, 2 * config->frames * m, "basic_vae.enc_pos_embed");
  w->decoder_positions = am_part_vector (
      part, 2 * (size_t) config->frames * config->code_dim, "basic_vae.dec_pos_embed");
  load_stack (part, w, &w->encoder, "encoder", m, config->code_dim, "code_mapping");
  load_stack (part, w, &w->decoder, "decoder", config->code_dim, m, "out_mapping");
  return w;
}

void
am_codec_free (AmCodec *w)
{
  if (!w)
    return;
  g_free (w->encoder.blocks);
  g_free (w->decoder.blocks);
  g_free (w);
}

/* What flows through the blocks: x the stream, h a copy, and the larger intermediate ones. */
typedef struct
{
  AkRows x, h, qkv, up;
} Flow;

static Flow
flow_new (const AmCodec *w, AkPlan *plan, size_t batch, size_t rows)
{
  size_t n = batch * rows * sizeof (float), h = w->width;
  Flow f;

  f.x = ak_dense (ak_plan_memory (plan, n * h), rows, h);
  f.h = ak_dense (ak_plan_memory (plan, n * h), rows, h);
  f.qkv = ak_dense (ak_plan_memory (plan, n * 3 * h), rows, 3 * h);
  f.up = ak_dense (ak_plan_memory (plan, n * w->ffn), rows, w->ffn);
  return f;
}

/* f.h, rows first … first+count-1, from keys 0 … keys-1. */
static void
attention (const AmCodec *w, AkPlan *plan, const Block *block, const Flow *f, size_t batch,
    size_t first, size_t count, size_t keys)
{
  unsigned heads = w->config->codec_heads;
  AkRows k = ak_from (f->qkv, 0, w->width), v = ak_from (f->qkv, 0, 2 * w->width);

  ak_attention (
      plan, &(AkAttention){ .y = ak_from (f->h, first, 0),
                .q = ak_from (f->qkv, first, 0),
                .keys = { { k, v, keys } },
                .batch = batch,
                .rows = count,
                .heads = heads,
                .dim = w->width / heads,
                .scale = 1 / sqrtf ((float) w->width), /* not of the head's (as trained) */
                .like = block->qkv });
}

/* One block over `rows` rows of the stream. `half` 0: all see all; else the first `half` rows see only
 * one another. Only rows `first` … of the result are wanted. */
static void
record_block (const AmCodec *w, AkPlan *plan, const Block *b, const Flow *f, size_t batch,
    size_t rows, size_t half, size_t first)
{
  AkRows x = ak_from (f->x, first, 0), h = ak_from (f->h, first, 0), up = ak_from (f->up, first, 0);
  size_t n = rows - first;

  ak_layer_norm (plan, &(AkLayerNorm){ .y = f->h,
                           .x = f->x,
                           .weight = b->norm_weight,
                           .bias = b->norm_bias,
                           .eps = EPS,
                           .batch = batch,
                           .rows = rows,
                           .cols = w->width });
  ak_linear (
      plan, &(AkLinear){ .y = f->qkv, .x = f->h, .matrix = b->qkv, .batch = batch, .rows = rows });
  if (half > first)
    attention (w, plan, b, f, batch, first, half - first, half);
  attention (w, plan, b, f, batch, MAX (half, first), rows - MAX (half, first), rows);
  ak_linear (plan, &(AkLinear){ .y = x,
                       .x = h,
                       .matrix = b->out,
                       .bias = b->out_bias,
                       .residual = x,
                       .batch = batch,
                       .rows = n });
  /* no norm before it (as trained) */
  ak_linear (plan, &(AkLinear){ .y = up,
                       .x = x,
                       .matrix = b->up,
                       .bias = b->up_bias,
                       .activation = AK_ACT_GELU_TANH,
                       .batch = batch,
                       .rows = n });
  ak_linear (plan, &(AkLinear){ .y = x,
                       .x = up,
                       .matrix = b->down,
                       .bias = b->down_bias,
                       .residual = x,
                       .batch = batch,
                       .rows = n });
}

void
am_codec_encode (
    const AmCodec *w, AkPlan *plan, AkRows y, AkRows motion, size_t batch, AmTaps *taps)
{
  size_t t = w->config->frames, m = w->config->motion_dim;
  AkRows in = ak_dense (ak_plan_memory (plan, batch * t * m * sizeof (float)), t, m);
  AkRows positions = { w->encoder_positions, m, 0 };
  Flow f = flow_new (w, plan, batch, t);

  ak_affine (plan, &(AkAffine){ .y = in,
                       .x = motion,
                       .sub = w->mean,
                       .mul = w->inverse_std,
                       .batch = batch,
                       .rows = t,
                       .cols = m });
  ak_blend (plan, &(AkBlend){ .y = in,
                      .a = in,
                      .b = positions,
                      .alpha = 1,
                      .beta = 1,
                      .batch = batch,
                      .rows = t,
                      .cols = m });
  ak_linear (plan, &(AkLinear){ .y = f.x,
                       .x = in,
                       .matrix = w->encoder.in,
                       .bias = w->encoder.in_bias,
                       .activation = AK_ACT_LEAKY_RELU,
                       .batch = batch,
                       .rows = t });
  for (unsigned i = 0; i < w->config->codec_depth; i++)
    record_block (w, plan, &w->encoder.blocks[i], &f, batch, t, 0, 0);
  ak_linear (plan, &(AkLinear){ .y = y,
                       .x = f.x,
                       .matrix = w->encoder.out,
                       .bias = w->encoder.out_bias,
                       .batch = batch,
                       .rows = t });
  am_tap (taps, plan, y, t, w->config->code_dim, "enc_out");
}

void
am_codec_decode (const AmCodec *w, AkPlan *plan, AkRows motion, AkRows past, AkRows now,
    size_t batch, AmTaps *taps)
{
  size_t t = w->config->frames, k = w->config->code_dim, m = w->config->motion_dim;
  unsigned depth = w->config->codec_depth;
  AkRows in = ak_dense (ak_plan_memory (plan, batch * 2 * t * k * sizeof (float)), 2 * t, k);
  AkRows positions = { w->decoder_positions, k, 0 };
  Flow f = flow_new (w, plan, batch, 2 * t);
  AkRows last = ak_from (f.x, t, 0);

  ak_blend (plan, &(AkBlend){ .y = in,
                      .a = past,
                      .b = positions,
                      .alpha = 1,
                      .beta = 1,
                      .batch = batch,
                      .rows = t,
                      .cols = k });
  ak_blend (plan, &(AkBlend){ .y = ak_from (in, t, 0),
                      .a = now,
                      .b = ak_from (positions, t, 0),
                      .alpha = 1,
                      .beta = 1,
                      .batch = batch,
                      .rows = t,
                      .cols = k });
  am_tap (taps, plan, in, 2 * t, k, "dec_in");
  ak_linear (plan, &(AkLinear){ .y = f.x,
                       .x = in,
                       .matrix = w->decoder.in,
                       .bias = w->decoder.in_bias,
                       .activation = AK_ACT_LEAKY_RELU,
                       .batch = batch,
                       .rows = 2 * t });
  for (unsigned i = 0; i < depth; i++) {
    am_tap (taps, plan, f.x, 2 * t, w->width, "dec_stream/%u", i);
    /* of the first half the last block's result is not wanted */
    record_block (
        w, plan, &w->decoder.blocks[i], &f, batch, 2 * t, t, i + 1 == depth && !taps ? t : 0);
  }
  am_tap (taps, plan, f.x, 2 * t, w->width, "dec_stream/%u", depth);
  ak_linear (plan, &(AkLinear){ .y = motion,
                       .x = last,
                       .matrix = w->decoder.out,
                       .bias = w->decoder.out_bias,
                       .batch = batch,
                       .rows = t });
  ak_affine (plan, &(AkAffine){ .y = motion,
                       .x = motion,
                       .mul = w->std,
                       .add = w->mean,
                       .batch = batch,
                       .rows = t,
                       .cols = m });
  am_tap (taps, plan, motion, t, m, "motion");
}
