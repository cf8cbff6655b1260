/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of tensors follows the loaders in models/. */
#include "published.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "models/config.h"
#include "synth.h"

#define FOLDER "archive/"
#define LOCAL_SIZE 30

typedef struct
{
  FILE *file;
  guint64 at;       /* bytes written */
  GString *pickle;  /* data.pkl in the making */
  GString *central; /* the zip directory in the making */
  guint entries;
  guint storages;
  guint64 tensors; /* bytes */
} Writer;

static void
put (GString *to, guint64 value, unsigned bytes)
{
  for (unsigned i = 0; i < bytes; i++)
    g_string_append_c (to, (char) (value >> (8 * i)));
}

static void
put_text (GString *to, const char *text)
{
  g_string_append_c (to, 'X');
  put (to, strlen (text), 4);
  g_string_append (to, text);
}

static void
put_number (GString *to, guint64 n)
{
  g_string_append_c (to, 'J');
  put (to, n, 4);
}

/* What the local header and the directory have in common. */
static void
put_entry (GString *to, guint32 crc, guint64 size, size_t name, size_t extra)
{
  put (to, 0, 2); /* flags */
  put (to, 0, 2); /* stored */
  put (to, 0, 4); /* time */
  put (to, crc, 4);
  put (to, size, 4);
  put (to, size, 4);
  put (to, name, 2);
  put (to, extra, 2);
}

/* The data begin at a multiple of 64 bytes, as PyTorch aligns them. */
static void
write_entry (Writer *w, const char *name, const void *data, guint64 size)
{
  g_autofree char *full = g_strconcat (FOLDER, name, NULL);
  g_autoptr (GString) head = g_string_new ("PK\3\4");
  size_t length = strlen (full), extra = 4 + (-(w->at + LOCAL_SIZE + length + 4) & 63);
  guint32 crc = (guint32) crc32_z (crc32_z (0, NULL, 0), data, size);

  put (head, 20, 2);
  put_entry (head, crc, size, length, extra);
  g_string_append (head, full);
  put (head, 0x4246, 2); /* "FB": padding */
  put (head, extra - 4, 2);
  for (size_t i = 4; i < extra; i++)
    g_string_append_c (head, 'Z');

  g_string_append (w->central, "PK\1\2");
  put (w->central, 20, 2);
  put (w->central, 20, 2);
  put_entry (w->central, crc, size, length, 0);
  put (w->central, 0, 2); /* comment */
  put (w->central, 0, 4); /* disk, attributes */
  put (w->central, 0, 4);
  put (w->central, w->at, 4);
  g_string_append (w->central, full);

  fwrite (head->str, 1, head->len, w->file);
  fwrite (data, 1, size, w->file);
  w->at += head->len + size;
  w->entries++;
}

