/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies to shared memory that go on beside what follows; on the processor they are done at once. */
#pragma once

#include "launch.h"

/* 16 bytes, aligned so, of global to shared memory, or zeros where they are not `there` (`from` is then not read, but an
 * address of some memory). */
static __device__ __forceinline__ void
ak_copy_16 (void *to, const void *from, int there)
{
#ifdef AK_CUDA_HOST
  if (there)
    memcpy (to, from, 16);
  else
    memset (to, 0, 16);
#else
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   (unsigned) __cvta_generic_to_shared (to)),
               "l"(__cvta_generic_to_global (from)), "r"(there ? 16 : 0)
               : "memory");
#endif
}

/* Ends a group of the thread's copies. */
static __device__ __forceinline__ void
ak_copy_commit (void)
{
#ifndef AK_CUDA_HOST
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Waits until all of the thread's groups but the last N have come. Others see them after a barrier. */
template <int N>
static __device__ __forceinline__ void
ak_copy_wait (void)
{
#ifndef AK_CUDA_HOST
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}
