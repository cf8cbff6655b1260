/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testmodel.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>

#include "tests/models/synth.h"

#define BITS 8
#define MOTION 106
#define STYLE 16
#define HEADS 2

const TestModel test_model_small = {
  .name = "small",
  .salt = 1,
  .basis = "arkit-1",
  .before = 3200,
  .ahead = 1600,
  .patches = { 1, 5, 25 },
  .conv = 16,
  .hidden = 32,
  .layers = 1,
  .ffn = 64,
  .width = 32,
  .depth = 1,
};

const TestModel test_model_mimi = {
  .name = "mimi",
  .salt = 3,
  .basis = "arkit-1",
  .patches = { 1, 5, 25 },
  .conv = 4,
  .hidden = 32,
  .layers = 1,
  .ffn = 64,
  .mimi = TRUE,
  .width = 32,
  .depth = 1,
};

const TestModel test_model_heavy = {
  .name = "heavy",
  .salt = 2,
  .basis = "arkit-1",
  .before = 3200,
  .ahead = 1600,
  .patches = { 1, 5, 25, 100, 400 },
  .conv = 64,
  .hidden = 256,
  .layers = 12,
  .ffn = 1024,
  .width = 256,
  .depth = 16,
};

/* The list of tensors that is being written. */
static GString *list;

static void G_GNUC_PRINTF (2, 3) add (const char *fields, const char *name, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, name);
  text = g_strdup_vprintf (name, args);
  va_end (args);
  g_string_append_printf (list, "%s\n{\"name\":\"%s\",%s}", list->len ? "," : "", text, fields);
}

/* Fields of a tensor with values around `base`; `shape` as in "[2,3]", which is taken. */
static char *
around (double base, double scale, char *shape)
{
  char fields[256], number[2][G_ASCII_DTOSTR_BUF_SIZE];

  g_snprintf (fields, sizeof fields,
      "\"dtype\":\"F32\",\"shape\":%s,\"rule\":\"uniform\",\"base\":%s,\"scale\":%s", shape,
      g_ascii_dtostr (number[0], sizeof number[0], base),
      g_ascii_dtostr (number[1], sizeof number[1], scale));
  g_free (shape);
  return g_strdup (fields);
}

static void
tensor (const char *name, double base, double scale, char *shape)
{
  g_autofree char *fields = around (base, scale, shape);

  add (fields, "%s", name);
}

#define SHAPE(...) g_strdup_printf (__VA_ARGS__)

static void
bias (const char *prefix, unsigned n)
{
  g_autofree char *name = g_strconcat (prefix, ".bias", NULL);

  tensor (name, 0, 0.05, SHAPE ("[%u]", n));
}

static void
linear (const char *prefix, unsigned out, unsigned in, gboolean with_bias)
{
  g_autofree char *name = g_strconcat (prefix, ".weight", NULL);

  tensor (name, 0, 1.7 / sqrt (in), SHAPE ("[%u,%u]", out, in));
  if (with_bias)
    bias (prefix, out);
}

static void
norm (const char *prefix, unsigned n)
{
  g_autofree char *name = g_strconcat (prefix, ".weight", NULL);

  tensor (name, 1, 0.1, SHAPE ("[%u]", n));
  bias (prefix, n);
}

/* A prefix in a static ring, for the calls above. */
static const char *G_GNUC_PRINTF (1, 2) at (const char *format, ...)
{
  static char ring[4][160];
  static unsigned next;
  char *text = ring[next++ % 4];
  va_list args;

  va_start (args, format);
  g_vsnprintf (text, sizeof ring[0], format, args);
  va_end (args);
  return text;
}

static void
add_wav2vec (const TestModel *m)
{
  static const unsigned kernels[] = { 10, 3, 3, 3, 3, 2, 2 };

  for (unsigned i = 0; i < 7; i++) {
    const char *p = at ("audio_encoder.feature_extractor.conv_layers.%u", i);
    const unsigned in = i ? m->conv : 1;
    g_autofree char *weight = g_strconcat (p, ".conv.weight", NULL);
    g_autofree char *conv = g_strconcat (p, ".conv", NULL);
    g_autofree char *layer_norm = g_strconcat (p, ".layer_norm", NULL);

    tensor (weight, 0, 1.7 / sqrt (in * kernels[i]), SHAPE ("[%u,%u,%u]", m->conv, in, kernels[i]));
    bias (conv, m->conv);
    norm (layer_norm, m->conv);
  }
  norm ("audio_encoder.feature_projection.layer_norm", m->conv);
  linear ("audio_encoder.feature_projection.projection", m->hidden, m->conv, TRUE);
  bias ("audio_encoder.encoder.pos_conv_embed.conv", m->hidden);
  tensor ("audio_encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original0", 0.45, 0.15,
      SHAPE ("[1,1,16]"));
  tensor ("audio_encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original1", 0, 0.11,
      SHAPE ("[%u,%u,16]", m->hidden, m->hidden / 4));
  norm ("audio_encoder.encoder.layer_norm", m->hidden);
  for (unsigned i = 0; i < m->layers; i++) {
    const char *names[] = { "k", "v", "q", "out" };

    for (unsigned k = 0; k < 4; k++)
      linear (at ("audio_encoder.encoder.layers.%u.attention.%s_proj", i, names[k]), m->hidden,
          m->hidden, TRUE);
    norm (at ("audio_encoder.encoder.layers.%u.layer_norm", i), m->hidden);
    linear (at ("audio_encoder.encoder.layers.%u.feed_forward.intermediate_dense", i), m->ffn,
        m->hidden, TRUE);
    linear (at ("audio_encoder.encoder.layers.%u.feed_forward.output_dense", i), m->hidden, m->ffn,
        TRUE);
    norm (at ("audio_encoder.encoder.layers.%u.final_layer_norm", i), m->hidden);
  }
}

