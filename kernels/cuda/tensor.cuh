/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products of small bfloat16 matrices by a warp: tensor cores, or on the processor lanes that keep their own numbers.
 *
 * c [16][16] += a [16][16] · bᵀ, b [16][16]: a and b lie in shared memory, rows at multiples of 16 bytes, `row` numbers
 * apart. All lanes of a warp call together. */
#pragma once

#include "launch.h"

#define AK_TENSOR 16 /* rows and columns */

#ifdef AK_CUDA_HOST

/* A lane has half a row of c: row lane / 2, columns from lane % 2 · 8 on. */
typedef struct
{
  float v[8];
} AkTensorSum;

typedef struct
{
  float v[AK_TENSOR];
} AkTensorLeft;

typedef struct
{
  float v[8][AK_TENSOR];
} AkTensorRight;

static inline float
ak_tensor_float (uint16_t v)
{
  return __uint_as_float ((unsigned) v << 16);
}

static inline uint16_t
ak_tensor_round (float v)
{
  return ak_to_bf16 (v);
}

static inline void
ak_tensor_zero (AkTensorSum *c)
{
  for (int j = 0; j < 8; j++)
    c->v[j] = 0;
}

static inline void
ak_tensor_left (AkTensorLeft *a, const uint16_t *from, unsigned row)
{
  for (int k = 0; k < AK_TENSOR; k++)
    a->v[k] = ak_tensor_float (from[ak_host_lane () / 2 * row + k]);
}

static inline void
ak_tensor_right (AkTensorRight *b, const uint16_t *from, unsigned row)
{
  for (int j = 0; j < 8; j++)
    for (int k = 0; k < AK_TENSOR; k++)
      b->v[j][k] = ak_tensor_float (from[(ak_host_lane () % 2 * 8 + j) * row + k]);
}

static inline void
ak_tensor_add (AkTensorSum *c, const AkTensorLeft *a, const AkTensorRight *b)
{
  for (int j = 0; j < 8; j++)
    for (int k = 0; k < AK_TENSOR; k++)
      c->v[j] += a->v[k] * b->v[j][k];
}

static inline void
ak_tensor_store (float *to, const AkTensorSum *c, unsigned row)
{
  for (int j = 0; j < 8; j++)
    to[ak_host_lane () / 2 * row + ak_host_lane () % 2 * 8 + j] = c->v[j];
}

#else

#include <cuda_bf16.h>
#include <mma.h>

typedef nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float> AkTensorSum;
typedef nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16, __nv_bfloat16,
    nvcuda::wmma::row_major>
    AkTensorLeft;
typedef nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, __nv_bfloat16,
    nvcuda::wmma::col_major>
    AkTensorRight;

/* To the nearest bfloat16. */
static __device__ inline uint16_t
ak_tensor_round (float v)
{
  return __bfloat16_as_ushort (__float2bfloat16_rn (v));
}

static __device__ inline void
ak_tensor_zero (AkTensorSum *c)
{
  nvcuda::wmma::fill_fragment (*c, 0.0f);
}

static __device__ inline void
ak_tensor_left (AkTensorLeft *a, const uint16_t *from, unsigned row)
{
  nvcuda::wmma::load_matrix_sync (*a, (const __nv_bfloat16 *) from, row);
}

static __device__ inline void
ak_tensor_right (AkTensorRight *b, const uint16_t *from, unsigned row)
{
  nvcuda::wmma::load_matrix_sync (*b, (const __nv_bfloat16 *) from, row);
}

static __device__ inline void
ak_tensor_add (AkTensorSum *c, const AkTensorLeft *a, const AkTensorRight *b)
{
  nvcuda::wmma::mma_sync (*c, *a, *b, *c);
}

static __device__ inline void
ak_tensor_store (float *to, const AkTensorSum *c, unsigned row)
{
  nvcuda::wmma::store_matrix_sync (to, *c, row, nvcuda::wmma::mem_row_major);
}

#endif

static __device__ inline unsigned
ak_tensor_pair (float x, float y)
{
#ifdef AK_CUDA_HOST
  return ak_tensor_round (x) | (unsigned) ak_tensor_round (y) << 16;
#else
  unsigned pair;

  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(y), "f"(x));
  return pair;
#endif
}

/* x and y as a pair, and as another what they have been rounded by: together 16 bits of each. */
static __device__ inline void
ak_tensor_split (float x, float y, unsigned *pair, unsigned *rest)
{
  *pair = ak_tensor_pair (x, y);
  *rest =
      ak_tensor_pair (x - __uint_as_float (*pair << 16), y - __uint_as_float (*pair & 0xffff0000u));
}
