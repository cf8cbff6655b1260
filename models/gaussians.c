/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gaussians.h"

#include <math.h>
#include <string.h>

#include "camera.h"
#include "kernels/conv2d.h"
#include "kernels/linear.h"

#define FEATURE_LAYERS 4
#define HEADS 4
#define CONVS 4
#define MAX_WIDTH 1024 /* of what is computed per pixel */

typedef struct
{
  const AkMatrix *matrix;
  const float *bias;
  size_t out;
} Layer;

struct _AmGenerators
{
  size_t vertices, base, width, features, channels; /* base: columns of head_base */
  float *head_base;                                 /* [vertices][base] */
  Layer layers[FEATURE_LAYERS], heads[HEADS][2];
  Layer convs[2][CONVS];
};

AmSplats *
am_splats_new (size_t n, size_t channels, size_t followers)
{
  AmSplats *s = g_new0 (AmSplats, 1);

  s->n = n;
  s->channels = channels;
  s->followers = followers;
  s->means = g_new0 (float, 3 * n);
  s->scales = g_new0 (float, 3 * n);
  s->rotations = g_new0 (float, 4 * n);
  s->opacities = g_new0 (float, n);
  s->colors = g_new0 (float, channels *n);
  return s;
}

void
am_splats_free (AmSplats *s)
{
  if (!s)
    return;
  g_free (s->means);
  g_free (s->scales);
  g_free (s->rotations);
  g_free (s->opacities);
  g_free (s->colors);
  g_free (s);
}

void
am_plane_points (const float transform[12], size_t side, float *points, float normal[3])
{
  double o[3], d = 0;

  for (int i = 0; i < 3; i++) {
    const float *R = transform + 4 * i;

    o[i] = 0;
    for (int k = 0; k < 3; k++)
      o[i] -= (double) R[k] * transform[4 * k + 3];
    normal[i] = R[2];
    d += o[i] * R[2];
  }
  d = fabs (d);
  for (size_t a = 0; a < side; a++)
    for (size_t b = 0; b < side; b++) {
      double step = side > 1 ? 2.0 / (double) (side - 1) : 0;
      double v[3] = { (1 - (double) b * step) / AM_FOCAL, (1 - (double) a * step) / AM_FOCAL, 1 };
      float *p = points + 3 * (a * side + b);

      for (int i = 0; i < 3; i++) {
        const float *R = transform + 4 * i;

        p[i] = (float) (o[i] + d * (R[0] * v[0] + R[1] * v[1] + R[2] * v[2]));
      }
    }
}

void
am_direction_code (const float normal[3], float code[AM_DIRECTION_CODE])
{
  for (int c = 0; c < 3; c++)
    for (int n = 0; n < 4; n++) {
      code[4 * c + n] = (float) sin ((double) normal[c] * (1 << n));
      code[12 + 4 * c + n] = (float) cos ((double) normal[c] * (1 << n));
    }
  memcpy (code + 24, normal, 3 * sizeof *code);
}

static Layer
load_linear (AmPart *part, const char *name, size_t in)
{
  g_autofree char *weight = g_strconcat (name, ".weight", NULL);
  Layer l = { .out = am_part_size (part, weight, 2, 0) };

  l.matrix = am_part_matrix (part, l.out, in, "%s", weight);
  l.bias = am_part_vector (part, l.out, "%s.bias", name);
  return l;
}

static Layer
load_conv (AmPart *part, const char *name, size_t in, size_t side)
{
  g_autofree char *weight = g_strconcat (name, ".weight", NULL);
  Layer l = { .out = am_part_size (part, weight, 4, 0) };

  l.matrix = am_part_conv2d (part, l.out, in, side, "%s", weight);
  l.bias = am_part_vector (part, l.out, "%s.bias", name);
  return l;
}

static const char *const head_names[HEADS] = { "color", "opacity", "scale", "rotation" };

static void
load_vertices (AmPart *part, AmGenerators *w)
{
  size_t in;

  w->vertices = am_part_size (part, "head_base", 2, 0);
  w->base = am_part_size (part, "head_base", 2, 1);
  w->head_base = am_part_vector (part, w->vertices * w->base, "head_base");
  in = w->base + w->width;
  for (unsigned i = 0; i < FEATURE_LAYERS; i++) {
    g_autofree char *name = g_strdup_printf ("gs_generator_g.feature_layers.%u", 2 * i);

    w->layers[i] = load_linear (part, name, in);
    in = w->layers[i].out;
  }
  for (unsigned h = 0; h < HEADS; h++) {
    static const size_t columns[HEADS] = { 0, 1, 3, 4 };
    g_autofree char *name = g_strdup_printf ("gs_generator_g.%s_layers", head_names[h]);
    g_autofree char *first = g_strconcat (name, ".0", NULL);
    g_autofree char *last = g_strconcat (name, ".2", NULL);

    w->heads[h][0] = load_linear (part, first, in + AM_DIRECTION_CODE);
    w->heads[h][1] = load_linear (part, last, w->heads[h][0].out);
    if (h == 0)
      w->channels = w->heads[h][1].out;
    else if (w->heads[h][1].out != columns[h])
      am_part_fail (part, "%s has an unexpected number of rows", last);
  }
  if (w->channels < 3)
    am_part_fail (part, "%s has no three colours", "gs_generator_g.color_layers.2");
}

AmGenerators *
am_generators_load (AmPart *part, size_t features, size_t width)
{
  AmGenerators *w = g_new0 (AmGenerators, 1);

  w->features = features;
  w->width = width;
  load_vertices (part, w);
  for (unsigned p = 0; p < 2; p++) {
    size_t in = features + AM_DIRECTION_CODE;

    for (unsigned i = 0; i < CONVS; i++) {
      g_autofree char *name = g_strdup_printf ("gs_generator_l%u.gaussian_conv.%u", p, 2 * i);

      w->convs[p][i] = load_conv (part, name, in, i + 1 < CONVS ? 3 : 1);
      in = w->convs[p][i].out;
    }
    for (unsigned i = 0; i < CONVS; i++)
      if (w->convs[p][i].out > MAX_WIDTH)
        am_part_fail (part, "gs_generator_l%u.gaussian_conv.%u has more than %d channels", p, 2 * i,
            MAX_WIDTH);
    if (in != w->channels + 9)
      am_part_fail (part, "%s does not fit the colours of gs_generator_g",
          p ? "gs_generator_l1.gaussian_conv.6" : "gs_generator_l0.gaussian_conv.6");
  }
  return w;
}

void
am_generators_free (AmGenerators *w)
{
  g_free (w);
}

size_t
am_generators_vertices (const AmGenerators *w)
{
  return w->vertices;
}

size_t
am_generators_channels (const AmGenerators *w)
{
  return w->channels;
}

static AkRows
room_rows (AkPlan *room, size_t rows, size_t cols)
{
  return ak_dense (ak_plan_memory (room, rows * cols * sizeof (float)), rows, cols);
}

AmRawSplats
am_generators_room (const AmGenerators *w, AkPlan *room, size_t side)
{
  size_t pixels = side * side, most = 0;
  AmRawSplats raw = { .vertices = room_rows (room, w->vertices, w->channels + 8) };

  for (unsigned p = 0; p < 2; p++)
    for (unsigned i = 0; i + 1 < CONVS; i++)
      most = MAX (most, w->convs[p][i].out);
  for (unsigned i = 0; i < 2; i++) {
    raw.planes[i] = room_rows (room, pixels, w->channels + 9);
    raw.inner[i] = room_rows (room, pixels, most);
  }
  return raw;
}

static void
linear (AkPlan *plan, AkRows y, AkRows x, const Layer *l, AkActivation activation, size_t rows)
{
  ak_linear (plan, &(AkLinear){ .y = y,
                       .x = x,
                       .matrix = l->matrix,
                       .bias = l->bias,
                       .activation = activation,
                       .batch = 1,
                       .rows = rows });
}

static void
record_vertices (
    const AmGenerators *w, AkPlan *plan, AkPlan *room, AkRows raw, AkRows global, AkRows code)
{
  size_t V = w->vertices, first = 0, last = w->layers[FEATURE_LAYERS - 1].out;
  AkRows x = room_rows (room, V, w->base + w->width);
  AkRows coded = room_rows (room, V, last + AM_DIRECTION_CODE);

  ak_copy (plan, x, ak_dense (w->head_base, V, w->base), 1, V, w->base);
  ak_copy (plan, ak_from (x, 0, w->base), ak_same (global.data), 1, V, w->width);
  for (unsigned i = 0; i < FEATURE_LAYERS; i++) {
    AkRows y = i + 1 < FEATURE_LAYERS ? room_rows (room, V, w->layers[i].out) : coded;

    linear (plan, y, x, &w->layers[i], i + 1 < FEATURE_LAYERS ? AK_ACT_RELU : AK_ACT_NONE, V);
    x = y;
  }
  ak_copy (plan, ak_from (coded, 0, last), ak_same (code.data), 1, V, AM_DIRECTION_CODE);
  for (unsigned h = 0; h < HEADS; h++) {
    AkRows inner = room_rows (room, V, w->heads[h][0].out);

    linear (plan, inner, coded, &w->heads[h][0], AK_ACT_RELU, V);
    linear (plan, ak_from (raw, 0, first), inner, &w->heads[h][1], AK_ACT_NONE, V);
    first += w->heads[h][1].out;
  }
}

