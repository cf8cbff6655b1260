/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in avatar's format: splats bound to a head's triangles (models/default/avatar/FORMAT.md). */
#include "avatar_priv.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define FORMAT "artalk-avatar-1"
#define MAX_SPLATS (1 << 20)

static gboolean
fail (AmAvatarModel *model, AmError code, const char *what, const char *why, GError **error)
{
  g_set_error (error, AM_ERROR, code, "%s: %s: %s", am_weights_path (model->weights), what, why);
  return FALSE;
}

/* A number of the config within limits, or FALSE. */
static gboolean
number (AmAvatarModel *model, JsonObject *config, const char *key, double least, double most,
    double *out, GError **error)
{
  JsonNode *node = json_object_get_member (config, key);
  g_autofree char *why = NULL;

  if (node && JSON_NODE_HOLDS_VALUE (node) &&
      (json_node_get_value_type (node) == G_TYPE_INT64 ||
          json_node_get_value_type (node) == G_TYPE_DOUBLE)) {
    *out = json_node_get_double (node);
    if (*out >= least && *out <= most)
      return TRUE;
  }
  why = g_strdup_printf ("\"%s\" must be a number from %g to %g", key, least, most);
  return fail (model, AM_ERROR_CONFIG, "config", why, error);
}

static gboolean
read_config (AmAvatarModel *model, JsonObject *config, GError **error)
{
  AmBound *b = &model->bound;
  const char *basis = json_object_get_string_member_with_default (config, "basis", NULL);
  double side, network, channels, vertices, faces, scale, distance, thickness;

  if (!number (model, config, "side", 16, 2048, &side, error) ||
      !number (model, config, "network_side", 8, 2048, &network, error) ||
      !number (model, config, "channels", 6, 64, &channels, error) ||
      !number (model, config, "vertices", 3, 1 << 20, &vertices, error) ||
      !number (model, config, "faces", 1, 1 << 21, &faces, error) ||
      !number (model, config, "scale", 1e-3, 1e3, &scale, error) ||
      !number (model, config, "distance", 1e-3, 1e3, &distance, error) ||
      !number (model, config, "thickness", 0, 1e3, &thickness, error))
    return FALSE;
  if (side != network && side != 2 * network && side != 4 * network)
    return fail (model, AM_ERROR_CONFIG, "config",
        "\"side\" must be 1, 2 or 4 times \"network_side\"", error);
  model->info.side = (unsigned) side;
  model->info.channels = (unsigned) channels;
  model->info.vertices = (unsigned) vertices;
  b->network_side = (unsigned) network;
  b->faces = (unsigned) faces;
  b->scale = (float) scale;
  b->distance = (float) distance;
  b->bind.thickness = (float) thickness;
  model->basis = g_strdup (basis && *basis ? basis : "flame");
  return TRUE;
}

gboolean
am_avatar_bound_open (AmAvatarModel *model, GError **error)
{
  const char *format = am_weights_metadata (model->weights, "format");
  const char *text = am_weights_metadata (model->weights, "config");
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) cause = NULL;
  JsonNode *root;

  if (!format || strcmp (format, FORMAT) != 0)
    return fail (model, AM_ERROR_FORMAT, "format", "must be \"" FORMAT "\"", error);
  if (!text || !json_parser_load_from_data (parser, text, -1, &cause)) {
    if (cause)
      g_strdelimit (cause->message, "\n", ' ');
    return fail (model, AM_ERROR_CONFIG, "config", cause ? cause->message : "is missing", error);
  }
  root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    return fail (model, AM_ERROR_CONFIG, "config", "is no JSON object", error);
  return read_config (model, json_node_get_object (root), error);
}

/* The finite numbers of a tensor with rows of `cols` numbers, whatever its axes beyond the first. */
static float *
numbers (AmPart *part, const char *name, size_t rows, size_t cols, gboolean unit)
{
  float *values = am_part_host (part, rows * cols, "%s", name);

  for (size_t i = 0; values && i < rows * cols; i++)
    if (!isfinite (values[i]) || (unit && !(values[i] >= 0 && values[i] <= 1))) {
      am_part_fail (
          part, "%s has numbers %s", name, unit ? "outside 0 to 1" : "that are not finite");
      break;
    }
  return values;
}

