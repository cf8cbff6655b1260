/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mimi.h"

#include <math.h>

#include "kernels/attention.h"
#include "kernels/codebook.h"
#include "kernels/conv.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/rotary.h"

#define EPS 1e-5f
#define ROTARY_BASE 10000
#define LEAST_USAGE 1e-5f /* of a codebook's vector */
#define DOWN_KERNEL 4
#define DOWN_STRIDE 2

typedef struct
{
  const AkMatrix *weight; /* [out][in][kernel] */
  const float *bias;
} Conv;

/* y = x + expand (ELU (reduce (ELU (x)))) */
typedef struct
{
  Conv reduce, expand;
} Block;

typedef struct
{
  const float *norm_weight, *norm_bias, *final_weight, *final_bias; /* [W] */
  const AkMatrix *qkv, *out;                                        /* [3 H D][W], [W][H D] */
  const AkMatrix *up, *down;                                        /* [F][W], [W][F] */
  float *scale, *final_scale;                                       /* [W] */
} Layer;

/* One branch of the quantiser: so many codebooks one after the other. */
typedef struct
{
  unsigned n;
  const AkMatrix *in, *out; /* [D][W], [W][D] */
  float **vectors;          /* n of [codebook_size][D] */
} Branch;

struct _AmMimi
{
  AmMimiConfig config;
  const AkMatrix *resampler;
  Conv first, last;
  Block *blocks; /* [stage][residual layer] */
  Conv conv[AM_MAX_CONVS];
  Layer *layers;
  const AkMatrix *down;
  Branch branch[2]; /* semantic, acoustic */
};

#define PREFIX "audio_encoder.acoustic_model."

gboolean
am_mimi_is_in (const AmWeights *weights)
{
  return am_weights_find (weights, PREFIX "downsample.conv.weight") != NULL;
}

/* Stages go through the ratios backwards; channels double from one to the next. */
static size_t
stride_of (const AmMimiConfig *c, unsigned stage)
{
  return c->ratios[c->n_ratios - 1 - stage];
}

static size_t
channels_of (const AmMimiConfig *c, unsigned stage)
{
  return (size_t) c->filters << stage;
}

static size_t
dilation_of (const AmMimiConfig *c, unsigned layer)
{
  size_t d = 1;

  while (layer--)
    d *= c->dilation_growth;
  return d;
}

/* The number of stage `s`'s first module; a stage is its blocks, an activation and a convolution. */
static unsigned
module_of (const AmMimiConfig *c, unsigned stage)
{
  return 1 + stage * (c->residual_layers + 2);
}

void
am_mimi_resample_kernel (double kernel[48])
{
  const double base = 2 * 0.99;

  for (int p = 0; p < 3; p++)
    for (int j = 0; j < 16; j++) {
      double t = CLAMP (((j - 7) / 2.0 - p / 3.0) * base, -6, 6), window = cos (G_PI * t / 12);

      kernel[16 * p + j] = window * window * (t == 0 ? 1 : sin (G_PI * t) / (G_PI * t)) * base / 2;
    }
}

static const AkMatrix *
load_resampler (AmPart *part)
{
  double kernel[48];
  float values[48];

  am_mimi_resample_kernel (kernel);
  for (int i = 0; i < 48; i++)
    values[i] = (float) kernel[i];
  return am_part_conv_values (part, values, 3, 1, 16, 1);
}

static Conv
load_conv (AmPart *part, size_t out, size_t in, size_t kernel, const char *name)
{
  return (Conv){
    .weight = am_part_conv (part, out, in, kernel, 1, PREFIX "encoder.layers.%s.conv.weight", name),
    .bias = am_part_vector (part, out, PREFIX "encoder.layers.%s.conv.bias", name),
  };
}