/* Stage 0: the vertices; 1 … 4 and 5 … 8: the convolutions of the two planes. */
void
am_generators_record (const AmGenerators *w, AkPlan *plan, AkPlan *room, unsigned stage,
    const AmRawSplats *raw, AkRows map, AkRows global, AkRows code, size_t side)
{
  size_t pixels = side * side;
  unsigned p = (stage - 1) / CONVS, i = (stage - 1) % CONVS;
  gboolean last = i + 1 == CONVS;
  const Layer *l;

  if (stage == 0) {
    ak_copy (
        plan, ak_from (map, 0, w->features), ak_same (code.data), 1, pixels, AM_DIRECTION_CODE);
    record_vertices (w, plan, room, raw->vertices, global, code);
    return;
  }
  l = &w->convs[p][i];
  ak_conv2d (plan,
      &(AkConv2d){ .y = last ? raw->planes[p] : ak_dense (raw->inner[i % 2].data, pixels, l->out),
          .x = i == 0 ? map
                      : ak_dense (raw->inner[(i + 1) % 2].data, pixels, w->convs[p][i - 1].out),
          .matrix = l->matrix,
          .bias = l->bias,
          .activation = last ? AK_ACT_NONE : AK_ACT_RELU,
          .batch = 1,
          .height = side,
          .width = side,
          .stride = 1,
          .padding = last ? 0 : 1 });
}

static float
sigmoid (float x)
{
  return (float) (1 / (1 + exp (-(double) x)));
}

/* What all generators do to opacity and scale; `raw` begins with the opacity. */
static void
activate (AmSplats *s, size_t i, const float *raw)
{
  s->opacities[i] = sigmoid (raw[0]);
  for (int k = 0; k < 3; k++)
    s->scales[3 * i + k] = 0.05f * sigmoid (raw[1 + k]);
}

static void
finish_vertices (AmSplats *s, const float *raw)
{
  size_t C = s->channels, row = C + 8;
  double square[4] = { 0 };

  for (size_t i = 0; i < s->followers; i++)
    for (int k = 0; k < 4; k++) {
      double q = raw[i * row + C + 4 + (size_t) k];

      square[k] += q * q;
    }
  for (size_t i = 0; i < s->followers; i++) {
    const float *x = raw + i * row;

    for (size_t c = 0; c < C; c++)
      s->colors[i * C + c] = c < 3 ? sigmoid (x[c]) : x[c];
    activate (s, i, x + C);
    /* each component over all points, not each quaternion (as trained) */
    for (int k = 0; k < 4; k++)
      s->rotations[4 * i + (size_t) k] =
          (float) (x[C + 4 + (size_t) k] / fmax (sqrt (square[k]), 1e-12));
  }
}

/* Splats first … of a plane; `sign`: of the way along the normal. */
static void
finish_plane (AmSplats *s, size_t first, const float *raw, size_t side, const float *points,
    const float *normal, float sign)
{
  size_t C = s->channels, row = C + 9;

  for (size_t p = 0; p < side * side; p++) {
    const float *x = raw + p * row, *q = x + C + 4;
    size_t i = first + p;
    double length = 0, move = sign * sigmoid (x[C + 8]);
    gboolean left =
        p % side < 3; /* columns 0 … 2 of the picture, not channels 0 … 2 (as trained) */

    for (size_t c = 0; c < C; c++)
      s->colors[i * C + c] = left ? sigmoid (x[c]) : x[c];
    activate (s, i, x + C);
    for (int k = 0; k < 4; k++)
      length += (double) q[k] * q[k];
    length = fmax (sqrt (length), 1e-12);
    for (int k = 0; k < 4; k++)
      s->rotations[4 * i + (size_t) k] = (float) (q[k] / length);
    for (int k = 0; k < 3; k++)
      s->means[3 * i + (size_t) k] = (float) (points[3 * p + (size_t) k] + move * normal[k]);
  }
}

AmSplats *
am_generators_finish (const AmGenerators *w, const float *vertices, const float *const planes[2],
    size_t side, const float transform[12])
{
  size_t pixels = side * side;
  AmSplats *s = am_splats_new (w->vertices + 2 * pixels, w->channels, w->vertices);
  g_autofree float *points = g_new (float, 3 * pixels);
  float normal[3];

  am_plane_points (transform, side, points, normal);
  finish_vertices (s, vertices);
  for (unsigned p = 0; p < 2; p++)
    finish_plane (s, w->vertices + p * pixels, planes[p], side, points, normal, p ? -1 : 1);
  return s;
}
