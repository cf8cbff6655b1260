/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define MAX_BYTES (1 << 20)
#define MAX_DEPTH 32

/* Where the current value is, for messages. */
typedef struct
{
  const char *name;
  const char *group; /* "AR_CONFIG", or "" at the top */
  GError **error;
  gboolean ok;
} Reader;

static void complain (Reader *r, const char *key, const char *format, ...) G_GNUC_PRINTF (3, 4);

static void
complain (Reader *r, const char *key, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list args;

  if (!r->ok)
    return;
  r->ok = FALSE;
  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (r->error, AM_ERROR, AM_ERROR_CONFIG, "%s: %s%s%s: %s", r->name, r->group,
      *r->group ? "." : "", key, what);
}

static void
complain_of (Reader *r, const char *key, const char *value, const char *what)
{
  g_autofree char *text = am_text_for_message (value, strlen (value));

  complain (r, key, "%s %s", text, what);
}

/* The member `key` if it is there and not null. */
static JsonNode *
member (JsonObject *object, const char *key)
{
  JsonNode *node = object ? json_object_get_member (object, key) : NULL;

  return node && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

static JsonObject *
object_member (Reader *r, JsonObject *object, const char *key)
{
  JsonNode *node = member (object, key);

  if (node && !JSON_NODE_HOLDS_OBJECT (node)) {
    complain (r, key, "an object is needed");
    return NULL;
  }
  return node ? json_node_get_object (node) : NULL;
}

/* A whole number of min … max; also written as 5.0. */
static gboolean
number (Reader *r, const char *key, JsonNode *node, unsigned min, unsigned max, unsigned *out)
{
  GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;
  double value;

  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE) {
    complain (r, key, "a number is needed");
    return FALSE;
  }
  value = json_node_get_double (node);
  if (!(value >= min && value <= max) || value != floor (value)) {
    complain (r, key, "%.10g is not a whole number of %u to %u", value, min, max);
    return FALSE;
  }
  *out = (unsigned) value;
  return TRUE;
}

static void
integer (Reader *r, JsonObject *object, const char *key, unsigned min, unsigned max, unsigned *out)
{
  JsonNode *node = member (object, key);

  if (node)
    number (r, key, node, min, max, out);
}

/* A list of 1 to `most` numbers. */
static void
list (Reader *r, JsonObject *object, const char *key, unsigned max, unsigned *out, unsigned most,
    unsigned *n)
{
  JsonNode *node = member (object, key);
  JsonArray *array;

  if (!node)
    return;
  if (!JSON_NODE_HOLDS_ARRAY (node)) {
    complain (r, key, "a list of numbers is needed");
    return;
  }
  array = json_node_get_array (node);
  if (json_array_get_length (array) < 1 || json_array_get_length (array) > most) {
    complain (r, key, "%u values instead of 1 to %u", json_array_get_length (array), most);
    return;
  }
  *n = json_array_get_length (array);
  for (unsigned i = 0; i < *n; i++)
    if (!number (r, key, json_array_get_element (array, i), 1, max, &out[i]))
      return;
}

/* A string; NULL if absent. */
static const char *
text_member (Reader *r, JsonObject *object, const char *key)
{
  JsonNode *node = member (object, key);

  if (!node)
    return NULL;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING) {
    complain (r, key, "a string is needed");
    return NULL;
  }
  return json_node_get_string (node);
}

static void
read_wav2vec (Reader *r, JsonObject *o, AmWav2vecConfig *c)
{
  unsigned dims = c->n_convs, kernels = c->n_convs, strides = c->n_convs;

  r->group = "SIZES.WAV2VEC";
  list (r, o, "CONV_DIM", 8192, c->conv_dim, AM_MAX_CONVS, &dims);
  list (r, o, "CONV_KERNEL", 1024, c->conv_kernel, AM_MAX_CONVS, &kernels);
  list (r, o, "CONV_STRIDE", 1024, c->conv_stride, AM_MAX_CONVS, &strides);
  if (dims != kernels || dims != strides)
    complain (r, "CONV_DIM", "%u widths for %u kernels and %u strides", dims, kernels, strides);
  c->n_convs = dims;
  if (am_config_wav2vec_hop (c) > 16000)
    complain (r, "CONV_STRIDE", "the product is greater than 16000");
  integer (r, o, "HIDDEN", 1, 16384, &c->hidden);
  integer (r, o, "LAYERS", 1, 256, &c->layers);
  integer (r, o, "HEADS", 1, 256, &c->heads);
  integer (r, o, "FFN", 1, 65536, &c->ffn);
  integer (r, o, "POS_KERNEL", 1, 4096, &c->pos_kernel);
  integer (r, o, "POS_GROUPS", 1, 16384, &c->pos_groups);
  if (c->hidden % c->heads)
    complain (r, "HEADS", "%u heads do not divide %u", c->heads, c->hidden);
  if (c->hidden % c->pos_groups)
    complain (r, "POS_GROUPS", "%u groups do not divide %u", c->pos_groups, c->hidden);
}

