/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks of threads as fibres of one thread of the processor: what shim.h is made of. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  unsigned x, y, z;
} AkHostIndex;

/* Of the fibre that runs. */
extern AkHostIndex ak_host_thread_index, ak_host_block_index, ak_host_block_size, ak_host_grid_size;
extern void *ak_host_shared;

/* Runs fn (arg) for every thread of every block, then returns. One launch at a time in a process, others wait. A barrier
 * that cannot be passed ends the program with a message. */
void ak_host_launch (
    AkHostIndex grid, AkHostIndex block, size_t shared, void (*fn) (void *arg), void *arg);

/* __syncthreads(); ak_host_count() gives how many threads of the block came with a predicate. */
void ak_host_barrier (void);
unsigned ak_host_count (int predicate);

unsigned ak_host_lane (void);
void ak_host_warp_barrier (unsigned mask);
unsigned ak_host_ballot (unsigned mask, int predicate);
/* Gets what lane `from` of the warp gave; at most 16 bytes. */
void ak_host_exchange (unsigned mask, const void *mine, size_t bytes, unsigned from, void *got);

#ifdef __cplusplus
}
#endif
