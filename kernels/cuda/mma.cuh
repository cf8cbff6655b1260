/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instructions of tensor cores as they are, with each lane's part of a matrix where PTX puts it. On the processor lanes
 * show each other what they have. All lanes of a warp call together; blocks have one dimension.
 *
 * tensor.cuh is simpler; this is for rows that begin at any multiple of 16 bytes, and sums that stay in registers. */
#pragma once

#include "async.cuh"

#ifdef AK_CUDA_HOST

#define AK_MMA_WARPS 32

/* What the other lanes of the warp gave, [lane]: two turns in turn, as a lane may give again while others still read. */
template <class T>
static const T *
ak_mma_show (T mine)
{
  static T shown[AK_MMA_WARPS][2][AK_WARP];
  static unsigned char turn[AK_MMA_WARPS][AK_WARP];
  unsigned warp = threadIdx.x / AK_WARP, lane = ak_host_lane (), at = turn[warp][lane] ^= 1;

  shown[warp][at][lane] = mine;
  ak_host_warp_barrier (AK_ALL);
  return shown[warp][at];
}

static inline void
ak_mma_load (unsigned *to, const uint16_t *row)
{
  const uint16_t *const *rows = ak_mma_show (row);
  unsigned lane = ak_host_lane ();

  for (int i = 0; i < 4; i++)
    memcpy (to + i, rows[i * 8 + lane / 4] + lane % 4 * 2, sizeof *to);
}

static inline void
ak_mma (float *c, const unsigned *a, const unsigned *b)
{
  struct Part
  {
    unsigned a[4], b[2];
  } mine = { { a[0], a[1], a[2], a[3] }, { b[0], b[1] } };
  const Part *parts = ak_mma_show (mine);
  unsigned lane = ak_host_lane ();

  for (unsigned i = 0; i < 4; i++) { /* row lane / 4 + i / 2 · 8, column lane % 4 · 2 + i % 2 */
    const Part *left = parts + lane / 4 * 4, *right = parts + (lane % 4 * 2 + i % 2) * 4;

    for (unsigned k = 0; k < 8; k++) { /* inputs 2 k and 2 k + 1 */
      unsigned l = left[k % 4].a[k / 4 * 2 + i / 2], r = right[k % 4].b[k / 4];

      c[i] += __uint_as_float (l << 16) * __uint_as_float (r << 16);
      c[i] += __uint_as_float (l & 0xffff0000u) * __uint_as_float (r & 0xffff0000u);
    }
  }
}

#else

/* Four matrices [8][8] of shared memory: lanes 8 i to 8 i + 7 give the rows of matrix i, 16 bytes each. A lane gets numbers
 * lane % 4 · 2 and the next one of row lane / 4 of each. */
static __device__ __forceinline__ void
ak_mma_load (unsigned *to, const uint16_t *row)
{
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"((unsigned) __cvta_generic_to_shared (row)));
}

/* c [16][8] += a [16][16] · b [8][16]ᵀ, of bfloat16. Of a, the four registers are the quarters with rows from 0, 8, 0, 8 and
 * inputs from 0, 0, 8, 8 on; of b, those with inputs from 0 and 8 on, each as ak_mma_load() gives it. Of c a lane has
 * columns lane % 4 · 2 and the next of rows lane / 4 and lane / 4 + 8. */
static __device__ __forceinline__ void
ak_mma (float *c, const unsigned *a, const unsigned *b)
{
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
               "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif
