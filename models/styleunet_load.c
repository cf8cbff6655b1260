/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading of the StyleUNet: every size from the tensors, every tensor checked against those before it. */
#include "styleunet_priv.h"

#include <math.h>
#include <string.h>

/* Is there PREFIXformat? */
static gboolean has (AmPart *part, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
has (AmPart *part, const char *format, ...)
{
  g_autofree char *name = NULL;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  return am_part_has (part, name);
}

static void
load_styleconv (AmPart *part, AmStyleconv *s, const char *decoder, const char *name,
    unsigned number, size_t side)
{
  g_autofree char *prefix = g_strconcat (decoder, name, ".modulated_conv.", NULL);
  g_autofree float *strength = NULL, *noise = NULL;

  am_modconv_load (part, &s->conv, (float) G_SQRT2, prefix);
  s->side = side;
  s->bias = am_part_vector (part, s->conv.out, "%s%s.bias", decoder, name);
  strength = am_part_host (part, 1, "%s%s.weight", decoder, name);
  if (!strength || *strength == 0) /* then there need not be any buffer */
    return;
  s->strength = *strength;
  noise = am_part_host (part, side * side, "%snoises.noise%u", decoder, number);
  for (size_t i = 0; noise && i < side * side; i++)
    noise[i] *= *strength;
  if (noise)
    s->noise = am_part_values (part, noise, side * side);
}

static void
load_rgb (AmPart *part, AmStyleunetRgb *rgb, const char *decoder, const char *name)
{
  g_autofree char *prefix = g_strconcat (decoder, name, ".modulated_conv.", NULL);

  am_modconv_load (part, &rgb->conv, 0, prefix);
  rgb->bias = am_part_vector (part, rgb->conv.out, "%s%s.bias", decoder, name);
}

/* The first convolutions of scale and shift read the same picture: one convolution of both. */
static void
load_condition (AmPart *part, AmStyleunetLevel *l, const char *prefix, unsigned i)
{
  static const char *const names[] = { "scale", "shift" };
  const size_t *shape = am_part_shape (part, 4, "%scondition_scale.%u.0.weight", prefix, i);
  const size_t *out = am_part_shape (part, 4, "%scondition_scale.%u.2.weight", prefix, i);
  g_autofree float *weights = NULL, *biases = NULL;
  size_t n, in;

  if (!shape || !out)
    return;
  l->h = shape[0];
  in = shape[1];
  l->out = out[0];
  n = l->h * in * 9;
  for (unsigned k = 0; k < 2; k++) {
    g_autofree float *w = am_part_host (part, n, "%scondition_%s.%u.0.weight", prefix, names[k], i);
    g_autofree float *b =
        am_part_host (part, l->h, "%scondition_%s.%u.0.bias", prefix, names[k], i);

    if (!w || !b)
      return;
    if (k == 0) {
      weights = g_new (float, 2 * n);
      biases = g_new (float, 2 * l->h);
    }
    memcpy (weights + k * n, w, n * sizeof *w);
    memcpy (biases + k * l->h, b, l->h * sizeof *b);
  }
  l->hidden = am_part_conv2d_values (part, weights, 2 * l->h, in, 3);
  l->hidden_bias = am_part_values (part, biases, 2 * l->h);
  l->scale = am_part_conv2d (part, l->out, l->h, 3, "%scondition_scale.%u.2.weight", prefix, i);
  l->scale_bias = am_part_vector (part, l->out, "%scondition_scale.%u.2.bias", prefix, i);
  l->shift = am_part_conv2d (part, l->out, l->h, 3, "%scondition_shift.%u.2.weight", prefix, i);
  l->shift_bias = am_part_vector (part, l->out, "%scondition_shift.%u.2.bias", prefix, i);
}

/* [rows][channels · 16] to [rows][16 · channels]. */
static float *
channels_last (const float *from, size_t rows, size_t channels)
{
  float *to = g_new (float, rows *channels * 16);

  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < channels; c++)
      for (size_t p = 0; p < 16; p++)
        to[(r * 16 + p) * channels + c] = from[(r * channels + c) * 16 + p];
  return to;
}

/* Where one tensor's width must be another's; both are sizes of tensors that are there. */
static gboolean
agree (AmPart *part, const char *what, unsigned i, size_t a, size_t b)
{
  if (a == b)
    return TRUE;
  am_part_fail (part, "%s %u has %zu channels where %zu are needed", what, i, a, b);
  return FALSE;
}

