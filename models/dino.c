/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dino.h"

#include "block.h"
#include "kernels/conv2d.h"
#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/resize2d.h"

#define EPS 1e-6f
#define LEVELS 4
#define MAX_BLOCKS 1000
#define MAX_GRID 64 /* limits of what is computed per pixel, so that no file asks for all memory */
#define MAX_SIDE 2048
#define MAX_WIDTH 4096

typedef struct
{
  const AkMatrix *project; /* [channels][width] */
  const float *project_bias;
  size_t channels;
  size_t factor;             /* of the transposed convolution, 0 if there is none */
  const AkMatrix *deconv[4]; /* its rows, see AkDeconv2d */
  const AkMatrix *down;      /* 3x3, stride 2, or NULL */
  const float *resize_bias;
  const AkMatrix *merge; /* layer_rn: 3x3 of image and channels to the fusion's width */
  size_t side;           /* of the level's map */
} Level;

typedef struct
{
  const AkMatrix *conv1, *conv2;
  const float *bias1, *bias2;
} Unit;

typedef struct
{
  Unit unit1, unit2;
  const AkMatrix *out;
  const float *out_bias;
  size_t side; /* of the result */
} Fusion;

struct _AmDino
{
  size_t patch, grid, width, heads, ffn, side; /* side: of the picture */
  size_t fusion_width, features;
  const AkMatrix *embed;
  const float *embed_bias;
  float *positions; /* [1 + grid²][width], the class token added to row 0 */
  unsigned n_blocks;
  AmBlock *blocks;
  const float *norm_weight, *norm_bias;
  Level levels[LEVELS];
  Fusion fusions[LEVELS]; /* number k takes level LEVELS-1-k */
  const AkMatrix *output;
  const float *output_bias;
  const float *mean, *inverse_std; /* of ImageNet, [3] */
};

#define VIT "base_model.dino_model."

static void
load_block (AmPart *part, const AmDino *w, AmBlock *b, unsigned i)
{
  g_autofree char *p = g_strdup_printf (VIT "blocks.%u.", i);
  size_t d = w->width;

  b->norm_weight = am_part_vector (part, d, "%snorm1.weight", p);
  b->norm_bias = am_part_vector (part, d, "%snorm1.bias", p);
  b->qkv = am_part_matrix (part, 3 * d, d, "%sattn.qkv.weight", p);
  b->qkv_bias = am_part_vector (part, 3 * d, "%sattn.qkv.bias", p);
  b->out = am_part_matrix (part, d, d, "%sattn.proj.weight", p);
  b->out_bias = am_part_vector (part, d, "%sattn.proj.bias", p);
  b->scale = am_part_vector (part, d, "%sls1.gamma", p);
  b->final_weight = am_part_vector (part, d, "%snorm2.weight", p);
  b->final_bias = am_part_vector (part, d, "%snorm2.bias", p);
  b->up = am_part_matrix (part, w->ffn, d, "%smlp.fc1.weight", p);
  b->up_bias = am_part_vector (part, w->ffn, "%smlp.fc1.bias", p);
  b->down = am_part_matrix (part, d, w->ffn, "%smlp.fc2.weight", p);
  b->down_bias = am_part_vector (part, d, "%smlp.fc2.bias", p);
  b->final_scale = am_part_vector (part, d, "%sls2.gamma", p);
}

