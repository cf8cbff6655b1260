/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sort.h"

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

size_t
ak_sort_scratch (size_t n)
{
  const uint32_t *pairs = NULL;
  const uint64_t *numbers = NULL;
  size_t sort = 0, scan = 0;

  if (cub::DeviceRadixSort::SortPairs (NULL, sort, pairs, (uint32_t *) NULL, pairs,
          (uint32_t *) NULL, (int64_t) n) != cudaSuccess ||
      cub::DeviceScan::ExclusiveSum (NULL, scan, numbers, (uint64_t *) NULL, (int64_t) n) !=
          cudaSuccess)
    return 0;
  return sort > scan ? sort : scan;
}

void
ak_sort_pairs (AkStream stream, void *scratch, size_t scratch_bytes, const uint32_t *keys,
    uint32_t *sorted_keys, const uint32_t *values, uint32_t *sorted_values, size_t n, int bits)
{
  (void) cub::DeviceRadixSort::SortPairs (scratch, scratch_bytes, keys, sorted_keys, values,
      sorted_values, (int64_t) n, 0, bits, stream);
}

void
ak_sort_sums (AkStream stream, void *scratch, size_t scratch_bytes, const uint64_t *numbers,
    uint64_t *sums, size_t n)
{
  (void) cub::DeviceScan::ExclusiveSum (scratch, scratch_bytes, numbers, sums, (int64_t) n, stream);
}