static void
load_convs (AmPart *part, AmMimi *w)
{
  const AmMimiConfig *c = &w->config;
  unsigned end = module_of (c, c->n_ratios);
  g_autofree char *last = g_strdup_printf ("%u", end + 1);

  w->first = load_conv (part, c->filters, 1, c->kernel, "0");
  w->blocks = g_new0 (Block, MAX (c->n_ratios * c->residual_layers, 1));
  for (unsigned s = 0; s < c->n_ratios; s++) {
    size_t channels = channels_of (c, s), inner = channels / c->compress;
    unsigned module = module_of (c, s);
    g_autofree char *conv = g_strdup_printf ("%u", module + c->residual_layers + 1);

    for (unsigned i = 0; i < c->residual_layers; i++) {
      Block *b = &w->blocks[s * c->residual_layers + i];
      g_autofree char *reduce = g_strdup_printf ("%u.block.1", module + i);
      g_autofree char *expand = g_strdup_printf ("%u.block.3", module + i);

      b->reduce = load_conv (part, inner, channels, c->residual_kernel, reduce);
      b->expand = load_conv (part, channels, inner, 1, expand);
    }
    w->conv[s] = load_conv (part, 2 * channels, channels, 2 * stride_of (c, s), conv);
  }
  w->last = load_conv (part, c->hidden, channels_of (c, c->n_ratios), c->last_kernel, last);
}

static void
load_layer (AmPart *part, const AmMimiConfig *c, Layer *l, unsigned i)
{
  static const char *const weights[] = { "q_proj.weight", "k_proj.weight", "v_proj.weight" };
  g_autofree char *p = g_strdup_printf (PREFIX "encoder_transformer.layers.%u.", i);
  g_autofree char *attention = g_strconcat (p, "self_attn.", NULL);
  size_t w = c->hidden, inner = (size_t) c->heads * c->head_dim;

  l->norm_weight = am_part_vector (part, w, "%sinput_layernorm.weight", p);
  l->norm_bias = am_part_vector (part, w, "%sinput_layernorm.bias", p);
  l->qkv = am_part_stack (part, inner, w, attention, weights, 3);
  l->out = am_part_matrix (part, w, inner, "%so_proj.weight", attention);
  l->scale = am_part_vector (part, w, "%sself_attn_layer_scale.scale", p);
  l->final_weight = am_part_vector (part, w, "%spost_attention_layernorm.weight", p);
  l->final_bias = am_part_vector (part, w, "%spost_attention_layernorm.bias", p);
  l->up = am_part_matrix (part, c->ffn, w, "%smlp.fc1.weight", p);
  l->down = am_part_matrix (part, w, c->ffn, "%smlp.fc2.weight", p);
  l->final_scale = am_part_vector (part, w, "%smlp_layer_scale.scale", p);
}

/* A codebook is kept as sums over what its vectors were learnt from, and how much that was. */
static float *
load_vectors (AmPart *part, const AmMimiConfig *c, const char *prefix, unsigned i)
{
  size_t size = c->codebook_size, dim = c->codebook_dim;
  g_autofree float *usage =
      am_part_host (part, size, "%slayers.%u.codebook.cluster_usage", prefix, i);
  g_autofree float *vectors =
      am_part_host (part, size * dim, "%slayers.%u.codebook.embed_sum", prefix, i);

  if (!usage || !vectors)
    return NULL;
  for (size_t j = 0; j < size * dim; j++)
    vectors[j] /= MAX (usage[j / dim], LEAST_USAGE);
  return am_part_values (part, vectors, size * dim);
}

static void
load_branch (AmPart *part, const AmMimiConfig *c, Branch *b, const char *name, unsigned n)
{
  g_autofree char *p = g_strdup_printf (PREFIX "quantizer.%s_residual_vector_quantizer.", name);

  b->n = n;
  if (n == 0)
    return;
  b->in = am_part_conv (part, c->codebook_dim, c->hidden, 1, 1, "%sinput_proj.weight", p);
  b->out = am_part_conv (part, c->hidden, c->codebook_dim, 1, 1, "%soutput_proj.weight", p);
  b->vectors = g_new0 (float *, n);
  for (unsigned i = 0; i < n; i++)
    b->vectors[i] = load_vectors (part, c, p, i);
}

AmMimi *
am_mimi_load (AmPart *part, const AmMimiConfig *config)
{
  AmMimi *w = g_new0 (AmMimi, 1);

  w->config = *config;
  w->resampler = load_resampler (part);
  load_convs (part, w);
  w->layers = g_new0 (Layer, MAX (config->layers, 1));
  for (unsigned i = 0; i < config->layers; i++)
    load_layer (part, config, &w->layers[i], i);
  w->down = am_part_conv (
      part, config->hidden, config->hidden, DOWN_KERNEL, 1, PREFIX "downsample.conv.weight");
  load_branch (part, config, &w->branch[0], "semantic", config->semantic);
  load_branch (part, config, &w->branch[1], "acoustic", config->quantizers - config->semantic);
  return w;
}