static void
load_vit (AmPart *part, AmDino *w, unsigned heads)
{
  size_t tokens = am_part_size (part, VIT "pos_embed", 3, 1);
  g_autofree float *positions = NULL, *token = NULL;

  w->width = am_part_size (part, VIT "patch_embed.proj.weight", 4, 0);
  w->patch = am_part_size (part, VIT "patch_embed.proj.weight", 4, 2);
  w->ffn = am_part_size (part, VIT "blocks.0.mlp.fc1.weight", 2, 0);
  while (w->grid * w->grid + 1 < tokens)
    w->grid++;
  w->side = w->grid * w->patch;
  w->heads = heads ? heads : w->width / 64;
  if (tokens < 2 || w->grid * w->grid + 1 != tokens || w->grid > MAX_GRID || w->side > MAX_SIDE)
    am_part_fail (part, "%s is not for a class token and a square of at most %dx%d patches",
        VIT "pos_embed", MAX_GRID, MAX_GRID);
  else if (w->width > MAX_WIDTH || w->ffn > 4 * MAX_WIDTH)
    am_part_fail (part, "%s is wider than %d", VIT "blocks.0", MAX_WIDTH);
  else if (!w->heads || w->width % w->heads)
    am_part_fail (part, "%s has a width that the attention's heads do not divide",
        VIT "patch_embed.proj.weight");
  while (w->n_blocks < MAX_BLOCKS) {
    g_autofree char *name = g_strdup_printf (VIT "blocks.%u.norm1.weight", w->n_blocks);

    if (!am_part_find (part, name))
      break;
    w->n_blocks++;
  }
  if (w->n_blocks < LEVELS)
    am_part_fail (part, "%s must be at least four", VIT "blocks");

  w->embed = am_part_conv2d (part, w->width, 3, w->patch, VIT "patch_embed.proj.weight");
  w->embed_bias = am_part_vector (part, w->width, VIT "patch_embed.proj.bias");
  positions = am_part_host (part, tokens * w->width, VIT "pos_embed");
  token = am_part_host (part, w->width, VIT "cls_token");
  for (size_t c = 0; positions && token && c < w->width; c++)
    positions[c] += token[c];
  w->positions = am_part_values (part, positions, tokens * w->width);
  w->blocks = g_new0 (AmBlock, w->n_blocks);
  for (unsigned i = 0; i < w->n_blocks; i++)
    load_block (part, w, &w->blocks[i], i);
  w->norm_weight = am_part_vector (part, w->width, VIT "norm.weight");
  w->norm_bias = am_part_vector (part, w->width, VIT "norm.bias");
}

static void
load_level (AmPart *part, AmDino *w, unsigned i)
{
  static const size_t factors[LEVELS] = { 4, 2, 1, 0 };
  g_autofree char *project = g_strdup_printf ("base_model.projects.%u.weight", i);
  g_autofree char *resize = g_strdup_printf ("base_model.resize_layers.%u.weight", i);
  g_autofree char *bias = g_strdup_printf ("base_model.resize_layers.%u.bias", i);
  Level *l = &w->levels[i];
  size_t k = factors[i];

  l->channels = am_part_size (part, project, 4, 0);
  if (l->channels > MAX_WIDTH)
    am_part_fail (part, "%s has more than %d channels", project, MAX_WIDTH);
  l->project = am_part_conv2d (part, l->channels, w->width, 1, "%s", project);
  l->project_bias = am_part_vector (part, l->channels, "base_model.projects.%u.bias", i);
  l->side = k ? k * w->grid : (w->grid - 1) / 2 + 1;
  if (k > 1) {
    l->factor = k;
    l->resize_bias = am_part_deconv2d (part, l->deconv, k, l->channels, l->channels, resize, bias);
  } else if (k == 0) {
    l->down = am_part_conv2d (part, l->channels, l->channels, 3, "%s", resize);
    l->resize_bias = am_part_vector (part, l->channels, "%s", bias);
  }
  l->merge = am_part_conv2d (
      part, w->fusion_width, 3 + l->channels, 3, "base_model.layer_rn.%u.weight", i);
}

static void
load_unit (AmPart *part, Unit *u, size_t width, unsigned k, unsigned n)
{
  g_autofree char *p = g_strdup_printf ("base_model.refinenet.%u.resConfUnit%u.", k, n);

  u->conv1 = am_part_conv2d (part, width, width, 3, "%sconv1.weight", p);
  u->bias1 = am_part_vector (part, width, "%sconv1.bias", p);
  u->conv2 = am_part_conv2d (part, width, width, 3, "%sconv2.weight", p);
  u->bias2 = am_part_vector (part, width, "%sconv2.bias", p);
}

