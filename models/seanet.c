/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seanet.h"

#include <math.h>

#include "kernels/conv.h"
#include "kernels/linear.h"

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

struct _AmSeanet
{
  AmMimiConfig config;
  const AkMatrix *resampler;
  Conv first, last;
  Block *blocks; /* [stage][residual layer] */
  Conv conv[AM_MAX_CONVS];
};

#define PREFIX "audio_encoder.acoustic_model."

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
am_seanet_resample_kernel (double kernel[48])
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

  am_seanet_resample_kernel (kernel);
  for (int i = 0; i < 48; i++)
    values[i] = (float) kernel[i];
  return am_part_conv_values (part, values, 3, 1, 16, 1, TRUE);
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
load_convs (AmPart *part, AmSeanet *w)
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

AmSeanet *
am_seanet_load (AmPart *part, const AmMimiConfig *config)
{
  AmSeanet *w = g_new0 (AmSeanet, 1);

  w->config = *config;
  w->resampler = load_resampler (part);
  load_convs (part, w);
  return w;
}

void
am_seanet_free (AmSeanet *w)
{
  if (!w)
    return;
  g_free (w->blocks);
  g_free (w);
}

size_t
am_seanet_resample_rows (size_t n)
{
  return (n + 1) / 2;
}

void
am_seanet_resample (
    AkPlan *plan, const AkMatrix *kernel, AkRows y, float *x, size_t batch, size_t n)
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

size_t
am_seanet_fill (size_t rows, size_t stride)
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
                     .right = am_seanet_fill (rows, stride) });
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
record_convs (
    const AmSeanet *w, AkPlan *plan, AkRows y, AkRows x, size_t batch, size_t rows, AmTaps *taps)
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

void
am_seanet_record (
    const AmSeanet *w, AkPlan *plan, AkRows y, float *x, size_t batch, size_t samples, AmTaps *taps)
{
  size_t rows = am_seanet_resample_rows (samples), n = (3 * samples + 1) / 2;
  float *sound = ak_plan_memory (plan, batch * rows * 3 * sizeof *sound);
  AkRows resampled = { sound, 1, 3 * rows };

  am_seanet_resample (plan, w->resampler, ak_dense (sound, rows, 3), x, batch, samples);
  am_tap (taps, plan, resampled, n, 1, "resampled");
  record_convs (w, plan, y, resampled, batch, n, taps);
}
