/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One step of residual vector quantisation (model spec, section 1b, step 5), row by row:
 *
 *   code = the j with the least |x - vectors[j]|, the first of equals
 *   sum  = vectors[code], added to what it holds if `accumulate`
 *   x   -= vectors[code]
 *
 * Distances are those of the float numbers, summed in double, so that every implementation finds the same code. A
 * row that is not finite gets code 0. sum must not overlap x. */
#pragma once

#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  AkRows x, sum;        /* [dim] each */
  float *codes;         /* [batch][rows], whole numbers; or NULL */
  const float *vectors; /* device memory [size][dim] */
  int accumulate;
  size_t batch, rows, size, dim;
} AkNearest;

/* size is at most 2^24, so that a code is exact as a float. */
void ak_nearest (AkPlan *plan, const AkNearest *args);

#ifdef __cplusplus
}
#endif
