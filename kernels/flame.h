/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Posing of a head in FLAME's format (model spec, section 8). */
#pragma once

#include <stdint.h>

#include "device.h"
#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AK_FLAME_MAX_JOINTS 32

/* A head of one identity, packed for a device: the identity is part of its template, directions that
 * are zero everywhere take no room and no time. Read-only: streams may share it. */
typedef struct AkFlame AkFlame;

/* What a head is made of; host memory, row-major, needed only during ak_flame_new(). */
typedef struct
{
  size_t vertices, joints;    /* V >= 1; J = 1 ... AK_FLAME_MAX_JOINTS */
  size_t shapes, expressions; /* S identity and E expression directions, either may be 0 */
  const float *v_template;    /* [V][3] */
  const float *shapedirs;     /* [V][3][S + E] */
  const float *posedirs;      /* [V][3][9 (J-1)] */
  const float *regressor;     /* [J][V] */
  const int32_t *parents;     /* [J]; parents[0] is not looked at, else 0 <= parents[j] < j */
  const float *weights;       /* [V][J] */
  const float *shape;         /* [n_shape] identity coefficients; those left out are 0 */
  size_t n_shape;             /* <= S */
  float scale;                /* of the result, finite */
} AkFlameDesc;

/* Packs a head. NULL with `*status` (may be NULL) set to AK_ERR_ARG or AK_ERR_MEMORY. Keeps a
 * reference to `dev`. */
AkFlame *ak_flame_new (AkDevice *dev, const AkFlameDesc *desc, AkStatus *status);
void ak_flame_free (AkFlame *flame);

size_t ak_flame_vertices (const AkFlame *flame);

/* Records: vertices [V][3] = scale * skin (template + expression + pose correctives), from
 * expression [E] and pose [J][3] (axis-angle of each joint, radians), all on the plan's device, which
 * is the flame's. `flame` must outlive the plan. Joints are regressed from the shaped vertices. A
 * rotation r has the angle a = |r + 1e-8| and the axis r / a (as trained), so zero gives the identity.
 * Implementations agree to 1e-6 * scale for heads of the size of a head in metres. */
void ak_flame_pose (AkPlan *plan, const AkFlame *flame, float *vertices, const float *expression,
    const float *pose);

#ifdef __cplusplus
}
#endif
