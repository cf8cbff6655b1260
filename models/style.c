/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "style.h"

#include <math.h>

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "motion.h"

#define EPS 1e-5f

typedef struct
{
  const AkMatrix *qkv, *out, *up, *down; /* [3S][S], [S][S], [F][S], [S][F] */
  const float *qkv_bias, *out_bias, *up_bias, *down_bias;
  const float *norm1_weight, *norm1_bias, *norm2_weight, *norm2_bias; /* [S] */
} Layer;

struct _AmStyle
{
  const AmConfig *config;
  const float *mean, *inverse_std; /* [motion_dim] */
  const AkMatrix *in;              /* [S][motion_dim] */
  const float *in_bias;            /* with the position's row added */
  Layer *layers;
  const AkMatrix *embed; /* [A][S] */
  const float *embed_bias;
};

/* Row AM_STYLE_FRAMES of the positional table is added to every step (as trained), so it is part of the
 * projection's bias. */
static float *
load_bias (AmPart *part, size_t width)
{
  const AmTensor *t = am_weights_find (am_part_weights (part), "style_encoder.PE.pe");
  g_autofree float *bias = am_part_host (part, width, "style_encoder.encoder.motion_proj.bias");
  g_autofree float *table = am_part_host (part, t && t->n ? t->n : width, "style_encoder.PE.pe");
  size_t row = (size_t) AM_STYLE_FRAMES * width;

  if (!bias || !table)
    return NULL;
  if (t->n % width || t->n < row + width) {
    g_free (am_part_host (part, row + width, "style_encoder.PE.pe")); /* says so */
    return NULL;
  }
  for (size_t i = 0; i < width; i++)
    bias[i] += table[row + i];
  return am_part_values (part, bias, width);
}

AmStyle *
am_style_network_load (AmPart *part, const AmConfig *config)
{
  AmStyle *w = g_new0 (AmStyle, 1);
  size_t s = config->style_width, m = config->motion_dim;
  g_autofree float *std = am_part_host (part, m, "style_encoder.motion_std");

  w->config = config;
  w->mean = am_part_vector (part, m, "style_encoder.motion_mean");
  for (size_t i = 0; std && i < m; i++)
    std[i] = 1 / std[i];
  w->inverse_std = am_part_values (part, std, m);
  w->in = am_part_matrix (part, s, m, "style_encoder.encoder.motion_proj.weight");
  w->in_bias = load_bias (part, s);
  w->layers = g_new0 (Layer, config->style_layers);
  for (unsigned i = 0; i < config->style_layers; i++) {
    g_autofree char *p = g_strdup_printf ("style_encoder.encoder.transformer.layers.%u.", i);
    Layer *l = &w->layers[i];

    l->qkv = am_part_matrix (part, 3 * s, s, "%sself_attn.in_proj_weight", p);
    l->qkv_bias = am_part_vector (part, 3 * s, "%sself_attn.in_proj_bias", p);
    l->out = am_part_matrix (part, s, s, "%sself_attn.out_proj.weight", p);
    l->out_bias = am_part_vector (part, s, "%sself_attn.out_proj.bias", p);
    l->up = am_part_matrix (part, config->style_ffn, s, "%slinear1.weight", p);
    l->up_bias = am_part_vector (part, config->style_ffn, "%slinear1.bias", p);
    l->down = am_part_matrix (part, s, config->style_ffn, "%slinear2.weight", p);
    l->down_bias = am_part_vector (part, s, "%slinear2.bias", p);
    l->norm1_weight = am_part_vector (part, s, "%snorm1.weight", p);
    l->norm1_bias = am_part_vector (part, s, "%snorm1.bias", p);
    l->norm2_weight = am_part_vector (part, s, "%snorm2.weight", p);
    l->norm2_bias = am_part_vector (part, s, "%snorm2.bias", p);
  }
  w->embed = am_part_matrix (part, config->ar_width, s, "style_cond_embed.weight");
  w->embed_bias = am_part_vector (part, config->ar_width, "style_cond_embed.bias");
  return w;
}

