/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of RGBA to any picture format. For kernels/cpu only. */
#pragma once

#include "../picture_priv.h"

/* Writes `rows` rows from row y0 (even; `rows` even unless they end the picture). rgba: rows of
 * [width][4], `stride` bytes apart. `avx2`: may it be used; the bytes are the same. */
void ak_picture_rows (const AkPicture *picture, int avx2, unsigned y0, unsigned rows,
    const uint8_t *rgba, size_t stride);

/* Those of the picture's colour matrix. */
const AkYuv *ak_picture_yuv (const AkPicture *picture);

/* The first pixels of a row, a multiple of 8 of them; these return how many they did. The chroma of
 * two rows of pixels goes to `u` and `v`, `step` bytes (1, or 2 with v = u + 1) apart. */
size_t ak_pixels_pack_avx2 (
    uint8_t *dst, const uint8_t *rgba, size_t n, AkPixels pixels, int alpha);
size_t ak_pixels_luma_avx2 (uint8_t *dst, const uint8_t *rgba, size_t n, const AkYuv *yuv);
size_t ak_pixels_chroma_avx2 (uint8_t *u, uint8_t *v, size_t step, const uint8_t *row0,
    const uint8_t *row1, size_t n, const AkYuv *yuv);
