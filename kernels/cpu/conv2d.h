/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ways to compute a two-dimensional convolution share. */
#pragma once

#include "cpu.h"

/* Some rows of a convolution's result, for one batch item. `p` has the epilogue, its row is a pixel; the
 * windows lie in an image without padding whose pixels are adjacent: p.x is the first pixel of the first
 * window. */
typedef struct
{
  AkPanels p;
  size_t pixels, out_width; /* of the result */
  size_t step, down;        /* floats from one window to the next, to the next row of windows */
  size_t side, span, row;   /* rows of a window, floats in each, floats between them */
} AkWindows;

/* Pixels pixel0 … pixel1-1 and columns col0 … col1-1 (as ak_panels_avx2()). */
void ak_conv2d_avx2 (const AkWindows *w, size_t pixel0, size_t pixel1, size_t col0, size_t col1);

/* Rows of an image, from row `first` of the padded one on, with their padding and scaled. */
typedef struct
{
  const float *x, *scale; /* the image; [channels] or NULL */
  size_t x_row, height, width, channels, padding;
  size_t first, rows;
} AkGather;

/* Floats of `g`, and the copy to `to` [rows][width + 2 padding][channels] on the device's threads. */
size_t ak_gather_size (const AkGather *g);
void ak_gather_run (AkCpu *cpu, const AkGather *g, float *to);

/* One piece of the work. */
typedef struct
{
  AkWindows w;
  AkGather gather;     /* rows 0: w.p.x is set, nothing is copied */
  const AkSpan *spans; /* of the whole result, or NULL */
  size_t first;        /* row of the result that the piece begins with */
  const float *scale;  /* [k] of the panels' rows, or NULL */
} AkConv2dPiece;
