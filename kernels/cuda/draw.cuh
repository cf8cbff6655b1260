/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What drawing and smoothing of the coloured look share. */
#pragma once

#include "draw.h"
#include "mesh.cuh"
#include "premultiplied.cuh"

/* Bands of a picture. */
static inline __host__ __device__ unsigned
ak_bands (int height)
{
  return ((unsigned) height + AK_DRAW_BAND - 1) / AK_DRAW_BAND;
}

/* The bytes of a pixel, where alpha is wanted with the colour times alpha. */
static __device__ uint32_t
ak_shown (const AkDraw *d, AkPixel p)
{
  if (p.color >> 24)
    return p.color | 0xff000000;
  return d->look->alpha ? ak_premultiplied (d->look->background) : d->look->background;
}
