/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU's packed FLAME: coordinates as three planes [3][padded], directions by blocks of them. */
#pragma once

#include "../flame_priv.h"

#define AK_FLAME_BLOCK 16 /* floats; `padded` is a multiple of it */

typedef struct
{
  AkFlame base;
  size_t padded; /* vertices of a plane */
  float scale;
  int32_t *parents; /* [J] */
  float *shaped;    /* [3][padded]: template with the identity */
  uint32_t *first;  /* [3 padded / 16 + 1]: of each block of the planes, its first part */
  uint32_t *
      direction; /* [parts], ascending for each block: expression, then E + one of 9 (J-1) of the pose */
  float *parts;       /* [parts][16]: where a direction has anything but zeros */
  double *joints;     /* [J][3] of the shaped template */
  double *joint_dirs; /* [E][J][3] */
  float *weights;     /* [J][padded] */
  uint32_t *used;     /* [padded / 8]: bit j is set where joint j has weight in 8 vertices */
} AkCpuFlame;

/* planes = shaped + Σ_d by[d] * direction d; by: [E + 9 (J-1)]. */
typedef void AkFlameAddFn (const AkCpuFlame *flame, float *planes, const float *by);

/* out [V][3] = (sum over j of weights[j] * m[j]) * [planes; 1]; m: [J][12], rows of 3x4 matrices. */
typedef void AkFlameSkinFn (
    const AkCpuFlame *flame, const float *planes, const float *m, float *out);

AkFlameAddFn ak_flame_add_avx2;
AkFlameSkinFn ak_flame_skin_avx2;
