/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Winograd's way to convolve with 3 x 3 (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015):
 * a tile of 2 x 2 results from 4 x 4 pixels takes 16 products where the definition has 36, one of 4 x 4 results from 6 x 6
 * takes 36 for 144. Small tiles have matrices of small integers and halves, and the error stays near that of the sums;
 * large ones have the points 0, ± sqrt (1/2), ± sqrt (2) and infinity, and ten times the error. */
#pragma once

#include "cpu.h"

/* One image. p's row is a pixel of the result, p.panels the transformed weights. */
typedef struct
{
  AkPanels p;
  const float *x, *scale; /* the image; [channels] or NULL */
  size_t x_row, height, width, channels, padding;
  size_t out_height, out_width;
  size_t tile, tiles_across; /* results a side of a tile, 2 or 4; tiles of a row */
} AkWinograd;

/* Floats of the transformed weights of `m` (of side 3, in panels) for tiles of `tile`, and the transformation:
 * [(tile + 2)²][panel][channel][16]. */
size_t ak_winograd_size (const AkCpuMatrix *m, size_t tile);
void ak_winograd_weights (float *to, const AkCpuMatrix *m, size_t tile);

/* Floats that a run of `tiles` tiles needs besides. */
size_t ak_winograd_scratch (const AkWinograd *w, size_t tiles);

/* A tile's place, in tiles. */
typedef struct
{
  uint32_t row, column;
} AkWinogradTile;

/* These tiles of the image, all columns (AVX2). A result does not depend on how the work is cut. */
typedef void AkWinogradRun (
    const AkWinograd *w, const AkWinogradTile *tile, size_t tiles, float *scratch);
AkWinogradRun ak_winograd2_avx2, ak_winograd4_avx2;
