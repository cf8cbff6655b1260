/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The published look (model spec, section 9) of a vertex, a face and a pixel, in double, for every device. Where nothing
 * is fused, a face's depth at a pixel is the same number wherever it is computed. */
#pragma once

#include "everywhere.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* A vertex in normalised device coordinates (x to the left, y up), and its depth. */
typedef struct
{
  double x, y, z;
} AkSeen;

/* The pixels that a face may cover; empty (x0 > x1) if the face is skipped. */
typedef struct
{
  int x0, x1, y0, y1;
  double area; /* twice that of the face, signed */
} AkFaceBox;

AK_EVERYWHERE AkSeen
ak_see (const float *at, double scale)
{
  const double z = 2 * scale - at[2];
  AkSeen seen = { -12 * (double) at[0] / z, 12 * (double) at[1] / z, z };

  return seen;
}

/* The pixels of the side that spans -1 to 1. */
AK_EVERYWHERE double
ak_smaller_side (unsigned width, unsigned height)
{
  return width < height ? width : height;
}

/* Where the middle of pixel j of n lies, from 1 (the first) to -1 along the smaller side of `m` pixels. */
AK_EVERYWHERE double
ak_pixel_middle (unsigned j, unsigned n, double m)
{
  return ((double) n - 1 - 2.0 * j) / m;
}

/* The pixels whose middles lie in [low, high], of n: the middle of pixel j is at (n - 1 - 2j) / m. */
AK_EVERYWHERE void
ak_pixel_range (double low, double high, double n, double m, int *first, int *last)
{
  double a = ceil ((n - 1 - high * m) / 2 - 1e-3), b = floor ((n - 1 - low * m) / 2 + 1e-3);

  *first = a > 0 ? (a < n ? (int) a : (int) n) : 0;
  *last = b < n - 1 ? (b >= 0 ? (int) b : -1) : (int) n - 1;
}

AK_EVERYWHERE AkFaceBox
ak_face_box (const AkSeen *a, const AkSeen *b, const AkSeen *c, unsigned width, unsigned height)
{
  const double m = ak_smaller_side (width, height);
  AkFaceBox box = { 0, -1, 0, -1, 0 };

  if (!(a->z >= 1e-8 && b->z >= 1e-8 && c->z >= 1e-8))
    return box;
  box.area = (c->x - a->x) * (b->y - a->y) - (c->y - a->y) * (b->x - a->x);
  if (!(fabs (box.area) > 1e-8))
    return box;
  ak_pixel_range (
      fmin (a->x, fmin (b->x, c->x)), fmax (a->x, fmax (b->x, c->x)), width, m, &box.x0, &box.x1);
  ak_pixel_range (
      fmin (a->y, fmin (b->y, c->y)), fmax (a->y, fmax (b->y, c->y)), height, m, &box.y0, &box.y1);
  return box;
}

/* Twice the area of a, b and the point; of the sign of AkFaceBox.area on the inner side. */
AK_EVERYWHERE double
ak_edge (const AkSeen *a, const AkSeen *b, double x, double y)
{
  return (x - a->x) * (b->y - a->y) - (y - a->y) * (b->x - a->x);
}

/* The depth of the face v0, v1, v2 at (x, y), the middle of a pixel, and the `weights` of v0 and v1 there; 0 if the face
 * does not cover it. */
AK_EVERYWHERE double
ak_face_depth (const AkSeen *v0, const AkSeen *v1, const AkSeen *v2, double face_area, double x,
    double y, double weights[2])
{
  const double sign = face_area > 0 ? 1 : -1, area = face_area + 1e-8;
  const double w0 = ak_edge (v1, v2, x, y), w1 = ak_edge (v2, v0, x, y),
               w2 = ak_edge (v0, v1, x, y);
  double t0, t1, t2, sum;

  if (!(w0 * sign > 0 && w1 * sign > 0 && w2 * sign > 0))
    return 0;
  t0 = w0 / area * v1->z * v2->z;
  t1 = w1 / area * v0->z * v2->z;
  t2 = w2 / area * v0->z * v1->z;
  sum = fmax (t0 + t1 + t2, 1e-8);
  t0 /= sum, t1 /= sum, t2 /= sum;
  if (!(t0 > 0 && t1 > 0 && t2 > 0))
    return 0;
  weights[0] = t0;
  weights[1] = t1;
  return t0 * v0->z + t1 * v1->z + t2 * v2->z;
}

AK_EVERYWHERE double
ak_dot3_double (const double *a, const double *b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

AK_EVERYWHERE void
ak_unit3_double (double *a)
{
  double length = fmax (sqrt (ak_dot3_double (a, a)), 1e-6);

  for (int k = 0; k < 3; k++)
    a[k] /= length;
}

/* The colour, 0 … 1, of a point of the face whose `corners` have the `weights` (the third one's are the rest). */
AK_EVERYWHERE void
ak_shade_published (double rgb[3], const float *vertices, const float *normals,
    const uint32_t *corners, const double weights[2], double scale)
{
  const double base[3] = { 142 / 255.0, 179 / 255.0, 247 / 255.0 }, light[3] = { 0, 1, 3 };
  const double b[3] = { weights[0], weights[1], 1 - weights[0] - weights[1] };
  double p[3] = { 0, 0, 0 }, n[3] = { 0, 0, 0 }, l[3], e[3], r[3], c, shine;

  for (int j = 0; j < 3; j++)
    for (size_t k = 0; k < 3; k++) {
      p[k] += b[j] * vertices[3 * (size_t) corners[j] + k];
      n[k] += b[j] * normals[3 * (size_t) corners[j] + k];
    }
  for (int k = 0; k < 3; k++) {
    l[k] = light[k] - p[k];
    e[k] = (k == 2 ? 2 * scale : 0) - p[k];
  }
  ak_unit3_double (n);
  ak_unit3_double (l);
  ak_unit3_double (e);
  c = ak_dot3_double (n, l);
  for (int k = 0; k < 3; k++)
    r[k] = 2 * c * n[k] - l[k];
  shine = c > 0 ? fmax (ak_dot3_double (e, r), 0.0) : 0;
  shine *= shine;                                /* ^2 */
  shine = shine * shine * shine * shine * shine; /* ^10 */
  for (int k = 0; k < 3; k++)
    rgb[k] = (0.5 + 0.3 * fmax (c, 0.0)) * base[k] + 0.12 * shine;
}