AmDino *
am_dino_load (AmPart *part, unsigned heads)
{
  static const float mean[3] = { 0.485f, 0.456f, 0.406f };
  static const float inverse_std[3] = { 1 / 0.229f, 1 / 0.224f, 1 / 0.225f };
  AmDino *w = g_new0 (AmDino, 1);

  load_vit (part, w, heads);
  w->fusion_width = am_part_size (part, "base_model.layer_rn.0.weight", 4, 0);
  w->features = am_part_size (part, "base_model.output_conv.weight", 4, 0);
  if (w->fusion_width > MAX_WIDTH / 4 || w->features > MAX_WIDTH / 4)
    am_part_fail (part, "%s or %s has more than %d channels", "base_model.layer_rn",
        "base_model.output_conv", MAX_WIDTH / 4);
  for (unsigned i = 0; i < LEVELS; i++)
    load_level (part, w, i);
  for (unsigned k = 0; k < LEVELS; k++) {
    Fusion *f = &w->fusions[k];

    if (k > 0) /* the coarsest has it too, unused */
      load_unit (part, &f->unit1, w->fusion_width, k, 1);
    load_unit (part, &f->unit2, w->fusion_width, k, 2);
    f->out = am_part_conv2d (
        part, w->fusion_width, w->fusion_width, 1, "base_model.refinenet.%u.out_conv.weight", k);
    f->out_bias =
        am_part_vector (part, w->fusion_width, "base_model.refinenet.%u.out_conv.bias", k);
    f->side = k + 1 < LEVELS ? w->levels[LEVELS - 2 - k].side : 2 * w->levels[0].side;
  }
  w->output =
      am_part_conv2d (part, w->features, w->fusion_width, 3, "base_model.output_conv.weight");
  w->output_bias = am_part_vector (part, w->features, "base_model.output_conv.bias");
  w->mean = am_part_values (part, mean, 3);
  w->inverse_std = am_part_values (part, inverse_std, 3);
  return w;
}

void
am_dino_free (AmDino *w)
{
  if (!w)
    return;
  g_free (w->blocks);
  g_free (w);
}

size_t
am_dino_width (const AmDino *w)
{
  return w->width;
}

size_t
am_dino_features (const AmDino *w)
{
  return w->features;
}

size_t
am_dino_features_side (const AmDino *w)
{
  return w->fusions[LEVELS - 1].side;
}

struct _AmDinoRun
{
  const AmDino *w;
  AkPlan *room;
  AmTaps *taps;
  float *image; /* as given */
  size_t height, width;
  AkRows features, global;
  AkRows picture; /* [side²][3], normalised */
  AmBlocks tokens;
  AkRows level[LEVELS]; /* [side²][fusion_width] */
  AkRows fused, a, b,
      scaled; /* [side²][fusion_width] of the largest fusion before and after its resize */
};

static AkRows
room_rows (AmDinoRun *r, size_t rows, size_t cols)
{
  return ak_dense (ak_plan_memory (r->room, rows * cols * sizeof (float)), rows, cols);
}

AmDinoRun *
am_dino_run_new (const AmDino *w, AkPlan *room, float *image, size_t height, size_t width,
    AkRows features, AkRows global, AmTaps *taps)
{
  AmDinoRun *r = g_new0 (AmDinoRun, 1);
  size_t tokens = w->grid * w->grid + 1, d = w->width, f = w->fusion_width;
  size_t most = w->levels[0].side * w->levels[0].side, out = am_dino_features_side (w);

  r->w = w;
  r->room = room;
  r->taps = taps;
  r->image = image;
  r->height = height;
  r->width = width;
  r->features = features;
  r->global = global;
  r->picture = room_rows (r, w->side * w->side, 3);
  r->tokens = (AmBlocks){ .x = room_rows (r, tokens, d),
    .batch = 1,
    .rows = tokens,
    .width = d,
    .heads = w->heads,
    .dim = d / w->heads,
    .eps = EPS };
  am_blocks_scratch (&r->tokens, room, w->ffn);
  for (unsigned i = 0; i < LEVELS; i++)
    r->level[i] = room_rows (r, w->levels[i].side * w->levels[i].side, f);
  r->a = room_rows (r, most, f);
  r->b = room_rows (r, most, f);
  r->scaled = room_rows (r, out * out, f);
  r->fused = room_rows (r, out * out, f);
  return r;
}

void
am_dino_run_free (AmDinoRun *run)
{
  g_free (run);
}

