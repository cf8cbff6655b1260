/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several adjacent numbers at a time: 1, 4 or 8, aligned to 16 bytes if more than 1. */
#pragma once

#include "tensor.cuh"

/* Do rows whose length is a multiple of 4 consist of vectors? */
static inline int
ak_is_aligned (AkRows v)
{
  return (uintptr_t) v.data % 16 == 0 && v.row % 4 == 0 && v.batch % 4 == 0;
}

template <int VEC>
static __device__ inline void
ak_fetch (float *to, const float *from)
{
  if constexpr (VEC == 1) {
    to[0] = from[0];
  } else {
#pragma unroll
    for (int i = 0; i < VEC; i += 4) {
      const float4 v = *(const float4 *) (from + i);

      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    }
  }
}

template <int VEC>
static __device__ inline void
ak_put (float *to, const float *from)
{
  if constexpr (VEC == 1) {
    to[0] = from[0];
  } else {
#pragma unroll
    for (int i = 0; i < VEC; i += 4)
      *(float4 *) (to + i) = make_float4 (from[i], from[i + 1], from[i + 2], from[i + 3]);
  }
}

static __device__ inline unsigned
ak_round_two (const float *from)
{
  return ak_tensor_round (from[0]) | (unsigned) ak_tensor_round (from[1]) << 16;
}

/* As bfloat16. */
template <int VEC>
static __device__ inline void
ak_put_rounded (uint16_t *to, const float *from)
{
  if constexpr (VEC == 1) {
    to[0] = ak_tensor_round (from[0]);
  } else if constexpr (VEC == 4) {
    uint2 v;

    v.x = ak_round_two (from), v.y = ak_round_two (from + 2);
    *(uint2 *) to = v;
  } else {
    uint4 v;

    v.x = ak_round_two (from), v.y = ak_round_two (from + 2);
    v.z = ak_round_two (from + 4), v.w = ak_round_two (from + 6);
    *(uint4 *) to = v;
  }
}
