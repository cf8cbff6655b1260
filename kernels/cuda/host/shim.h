/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CUDA C++ for the processor, as far as the kernels use it. Each thread of a block is a fibre that runs until a barrier;
 * blocks run one after the other. See launch.c. */
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fibres.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__ ((always_inline))
#define __shared__ static
#define __constant__ static
#define __launch_bounds__(...)
#define __align__(n) __attribute__ ((aligned (n)))

struct dim3
{
  unsigned x, y, z;
  dim3 (unsigned nx = 1, unsigned ny = 1, unsigned nz = 1) : x (nx), y (ny), z (nz)
  {
  }
};

struct float2
{
  float x, y;
};
struct float3
{
  float x, y, z;
};
struct alignas (16) float4
{
  float x, y, z, w;
};
struct int2
{
  int x, y;
};
struct uint2
{
  unsigned x, y;
};
struct alignas (16) uint4
{
  unsigned x, y, z, w;
};

static inline float2
make_float2 (float x, float y)
{
  return float2{ x, y };
}

static inline float3
make_float3 (float x, float y, float z)
{
  return float3{ x, y, z };
}

static inline float4
make_float4 (float x, float y, float z, float w)
{
  return float4{ x, y, z, w };
}

template <class Fn>
static void
ak_host_call (void *fn)
{
  (*(Fn *) fn) ();
}

template <class Fn>
static void
ak_host_launch_fn (dim3 grid, dim3 block, size_t shared, Fn fn)
{
  AkHostIndex g = { grid.x, grid.y, grid.z }, b = { block.x, block.y, block.z };

  ak_host_launch (g, b, shared, ak_host_call<Fn>, &fn);
}

#define threadIdx ak_host_thread_index
#define blockIdx ak_host_block_index
#define blockDim ak_host_block_size
#define gridDim ak_host_grid_size

static inline void
__syncthreads (void)
{
  ak_host_barrier ();
}

static inline int
__syncthreads_or (int predicate)
{
  return ak_host_count (predicate) != 0;
}

static inline int
__syncthreads_and (int predicate)
{
  return ak_host_count (!predicate) == 0;
}

static inline int
__syncthreads_count (int predicate)
{
  return (int) ak_host_count (predicate);
}

static inline void
__syncwarp (unsigned mask = 0xffffffffu)
{
  ak_host_warp_barrier (mask);
}

static inline void
__threadfence (void)
{
}

static inline void
__threadfence_block (void)
{
}

template <class T>
static T
__shfl_sync (unsigned mask, T v, int lane, int width = 32)
{
  int own = (int) ak_host_lane (), from = (own & ~(width - 1)) | (lane & (width - 1));
  T got;

  ak_host_exchange (mask, &v, sizeof v, (unsigned) from, &got);
  return got;
}

template <class T>
static T
__shfl_xor_sync (unsigned mask, T v, int lanes, int width = 32)
{
  int own = (int) ak_host_lane (), from = own ^ lanes;
  T got;

  if ((from & ~(width - 1)) > (own & ~(width - 1)))
    from = own;
  ak_host_exchange (mask, &v, sizeof v, (unsigned) from, &got);
  return got;
}

template <class T>
static T
__shfl_up_sync (unsigned mask, T v, unsigned lanes, int width = 32)
{
  int own = (int) ak_host_lane (), from = own - (int) lanes;
  T got;

  ak_host_exchange (
      mask, &v, sizeof v, (unsigned) (from < (own & ~(width - 1)) ? own : from), &got);
  return got;
}

template <class T>
static T
__shfl_down_sync (unsigned mask, T v, unsigned lanes, int width = 32)
{
  int own = (int) ak_host_lane (), from = own + (int) lanes;
  T got;

  ak_host_exchange (mask, &v, sizeof v, (unsigned) (from > (own | (width - 1)) ? own : from), &got);
  return got;
}

static inline unsigned
__ballot_sync (unsigned mask, int predicate)
{
  return ak_host_ballot (mask, predicate);
}

static inline int
__any_sync (unsigned mask, int predicate)
{
  return ak_host_ballot (mask, predicate) != 0;
}

static inline int
__all_sync (unsigned mask, int predicate)
{
  return ak_host_ballot (mask, !predicate) == 0;
}

static inline int
__popc (unsigned v)
{
  return __builtin_popcount (v);
}

static inline int
__ffs (int v)
{
  return __builtin_ffs (v);
}

static inline int
__clz (int v)
{
  return v ? __builtin_clz ((unsigned) v) : 32;
}

template <class T>
static T
__ldg (const T *at)
{
  return *at;
}

template <class T>
static T
__ldcg (const T *at)
{
  return *at;
}

/* Fibres change only at barriers, so nothing comes in between. */
template <class T, class V>
static T
atomicAdd (T *at, V v)
{
  T old = *at;

  *at = old + (T) v;
  return old;
}

template <class T, class V>
static T
atomicMin (T *at, V v)
{
  T old = *at;

  if ((T) v < old)
    *at = (T) v;
  return old;
}

template <class T, class V>
static T
atomicMax (T *at, V v)
{
  T old = *at;

  if ((T) v > old)
    *at = (T) v;
  return old;
}

template <class T, class V>
static T
atomicOr (T *at, V v)
{
  T old = *at;

  *at = old | (T) v;
  return old;
}

template <class T, class V>
static T
atomicExch (T *at, V v)
{
  T old = *at;

  *at = (T) v;
  return old;
}

template <class T, class C, class V>
static T
atomicCAS (T *at, C compare, V v)
{
  T old = *at;

  if (old == (T) compare)
    *at = (T) v;
  return old;
}

static inline float
__int_as_float (int v)
{
  float f;

  memcpy (&f, &v, sizeof f);
  return f;
}

static inline float
__uint_as_float (unsigned v)
{
  return __int_as_float ((int) v);
}

static inline int
__float_as_int (float f)
{
  int v;

  memcpy (&v, &f, sizeof v);
  return v;
}

static inline long long
__double_as_longlong (double d)
{
  long long v;

  memcpy (&v, &d, sizeof v);
  return v;
}

/* These are never fused with others. */
static inline float
__fmul_rn (float a, float b)
{
  return a * b;
}

static inline float
__fsub_rn (float a, float b)
{
  return a - b;
}

static inline float
__fmaf_rn (float a, float b, float c)
{
  return fmaf (a, b, c);
}

static inline unsigned
__float_as_uint (float f)
{
  return (unsigned) __float_as_int (f);
}

template <class A>
static inline A
min (A a, A b)
{
  return b < a ? b : a;
}

template <class A>
static inline A
max (A a, A b)
{
  return a < b ? b : a;
}
