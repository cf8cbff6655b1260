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
  size_t columns = base->expressions + 9 * (base->joints - 1);

  for (size_t c = 0; f->columns && c < columns; c++) {
    free (f->columns[c].runs);
    free (f->columns[c].data);
  }
  free (f->columns);
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

/* Marks in `used` [blocks][n] where a direction has anything but zeros. Row after row, as reading a column at a time takes
 * a cache line for each number. some: [n]. */
static void
find_blocks (uint8_t *used, uint32_t *some, const Directions *d, size_t V, size_t P)
{
  for (size_t v0 = 0; v0 < V; v0 += AK_FLAME_BLOCK)
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

/* Packs direction `c`, which has numbers in the blocks used[b * n + c]. */
static int
pack_column (
    AkFlameColumn *col, const Directions *d, size_t c, const uint8_t *used, size_t V, size_t P)
{
  const size_t blocks = 3 * P / AK_FLAME_BLOCK;
  size_t n_runs = 0, n_blocks = 0;
  float *data;

  for (size_t b = 0, prev = 0; b < blocks; prev = used[b * d->n + c], b++) {
    n_runs += used[b * d->n + c] && !prev;
    n_blocks += used[b * d->n + c];
  }
  if (n_runs == 0)
    return 1;
  col->runs = malloc (n_runs * sizeof *col->runs);
  col->data = data = ak_cpu_memory (n_blocks * AK_FLAME_BLOCK * sizeof (float));
  if (!col->runs || !col->data)
    return 0;
  for (size_t b = 0, prev = 0; b < blocks; prev = used[b * d->n + c], b++) {
    size_t k = b * AK_FLAME_BLOCK / P, v0 = b * AK_FLAME_BLOCK % P;

    if (!used[b * d->n + c])
      continue;
    if (!prev)
      col->runs[col->n_runs++] = (AkFlameRun){ (uint32_t) b, 0 };
    col->runs[col->n_runs - 1].count++;
    for (size_t i = 0; i < AK_FLAME_BLOCK && v0 + i < V; i++)
      data[i] = d->dirs[(3 * (v0 + i) + k) * d->stride + d->first + c];
    data += AK_FLAME_BLOCK;
  }
  return 1;
}

static int
pack_columns (AkFlameColumn *columns, const Directions *d, size_t V, size_t P)
{
  uint8_t *used = calloc (3 * P / AK_FLAME_BLOCK, d->n + 1);
  uint32_t *some = malloc ((d->n + 1) * sizeof *some);
  int good = used && some;

  if (good)
    find_blocks (used, some, d, V, P);
  for (size_t c = 0; c < d->n && good; c++)
    good = pack_column (columns + c, d, c, used, V, P);
  free (used);
  free (some);
  return good;
}

static int
pack (AkCpuFlame *f, const AkFlameDesc *d)
{
  size_t V = d->vertices, J = d->joints, E = d->expressions, P = f->padded, poses = 9 * (J - 1);
  Directions expressions = { d->shapedirs, d->shapes + E, d->shapes, E };
  Directions corrections = { d->posedirs, poses, 0, poses };

  f->parents = malloc (J * sizeof *f->parents);
  f->shaped = ak_cpu_memory (3 * P * sizeof *f->shaped);
  f->columns = calloc (E + poses + 1, sizeof *f->columns);
  f->joints = malloc (3 * J * sizeof *f->joints);
  f->joint_dirs = malloc ((E + 1) * 3 * J * sizeof *f->joint_dirs);
  f->weights = ak_cpu_memory (J * P * sizeof *f->weights);
  f->used = calloc (P / 8, sizeof *f->used);
  if (!f->parents || !f->shaped || !f->columns || !f->joints || !f->joint_dirs || !f->weights ||
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
  return pack_columns (f->columns, &expressions, V, P) &&
         pack_columns (f->columns + E, &corrections, V, P);
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
add_c (float *acc, const AkFlameColumn *column, float c)
{
  const float *data = column->data;

  for (size_t r = 0; r < column->n_runs; r++) {
    float *dst = acc + (size_t) column->runs[r].first * AK_FLAME_BLOCK;
    size_t n = (size_t) column->runs[r].count * AK_FLAME_BLOCK;

    for (size_t i = 0; i < n; i++)
      dst[i] += c * data[i];
    data += n;
  }
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
  memcpy (p->planes, f->shaped, 3 * f->padded * sizeof *p->planes);
  memcpy (joint, f->joints, 3 * J * sizeof *joint);
  for (size_t e = 0; e < E; e++) {
    if (p->expression[e] == 0)
      continue;
    p->add (p->planes, &f->columns[e], p->expression[e]);
    for (size_t i = 0; i < 3 * J; i++)
      joint[i] += p->expression[e] * f->joint_dirs[3 * J * e + i];
  }
  for (size_t j = 0; j < J; j++) {
    ak_flame_rotation (R[j], p->pose + 3 * j);
    for (size_t i = 0; j > 0 && i < 9; i++) {
      float c = (float) (R[j][i] - (i % 4 == 0));

      if (c != 0)
        p->add (p->planes, &f->columns[E + 9 * (j - 1) + i], c);
    }
  }
  ak_flame_skin_matrices (m, G, J, f->parents, f->scale, R, joint);
  p->skin (f, p->planes, m, p->vertices);
}

static void
flame_pose (
    AkPlan *plan, const AkFlame *flame, float *vertices, const float *expression, const float *pose)
{
  const AkCpuFlame *f = (const AkCpuFlame *) flame;
  Pose args = { f, add_c, skin_c, vertices, expression, pose, NULL };

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev)) {
    args.add = ak_flame_add_avx2;
    args.skin = ak_flame_skin_avx2;
  }
#endif
  args.planes = ak_plan_memory (plan, 3 * f->padded * sizeof *args.planes);
  if (args.planes)
    ak_cpu_append (plan, AK_NODE_INLINE, pose_run, NULL, &args, sizeof args);
}

void
ak_cpu_flame_init (AkOps *ops)
{
  ops->flame_new = flame_new;
  ops->flame_free = flame_free;
  ops->flame_pose = flame_pose;
}
