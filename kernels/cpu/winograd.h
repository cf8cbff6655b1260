/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Winograd's way to convolve with 3 x 3: a tile of 2 x 2 results from 4 x 4 pixels takes 16 products
 * where the definition has 36 (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015,
 * F(2 x 2, 3 x 3)). With matrices of small integers and halves the error stays near that of the sums. */
#pragma once

#include "cpu.h"

/* One image. p's row is a pixel of the result, p.panels the transformed weights. */
typedef struct
{
  AkPanels p;
  const float *x, *scale; /* the image; [channels] or NULL */
  size_t x_row, height, width, channels, padding;
  size_t out_height, out_width, tiles_across;
} AkWinograd;

/* Floats of the transformed weights of `m` (of side 3, in panels), and the transformation:
 * [16][panel][channel][16]. */
size_t ak_winograd_size (const AkCpuMatrix *m);
void ak_winograd_weights (float *to, const AkCpuMatrix *m);

/* Floats that a run of `tiles` tiles needs besides. */
size_t ak_winograd_scratch (const AkWinograd *w, size_t tiles);

/* These tiles of the image, counted row by row, all columns (AVX2). A result does not depend on how the work is cut. */
void ak_winograd_avx2 (const AkWinograd *w, const uint32_t *tile, size_t tiles, float *scratch);
