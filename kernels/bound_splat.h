/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One splat of ak_bind(), for every device. */
#pragma once

#include "bind.h"
#include "everywhere.h"

#include <math.h>

/* fmaxf() without a call; NaN gives `least`. */
AK_EVERYWHERE float
ak_larger (float v, float least)
{
  return v > least ? v : least;
}

/* Unit quaternion of the rotation with the columns u, w, k. */
AK_EVERYWHERE void
ak_bound_quaternion (float *out, const float *u, const float *w, const float *k)
{
  const float xx = u[0], yy = w[1], zz = k[2], trace = xx + yy + zz;
  const float x = w[2] - k[1], y = k[0] - u[2], z = u[1] - w[0]; /* differences of m and mᵀ */
  const float xy = w[0] + u[1], xz = k[0] + u[2], yz = k[1] + w[2];
  float q[4], s, length;

  if (trace > 0) {
    s = 2 * sqrtf (trace + 1);
    q[0] = s / 4, q[1] = x / s, q[2] = y / s, q[3] = z / s;
  } else if (yy > xx && !(zz > yy)) {
    s = 2 * sqrtf (ak_larger (1 + yy - zz - xx, 1e-12f));
    q[0] = y / s, q[1] = xy / s, q[2] = s / 4, q[3] = yz / s;
  } else if (zz > (yy > xx ? yy : xx)) {
    s = 2 * sqrtf (ak_larger (1 + zz - xx - yy, 1e-12f));
    q[0] = z / s, q[1] = xz / s, q[2] = yz / s, q[3] = s / 4;
  } else {
    s = 2 * sqrtf (ak_larger (1 + xx - yy - zz, 1e-12f));
    q[0] = x / s, q[1] = s / 4, q[2] = xy / s, q[3] = xz / s;
  }
  length = sqrtf (q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  for (int i = 0; i < 4; i++)
    out[i] = q[i] / length;
}

/* Scales and rotation of the disc that p and q span. */
AK_EVERYWHERE void
ak_bound_disc (float *scales, float *rotation, const float *p, const float *q, float thickness)
{
  /* cosine and sine of half the angle of (x, y) */
  float x = ak_dot3 (p, p) - ak_dot3 (q, q), y = 2 * ak_dot3 (p, q), r = sqrtf (x * x + y * y);
  float c = 1, s = 0, u[3], w[3], k[3], a, b;

  if (r > 0 && x >= 0) {
    c = sqrtf ((r + x) / (2 * r));
    s = y / (2 * r * c);
  } else if (r > 0) {
    s = copysignf (sqrtf ((r - x) / (2 * r)), y);
    c = y / (2 * r * s);
  }
  for (int i = 0; i < 3; i++) {
    u[i] = c * p[i] + s * q[i];
    w[i] = c * q[i] - s * p[i];
  }
  a = sqrtf (ak_dot3 (u, u));
  b = sqrtf (ak_dot3 (w, w));
  if (!(a >= 1e-9f && b >= 1e-9f)) { /* also NaN */
    for (int i = 0; i < 3; i++)
      scales[i] = 0;
    for (int i = 0; i < 4; i++)
      rotation[i] = i == 0;
    return;
  }
  scales[0] = a;
  scales[1] = b;
  scales[2] = thickness;
  for (int i = 0; i < 3; i++) {
    u[i] /= a;
    w[i] /= b;
  }
  k[0] = u[1] * w[2] - u[2] * w[1];
  k[1] = u[2] * w[0] - u[0] * w[2];
  k[2] = u[0] * w[1] - u[1] * w[0];
  ak_bound_quaternion (rotation, u, w, k);
}

AK_EVERYWHERE void
ak_bound_light (const AkBind *a, size_t i, const float *n, float *color)
{
  const float x = n[0], y = n[1], z = n[2];
  const float Y[AK_BIND_LIGHT] = { 1, x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y };
  float shine[3] = { 0, 0, 0 };

  for (size_t j = 0; j < a->lobes; j++) {
    const float *lobe = a->lobe + AK_BIND_LOBE * j;
    float g = expf (a->gloss[2 * i + 1] * (ak_dot3 (n, lobe) - 1));

    for (int c = 0; c < 3; c++)
      shine[c] += lobe[3 + c] * g;
  }
  for (int c = 0; c < 3; c++) {
    float e = 0, l;

    for (int k = 0; k < AK_BIND_LIGHT; k++)
      e += a->sh[3 * k + c] * Y[k];
    l = sqrtf (ak_larger (
        a->albedo[3 * i + (size_t) c] * ak_larger (e, 0) + a->gloss[2 * i] * shine[c], 0));
    color[c] = l < 1 ? l : 1;
  }
}

/* Splat `i` of ak_bind(). */
AK_EVERYWHERE void
ak_bound_splat (const AkBind *a, size_t i)
{
  const uint32_t *corner = a->corners + 3 * i;
  const float *place = a->place + 3 * i, *axes = a->axes + 6 * i, *v[3], *m[3];
  const float b[3] = { 1 - place[0] - place[1], place[0], place[1] };
  float *color = a->colors + i * (3 + a->features + (a->mix ? 0 : 3)), n[3], p[3], q[3], length;
  float finite[3];

  for (int k = 0; k < 3; k++) {
    v[k] = a->vertices + 3 * (size_t) corner[k];
    m[k] = a->normals + 3 * (size_t) corner[k];
  }
  for (int c = 0; c < 3; c++)
    n[c] = b[0] * m[0][c] + b[1] * m[1][c] + b[2] * m[2][c];
  length = ak_larger (sqrtf (ak_dot3 (n, n)), 1e-6f);
  for (size_t c = 0; c < 3; c++) {
    float e1 = v[1][c] - v[0][c], e2 = v[2][c] - v[0][c];

    n[c] /= length;
    a->means[3 * i + c] = b[0] * v[0][c] + b[1] * v[1][c] + b[2] * v[2][c] + place[2] * n[c];
    p[c] = axes[0] * e1 + axes[1] * e2 + axes[2] * n[c];
    q[c] = axes[3] * e1 + axes[4] * e2 + axes[5] * n[c];
    finite[c] = isfinite (n[c]) ? n[c] : 0;
  }
  ak_bound_disc (a->scales + 3 * i, a->rotations + 4 * i, p, q, a->thickness);
  ak_bound_light (a, i, n, color);
  for (size_t f = 0; a->feature && f < a->features; f++) {
    float sum = a->feature[i * a->features + f];

    for (size_t k = 0; a->mix && k < 3; k++)
      sum += a->mix[k * a->features + f] * color[k] + a->mix[(3 + k) * a->features + f] * finite[k];
    color[3 + f] = sum;
  }
  for (size_t c = 0; !a->mix && c < 3; c++)
    color[3 + a->features + c] = finite[c];
}