static void
read_mimi (Reader *r, JsonObject *o, AmMimiConfig *c)
{
  r->group = "SIZES.MIMI";
  integer (r, o, "HIDDEN", 1, 16384, &c->hidden);
  integer (r, o, "FILTERS", 1, 4096, &c->filters);
  integer (r, o, "RESIDUAL_LAYERS", 0, 16, &c->residual_layers);
  list (r, o, "RATIOS", 64, c->ratios, 8, &c->n_ratios);
  integer (r, o, "KERNEL", 1, 256, &c->kernel);
  integer (r, o, "LAST_KERNEL", 1, 256, &c->last_kernel);
  integer (r, o, "RESIDUAL_KERNEL", 1, 256, &c->residual_kernel);
  integer (r, o, "DILATION_GROWTH", 1, 16, &c->dilation_growth);
  integer (r, o, "COMPRESS", 1, 64, &c->compress);
  integer (r, o, "CODEBOOK_SIZE", 1, 65536, &c->codebook_size);
  integer (r, o, "CODEBOOK_DIM", 1, 16384, &c->codebook_dim);
  integer (r, o, "QUANTIZERS", 1, 256, &c->quantizers);
  integer (r, o, "SEMANTIC", 0, 256, &c->semantic);
  integer (r, o, "LAYERS", 0, 256, &c->layers);
  integer (r, o, "HEADS", 1, 256, &c->heads);
  integer (r, o, "HEAD_DIM", 2, 1024, &c->head_dim);
  integer (r, o, "FFN", 1, 65536, &c->ffn);
  integer (r, o, "WINDOW", 1, 1 << 20, &c->window);
  if (c->compress > c->filters)
    complain (r, "COMPRESS", "%u is more than the %u filters", c->compress, c->filters);
  if (pow (c->dilation_growth, c->residual_layers) > 65536)
    complain (r, "DILATION_GROWTH", "%u to the power of %u layers is greater than 65536",
        c->dilation_growth, c->residual_layers);
  if (c->semantic > c->quantizers)
    complain (r, "SEMANTIC", "%u of only %u codebooks", c->semantic, c->quantizers);
  if (c->head_dim % 2)
    complain (r, "HEAD_DIM", "%u is odd", c->head_dim);
}

static void
read_codec (Reader *r, JsonObject *o, AmConfig *c)
{
  r->group = "VAE_CONFIG";
  integer (r, o, "MOTION_DIM", 7, 4096, &c->motion_dim);
  integer (r, o, "V_CODE_DIM", 1, 1024, &c->code_dim);
  list (r, o, "V_PATCH_NUMS", 2000, c->scales, AM_MAX_SCALES, &c->n_scales);
  integer (r, o, "T_DEPTH", 1, 128, &c->codec_depth);
  integer (r, o, "T_NUM_HEADS", 1, 256, &c->codec_heads);
  integer (r, o, "T_HIDDEN_DIM", 1, 16384, &c->codec_width);
  if (c->codec_width % c->codec_heads)
    complain (r, "T_NUM_HEADS", "%u heads do not divide %u", c->codec_heads, c->codec_width);
  c->tokens = 0;
  for (unsigned i = 0; i < c->n_scales; i++) {
    if (i && c->scales[i] < c->scales[i - 1])
      complain (r, "V_PATCH_NUMS", "%u comes after %u", c->scales[i], c->scales[i - 1]);
    c->tokens += c->scales[i];
  }
  c->frames = c->scales[c->n_scales - 1];
}

static void
read_ar (Reader *r, JsonObject *o, AmConfig *c)
{
  const char *encoder;

  r->group = "AR_CONFIG";
  integer (r, o, "T_DEPTH", 1, 256, &c->ar_depth);
  integer (r, o, "T_NUM_HEADS", 1, 256, &c->ar_heads);
  integer (r, o, "PREV_RATIO", 1, 16, &c->prev_ratio);
  encoder = text_member (r, o, "AUDIO_ENCODER");
  if (encoder && strcmp (encoder, "mimi") == 0)
    c->encoder = AM_ENCODER_MIMI;
  else if (encoder && strcmp (encoder, "wav2vec") == 0)
    c->encoder = AM_ENCODER_WAV2VEC2;
  else if (encoder)
    complain_of (r, "AUDIO_ENCODER", encoder, "is neither \"wav2vec\" nor \"mimi\"");
}