#define MIMI "audio_encoder.acoustic_model."
#define BOOKS 5
#define BOOK_SIZE 16
#define BOOK_DIM 8

static void
mimi_conv (const char *name, unsigned out, unsigned in, unsigned kernel)
{
  const char *p = at (MIMI "encoder.layers.%s.conv", name);
  g_autofree char *weight = g_strconcat (p, ".weight", NULL);

  tensor (weight, 0, 1.7 / sqrt (in * kernel), SHAPE ("[%u,%u,%u]", out, in, kernel));
  bias (p, out);
}

static void
add_mimi (const TestModel *m)
{
  static const unsigned strides[] = { 4, 5, 6, 8 };
  static const char *const attention[] = { "q", "k", "v", "o" };
  unsigned channels = m->conv;

  mimi_conv ("0", channels, 1, 7);
  for (unsigned s = 0; s < 4; s++, channels *= 2) {
    mimi_conv (at ("%u.block.1", 1 + 3 * s), channels / 2, channels, 3);
    mimi_conv (at ("%u.block.3", 1 + 3 * s), channels, channels / 2, 1);
    mimi_conv (at ("%u", 3 + 3 * s), 2 * channels, channels, 2 * strides[s]);
  }
  mimi_conv ("14", m->hidden, channels, 3);
  for (unsigned i = 0; i < m->layers; i++) {
    for (unsigned k = 0; k < 4; k++)
      linear (at (MIMI "encoder_transformer.layers.%u.self_attn.%s_proj", i, attention[k]),
          m->hidden, m->hidden, FALSE);
    linear (at (MIMI "encoder_transformer.layers.%u.mlp.fc1", i), m->ffn, m->hidden, FALSE);
    linear (at (MIMI "encoder_transformer.layers.%u.mlp.fc2", i), m->hidden, m->ffn, FALSE);
    norm (at (MIMI "encoder_transformer.layers.%u.input_layernorm", i), m->hidden);
    norm (at (MIMI "encoder_transformer.layers.%u.post_attention_layernorm", i), m->hidden);
    tensor (at (MIMI "encoder_transformer.layers.%u.self_attn_layer_scale.scale", i), 0.5, 0.2,
        SHAPE ("[%u]", m->hidden));
    tensor (at (MIMI "encoder_transformer.layers.%u.mlp_layer_scale.scale", i), 0.5, 0.2,
        SHAPE ("[%u]", m->hidden));
  }
  tensor (MIMI "downsample.conv.weight", 0, 1.7 / sqrt (4 * m->hidden),
      SHAPE ("[%u,%u,4]", m->hidden, m->hidden));
  for (unsigned q = 0; q < BOOKS; q++) {
    g_autofree char *p = g_strdup_printf (
        MIMI "quantizer.%s_residual_vector_quantizer", q ? "acoustic" : "semantic");
    const unsigned book = q ? q - 1 : 0;

    if (book == 0) {
      tensor (at ("%s.input_proj.weight", p), 0, 1.7 / sqrt (m->hidden),
          SHAPE ("[%u,%u,1]", BOOK_DIM, m->hidden));
      tensor (at ("%s.output_proj.weight", p), 0, 1.7 / sqrt (BOOK_DIM),
          SHAPE ("[%u,%u,1]", m->hidden, BOOK_DIM));
    }
    tensor (at ("%s.layers.%u.codebook.embed_sum", p, book), 0, 1,
        SHAPE ("[%u,%u]", BOOK_SIZE, BOOK_DIM));
    tensor (at ("%s.layers.%u.codebook.cluster_usage", p, book), 2, 1, SHAPE ("[%u]", BOOK_SIZE));
  }
}

