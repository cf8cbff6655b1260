/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From projected splats to the lists of tiles. Everything that a run finds out stays on the device, so that nothing
 * waits for the host: what is sorted always has the size of its memory, and what is not used lies behind. */
#include "launch.h"
#include "sort.h"
#include "splat_priv.h"

#define MANY 8 /* tiles of a splat from which on a warp enters it together */

/* By place: the shapes, and how many tiles each touches. */
static __global__ void
order_kernel (AkCudaSplatJob job)
{
  size_t p = (size_t) blockIdx.x * blockDim.x + threadIdx.x, n = job.args.splats;
  AkCudaShape shape;

  if (p >= n)
    return;
  if (job.depth[1][p] == AK_SPLAT_UNSEEN) {
    job.count[p] = 0;
    return;
  }
  shape = job.shapes[job.index[1][p]];
  job.ordered[p] = shape;
  job.count[p] = (uint64_t) AK_SPLAT_TILES (shape.bounds, 0) * AK_SPLAT_TILES (shape.bounds, 1);
  if (p + 1 == n || job.depth[1][p + 1] == AK_SPLAT_UNSEEN)
    job.state->drawn = (uint32_t) p + 1;
}

/* Enters every stride-th of the tiles of the splat at place `p`, from number `from` on. */
static __device__ void
enter (const AkCudaSplatJob *job, uint32_t p, uint32_t from, uint32_t stride)
{
  const uint16_t *b = job->ordered[p].bounds;
  uint32_t at = (uint32_t) job->before[p], n = (uint32_t) job->count[p];
  uint32_t columns = AK_SPLAT_TILES (b, 0), x = b[0] / AK_SPLAT_TILE, y = b[1] / AK_SPLAT_TILE;

  for (uint32_t i = from; i < n; i += stride) {
    job->tile[0][at + i] = (y + i / columns) * job->tiles_x + x + i % columns;
    job->place[0][at + i] = p;
  }
}

/* Enters each splat into all of its tiles, nearest first, as long as there is room. Blocks are whole warps. */
static __global__ void
enter_kernel (AkCudaSplatJob job)
{
  uint32_t p = blockIdx.x * blockDim.x + threadIdx.x, n = (uint32_t) job.args.splats;
  uint32_t lane = threadIdx.x % 32;
  uint64_t before = 0, end = 0;
  unsigned many;

  if (p < n) {
    before = job.before[p];
    end = before + job.count[p];
    if (end > job.capacity && before <= job.capacity) {
      job.state->entered = p;
      job.state->entries = (uint32_t) before;
    } else if (p + 1 == n && end <= job.capacity) {
      job.state->entered = n;
      job.state->entries = (uint32_t) end;
    }
    if (end > job.capacity)
      end = before;
  }
  if (end - before < MANY && end > before)
    enter (&job, p, 0, 1);
  many = __ballot_sync (0xffffffffu, end - before >= MANY);
  for (; many; many &= many - 1)
    enter (&job, p - lane + (uint32_t) __ffs ((int) many) - 1, lane, 32);
}

/* Empties the tiles' ranges, and gives what is not used of the entries to a tile behind the last. */
static __global__ void
rest_kernel (AkCudaSplatJob job)
{
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, tiles = job.tiles_x * job.tiles_y;

  if (i < tiles)
    job.ranges[i].first = job.ranges[i].end = 0;
  if (i < job.capacity && i >= job.state->entries)
    job.tile[0][i] = tiles;
}

/* Where each tile's entries begin and end. */
static __global__ void
ranges_kernel (AkCudaSplatJob job)
{
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, tile;

  if (i >= job.capacity)
    return;
  tile = job.tile[1][i];
  if (tile >= job.tiles_x * job.tiles_y)
    return;
  if (i == 0 || job.tile[1][i - 1] != tile)
    job.ranges[tile].first = i;
  if (i + 1 == job.capacity || job.tile[1][i + 1] != tile)
    job.ranges[tile].end = i + 1;
}

void
ak_cuda_splat_lists (const AkAt *at, const AkCudaSplatJob *job)
{
  size_t n = job->args.splats, tiles = (size_t) job->tiles_x * job->tiles_y;
  size_t most = tiles > job->capacity ? tiles : job->capacity;
  int bits = 1;

  while (tiles >> bits)
    bits++;
  ak_sort_pairs (at->stream, at->scratch, job->scratch_bytes, job->depth[0], job->depth[1],
      job->index[0], job->index[1], n, AK_SPLAT_DEPTH_BITS);
  AK_LAUNCH (order_kernel, ak_blocks (n, 256), 256, 0, at, *job);
  ak_sort_sums (at->stream, at->scratch, job->scratch_bytes, job->count, job->before, n);
  AK_LAUNCH (enter_kernel, ak_blocks (n, 256), 256, 0, at, *job);
  AK_LAUNCH (rest_kernel, ak_blocks (most, 256), 256, 0, at, *job);
  ak_sort_pairs (at->stream, at->scratch, job->scratch_bytes, job->tile[0], job->tile[1],
      job->place[0], job->place[1], job->capacity, bits);
  AK_LAUNCH (ranges_kernel, ak_blocks (job->capacity, 256), 256, 0, at, *job);
}
