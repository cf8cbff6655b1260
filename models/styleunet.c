/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recording of the StyleUNet. Buffers are shared by all levels where they are not needed at once. */
#include "styleunet_priv.h"

#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/random.h"
#include "kernels/resize2d.h"

/* What is wanted at a level of the way up, all NULL for all of it: of colours and of what the decoder leaves; of its
 * first convolution, the conditions and their inside; of the U-Net's picture. */
typedef struct
{
  const AkSpan *last, *first, *stream;
} Wanted;

typedef struct
{
  const AmStyleunet *w;
  AkPlan *plan; /* of the stage */
  AmNoise noise;
  uint64_t *seed;
  AmTaps *taps;
  float *down[AM_STYLEUNET_LEVELS + 1]; /* results of the way down; the last is the bottleneck */
  float *stream, *sum;                  /* the U-Net's picture, and with what the way down left */
  float *hidden, *resized, *small;      /* inside of blocks and conditions */
  float *scale, *shift;
  float *x, *styled; /* the decoder's picture, and half a level on */
  float *rgb, *rgb_doubled;
  float *style; /* w */
  Wanted wanted[AM_STYLEUNET_LEVELS];
} Flow;

static float *
room (AkPlan *plan, size_t n)
{
  return ak_plan_memory (plan, n * sizeof (float));
}

static void
make_room (Flow *f)
{
  const AmStyleunet *w = f->w;
  size_t side = w->info.side, n = side * side, d = w->first_style.conv.out;
  size_t hidden = 0, resized = 0, small = 0, sum = 0, stream = n * w->first_out;
  size_t out = 0, x = 16 * d, styled = 0;

  for (unsigned i = 0; i < w->info.levels; i++, n /= 4) {
    const AmResblock *b = &w->down[i];

    f->down[i] = room (f->plan, n / 4 * b->out);
    hidden = MAX (hidden, n * b->in);
    resized = MAX (resized, n / 4 * b->in);
    small = MAX (small, n / 4 * b->in);
  }
  f->down[w->info.levels] = room (f->plan, 16 * w->bottom);
  for (unsigned i = 0; i < w->info.levels; i++) {
    const AmStyleunetLevel *l = &w->level[i];

    n = (size_t) 64 << 2 * i;
    sum = MAX (sum, n / 4 * l->up.in);
    stream = MAX (stream, n * l->up.out);
    hidden = MAX (hidden, n / 4 * l->up.in);
    small = MAX (small, n / 4 * l->up.out);
    resized = MAX (resized, n * MAX (MAX (l->up.in, 2 * l->h), l->conv[0].conv.in));
    out = MAX (out, n * l->out);
    styled = MAX (styled, n * l->out);
    x = MAX (x, n * l->conv[1].conv.out);
  }
  f->stream = room (f->plan, stream);
  f->sum = room (f->plan, sum);
  f->hidden = room (f->plan, hidden);
  f->resized = room (f->plan, resized);
  f->small = room (f->plan, small);
  f->scale = room (f->plan, out);
  f->shift = room (f->plan, out);
  f->x = room (f->plan, x);
  f->styled = room (f->plan, styled);
  f->rgb = room (f->plan, side * side * w->info.colours);
  f->rgb_doubled = room (f->plan, side * side * w->info.colours);
  f->style = room (f->plan, w->style);
}

/* An ordinary 3 x 3 convolution with LReLU or none. */
static void
conv (AkPlan *plan, AkRows y, AkRows x, const AkMatrix *matrix, const float *bias,
    AkActivation activation, size_t side, const AkSpan *wanted)
{
  ak_conv2d (plan, &(AkConv2d){ .y = y,
                       .x = x,
                       .matrix = matrix,
                       .bias = bias,
                       .activation = activation,
                       .batch = 1,
                       .height = side,
                       .width = side,
                       .stride = 1,
                       .padding = 1,
                       .spans = wanted });
}

static void
double_size (AkPlan *plan, float *y, float *x, size_t side, size_t channels, const AkSpan *wanted)
{
  ak_resize2d (plan, &(AkResize2d){ .y = ak_dense (y, 4 * side * side, channels),
                         .x = ak_dense (x, side * side, channels),
                         .mode = AK_RESIZE2D_LINEAR,
                         .batch = 1,
                         .in_height = side,
                         .in_width = side,
                         .out_height = 2 * side,
                         .out_width = 2 * side,
                         .channels = channels,
                         .spans = wanted });
}

