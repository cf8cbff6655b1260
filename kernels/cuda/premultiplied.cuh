/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Colours that are multiplied by their alpha. */
#pragma once

#include "launch.h"

/* 0xAABBGGRR with the colour times alpha. */
static __device__ uint32_t
ak_premultiplied (uint32_t color)
{
  uint32_t a = color >> 24, out = a << 24;

  for (int k = 0; k < 24; k += 8)
    out |= ((color >> k & 255) * a + 127) / 255 << k;
  return out;
}

/* Makes alpha straight again. `background`: what is the same premultiplied becomes it. */
static __device__ uint32_t
ak_straight (uint32_t pixel, uint32_t background)
{
  const uint32_t a = pixel >> 24;
  uint32_t out = a << 24;

  if (a == 255)
    return pixel;
  for (int k = 0; k < 24 && a; k += 8) {
    uint32_t c = ((pixel >> k & 255) * 255 + a / 2) / a;

    out |= (c < 255 ? c : 255) << k;
  }
  return pixel == ak_premultiplied (background) ? background : out;
}
