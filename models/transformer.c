/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transformer.h"

#include <math.h>
#include <string.h>

#include "bsq.h"
#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/resize.h"

#define EPS 1e-6f

typedef struct
{
  const AkMatrix *query, *key_value, *proj; /* [A][A], [2A][A], [A][A] */
  const float *query_bias, *key_value_bias, *proj_bias;
  const float *factor;       /* [heads], multiplies the queries */
  const AkMatrix *up, *down; /* [4A][A], [A][4A] */
  const float *up_bias, *down_bias;
  const AkMatrix *modulation; /* [6A][W]: g1 g2 s1 s2 b1 b2 */
  const float *modulation_bias;
} Layer;

struct _AmTransformer
{
  const AmConfig *config;
  float *positions, *past_positions; /* [L][A], [R · L][A]: level plus position */
  const AkMatrix *embed;             /* [A][K] */
  const float *embed_bias;
  Layer *layers;
  const AkMatrix *head_modulation; /* [2A][W]: s b */
  const float *head_modulation_bias;
  const AkMatrix *head; /* [2K][A] */
  const float *head_bias;
};

/* level + position for `repeat` times L rows. */
static float *
load_positions (AmPart *part, const AmConfig *c, const char *name, size_t repeat)
{
  size_t a = c->ar_width, rows = repeat * c->tokens;
  g_autofree float *level = am_part_host (part, c->n_scales * a, "lvl_embed.weight");
  g_autofree float *positions = am_part_host (part, rows * a, "%s", name);

  if (!level || !positions)
    return NULL;
  for (size_t r = 0; r < rows; r++) {
    unsigned s = 0;

    while (s + 1 < c->n_scales && r % c->tokens >= am_bsq_first (c, s + 1))
      s++;
    for (size_t i = 0; i < a; i++)
      positions[r * a + i] += level[s * a + i];
  }
  return am_part_values (part, positions, rows * a);
}

static void
load_layer (AmPart *part, const AmConfig *c, Layer *l, unsigned i)
{
  static const char *const weights[] = { "key.weight", "value.weight" };
  static const char *const biases[] = { NULL, "value.bias" };
  g_autofree char *p = g_strdup_printf ("attn_blocks.%u.", i);
  g_autofree char *attn = g_strconcat (p, "attn.", NULL);
  g_autofree float *factor = am_part_host (part, c->ar_heads, "%sscale_mul_1H11", attn);
  size_t a = c->ar_width;

  for (unsigned h = 0; factor && h < c->ar_heads; h++)
    factor[h] = expf (fminf (factor[h], logf (100)));
  l->factor = am_part_values (part, factor, c->ar_heads);
  l->query = am_part_matrix (part, a, a, "%squery.weight", attn);
  l->query_bias = am_part_vector (part, a, "%squery.bias", attn);
  l->key_value = am_part_stack (part, a, a, attn, weights, 2);
  l->key_value_bias = am_part_vectors (part, a, attn, biases, 2);
  l->proj = am_part_matrix (part, a, a, "%sproj.weight", attn);
  l->proj_bias = am_part_vector (part, a, "%sproj.bias", attn);
  l->up = am_part_matrix (part, 4 * a, a, "%sffn.0.weight", p);
  l->up_bias = am_part_vector (part, 4 * a, "%sffn.0.bias", p);
  l->down = am_part_matrix (part, a, 4 * a, "%sffn.2.weight", p);
  l->down_bias = am_part_vector (part, a, "%sffn.2.bias", p);
  l->modulation = am_part_matrix (part, 6 * a, c->audio_width, "%sada_lin.1.weight", p);
  l->modulation_bias = am_part_vector (part, 6 * a, "%sada_lin.1.bias", p);
}

AmTransformer *
am_transformer_load (AmPart *part, const AmConfig *config)
{
  AmTransformer *w = g_new0 (AmTransformer, 1);
  size_t a = config->ar_width, k = config->code_dim;

  w->config = config;
  w->positions = load_positions (part, config, "pos_embed", 1);
  w->past_positions = load_positions (part, config, "prev_pos_embed", config->prev_ratio);
  w->embed = am_part_matrix (part, a, k, "vqfeat_embed.weight");
  w->embed_bias = am_part_vector (part, a, "vqfeat_embed.bias");
  w->layers = g_new0 (Layer, config->ar_depth);
  for (unsigned i = 0; i < config->ar_depth; i++)
    load_layer (part, config, &w->layers[i], i);
  w->head_modulation =
      am_part_matrix (part, 2 * a, config->audio_width, "cond_logits_head.ada_lin.1.weight");
  w->head_modulation_bias = am_part_vector (part, 2 * a, "cond_logits_head.ada_lin.1.bias");
  w->head = am_part_matrix (part, 2 * k, a, "logits_head.weight");
  w->head_bias = am_part_vector (part, 2 * k, "logits_head.bias");
  return w;
}