static void
read_sizes (Reader *r, JsonObject *o, AmConfig *c)
{
  c->audio_width = c->encoder == AM_ENCODER_MIMI ? 512 : 1024;
  r->group = "SIZES";
  integer (r, o, "AR_WIDTH", 1, 16384, &c->ar_width);
  integer (r, o, "AUDIO_WIDTH", 1, 16384, &c->audio_width);
  integer (r, o, "STYLE_WIDTH", 1, 16384, &c->style_width);
  integer (r, o, "STYLE_HEADS", 1, 256, &c->style_heads);
  integer (r, o, "STYLE_FFN", 1, 65536, &c->style_ffn);
  integer (r, o, "STYLE_LAYERS", 1, 128, &c->style_layers);
  if (c->style_width % c->style_heads)
    complain (r, "STYLE_HEADS", "%u heads do not divide %u", c->style_heads, c->style_width);
  if (c->ar_width % c->ar_heads)
    complain (r, "AR_WIDTH", "%u is not divided by %u heads", c->ar_width, c->ar_heads);
  read_wav2vec (r, object_member (r, o, "WAV2VEC"), &c->wav2vec);
  r->group = "SIZES";
  read_mimi (r, object_member (r, o, "MIMI"), &c->mimi);
  r->group = "SIZES";
  if (c->encoder == AM_ENCODER_WAV2VEC2 && c->audio_width != c->wav2vec.hidden)
    complain (r, "AUDIO_WIDTH", "%u, but the encoder's features have %u", c->audio_width,
        c->wav2vec.hidden);
  if (c->encoder == AM_ENCODER_MIMI && c->audio_width != c->mimi.hidden)
    complain (
        r, "AUDIO_WIDTH", "%u, but the encoder's features have %u", c->audio_width, c->mimi.hidden);
}

static void
read_audio (Reader *r, JsonObject *o, AmConfig *c)
{
  const char *norm, *basis;
  JsonObject *context;

  r->group = "";
  context = object_member (r, o, "AUDIO_CONTEXT");
  norm = text_member (r, o, "AUDIO_NORM");
  if (!norm)
    c->audio_norm = c->encoder == AM_ENCODER_MIMI ? AM_AUDIO_NORM_NONE : AM_AUDIO_NORM_WINDOW;
  else if (strcmp (norm, "window") == 0)
    c->audio_norm = AM_AUDIO_NORM_WINDOW;
  else if (strcmp (norm, "none") == 0)
    c->audio_norm = AM_AUDIO_NORM_NONE;
  else if (strcmp (norm, "running") == 0)
    c->audio_norm = AM_AUDIO_NORM_RUNNING;
  else
    complain_of (r, "AUDIO_NORM", norm, "is none of \"window\", \"none\", \"running\"");
  basis = text_member (r, o, "BASIS");
  if (basis) {
    if (!*basis || strlen (basis) >= sizeof c->basis)
      complain (r, "BASIS", "a name of 1 to %zu letters is needed", sizeof c->basis - 1);
    for (const char *s = basis; *s && r->ok; s++)
      if (!g_ascii_isalnum (*s) && !strchr ("-_.", *s))
        complain (r, "BASIS", "only letters, digits, \"-\", \"_\" and \".\" may be in a name");
    if (r->ok)
      g_strlcpy (c->basis, basis, sizeof c->basis);
  }
  r->group = "AUDIO_CONTEXT";
  integer (r, context, "BEFORE", 0, 16000 * 60, &c->before);
  integer (r, context, "AHEAD", 0, 16000 * 10, &c->ahead);
  if (c->encoder == AM_ENCODER_WAV2VEC2) {
    size_t window = (size_t) c->frames * AM_SAMPLES_PER_FRAME;

    if (r->ok && am_config_wav2vec_steps (&c->wav2vec, window + c->before + c->ahead) <=
                     c->before / am_config_wav2vec_hop (&c->wav2vec))
      complain (r, "BEFORE", "the encoder makes no steps of a window of %zu samples", window);
  } else if (c->before || c->ahead) {
    complain (r, "BEFORE", "the mimi encoder takes no context");
  }
}