static const float *
on_device (AmPart *part, const char *name, size_t rows, size_t cols, gboolean unit)
{
  g_autofree float *values = numbers (part, name, rows, cols, unit);

  return am_part_values (part, values, rows * cols);
}

/* Faces are looked up when a view knows its head; here only what the file can say. */
static void
read_faces (AmAvatarModel *model, AmPart *part, size_t n)
{
  const AmTensor *t = am_part_find (part, "splat.face");
  g_autofree int64_t *wide = t ? am_tensor_to_i64 (t) : NULL;

  if (!t || t->n != n) {
    am_part_fail (part, "splat.face %s", t ? "must have a number for each splat" : "is missing");
    return;
  }
  g_free (model->bound_faces);
  model->bound_faces = g_new (uint32_t, MAX (n, 1));
  for (size_t i = 0; i < n; i++) {
    if (wide[i] < 0 || (uint64_t) wide[i] >= model->bound.faces) {
      am_part_fail (part, "splat.face names a triangle that the head has not");
      return;
    }
    model->bound_faces[i] = (uint32_t) wide[i];
  }
}

/* The network's first layer sees each pixel by itself, and the splats' colours are added up there: it is applied to
 * them instead where that leaves fewer channels. */
static void
load_mix (AmAvatarModel *model, AmPart *part)
{
  const size_t *shape = am_part_shape (part, 4, "upsampler.conv_body_first.weight");
  size_t channels = model->info.channels, features = channels - 6, n = shape ? shape[0] : 0;
  g_autofree float *weight = NULL, *mix = NULL, *rest = NULL;

  if (n == 0 || 3 + n >= channels)
    return;
  weight = am_part_host (part, n * channels, "upsampler.conv_body_first.weight");
  if (!weight)
    return;
  mix = g_new (float, 6 * n);
  rest = g_new (float, n *features);
  for (size_t o = 0; o < n; o++) {
    const float *row = weight + o * channels;

    for (size_t k = 0; k < 6; k++)
      mix[k * n + o] = row[k < 3 ? k : features + k];
    memcpy (rest + o * features, row + 3, features * sizeof *rest);
  }
  model->bound.mixed = n;
  model->bound.mix = am_part_values (part, mix, 6 * n);
  model->bound.mix_features = am_part_conv_values (part, rest, n, features, 1, 1, TRUE);
}

void
am_avatar_bound_load (AmAvatarModel *model, AmPart *part)
{
  size_t n = am_part_size (part, "splat.place", 2, 0), features = model->info.channels - 6;
  const AmTensor *lobe = am_part_find (part, "light.lobe");
  size_t lobes = lobe ? lobe->n / AK_BIND_LOBE : 0;
  AkBind *b = &model->bound.bind;

  if (n > MAX_SPLATS || lobes > AK_BIND_LOBES) {
    am_part_fail (part, "%s has more rows than this program's limit",
        n > MAX_SPLATS ? "splat.place" : "light.lobe");
    return;
  }
  b->splats = n;
  b->features = features;
  b->lobes = lobes;
  read_faces (model, part, n);
  b->place = on_device (part, "splat.place", n, 3, FALSE);
  b->axes = on_device (part, "splat.axes", n, 6, FALSE);
  model->bound.opacities = on_device (part, "splat.opacity", n, 1, TRUE);
  b->albedo = on_device (part, "splat.albedo", n, 3, FALSE);
  b->gloss = on_device (part, "splat.gloss", n, 2, FALSE);
  b->feature = on_device (part, "splat.feature", n, features, FALSE);
  if (features > 0)
    load_mix (model, part);
  b->sh = on_device (part, "light.sh", AK_BIND_LIGHT, 3, FALSE);
  if (lobes)
    b->lobe = on_device (part, "light.lobe", lobes, AK_BIND_LOBE, FALSE);
}
