/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional resizing on the CPU: positions are computed at recording, in double. */
#pragma once

#include "../resize2d_taps.h"
#include "cpu.h"

typedef struct
{
  AkResize2d a;
  size_t first;                /* row of the result that a piece begins with */
  const AkTaps *down, *across; /* [out_height], [out_width] */
  const double *down_weights, *across_weights;
} AkResizer;

/* Rows first + from … of batch · out_height rows of the result, linear (AVX2). */
AkRowsFn ak_resize2d_linear_avx2;
