/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tiles of products by blocks of AK_TILE_THREADS: rows of both sides come into shared memory by stages of as many bytes of each
 * row, and stay on their way while earlier ones are multiplied. */
#pragma once

#include "mma.cuh"
#include "product.cuh"

#define AK_TILE_BN 64    /* columns of a tile */
#define AK_TILE_CHUNK 16 /* bytes that are copied at once */
#define AK_TILE_CHUNKS 8 /* of a row, of a stage */
#define AK_TILE_STAGES 4
#define AK_TILE_SUM_ROW (AK_TILE_BN + 4)
#define AK_TILE_THREADS 128

/* Rows from r0 on of a matrix with `rows` of them, `row` numbers apart. */
template <int ROWS, class Number>
static __device__ __forceinline__ void
ak_bring (const Number *from, size_t row, unsigned r0, unsigned rows, unsigned k, unsigned end,
    Number *to)
{
  constexpr unsigned N = AK_TILE_CHUNK / sizeof (Number);

#pragma unroll
  for (unsigned i = threadIdx.x; i < ROWS * AK_TILE_CHUNKS; i += AK_TILE_THREADS) {
    unsigned r = i / AK_TILE_CHUNKS, at = k + i % AK_TILE_CHUNKS * N;
    int is_there = r0 + r < rows && at < end;

    ak_copy_16 (to + r * (AK_TILE_CHUNKS + 1) * N + i % AK_TILE_CHUNKS * N,
        from + (is_there ? (r0 + r) * row + at : 0), is_there);
  }
}

/* A thread has every 8th row and every 8th column, so that lanes read different banks, and every other quad of inputs: the
 * halves of a block add what they have when all is read. */
template <int BM> struct AkPlain
{
  typedef float Number;
  static constexpr unsigned STEP = AK_TILE_CHUNKS * AK_TILE_CHUNK / sizeof (Number);
  static constexpr unsigned ROW = STEP + AK_TILE_CHUNK / sizeof (Number);

  float sum[BM / 8][AK_TILE_BN / 8] = {};

  __device__ __forceinline__ unsigned
  row () const
  {
    return threadIdx.x % (AK_TILE_THREADS / 2) / 8;
  }

  __device__ __forceinline__ unsigned
  col () const
  {
    return threadIdx.x % 8;
  }

  __device__ __forceinline__ unsigned
  half () const
  {
    return threadIdx.x / (AK_TILE_THREADS / 2);
  }

  __device__ __forceinline__ void
  add (const float *stage)
  {
    const float *x = stage + row () * ROW + half () * 4,
                *w = stage + (BM + col ()) * ROW + half () * 4;

#pragma unroll
    for (unsigned i = 0; i < STEP; i += 8) {
      float left[4], right[AK_TILE_BN / 8][4];

      for (unsigned c = 0; c < AK_TILE_BN / 8; c++)
        ak_get<4> (right[c], w + c * 8 * ROW + i);
      for (unsigned r = 0; r < BM / 8; r++) {
        ak_get<4> (left, x + r * 8 * ROW + i);
        for (unsigned j = 0; j < 4; j++)
          for (unsigned c = 0; c < AK_TILE_BN / 8; c++)
            sum[r][c] += left[j] * right[c][j];
      }
    }
  }

  __device__ __forceinline__ void
  store (float *to) const
  {
    to += row () * AK_TILE_SUM_ROW + col ();
    for (unsigned r = 0; half () == 0 && r < BM / 8; r++)
      for (unsigned c = 0; c < AK_TILE_BN / 8; c++)
        to[r * 8 * AK_TILE_SUM_ROW + c * 8] = sum[r][c];
    __syncthreads ();
    for (unsigned r = 0; half () == 1 && r < BM / 8; r++)
      for (unsigned c = 0; c < AK_TILE_BN / 8; c++)
        to[r * 8 * AK_TILE_SUM_ROW + c * 8] += sum[r][c];
  }
};
