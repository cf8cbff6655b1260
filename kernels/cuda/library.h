/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matrix products by a library: cuBLASLt (library.c), or the definition on the processor (host/library.c). */
#pragma once

#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

AkLibrary *ak_library_open (char *problem, size_t problem_size);
void ak_library_close (AkLibrary *library);

/* For b < batch: y_b [m][n] = x_b [m][k] · w_b [n][k]ᵀ + bias [n] + c_b [m][n]. Sums are float32, without TF32.
 * x and w are floats, or both bfloat16, then rows start at multiples of 16 bytes. Rows of a matrix do not overlap;
 * strides are in elements; c may be y.
 * Without x or y these lie in the plan's scratch, at x_scratch and y_scratch bytes; of the scratch the caller uses
 * the first `scratch` bytes (multiples of 256), the library what follows. */
typedef struct
{
  size_t m, n, k, batch;
  int bf16;
  const void *x, *w;
  float *y;
  const float *bias, *c; /* or NULL */
  size_t x_row, x_batch, w_row, w_batch, y_row, y_batch, c_row, c_batch;
  size_t x_scratch, y_scratch, scratch;
} AkGemm;

/* Appends the product to `plan`. Returns 0 if the library has no such product: then nothing was appended. */
int ak_library_gemm (AkPlan *plan, const AkGemm *gemm);

#ifdef __cplusplus
}
#endif
