/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the formats of pictures look like in memory, for every device. For kernels/ only. */
#pragma once

#include "picture.h"

/* Factors of r, g, b (0 … 255) in 2^-15: luma, and the two colour differences. */
typedef struct
{
  int16_t y[3], u[3], v[3];
} AkYuv;

/* ITU-R BT.601 and BT.709 in limited range, from their kr and kb. */
#define Q(x) ((int16_t) ((x) *32768.0 + ((x) < 0 ? -0.5 : 0.5)))
#define LUMA (219 / 255.0)
#define CHROMA (112 / 255.0)
#define YUV(kr, kb)                                                                                \
  {                                                                                                \
    { Q (LUMA * (kr)), Q (LUMA * (1 - (kr) - (kb))), Q (LUMA * (kb)) },                            \
        { Q (-CHROMA * (kr) / (1 - (kb))), -Q (CHROMA) - Q (-CHROMA * (kr) / (1 - (kb))),          \
          Q (CHROMA) },                                                                            \
    {                                                                                              \
      Q (CHROMA), -Q (CHROMA) - Q (-CHROMA *(kb) / (1 - (kr))), Q (-CHROMA *(kb) / (1 - (kr)))     \
    }                                                                                              \
  }
static const AkYuv ak_yuv[2] = { YUV (0.299, 0.114), YUV (0.2126, 0.0722) };
#undef Q
#undef LUMA
#undef CHROMA
#undef YUV

/* Places of r, g, b, a in a pixel of packed formats, and its bytes. */
static const uint8_t ak_pixels_order[][4] = { { 0, 1, 2, 3 }, { 2, 1, 0, 3 }, { 1, 2, 3, 0 },
  { 3, 2, 1, 0 }, { 0, 1, 2, 0 }, { 2, 1, 0, 0 } };

static inline size_t
ak_pixels_bytes (AkPixels pixels)
{
  return pixels == AK_PIXELS_RGB || pixels == AK_PIXELS_BGR ? 3 : 4;
}
