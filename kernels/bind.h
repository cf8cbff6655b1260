/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splats that lie on a posed mesh and are lit by it (models/default/avatar/FORMAT.md, "Per frame", step 2). */
#pragma once

#include <stdint.h>

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AK_BIND_LIGHT 9  /* directions of irradiance */
#define AK_BIND_LOBE 6   /* numbers of a highlight: direction, colour */
#define AK_BIND_LOBES 64 /* at most */

/* Per splat with the triangle v0, v1, v2, its vertices' normals m0, m1, m2 and b0 = 1 - b1 - b2:
 *
 *   n = unit (b0 m0 + b1 m1 + b2 m2), mean = b0 v0 + b1 v1 + b2 v2 + h n
 *   p = p1 (v1 - v0) + p2 (v2 - v0) + p3 n, q likewise: half-axes of a disc, whose main axes u, w (of p pᵀ + q qᵀ)
 *   give scales = (|u|, |w|, thickness) and the rotation with the columns u/|u|, w/|w|, their cross product;
 *   below 1e-9 a scale of 0 and the identity.
 *   E = Σ_k sh[k] Y_k (n), Y = 1, x, y, z, xy, yz, 3z² - 1, xz, x² - y²;
 *   L = albedo · max (E, 0) + gloss_0 Σ_j lobe_j.colour · exp (gloss_1 (n · lobe_j.direction - 1)),
 *   colours 0 … 2 = min (1, sqrt (max (L, 0))), then the features (as they are there already where none are given),
 *   then n.
 *
 * With `mix` it is, after colours 0 … 2, feature f + Σ_k mix[k][f] v_k with v = (colours 0 … 2, n), and no n.
 *
 * Implementations agree within 2e-5 (1 + |result|), rotations up to their sign. */
typedef struct
{
  size_t splats, features, lobes;
  const uint32_t *corners; /* [N][3] vertices of each splat's triangle */
  const float *place;      /* [N][3]: b1, b2, h */
  const float *axes;       /* [N][2][3] */
  const float *albedo;     /* [N][3] */
  const float *gloss;      /* [N][2] */
  const float *feature;    /* [N][features], or NULL without `mix` */
  const float *mix;        /* [6][features], or NULL */
  const float *sh;         /* [9][3] */
  const float *lobe;       /* [lobes][6] */
  float thickness;
  const float *vertices, *normals; /* [V][3] */
  float *means;                    /* [N][3] */
  float *scales;                   /* [N][3] */
  float *rotations;                /* [N][4]: w, x, y, z */
  float *colors;                   /* [N][3 + features + 3], with `mix` [N][3 + features] */
} AkBind;
void ak_bind (AkPlan *plan, const AkBind *args);

/* Numbers of a splat's colours. */
static inline size_t
ak_bind_channels (const AkBind *a)
{
  return 3 + a->features + (a->mix ? 0 : 3);
}

#ifdef __cplusplus
}
#endif
