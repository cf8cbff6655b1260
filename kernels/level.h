/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loudness of audio windows. Sums are taken in double.
 *
 * ak_level_window: y = (x - mean) / (std + 1e-6) over each window, std with n - 1 (model spec,
 * section 1, step 1). A window of equal samples gives zeros.
 * ak_level_running: ms = mean square of samples first … first+count-1 of the window; level[b] moves
 * towards it once per run: level += rate · (ms - level), with rate 1 while level is 0, else `up` if ms is
 * greater and `down` if not; y = x / (sqrt (level) + 1e-4). level: [batch], kept between runs, 0 at
 * the start of a stream (docs/numerics.md). y may be x. */
#pragma once

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

void ak_level_window (AkPlan *plan, float *y, const float *x, size_t batch, size_t n);

typedef struct
{
  float *y;
  const float *x; /* [batch][n] */
  float *level;
  size_t batch, n, first, count;
  float up, down;
} AkLevelRunning;
void ak_level_running (AkPlan *plan, const AkLevelRunning *args);

#ifdef __cplusplus
}
#endif