void
am_mimi_free (AmMimi *w)
{
  if (!w)
    return;
  for (unsigned i = 0; i < 2; i++)
    g_free (w->branch[i].vectors);
  g_free (w->blocks);
  g_free (w->layers);
  g_free (w);
}

size_t
am_mimi_resample_rows (size_t n)
{
  return (n + 1) / 2;
}

void
am_mimi_resample (AkPlan *plan, const AkMatrix *kernel, AkRows y, float *x, size_t batch, size_t n)
{
  ak_conv (plan, &(AkConv){ .y = y,
                     .x = ak_dense (x, n, 1),
                     .matrix = kernel,
                     .batch = batch,
                     .rows = n,
                     .stride = 2,
                     .dilation = 1,
                     .left = 7,
                     .right = 7 + n % 2 });
}

/* Padding on the right, so that no step is lost. */
static size_t
fill (size_t rows, size_t stride)
{
  return (stride - rows % stride) % stride;
}

/* A causal convolution of `rows` rows; returns the number of results. */
static size_t
record_causal (AkPlan *plan, const Conv *conv, AkRows y, AkRows x, size_t batch, size_t rows,
    size_t kernel, size_t stride, size_t dilation, AkActivation activation)
{
  ak_conv (plan, &(AkConv){ .y = y,
                     .x = x,
                     .matrix = conv->weight,
                     .bias = conv->bias,
                     .activation = activation,
                     .batch = batch,
                     .rows = rows,
                     .stride = stride,
                     .dilation = dilation,
                     .left = (kernel - 1) * dilation + 1 - stride,
                     .right = fill (rows, stride) });
  return (rows + stride - 1) / stride;
}

static void
record_elu (AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows, size_t cols)
{
  ak_activate (plan,
      &(AkActivate){
          .y = y, .x = x, .activation = AK_ACT_ELU, .batch = batch, .rows = rows, .cols = cols });
}

/* Taps of the modules begin where they have become small. */
static void
tap_module (AmTaps *taps, AkPlan *plan, AkRows from, size_t rows, size_t cols, unsigned module)
{
  if (module > 3)
    am_tap (taps, plan, from, rows, cols, "seanet_layer/%u", module);
}

/* x [batch][rows][1] at 24 kHz to y [batch][…][hidden]. */
static void
record_seanet (
    const AmMimi *w, AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows, AmTaps *taps)
{
  const AmMimiConfig *c = &w->config;
  size_t most = rows * c->filters, n = rows;
  float *a, *b, *inner;

  for (unsigned s = 0; s < c->n_ratios; s++) {
    n = (n + stride_of (c, s) - 1) / stride_of (c, s);
    most = MAX (most, n * channels_of (c, s + 1));
  }
  a = ak_plan_memory (plan, batch * most * sizeof *a);
  b = ak_plan_memory (plan, batch * most * sizeof *b);
  inner = ak_plan_memory (plan, batch * most / c->compress * sizeof *inner);
  record_causal (plan, &w->first, ak_dense (a, rows, c->filters), x, batch, rows, c->kernel, 1, 1,
      AK_ACT_NONE);
  for (unsigned s = 0; s < c->n_ratios; s++) {
    size_t channels = channels_of (c, s), stride = stride_of (c, s);
    unsigned module = module_of (c, s);
    AkRows h = ak_dense (a, rows, channels), e = ak_dense (b, rows, channels);
    AkRows m = ak_dense (inner, rows, channels / c->compress);
    float *swap = a;

    for (unsigned i = 0; i < c->residual_layers; i++) {
      const Block *block = &w->blocks[s * c->residual_layers + i];

      record_elu (plan, e, h, batch, rows, channels);
      record_causal (plan, &block->reduce, m, e, batch, rows, c->residual_kernel, 1,
          dilation_of (c, i), AK_ACT_ELU);
      ak_linear (plan, &(AkLinear){ .y = h,
                           .x = m,
                           .matrix = block->expand.weight,
                           .bias = block->expand.bias,
                           .residual = h,
                           .batch = batch,
                           .rows = rows });
      tap_module (taps, plan, h, rows, channels, module++);
    }
    record_elu (plan, h, h, batch, rows, channels);
    tap_module (taps, plan, h, rows, channels, module++);
    n = (rows + stride - 1) / stride;
    record_causal (plan, &w->conv[s], ak_dense (b, n, 2 * channels), h, batch, rows, 2 * stride,
        stride, 1, AK_ACT_NONE);
    rows = n;
    a = b;
    b = swap;
    tap_module (taps, plan, ak_dense (a, rows, 2 * channels), rows, 2 * channels, module);
  }
  {
    size_t channels = channels_of (c, c->n_ratios);
    unsigned module = module_of (c, c->n_ratios);
    AkRows h = ak_dense (a, rows, channels);

    record_elu (plan, h, h, batch, rows, channels);
    tap_module (taps, plan, h, rows, channels, module);
    record_causal (plan, &w->last, y, h, batch, rows, c->last_kernel, 1, 1, AK_ACT_NONE);
    tap_module (taps, plan, y, rows, c->hidden, module + 1);
  }
  am_tap (taps, plan, y, rows, c->hidden, "seanet");
}

