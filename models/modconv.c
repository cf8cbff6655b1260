/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "modconv.h"

#include "kernels/linear.h"

void
am_modconv_load (AmPart *part, AmModconv *m, float gain, const char *prefix)
{
  const size_t *shape = am_part_shape (part, 5, "%sweight", prefix);
  const size_t *style = am_part_shape (part, 2, "%smodulation.weight", prefix);
  g_autofree float *values = NULL, *squares = NULL, *epsilon = NULL;
  size_t n;

  if (!shape || !style)
    return;
  m->out = shape[1];
  m->in = shape[2];
  m->side = shape[3];
  m->style = style[1];
  n = shape[3] * shape[4];
  /* a first axis of 1 and a square kernel, or the count is wrong */
  values = am_part_host (part, m->out * m->in * m->side * m->side, "%sweight", prefix);
  m->weight = am_part_conv2d_values (part, values, m->out, m->in, m->side);
  m->modulation = am_part_matrix (part, m->in, m->style, "%smodulation.weight", prefix);
  m->modulation_bias = am_part_vector (part, m->in, "%smodulation.bias", prefix);
  if (!m->weight || gain == 0)
    return;
  squares = g_new (float, m->out * m->in);
  epsilon = g_new (float, m->out);
  for (size_t i = 0; i < m->out * m->in; i++) {
    double s = 0;

    for (size_t k = 0; k < n; k++)
      s += (double) values[i * n + k] * values[i * n + k];
    squares[i] = (float) (s / ((double) gain * gain));
  }
  for (size_t o = 0; o < m->out; o++)
    epsilon[o] = (float) (1e-8 / ((double) gain * gain));
  m->squares = am_part_conv_values (part, squares, m->out, m->in, 1, 1, TRUE);
  m->epsilon = am_part_values (part, epsilon, m->out);
}

void
am_modconv_record (
    const AmModconv *m, AkPlan *plan, AkConv2d *conv, const float *style, size_t batch)
{
  float *s = ak_plan_memory (plan, batch * m->in * sizeof *s);
  float *square = ak_plan_memory (plan, batch * m->in * sizeof *square);
  float *scale = ak_plan_memory (plan, batch * m->out * sizeof *scale);

  conv->matrix = m->weight;
  conv->in_scale = (AkRows){ s, 0, m->in };
  ak_linear (plan, &(AkLinear){ .y = ak_dense (s, batch, m->in),
                       .x = ak_dense ((float *) style, batch, m->style),
                       .matrix = m->modulation,
                       .bias = m->modulation_bias,
                       .batch = 1,
                       .rows = batch });
  if (!m->squares)
    return;
  conv->out_scale = (AkRows){ scale, 0, m->out };
  for (size_t b = 0; b < batch; b++)
    ak_affine (plan, &(AkAffine){ .y = ak_dense (square + b * m->in, 1, m->in),
                         .x = ak_dense (s + b * m->in, 1, m->in),
                         .mul = s + b * m->in,
                         .batch = 1,
                         .rows = 1,
                         .cols = m->in });
  ak_linear (plan, &(AkLinear){ .y = ak_dense (scale, batch, m->out),
                       .x = ak_dense (square, batch, m->in),
                       .matrix = m->squares,
                       .bias = m->epsilon,
                       .activation = AK_ACT_RSQRT,
                       .batch = 1,
                       .rows = batch });
}
