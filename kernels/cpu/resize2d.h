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

/* The pixels *from … *to-1 of the result's row are wanted. */
static inline void
ak_resizer_span (const AkResizer *f, size_t row, size_t *from, size_t *to)
{
  const AkResize2d *a = &f->a;
  const AkSpan *s = a->spans ? a->spans + row % a->out_height / 2 : NULL;

  *from = s ? 2 * (size_t) s->from : 0;
  *to = s && 2 * (size_t) s->to < a->out_width ? 2 * (size_t) s->to : a->out_width;
}

/* Rows first + from … of batch · out_height rows of the result, linear (AVX2). */
AkRowsFn ak_resize2d_linear_avx2;
