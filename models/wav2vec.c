/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wav2vec.h"

#include <math.h>

#include "block.h"
#include "kernels/conv.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

#define EPS 1e-5f

typedef struct
{
  const AkMatrix *weight; /* [out][in][kernel] */
  const float *bias, *norm_weight, *norm_bias;
} Conv;

struct _AmWav2vec
{
  AmWav2vecConfig config;
  Conv conv[AM_MAX_CONVS];
  const float *projection_norm_weight, *projection_norm_bias; /* [C] */
  const AkMatrix *projection;                                 /* [W][C] */
  const float *projection_bias;
  const AkMatrix *position; /* [W][W / groups][kernel] */
  const float *position_bias;
  AmBlock *layers;
  const float *norm_weight, *norm_bias; /* [W] */
};

#define PREFIX "audio_encoder."
#define POSITION PREFIX "encoder.pos_conv_embed.conv."

void
am_wav2vec_normalise (float *v, const float *g, size_t rows, size_t kernel)
{
  g_autofree double *scale = g_new0 (double, kernel);

  for (size_t r = 0; r < rows; r++)
    for (size_t j = 0; j < kernel; j++)
      scale[j] += (double) v[r * kernel + j] * v[r * kernel + j];
  for (size_t j = 0; j < kernel; j++)
    scale[j] = g[j] / sqrt (scale[j]);
  for (size_t r = 0; r < rows; r++)
    for (size_t j = 0; j < kernel; j++)
      v[r * kernel + j] = (float) (v[r * kernel + j] * scale[j]);
}

static const AkMatrix *
load_position (AmPart *part, const AmWav2vecConfig *c)
{
  gboolean old =
      am_part_has (part, POSITION "weight_g"); /* as torch wrote it before parametrizations */
  const char *g_name = old ? "weight_g" : "parametrizations.weight.original0";
  const char *v_name = old ? "weight_v" : "parametrizations.weight.original1";
  size_t rows = (size_t) c->hidden * (c->hidden / c->pos_groups), k = c->pos_kernel;
  g_autofree float *g = am_part_host (part, k, POSITION "%s", g_name);
  g_autofree float *v = am_part_host (part, rows * k, POSITION "%s", v_name);

  if (!g || !v)
    return NULL;
  am_wav2vec_normalise (v, g, rows, k);
  return am_part_conv_values (part, v, c->hidden, c->hidden, k, c->pos_groups, TRUE);
}

static void
load_layer (AmPart *part, const AmWav2vecConfig *c, AmBlock *l, unsigned i)
{
  static const char *const weights[] = { "q_proj.weight", "k_proj.weight", "v_proj.weight" };
  static const char *const biases[] = { "q_proj.bias", "k_proj.bias", "v_proj.bias" };
  g_autofree char *p = g_strdup_printf (PREFIX "encoder.layers.%u.", i);
  g_autofree char *attention = g_strconcat (p, "attention.", NULL);
  size_t w = c->hidden;

  l->norm_weight = am_part_vector (part, w, "%slayer_norm.weight", p);
  l->norm_bias = am_part_vector (part, w, "%slayer_norm.bias", p);
  l->qkv = am_part_stack (part, w, w, attention, weights, 3);
  l->qkv_bias = am_part_vectors (part, w, attention, biases, 3);
  l->out = am_part_matrix (part, w, w, "%sattention.out_proj.weight", p);
  l->out_bias = am_part_vector (part, w, "%sattention.out_proj.bias", p);
  l->final_weight = am_part_vector (part, w, "%sfinal_layer_norm.weight", p);
  l->final_bias = am_part_vector (part, w, "%sfinal_layer_norm.bias", p);
  l->up = am_part_matrix (part, c->ffn, w, "%sfeed_forward.intermediate_dense.weight", p);
  l->up_bias = am_part_vector (part, c->ffn, "%sfeed_forward.intermediate_dense.bias", p);
  l->down = am_part_matrix (part, w, c->ffn, "%sfeed_forward.output_dense.weight", p);
  l->down_bias = am_part_vector (part, w, "%sfeed_forward.output_dense.bias", p);
}

AmWav2vec *
am_wav2vec_load (AmPart *part, const AmWav2vecConfig *config)
{
  AmWav2vec *w = g_new0 (AmWav2vec, 1);
  size_t channels = 1, hidden = config->hidden;

  w->config = *config;
  for (unsigned i = 0; i < config->n_convs; i++) {
    g_autofree char *p = g_strdup_printf (PREFIX "feature_extractor.conv_layers.%u.", i);
    size_t out = config->conv_dim[i];

    w->conv[i].weight =
        am_part_conv (part, out, channels, config->conv_kernel[i], 1, "%sconv.weight", p);
    w->conv[i].bias = am_part_vector (part, out, "%sconv.bias", p);
    w->conv[i].norm_weight = am_part_vector (part, out, "%slayer_norm.weight", p);
    w->conv[i].norm_bias = am_part_vector (part, out, "%slayer_norm.bias", p);
    channels = out;
  }
  w->projection_norm_weight =
      am_part_vector (part, channels, PREFIX "feature_projection.layer_norm.weight");
  w->projection_norm_bias =
      am_part_vector (part, channels, PREFIX "feature_projection.layer_norm.bias");
  w->projection =
      am_part_matrix (part, hidden, channels, PREFIX "feature_projection.projection.weight");
  w->projection_bias = am_part_vector (part, hidden, PREFIX "feature_projection.projection.bias");
  w->position = load_position (part, config);
  w->position_bias = am_part_vector (part, hidden, POSITION "bias");
  w->layers = g_new0 (AmBlock, config->layers);
  for (unsigned i = 0; i < config->layers; i++)
    load_layer (part, config, &w->layers[i], i);
  w->norm_weight = am_part_vector (part, hidden, PREFIX "encoder.layer_norm.weight");
  w->norm_bias = am_part_vector (part, hidden, PREFIX "encoder.layer_norm.bias");
  return w;
}

