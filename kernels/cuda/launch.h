/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For files with kernels (*.cu, *.cuh), which compile with nvcc and, with AK_CUDA_HOST, for the processor.
 *
 * A kernel is `static __global__ void name (Args a)`; AK_LAUNCH starts it on a node's stream:
 *
 *   AK_LAUNCH (name, dim3 (grid), dim3 (block), shared_bytes, at, args);
 *
 * with args that have no side effects. Dynamic shared memory is AK_SHARED (type), at most 48 KiB unless
 * AK_LAUNCH_LARGE, which asks for more, starts it. Use only what host/shim.h has: thread indices, __shared__,
 * __syncthreads(), __syncwarp(), shuffles, ballots and votes, atomics on global and shared memory, the functions of
 * math.h. A kernel for more threads than it has work must not return before its barriers. */
#pragma once

#include "cuda.h"

#ifdef AK_CUDA_HOST
#include "host/shim.h"
#define AK_LAUNCH(kernel, grid, block, shared, at, ...)                                            \
  ((void) (at), ak_host_launch_fn (grid, block, shared, [&] { kernel (__VA_ARGS__); }))
#define AK_LAUNCH_LARGE AK_LAUNCH
#define AK_SHARED(type) ((type *) ak_host_shared)
#else
#include <cuda_runtime.h>
#define AK_LAUNCH(kernel, grid, block, shared, at, ...)                                            \
  kernel<<<grid, block, shared, (at)->stream>>> (__VA_ARGS__)
#define AK_LAUNCH_LARGE(kernel, grid, block, shared, at, ...)                                      \
  do {                                                                                             \
    cudaFuncSetAttribute (kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int) (shared));    \
    kernel<<<grid, block, shared, (at)->stream>>> (__VA_ARGS__);                                   \
  } while (0)
extern __shared__ __align__ (16) unsigned char ak_shared_memory[];
#define AK_SHARED(type) ((type *) ak_shared_memory)
#endif

#define AK_WARP 32
#define AK_ALL 0xffffffffu /* every lane of a warp */

/* Records a node of nothing but an operation's arguments: ops->resize = ak_record<run_resize>. */
template <AkCudaRun *RUN, class Args>
static void
ak_record (AkPlan *plan, const Args *args)
{
  ak_cuda_append (plan, RUN, NULL, args, sizeof *args);
}

/* Where a node writes its results as bfloat16 as well, or NULL. */
static inline uint16_t *
ak_rounded (const AkAt *at, const AkAlso *also)
{
  return also->on ? (uint16_t *) (at->scratch + also->at) : NULL;
}

/* ak_cuda_offer() for an operation that uses the first `scratch` bytes, if its rows can be taken. */
static inline void
ak_offer (
    AkPlan *plan, AkRows y, size_t batch, size_t rows, size_t cols, AkAlso *also, size_t scratch)
{
  AkOffer offer = { y, batch, rows, cols, also, scratch };

  if (cols % 8 == 0)
    ak_cuda_offer (plan, &offer);
}

/* Blocks of `block` threads for n threads. */
static inline unsigned
ak_blocks (size_t n, unsigned block)
{
  return (unsigned) ((n + block - 1) / block);
}

/* i / n, and what remains: number `i` of many rows of `n` columns is in that row and column. */
static inline __device__ size_t
ak_split (size_t i, size_t n, size_t *rest)
{
  size_t q = i < 0x80000000u && n < 0x80000000u ? (unsigned) i / (unsigned) n : i / n;

  *rest = i - q * n;
  return q;
}

/* Row `i` of batch * rows rows. */
static inline __device__ float *
ak_row (AkRows v, size_t rows, size_t i)
{
  size_t r, b = ak_split (i, rows, &r);

  return v.data + b * v.batch + r * v.row;
}

/* Is the pixel in column `col` of row `row` among those that are wanted? */
static inline __host__ __device__ int
ak_in_spans (const AkSpan *spans, unsigned row, unsigned col)
{
  return !spans || (col / 2 >= spans[row / 2].from && col / 2 < spans[row / 2].to);
}

/* Sum and maximum over the 32 lanes of a warp, for every lane. */
template <class T>
static __device__ T
ak_warp_sum (T v)
{
  for (int step = AK_WARP / 2; step; step /= 2)
    v += __shfl_xor_sync (AK_ALL, v, step);
  return v;
}

template <class T>
static __device__ T
ak_warp_max (T v)
{
  for (int step = AK_WARP / 2; step; step /= 2) {
    T other = __shfl_xor_sync (AK_ALL, v, step);

    v = other > v ? other : v;
  }
  return v;
}

/* Sum over a block of a multiple of 32 threads, at most 1024, for every thread. */
template <class T>
static __device__ T
ak_block_sum (T v)
{
  __shared__ T part[AK_WARP];
  unsigned lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP, warps = blockDim.x / AK_WARP;

  v = ak_warp_sum (v);
  __syncthreads (); /* nobody reads the last call's parts any more */
  if (lane == 0)
    part[warp] = v;
  __syncthreads ();
  return ak_warp_sum (lane < warps ? part[lane] : (T) 0);
}