/* A tensor of base + scale * u, u uniform in [-1, 1). */
static void G_GNUC_PRINTF (6, 7) tensor (Writer *w, float base, float scale, unsigned n_dims,
    const size_t *shape, const char *format, ...)
{
  g_autofree char *name = NULL, *key = g_strdup_printf ("%u", w->storages);
  g_autofree char *entry = g_strdup_printf ("data/%u", w->storages++);
  g_autofree float *values = NULL;
  size_t n = 1;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  for (unsigned d = 0; d < n_dims; d++)
    n *= shape[d];
  values = g_new (float, n);
  synth_uniform (values, 0, n, 0, name, base, scale);
  write_entry (w, entry, values, n * sizeof *values);
  w->tensors += n * sizeof *values;

  put_text (w->pickle, name);
  g_string_append (w->pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
  put_text (w->pickle, "storage");
  g_string_append (w->pickle, "ctorch\nFloatStorage\n");
  put_text (w->pickle, key);
  put_text (w->pickle, "cpu");
  put_number (w->pickle, n);
  g_string_append (w->pickle, "tQ");
  put_number (w->pickle, 0);
  g_string_append_c (w->pickle, '(');
  for (unsigned d = 0; d < n_dims; d++)
    put_number (w->pickle, shape[d]);
  g_string_append (w->pickle, "t(");
  for (unsigned d = 0; d < n_dims; d++)
    put_number (w->pickle, n /= shape[d]);
  g_string_append (w->pickle, "t\x89"
                              "ccollections\nOrderedDict\n)RtR");
}

#define SHAPE(...)                                                                                 \
  sizeof ((size_t[]){ __VA_ARGS__ }) / sizeof (size_t), (const size_t[])                           \
  {                                                                                                \
    __VA_ARGS__                                                                                    \
  }

static void
matrix (Writer *w, const char *prefix, const char *name, size_t out, size_t in)
{
  tensor (w, 0, sqrtf (3 / (float) in), SHAPE (out, in), "%s%s.weight", prefix, name);
}

static void
bias (Writer *w, const char *prefix, const char *name, size_t n)
{
  tensor (w, 0, 0.05f, SHAPE (n), "%s%s.bias", prefix, name);
}

static void
linear (Writer *w, const char *prefix, const char *name, size_t out, size_t in)
{
  matrix (w, prefix, name, out, in);
  bias (w, prefix, name, out);
}

static void
norm (Writer *w, const char *prefix, const char *name, size_t n)
{
  tensor (w, 1, 0.1f, SHAPE (n), "%s%s.weight", prefix, name);
  bias (w, prefix, name, n);
}

static void
wav2vec (Writer *w, const AmWav2vecConfig *c)
{
  const char *p = "audio_encoder.";
  size_t in = 1, h = c->hidden, each = h / c->pos_groups, k = c->pos_kernel;

  for (unsigned i = 0; i < c->n_convs; i++) {
    g_autofree char *layer = g_strdup_printf ("%sfeature_extractor.conv_layers.%u.", p, i);
    size_t out = c->conv_dim[i], kernel = c->conv_kernel[i];

    tensor (
        w, 0, sqrtf (3 / (float) (in * kernel)), SHAPE (out, in, kernel), "%sconv.weight", layer);
    bias (w, layer, "conv", out);
    norm (w, layer, "layer_norm", out);
    in = out;
  }
  norm (w, p, "feature_projection.layer_norm", in);
  linear (w, p, "feature_projection.projection", h, in);
  tensor (w, 1.8f, 0.6f, SHAPE (1, 1, k),
      "%sencoder.pos_conv_embed.conv.parametrizations.weight.original0", p);
  tensor (w, 0, 1, SHAPE (h, each, k),
      "%sencoder.pos_conv_embed.conv.parametrizations.weight.original1", p);
  bias (w, p, "encoder.pos_conv_embed.conv", h);
  norm (w, p, "encoder.layer_norm", h);
  for (unsigned i = 0; i < c->layers; i++) {
    g_autofree char *layer = g_strdup_printf ("%sencoder.layers.%u.", p, i);

    linear (w, layer, "attention.k_proj", h, h);
    linear (w, layer, "attention.v_proj", h, h);
    linear (w, layer, "attention.q_proj", h, h);
    linear (w, layer, "attention.out_proj", h, h);
    norm (w, layer, "layer_norm", h);
    linear (w, layer, "feed_forward.intermediate_dense", c->ffn, h);
    linear (w, layer, "feed_forward.output_dense", h, c->ffn);
    norm (w, layer, "final_layer_norm", h);
  }
}

static void
codec (Writer *w, const AmConfig *c, const char *which, size_t in, size_t out, const char *last)
{
  g_autofree char *p = g_strdup_printf ("basic_vae.%s.", which);
  size_t h = c->codec_width, ffn = h * 3 / 2;

  linear (w, p, "inp_mapping.0", h, in);
  linear (w, p, last, out, h);
  for (unsigned i = 0; i < c->codec_depth; i++) {
    g_autofree char *a = g_strdup_printf ("%s%s_transformer.%u.", p, which, 2 * i);
    g_autofree char *m = g_strdup_printf ("%s%s_transformer.%u.", p, which, 2 * i + 1);

    norm (w, a, "norm", h);
    matrix (w, a, "to_qkv", 3 * h, h);
    linear (w, a, "to_out", h, h);
    linear (w, m, "0", ffn, h);
    linear (w, m, "2", h, ffn);
  }
}

static void
style (Writer *w, const AmConfig *c)
{
  const char *p = "style_encoder.encoder.";
  size_t s = c->style_width;

  tensor (w, 0, 0.3f, SHAPE (c->motion_dim), "style_encoder.motion_mean");
  tensor (w, 0.3f, 0.2f, SHAPE (c->motion_dim), "style_encoder.motion_std");
  tensor (w, 0, 1, SHAPE (1, 600, s), "style_encoder.PE.pe");
  linear (w, p, "motion_proj", s, c->motion_dim);
  for (unsigned i = 0; i < c->style_layers; i++) {
    g_autofree char *layer = g_strdup_printf ("%stransformer.layers.%u.", p, i);

    tensor (w, 0, sqrtf (3 / (float) s), SHAPE (3 * s, s), "%sself_attn.in_proj_weight", layer);
    tensor (w, 0, 0.05f, SHAPE (3 * s), "%sself_attn.in_proj_bias", layer);
    linear (w, layer, "self_attn.out_proj", s, s);
    linear (w, layer, "linear1", c->style_ffn, s);
    linear (w, layer, "linear2", s, c->style_ffn);
    norm (w, layer, "norm1", s);
    norm (w, layer, "norm2", s);
  }
  linear (w, "", "style_cond_embed", c->ar_width, s);
}

static void
transformer (Writer *w, const AmConfig *c)
{
  size_t a = c->ar_width, l = c->tokens;

  tensor (w, 0, 0.9f, SHAPE (1, 1, a), "null_style_cond");
  tensor (w, 0, 0.4f, SHAPE (1, l, a), "pos_embed");
  tensor (w, 0, 0.4f, SHAPE (1, c->prev_ratio * l, a), "prev_pos_embed");
  tensor (w, 0, 0.4f, SHAPE (c->n_scales, a), "lvl_embed.weight");
  linear (w, "", "vqfeat_embed", a, c->code_dim);
  for (unsigned i = 0; i < c->ar_depth; i++) {
    g_autofree char *p = g_strdup_printf ("attn_blocks.%u.", i);

    tensor (w, 1.4f, 0.4f, SHAPE (1, c->ar_heads, 1, 1), "%sattn.scale_mul_1H11", p);
    linear (w, p, "attn.query", a, a);
    matrix (w, p, "attn.key", a, a);
    linear (w, p, "attn.value", a, a);
    linear (w, p, "attn.proj", a, a);
    linear (w, p, "ffn.0", 4 * a, a);
    linear (w, p, "ffn.2", a, 4 * a);
    linear (w, p, "ada_lin.1", 6 * a, c->audio_width);
  }
  linear (w, "", "cond_logits_head.ada_lin.1", 2 * a, c->audio_width);
  linear (w, "", "logits_head", 2 * c->code_dim, a);
}

static void
finish (Writer *w)
{
  guint64 directory;

  write_entry (w, "data.pkl", w->pickle->str, w->pickle->len);
  write_entry (w, "byteorder", "little", 6);
  write_entry (w, "version", "3\n", 2);
  directory = w->central->len;
  g_string_append (w->central, "PK\5\6");
  put (w->central, 0, 4); /* disks */
  put (w->central, w->entries, 2);
  put (w->central, w->entries, 2);
  put (w->central, directory, 4);
  put (w->central, w->at, 4);
  put (w->central, 0, 2); /* comment */
  fwrite (w->central->str, 1, w->central->len, w->file);
}

gboolean
published_write (const char *path, const char *config, guint64 *tensors, GError **error)
{
  g_autoptr (GString) pickle = g_string_new ("\x80\x02}("), central = g_string_new (NULL);
  Writer w = { .pickle = pickle, .central = central };
  size_t m;
  gboolean written;
  AmConfig c;

  if (!am_config_parse ("config", config, -1, &c, error))
    return FALSE;
  w.file = g_fopen (path, "wbe");
  if (!w.file) {
    g_set_error (error, AM_ERROR, AM_ERROR_WRITE, "%s: %s", path, g_strerror (errno));
    return FALSE;
  }
  m = c.motion_dim;
  transformer (&w, &c);
  tensor (&w, 0, 0.3f, SHAPE (m), "basic_vae.motion_mean");
  tensor (&w, 0.3f, 0.2f, SHAPE (m), "basic_vae.motion_std");
  tensor (&w, 0, 0.2f, SHAPE (1, 2 * c.frames, m), "basic_vae.enc_pos_embed");
  tensor (&w, 0, 0.2f, SHAPE (1, 2 * c.frames, c.code_dim), "basic_vae.dec_pos_embed");
  codec (&w, &c, "encoder", m, c.code_dim, "code_mapping");
  codec (&w, &c, "decoder", c.code_dim, m, "out_mapping");
  style (&w, &c);
  wav2vec (&w, &c.wav2vec);
  g_string_append (pickle, "u.");
  finish (&w);
  written = !ferror (w.file);
  if (fclose (w.file) != 0 || !written) {
    g_set_error (error, AM_ERROR, AM_ERROR_WRITE, "%s: cannot write it", path);
    g_unlink (path);
    return FALSE;
  }
  if (tensors)
    *tensors = w.tensors;
  return TRUE;
}