/* `gate` and `residual` without data: the style convolution alone. */
static void
style_conv (const Flow *f, const AmStyleconv *s, float *y, float *x, AkRows gate, AkRows residual,
    const AkSpan *wanted, float *tap)
{
  size_t n = s->side * s->side;
  AkConv2d c = { .y = ak_dense (y, n, s->conv.out),
    .x = ak_dense (x, n, s->conv.in),
    .bias = s->bias,
    .activation = AK_ACT_LEAKY_RELU,
    .gate = gate,
    .residual = residual,
    .batch = 1,
    .height = s->side,
    .width = s->side,
    .stride = 1,
    .padding = 1,
    .spans = wanted };

  am_modconv_record (&s->conv, f->plan, &c, f->style, 1);
  if (s->strength != 0 && f->noise == AM_NOISE_FIXED) {
    c.noise = (AkRows){ (float *) s->noise, 1, 0 };
  } else if (s->strength != 0 && f->noise == AM_NOISE_RANDOM) {
    c.noise = (AkRows){ room (f->plan, n), 1, 0 };
    ak_random_normal (
        f->plan, &(AkRandom){ .y = c.noise.data, .state = f->seed, .scale = s->strength, .n = n });
  }
  ak_conv2d (f->plan, &c);
  if (tap) { /* before gate and residual, which the operation does on its way */
    c.y.data = tap;
    c.gate = c.residual = (AkRows){ 0 };
    ak_conv2d (f->plan, &c);
  }
}

static void
to_rgb (const Flow *f, const AmStyleunetRgb *rgb, float *y, float *x, size_t side, float *below,
    const AkSpan *wanted)
{
  size_t n = side * side;
  AkConv2d c = { .y = ak_dense (y, n, rgb->conv.out),
    .x = ak_dense (x, n, rgb->conv.in),
    .bias = rgb->bias,
    .batch = 1,
    .height = side,
    .width = side,
    .stride = 1,
    .spans = wanted };

  if (below)
    c.residual = ak_dense (below, n, rgb->conv.out);
  am_modconv_record (&rgb->conv, f->plan, &c, f->style, 1);
  ak_conv2d (f->plan, &c);
}

static void
record_down (Flow *f, unsigned i)
{
  const AmResblock *b = &f->w->down[i];
  size_t side = f->w->info.side >> i;
  AmResblockMemory memory = { f->hidden, f->resized, f->small };

  am_resblock_record (b, f->plan, f->down[i], i ? f->down[i - 1] : f->stream, side, side, FALSE,
      &memory, (AmResblockSpans){ 0 });
  am_tap (f->taps, f->plan, ak_dense (f->down[i], side * side / 4, b->out), side * side / 4, b->out,
      "down.%u", i);
}

/* The bottleneck and the style. */
static void
record_style (Flow *f)
{
  const AmStyleunet *w = f->w;
  size_t c = w->bottom, n = w->style;
  float *bottom = f->down[w->info.levels];
  AkRows style = ak_dense (f->style, 1, n), other = ak_dense (room (f->plan, n), 1, n);

  conv (f->plan, ak_dense (bottom, 16, c), ak_dense (f->down[w->info.levels - 1], 16, c),
      w->final_conv, w->final_conv_bias, AK_ACT_LEAKY_RELU, 4, NULL);
  am_tap (f->taps, f->plan, ak_dense (bottom, 16, c), 16, c, "bottleneck");
  ak_linear (f->plan, &(AkLinear){ .y = other,
                          .x = ak_dense (bottom, 1, 16 * c),
                          .matrix = w->final_linear,
                          .bias = w->final_linear_bias,
                          .batch = 1,
                          .rows = 1 });
  am_tap (f->taps, f->plan, other, 1, n, "style_code");
  ak_rms_norm (f->plan,
      &(AkRmsNorm){ .y = other, .x = other, .eps = 1e-8f, .batch = 1, .rows = 1, .cols = n });
  am_tap (f->taps, f->plan, other, 1, n, "pixel_norm");
  for (unsigned i = 0; i < w->mlp_layers; i++) {
    AkRows from = other;

    other = style;
    style = from;
    ak_linear (f->plan, &(AkLinear){ .y = other,
                            .x = from,
                            .matrix = w->mlp[i],
                            .bias = w->mlp_bias[i],
                            .activation = AK_ACT_LEAKY_RELU,
                            .batch = 1,
                            .rows = 1 });
  }
  f->style = other.data;
  am_tap (f->taps, f->plan, other, 1, n, "style");
}