static void
add_codec (const TestModel *m, unsigned frames)
{
  static const char *const sides[] = { "encoder", "decoder" };
  const unsigned hidden = 32;

  tensor ("basic_vae.enc_pos_embed", 0, 0.2, SHAPE ("[1,%u,%u]", 2 * frames, MOTION));
  tensor ("basic_vae.dec_pos_embed", 0, 0.2, SHAPE ("[1,%u,%u]", 2 * frames, BITS));
  tensor ("basic_vae.motion_mean", 0, 0.1, SHAPE ("[%u]", MOTION));
  tensor ("basic_vae.motion_std", 0.2, 0.1, SHAPE ("[%u]", MOTION));
  for (unsigned i = 0; i < 2; i++) {
    const char *s = sides[i];

    linear (at ("basic_vae.%s.inp_mapping.0", s), hidden, i ? BITS : MOTION, TRUE);
    norm (at ("basic_vae.%s.%s_transformer.0.norm", s, s), hidden);
    linear (at ("basic_vae.%s.%s_transformer.0.to_qkv", s, s), 3 * hidden, hidden, FALSE);
    linear (at ("basic_vae.%s.%s_transformer.0.to_out", s, s), hidden, hidden, TRUE);
    linear (at ("basic_vae.%s.%s_transformer.1.0", s, s), hidden * 3 / 2, hidden, TRUE);
    linear (at ("basic_vae.%s.%s_transformer.1.2", s, s), hidden, hidden * 3 / 2, TRUE);
  }
  linear ("basic_vae.encoder.code_mapping", BITS, hidden, TRUE);
  linear ("basic_vae.decoder.out_mapping", MOTION, hidden, TRUE);
}

static void
add_style (void)
{
  const char *layer = "style_encoder.encoder.transformer.layers.0";

  tensor ("style_encoder.motion_mean", 0, 0.1, SHAPE ("[%u]", MOTION));
  tensor ("style_encoder.motion_std", 0.2, 0.1, SHAPE ("[%u]", MOTION));
  add ("\"dtype\":\"F32\",\"shape\":[1,600,16],\"rule\":\"sinusoid\",\"width\":16", "%s",
      "style_encoder.PE.pe");
  linear ("style_encoder.encoder.motion_proj", STYLE, MOTION, TRUE);
  tensor (at ("%s.self_attn.in_proj_weight", layer), 0, 0.4, SHAPE ("[%u,%u]", 3 * STYLE, STYLE));
  tensor (at ("%s.self_attn.in_proj_bias", layer), 0, 0.05, SHAPE ("[%u]", 3 * STYLE));
  linear (at ("%s.self_attn.out_proj", layer), STYLE, STYLE, TRUE);
  linear (at ("%s.linear1", layer), 2 * STYLE, STYLE, TRUE);
  linear (at ("%s.linear2", layer), STYLE, 2 * STYLE, TRUE);
  norm (at ("%s.norm1", layer), STYLE);
  norm (at ("%s.norm2", layer), STYLE);
}

static void
add_transformer (const TestModel *m, unsigned tokens, unsigned levels)
{
  const unsigned w = m->width;

  linear ("style_cond_embed", w, STYLE, TRUE);
  tensor ("null_style_cond", 0, 0.9, SHAPE ("[1,1,%u]", w));
  tensor ("pos_embed", 0, 0.4, SHAPE ("[1,%u,%u]", tokens, w));
  tensor ("prev_pos_embed", 0, 0.4, SHAPE ("[1,%u,%u]", tokens, w));
  tensor ("lvl_embed.weight", 0, 0.4, SHAPE ("[%u,%u]", levels, w));
  linear ("vqfeat_embed", w, BITS, TRUE);
  linear ("logits_head", 2 * BITS, w, TRUE);
  linear ("cond_logits_head.ada_lin.1", 2 * w, m->hidden, TRUE);
  for (unsigned i = 0; i < m->depth; i++) {
    tensor (at ("attn_blocks.%u.attn.scale_mul_1H11", i), 1.4, 0.4, SHAPE ("[1,%u,1,1]", HEADS));
    linear (at ("attn_blocks.%u.attn.query", i), w, w, TRUE);
    linear (at ("attn_blocks.%u.attn.key", i), w, w, FALSE);
    linear (at ("attn_blocks.%u.attn.value", i), w, w, TRUE);
    linear (at ("attn_blocks.%u.attn.proj", i), w, w, TRUE);
    linear (at ("attn_blocks.%u.ffn.0", i), 4 * w, w, TRUE);
    linear (at ("attn_blocks.%u.ffn.2", i), w, 4 * w, TRUE);
    linear (at ("attn_blocks.%u.ada_lin.1", i), 6 * w, m->hidden, TRUE);
  }
}

