/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several adjacent numbers at a time: 1, 2, 4 or 8, aligned to all of them, or to 16 bytes. */
#pragma once

#include "tensor.cuh"

/* Starts kernel<4> if `fours`, else kernel<1>, whose threads have so many of n numbers. */
#define AK_LAUNCH_VECTORS(kernel, fours, n, block, at, ...)                                        \
  do {                                                                                             \
    if (fours)                                                                                     \
      AK_LAUNCH (kernel<4>, ak_blocks ((n) / 4, block), block, 0, at, __VA_ARGS__);                \
    else                                                                                           \
      AK_LAUNCH (kernel<1>, ak_blocks (n, block), block, 0, at, __VA_ARGS__);                      \
  } while (0)

/* Do rows whose length is a multiple of 4 consist of vectors of 4? `batch` items of `rows` rows, or any number. */
static inline int
ak_is_aligned (AkRows v, size_t batch = SIZE_MAX, size_t rows = SIZE_MAX)
{
  return (uintptr_t) v.data % 16 == 0 && (rows == 1 || v.row % 4 == 0) &&
         (batch == 1 || v.batch % 4 == 0);
}

template <int VEC>
static __device__ inline void
ak_get (float *to, const float *from)
{
  if constexpr (VEC == 1) {
    to[0] = from[0];
  } else if constexpr (VEC == 2) {
    const float2 v = *(const float2 *) from;

    to[0] = v.x, to[1] = v.y;
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
  } else if constexpr (VEC == 2) {
    *(float2 *) to = make_float2 (from[0], from[1]);
  } else {
#pragma unroll
    for (int i = 0; i < VEC; i += 4)
      *(float4 *) (to + i) = make_float4 (from[i], from[i + 1], from[i + 2], from[i + 3]);
  }
}

/* As bfloat16; not 2. */
template <int VEC>
static __device__ inline void
ak_put_rounded (uint16_t *to, const float *from)
{
  if constexpr (VEC == 1) {
    to[0] = ak_tensor_round (from[0]);
  } else if constexpr (VEC == 4) {
    uint2 v;

    v.x = ak_tensor_pair (from[0], from[1]), v.y = ak_tensor_pair (from[2], from[3]);
    *(uint2 *) to = v;
  } else {
    uint4 v;

    v.x = ak_tensor_pair (from[0], from[1]), v.y = ak_tensor_pair (from[2], from[3]);
    v.z = ak_tensor_pair (from[4], from[5]), v.w = ak_tensor_pair (from[6], from[7]);
    *(uint4 *) to = v;
  }
}
