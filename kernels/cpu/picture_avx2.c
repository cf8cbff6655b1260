/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RGBA to video pictures with AVX2, 8 pixels at a time; the same bytes as the plain loops. */
#include "picture.h"

#include <immintrin.h>
#include <string.h>

#define Z (char) 0x80 /* a zero */

size_t
ak_pixels_pack_avx2 (uint8_t *dst, const uint8_t *rgba, size_t n, AkPixels pixels, int alpha)
{
  static const char order[][16] = {
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 2, 1, 0, 3, 6, 5, 4, 7, 10, 9, 8, 11, 14, 13, 12, 15 },
    { 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14 },
    { 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12 },
    { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, Z, Z, Z, Z },
    { 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, Z, Z, Z, Z },
  };
  __m256i o = _mm256_broadcastsi128_si256 (_mm_loadu_si128 ((const __m128i *) order[pixels]));
  __m256i a = _mm256_set1_epi32 (alpha ? 0 : (int) 0xff000000);
  size_t i = 0;

  if (pixels < AK_PIXELS_RGB) {
    for (; i + 8 <= n; i += 8) {
      __m256i x = _mm256_or_si256 (_mm256_loadu_si256 ((const __m256i *) (rgba + 4 * i)), a);

      _mm256_storeu_si256 ((__m256i *) (dst + 4 * i), _mm256_shuffle_epi8 (x, o));
    }
    return i;
  }
  for (; i + 8 <= n; i += 8) {
    __m256i x = _mm256_shuffle_epi8 (_mm256_loadu_si256 ((const __m256i *) (rgba + 4 * i)), o);
    __m256i y = _mm256_permutevar8x32_epi32 (x, _mm256_setr_epi32 (0, 1, 2, 4, 5, 6, 7, 7));

    _mm_storeu_si128 ((__m128i *) (dst + 3 * i), _mm256_castsi256_si128 (y));
    _mm_storel_epi64 ((__m128i *) (dst + 3 * i + 16), _mm256_extracti128_si256 (y, 1));
  }
  return i;
}

/* 16-bit factors for r, g, b and 0 for alpha, four times. */
static __m256i
factors (const int16_t *k)
{
  return _mm256_setr_epi16 (
      k[0], k[1], k[2], 0, k[0], k[1], k[2], 0, k[0], k[1], k[2], 0, k[0], k[1], k[2], 0);
}

size_t
ak_pixels_luma_avx2 (uint8_t *dst, const uint8_t *rgba, size_t n, const AkYuv *yuv)
{
  __m256i k = factors (yuv->y), offset = _mm256_set1_epi32 ((16 << 15) + (1 << 14));
  size_t i = 0;

  for (; i + 8 <= n; i += 8) {
    __m256i x = _mm256_loadu_si256 ((const __m256i *) (rgba + 4 * i));
    __m256i lo = _mm256_unpacklo_epi8 (x, _mm256_setzero_si256 ()); /* pixels 0 1 | 4 5 */
    __m256i hi = _mm256_unpackhi_epi8 (x, _mm256_setzero_si256 ()); /* 2 3 | 6 7 */
    __m256i y = _mm256_hadd_epi32 (_mm256_madd_epi16 (lo, k), _mm256_madd_epi16 (hi, k));
    __m128i words;

    y = _mm256_srli_epi32 (_mm256_add_epi32 (y, offset), 15);
    words = _mm_packs_epi32 (_mm256_castsi256_si128 (y), _mm256_extracti128_si256 (y, 1));
    _mm_storel_epi64 ((__m128i *) (dst + i), _mm_packus_epi16 (words, words));
  }
  return i;
}

size_t
ak_pixels_chroma_avx2 (uint8_t *u, uint8_t *v, size_t step, const uint8_t *row0,
    const uint8_t *row1, size_t n, const AkYuv *yuv)
{
  __m256i ku = factors (yuv->u), kv = factors (yuv->v),
          offset = _mm256_set1_epi32 ((128 << 17) + (1 << 16));
  __m256i zero = _mm256_setzero_si256 ();
  size_t i = 0;

  for (; i + 8 <= n; i += 8, u += 4 * step, v += 4 * step) {
    __m256i a = _mm256_loadu_si256 ((const __m256i *) (row0 + 4 * i));
    __m256i b = _mm256_loadu_si256 ((const __m256i *) (row1 + 4 * i));
    __m256i lo = _mm256_add_epi16 (_mm256_unpacklo_epi8 (a, zero), _mm256_unpacklo_epi8 (b, zero));
    __m256i hi = _mm256_add_epi16 (_mm256_unpackhi_epi8 (a, zero), _mm256_unpackhi_epi8 (b, zero));
    /* sums of 2x2: pixels 0-1, 2-3 | 4-5, 6-7 */
    __m256i s = _mm256_add_epi16 (_mm256_unpacklo_epi64 (lo, hi), _mm256_unpackhi_epi64 (lo, hi));
    __m256i c = _mm256_hadd_epi32 (_mm256_madd_epi16 (s, ku), _mm256_madd_epi16 (s, kv));
    __m128i words, bytes;
    uint32_t part[2];

    c = _mm256_srai_epi32 (_mm256_add_epi32 (c, offset), 17); /* u0 u1 v0 v1 | u2 u3 v2 v3 */
    words = _mm_packs_epi32 (_mm256_castsi256_si128 (c), _mm256_extracti128_si256 (c, 1));
    words = _mm_shuffle_epi32 (words, 0xd8); /* u0 u1 u2 u3 v0 v1 v2 v3 */
    bytes = _mm_packus_epi16 (words, words);
    if (step == 2) {
      bytes = _mm_unpacklo_epi8 (bytes, _mm_srli_si128 (bytes, 4));
      _mm_storel_epi64 ((__m128i *) u, bytes);
      continue;
    }
    part[0] = (uint32_t) _mm_extract_epi32 (bytes, 0);
    part[1] = (uint32_t) _mm_extract_epi32 (bytes, 1);
    memcpy (u, &part[0], 4);
    memcpy (v, &part[1], 4);
  }
  return i;
}
