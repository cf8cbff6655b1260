/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FLAME on CUDA: a block takes some vertices, each with all directions as one product. Every block poses the joints
 * itself, while its other warps add up what does not depend on them: that is sooner there than from another kernel. */
#include "launch.h"
#include "../flame_pack.h"
#include "../flame_priv.h"

#include <stdlib.h>

#define AK_DEVICE_FN static __device__
#include "../flame_skeleton.h"

#define LANES 32 /* vertices of a block */
#define GROUPS 8 /* of directions, added up by a warp each */
#define JOINTS AK_FLAME_MAX_JOINTS
#define PRODUCTS 1536                         /* of expressions and joints at a time */
#define THREADS (LANES * GROUPS + 4 * JOINTS) /* the last ones: coordinates of joints, rotations */

/* Device memory, but for the sizes; coordinates are planes [3][padded]. */
typedef struct
{
  AkFlame base;
  size_t padded;
  float scale;
  int32_t *parents;
  float *shaped;      /* template with the identity */
  float *directions;  /* [E + 9 (J-1)] planes: expression, then pose */
  double *joints;     /* [J][3] of the shaped template */
  double *joint_dirs; /* [E][J][3] */
  float *weights;     /* [J][padded] */
} AkCudaFlame;

typedef struct
{
  AkCudaFlame f;
  float *vertices; /* [V][3] */
  const float *expression, *pose;
} Pose;

static __global__ void
pose_kernel (Pose p)
{
  __shared__ double R[JOINTS][9], G[JOINTS][12], joint[3 * JOINTS];
  __shared__ double products[PRODUCTS];
  __shared__ float correct[9 * JOINTS], m[12 * JOINTS];
  __shared__ float part[GROUPS][3][LANES];
  const size_t E = p.f.base.expressions, J = p.f.base.joints, P = p.f.padded;
  const size_t directions = E + 9 * (J - 1);
  const unsigned lane = threadIdx.x % LANES, group = threadIdx.x / LANES;
  const size_t v = (size_t) blockIdx.x * LANES + lane; /* < padded */
  const float *plane = p.f.directions + v;
  float at[3] = { 0, 0, 0 };
  /* coordinate i of the joints before they turn */
  const size_t n = 3 * J, most = PRODUCTS / n, i = threadIdx.x - LANES * GROUPS;
  const int is_joint = threadIdx.x >= LANES * GROUPS && i < n;
  double sum = is_joint ? p.f.joints[i] : 0;
  size_t d = group;

  for (size_t e = 0;; e += most) { /* the last sums are for whom they concern, and others go on */
    const size_t here = E - e < most ? E - e : most;
    size_t rest;

    for (size_t k = threadIdx.x; k < n * here; k += THREADS)
      products[k] = p.expression[e + ak_split (k, n, &rest)] * p.f.joint_dirs[n * e + k];
    __syncthreads ();
#pragma unroll 4
    for (size_t k = 0; is_joint && k < here; k++)
      sum += products[n * k + i];
    if (E - e <= most)
      break;
    __syncthreads ();
  }
  if (is_joint)
    joint[i] = sum;
  if (group < GROUPS) { /* the expressions' directions */
#pragma unroll 4
    for (; d < E; d += GROUPS)
      for (size_t k = 0; k < 3; k++)
        at[k] += p.expression[d] * plane[(3 * d + k) * P];
  } else if (i >= 3 * JOINTS && i < 3 * JOINTS + J) {
    const size_t j = i - 3 * JOINTS;

    ak_flame_rotation (R[j], p.pose + 3 * j);
    for (size_t k = 0; j > 0 && k < 9; k++)
      correct[9 * (j - 1) + k] = (float) (R[j][k] - (k % 4 == 0));
  }
  __syncthreads ();
  if (group < GROUPS) { /* the pose's */
#pragma unroll 4
    for (; d < directions; d += GROUPS)
      for (size_t k = 0; k < 3; k++)
        at[k] += correct[d - E] * plane[(3 * d + k) * P];
    for (int k = 0; k < 3; k++)
      part[group][k][lane] = at[k];
  } else if (i < 3) {
    const int row = (int) i;

    for (size_t j = 0; j < J; j++)
      ak_flame_place_row (G, j, row, p.f.parents, R, joint);
    for (size_t j = 0; j < J; j++)
      ak_flame_skin_row (m, G, j, row, p.f.scale, joint);
  }
  __syncthreads ();
  if (group >= 3 || v >= p.f.base.vertices)
    return;
  for (size_t k = 0; k < 3; k++) { /* a warp a coordinate */
    at[k] = p.f.shaped[k * P + v];
    for (int g = 0; g < GROUPS; g++)
      at[k] += part[g][k][lane];
  }
  sum = 0;
#pragma unroll 5
  for (size_t j = 0; j < J; j++) {
    const float w = p.f.weights[j * P + v], *row = m + 12 * j + 4 * group;

    if (w != 0)
      sum += (double) w *
             ((double) row[0] * at[0] + (double) row[1] * at[1] + (double) row[2] * at[2] + row[3]);
  }
  p.vertices[3 * v + group] = (float) sum;
}

