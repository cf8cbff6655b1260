/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where splats lie on the picture, in doubles for every device of the CPU: a few milliseconds of a frame, and radii,
 * tiles and order are then the same everywhere. */
#include "splat.h"

#include <math.h>
#include <string.h>

#define MAX_CENTER 1e9
#define MAX_OPACITY 1e30f

/* Σ's upper triangle: xx, xy, xz, yy, yz, zz. */
static void
covariance (double out[6], const float *scale, const float *rotation)
{
  double w = rotation[0], x = rotation[1], y = rotation[2], z = rotation[3];
  double r[3][3] = { { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y) },
    { 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x) },
    { 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y) } };
  double s0 = (double) scale[0] * scale[0], s1 = (double) scale[1] * scale[1],
         s2 = (double) scale[2] * scale[2];

  for (int i = 0, k = 0; i < 3; i++)
    for (int j = i; j < 3; j++)
      out[k++] = s0 * r[i][0] * r[j][0] + s1 * r[i][1] * r[j][1] + s2 * r[i][2] * r[j][2];
}

/* x Σ y */
static double
product (const double m[6], const double x[3], const double y[3])
{
  return x[0] * (m[0] * y[0] + m[1] * y[1] + m[2] * y[2]) +
         x[1] * (m[1] * y[0] + m[3] * y[1] + m[4] * y[2]) +
         x[2] * (m[2] * y[0] + m[4] * y[1] + m[5] * y[2]);
}

static double
clamp (double v, double low, double high)
{
  return v < low ? low : v > high ? high : v;
}

static int32_t
tile (double v, unsigned tiles)
{
  return (int32_t) clamp (trunc (v / AK_SPLAT_TILE), 0, tiles);
}

typedef struct
{
  double center[2], depth, c00, c01, c11, det;
} Flat;

/* Steps 1 to 3. Returns whether the splat can be drawn. */
static int
flatten (const AkSplat *a, size_t i, Flat *flat)
{
  const float *p = a->means + 3 * i, *v = a->view, *m = a->projection;
  double side[2] = { a->width, a->height }, fov[2] = { a->tan_fov_x, a->tan_fov_y };
  double t[3], sigma[6], row[2][3], w;

  for (int k = 0; k < 3; k++)
    t[k] = (double) p[0] * v[k] + (double) p[1] * v[4 + k] + (double) p[2] * v[8 + k] + v[12 + k];
  flat->depth = t[2];
  w = (double) p[0] * m[3] + (double) p[1] * m[7] + (double) p[2] * m[11] + m[15] + 1e-7f;
  for (int k = 0; k < 2; k++) {
    double h = (double) p[0] * m[k] + (double) p[1] * m[4 + k] + (double) p[2] * m[8 + k];
    double f = side[k] / (2 * fov[k]), limit = 1.3f * fov[k];
    double tan = clamp (t[k] / t[2], -limit, limit);

    flat->center[k] = (((h + m[12 + k]) / w + 1) * side[k] - 1) / 2;
    for (int j = 0; j < 3; j++) /* of J W: t_k tan / t_z² is tan / t_z */
      row[k][j] = f / t[2] * (v[4 * j + k] - tan * v[4 * j + 2]);
  }
  covariance (sigma, a->scales + 3 * i, a->rotations + 4 * i);
  flat->c00 = product (sigma, row[0], row[0]) + 0.3f;
  flat->c01 = product (sigma, row[0], row[1]);
  flat->c11 = product (sigma, row[1], row[1]) + 0.3f;
  flat->det = flat->c00 * flat->c11 - flat->c01 * flat->c01;
  return t[2] > 0.2f && t[2] <= 3.4e38 && fabs (flat->center[0]) <= MAX_CENTER &&
         fabs (flat->center[1]) <= MAX_CENTER && flat->det > 0 && isfinite (flat->det) &&
         flat->c00 > 0 && flat->c11 > 0;
}

/* Where alpha can reach 1/255: an ellipse, made a little too large so that rounding loses nothing. Sets how it lies
 * in rows of pixels, and narrows `bounds`, which are those of the tiles, to its box. */
