/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which part of an image is wanted, where the rest will not be seen: one span for each two rows. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of the rows 2 r and 2 r + 1 of an image the pixels 2 from … 2 to - 1, as far as the image reaches; none if from >=
 * to. In device memory, read at each run. */
typedef struct
{
  uint16_t from, to;
} AkSpan;

/* Records spans [side / 2] that hold every pixel of an image of `side` (even) in whose place the larger one,
 * transmittance [n · side][n · side] with n a power of 2, has a number below 1. */
typedef struct
{
  AkSpan *spans;
  const float *transmittance;
  size_t side, n;
} AkSpansFind;
void ak_spans_find (AkPlan *plan, const AkSpansFind *args);

/* Records spans y that hold x's pixels and 2 · `grow` pixels around them. With `half` y is of an image of half the
 * side, and `grow` is counted there. x: [side / 2], y: [side / 2] or [side / 4]; side even, with `half` a multiple of
 * 4. y is not x. */
typedef struct
{
  AkSpan *y;
  const AkSpan *x;
  size_t side, grow;
  int half;
} AkSpansGrow;
void ak_spans_grow (AkPlan *plan, const AkSpansGrow *args);

#ifdef __cplusplus
}
#endif
