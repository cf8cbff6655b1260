/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FLAME on the CPU: packing, the joints' transforms, and the plain C loops over the vertices. */
#include "flame.h"
#include "../flame_pack.h"
#include "cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../flame_skeleton.h"

static void
flame_free (AkFlame *base)
{
  AkCpuFlame *f = (AkCpuFlame *) base;

  free (f->first);
  free (f->direction);
  free (f->parts);
  free (f->parents);
  free (f->shaped);
  free (f->joints);
  free (f->joint_dirs);
  free (f->weights);
  free (f->used);
  free (f);
}

/* The directions that are packed: columns first … first+n-1 of `dirs` [V][3][stride]. */
typedef struct
{
  const float *dirs;
  size_t stride, first, n;
} Directions;

/* Marks in `used` [blocks][n] where a direction has anything but zeros; there may be no directions at all. Row after row, as reading a column at a time takes
 * a cache line for each number. some: [n]. */
static void
find_blocks (uint8_t *used, uint32_t *some, const Directions *d, size_t V, size_t P)
{
  for (size_t v0 = 0; v0 < V && d->n > 0; v0 += AK_FLAME_BLOCK)
    for (size_t k = 0; k < 3; k++) {
      uint8_t *to = used + (k * P + v0) / AK_FLAME_BLOCK * d->n;

      memset (some, 0, d->n * sizeof *some);
      for (size_t v = v0; v < V && v < v0 + AK_FLAME_BLOCK; v++) {
        const float *row = d->dirs + (3 * v + k) * d->stride + d->first;

        for (size_t c = 0; c < d->n; c++) {
          uint32_t bits;

          memcpy (&bits, row + c, sizeof bits);
          some[c] |= bits << 1; /* without the sign */
        }
      }
      for (size_t c = 0; c < d->n; c++)
        to[c] = some[c] != 0;
    }
}

/* Writes the parts of block `b` from number `at` on; returns the number after them. */
static size_t
pack_block (
    AkCpuFlame *f, const Directions *d, const uint8_t *used, size_t number, size_t b, size_t at)
{
  size_t P = f->padded, V = f->base.vertices;
  size_t k = b * AK_FLAME_BLOCK / P, v0 = b * AK_FLAME_BLOCK % P;

  for (size_t c = 0; c < d->n; c++) {
    if (!used[b * d->n + c])
      continue;
    for (size_t i = 0; i < AK_FLAME_BLOCK && v0 + i < V; i++)
      f->parts[at * AK_FLAME_BLOCK + i] = d->dirs[(3 * (v0 + i) + k) * d->stride + d->first + c];
    f->direction[at++] = (uint32_t) (number + c);
  }
  return at;
}

/* Packs both kinds of directions, expression and pose. */
static int
pack_parts (AkCpuFlame *f, const Directions d[2])
{
  size_t P = f->padded, blocks = 3 * P / AK_FLAME_BLOCK, at = 0;
  size_t most = d[0].n > d[1].n ? d[0].n : d[1].n;
  uint8_t *used[2] = { calloc (blocks, d[0].n + 1), calloc (blocks, d[1].n + 1) };
  uint32_t *some = malloc ((most + 1) * sizeof *some);
  int good = used[0] && used[1] && some;

  for (int i = 0; i < 2 && good; i++) {
    find_blocks (used[i], some, &d[i], f->base.vertices, P);
    for (size_t j = 0; j < blocks * d[i].n; j++)
      at += used[i][j];
  }
  f->direction = malloc ((at + 1) * sizeof *f->direction);
  f->parts = ak_cpu_memory (at * AK_FLAME_BLOCK * sizeof *f->parts);
  good = good && f->direction && f->parts;
  at = 0;
  for (size_t b = 0; b < blocks && good; b++) {
    f->first[b] = (uint32_t) at;
    at = pack_block (f, &d[0], used[0], 0, b, at);
    at = pack_block (f, &d[1], used[1], d[0].n, b, at);
  }
  f->first[blocks] = (uint32_t) at;
  free (used[0]);
  free (used[1]);
  free (some);
  return good;
}

static int
pack (AkCpuFlame *f, const AkFlameDesc *d)
{
  size_t V = d->vertices, J = d->joints, E = d->expressions, P = f->padded, poses = 9 * (J - 1);
  Directions dirs[2] = { { d->shapedirs, d->shapes + E, d->shapes, E },
    { d->posedirs, poses, 0, poses } };

  f->parents = malloc (J * sizeof *f->parents);
  f->shaped = ak_cpu_memory (3 * P * sizeof *f->shaped);
  f->first = malloc ((3 * P / AK_FLAME_BLOCK + 1) * sizeof *f->first);
  f->joints = malloc (3 * J * sizeof *f->joints);
  f->joint_dirs = malloc ((E + 1) * 3 * J * sizeof *f->joint_dirs);
  f->weights = ak_cpu_memory (J * P * sizeof *f->weights);
  f->used = calloc (P / 8, sizeof *f->used);
  if (!f->parents || !f->shaped || !f->first || !f->joints || !f->joint_dirs || !f->weights ||
      !f->used)
    return 0;

  memcpy (f->parents, d->parents, J * sizeof *f->parents);
  ak_flame_shaped (d, f->shaped, P);
  for (size_t v = 0; v < V; v++)
    for (size_t j = 0; j < J; j++) {
      f->weights[j * P + v] = d->weights[v * J + j];
      if (d->weights[v * J + j] != 0)
        f->used[v / 8] |= 1u << j;
    }
  ak_flame_regress (d, f->joints, f->shaped, P);
  ak_flame_regress_dirs (d, f->joint_dirs);
  return pack_parts (f, dirs);
}

