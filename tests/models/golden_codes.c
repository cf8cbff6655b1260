/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far each choice of Mimi's quantiser is from another one, anew from the file's tensors and in double. */
#include "golden.h"

#include <math.h>

#define PREFIX "audio_encoder.acoustic_model.quantizer.%s_residual_vector_quantizer."

static float *read_tensor (const AmWeights *weights, size_t n, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

static float *
read_tensor (const AmWeights *weights, size_t n, const char *format, ...)
{
  g_autofree char *name = NULL;
  const AmTensor *t;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  t = am_weights_find (weights, name);
  g_assert_true (t && t->n == n); /* the model was loaded from the same file */
  return am_tensor_to_f32 (t);
}

/* Distance to the second nearest vector minus that to the nearest, which is taken from `x` [dim]. */
static double
take_nearest (double *x, const float *sums, const float *usage, size_t size, size_t dim)
{
  double least = INFINITY, second = INFINITY;
  size_t code = 0;

  for (size_t j = 0; j < size; j++) {
    double d = 0;

    for (size_t c = 0; c < dim; c++) {
      double e = x[c] - sums[j * dim + c] / fmax (usage[j], 1e-5);

      d += e * e;
    }
    d = sqrt (d);
    if (d < least) {
      second = least;
      least = d;
      code = j;
    } else if (d < second) {
      second = d;
    }
  }
  for (size_t c = 0; c < dim; c++)
    x[c] -= sums[code * dim + c] / fmax (usage[code], 1e-5);
  return second - least;
}

float *
golden_code_margins (
    const AmWeights *weights, const AmMimiConfig *c, const float *latent, size_t steps)
{
  static const char *const names[] = { "semantic", "acoustic" };
  const unsigned books[] = { c->semantic, c->quantizers - c->semantic };
  size_t dim = c->codebook_dim, size = c->codebook_size, hidden = c->hidden, row = 0;
  g_autofree double *x = g_new (double, steps *dim);
  float *margins = g_new (float, c->quantizers *steps);

  for (unsigned b = 0; b < 2; b++) {
    g_autofree float *in = NULL;

    if (books[b] == 0)
      continue;
    in = read_tensor (weights, dim * hidden, PREFIX "input_proj.weight", names[b]);
    for (size_t i = 0; i < steps * dim; i++) {
      x[i] = 0;
      for (size_t k = 0; k < hidden; k++)
        x[i] += (double) latent[i / dim * hidden + k] * in[i % dim * hidden + k];
    }
    for (unsigned q = 0; q < books[b]; q++, row++) {
      g_autofree float *sums =
          read_tensor (weights, size * dim, PREFIX "layers.%u.codebook.embed_sum", names[b], q);
      g_autofree float *usage =
          read_tensor (weights, size, PREFIX "layers.%u.codebook.cluster_usage", names[b], q);

      for (size_t i = 0; i < steps; i++)
        margins[row * steps + i] = (float) take_nearest (x + i * dim, sums, usage, size, dim);
    }
  }
  return margins;
}
