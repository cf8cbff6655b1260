/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies to shared memory that go on beside what follows; on the processor they are done at once. */
#pragma once

#include "launch.h"

/* 4 numbers, or zeros where they are not `there` (`from` is then not read). Both at multiples of 16 bytes. */
static __device__ inline void
ak_async_copy (float *to, const float *from, int there)
{
#ifdef AK_CUDA_HOST
  *(float4 *) to = there ? *(const float4 *) from : make_float4 (0, 0, 0, 0);
#else
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   (unsigned) __cvta_generic_to_shared (to)),
               "l"(from), "r"(there ? 16 : 0)
               : "memory");
#endif
}

/* Ends a group of the thread's copies. */
static __device__ inline void
ak_async_group (void)
{
#ifndef AK_CUDA_HOST
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Waits until all of the thread's groups but the last N have come. Others see them after a barrier. */
template <int N>
static __device__ inline void
ak_async_wait (void)
{
#ifndef AK_CUDA_HOST
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}