static void
pose_run (const AkAt *at, const void *args)
{
  const Pose *p = (const Pose *) args;

  AK_LAUNCH (pose_kernel, (unsigned) (p->f.padded / LANES), THREADS, 0, at, *p);
}

static void
flame_pose (
    AkPlan *plan, const AkFlame *flame, float *vertices, const float *expression, const float *pose)
{
  const Pose p = { *(const AkCudaFlame *) flame, vertices, expression, pose };

  ak_cuda_append (plan, pose_run, NULL, &p, sizeof p);
}

static void
flame_free (AkFlame *base)
{
  AkCudaFlame *f = (AkCudaFlame *) base;
  void *memory[] = { f->parents, f->shaped, f->directions, f->joints, f->joint_dirs, f->weights };

  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
    base->dev->ops.free (base->dev, memory[i]);
  free (f);
}

/* Column `c` of the directions `dirs` [V][3][stride]. */
static void
spread (float *planes, size_t padded, size_t vertices, const float *dirs, size_t stride, size_t c)
{
  for (size_t v = 0; v < vertices; v++)
    for (size_t k = 0; k < 3; k++)
      planes[k * padded + v] = dirs[(3 * v + k) * stride + c];
}

/* Everything that has the size of the vertices. planes, directions: scratch [3][padded], [columns][3][padded]. */
static void
pack_planes (AkCudaFlame *f, const AkFlameDesc *d, float *planes, float *directions, double *joints,
    double *joint_dirs, AkStatus *status)
{
  const size_t P = f->padded, J = d->joints, E = d->expressions, poses = 9 * (J - 1);
  AkDevice *dev = f->base.dev;

  ak_flame_shaped (d, planes, P);
  ak_flame_regress (d, joints, planes, P);
  f->shaped = (float *) ak_cuda_copy (dev, planes, 3 * P * sizeof *planes, status);
  ak_flame_regress_dirs (d, joint_dirs);
  for (size_t c = 0; c < E; c++)
    spread (directions + 3 * P * c, P, d->vertices, d->shapedirs, d->shapes + E, d->shapes + c);
  for (size_t c = 0; c < poses; c++)
    spread (directions + 3 * P * (E + c), P, d->vertices, d->posedirs, poses, c);
  f->directions =
      (float *) ak_cuda_copy (dev, directions, (E + poses) * 3 * P * sizeof *directions, status);
  f->joints = (double *) ak_cuda_copy (dev, joints, 3 * J * sizeof *joints, status);
  f->joint_dirs = (double *) ak_cuda_copy (dev, joint_dirs, E * 3 * J * sizeof *joint_dirs, status);
}

static void
pack_weights (AkCudaFlame *f, const AkFlameDesc *d, AkStatus *status)
{
  const size_t P = f->padded, J = d->joints;
  float *weights = (float *) calloc (J * P, sizeof *weights);

  if (!weights) {
    *status = AK_ERR_MEMORY;
    return;
  }
  for (size_t v = 0; v < d->vertices; v++)
    for (size_t j = 0; j < J; j++)
      weights[j * P + v] = d->weights[v * J + j];
  f->weights = (float *) ak_cuda_copy (f->base.dev, weights, J * P * sizeof *weights, status);
  free (weights);
}

static AkFlame *
flame_new (AkDevice *dev, const AkFlameDesc *d, AkStatus *status)
{
  const size_t P = (d->vertices + LANES - 1) / LANES * LANES, J = d->joints, E = d->expressions;
  AkCudaFlame *f = (AkCudaFlame *) calloc (1, sizeof *f);
  float *planes = (float *) calloc (3 * P, sizeof *planes);
  float *directions = (float *) calloc (E + 9 * J, 3 * P * sizeof *directions);
  double *joints = (double *) calloc (3 * J, sizeof *joints);
  double *joint_dirs = (double *) calloc (E + 1, 3 * J * sizeof *joint_dirs);

  *status = f && planes && directions && joints && joint_dirs ? AK_OK : AK_ERR_MEMORY;
  if (*status == AK_OK) {
    f->base = { dev, d->vertices, J, E };
    f->padded = P;
    f->scale = d->scale;
    f->parents = (int32_t *) ak_cuda_copy (dev, d->parents, J * sizeof *f->parents, status);
    pack_planes (f, d, planes, directions, joints, joint_dirs, status);
    pack_weights (f, d, status);
  }
  free (planes);
  free (directions);
  free (joints);
  free (joint_dirs);
  if (*status == AK_OK)
    return &f->base;
  if (f)
    flame_free (&f->base);
  return NULL;
}

void
ak_cuda_flame_init (AkOps *ops)
{
  ops->flame_new = flame_new;
  ops->flame_free = flame_free;
  ops->flame_pose = flame_pose;
}