/* The transformer over `rows` rows of h, in place. */
static void
record_transformer (
    const AmMimi *w, AkPlan *plan, AkRows h, size_t batch, size_t rows, AmTaps *taps)
{
  const AmMimiConfig *c = &w->config;
  size_t hidden = c->hidden, inner = (size_t) c->heads * c->head_dim, steps = batch * rows;
  AkRows g = ak_dense (ak_plan_memory (plan, steps * hidden * sizeof (float)), rows, hidden);
  AkRows qkv =
      ak_dense (ak_plan_memory (plan, steps * 3 * inner * sizeof (float)), rows, 3 * inner);
  AkRows seen = ak_dense (ak_plan_memory (plan, steps * inner * sizeof (float)), rows, inner);
  AkRows up = ak_dense (ak_plan_memory (plan, steps * c->ffn * sizeof (float)), rows, c->ffn);

  for (unsigned i = 0; i < c->layers; i++) {
    const Layer *l = &w->layers[i];

    ak_layer_norm (plan, &(AkLayerNorm){ .y = g,
                             .x = h,
                             .weight = l->norm_weight,
                             .bias = l->norm_bias,
                             .eps = EPS,
                             .batch = batch,
                             .rows = rows,
                             .cols = hidden });
    ak_linear (
        plan, &(AkLinear){ .y = qkv, .x = g, .matrix = l->qkv, .batch = batch, .rows = rows });
    ak_rotary (plan, &(AkRotary){ .y = qkv, /* queries and keys, which lie side by side */
                         .x = qkv,
                         .base = ROTARY_BASE,
                         .batch = batch,
                         .rows = rows,
                         .heads = 2 * (size_t) c->heads,
                         .dim = c->head_dim });
    ak_attention (
        plan, &(AkAttention){ .y = seen,
                  .q = qkv,
                  .keys = { { ak_from (qkv, 0, inner), ak_from (qkv, 0, 2 * inner), rows } },
                  .batch = batch,
                  .rows = rows,
                  .heads = c->heads,
                  .dim = c->head_dim,
                  .scale = 1 / sqrtf ((float) c->head_dim),
                  .window = c->window });
    ak_linear (plan, &(AkLinear){ .y = h,
                         .x = seen,
                         .matrix = l->out,
                         .gate = ak_same (l->scale),
                         .residual = h,
                         .batch = batch,
                         .rows = rows });
    ak_layer_norm (plan, &(AkLayerNorm){ .y = g,
                             .x = h,
                             .weight = l->final_weight,
                             .bias = l->final_bias,
                             .eps = EPS,
                             .batch = batch,
                             .rows = rows,
                             .cols = hidden });
    ak_linear (plan, &(AkLinear){ .y = up,
                         .x = g,
                         .matrix = l->up,
                         .activation = AK_ACT_GELU,
                         .batch = batch,
                         .rows = rows });
    ak_linear (plan, &(AkLinear){ .y = h,
                         .x = up,
                         .matrix = l->down,
                         .gate = ak_same (l->final_scale),
                         .residual = h,
                         .batch = batch,
                         .rows = rows });
    am_tap (taps, plan, h, rows, hidden, "layer/%u", i);
  }
}