/* The widths that no shape check has compared so far. */
static void
check_widths (AmPart *part, const AmStyleunet *w)
{
  unsigned n = w->info.levels;
  size_t c = w->first_out, d = w->first_style.conv.out;

  for (unsigned i = 0; i < n; i++) {
    if (!agree (part, "conv_body_down", i, w->down[i].in, c))
      return;
    c = w->down[i].out;
  }
  if (!agree (part, "final_conv", 0, w->bottom, c) ||
      !agree (part, "style_conv1", 1, w->first_rgb.conv.in, d))
    return;
  for (unsigned i = 0; i < n; i++) {
    const AmStyleunetLevel *l = &w->level[i];

    /* what comes from below and what the way down left are added */
    if (!agree (part, "conv_body_up", i, l->up.in, c) ||
        !agree (part, "conv_body_up", i, w->down[n - 1 - i].out, c))
      return;
    c = l->up.out;
    if (!agree (part, "condition_scale", i, ak_matrix_in (l->hidden), c) ||
        !agree (part, "style_convs", 2 * i, l->conv[0].conv.in, d) ||
        !agree (part, "condition_scale", i, l->out, l->conv[0].conv.out) ||
        !agree (part, "style_convs", 2 * i + 1, l->conv[1].conv.in, l->out) ||
        !agree (part, "to_rgbs", i, l->rgb.conv.in, l->conv[1].conv.out) ||
        !agree (part, "to_rgbs (colours)", i, l->rgb.conv.out, w->info.colours) ||
        !agree (part, "style_convs (style)", 2 * i, l->conv[0].conv.style, w->style) ||
        !agree (part, "style_convs (style)", 2 * i + 1, l->conv[1].conv.style, w->style) ||
        !agree (part, "to_rgbs (style)", i, l->rgb.conv.style, w->style) ||
        !agree (part, "style_convs (kernel)", 2 * i, l->conv[0].conv.side, 3) ||
        !agree (part, "style_convs (kernel)", 2 * i + 1, l->conv[1].conv.side, 3) ||
        !agree (part, "to_rgbs (kernel)", i, l->rgb.conv.side, 1))
      return;
    d = l->conv[1].conv.out;
  }
  if (agree (part, "style_conv1 (style)", 1, w->first_style.conv.style, w->style) &&
      agree (part, "to_rgb1 (style)", 1, w->first_rgb.conv.style, w->style) &&
      agree (part, "style_conv1 (kernel)", 1, w->first_style.conv.side, 3))
    agree (part, "to_rgb1 (kernel)", 1, w->first_rgb.conv.side, 1);
}

static void
load_bottom (AmPart *part, AmStyleunet *w, const char *prefix)
{
  const size_t *shape = am_part_shape (part, 4, "%sfinal_conv.weight", prefix);
  const size_t *linear = am_part_shape (part, 2, "%sfinal_linear.weight", prefix);
  g_autofree float *from = NULL, *to = NULL;

  if (!shape || !linear)
    return;
  w->bottom = shape[0];
  w->style = linear[0];
  w->final_conv = am_part_conv2d (part, w->bottom, w->bottom, 3, "%sfinal_conv.weight", prefix);
  w->final_conv_bias = am_part_vector (part, w->bottom, "%sfinal_conv.bias", prefix);
  from = am_part_host (part, w->style * w->bottom * 16, "%sfinal_linear.weight", prefix);
  to = from ? channels_last (from, w->style, w->bottom) : NULL;
  w->final_linear = am_part_conv_values (part, to, w->style, w->bottom * 16, 1, 1, FALSE);
  w->final_linear_bias = am_part_vector (part, w->style, "%sfinal_linear.bias", prefix);
}

static void
load_decoder (AmPart *part, AmStyleunet *w, const char *decoder)
{
  const size_t *shape = am_part_shape (part, 4, "%sconstant_input.weight", decoder);
  g_autofree float *from = NULL, *to = NULL;

  if (!shape)
    return;
  from = am_part_host (part, shape[1] * 16, "%sconstant_input.weight", decoder);
  to = from ? channels_last (from, 1, shape[1]) : NULL;
  w->constant = am_part_values (part, to, shape[1] * 16);
  while (w->mlp_layers < AM_STYLEUNET_MLP &&
         (has (part, "%sstyle_mlp.%u.weight", decoder, 2 * w->mlp_layers + 1) ||
             has (part, "%sstyle_mlp.%u.bias", decoder, 2 * w->mlp_layers + 1))) {
    unsigned i = w->mlp_layers++;

    w->mlp[i] =
        am_part_matrix (part, w->style, w->style, "%sstyle_mlp.%u.weight", decoder, 2 * i + 1);
    w->mlp_bias[i] = am_part_vector (part, w->style, "%sstyle_mlp.%u.bias", decoder, 2 * i + 1);
  }
  load_styleconv (part, &w->first_style, decoder, "style_conv1", 0, 4);
  if (w->first_style.conv.weight)
    agree (part, "style_conv1", 1, w->first_style.conv.in, shape[1]);
  load_rgb (part, &w->first_rgb, decoder, "to_rgb1");
  w->info.colours = w->first_rgb.conv.out;
}

