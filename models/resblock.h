/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Residual blocks of the StyleUNet (model spec, section 11):
 *
 *   y = LReLU (conv2 (resize (LReLU (conv1 x)))) + skip (resize x)
 *
 * resize halves (mean of 2 x 2) or doubles (half-pixel bilinear). The skip, 1 x 1 and without bias, is
 * computed at the smaller of the two sizes: it and the resizing may change places. */
#pragma once

#include "kernels/conv2d.h"
#include "load.h"

G_BEGIN_DECLS

typedef struct
{
  const AkMatrix *conv1, *conv2, *skip;
  const float *bias1, *bias2;
  size_t in, out;
} AmResblock;

/* The tensors PREFIX{conv1,conv2}.{weight,bias} and PREFIXskip.weight, of any widths. */
void am_resblock_load (AmPart *part, AmResblock *b, const char *prefix);

/* Memory that a block needs while it runs, n = height · width the pixels of x: hidden [n][in], resized
 * [n'][in] (n' = n / 4 or 4 n) and small, [n / 4][in] halving, [n][out] doubling. */
typedef struct
{
  float *hidden, *resized, *small;
} AmResblockMemory;

/* What is wanted of y, and for it of the pixels of x's size: as in kernels/conv2d.h, NULL for all. */
typedef struct
{
  const AkSpan *y, *x;
} AmResblockSpans;

/* Records y (dense [n'][out]) from x (dense [n][in]). */
void am_resblock_record (const AmResblock *b, AkPlan *plan, float *y, float *x, size_t height,
    size_t width, gboolean doubling, const AmResblockMemory *memory, AmResblockSpans spans);

G_END_DECLS
