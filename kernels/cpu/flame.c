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

/* Packs the dense direction `planes` [3][padded]. */
static int
pack_column (AkFlameColumn *col, const float *planes, size_t blocks)
{
  size_t n_runs = 0, n_blocks = 0, prev = 0;
  float *data;

  for (int pass = 0; pass < 2; pass++) {
    data = col->data;
    for (size_t b = 0; b < blocks; b++) {
      const float *src = planes + b * AK_FLAME_BLOCK;
      size_t any = 0;

      for (size_t i = 0; i < AK_FLAME_BLOCK; i++)
        any |= src[i] != 0;
      if (any && pass == 0) {
        n_runs += !prev;
        n_blocks++;
      } else if (any) {
        if (!prev)
          col->runs[col->n_runs++] = (AkFlameRun){ (uint32_t) b, 0 };
        col->runs[col->n_runs - 1].count++;
        memcpy (data, src, AK_FLAME_BLOCK * sizeof *data);
        data += AK_FLAME_BLOCK;
      }
      prev = any;
    }
    if (n_runs == 0)
      return 1;
    if (pass == 0) {
      col->runs = malloc (n_runs * sizeof *col->runs);
      col->data = ak_cpu_memory (n_blocks * AK_FLAME_BLOCK * sizeof (float));
      if (!col->runs || !col->data)
        return 0;
      prev = 0;
    }
  }
  return 1;
}

#define COLUMNS 8 /* that are spread at a time */

static int
pack (AkCpuFlame *f, const AkFlameDesc *d)
{
  size_t V = d->vertices, J = d->joints, E = d->expressions, P = f->padded, dirs = d->shapes + E;
  size_t blocks = 3 * P / AK_FLAME_BLOCK, poses = 9 * (J - 1);
  float *planes = ak_cpu_memory (3 * COLUMNS * P * sizeof *planes);
  int good = planes != NULL;

  f->parents = malloc (J * sizeof *f->parents);
  f->shaped = ak_cpu_memory (3 * P * sizeof *f->shaped);
  f->columns = calloc (E + poses + 1, sizeof *f->columns);
  f->joints = malloc (3 * J * sizeof *f->joints);
  f->joint_dirs = malloc ((E + 1) * 3 * J * sizeof *f->joint_dirs);
  f->weights = ak_cpu_memory (J * P * sizeof *f->weights);
  f->used = calloc (P / 8, sizeof *f->used);
  if (!good || !f->parents || !f->shaped || !f->columns || !f->joints || !f->joint_dirs ||
      !f->weights || !f->used) {
    free (planes);
    return 0;
  }

  memcpy (f->parents, d->parents, J * sizeof *f->parents);
  ak_flame_shaped (d, f->shaped, P);
  for (size_t v = 0; v < V; v++)
    for (size_t j = 0; j < J; j++) {
      f->weights[j * P + v] = d->weights[v * J + j];
      if (d->weights[v * J + j] != 0)
        f->used[v / 8] |= 1u << j;
    }
  ak_flame_regress (d, f->joints, f->shaped, P);
  for (size_t c = 0; c < E; c++) {
    if (c % COLUMNS == 0)
      ak_flame_spread (
          d, planes, P, d->shapedirs, dirs, d->shapes + c, E - c < COLUMNS ? E - c : COLUMNS);
    ak_flame_regress (d, f->joint_dirs + 3 * J * c, planes + 3 * P * (c % COLUMNS), P);
    good = good && pack_column (&f->columns[c], planes + 3 * P * (c % COLUMNS), blocks);
  }
  for (size_t c = 0; c < poses; c++) {
    if (c % COLUMNS == 0)
      ak_flame_spread (
          d, planes, P, d->posedirs, poses, c, poses - c < COLUMNS ? poses - c : COLUMNS);
    good = good && pack_column (&f->columns[E + c], planes + 3 * P * (c % COLUMNS), blocks);
  }
  free (planes);
  return good;
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
