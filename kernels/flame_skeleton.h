/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The joints' transforms of a posed head, in double, for every device: AK_DEVICE_FN is what comes before a function
 * there. For kernels/ only. */
#pragma once

#include "flame.h"

#include <math.h>

#ifndef AK_DEVICE_FN
#define AK_DEVICE_FN static inline
#endif

/* R [3][3] of the axis-angle r; k = r / |r + 1e-8| is not quite a unit vector (as trained). */
AK_DEVICE_FN void
ak_flame_rotation (double R[9], const float *r)
{
  double sx = r[0] + 1e-8, sy = r[1] + 1e-8, sz = r[2] + 1e-8;
  double a = sqrt (sx * sx + sy * sy + sz * sz);
  double x = a > 0 ? r[0] / a : 0, y = a > 0 ? r[1] / a : 0, z = a > 0 ? r[2] / a : 0;
  double s = sin (a), c = 1 - cos (a);

  R[0] = 1 - c * (y * y + z * z);
  R[1] = c * x * y - s * z;
  R[2] = c * x * z + s * y;
  R[3] = c * x * y + s * z;
  R[4] = 1 - c * (x * x + z * z);
  R[5] = c * y * z - s * x;
  R[6] = c * x * z - s * y;
  R[7] = c * y * z + s * x;
  R[8] = 1 - c * (x * x + y * y);
}

/* Row i of G[j], the place of joint j and of what hangs on it, once that row of its parent is there. */
AK_DEVICE_FN void
ak_flame_place_row (
    double (*G)[12], size_t j, int i, const int32_t *parents, double (*R)[9], const double *joint)
{
  const double *p = j ? G[parents[j]] + 4 * i : NULL;
  double at[3];

  for (int k = 0; k < 3; k++)
    at[k] = joint[3 * j + (size_t) k] - (p ? joint[3 * parents[j] + k] : 0);
  for (int k = 0; k < 3; k++)
    G[j][4 * i + k] =
        p ? p[0] * R[j][k] + p[1] * R[j][3 + k] + p[2] * R[j][6 + k] : R[j][3 * i + k];
  G[j][4 * i + 3] = p ? p[0] * at[0] + p[1] * at[1] + p[2] * at[2] + p[3] : at[i];
}

/* Row i of the skinning matrix m [J][12] of joint j, times scale. */
AK_DEVICE_FN void
ak_flame_skin_row (float *m, double (*G)[12], size_t j, int i, float scale, const double *joint)
{
  const double *g = G[j] + 4 * i;
  double move = g[3] - g[0] * joint[3 * j] - g[1] * joint[3 * j + 1] - g[2] * joint[3 * j + 2];

  for (int k = 0; k < 3; k++)
    m[12 * j + (size_t) (4 * i + k)] = (float) (g[k] * scale);
  m[12 * j + (size_t) (4 * i + 3)] = (float) (move * scale);
}
