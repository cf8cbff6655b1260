/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "camera.h"

#include <math.h>
#include <string.h>

#define NEAR 0.01
#define FAR 100.0

/* R [3][3] of the axis-angle r, exact (unlike the head's, kernels/flame.h). */
static void
rotation_matrix (double R[9], const double r[3])
{
  double a = sqrt (r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
  /* sin (a/2) / a of a unit quaternion w, x, y, z */
  double s = a > 1e-8 ? sin (a / 2) / a : 0.5 - a * a / 48;
  double w = cos (a / 2), x = r[0] * s, y = r[1] * s, z = r[2] * s;

  R[0] = 1 - 2 * (y * y + z * z);
  R[1] = 2 * (x * y - w * z);
  R[2] = 2 * (x * z + w * y);
  R[3] = 2 * (x * y + w * z);
  R[4] = 1 - 2 * (x * x + z * z);
  R[5] = 2 * (y * z - w * x);
  R[6] = 2 * (x * z - w * y);
  R[7] = 2 * (y * z + w * x);
  R[8] = 1 - 2 * (x * x + y * y);
}

/* Fills view and projection from the transform. */
static void
finish (AmCamera *c)
{
  /* rows of K: clip = view · Kᵀ */
  static const double K[4][4] = { { AM_FOCAL, 0, 0, 0 }, { 0, AM_FOCAL, 0, 0 },
    { 0, 0, FAR / (FAR - NEAR), -FAR * NEAR / (FAR - NEAR) }, { 0, 0, 1, 0 } };
  double V[4][4] = { { 0 } };

  for (int i = 0; i < 3; i++) {
    for (int k = 0; k < 3; k++)
      V[i][k] = k < 2 ? -c->transform[4 * i + k] : c->transform[4 * i + k];
    V[3][i] = i < 2 ? -c->transform[4 * i + 3] : c->transform[4 * i + 3];
  }
  V[3][3] = 1;
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < 4; k++) {
      double sum = 0;

      for (int j = 0; j < 4; j++)
        sum += V[i][j] * K[k][j];
      c->view[4 * i + k] = (float) V[i][k];
      c->projection[4 * i + k] = (float) sum;
    }
}

void
am_camera_fixed (AmCamera *camera, const float transform[12])
{
  memcpy (camera->transform, transform, sizeof camera->transform);
  finish (camera);
}

void
am_camera_frame (AmCamera *camera, const float tracked[12], const float rotation[3])
{
  static const double flip[3] = { -1, 1, -1 };
  double r[3], R[9];

  for (int k = 0; k < 3; k++)
    r[k] = isfinite (rotation[k]) ? flip[k] * rotation[k] : 0;
  rotation_matrix (R, r);
  /* M = (R · diag (flip))⁻¹ = diag (flip) · Rᵀ */
  for (int i = 0; i < 3; i++) {
    for (int k = 0; k < 3; k++)
      camera->transform[4 * i + k] = (float) (flip[i] * R[3 * k + i]);
    camera->transform[4 * i + 3] = tracked[4 * i + 3];
  }
  finish (camera);
}