static void
set_reach (AkSplatShape *shape, uint16_t *bounds, const Flat *flat)
{
  double k = shape->opacity >= AK_SPLAT_FAINT ? 2 * logf (255 * shape->opacity) + 0.01 : -1;
  double reach = k * flat->det / flat->c11;

  shape->shear = (float) (flat->c01 / flat->c11);
  shape->reach = (float) reach;
  shape->fall = (float) (flat->det / (flat->c11 * flat->c11));
  /* where floats are too coarse to say, every pixel is looked at */
  if (k > 0 && (fabs (shape->u[0]) > 1e5 || fabs (shape->u[1]) > 1e5 || reach > 1e10)) {
    shape->shear = shape->fall = 0;
    shape->reach = INFINITY;
  }
  for (int i = 0; i < 2; i++) {
    double extent = k > 0 ? sqrt (k * (i ? flat->c11 : flat->c00)) + 0.1 : -1;

    bounds[i] = (uint16_t) clamp (ceil (shape->u[i] - extent), bounds[i], bounds[2 + i]);
    bounds[2 + i] = (uint16_t) clamp (floor (shape->u[i] + extent) + 1, bounds[i], bounds[2 + i]);
  }
}

/* Steps 2 to 4, and how the splat is stored. Returns the radius, or 0 where it is not drawn. */
static double
place (const AkSplatJob *job, size_t i, const Flat *flat, int32_t tiles[4])
{
  AkSplatShape *shape = job->shapes + i;
  uint16_t *bounds = job->bounds + 4 * i;
  double mid = (flat->c00 + flat->c11) / 2, spread = mid * mid - flat->det;
  double radius = ceil (3 * sqrt (mid + sqrt (spread > 0.1f ? spread : 0.1f)));
  float opacity = job->args.opacities[i];

  if (!isfinite (radius) || !isfinite (shape->conic[0]) || !isfinite (shape->conic[1]) ||
      !isfinite (shape->conic[2]))
    return 0;
  for (int k = 0; k < 2; k++) {
    unsigned n = k ? job->tiles_y : job->tiles_x;

    shape->u[k] = flat->center[k];
    tiles[k] = tile (flat->center[k] - radius, n);
    tiles[2 + k] = tile (flat->center[k] + radius + AK_SPLAT_TILE - 1, n);
  }
  if (tiles[0] >= tiles[2] || tiles[1] >= tiles[3])
    return 0;
  for (int k = 0; k < 4; k++)
    bounds[k] = (uint16_t) (tiles[k] * AK_SPLAT_TILE);
  shape->opacity = fabsf (opacity) <= MAX_OPACITY ? opacity : 0;
  set_reach (shape, bounds, flat);
  return radius;
}

static void
project (const AkSplatJob *job, size_t i)
{
  const AkSplatDetails *d = &job->args.details;
  float *conic = job->shapes[i].conic;
  uint16_t *bounds = job->bounds + 4 * i;
  int32_t tiles[4] = { 0 };
  double radius = 0;
  uint32_t depth = 0;
  Flat flat;
  int visible = flatten (&job->args, i, &flat);

  conic[0] = (float) (flat.c11 / flat.det);
  conic[1] = (float) (-flat.c01 / flat.det);
  conic[2] = (float) (flat.c00 / flat.det);
  if (visible)
    radius = place (job, i, &flat, tiles);
  if (radius <= 0)
    memset (tiles, 0, sizeof tiles);
  else if (d->contributions) /* places are counted among all that cover a tile */
    for (int k = 0; k < 4; k++)
      bounds[k] = (uint16_t) (tiles[k] * AK_SPLAT_TILE);
  if (radius > 0 && bounds[0] < bounds[2] && bounds[1] < bounds[3]) {
    float z = (float) flat.depth;

    memcpy (&depth, &z, sizeof depth);
  }
  job->spare[i] = (AkSplatKey){ depth, (uint32_t) i };
  if (d->radius)
    d->radius[i] = (int32_t) clamp (radius, 0, 1 << 30);
  for (size_t k = 0; k < 4 && d->tiles; k++)
    d->tiles[4 * i + k] = tiles[k];
  for (size_t k = 0; k < 2 && d->center; k++)
    d->center[2 * i + k] = (float) flat.center[k];
  for (size_t k = 0; k < 3 && d->conic; k++)
    d->conic[3 * i + k] = conic[k];
  if (d->depth)
    d->depth[i] = (float) flat.depth;
}

void
ak_splat_project (const AkSplatJob *job, size_t from, size_t to)
{
  for (size_t i = from; i < to; i++)
    project (job, i);
}
