/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "flame_pack.h"

#include <string.h>

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

void
ak_flame_regress_dirs (const AkFlameDesc *d, double *joints)
{
  size_t V = d->vertices, J = d->joints, E = d->expressions, stride = d->shapes + E;

  memset (joints, 0, 3 * J * E * sizeof *joints);
  for (size_t j = 0; j < J; j++)
    for (size_t v = 0; v < V; v++) {
      double weight = d->regressor[j * V + v];

      if (weight == 0) /* of most vertices */
        continue;
      for (size_t k = 0; k < 3; k++) {
        const float *row = d->shapedirs + (3 * v + k) * stride + d->shapes;

        for (size_t e = 0; e < E; e++)
          joints[3 * (J * e + j) + k] += weight * row[e];
      }
    }
}
