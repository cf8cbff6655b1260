/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mimi.h"

#include "block.h"
#include "kernels/codebook.h"
#include "kernels/conv.h"
#include "kernels/linear.h"
#include "seanet.h"

#define EPS 1e-5f
#define ROTARY_BASE 10000
#define LEAST_USAGE 1e-5f /* of a codebook's vector */
#define DOWN_KERNEL 4
#define DOWN_STRIDE 2

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
  AmSeanet *seanet;
  AmBlock *layers;
  const AkMatrix *down;
  Branch branch[2]; /* semantic, acoustic */
};

#define PREFIX "audio_encoder.acoustic_model."

gboolean
am_mimi_is_in (const AmWeights *weights)
{
  return am_weights_find (weights, PREFIX "downsample.conv.weight") != NULL;
}

static void
load_layer (AmPart *part, const AmMimiConfig *c, AmBlock *l, unsigned i)
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
  w->seanet = am_seanet_load (part, config);
  w->layers = g_new0 (AmBlock, MAX (config->layers, 1));
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
  am_seanet_free (w->seanet);
  g_free (w->layers);
  g_free (w);
}

/* The transformer over `rows` rows of h, in place. */
static void
record_transformer (
    const AmMimi *w, AkPlan *plan, AkRows h, size_t batch, size_t rows, AmTaps *taps)
{
  const AmMimiConfig *c = &w->config;
  AmBlocks b = { .x = h,
    .batch = batch,
    .rows = rows,
    .width = c->hidden,
    .heads = c->heads,
    .dim = c->head_dim,
    .eps = EPS,
    .rotary_base = ROTARY_BASE,
    .window = c->window };

  am_blocks_scratch (&b, plan, c->ffn);
  for (unsigned i = 0; i < c->layers; i++) {
    am_block_record (&w->layers[i], plan, &b);
    am_tap (taps, plan, h, rows, c->hidden, "layer/%u", i);
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
  size_t hidden = c->hidden, steps = am_config_seanet_steps (c, samples);
  size_t left = DOWN_KERNEL - DOWN_STRIDE, right = am_seanet_fill (steps, DOWN_STRIDE);
  AkRows padded, h, latent;

  padded =
      ak_dense (ak_plan_memory (plan, batch * (left + steps + right) * hidden * sizeof (float)),
          left + steps + right, hidden);
  h = ak_from (padded, left, 0);
  am_seanet_record (w->seanet, plan, h, x, batch, samples, taps);
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