/* Multiply-adds as published: skips at the larger size, nothing shared. */
double
am_styleunet_down_multiplies (const AmStyleunet *w, unsigned i)
{
  const AmResblock *b = &w->down[i];
  double pixels = (double) (w->info.side >> i) * (double) (w->info.side >> i);

  return pixels * (9 * (double) (b->in * b->in) + (9 + 1) * (double) (b->in * b->out) / 4);
}

double
am_styleunet_style_multiplies (const AmStyleunet *w)
{
  double n = (double) w->bottom, style = (double) w->style;

  return 16 * 9 * n * n + style * (16 * n + (double) w->mlp_layers * style);
}

double
am_styleunet_first_multiplies (const AmStyleunet *w)
{
  const AmModconv *a = &w->first_style.conv, *rgb = &w->first_rgb.conv;

  return 16 * (9 * (double) (a->in * a->out) + (double) (rgb->in * rgb->out));
}

double
am_styleunet_up_multiplies (const AmStyleunet *w, unsigned i)
{
  const AmStyleunetLevel *l = &w->level[i];

  return 64.0 * pow (4, i) *
         (9 * (double) (l->up.in * l->up.in) / 4 + (9 + 1) * (double) (l->up.in * l->up.out) +
             9 * 2 * (double) (l->up.out * l->h + l->h * l->out));
}

double
am_styleunet_decoder_multiplies (const AmStyleunet *w, unsigned i)
{
  const AmStyleunetLevel *l = &w->level[i];
  const AmModconv *a = &l->conv[0].conv, *b = &l->conv[1].conv, *rgb = &l->rgb.conv;

  return 64.0 * pow (4, i) *
         (9 * (double) (a->in * a->out + b->in * b->out) + (double) (rgb->in * rgb->out));
}

static double
count (const AmStyleunet *w)
{
  double macs = (double) (w->info.side * w->info.side * w->info.features * w->first_out);

  macs += am_styleunet_style_multiplies (w) + am_styleunet_first_multiplies (w);
  for (unsigned i = 0; i < w->info.levels; i++)
    macs += am_styleunet_down_multiplies (w, i) + am_styleunet_up_multiplies (w, i) +
            am_styleunet_decoder_multiplies (w, i);
  return macs;
}

AmStyleunet *
am_styleunet_load (AmPart *part, const char *prefix)
{
  AmStyleunet *w = g_new0 (AmStyleunet, 1);
  g_autofree char *decoder = g_strconcat (prefix, "stylegan_decoder.", NULL);
  const size_t *shape = am_part_shape (part, 4, "%sconv_body_first.weight", prefix);
  unsigned n = 0;

  if (!shape)
    goto failed;
  while (n <= AM_STYLEUNET_LEVELS && (has (part, "%sconv_body_down.%u.conv1.weight", prefix, n) ||
                                         has (part, "%sconv_body_up.%u.conv1.weight", prefix, n)))
    n++;
  if (n == 0 || n > AM_STYLEUNET_LEVELS) {
    am_part_fail (part, "%sconv_body_down has %s levels", prefix, n ? "more than 8" : "no");
    goto failed;
  }
  w->info.levels = n;
  w->info.side = (size_t) 4 << n;
  w->info.features = shape[1];
  w->first_out = shape[0];
  w->first =
      am_part_conv2d (part, w->first_out, w->info.features, 1, "%sconv_body_first.weight", prefix);
  w->first_bias = am_part_vector (part, w->first_out, "%sconv_body_first.bias", prefix);
  for (unsigned i = 0; i < n; i++) {
    g_autofree char *down = g_strdup_printf ("%sconv_body_down.%u.", prefix, i);

    am_resblock_load (part, &w->down[i], down);
  }
  load_bottom (part, w, prefix);
  load_decoder (part, w, decoder);
  for (unsigned i = 0; i < n; i++) {
    AmStyleunetLevel *l = &w->level[i];
    g_autofree char *up = g_strdup_printf ("%sconv_body_up.%u.", prefix, i);
    g_autofree char *rgb = g_strdup_printf ("to_rgbs.%u", i);

    am_resblock_load (part, &l->up, up);
    load_condition (part, l, prefix, i);
    for (unsigned k = 0; k < 2; k++) {
      g_autofree char *name = g_strdup_printf ("style_convs.%u", 2 * i + k);

      load_styleconv (part, &l->conv[k], decoder, name, 2 * i + k + 1, (size_t) 8 << i);
    }
    load_rgb (part, &l->rgb, decoder, rgb);
  }
  if (!am_part_ok (part))
    goto failed;
  check_widths (part, w);
  if (!am_part_ok (part))
    goto failed;
  w->info.multiplies = count (w);
  return w;

failed:
  am_styleunet_free (w);
  return NULL;
}

void
am_styleunet_free (AmStyleunet *w)
{
  g_free (w);
}

const AmStyleunetInfo *
am_styleunet_info (const AmStyleunet *w)
{
  return &w->info;
}
