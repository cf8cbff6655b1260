/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps 1 to 4 of splat.h in doubles, eight splats at a time in loops that a compiler can turn into vector code.
 * Included by the file without and the one with AVX2; as products and sums stay apart, both get the same bits. */
#pragma once

#include "splat.h"

#include <math.h>
#include <string.h>

#define LANES 8
#define MAX_CENTER 1e9
#define MAX_OPACITY 1e30f
#define LOG2_E 1.4426950408889634
#define LOG2_255 7.9943534368588579
#define INLINE static inline __attribute__ ((always_inline))

typedef struct
{
  double mean[3][LANES], scale[3][LANES], rotation[4][LANES];
  double level[LANES]; /* 2 ln (255 opacity), a little more; -1 where no alpha can reach 1/255 */
  double power[LANES]; /* log2 (opacity), or -infinity there */
  float opacity[LANES];
  double center[2][LANES], depth[LANES], conic[3][LANES];
  double radius[LANES]; /* 0: not drawn */
  double tile[4][LANES], bound[4][LANES];
  double shear[LANES], reach[LANES], fall[LANES];
} Lanes;

typedef struct
{
  double xx, xy, xz, yy, yz, zz;
} Symmetric;

typedef struct
{
  double x, y, z;
} Row;

INLINE double
clamp (double v, double low, double high)
{
  v = v < low ? low : v;
  return v > high ? high : v;
}

/* R diag (s²) Rᵀ */
INLINE Symmetric
covariance (const Lanes *a, int l)
{
  double w = a->rotation[0][l], x = a->rotation[1][l], y = a->rotation[2][l], z = a->rotation[3][l];
  double s0 = a->scale[0][l] * a->scale[0][l], s1 = a->scale[1][l] * a->scale[1][l],
         s2 = a->scale[2][l] * a->scale[2][l];
  double r00 = 1 - 2 * (y * y + z * z), r01 = 2 * (x * y - w * z), r02 = 2 * (x * z + w * y);
  double r10 = 2 * (x * y + w * z), r11 = 1 - 2 * (x * x + z * z), r12 = 2 * (y * z - w * x);
  double r20 = 2 * (x * z - w * y), r21 = 2 * (y * z + w * x), r22 = 1 - 2 * (x * x + y * y);

  return (Symmetric){
    .xx = s0 * r00 * r00 + s1 * r01 * r01 + s2 * r02 * r02,
    .xy = s0 * r00 * r10 + s1 * r01 * r11 + s2 * r02 * r12,
    .xz = s0 * r00 * r20 + s1 * r01 * r21 + s2 * r02 * r22,
    .yy = s0 * r10 * r10 + s1 * r11 * r11 + s2 * r12 * r12,
    .yz = s0 * r10 * r20 + s1 * r11 * r21 + s2 * r12 * r22,
    .zz = s0 * r20 * r20 + s1 * r21 * r21 + s2 * r22 * r22,
  };
}

/* a m b */
INLINE double
product (Symmetric m, Row a, Row b)
{
  return a.x * (m.xx * b.x + m.xy * b.y + m.xz * b.z) +
         a.y * (m.xy * b.x + m.yy * b.y + m.yz * b.z) +
         a.z * (m.xz * b.x + m.yz * b.y + m.zz * b.z);
}

/* Column `c` of [p, 1] · m */
INLINE double
column (const float *m, int c, const Lanes *a, int l)
{
  return a->mean[0][l] * m[c] + a->mean[1][l] * m[4 + c] + a->mean[2][l] * m[8 + c] + m[12 + c];
}

/* A row of J W: of t_k's projection, where t_k tan / t_z² is tan / t_z, the clamped tangent `tan`; scale: f / z. */
INLINE Row
jacobian (const float *view, int k, double scale, double tan)
{
  return (Row){ scale * (view[k] - tan * view[2]), scale * (view[4 + k] - tan * view[6]),
    scale * (view[8 + k] - tan * view[10]) };
}

/* One side's tiles, and the pixels in them that the ellipse can reach, made a little too large so that rounding
 * loses nothing. */
