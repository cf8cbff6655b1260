/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Weights of products and convolutions as opaque handles.
 *
 * AK_F32 keeps the numbers as they are. AK_BF16 rounds them to bfloat16, half the memory, and the products'
 * inputs too on devices that multiply in bfloat16; sums are float32 in any case.
 *
 * A matrix is packed once for its device and then shared, read-only, by every plan, thread and batch
 * size that uses it. It must outlive the plans. */
#pragma once

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AkMatrix AkMatrix;

/* A matrix from host memory `values` [out][in] (freed by the caller at return). NULL with `*status`
 * set: AK_ERR_ARG for sizes of 0 or a precision the device cannot store. */
AkMatrix *ak_matrix_new (AkDevice *dev, const float *values, size_t out, size_t in,
    AkPrecision precision, AkStatus *status);

/* The weights of a one-dimensional convolution from host memory `values` [out][in / groups][kernel].
 * `groups` divides `in` and `out`. */
AkMatrix *ak_matrix_new_conv (AkDevice *dev, const float *values, size_t out, size_t in,
    size_t kernel, size_t groups, AkPrecision precision, AkStatus *status);

/* The weights of a two-dimensional convolution from host memory `values` [out][in][side][side].
 * On a CPU they are kept in float whatever the precision. */
AkMatrix *ak_matrix_new_conv2d (AkDevice *dev, const float *values, size_t out, size_t in,
    size_t side, AkPrecision precision, AkStatus *status);

/* As ak_matrix_new_conv() without numbers: all rows follow by ak_matrix_fill() before the first plan uses it. */
AkMatrix *ak_matrix_new_empty (AkDevice *dev, size_t out, size_t in, size_t kernel, size_t groups,
    AkPrecision precision, AkStatus *status);

/* Output rows `first` … `first + count - 1` from host memory `values` [count][in / groups][kernel]. Several
 * threads may fill different rows at the same time; multiples of 16 rows are packed fastest. */
AkStatus ak_matrix_fill (AkMatrix *matrix, const float *values, size_t first, size_t count);

void ak_matrix_free (AkMatrix *matrix);

/* Sizes as given; kernel and groups are 1 for a plain matrix. */
size_t ak_matrix_out (const AkMatrix *matrix);
size_t ak_matrix_in (const AkMatrix *matrix);

#ifdef __cplusplus
}
#endif
