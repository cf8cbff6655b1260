/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which of several ways the library shall take for a product: what makes products the same, what was chosen before, and
 * which measured time wins. Plain C that needs no card. */
#pragma once

#include "library.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AK_GEMM_WAYS 6 /* that are compared, at most */

/* What ARTALK_PRODUCTS asks for: "measured" (or NULL), or "expected", the way that the library expects to be fastest.
 * Returns 0 if `text` is neither. */
int ak_gemm_by (const char *text, int *measured);

/* Is it small enough for its measuring to be short? */
int ak_gemm_is_short (const AkGemm *g);

/* All that ways depend on: products with equal keys take the same one. There is no padding in it. */
typedef struct
{
  size_t m, n, k, batch;
  size_t x_row, x_batch, w_row, w_batch, y_row, y_batch, c_row, c_batch;
  uint32_t x_align, w_align, y_align, c_align; /* bytes, see ak_gemm_key() */
  uint32_t card, bf16, has_bias, has_c;        /* 2: c is y */
} AkGemmKey;

/* Alignments are the largest powers of two, up to 256, that divide an address and the strides of rows and items. */
void ak_gemm_key (AkGemmKey *key, const AkGemm *g, int card);

/* What was chosen, by key; `bytes` of anything. Zeroed but for `bytes` it is empty. */
typedef struct
{
  size_t bytes, n;
  char *list;
} AkGemmChoices;

/* The choice, until the next one is kept; NULL if there is none. */
const void *ak_gemm_find (const AkGemmChoices *choices, const AkGemmKey *key);
/* Returns 0 when out of memory. */
int ak_gemm_keep (AkGemmChoices *choices, const AkGemmKey *key, const void *choice);
void ak_gemm_forget (AkGemmChoices *choices);

/* The way to take, of n in the library's order, by their times; negative ones have failed. An earlier one stays unless
 * another is clearly faster. Returns n if all have failed. */
size_t ak_gemm_best (const float *times, size_t n);

#ifdef __cplusplus
}
#endif
