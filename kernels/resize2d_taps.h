/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which pixels of an axis make one of the result of resize2d.h, and with which weights. For kernels/ only. */
#pragma once

#include "resize2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `count` pixels from `first` on, with the weights from `at` on in the axis's table. Linear resizing has two weights
 * each, also where only the first counts. */
typedef struct
{
  size_t first, count, at;
} AkTaps;

/* At most so many weights has a pixel of the result. */
size_t ak_taps_most (AkResize2dMode mode, size_t in, size_t out);

/* Fills taps [out] and weights [out][ak_taps_most()]. */
void ak_taps_make (AkResize2dMode mode, size_t in, size_t out, AkTaps *taps, double *weights);

#ifdef __cplusplus
}
#endif
