/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sorting and adding up by a library: CUB (sort.cu), or plain C on the processor (host/sort.c). For kernels/cuda only. */
#pragma once

#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of device memory that the calls below need for `n` numbers, 0 if the library fails. */
size_t ak_sort_scratch (size_t n);

/* Sorts `n` pairs by the lowest `bits` bits of their keys; equal ones stay in order. Input and output differ. */
void ak_sort_pairs (AkStream stream, void *scratch, size_t scratch_bytes, const uint32_t *keys,
    uint32_t *sorted_keys, const uint32_t *values, uint32_t *sorted_values, size_t n, int bits);

/* sums[i] = numbers[0] + … + numbers[i - 1] */
void ak_sort_sums (AkStream stream, void *scratch, size_t scratch_bytes, const uint64_t *numbers,
    uint64_t *sums, size_t n);

#ifdef __cplusplus
}
#endif