static AkFlame *
flame_new (AkDevice *dev, const AkFlameDesc *desc, AkStatus *status)
{
  AkCpuFlame *f = calloc (1, sizeof *f);

  if (!f) {
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  f->base = (AkFlame){ dev, desc->vertices, desc->joints, desc->expressions };
  f->padded = (desc->vertices + AK_FLAME_BLOCK - 1) / AK_FLAME_BLOCK * AK_FLAME_BLOCK;
  f->scale = desc->scale;
  if (!pack (f, desc)) {
    flame_free (&f->base);
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  return &f->base;
}

static void
add_c (const AkCpuFlame *f, float *planes, const float *by)
{
  memcpy (planes, f->shaped, 3 * f->padded * sizeof *planes);
  for (size_t b = 0; b < 3 * f->padded / AK_FLAME_BLOCK; b++)
    for (uint32_t p = f->first[b]; p < f->first[b + 1]; p++)
      for (size_t i = 0; i < AK_FLAME_BLOCK; i++)
        planes[b * AK_FLAME_BLOCK + i] += by[f->direction[p]] * f->parts[p * AK_FLAME_BLOCK + i];
}

static void
skin_c (const AkCpuFlame *f, const float *planes, const float *m, float *out)
{
  size_t P = f->padded;

  for (size_t v = 0; v < f->base.vertices; v++)
    for (size_t i = 0; i < 3; i++) {
      double sum = 0;

      for (size_t j = 0; j < f->base.joints; j++) {
        const float *row = m + 12 * j + 4 * i;
        double at = (double) row[0] * planes[v] + (double) row[1] * planes[P + v] +
                    (double) row[2] * planes[2 * P + v] + row[3];

        sum += f->weights[j * P + v] * at;
      }
      out[3 * v + i] = (float) sum;
    }
}

typedef struct
{
  const AkCpuFlame *flame;
  AkFlameAddFn *add;
  AkFlameSkinFn *skin;
  float *vertices; /* [V][3] */
  const float *expression, *pose;
  float *planes; /* [3][padded] scratch */
  float *by;     /* [E + 9 (J-1)] scratch */
} Pose;

static void
pose_run (AkCpu *cpu, const void *args)
{
  const Pose *p = args;
  const AkCpuFlame *f = p->flame;
  size_t J = f->base.joints, E = f->base.expressions;
  double joint[3 * AK_FLAME_MAX_JOINTS], R[AK_FLAME_MAX_JOINTS][9], G[AK_FLAME_MAX_JOINTS][12];
  float m[12 * AK_FLAME_MAX_JOINTS];

  (void) cpu;
  memcpy (joint, f->joints, 3 * J * sizeof *joint);
  for (size_t e = 0; e < E; e++) {
    p->by[e] = p->expression[e];
    for (size_t i = 0; i < 3 * J && p->by[e] != 0; i++)
      joint[i] += p->expression[e] * f->joint_dirs[3 * J * e + i];
  }
  for (size_t j = 0; j < J; j++) {
    ak_flame_rotation (R[j], p->pose + 3 * j);
    for (size_t i = 0; j > 0 && i < 9; i++)
      p->by[E + 9 * (j - 1) + i] = (float) (R[j][i] - (i % 4 == 0));
  }
  p->add (f, p->planes, p->by);
  for (size_t j = 0; j < J; j++)
    for (int i = 0; i < 3; i++) {
      ak_flame_place_row (G, j, i, f->parents, R, joint);
      ak_flame_skin_row (m, G, j, i, f->scale, joint);
    }
  p->skin (f, p->planes, m, p->vertices);
}

static void
flame_pose (
    AkPlan *plan, const AkFlame *flame, float *vertices, const float *expression, const float *pose)
{
  const AkCpuFlame *f = (const AkCpuFlame *) flame;
  Pose args = { f, add_c, skin_c, vertices, expression, pose, NULL, NULL };

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev)) {
    args.add = ak_flame_add_avx2;
    args.skin = ak_flame_skin_avx2;
  }
#endif
  args.planes = ak_plan_memory (plan, 3 * f->padded * sizeof *args.planes);
  args.by = ak_plan_memory (plan, (flame->expressions + 9 * flame->joints) * sizeof *args.by);
  if (args.planes && args.by)
    ak_cpu_append (plan, AK_NODE_INLINE, pose_run, NULL, &args, sizeof args);
}

void
ak_cpu_flame_init (AkOps *ops)
{
  ops->flame_new = flame_new;
  ops->flame_free = flame_free;
  ops->flame_pose = flame_pose;
}