void
am_transformer_free (AmTransformer *w)
{
  if (!w)
    return;
  g_free (w->layers);
  g_free (w);
}

void
am_transformer_embed (
    const AmTransformer *w, AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows)
{
  ak_linear (plan, &(AkLinear){ .y = y,
                       .x = x,
                       .matrix = w->embed,
                       .bias = w->embed_bias,
                       .batch = batch,
                       .rows = rows });
}

/* A layer's part of the chunk that lasts over the scales. */
typedef struct
{
  AkRows modulation; /* [scale][batch][tokens of the scale][6A] */
  AkRows past, own;  /* [batch][R · L][2A], [batch][L][2A]: keys | values */
  AkRows tap;
} LayerState;

typedef struct
{
  const AmTransformer *w;
  AkPlan *plan;
  const AmChunk *chunk;
  LayerState *layers;
  AkRows head_modulation;             /* [scale][batch][tokens of the scale][2A] */
  AkRows key_value;                   /* [batch][largest scale][2A], of more than one stream */
  AkRows tokens, x, h, q, up, logits; /* [batch][largest scale][…] */
} Recording;

static AkRows
rows_new (AkPlan *plan, size_t batch, size_t rows, size_t cols)
{
  return ak_dense (ak_plan_memory (plan, batch * rows * cols * sizeof (float)), rows, cols);
}

/* Scale `s` of rows that lie scale after scale, so that a scale's product is one for all streams. */
static AkRows
scale_rows (AkRows all, const AmConfig *c, size_t batch, unsigned s)
{
  all.data += batch * am_bsq_first (c, s) * all.row;
  all.batch = c->scales[s] * all.row;
  return all;
}

static void
unit_keys (AkPlan *plan, const AmConfig *c, AkRows y, AkRows x, const float *factor, size_t batch,
    size_t rows)
{
  ak_unit_norm (plan, &(AkUnitNorm){ .y = y,
                          .x = x,
                          .factor = factor,
                          .batch = batch,
                          .rows = rows,
                          .heads = c->ar_heads,
                          .dim = c->ar_width / c->ar_heads });
}

/* The audio condition of every token, and what follows from it and from the past alone. */
static void
record_before (Recording *r, AmTaps *taps)
{
  const AmConfig *c = r->w->config;
  const AmChunk *chunk = r->chunk;
  size_t batch = chunk->batch, a = c->ar_width, past = (size_t) c->prev_ratio * c->tokens;
  AkRows audio = rows_new (r->plan, batch, c->tokens, c->audio_width);
  AkRows prev = rows_new (r->plan, batch, past, a);
  AkRows past_positions = { r->w->past_positions, a, 0 };

  for (unsigned s = 0; s < c->n_scales; s++)
    ak_resize (r->plan, &(AkResize){ .y = scale_rows (audio, c, batch, s),
                            .x = chunk->features,
                            .mode = AK_RESIZE_AREA,
                            .batch = batch,
                            .in_rows = chunk->steps,
                            .out_rows = c->scales[s],
                            .cols = c->audio_width,
                            .factor = 1 });
  am_tap (taps, r->plan, audio, c->tokens, c->audio_width, "audio_cond");
  ak_activate (r->plan, &(AkActivate){ .y = audio,
                            .x = audio,
                            .activation = AK_ACT_SILU,
                            .batch = 1,
                            .rows = batch * c->tokens,
                            .cols = c->audio_width });
  ak_blend (r->plan, &(AkBlend){ .y = prev,
                         .a = chunk->prev_feat,
                         .b = past_positions,
                         .alpha = 1,
                         .beta = 1,
                         .batch = batch,
                         .rows = past,
                         .cols = a });
  for (unsigned i = 0; i < c->ar_depth; i++) {
    const Layer *l = &r->w->layers[i];
    LayerState *st = &r->layers[i];

    st->modulation = rows_new (r->plan, batch, c->tokens, 6 * a);
    st->past = rows_new (r->plan, batch, past, 2 * a);
    st->own = rows_new (r->plan, batch, c->tokens, 2 * a);
    st->tap = am_tap_new (taps, r->plan, c->tokens, a, "ar_layer/%u", i);
    ak_linear (r->plan, &(AkLinear){ .y = st->modulation,
                            .x = audio,
                            .matrix = l->modulation,
                            .bias = l->modulation_bias,
                            .batch = 1,
                            .rows = batch * c->tokens });
    ak_linear (r->plan, &(AkLinear){ .y = st->past,
                            .x = prev,
                            .matrix = l->key_value,
                            .bias = l->key_value_bias,
                            .batch = batch,
                            .rows = past });
    unit_keys (r->plan, c, st->past, st->past, NULL, batch, past);
  }
  r->head_modulation = rows_new (r->plan, batch, c->tokens, 2 * a);
  ak_linear (r->plan, &(AkLinear){ .y = r->head_modulation,
                          .x = audio,
                          .matrix = r->w->head_modulation,
                          .bias = r->w->head_modulation_bias,
                          .batch = 1,
                          .rows = batch * c->tokens });
}