/* The member of SIZES that describes the encoder. */
static char *
encoder_text (const TestModel *m)
{
  if (m->mimi)
    return g_strdup_printf (
        "\"MIMI\":{\"HIDDEN\":%u,\"FILTERS\":%u,\"RESIDUAL_LAYERS\":1,\"RATIOS\":[8,6,5,4],"
        "\"CODEBOOK_SIZE\":%u,\"CODEBOOK_DIM\":%u,\"QUANTIZERS\":%u,\"SEMANTIC\":1,\"LAYERS\":%u,"
        "\"HEADS\":%u,\"HEAD_DIM\":%u,\"FFN\":%u,\"WINDOW\":8}",
        m->hidden, m->conv, BOOK_SIZE, BOOK_DIM, BOOKS, m->layers, HEADS, m->hidden / HEADS,
        m->ffn);
  return g_strdup_printf ("\"WAV2VEC\":{\"CONV_DIM\":[%u,%u,%u,%u,%u,%u,%u],"
                          "\"CONV_KERNEL\":[10,3,3,3,3,2,2],\"CONV_STRIDE\":[5,2,2,2,2,2,2],"
                          "\"HIDDEN\":%u,\"LAYERS\":%u,\"HEADS\":%u,\"FFN\":%u,"
                          "\"POS_KERNEL\":16,\"POS_GROUPS\":4}",
      m->conv, m->conv, m->conv, m->conv, m->conv, m->conv, m->conv, m->hidden, m->layers, HEADS,
      m->ffn);
}

static char *
config_text (const TestModel *m, const char *patches)
{
  g_autofree char *encoder = encoder_text (m);

  return g_strdup_printf (
      "{\"BASIS\":\"%s\","
      "\"AR_CONFIG\":{\"T_DEPTH\":%u,\"T_NUM_HEADS\":%u,\"PREV_RATIO\":1,"
      "\"AUDIO_ENCODER\":\"%s\"},"
      "\"VAE_CONFIG\":{\"MOTION_DIM\":%u,\"V_CODE_DIM\":%u,\"T_DEPTH\":1,\"T_NUM_HEADS\":%u,"
      "\"T_HIDDEN_DIM\":32,\"V_PATCH_NUMS\":%s},"
      "\"AUDIO_CONTEXT\":{\"BEFORE\":%u,\"AHEAD\":%u},\"AUDIO_NORM\":\"%s\","
      "\"SIZES\":{\"AR_WIDTH\":%u,\"AUDIO_WIDTH\":%u,\"STYLE_WIDTH\":%u,\"STYLE_HEADS\":%u,"
      "\"STYLE_FFN\":%u,\"STYLE_LAYERS\":1,%s}}",
      m->basis, m->depth, HEADS, m->mimi ? "mimi" : "wav2vec", MOTION, BITS, HEADS, patches,
      m->before, m->ahead, m->audio_norm ? m->audio_norm : "none", m->width, m->hidden, STYLE,
      HEADS, 2 * STYLE, encoder);
}

static char *folder;

static void
remove_folder (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    g_remove (path);
  }
  if (dir)
    g_dir_close (dir);
  g_rmdir (folder);
  g_clear_pointer (&folder, g_free);
}

char *
test_path (const char *name)
{
  if (!folder) {
    folder = g_dir_make_tmp (NULL, NULL);
    g_assert_nonnull (folder);
    atexit (remove_folder);
  }
  return g_build_filename (folder, name, NULL);
}

static void
make (const TestModel *m, const char *path)
{
  g_autoptr (GString) patches = g_string_new (NULL);
  g_autofree char *manifest = g_strconcat (path, ".json", NULL);
  g_autofree char *config = NULL, *text = NULL;
  g_autoptr (GError) error = NULL;
  unsigned tokens = 0, levels = 0, frames = 0;

  for (; m->patches[levels]; levels++) {
    frames = m->patches[levels];
    tokens += frames;
    g_string_append_printf (patches, "%c%u", levels ? ',' : '[', frames);
  }
  g_string_append_c (patches, ']');
  list = g_string_new (NULL);
  if (m->mimi)
    add_mimi (m);
  else
    add_wav2vec (m);
  add_codec (m, frames);
  add_style ();
  add_transformer (m, tokens, levels);
  text = g_strdup_printf (
      "{\"format\":\"synth-weights-1\",\"salt\":%d,\"tensors\":[%s]}", (int) m->salt, list->str);
  g_string_free (list, TRUE);
  config = config_text (m, patches->str);
  g_file_set_contents (manifest, text, -1, &error);
  g_assert_no_error (error);
  synth_write (
      manifest, -1, path, (const char *[]){ "config", config, "BASIS", m->basis, NULL }, &error);
  g_assert_no_error (error);
}

const char *
test_model_path (const TestModel *model)
{
  g_autofree char *name = g_strconcat (model->name, ".safetensors", NULL);
  g_autofree char *path = test_path (name);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    make (model, path);
  return g_intern_string (path);
}
