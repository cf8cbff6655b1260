/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "styleunet_synth.h"

#include <glib/gstdio.h>
#include <math.h>

#include "synth.h"

const StyleunetSizes styleunet_published = {
  .levels = 7, .width = { 256, 256, 256, 256, 128, 64, 32, 16 }, .features = 32, .style = 512
};

typedef struct
{
  GString *text;
  const StyleunetSizes *sizes;
} List;

/* A shape with one axis longer by 1; the last one if there are fewer. */
static char *
grow (const char *shape, unsigned axis)
{
  g_auto (GStrv) sizes = g_strsplit (shape, ",", -1);
  unsigned i = MIN (axis, g_strv_length (sizes) - 1);
  char *longer = g_strdup_printf ("%d", atoi (sizes[i]) + 1);

  g_free (sizes[i]);
  sizes[i] = longer;
  return g_strjoinv (",", sizes);
}

static void
add (List *s, const char *name, const char *shape, double base, double scale)
{
  g_autofree char *grown = NULL;

  if (g_strcmp0 (name, s->sizes->left_out) == 0)
    return;
  if (g_strcmp0 (name, s->sizes->grown) == 0)
    shape = grown = grow (shape, s->sizes->axis);
  g_string_append_printf (s->text,
      "%s{\"name\":\"%s\",\"dtype\":\"F32\",\"shape\":[%s],\"rule\":\"uniform\",\"base\":%g,"
      "\"scale\":%g}",
      s->text->str[s->text->len - 1] == '[' ? "" : ",\n", name, shape, base, scale);
}

static void
add_conv (List *s, const char *name, size_t out, size_t in, size_t side, gboolean bias)
{
  g_autofree char *w = g_strconcat (name, ".weight", NULL), *b = g_strconcat (name, ".bias", NULL);
  g_autofree char *shape = g_strdup_printf ("%zu,%zu,%zu,%zu", out, in, side, side);
  g_autofree char *one = g_strdup_printf ("%zu", out);

  add (s, w, shape, 0, 1 / sqrt ((double) (in * side * side)));
  if (bias)
    add (s, b, one, 0, 0.2);
}

static void
add_modconv (List *s, const char *name, size_t out, size_t in, size_t side, size_t style)
{
  g_autofree char *prefix = g_strconcat ("stylegan_decoder.", name, NULL);
  g_autofree char *w = g_strconcat (prefix, ".modulated_conv.weight", NULL);
  g_autofree char *m = g_strconcat (prefix, ".modulated_conv.modulation.weight", NULL);
  g_autofree char *b = g_strconcat (prefix, ".modulated_conv.modulation.bias", NULL);
  g_autofree char *strength = g_strconcat (prefix, ".weight", NULL);
  g_autofree char *bias = g_strconcat (prefix, ".bias", NULL);
  g_autofree char *shape = g_strdup_printf ("1,%zu,%zu,%zu,%zu", out, in, side, side);
  g_autofree char *modulation = g_strdup_printf ("%zu,%zu", in, style);
  g_autofree char *inputs = g_strdup_printf ("%zu", in);
  g_autofree char *outputs = g_strdup_printf ("1,%zu,1,1", out);

  add (s, w, shape, 0, 1 / sqrt ((double) (in * side * side)));
  add (s, m, modulation, 0, 0.03);
  add (s, b, inputs, 1, 0.2);
  add (s, bias, outputs, 0, 0.2);
  if (side > 1)
    add (s, strength, "1", 0.15, 0.1);
}

AmWeights *
styleunet_synth (const StyleunetSizes *sizes, GError **error)
{
  g_autoptr (GString) text =
      g_string_new ("{\"format\":\"synth-weights-1\",\"salt\":0,\"tensors\":[");
  const size_t *width = sizes->width;
  List list = { text, sizes }, *s = &list;
  g_autofree char *path = NULL;
  size_t levels = sizes->levels, style = sizes->style;
  AmWeights *weights = NULL;
  char name[96], shape[64];
  int fd;

  add_conv (s, "conv_body_first", width[levels], sizes->features, 1, TRUE);
  for (size_t i = 0; i < levels; i++)
    for (int up = 0; up < 2; up++) {
      size_t in = up ? width[i] : width[levels - i],
             out = up ? width[i + 1] : width[levels - 1 - i];

      for (int k = 1; k <= 2; k++) {
        g_snprintf (name, sizeof name, "conv_body_%s.%zu.conv%d", up ? "up" : "down", i, k);
        add_conv (s, name, k == 1 ? in : out, in, 3, TRUE);
      }
      g_snprintf (name, sizeof name, "conv_body_%s.%zu.skip", up ? "up" : "down", i);
      add_conv (s, name, out, in, 1, FALSE);
    }
  add_conv (s, "final_conv", width[0], width[0], 3, TRUE);
  g_snprintf (shape, sizeof shape, "%zu,%zu", style, 16 * width[0]);
  add (s, "final_linear.weight", shape, 0, 1 / sqrt (16.0 * (double) width[0]));
  g_snprintf (shape, sizeof shape, "%zu", style);
  add (s, "final_linear.bias", shape, 0, 0.2);
  for (int i = 1; i <= 15; i += 2) {
    g_snprintf (name, sizeof name, "stylegan_decoder.style_mlp.%d.bias", i);
    add (s, name, shape, 0, 0.2);
  }
  g_snprintf (shape, sizeof shape, "%zu,%zu", style, style);
  for (int i = 1; i <= 15; i += 2) {
    g_snprintf (name, sizeof name, "stylegan_decoder.style_mlp.%d.weight", i);
    add (s, name, shape, 0, 0.1);
  }
  g_snprintf (shape, sizeof shape, "1,%zu,4,4", 2 * width[0]);
  add (s, "stylegan_decoder.constant_input.weight", shape, 0, 1);
  add_modconv (s, "style_conv1", 2 * width[0], 2 * width[0], 3, style);
  add_modconv (s, "to_rgb1", 3, 2 * width[0], 1, style);
  for (size_t i = 0; i < levels; i++) {
    size_t c = width[i + 1], out = 2 * c;

    g_snprintf (name, sizeof name, "style_convs.%zu", 2 * i);
    add_modconv (s, name, out, 2 * width[i], 3, style);
    g_snprintf (name, sizeof name, "style_convs.%zu", 2 * i + 1);
    add_modconv (s, name, out, out, 3, style);
    g_snprintf (name, sizeof name, "to_rgbs.%zu", i);
    add_modconv (s, name, 3, out, 1, style);
    for (int k = 0; k < 2; k++) {
      g_snprintf (name, sizeof name, "condition_%s.%zu.0", k ? "shift" : "scale", i);
      add_conv (s, name, c, c, 3, TRUE);
      g_snprintf (name, sizeof name, "condition_%s.%zu.2", k ? "shift" : "scale", i);
      add_conv (s, name, out, c, 3, TRUE);
    }
  }
  for (size_t i = 0; i <= 2 * levels; i++) {
    size_t side = (size_t) 1 << (i + 5) / 2;

    g_snprintf (name, sizeof name, "stylegan_decoder.noises.noise%zu", i);
    g_snprintf (shape, sizeof shape, "1,1,%zu,%zu", side, side);
    add (s, name, shape, 0, 1.7);
  }
  g_string_append (text, "]}");
  fd = g_file_open_tmp (NULL, &path, error);
  if (fd < 0)
    return NULL;
  g_close (fd, NULL);
  if (g_file_set_contents (path, text->str, (gssize) text->len, error))
    weights = synth_open (path, -1, NULL, error);
  g_unlink (path);
  return weights;
}
