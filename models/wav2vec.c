/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wav2vec.h"

#include <math.h>

#include "kernels/attention.h"
#include "kernels/conv.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

#define EPS 1e-5f

typedef struct
{
  const AkMatrix *weight; /* [out][in][kernel] */
  const float *bias, *norm_weight, *norm_bias;
} Conv;

typedef struct
{
  const float *norm_weight, *norm_bias, *final_weight, *final_bias; /* [W] */
  const AkMatrix *qkv;                                              /* [3W][W] */
  const float *qkv_bias;
  const AkMatrix *out; /* [W][W] */
  const float *out_bias;
  const AkMatrix *up, *down; /* [F][W], [W][F] */
  const float *up_bias, *down_bias;
} Layer;

struct _AmWav2vec
{
  AmWav2vecConfig config;
  Conv conv[AM_MAX_CONVS];
  const float *projection_norm_weight, *projection_norm_bias; /* [C] */
  const AkMatrix *projection;                                 /* [W][C] */
  const float *projection_bias;
  const AkMatrix *position; /* [W][W / groups][kernel] */
  const float *position_bias;
  Layer *layers;
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
load_layer (AmPart *part, const AmWav2vecConfig *c, Layer *l, unsigned i)
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
  w->layers = g_new0 (Layer, config->layers);
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
  size_t dim = hidden / c->heads;
  AkRows conv = record_convs (w, plan, ak_dense (samples, n_samples, 1), batch, &steps);
  size_t bytes = batch * steps * hidden * sizeof (float);
  AkRows h = ak_dense (ak_plan_memory (plan, bytes), steps, hidden);
  AkRows g = ak_dense (ak_plan_memory (plan, bytes), steps, hidden);
  AkRows qkv = ak_dense (ak_plan_memory (plan, 3 * bytes), steps, 3 * hidden);
  AkRows up =
      ak_dense (ak_plan_memory (plan, batch * steps * c->ffn * sizeof (float)), steps, c->ffn);
  AkRows kept;

  am_tap (taps, plan, conv, steps, channels, "conv");
  ak_layer_norm (plan, &(AkLayerNorm){ .y = conv,
                           .x = conv,
                           .weight = w->projection_norm_weight,
                           .bias = w->projection_norm_bias,
                           .eps = EPS,
                           .batch = batch,
                           .rows = steps,
                           .cols = channels });
  ak_linear (plan, &(AkLinear){ .y = g,
                       .x = conv,
                       .matrix = w->projection,
                       .bias = w->projection_bias,
                       .batch = batch,
                       .rows = steps });
  am_tap (taps, plan, g, steps, hidden, "proj");
  /* an even kernel would give one step more: it is dropped */
  ak_conv (plan, &(AkConv){ .y = h,
                     .x = g,
                     .matrix = w->position,
                     .bias = w->position_bias,
                     .activation = AK_ACT_GELU,
                     .residual = g,
                     .batch = batch,
                     .rows = steps,
                     .stride = 1,
                     .dilation = 1,
                     .left = c->pos_kernel / 2,
                     .right = c->pos_kernel / 2 - (c->pos_kernel % 2 == 0) });
  am_tap (taps, plan, h, steps, hidden, "posconv");
  for (unsigned i = 0; i < c->layers; i++) {
    const Layer *l = &w->layers[i];

    ak_layer_norm (plan, &(AkLayerNorm){ .y = g,
                             .x = h,
                             .weight = l->norm_weight,
                             .bias = l->norm_bias,
                             .eps = EPS,
                             .batch = batch,
                             .rows = steps,
                             .cols = hidden });
    ak_linear (plan, &(AkLinear){ .y = qkv,
                         .x = g,
                         .matrix = l->qkv,
                         .bias = l->qkv_bias,
                         .batch = batch,
                         .rows = steps });
    ak_attention (
        plan, &(AkAttention){ .y = g,
                  .q = qkv,
                  .keys = { { ak_from (qkv, 0, hidden), ak_from (qkv, 0, 2 * hidden), steps } },
                  .batch = batch,
                  .rows = steps,
                  .heads = c->heads,
                  .dim = dim,
                  .scale = 1 / sqrtf ((float) dim) });
    ak_linear (plan, &(AkLinear){ .y = h,
                         .x = g,
                         .matrix = l->out,
                         .bias = l->out_bias,
                         .residual = h,
                         .batch = batch,
                         .rows = steps });
    ak_layer_norm (plan, &(AkLayerNorm){ .y = g,
                             .x = h,
                             .weight = l->final_weight,
                             .bias = l->final_bias,
                             .eps = EPS,
                             .batch = batch,
                             .rows = steps,
                             .cols = hidden });
    ak_linear (plan, &(AkLinear){ .y = up,
                         .x = g,
                         .matrix = l->up,
                         .bias = l->up_bias,
                         .activation = AK_ACT_GELU,
                         .batch = batch,
                         .rows = steps });
    ak_linear (plan, &(AkLinear){ .y = h,
                         .x = up,
                         .matrix = l->down,
                         .bias = l->down_bias,
                         .residual = h,
                         .batch = batch,
                         .rows = steps });
    am_tap (taps, plan, h, steps, hidden, "layer/%u", i);
  }
  kept = ak_from (h, first, 0);
  ak_layer_norm (plan, &(AkLayerNorm){ .y = y,
                           .x = kept,
                           .weight = w->norm_weight,
                           .bias = w->norm_bias,
                           .eps = EPS,
                           .batch = batch,
                           .rows = count,
                           .cols = hidden });
  am_tap (taps, plan, y, count, hidden, "final");
}