/* Keys and values of the scale's tokens to the end of `own`, from r->h. Of several streams they are one product, as what
 * follows in `own` is not adjacent. */
static void
record_own (Recording *r, const Layer *l, AkRows own, size_t n)
{
  const AmConfig *c = r->w->config;
  size_t batch = r->chunk->batch, a = c->ar_width;
  AkRows to = batch > 1 ? r->key_value : own;

  ak_linear (r->plan, &(AkLinear){ .y = to,
                          .x = r->h,
                          .matrix = l->key_value,
                          .bias = l->key_value_bias,
                          .batch = batch,
                          .rows = n });
  unit_keys (r->plan, c, own, to, NULL, batch, n);
  if (batch > 1)
    ak_copy (r->plan, ak_from (own, 0, a), ak_from (to, 0, a), batch, n, a);
}

/* Layer `i` for the tokens of scale `s`, which r->x holds. */
static void
record_layer (Recording *r, unsigned i, unsigned s)
{
  const AmConfig *c = r->w->config;
  const Layer *l = &r->w->layers[i];
  LayerState *st = &r->layers[i];
  size_t batch = r->chunk->batch, a = c->ar_width, n = c->scales[s], first = am_bsq_first (c, s);
  AkRows m = scale_rows (st->modulation, c, batch, s), own = ak_from (st->own, first, 0);
  AkRows gate1 = m, gate2 = ak_from (m, 0, a), scale1 = ak_from (m, 0, 2 * a),
         scale2 = ak_from (m, 0, 3 * a), shift1 = ak_from (m, 0, 4 * a),
         shift2 = ak_from (m, 0, 5 * a);

  ak_layer_norm (r->plan, &(AkLayerNorm){ .y = r->h,
                              .x = r->x,
                              .scale = scale1,
                              .shift = shift1,
                              .eps = EPS,
                              .batch = batch,
                              .rows = n,
                              .cols = a });
  ak_linear (r->plan, &(AkLinear){ .y = r->q,
                          .x = r->h,
                          .matrix = l->query,
                          .bias = l->query_bias,
                          .batch = batch,
                          .rows = n });
  record_own (r, l, own, n);
  unit_keys (r->plan, c, r->q, r->q, l->factor, batch, n);
  ak_attention (r->plan,
      &(AkAttention){ .y = r->h,
          .q = r->q,
          .keys = { { st->past, ak_from (st->past, 0, a), (size_t) c->prev_ratio * c->tokens },
              { st->own, ak_from (st->own, 0, a), first + n } },
          .batch = batch,
          .rows = n,
          .heads = c->ar_heads,
          .dim = a / c->ar_heads,
          .scale = 1,
          .like = l->key_value });
  ak_linear (r->plan, &(AkLinear){ .y = r->x,
                          .x = r->h,
                          .matrix = l->proj,
                          .bias = l->proj_bias,
                          .gate = gate1,
                          .residual = r->x,
                          .batch = batch,
                          .rows = n });
  ak_layer_norm (r->plan, &(AkLayerNorm){ .y = r->h,
                              .x = r->x,
                              .scale = scale2,
                              .shift = shift2,
                              .eps = EPS,
                              .batch = batch,
                              .rows = n,
                              .cols = a });
  ak_linear (r->plan, &(AkLinear){ .y = r->up,
                          .x = r->h,
                          .matrix = l->up,
                          .bias = l->up_bias,
                          .activation = AK_ACT_GELU_TANH,
                          .batch = batch,
                          .rows = n });
  ak_linear (r->plan, &(AkLinear){ .y = r->x,
                          .x = r->up,
                          .matrix = l->down,
                          .bias = l->down_bias,
                          .gate = gate2,
                          .residual = r->x,
                          .batch = batch,
                          .rows = n });
  am_tap_rows (r->plan, st->tap, first, r->x, n, a);
}

