/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sorting on the processor: by counting, 11 bits at a time. */
#include "../sort.h"

#include <string.h>

#define DIGIT 11
#define BINS (1u << DIGIT)

size_t
ak_sort_scratch (size_t n)
{
  return (2 * n + 1) * sizeof (uint64_t);
}

/* By the digit that begins at bit `from`. */
static void
pass (const uint64_t *pairs, uint64_t *sorted, size_t n, int from, uint32_t mask)
{
  size_t at[BINS] = { 0 }, sum = 0;

  for (size_t i = 0; i < n; i++)
    at[(uint32_t) pairs[i] >> from & mask]++;
  for (size_t b = 0; b < BINS; b++) {
    size_t count = at[b];

    at[b] = sum;
    sum += count;
  }
  for (size_t i = 0; i < n; i++)
    sorted[at[(uint32_t) pairs[i] >> from & mask]++] = pairs[i];
}

void
ak_sort_pairs (AkStream stream, void *scratch, size_t scratch_bytes, const uint32_t *keys,
    uint32_t *sorted_keys, const uint32_t *values, uint32_t *sorted_values, size_t n, int bits)
{
  uint64_t *pairs = scratch, *other = pairs + n;

  (void) stream;
  (void) scratch_bytes;
  for (size_t i = 0; i < n; i++)
    pairs[i] = (uint64_t) values[i] << 32 | keys[i];
  for (int from = 0; from < bits; from += DIGIT) {
    uint64_t *sorted = other;

    pass (pairs, sorted, n, from, (bits - from < DIGIT ? 1u << (bits - from) : BINS) - 1);
    other = pairs;
    pairs = sorted;
  }
  for (size_t i = 0; i < n; i++) {
    sorted_keys[i] = (uint32_t) pairs[i];
    sorted_values[i] = (uint32_t) (pairs[i] >> 32);
  }
}

void
ak_sort_sums (AkStream stream, void *scratch, size_t scratch_bytes, const uint64_t *numbers,
    uint64_t *sums, size_t n)
{
  uint64_t sum = 0;

  (void) stream;
  (void) scratch;
  (void) scratch_bytes;
  for (size_t i = 0; i < n; i++) {
    sums[i] = sum;
    sum += numbers[i];
  }
}