/* Level i of the U-Net, and the conditions it gives the decoder. */
static void
record_up (Flow *f, unsigned i)
{
  const AmStyleunet *w = f->w;
  const AmStyleunetLevel *l = &w->level[i];
  size_t side = (size_t) 8 << i, n = side * side;
  AmResblockMemory memory = { f->hidden, f->resized, f->small };
  Wanted wanted = f->wanted[i];
  AkRows stream = ak_dense (f->stream, n, l->up.out), hidden = ak_dense (f->resized, n, 2 * l->h);
  AkRows scale = ak_dense (f->scale, n, l->out), shift = ak_dense (f->shift, n, l->out);

  ak_blend (f->plan, &(AkBlend){ .y = ak_dense (f->sum, n / 4, l->up.in),
                         .a = ak_dense (i ? f->stream : f->down[w->info.levels], n / 4, l->up.in),
                         .b = ak_dense (f->down[w->info.levels - 1 - i], n / 4, l->up.in),
                         .alpha = 1,
                         .beta = 1,
                         .batch = 1,
                         .rows = n / 4,
                         .cols = l->up.in });
  am_resblock_record (&l->up, f->plan, f->stream, f->sum, side / 2, side / 2, TRUE, &memory,
      (AmResblockSpans){ wanted.stream, i ? f->wanted[i - 1].first : NULL });
  am_tap (f->taps, f->plan, stream, n, l->up.out, "up.%u", i);
  conv (f->plan, hidden, stream, l->hidden, l->hidden_bias, AK_ACT_LEAKY_RELU, side, wanted.first);
  conv (f->plan, scale, hidden, l->scale, l->scale_bias, AK_ACT_NONE, side, wanted.first);
  conv (f->plan, shift, ak_from (hidden, 0, l->h), l->shift, l->shift_bias, AK_ACT_NONE, side,
      wanted.first);
  am_tap (f->taps, f->plan, scale, n, l->out, "sft_scale.%u", i);
  am_tap (f->taps, f->plan, shift, n, l->out, "sft_shift.%u", i);
}

static void
record_decoder (Flow *f, unsigned i)
{
  const AmStyleunetLevel *l = &f->w->level[i];
  size_t side = (size_t) 8 << i, n = side * side, colours = f->w->info.colours;
  size_t last = l->conv[1].conv.out;
  Wanted wanted = f->wanted[i];
  AkRows tap = am_tap_new (f->taps, f->plan, n, l->out, "style_convs.%u", 2 * i);

  double_size (f->plan, f->resized, f->x, side / 2, l->conv[0].conv.in, wanted.first);
  style_conv (f, &l->conv[0], f->styled, f->resized, ak_dense (f->scale, n, l->out),
      ak_dense (f->shift, n, l->out), wanted.first, tap.data);
  style_conv (f, &l->conv[1], f->x, f->styled, (AkRows){ 0 }, (AkRows){ 0 }, wanted.last, NULL);
  am_tap (f->taps, f->plan, ak_dense (f->x, n, last), n, last, "style_convs.%u", 2 * i + 1);
  double_size (f->plan, f->rgb_doubled, f->rgb, side / 2, colours, wanted.last);
  to_rgb (f, &l->rgb, f->rgb, f->x, side, f->rgb_doubled, wanted.last);
  am_tap (f->taps, f->plan, ak_dense (f->rgb, n, colours), n, colours, "to_rgbs.%u", i);
}

#define LEAST_WANTED 64 /* side: below it everything is computed */

static AkSpan *
grow (AkPlan *plan, const AkSpan *x, size_t side, size_t by, int half)
{
  AkSpan *y = ak_plan_memory (plan, side / 2 * sizeof *y);

  ak_spans_grow (plan, &(AkSpansGrow){ .y = y, .x = x, .side = side, .grow = by, .half = half });
  return y;
}

/* From the finest level on down. What is wanted of the last convolution's result, `last`, needs the first one's a pixel
 * around it, that one's input and the conditions' inside 2 (`first`), the U-Net's picture 3, and its block's last
 * input 4 (`stream`). Doubling needs a pixel more of the level below. */
static void
record_wanted (Flow *f, const AkSpan *wanted)
{
  size_t side = f->w->info.side;

  for (unsigned i = f->w->info.levels; i-- > 0 && side >= LEAST_WANTED; side /= 2) {
    Wanted *at = &f->wanted[i];

    at->last = i + 1 == f->w->info.levels
                   ? wanted
                   : grow (f->plan, f->wanted[i + 1].first, 2 * side, 1, TRUE);
    at->first = grow (f->plan, at->last, side, 1, FALSE);
    at->stream = grow (f->plan, at->last, side, 2, FALSE);
  }
}

/* What has no level: the plan of the whole picture. */
static AkPlan *
one_plan (void *plan, const char *name, double multiplies)
{
  (void) name;
  (void) multiplies;
  return plan;
}

