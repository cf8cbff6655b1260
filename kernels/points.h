/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Points that follow an average of where they were (model spec, section 11). */
#pragma once

#include <stdint.h>

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* points[indices[i]] = average[i] = started ? keep · average[i] + (1 - keep) · points[indices[i]]
 *                                           : points[indices[i]],
 * then started = 1. A coordinate that is not finite is taken from the average (0 at the start), so that
 * one bad frame does not last. All of it is device memory of the plan's device. */
typedef struct
{
  float *points;           /* [n][3] */
  const uint32_t *indices; /* [count], each below n, none twice */
  size_t n, count;
  float *average; /* [count][3], state */
  float *started; /* [1], state: 0 for a fresh start, by the caller */
  float keep;
} AkAveragePoints;
void ak_average_points (AkPlan *plan, const AkAveragePoints *args);

#ifdef __cplusplus
}
#endif