void
am_wav2vec_free (AmWav2vec *w)
{
  if (!w)
    return;
  g_free (w->layers);
  g_free (w);
}

/* x: [batch][samples] -> [batch][*steps][C of the last]. */
static AkRows
record_convs (const AmWav2vec *w, AkPlan *plan, AkRows x, size_t batch, size_t *steps)
{
  const AmWav2vecConfig *c = &w->config;
  float *buffer[2] = { NULL, NULL };
  size_t size[2] = { 0, 0 }, rows = *steps;

  for (unsigned i = 0; i < c->n_convs; i++) {
    rows = ak_conv_rows (rows, c->conv_kernel[i], c->conv_stride[i], 1, 0, 0);
    size[i % 2] = MAX (size[i % 2], batch * rows * c->conv_dim[i]);
  }
  for (unsigned i = 0; i < 2; i++)
    buffer[i] = ak_plan_memory (plan, size[i] * sizeof (float));
  rows = *steps;
  for (unsigned i = 0; i < c->n_convs; i++) {
    size_t results = ak_conv_rows (rows, c->conv_kernel[i], c->conv_stride[i], 1, 0, 0);
    AkRows y = ak_dense (buffer[i % 2], results, c->conv_dim[i]);

    ak_conv (plan, &(AkConv){ .y = y,
                       .x = x,
                       .matrix = w->conv[i].weight,
                       .bias = w->conv[i].bias,
                       .batch = batch,
                       .rows = rows,
                       .stride = c->conv_stride[i],
                       .dilation = 1 });
    ak_layer_norm (plan, &(AkLayerNorm){ .y = y,
                             .x = y,
                             .weight = w->conv[i].norm_weight,
                             .bias = w->conv[i].norm_bias,
                             .eps = EPS,
                             .activation = AK_ACT_GELU,
                             .batch = batch,
                             .rows = results,
                             .cols = c->conv_dim[i] });
    x = y;
    rows = results;
  }
  *steps = rows;
  return x;
}

void
am_wav2vec_record (const AmWav2vec *w, AkPlan *plan, AkRows y, float *samples, size_t batch,
    size_t n_samples, size_t first, size_t count, AmTaps *taps)
{
  const AmWav2vecConfig *c = &w->config;
  size_t steps = n_samples, channels = c->conv_dim[c->n_convs - 1], hidden = c->hidden;
  AkRows conv = record_convs (w, plan, ak_dense (samples, n_samples, 1), batch, &steps);
  AmBlocks b = { .batch = batch,
    .rows = steps,
    .width = hidden,
    .heads = c->heads,
    .dim = hidden / c->heads,
    .eps = EPS };

  am_blocks_scratch (&b, plan, c->ffn);
  b.x = ak_dense (ak_plan_memory (plan, batch * steps * hidden * sizeof (float)), steps, hidden);
  am_tap (taps, plan, conv, steps, channels, "conv");
  ak_layer_norm (plan, &(AkLayerNorm){ .y = conv,
                           .x = conv,
                           .weight = w->projection_norm_weight,
                           .bias = w->projection_norm_bias,
                           .eps = EPS,
                           .batch = batch,
                           .rows = steps,
                           .cols = channels });
  ak_linear (plan, &(AkLinear){ .y = b.h,
                       .x = conv,
                       .matrix = w->projection,
                       .bias = w->projection_bias,
                       .batch = batch,
                       .rows = steps });
  am_tap (taps, plan, b.h, steps, hidden, "proj");
  /* an even kernel would give one step more: it is dropped */
  ak_conv (plan, &(AkConv){ .y = b.x,
                     .x = b.h,
                     .matrix = w->position,
                     .bias = w->position_bias,
                     .activation = AK_ACT_GELU,
                     .residual = b.h,
                     .batch = batch,
                     .rows = steps,
                     .stride = 1,
                     .dilation = 1,
                     .left = c->pos_kernel / 2,
                     .right = c->pos_kernel / 2 - (c->pos_kernel % 2 == 0) });
  am_tap (taps, plan, b.x, steps, hidden, "posconv");
  for (unsigned i = 0; i < c->layers; i++) {
    if (i + 1 < c->layers || taps)
      am_block_record (&w->layers[i], plan, &b);
    else /* of the last one no more is read below */
      am_block_record_rows (&w->layers[i], plan, &b, first, count);
    am_tap (taps, plan, b.x, steps, hidden, "layer/%u", i);
  }
  ak_layer_norm (plan, &(AkLayerNorm){ .y = y,
                           .x = ak_from (b.x, first, 0),
                           .weight = w->norm_weight,
                           .bias = w->norm_bias,
                           .eps = EPS,
                           .batch = batch,
                           .rows = count,
                           .cols = hidden });
  am_tap (taps, plan, y, count, hidden, "final");
}
