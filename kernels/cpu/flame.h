/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU's packed FLAME: coordinates as three planes [3][padded], columns as runs of blocks. */
#pragma once

#include "../flame_priv.h"

#define AK_FLAME_BLOCK 16 /* floats; `padded` is a multiple of it */

/* `count` blocks that begin at block `first` of the planes. */
typedef struct
{
  uint32_t first, count;
} AkFlameRun;

/* A direction without its zero blocks. */
typedef struct
{
  AkFlameRun *runs;
  size_t n_runs;
  float *data; /* the runs' blocks, one after the other */
} AkFlameColumn;

typedef struct
{
  AkFlame base;
  size_t padded; /* vertices of a plane */
  float scale;
  int32_t *parents;       /* [J] */
  float *shaped;          /* [3][padded]: template with the identity */
  AkFlameColumn *columns; /* [E + 9 (J-1)]: expression, then pose */
  double *joints;         /* [J][3] of the shaped template */
  double *joint_dirs;     /* [E][J][3] */
  float *weights;         /* [J][padded] */
  uint32_t *used;         /* [padded / 8]: bit j is set where joint j has weight in 8 vertices */
} AkCpuFlame;

/* acc[run] += c * column, for all runs of the column. */
typedef void AkFlameAddFn (float *acc, const AkFlameColumn *column, float c);

/* out [V][3] = (sum over j of weights[j] * m[j]) * [planes; 1]; m: [J][12], rows of 3x4 matrices. */
typedef void AkFlameSkinFn (
    const AkCpuFlame *flame, const float *planes, const float *m, float *out);

AkFlameAddFn ak_flame_add_avx2;
AkFlameSkinFn ak_flame_skin_avx2;
