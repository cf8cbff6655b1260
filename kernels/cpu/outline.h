/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Smooth edges of the coloured look: a pixel that an edge goes through is blended from both its sides. */
#pragma once

#include "draw.h"

/* An edge between a face that is seen and one that is not (or none). */
typedef struct
{
  uint32_t vertex[2], face, opposite; /* the seen face and its vertex away from the edge */
} AkOutline;

typedef struct
{
  AkOutline *outline;
  int32_t *y0, *y1; /* what each spans; readable up to a multiple of 8 */
  size_t n;
} AkOutlines;

/* Scratch: a share (0 … 127 of 255; 0: none) and a colour for every pixel of a band, by places, and the pixels that have one. */
typedef struct
{
  uint8_t *shares; /* all 0 between bands */
  uint32_t *colors, *touched;
  AkBorder *borders;  /* [columns] */
  AkInner inner;      /* none between bands */
  uint32_t *outlines; /* [edges + 8]: the numbers of those that the band may show */
} AkBlends;

/* Finds how to blend the wanted pixels of a band; returns how many are to be.
 *
 * An outline is followed along its longer axis, a pixel a step. Where it crosses a pixel at the distance d (in
 * pixels) from its middle, it cuts off ½ - |d| of it. If the middle lies on the seen face's side, the pixel
 * gets that share of what its neighbour beyond the outline shows, otherwise that share of the colour of the
 * outline itself. Outlines hidden by something nearer leave no trace. Of several outlines the outermost
 * counts. (After E. Persson, "Geometric post-process anti-aliasing", 2011.)
 *
 * Where two parts of the mesh meet without an outline one sinks into the other: their depths, continued from
 * both sides, say where between two middles they cross, and that divides the pixel.
 *
 * `background`: 0xAABBGGRR, premultiplied if the picture has alpha. */
size_t ak_edges_find (const AkBand *band, const AkOutlines *outlines, const AkBlends *blends,
    const AkDrawFns *fns, uint32_t background);

/* Blends what was found, in the blocks: r, g and b. */
void ak_edges_blend (
    const AkBand *band, const AkBlends *blends, size_t n_touched, uint32_t background);

/* Blends what was found, in what the band was resolved to: r, g, b and alpha, premultiplied. `stride`: pixels. */
void ak_edges_blend_rgba (
    const AkBand *band, const AkBlends *blends, size_t n_touched, uint32_t *rgba, size_t stride);