/* A nesting deeper than any configuration would only strain the parser. */
static gboolean
too_deep (const char *text, gsize len)
{
  unsigned depth = 0;
  gboolean quoted = FALSE;

  for (gsize i = 0; i < len; i++) {
    if (quoted) {
      if (text[i] == '\\')
        i++;
      else if (text[i] == '"')
        quoted = FALSE;
    } else if (text[i] == '"') {
      quoted = TRUE;
    } else if (text[i] == '[' || text[i] == '{') {
      if (++depth > MAX_DEPTH)
        return TRUE;
    } else if ((text[i] == ']' || text[i] == '}') && depth) {
      depth--;
    }
  }
  return FALSE;
}

gboolean
am_config_parse (const char *name, const char *text, gssize len, AmConfig *config, GError **error)
{
  return am_config_parse_for (name, text, len, AM_ENCODER_WAV2VEC2, config, error);
}

gboolean
am_config_parse_for (const char *name, const char *text, gssize len, AmEncoderKind encoder,
    AmConfig *config, GError **error)
{
  static const AmConfig released = {
    .motion_dim = 106,
    .code_dim = 32,
    .n_scales = 5,
    .scales = { 1, 5, 25, 50, 100 },
    .codec_depth = 8,
    .codec_heads = 8,
    .codec_width = 512,
    .ar_depth = 12,
    .ar_heads = 12,
    .ar_width = 768,
    .prev_ratio = 1,
    .style_width = 128,
    .style_heads = 4,
    .style_ffn = 512,
    .style_layers = 4,
    .wav2vec = { 7, { 512, 512, 512, 512, 512, 512, 512 }, { 10, 3, 3, 3, 3, 2, 2 },
        { 5, 2, 2, 2, 2, 2, 2 }, 1024, 24, 16, 4096, 128, 16 },
    .mimi = { 512, 64, 1, 4, { 8, 6, 5, 4 }, 7, 3, 3, 2, 2, 2048, 256, 32, 1, 8, 8, 64, 2048, 250 },
    .basis = "flame",
  };
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) json_error = NULL;
  gsize n = len < 0 ? strlen (text) : (gsize) len;
  Reader r = { name, "", error, TRUE };
  JsonNode *root;
  JsonObject *o;

  *config = released;
  config->encoder = encoder;
  if (n > MAX_BYTES || too_deep (text, n)) {
    g_set_error (error, AM_ERROR, AM_ERROR_LIMIT,
        "%s: larger than %d bytes or deeper than %d levels", name, MAX_BYTES, MAX_DEPTH);
    return FALSE;
  }
  if (!json_parser_load_from_data (parser, text, (gssize) n, &json_error)) {
    g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: not valid JSON: %s", name,
        g_strdelimit (json_error->message, "\n", ' '));
    return FALSE;
  }
  root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root)) {
    g_set_error (
        error, AM_ERROR, AM_ERROR_FORMAT, "%s: the top of the configuration is no object", name);
    return FALSE;
  }
  o = json_node_get_object (root);
  read_codec (&r, object_member (&r, o, "VAE_CONFIG"), config);
  r.group = "";
  read_ar (&r, object_member (&r, o, "AR_CONFIG"), config);
  r.group = "";
  read_sizes (&r, object_member (&r, o, "SIZES"), config);
  if (r.ok)
    read_audio (&r, o, config);
  return r.ok;
}

size_t
am_config_wav2vec_steps (const AmWav2vecConfig *config, size_t samples)
{
  for (unsigned i = 0; i < config->n_convs; i++) {
    if (samples < config->conv_kernel[i])
      return 0;
    samples = (samples - config->conv_kernel[i]) / config->conv_stride[i] + 1;
  }
  return samples;
}

size_t
am_config_wav2vec_hop (const AmWav2vecConfig *config)
{
  size_t hop = 1;

  for (unsigned i = 0; i < config->n_convs; i++)
    hop =
        MIN (hop * config->conv_stride[i], (size_t) 1 << 30); /* a bad list must not wrap around */
  return hop;
}

size_t
am_config_seanet_steps (const AmMimiConfig *config, size_t samples)
{
  size_t n = (3 * samples + 1) / 2; /* at 24 kHz */

  for (unsigned i = 0; i < config->n_ratios; i++)
    n = (n + config->ratios[i] - 1) / config->ratios[i];
  return n;
}

size_t
am_config_mimi_steps (const AmMimiConfig *config, size_t samples)
{
  return (am_config_seanet_steps (config, samples) + 1) / 2;
}