/* x [batch][rows][hidden] to y: both branches start from it, their results are added. */
static void
record_quantizer (
    const AmMimi *w, AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows, AmTaps *taps)
{
  const AmMimiConfig *c = &w->config;
  size_t dim = c->codebook_dim, bytes = batch * rows * dim * sizeof (float);
  AkRows rest = ak_dense (ak_plan_memory (plan, bytes), rows, dim);
  AkRows sum = ak_dense (ak_plan_memory (plan, bytes), rows, dim);
  AkRows tap = am_tap_new (taps, plan, c->quantizers, rows, "codes");
  float *codes = ak_plan_memory (plan, batch * rows * sizeof *codes);
  size_t book = 0;

  for (unsigned i = 0; i < 2; i++) {
    const Branch *b = &w->branch[i];

    if (b->n == 0)
      continue;
    ak_linear (
        plan, &(AkLinear){ .y = rest, .x = x, .matrix = b->in, .batch = batch, .rows = rows });
    for (unsigned j = 0; j < b->n; j++) {
      ak_nearest (plan, &(AkNearest){ .x = rest,
                            .sum = sum,
                            .codes = codes,
                            .vectors = b->vectors[j],
                            .accumulate = j > 0,
                            .batch = batch,
                            .rows = rows,
                            .size = c->codebook_size,
                            .dim = dim });
      am_tap_rows (plan, tap, book++, ak_dense (codes, 1, rows), 1, rows);
    }
    ak_linear (plan, &(AkLinear){ .y = y,
                         .x = sum,
                         .matrix = b->out,
                         .residual = book > b->n ? y : (AkRows){ 0 },
                         .batch = batch,
                         .rows = rows });
  }
}

void
am_mimi_record (
    const AmMimi *w, AkPlan *plan, AkRows y, float *x, size_t batch, size_t samples, AmTaps *taps)
{
  const AmMimiConfig *c = &w->config;
  size_t rows = am_mimi_resample_rows (samples), n = (3 * samples + 1) / 2, hidden = c->hidden;
  size_t left = DOWN_KERNEL - DOWN_STRIDE, right, steps = n;
  float *sound = ak_plan_memory (plan, batch * rows * 3 * sizeof *sound);
  AkRows resampled = { sound, 1, 3 * rows }, padded, h, latent;

  for (unsigned s = 0; s < c->n_ratios; s++)
    steps = (steps + stride_of (c, s) - 1) / stride_of (c, s);
  right = fill (steps, DOWN_STRIDE);
  padded =
      ak_dense (ak_plan_memory (plan, batch * (left + steps + right) * hidden * sizeof (float)),
          left + steps + right, hidden);
  h = ak_from (padded, left, 0);
  am_mimi_resample (plan, w->resampler, ak_dense (sound, rows, 3), x, batch, samples);
  am_tap (taps, plan, resampled, n, 1, "resampled");
  record_seanet (w, plan, h, resampled, batch, n, taps);
  record_transformer (w, plan, h, batch, steps, taps);
  /* the last convolution's padding repeats what is at the edge */
  ak_copy (plan, padded, (AkRows){ h.data, 0, h.batch }, batch, left, hidden);
  if (right)
    ak_copy (plan, ak_from (h, steps, 0), (AkRows){ ak_from (h, steps - 1, 0).data, 0, h.batch },
        batch, right, hidden);
  steps = (steps + right) / DOWN_STRIDE;
  latent = ak_dense (ak_plan_memory (plan, batch * steps * hidden * sizeof (float)), steps, hidden);
  ak_conv (plan, &(AkConv){ .y = latent,
                     .x = padded,
                     .matrix = w->down,
                     .batch = batch,
                     .rows = left + (steps * DOWN_STRIDE),
                     .stride = DOWN_STRIDE,
                     .dilation = 1 });
  am_tap (taps, plan, latent, steps, hidden, "latent");
  record_quantizer (w, plan, y, latent, batch, steps, taps);
  am_tap (taps, plan, y, steps, hidden, "final");
}
