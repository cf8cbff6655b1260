/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RGBA to video pictures with AVX2, 8 pixels at a time; the same bytes as the plain loops. */
#include "picture.h"
#include "draw.h"

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

/* Pixels in 16 bits a channel: 0-1 | 4-5 and 2-3 | 6-7 of a block, or of 8 in a row. */
typedef struct
{
  __m256i lo, hi;
} Wide;

static inline Wide
widen (__m256i rgba)
{
  const __m256i zero = _mm256_setzero_si256 ();

  return (Wide){ _mm256_unpacklo_epi8 (rgba, zero), _mm256_unpackhi_epi8 (rgba, zero) };
}

/* Luma of 8 pixels in 32 bits each. */
static inline __m256i
luma (Wide p, __m256i k)
{
  __m256i y = _mm256_hadd_epi32 (_mm256_madd_epi16 (p.lo, k), _mm256_madd_epi16 (p.hi, k));

  return _mm256_srli_epi32 (_mm256_add_epi32 (y, _mm256_set1_epi32 ((16 << 15) + (1 << 14))), 15);
}

size_t
ak_pixels_luma_avx2 (uint8_t *dst, const uint8_t *rgba, size_t n, const AkYuv *yuv)
{
  __m256i k = factors (yuv->y);
  size_t i = 0;

  for (; i + 8 <= n; i += 8) {
    __m256i y = luma (widen (_mm256_loadu_si256 ((const __m256i *) (rgba + 4 * i))), k);
    __m128i words = _mm_packs_epi32 (_mm256_castsi256_si128 (y), _mm256_extracti128_si256 (y, 1));

    _mm_storel_epi64 ((__m128i *) (dst + i), _mm_packus_epi16 (words, words));
  }
  return i;
}

/* Sums of pixels 0-1, 2-3 | 4-5, 6-7. */
static inline __m256i
pairs (Wide p)
{
  return _mm256_add_epi16 (_mm256_unpacklo_epi64 (p.lo, p.hi), _mm256_unpackhi_epi64 (p.lo, p.hi));
}

/* Four pairs of colour differences from the sums of 2x2 pixels, 4x16 bits each. */
static inline void
store_chroma (uint8_t *u, uint8_t *v, size_t step, __m256i sums, __m256i ku, __m256i kv)
{
  __m256i c = _mm256_hadd_epi32 (_mm256_madd_epi16 (sums, ku), _mm256_madd_epi16 (sums, kv));
  __m128i words, bytes;
  uint32_t part[2];

  c = _mm256_add_epi32 (c, _mm256_set1_epi32 ((128 << 17) + (1 << 16)));
  c = _mm256_srai_epi32 (c, 17); /* u0 u1 v0 v1 | u2 u3 v2 v3 */
  words = _mm_packs_epi32 (_mm256_castsi256_si128 (c), _mm256_extracti128_si256 (c, 1));
  words = _mm_shuffle_epi32 (words, 0xd8); /* u0 u1 u2 u3 v0 v1 v2 v3 */
  bytes = _mm_packus_epi16 (words, words);
  if (step == 2) {
    bytes = _mm_unpacklo_epi8 (bytes, _mm_srli_si128 (bytes, 4));
    _mm_storel_epi64 ((__m128i *) u, bytes);
    return;
  }
  part[0] = (uint32_t) _mm_extract_epi32 (bytes, 0);
  part[1] = (uint32_t) _mm_extract_epi32 (bytes, 1);
  memcpy (u, &part[0], 4);
  memcpy (v, &part[1], 4);
}

size_t
ak_pixels_chroma_avx2 (uint8_t *u, uint8_t *v, size_t step, const uint8_t *row0,
    const uint8_t *row1, size_t n, const AkYuv *yuv)
{
  __m256i ku = factors (yuv->u), kv = factors (yuv->v);
  size_t i = 0;

  for (; i + 8 <= n; i += 8, u += 4 * step, v += 4 * step) {
    __m256i a = _mm256_loadu_si256 ((const __m256i *) (row0 + 4 * i));
    __m256i b = _mm256_loadu_si256 ((const __m256i *) (row1 + 4 * i));

    store_chroma (u, v, step, _mm256_add_epi16 (pairs (widen (a)), pairs (widen (b))), ku, kv);
  }
  return i;
}

typedef struct
{
  __m256i ky, ku, kv, background;
  uint8_t *y[2], *u, *v; /* two rows of luma, one of colour differences */
  size_t step;
} Rows;

