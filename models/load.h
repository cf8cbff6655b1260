/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A checkpoint's tensors onto a device: one part (the encoder, the motion model) at a time. Large tensors are
 * checked, converted and packed in one pass, by as many threads as the device has, and their pages of the file
 * dropped, so that no weight is in memory twice.
 *
 * Each function looks a tensor up, checks its shape and puts it onto the device; after the first error
 * they return NULL and do nothing, so that a network's loader checks once, by am_part_finish(). */
#pragma once

#include <stdatomic.h>

#include "kernels/matrix.h"
#include "weights.h"

G_BEGIN_DECLS

typedef struct _AmPart AmPart;

AmPart *am_part_new (AkDevice *dev, AkPrecision precision, AmWeights *weights);
/* Frees every matrix and vector of the part. */
void am_part_free (AmPart *part);
/* Ends the loading; matrices have their numbers from here on. FALSE with `error` set if anything was wrong
 * since am_part_new(). */
gboolean am_part_finish (AmPart *part, GError **error);
/* For loaders: has nothing been wrong so far? Keeps an error of the file's own (AM_ERROR_SHAPE): what does
 * not fit. */
gboolean am_part_ok (const AmPart *part);
void am_part_fail (AmPart *part, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Loading gives up with AM_ERROR_CANCELLED once `cancel` (NULL: never) is not 0; looked at until am_part_finish(). */
void am_part_set_cancel (AmPart *part, const atomic_int *cancel);
AkDevice *am_part_device (const AmPart *part);
const AmWeights *am_part_weights (const AmPart *part);
gboolean am_part_has (const AmPart *part, const char *name);
/* From now on every name means PREFIX + name ("model." in the published avatar model). */
void am_part_set_prefix (AmPart *part, const char *prefix);
/* The tensor NAME, or NULL, which is no error. */
const AmTensor *am_part_find (const AmPart *part, const char *name);

/* The tensor NAME [out][in] as a matrix. */
const AkMatrix *am_part_matrix (AmPart *part, size_t out, size_t in, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
/* `n` matrices [out][in] one below the other, as [n * out][in]: PREFIX + names[i]. */
const AkMatrix *am_part_stack (
    AmPart *part, size_t out, size_t in, const char *prefix, const char *const *names, size_t n);
/* The tensor NAME [out][in / groups][kernel] as the weights of a convolution. */
const AkMatrix *am_part_conv (AmPart *part, size_t out, size_t in, size_t kernel, size_t groups,
    const char *format, ...) G_GNUC_PRINTF (6, 7);
/* The same from numbers on the host; `exact`: kept in float, whatever the part's precision. */
const AkMatrix *am_part_conv_values (AmPart *part, const float *values, size_t out, size_t in,
    size_t kernel, size_t groups, gboolean exact);

/* The tensor NAME [out][in][side][side] as the weights of a two-dimensional convolution; the same from
 * numbers on the host. */
const AkMatrix *am_part_conv2d (
    AmPart *part, size_t out, size_t in, size_t side, const char *format, ...) G_GNUC_PRINTF (5, 6);
const AkMatrix *am_part_conv2d_values (
    AmPart *part, const float *values, size_t out, size_t in, size_t side);

/* A transposed convolution for ak_deconv2d(): the tensor `weight` [in][out][side][side] as rows[side],
 * `bias` [out] repeated as it wants it. */
const float *am_part_deconv2d (AmPart *part, const AkMatrix **rows, size_t side, size_t out,
    size_t in, const char *weight, const char *bias);

/* Sizes of the tensor NAME, which must have `n_dims` axes, none of them empty; NULL after an error. */
const size_t *am_part_shape (AmPart *part, size_t n_dims, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* One of them, or 0. */
size_t am_part_size (AmPart *part, const char *name, unsigned n_dims, unsigned axis);

/* The tensor NAME with `n` elements, whatever its axes, on the device. */
float *am_part_vector (AmPart *part, size_t n, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* `n` vectors of `each` elements one after the other; a name of NULL gives zeros. */
float *am_part_vectors (
    AmPart *part, size_t each, const char *prefix, const char *const *names, size_t n);
/* Numbers from the host onto the device. */
float *am_part_values (AmPart *part, const float *values, size_t n);

/* The tensor NAME with `n` elements in host memory (g_free), or NULL. */
float *am_part_host (AmPart *part, size_t n, const char *format, ...) G_GNUC_PRINTF (3, 4);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmPart, am_part_free)

G_END_DECLS
