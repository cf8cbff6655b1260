/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps 1 to 4 of splat.h in doubles, a thread a splat: the sums of kernels/cpu/splat_project.h in the same order, and
 * compiled without fused operations, so that radii and tiles are the same everywhere. */
#include "launch.h"
#include "splat_priv.h"

#define MAX_CENTER 1e9
#define MAX_OPACITY 1e30f

typedef struct
{
  double xx, xy, xz, yy, yz, zz;
} Symmetric;

typedef struct
{
  double x, y, z;
} Row;

/* A projected splat; of `tile` and `bound` the first two begin, the others end. */
typedef struct
{
  double center[2], depth, conic[3];
  double radius; /* 0: not drawn */
  double level;  /* 2 ln (255 opacity), a little more; -1 where no alpha can reach 1/255 */
  double tile[4], bound[4];
} Flat;

static __device__ double
clamp (double v, double low, double high)
{
  v = v < low ? low : v;
  return v > high ? high : v;
}

/* R diag (s²) Rᵀ */
static __device__ void
covariance (Symmetric *out, const float *scale, const float *q)
{
  double w = q[0], x = q[1], y = q[2], z = q[3];
  double s0 = (double) scale[0] * scale[0], s1 = (double) scale[1] * scale[1],
         s2 = (double) scale[2] * scale[2];
  double r00 = 1 - 2 * (y * y + z * z), r01 = 2 * (x * y - w * z), r02 = 2 * (x * z + w * y);
  double r10 = 2 * (x * y + w * z), r11 = 1 - 2 * (x * x + z * z), r12 = 2 * (y * z - w * x);
  double r20 = 2 * (x * z - w * y), r21 = 2 * (y * z + w * x), r22 = 1 - 2 * (x * x + y * y);

  out->xx = s0 * r00 * r00 + s1 * r01 * r01 + s2 * r02 * r02;
  out->xy = s0 * r00 * r10 + s1 * r01 * r11 + s2 * r02 * r12;
  out->xz = s0 * r00 * r20 + s1 * r01 * r21 + s2 * r02 * r22;
  out->yy = s0 * r10 * r10 + s1 * r11 * r11 + s2 * r12 * r12;
  out->yz = s0 * r10 * r20 + s1 * r11 * r21 + s2 * r12 * r22;
  out->zz = s0 * r20 * r20 + s1 * r21 * r21 + s2 * r22 * r22;
}

/* a m b */
static __device__ double
product (const Symmetric *m, const Row *a, const Row *b)
{
  return a->x * (m->xx * b->x + m->xy * b->y + m->xz * b->z) +
         a->y * (m->xy * b->x + m->yy * b->y + m->yz * b->z) +
         a->z * (m->xz * b->x + m->yz * b->y + m->zz * b->z);
}

/* Column `c` of [p, 1] · m */
static __device__ double
column (const float *m, int c, const float *p)
{
  return (double) p[0] * m[c] + (double) p[1] * m[4 + c] + (double) p[2] * m[8 + c] + m[12 + c];
}

/* A row of J W: of t_k's projection, where t_k tan / t_z² is tan / t_z, the clamped tangent `tan`; scale: f / z. */
static __device__ void
jacobian (Row *row, const float *view, int k, double scale, double tan)
{
  row->x = scale * (view[k] - tan * view[2]);
  row->y = scale * (view[4 + k] - tan * view[6]);
  row->z = scale * (view[8 + k] - tan * view[10]);
}

/* One side's tiles, and the pixels in them that the ellipse can reach, made a little too large so that rounding
 * loses nothing. */
