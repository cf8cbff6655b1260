/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernels of attention share. */
#pragma once

#include "math.cuh"

/* The keys that query `row` may see. */
static inline __device__ void
ak_attention_seen (const AkAttention &a, size_t row, size_t keys, size_t *lo, size_t *hi)
{
  *lo = 0;
  *hi = keys;
  if (a.window) {
    *hi = keys - a.rows + row + 1;
    *lo = *hi > a.window ? *hi - a.window : 0;
  }
}

/* Both: `rounded` is where the result goes as bfloat16 as well, or NULL. */

/* Heads of at most so many columns. `vectors`: they are a multiple of 4, and all rows lie at multiples of 16 bytes. */
#define AK_ATTENTION_NARROW 64
void ak_cuda_attention_narrow (
    const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors);

/* The same in pairs of bfloat16, where `vectors` is not 0. */
void ak_cuda_attention_pairs (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors);

/* Of any number. y may be q if there are at most AK_ATTENTION_WHOLE; beyond that other blocks still read it. */
#define AK_ATTENTION_WHOLE 256
void ak_cuda_attention_wide (const AkAt *at, const AkAttention *a, uint16_t *rounded);
