/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matrix products and convolutions of images by libraries: cuBLASLt and cuDNN (library.c), or the definition on the
 * processor (host/library.c, host/convolve.c). */
#pragma once

#include "conv2d_graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `by`: who computes convolutions of images; if that has to be the library and it cannot, there is a problem. */
AkLibrary *ak_library_open (AkConvBy by, char *problem, size_t problem_size);
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

/* How the library computes a graph, with bytes of workspace; NULL if it does not. It lives as long as the library. */
typedef struct AkLibraryConv AkLibraryConv;
const AkLibraryConv *ak_library_conv2d (AkCuda *cuda, const AkConvGraph *graph, size_t *workspace);
/* For a node: launches it for the addresses of `graph`. */
void ak_library_conv2d_run (const AkAt *at, const AkLibraryConv *conv, const AkConvGraph *graph,
    const AkConvScratch *scratch);

#ifdef __cplusplus
}
#endif
