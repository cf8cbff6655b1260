/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bits of the spherical quantiser (model spec, sections 3 and 6), one per byte in device memory. */
#pragma once

#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* bits[r][c] = logits[r][2c + 1] > logits[r][2c]; logits have 2 · cols columns. */
void ak_bits_from_pairs (
    AkPlan *plan, AkBits bits, AkRows logits, size_t batch, size_t rows, size_t cols);

/* bits[r][c] = x[r][c] > 0. */
void ak_bits_from_signs (
    AkPlan *plan, AkBits bits, AkRows x, size_t batch, size_t rows, size_t cols);

/* y[r][c] = (2 bits[r][c] - 1) · scale. */
void ak_bits_values (
    AkPlan *plan, AkRows y, AkBits bits, float scale, size_t batch, size_t rows, size_t cols);

#ifdef __cplusplus
}
#endif