void
am_style_network_free (AmStyle *w)
{
  if (!w)
    return;
  g_free (w->layers);
  g_free (w);
}

void
am_style_network_record (const AmStyle *w, AkPlan *plan, AkRows y, AkRows clip, size_t batch,
    size_t frames, AmTaps *taps)
{
  const AmConfig *c = w->config;
  size_t s = c->style_width, m = c->motion_dim, n = batch * frames * sizeof (float);
  unsigned heads = c->style_heads;
  AkRows in = ak_dense (ak_plan_memory (plan, n * m), frames, m);
  AkRows x = ak_dense (ak_plan_memory (plan, n * s), frames, s);
  AkRows h = ak_dense (ak_plan_memory (plan, n * s), frames, s);
  AkRows qkv = ak_dense (ak_plan_memory (plan, n * 3 * s), frames, 3 * s);
  AkRows up = ak_dense (ak_plan_memory (plan, n * c->style_ffn), frames, c->style_ffn);
  AkRows mean = ak_dense (ak_plan_memory (plan, batch * s * sizeof (float)), 1, s);

  ak_affine (plan, &(AkAffine){ .y = in,
                       .x = clip,
                       .sub = w->mean,
                       .mul = w->inverse_std,
                       .batch = batch,
                       .rows = frames,
                       .cols = m });
  ak_linear (plan,
      &(AkLinear){
          .y = x, .x = in, .matrix = w->in, .bias = w->in_bias, .batch = batch, .rows = frames });
  for (unsigned i = 0; i < c->style_layers; i++) {
    const Layer *l = &w->layers[i];

    ak_linear (plan, &(AkLinear){ .y = qkv,
                         .x = x,
                         .matrix = l->qkv,
                         .bias = l->qkv_bias,
                         .batch = batch,
                         .rows = frames });
    ak_attention (plan, &(AkAttention){ .y = h,
                            .q = qkv,
                            .keys = { { ak_from (qkv, 0, s), ak_from (qkv, 0, 2 * s), frames } },
                            .batch = batch,
                            .rows = frames,
                            .heads = heads,
                            .dim = s / heads,
                            .scale = 1 / sqrtf ((float) (s / heads)),
                            .like = l->qkv });
    ak_linear (plan, &(AkLinear){ .y = x,
                         .x = h,
                         .matrix = l->out,
                         .bias = l->out_bias,
                         .residual = x,
                         .batch = batch,
                         .rows = frames });
    ak_layer_norm (plan, &(AkLayerNorm){ .y = x,
                             .x = x,
                             .weight = l->norm1_weight,
                             .bias = l->norm1_bias,
                             .eps = EPS,
                             .batch = batch,
                             .rows = frames,
                             .cols = s });
    ak_linear (plan, &(AkLinear){ .y = up,
                         .x = x,
                         .matrix = l->up,
                         .bias = l->up_bias,
                         .activation = AK_ACT_GELU,
                         .batch = batch,
                         .rows = frames });
    ak_linear (plan, &(AkLinear){ .y = x,
                         .x = up,
                         .matrix = l->down,
                         .bias = l->down_bias,
                         .residual = x,
                         .batch = batch,
                         .rows = frames });
    ak_layer_norm (plan, &(AkLayerNorm){ .y = x,
                             .x = x,
                             .weight = l->norm2_weight,
                             .bias = l->norm2_bias,
                             .eps = EPS,
                             .batch = batch,
                             .rows = frames,
                             .cols = s });
  }
  ak_mean (plan, &(AkMean){ .y = mean, .x = x, .batch = batch, .rows = frames, .cols = s });
  am_tap (taps, plan, mean, 1, s, "style/encoded");
  ak_linear (plan, &(AkLinear){ .y = y,
                       .x = mean,
                       .matrix = w->embed,
                       .bias = w->embed_bias,
                       .batch = batch,
                       .rows = 1 });
  am_tap (taps, plan, y, 1, c->ar_width, "style/embedded");
}