static __device__ void
cover (Flat *a, int k, double variance, unsigned tiles)
{
  double u = a->center[k], radius = a->radius;
  double first = clamp (trunc ((u - radius) / AK_SPLAT_TILE), 0, tiles);
  double end = clamp (trunc ((u + radius + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE), 0, tiles);
  double extent = sqrt (a->level * variance) + 0.1, low, high;

  extent = a->level > 0 ? extent : -1;
  a->tile[k] = first;
  a->tile[2 + k] = end;
  low = clamp (ceil (u - extent), first * AK_SPLAT_TILE, end * AK_SPLAT_TILE);
  high = clamp (floor (u + extent) + 1, low, end * AK_SPLAT_TILE);
  a->bound[k] = low;
  a->bound[2 + k] = high;
}

static __device__ void
flatten (Flat *a, const AkCudaSplatJob *job, const float *mean, const float *scales,
    const float *rotation)
{
  const AkSplat *args = &job->args;
  const float *view = args->view;
  double width = args->width, height = args->height;
  double tan_x = args->tan_fov_x, tan_y = args->tan_fov_y;
  double limit_x = 1.3f * tan_x, limit_y = 1.3f * tan_y;
  double f_x = width / (2 * tan_x), f_y = height / (2 * tan_y);
  double z = column (view, 2, mean), w = column (args->projection, 3, mean) + 1e-7f;
  double by_z = 1 / z, by_w = 1 / w;
  double x = clamp (column (view, 0, mean) * by_z, -limit_x, limit_x);
  double y = clamp (column (view, 1, mean) * by_z, -limit_y, limit_y);
  double c00, c01, c11, det, by_det, mid, spread, radius;
  Symmetric sigma;
  Row row_x, row_y;

  covariance (&sigma, scales, rotation);
  jacobian (&row_x, view, 0, f_x * by_z, x);
  jacobian (&row_y, view, 1, f_y * by_z, y);
  a->center[0] = ((column (args->projection, 0, mean) * by_w + 1) * width - 1) / 2;
  a->center[1] = ((column (args->projection, 1, mean) * by_w + 1) * height - 1) / 2;
  c00 = product (&sigma, &row_x, &row_x) + 0.3f;
  c01 = product (&sigma, &row_x, &row_y);
  c11 = product (&sigma, &row_y, &row_y) + 0.3f;
  det = c00 * c11 - c01 * c01;
  by_det = 1 / det;
  mid = (c00 + c11) / 2;
  spread = mid * mid - det;
  radius = ceil (3 * sqrt (mid + sqrt (spread > 0.1f ? spread : 0.1f)));
  a->depth = z;
  a->conic[0] = c11 * by_det;
  a->conic[1] = -c01 * by_det;
  a->conic[2] = c00 * by_det;
  a->radius = z > 0.2f && z <= 3.4e38 && fabs (a->center[0]) <= MAX_CENTER &&
                      fabs (a->center[1]) <= MAX_CENTER && det > 0 && det + radius <= 1e300
                  ? radius
                  : 0;
  cover (a, 0, c00, job->tiles_x);
  cover (a, 1, c11, job->tiles_y);
}

static __device__ void
write_details (const AkSplatDetails *d, const Flat *a, size_t i, int drawn)
{
  if (d->radius)
    d->radius[i] = drawn ? (int32_t) clamp (a->radius, 0, 1 << 30) : 0;
  for (size_t k = 0; k < 4 && d->tiles; k++)
    d->tiles[4 * i + k] = drawn ? (int32_t) a->tile[k] : 0;
  for (size_t k = 0; k < 2 && d->center; k++)
    d->center[2 * i + k] = (float) a->center[k];
  for (size_t k = 0; k < 3 && d->conic; k++)
    d->conic[3 * i + k] = (float) a->conic[k];
  if (d->depth)
    d->depth[i] = (float) a->depth;
}

static __global__ void
project_kernel (AkCudaSplatJob job)
{
  size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const AkSplat *s = &job.args;
  /* counted among all that cover a tile */
  int places = s->details.contributions != NULL, drawn, seen = 0;
  float opacity;
  Flat a;

  if (i == 0)
    job.state->drawn = 0;
  if (i >= s->splats)
    return;
  opacity = fabsf (s->opacities[i]) <= MAX_OPACITY ? s->opacities[i] : 0;
  a.level = opacity >= AK_SPLAT_FAINT ? 2 * logf (255 * opacity) + 0.01 : -1;
  flatten (&a, &job, s->means + 3 * i, s->scales + 3 * i, s->rotations + 4 * i);
  drawn = a.radius > 0 && a.tile[0] < a.tile[2] && a.tile[1] < a.tile[3];
  if (drawn) {
    AkCudaShape shape;

    seen = places || (a.bound[0] < a.bound[2] && a.bound[1] < a.bound[3]);
    for (int k = 0; k < 4; k++)
      shape.bounds[k] = (uint16_t) (places ? AK_SPLAT_TILE * a.tile[k] : a.bound[k]);
    for (int k = 0; k < 2; k++)
      shape.u[k] = a.center[k];
    for (int k = 0; k < 3; k++)
      shape.conic[k] = (float) a.conic[k];
    shape.opacity = opacity;
    shape.index = (uint32_t) i;
    job.shapes[i] = shape;
  }
  job.depth[0][i] = seen ? (uint32_t) __float_as_int ((float) a.depth) : AK_SPLAT_UNSEEN;
  job.index[0][i] = (uint32_t) i;
  write_details (&s->details, &a, i, drawn);
}

void
ak_cuda_splat_project (const AkAt *at, const AkCudaSplatJob *job)
{
  AK_LAUNCH (project_kernel, ak_blocks (job->args.splats, 128), 128, 0, at, *job);
}
