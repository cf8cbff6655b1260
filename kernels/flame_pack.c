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

#define COLUMNS 8 /* at a time: a row of theirs is one or two cache lines */

void
ak_flame_spread (const AkFlameDesc *d, float *planes, size_t padded, const float *dirs,
    size_t stride, size_t first, size_t n)
{
  for (size_t c = 0; c < n; c += COLUMNS) {
    size_t some = n - c < COLUMNS ? n - c : COLUMNS;

    for (size_t k = 0; k < 3; k++)
      for (size_t v = 0; v < d->vertices; v++) {
        const float *row = dirs + (3 * v + k) * stride + first + c;

        for (size_t i = 0; i < some; i++)
          planes[(3 * (c + i) + k) * padded + v] = row[i];
      }
  }
}

void
ak_flame_regress (const AkFlameDesc *d, double *joints, const float *planes, size_t padded)
{
  for (size_t j = 0; j < d->joints; j++) {
    double sum[3] = { 0, 0, 0 };

    for (size_t v = 0; v < d->vertices; v++) {
      double weight = d->regressor[j * d->vertices + v];

      if (weight == 0) /* of most vertices */
        continue;
      for (size_t k = 0; k < 3; k++)
        sum[k] += weight * planes[k * padded + v];
    }
    for (size_t k = 0; k < 3; k++)
      joints[3 * j + k] = sum[k];
  }
}