/* Writes the two blocks, eight pixels of two rows, from column x on, and clears them. */
static inline void
write_blocks (const Rows *r, size_t x, AkBlock *block)
{
  const __m256i part = _mm256_set1_epi32 ((int) 0xff000000), zero = _mm256_setzero_si256 ();
  Wide p[2];
  __m256i y, s[2];

  for (int k = 0; k < 2; k++) {
    __m256i c = _mm256_load_si256 ((const __m256i *) block[k].color);

    c = _mm256_blendv_epi8 (
        c, r->background, _mm256_cmpeq_epi32 (_mm256_and_si256 (c, part), zero));
    p[k] = widen (c);
    s[k] = pairs (p[k]);
    _mm256_store_si256 ((__m256i *) block[k].color, zero);
    _mm256_store_si256 ((__m256i *) block[k].q, zero);
  }
  y = _mm256_packs_epi32 (luma (p[0], r->ky), luma (p[1], r->ky));
  y = _mm256_packus_epi16 (y, y);
  _mm_storel_epi64 ((__m128i *) (r->y[0] + x), _mm256_castsi256_si128 (y));
  _mm_storel_epi64 ((__m128i *) (r->y[1] + x), _mm256_extracti128_si256 (y, 1));
  store_chroma (r->u + x / 2 * r->step, r->v + x / 2 * r->step, r->step,
      _mm256_add_epi16 (_mm256_permute2x128_si256 (s[0], s[1], 0x20),
          _mm256_permute2x128_si256 (s[0], s[1], 0x31)),
      r->ku, r->kv);
}

/* Fills columns from … to-1. */
static inline void
fill_rows (const Rows *r, size_t from, size_t to, uint8_t y, uint8_t u, uint8_t v)
{
  if (from == to)
    return;
  for (int k = 0; k < 2; k++)
    memset (r->y[k] + from, y, to - from);
  if (r->step == 1) {
    memset (r->u + from / 2, u, (to - from) / 2);
    memset (r->v + from / 2, v, (to - from) / 2);
    return;
  }
  for (size_t x = from; x < to; x += 2) {
    r->u[x] = u;
    r->v[x] = v;
  }
}

void
ak_planes_avx2 (const AkBand *band, uint32_t background, const AkPicture *picture)
{
  const __m256i part = _mm256_set1_epi32 ((int) 0xff000000), zero = _mm256_setzero_si256 ();
  const AkYuv *yuv = ak_picture_yuv (picture);
  int nv12 = picture->pixels == AK_PIXELS_NV12;
  Rows r = { factors (yuv->y), factors (yuv->u), factors (yuv->v),
    _mm256_set1_epi32 ((int) background), { NULL }, NULL, NULL, nv12 ? 2 : 1 };
  Wide p = widen (r.background);
  uint8_t y[32], u[8], v[8];

  /* what the background is */
  _mm256_storeu_si256 (
      (__m256i *) y, _mm256_packus_epi16 (_mm256_packs_epi32 (luma (p, r.ky), zero), zero));
  store_chroma (u, v, 1, _mm256_slli_epi16 (pairs (p), 1), r.ku, r.kv);

  for (int row = band->out0; row < band->out1; row += 2) {
    AkBlock *blocks = band->blocks + (row - band->row0) / 2 * band->columns;
    ptrdiff_t stride = picture->stride[0];
    size_t width = picture->width, filled = 0,
           from = (size_t) band->column0 + 4 * ((size_t) band->first & ~(size_t) 1),
           to = (size_t) band->column0 + 4 * (((size_t) band->last | 1) + 1);

    r.y[0] = picture->plane[0] + row * stride;
    r.y[1] = r.y[0] + stride;
    r.u = picture->plane[1] + row / 2 * picture->stride[1];
    r.v = nv12 ? r.u + 1 : picture->plane[2] + row / 2 * picture->stride[2];
    if (band->first > band->last)
      from = to = width;
    for (size_t x = from; x < to; x += 8) {
      AkBlock *block = blocks + (x - (size_t) band->column0) / 4;
      __m256i any = _mm256_or_si256 (_mm256_load_si256 ((const __m256i *) block[0].color),
          _mm256_load_si256 ((const __m256i *) block[1].color));

      if (_mm256_testz_si256 (any, part))
        continue;
      fill_rows (&r, filled, x, y[0], u[0], v[0]);
      write_blocks (&r, x, block);
      filled = x + 8;
    }
    fill_rows (&r, filled, width, y[0], u[0], v[0]);
  }
}