/* The first layer from its sums, which somebody else has made. */
static void
record_sums (const Flow *f, AkRows sums)
{
  const AmStyleunet *w = f->w;
  size_t n = w->info.side * w->info.side;
  AkRows stream = ak_dense (f->stream, n, w->first_out);

  ak_affine (f->plan, &(AkAffine){ .y = stream,
                          .x = sums,
                          .add = w->first_bias,
                          .batch = 1,
                          .rows = n,
                          .cols = w->first_out });
  stream = ak_dense (f->stream, w->info.side, w->info.side * w->first_out);
  ak_activate (f->plan, &(AkActivate){ .y = stream,
                            .x = stream,
                            .activation = AK_ACT_LEAKY_RELU,
                            .batch = 1,
                            .rows = w->info.side,
                            .cols = w->info.side * w->first_out });
}

static void
record_first (const Flow *f, float *x)
{
  const AmStyleunet *w = f->w;
  size_t side = w->info.side, n = side * side;

  ak_conv2d (f->plan, &(AkConv2d){ .y = ak_dense (f->stream, n, w->first_out),
                          .x = ak_dense (x, n, w->info.features),
                          .matrix = w->first,
                          .bias = w->first_bias,
                          .activation = AK_ACT_LEAKY_RELU,
                          .batch = 1,
                          .height = side,
                          .width = side,
                          .stride = 1 });
}

/* From the input x, or from the first layer's sums. */
static void
record (Flow f, AmStyleunetStage *stage, void *data, float *y, float *x, AkRows sums,
    const AkSpan *wanted)
{
  const AmStyleunet *w = f.w;
  AmTaps *taps = f.taps;
  size_t side = w->info.side, n = side * side, colours = w->info.colours;
  unsigned levels = w->info.levels;
  char name[32];

  f.plan = stage (data, "first", (double) (n * w->info.features * w->first_out));
  make_room (&f);
  if (x)
    record_first (&f, x);
  else
    record_sums (&f, sums);
  am_tap (taps, f.plan, ak_dense (f.stream, n, w->first_out), n, w->first_out, "first");
  for (unsigned i = 0; i < levels; i++) {
    g_snprintf (name, sizeof name, "down %zu", side >> i);
    f.plan = stage (data, name, am_styleunet_down_multiplies (w, i));
    record_down (&f, i);
  }
  f.plan = stage (data, "style", am_styleunet_style_multiplies (w));
  record_style (&f);
  if (wanted)
    record_wanted (&f, wanted);
  f.plan = stage (data, "decoder 4", am_styleunet_first_multiplies (w));
  style_conv (&f, &w->first_style, f.x, w->constant, (AkRows){ 0 }, (AkRows){ 0 }, NULL, NULL);
  am_tap (taps, f.plan, ak_dense (f.x, 16, w->first_style.conv.out), 16, w->first_style.conv.out,
      "style_conv1");
  to_rgb (&f, &w->first_rgb, f.rgb, f.x, 4, NULL, NULL);
  am_tap (taps, f.plan, ak_dense (f.rgb, 16, colours), 16, colours, "to_rgb1");
  for (unsigned i = 0; i < levels; i++) {
    g_snprintf (name, sizeof name, "up %u", 8 << i);
    f.plan = stage (data, name, am_styleunet_up_multiplies (w, i));
    record_up (&f, i);
    g_snprintf (name, sizeof name, "decoder %u", 8 << i);
    f.plan = stage (data, name, am_styleunet_decoder_multiplies (w, i));
    record_decoder (&f, i);
  }
  am_tap (taps, f.plan, ak_dense (f.rgb, n, colours), n, colours, "image_before_sigmoid");
  /* by lines, as a pixel is too short for a vector */
  ak_activate (f.plan, &(AkActivate){ .y = ak_dense (y, side, side * colours),
                           .x = ak_dense (f.rgb, side, side * colours),
                           .activation = AK_ACT_SIGMOID,
                           .batch = 1,
                           .rows = side,
                           .cols = side * colours });
  am_tap (taps, f.plan, ak_dense (y, n, colours), n, colours, "image");
}

void
am_styleunet_record_staged (const AmStyleunet *w, AmStyleunetStage *stage, void *data, float *y,
    float *x, AmNoise noise, uint64_t *seed, const AkSpan *wanted, AmTaps *taps)
{
  record ((Flow){ .w = w, .noise = noise, .seed = seed, .taps = taps }, stage, data, y, x,
      (AkRows){ 0 }, wanted);
}

void
am_styleunet_record (const AmStyleunet *w, AkPlan *plan, float *y, float *x, AmNoise noise,
    uint64_t *seed, const AkSpan *wanted, AmTaps *taps)
{
  am_styleunet_record_staged (w, one_plan, plan, y, x, noise, seed, wanted, taps);
}

void
am_styleunet_record_sums (const AmStyleunet *w, AkPlan *plan, float *y, AkRows sums, AmNoise noise,
    uint64_t *seed, const AkSpan *wanted)
{
  record ((Flow){ .w = w, .noise = noise, .seed = seed }, one_plan, plan, y, NULL, sums, wanted);
}