static AkRows
with_rows (AkRows v, size_t rows)
{
  v.batch = rows * v.row; /* dense, so that a batch is one product */
  return v;
}

void
am_transformer_record (const AmTransformer *w, AkPlan *plan, const AmChunk *chunk, AmTaps *taps)
{
  const AmConfig *c = w->config;
  size_t batch = chunk->batch, a = c->ar_width, k = c->code_dim, most = c->frames;
  g_autofree LayerState *layers = g_new0 (LayerState, c->ar_depth);
  Recording all = { w, plan, chunk, layers };
  AkRows tap_tokens = am_tap_new (taps, plan, c->tokens, a, "tokens");
  AkRows tap_logits = am_tap_new (taps, plan, c->tokens, 2 * k, "logits");
  AkRows positions = { w->positions, a, 0 };
  AkRows feats = rows_new (plan, batch, most, k);

  am_tap (taps, plan, chunk->cond, 1, a, "cond");
  record_before (&all, taps);
  all.tokens = rows_new (plan, batch, most, a);
  all.x = rows_new (plan, batch, most, a);
  all.h = rows_new (plan, batch, most, a);
  all.q = rows_new (plan, batch, most, a);
  all.up = rows_new (plan, batch, most, 4 * a);
  all.logits = rows_new (plan, batch, most, 2 * k);
  if (batch > 1)
    all.key_value = rows_new (plan, batch, most, 2 * a);
  for (unsigned s = 0; s < c->n_scales; s++) {
    size_t n = c->scales[s], first = am_bsq_first (c, s);
    Recording r = all;
    AkRows head = scale_rows (all.head_modulation, c, batch, s), cond = chunk->cond;
    AkBits bits = chunk->bits;

    r.tokens = with_rows (all.tokens, n);
    r.x = with_rows (all.x, n);
    r.h = with_rows (all.h, n);
    r.q = with_rows (all.q, n);
    r.up = with_rows (all.up, n);
    r.key_value = with_rows (all.key_value, n);
    r.logits = with_rows (all.logits, n);
    if (s == 0) {
      cond.row = 0;
      ak_copy (plan, r.tokens, cond, batch, n, a);
    } else {
      AkRows f = with_rows (feats, n);

      ak_resize (plan, &(AkResize){ .y = f,
                           .x = chunk->sum,
                           .mode = AK_RESIZE_AREA,
                           .batch = batch,
                           .in_rows = c->frames,
                           .out_rows = n,
                           .cols = k,
                           .factor = 1 });
      am_transformer_embed (w, plan, r.tokens, f, batch, n);
    }
    am_tap_rows (plan, tap_tokens, first, r.tokens, n, a);
    ak_blend (plan, &(AkBlend){ .y = r.x,
                        .a = r.tokens,
                        .b = ak_from (positions, first, 0),
                        .alpha = 1,
                        .beta = 1,
                        .batch = batch,
                        .rows = n,
                        .cols = a });
    for (unsigned i = 0; i < c->ar_depth; i++)
      record_layer (&r, i, s);
    ak_layer_norm (plan, &(AkLayerNorm){ .y = r.h,
                             .x = r.x,
                             .scale = head,
                             .shift = ak_from (head, 0, a),
                             .eps = EPS,
                             .batch = batch,
                             .rows = n,
                             .cols = a });
    ak_linear (plan, &(AkLinear){ .y = r.logits,
                         .x = r.h,
                         .matrix = w->head,
                         .bias = w->head_bias,
                         .batch = batch,
                         .rows = n });
    am_tap_rows (plan, tap_logits, first, r.logits, n, 2 * k);
    bits.data += first * bits.row;
    ak_bits_from_pairs (plan, bits, r.logits, batch, n, k);
    am_bsq_add (plan, c, chunk->sum, chunk->bits, s, batch);
  }
  am_tap_bits (taps, plan, chunk->bits, c->tokens, k, "bits");
}
