/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "flame_pack.h"

void
ak_flame_shaped (const AkFlameDesc *d, float *planes, size_t padded)
{
  size_t dirs = d->shapes + d->expressions;

  for (size_t v = 0; v < d->vertices; v++)
    for (size_t k = 0; k < 3; k++) {
      const float *row = dirs ? d->shapedirs + (3 * v + k) * dirs : NULL;
      double sum = d->v_template[3 * v + k];

      for (size_t s = 0; s < d->n_shape; s++)
        sum += (double) row[s] * d->shape[s];
      planes[k * padded + v] = (float) sum;
    }
}

void
ak_flame_spread (
    const AkFlameDesc *d, float *planes, size_t padded, const float *dirs, size_t stride, size_t c)
{
  for (size_t v = 0; v < d->vertices; v++)
    for (size_t k = 0; k < 3; k++)
      planes[k * padded + v] = dirs[(3 * v + k) * stride + c];
}

void
ak_flame_regress (const AkFlameDesc *d, double *joints, const float *planes, size_t padded)
{
  for (size_t j = 0; j < d->joints; j++)
    for (size_t k = 0; k < 3; k++) {
      double sum = 0;

      for (size_t v = 0; v < d->vertices; v++)
        sum += (double) d->regressor[j * d->vertices + v] * planes[k * padded + v];
      joints[3 * j + k] = sum;
    }
}
