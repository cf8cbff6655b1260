/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of the eight lanes of a vector, and moving a set's lanes together. */
#pragma once

#include <immintrin.h>
#include <stdint.h>

/* For every set of lanes (bit k: lane k) their numbers, one a byte, the lowest first. */
extern const uint64_t ak_lanes_of[256];

#ifdef __AVX2__ /* nothing here is for files compiled without it */

/* The lanes whose highest bit is set. */
static inline unsigned
lanes (__m256i mask)
{
  return (unsigned) _mm256_movemask_ps (_mm256_castsi256_ps (mask));
}

/* For _mm256_permutevar8x32_epi32(): moves the lanes of `set` to the front. */
static inline __m256i
pack_lanes (unsigned set)
{
  return _mm256_cvtepu8_epi32 (_mm_loadl_epi64 ((const __m128i *) (ak_lanes_of + set)));
}

static inline void
store (void *to, __m256i v)
{
  _mm256_storeu_si256 (to, v);
}

#endif