INLINE void
cover (Lanes *a, int k, int l, double variance, unsigned tiles)
{
  double u = a->center[k][l], radius = a->radius[l];
  double first = clamp (trunc ((u - radius) / AK_SPLAT_TILE), 0, tiles);
  double end = clamp (trunc ((u + radius + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE), 0, tiles);
  double extent = sqrt (a->level[l] * variance) + 0.1, low, high;

  extent = a->level[l] > 0 ? extent : -1;
  a->tile[k][l] = first;
  a->tile[2 + k][l] = end;
  low = clamp (ceil (u - extent), first * AK_SPLAT_TILE, end * AK_SPLAT_TILE);
  high = clamp (floor (u + extent) + 1, low, end * AK_SPLAT_TILE);
  a->bound[k][l] = low;
  a->bound[2 + k][l] = high;
}

static void
flatten (Lanes *a, const AkSplatJob *job)
{
  const AkSplat *args = &job->args;
  const float *view = args->view;
  double width = args->width, height = args->height;
  double tan_x = args->tan_fov_x, tan_y = args->tan_fov_y;
  double limit_x = 1.3f * tan_x, limit_y = 1.3f * tan_y;
  double f_x = width / (2 * tan_x), f_y = height / (2 * tan_y);
  unsigned tiles_x = job->tiles_x, tiles_y = job->tiles_y;

  for (int l = 0; l < LANES; l++) {
    Symmetric sigma = covariance (a, l);
    double z = column (view, 2, a, l), w = column (args->projection, 3, a, l) + 1e-7f;
    double by_z = 1 / z, by_w = 1 / w; /* divisions take longest */
    double x = clamp (column (view, 0, a, l) * by_z, -limit_x, limit_x);
    double y = clamp (column (view, 1, a, l) * by_z, -limit_y, limit_y);
    Row row_x = jacobian (view, 0, f_x * by_z, x), row_y = jacobian (view, 1, f_y * by_z, y);
    double u_x = ((column (args->projection, 0, a, l) * by_w + 1) * width - 1) / 2;
    double u_y = ((column (args->projection, 1, a, l) * by_w + 1) * height - 1) / 2;
    double c00 = product (sigma, row_x, row_x) + 0.3f, c01 = product (sigma, row_x, row_y),
           c11 = product (sigma, row_y, row_y) + 0.3f;
    double det = c00 * c11 - c01 * c01, by_det = 1 / det, by_c11 = 1 / c11, mid = (c00 + c11) / 2,
           spread = mid * mid - det;
    double radius = ceil (3 * sqrt (mid + sqrt (spread > 0.1f ? spread : 0.1f)));
    int near = z > 0.2f, far = z <= 3.4e38, beside = fabs (u_x) <= MAX_CENTER;
    int below = fabs (u_y) <= MAX_CENTER, open = det > 0, finite = det + radius <= 1e300;

    a->depth[l] = z;
    a->center[0][l] = u_x;
    a->center[1][l] = u_y;
    a->conic[0][l] = c11 * by_det;
    a->conic[1][l] = -c01 * by_det;
    a->conic[2][l] = c00 * by_det;
    a->radius[l] = near & far & beside & below & open & finite ? radius : 0;
    a->shear[l] = c01 * by_c11;
    a->reach[l] = a->level[l] * det * by_c11;
    a->fall[l] = det * by_c11 * by_c11;
    cover (a, 0, l, c00, tiles_x);
    cover (a, 1, l, c11, tiles_y);
  }
}

/* An opacity and its logarithm: many splats in a row have the same. */
typedef struct
{
  float opacity;
  double log; /* ln (255 opacity), or -infinity where no alpha can reach 1/255 */
} Known;

/* Reads the splats from … from + n - 1; the lanes behind are far away from everything. */
static void
read_lanes (Lanes *a, const AkSplat *s, size_t from, size_t n, Known *known)
{
  for (size_t l = 0; l < LANES; l++) {
    size_t i = l < n ? from + l : from;
    float opacity = fabsf (s->opacities[i]) <= MAX_OPACITY ? s->opacities[i] : 0;
    int seen = opacity >= AK_SPLAT_FAINT;

    if (opacity != known->opacity)
      *known = (Known){ opacity, seen ? logf (255 * opacity) : -INFINITY };
    for (size_t k = 0; k < 3; k++) {
      a->mean[k][l] = s->means[3 * i + k];
      a->scale[k][l] = s->scales[3 * i + k];
    }
    for (size_t k = 0; k < 4; k++)
      a->rotation[k][l] = s->rotations[4 * i + k];
    a->opacity[l] = opacity;
    a->level[l] = seen ? 2 * known->log + 0.01 : -1;
    a->power[l] = LOG2_E * known->log - LOG2_255;
  }
}

static void
write_details (const AkSplatDetails *d, const Lanes *a, size_t i, size_t l, int drawn)
{
  if (d->radius)
    d->radius[i] = drawn ? (int32_t) clamp (a->radius[l], 0, 1 << 30) : 0;
  for (size_t k = 0; k < 4 && d->tiles; k++)
    d->tiles[4 * i + k] = drawn ? (int32_t) a->tile[k][l] : 0;
  for (size_t k = 0; k < 2 && d->center; k++)
    d->center[2 * i + k] = (float) a->center[k][l];
  for (size_t k = 0; k < 3 && d->conic; k++)
    d->conic[3 * i + k] = (float) a->conic[k][l];
  if (d->depth)
    d->depth[i] = (float) a->depth[l];
}

static void
write_lane (const AkSplatJob *job, const Lanes *a, size_t i, size_t l)
{
  AkSplatShape *shape = job->shapes + i;
  int drawn = a->radius[l] > 0 && a->tile[0][l] < a->tile[2][l] && a->tile[1][l] < a->tile[3][l];
  int seen = 0;
  float z = (float) a->depth[l];
  uint32_t depth;

  if (drawn) {
    int places = job->args.details.contributions != NULL; /* counted among all that cover a tile */
    uint16_t edge[4];

    seen = places || (a->bound[0][l] < a->bound[2][l] && a->bound[1][l] < a->bound[3][l]);
    for (size_t k = 0; k < 4; k++)
      edge[k] = (uint16_t) (places ? AK_SPLAT_TILE * a->tile[k][l] : a->bound[k][l]);
    job->boxes[i] = (AkSplatBox){ edge[0], edge[1], edge[2], edge[3] };
    *shape = (AkSplatShape){ .u = { a->center[0][l], a->center[1][l] },
      .conic = { (float) a->conic[0][l], (float) a->conic[1][l], (float) a->conic[2][l] },
      .opacity = a->opacity[l],
      .power = { (float) (-0.5 * LOG2_E * a->conic[0][l]), (float) (-LOG2_E * a->conic[1][l]),
          (float) (-0.5 * LOG2_E * a->conic[2][l]), (float) a->power[l] },
      .shear = (float) a->shear[l],
      .reach = (float) a->reach[l],
      .fall = (float) a->fall[l] };
    /* where floats are too coarse to say, every pixel is looked at */
    if (a->level[l] > 0 &&
        (fabs (a->center[0][l]) > 1e5 || fabs (a->center[1][l]) > 1e5 || a->reach[l] > 1e10)) {
      shape->shear = shape->fall = 0;
      shape->reach = INFINITY;
    }
  }
  memcpy (&depth, &z, sizeof depth);
  job->spare[i] = (AkSplatKey){ seen ? depth : 0, (uint32_t) i };
  write_details (&job->args.details, a, i, l, drawn);
}

INLINE void
project (const AkSplatJob *job, size_t from, size_t to)
{
  Known known = { 0, -INFINITY };

  for (; from < to; from += LANES) {
    size_t n = to - from < LANES ? to - from : LANES;
    Lanes a;

    read_lanes (&a, &job->args, from, n, &known);
    flatten (&a, job);
    for (size_t l = 0; l < n; l++)
      write_lane (job, &a, from + l, l);
  }
}