static void
tap_map (AmDinoRun *r, AkPlan *plan, AkRows v, size_t side, size_t channels, const char *name,
    unsigned i)
{
  am_tap (r->taps, plan, v, side * side, channels, "%s.%u", name, i);
}

static void
resize (AkPlan *plan, AkRows y, size_t out, AkRows x, size_t height, size_t width, size_t channels,
    AkResize2dMode mode)
{
  ak_resize2d (plan, &(AkResize2d){ .y = y,
                         .x = x,
                         .mode = mode,
                         .batch = 1,
                         .in_height = height,
                         .in_width = width,
                         .out_height = out,
                         .out_width = out,
                         .channels = channels });
}

static void
conv (AkPlan *plan, AkRows y, AkRows x, const AkMatrix *m, const float *bias, size_t side,
    size_t stride, size_t padding, AkActivation activation, AkRows residual)
{
  ak_conv2d (plan, &(AkConv2d){ .y = y,
                       .x = x,
                       .matrix = m,
                       .bias = bias,
                       .activation = activation,
                       .residual = residual,
                       .batch = 1,
                       .height = side,
                       .width = side,
                       .stride = stride,
                       .padding = padding });
}

/* The picture to tokens. */
static void
record_embed (AmDinoRun *r, AkPlan *plan)
{
  const AmDino *w = r->w;
  size_t patches = w->grid * w->grid, pixels = w->side * w->side;
  AkRows positions = { w->positions, w->width, 0 }, none = { 0 };

  resize (plan, r->picture, w->side, ak_dense (r->image, r->height * r->width, 3), r->height,
      r->width, 3, AK_RESIZE2D_SMOOTH);
  ak_affine (plan, &(AkAffine){ .y = r->picture,
                       .x = r->picture,
                       .sub = w->mean,
                       .mul = w->inverse_std,
                       .batch = 1,
                       .rows = pixels,
                       .cols = 3 });
  am_tap (r->taps, plan, r->picture, pixels, 3, "normalised_image");
  if (r->taps) {
    AkRows tap = am_tap_new (r->taps, plan, patches, w->width, "patch_embed");

    conv (plan, tap, r->picture, w->embed, w->embed_bias, w->side, w->patch, 0, AK_ACT_NONE, none);
  }
  ak_copy (plan, r->tokens.x, positions, 1, 1, w->width);
  conv (plan, ak_from (r->tokens.x, 1, 0), r->picture, w->embed, w->embed_bias, w->side, w->patch,
      0, AK_ACT_NONE, ak_from (positions, 1, 0));
  am_tap (r->taps, plan, r->tokens.x, patches + 1, w->width, "tokens");
}

static void
norm (AkPlan *plan, AkRows y, AkRows x, const float *weight, const float *bias, size_t rows,
    size_t cols)
{
  ak_layer_norm (plan, &(AkLayerNorm){ .y = y,
                           .x = x,
                           .weight = weight,
                           .bias = bias,
                           .eps = EPS,
                           .batch = 1,
                           .rows = rows,
                           .cols = cols });
}

/* The last blocks' tokens, as they are now, to a map. */
static void
record_level (AmDinoRun *r, AkPlan *plan, unsigned i)
{
  const AmDino *w = r->w;
  const Level *l = &w->levels[i];
  size_t patches = w->grid * w->grid, side = l->side, c = l->channels;
  AkRows normed = ak_dense (r->tokens.h.data, patches, w->width), none = { 0 };
  AkRows small = room_rows (r, patches, c), resized = small, both;

  norm (plan, normed, ak_from (r->tokens.x, 1, 0), w->norm_weight, w->norm_bias, patches, w->width);
  am_tap (r->taps, plan, normed, patches, w->width, "last_layers_normed.%u", i);
  if (i == LEVELS - 1) {
    ak_copy (plan, r->global, normed, 1, 1, w->width); /* the first patch (as trained) */
    am_tap (r->taps, plan, r->global, 1, w->width, "global");
  }
  conv (plan, small, normed, l->project, l->project_bias, w->grid, 1, 0, AK_ACT_NONE, none);
  tap_map (r, plan, small, w->grid, c, "projects", i);
  if (l->factor) {
    resized = room_rows (r, side * side, c);
    ak_deconv2d (plan, &(AkDeconv2d){ .y = resized.data,
                           .x = small.data,
                           .rows = l->deconv,
                           .bias = l->resize_bias,
                           .side = l->factor,
                           .batch = 1,
                           .height = w->grid,
                           .width = w->grid });
  } else if (l->down) {
    resized = room_rows (r, side * side, c);
    conv (plan, resized, small, l->down, l->resize_bias, w->grid, 2, 1, AK_ACT_NONE, none);
  }
  tap_map (r, plan, resized, side, c, "resize_layers", i);
  both = room_rows (r, side * side, 3 + c);
  resize (plan, both, side, r->picture, w->side, w->side, 3, AK_RESIZE2D_SMOOTH);
  tap_map (r, plan, both, side, 3, "image_resized", i);
  ak_copy (plan, ak_from (both, 0, 3), resized, 1, side * side, c);
  conv (plan, r->level[i], both, l->merge, NULL, side, 1, 1, AK_ACT_NONE, none);
  tap_map (r, plan, r->level[i], side, w->fusion_width, "layer_rn", i);
}

