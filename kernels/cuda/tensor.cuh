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

/* The same by numbers that lie in registers: c [16][8] += a [16][16] · b [16][8]. With g = lane / 4 and t = lane % 4 a lane
 * has pairs of neighbours, the first in the lower half:
 *
 *   a   row g, columns 2t and 2t + 1; row g + 8, the same; row g, columns 2t + 8 and 2t + 9; row g + 8, the same
 *   b   column g, rows 2t and 2t + 1; the same, rows 2t + 8 and 2t + 9
 *   c   row g, columns 2t and 2t + 1; row g + 8, the same */
static __device__ inline void
ak_tensor_add_pairs (float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
#ifdef AK_CUDA_HOST
  const unsigned g = ak_host_lane () / 4, t = ak_host_lane () % 4;

  for (unsigned of = 0; of < 4; of++) {
    unsigned left[4], right[2][2];

    ak_host_exchange (AK_ALL, a, sizeof left, g * 4 + of, left);
    for (unsigned j = 0; j < 2; j++)
      ak_host_exchange (AK_ALL, b, sizeof right[j], (2 * t + j) * 4 + of, right[j]);
    for (unsigned k = 0; k < 4; k++) /* half k % 2 of each pair */
      for (unsigned i = 0; i < 4; i++) {
        const unsigned l = left[k / 2 * 2 + i / 2], r = right[i % 2][k / 2];

        c[i] += ak_tensor_float ((uint16_t) (l >> k % 2 * 16)) *
                ak_tensor_float ((uint16_t) (r >> k % 2 * 16));
      }
  }
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, "
      "%7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

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
