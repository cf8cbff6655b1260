/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers with a state in device memory.
 *
 * y[i] = scale · n_i with normal n_i: pair j = i / 2 comes from z = SplitMix64 (state + j) with 24 bits
 * each, a = ((z >> 40) + 1) / 2^24 and b = (z >> 16 & 0xffffff) / 2^24: sqrt (-2 ln a) times cos (2π b)
 * for even i, sin (2π b) for odd. Then the state grows by ⌈n / 2⌉. Implementations agree within 1e-5. */
#pragma once

#include <stdint.h>

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  float *y;
  uint64_t *state;
  float scale;
  size_t n;
} AkRandom;

void ak_random_normal (AkPlan *plan, const AkRandom *args);

#ifdef __cplusplus
}
#endif