/* y = residual + x + conv2 (relu (conv1 (relu (x)))); y may be either. `residual` may be absent. */
static void
record_unit (
    AmDinoRun *r, AkPlan *plan, const Unit *u, AkRows y, AkRows x, AkRows residual, size_t side)
{
  size_t f = r->w->fusion_width, pixels = side * side;

  ak_activate (plan,
      &(AkActivate){
          .y = r->a, .x = x, .activation = AK_ACT_RELU, .batch = 1, .rows = pixels, .cols = f });
  conv (plan, r->b, r->a, u->conv1, u->bias1, side, 1, 1, AK_ACT_RELU, (AkRows){ 0 });
  conv (plan, y, r->b, u->conv2, u->bias2, side, 1, 1, AK_ACT_NONE, x);
  if (residual.data)
    ak_blend (plan, &(AkBlend){ .y = y,
                        .a = y,
                        .b = residual,
                        .alpha = 1,
                        .beta = 1,
                        .batch = 1,
                        .rows = pixels,
                        .cols = f });
}

static void
record_fusion (AmDinoRun *r, AkPlan *plan, unsigned k)
{
  const AmDino *w = r->w;
  const Fusion *fusion = &w->fusions[k];
  unsigned i = LEVELS - 1 - k;
  size_t side = w->levels[i].side;
  AkRows x = r->level[i], none = { 0 };

  if (k > 0)
    record_unit (r, plan, &fusion->unit1, x, x, r->fused, side);
  record_unit (r, plan, &fusion->unit2, x, x, none, side);
  resize (plan, r->scaled, fusion->side, x, side, side, w->fusion_width, AK_RESIZE2D_CORNERS);
  conv (plan, r->fused, r->scaled, fusion->out, fusion->out_bias, fusion->side, 1, 0, AK_ACT_NONE,
      none);
  tap_map (r, plan, r->fused, fusion->side, w->fusion_width, "refinenet", k);
}

unsigned
am_dino_stages (const AmDino *w)
{
  return 1 + w->n_blocks + LEVELS + 1;
}

void
am_dino_record (AmDinoRun *r, AkPlan *plan, unsigned stage)
{
  const AmDino *w = r->w;
  size_t side = am_dino_features_side (w);

  if (stage == 0) {
    record_embed (r, plan);
  } else if (stage <= w->n_blocks) {
    unsigned i = stage - 1;

    am_block_record (&w->blocks[i], plan, &r->tokens);
    am_tap (r->taps, plan, r->tokens.x, r->tokens.rows, w->width, "blocks.%u", i);
    if (i + LEVELS >= w->n_blocks)
      record_level (r, plan, i + LEVELS - w->n_blocks);
  } else if (stage <= w->n_blocks + LEVELS) {
    record_fusion (r, plan, stage - w->n_blocks - 1);
  } else {
    conv (plan, r->features, r->fused, w->output, w->output_bias, side, 1, 1, AK_ACT_NONE,
        (AkRows){ 0 });
    am_tap (r->taps, plan, r->features, side * side, w->features, "features");
  }
}
