/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Following outlines with AVX2 and FMA, eight pixels at a time. */
#include "draw.h"
#include "lanes_avx2.h"

static inline __m256
mix (float a, float b, __m256 t)
{
  return _mm256_fmadd_ps (t, _mm256_set1_ps (b - a), _mm256_set1_ps (a));
}

/* lo <= v < hi */
static inline __m256i
within (__m256i v, int lo, int hi)
{
  return _mm256_and_si256 (_mm256_cmpgt_epi32 (v, _mm256_set1_epi32 (lo - 1)),
      _mm256_cmpgt_epi32 (_mm256_set1_epi32 (hi), v));
}

/* Pixels: their blocks and lanes, whether they lie in the band at all, and whether they are wanted. */
typedef struct
{
  __m256i block, lane, good, wanted;
} Pixels;

static inline Pixels
pixels_at (const AkBand *band, __m256i x, __m256i y)
{
  __m256i column = _mm256_sub_epi32 (x, _mm256_set1_epi32 (band->column0));
  __m256i row = _mm256_sub_epi32 (y, _mm256_set1_epi32 (band->row0));
  Pixels p;

  p.good = _mm256_and_si256 (within (column, 0, 4 * band->columns), within (row, 0, band->rows));
  p.wanted = _mm256_and_si256 (within (column, 4 * band->first, 4 * band->last + 4),
      within (row, band->out0 - band->row0, band->out1 - band->row0));
  p.block = _mm256_add_epi32 (
      _mm256_mullo_epi32 (_mm256_srai_epi32 (row, 1), _mm256_set1_epi32 (band->columns)),
      _mm256_srai_epi32 (column, 2));
  p.lane = _mm256_add_epi32 (_mm256_slli_epi32 (_mm256_and_si256 (row, _mm256_set1_epi32 (1)), 2),
      _mm256_and_si256 (column, _mm256_set1_epi32 (3)));
  return p;
}

/* Places of pixels; -1 for those that are not wanted. */
static inline __m256i
places (const Pixels *p)
{
  return _mm256_or_si256 (_mm256_add_epi32 (_mm256_slli_epi32 (p->block, 3), p->lane),
      _mm256_xor_si256 (p->wanted, _mm256_set1_epi32 (-1)));
}

/* Depth and colour; 0 beyond the band. */
static inline __m256
depths (const AkBand *band, const Pixels *p)
{
  return _mm256_mask_i32gather_ps (_mm256_setzero_ps (), band->blocks->q,
      _mm256_add_epi32 (_mm256_slli_epi32 (p->block, 4), p->lane), _mm256_castsi256_ps (p->good),
      4);
}

static inline __m256i
colors (const AkBand *band, const Pixels *p)
{
  return _mm256_mask_i32gather_epi32 (_mm256_setzero_si256 (), (const int *) band->blocks->color,
      _mm256_add_epi32 (_mm256_slli_epi32 (p->block, 4), p->lane), p->good, 4);
}

/* 0xffBBGGRR */
static inline __m256i
mixed (const AkLook *a, const AkLook *b, __m256 t)
{
  const __m256 most = _mm256_set1_ps (255), half = _mm256_set1_ps (0.5f);
  __m256i out = _mm256_set1_epi32 ((int) 0xff000000);
  __m256 c[3] = { mix (a->r, b->r, t), mix (a->g, b->g, t), mix (a->b, b->b, t) };

  for (int k = 0; k < 3; k++)
    out = _mm256_or_si256 (
        out, _mm256_slli_epi32 (
                 _mm256_cvttps_epi32 (_mm256_add_ps (_mm256_min_ps (c[k], most), half)), 8 * k));
  return out;
}

size_t
ak_walk_avx2 (const AkWalk *w, int from, int to, AkHits *hits, AkInner *inner)
{
  const __m256 far = _mm256_set1_ps (1 + AK_NEARER);
  size_t n = 0;

  for (int i = from; i < to; i += 8) {
    __m256i x =
        _mm256_add_epi32 (_mm256_set1_epi32 (i), _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7));
    __m256 along = _mm256_mul_ps (
        _mm256_cvtepi32_ps (_mm256_sub_epi32 (_mm256_slli_epi32 (x, 8), _mm256_set1_epi32 (w->x))),
        _mm256_set1_ps (w->inverse));
    __m256 at_y = _mm256_fmadd_ps (_mm256_set1_ps (w->dy), along, _mm256_set1_ps ((float) w->y));
    __m256 q = mix (w->a->q, w->b->q, along), here, d;
    __m256i y = _mm256_srai_epi32 (
        _mm256_add_epi32 (_mm256_cvttps_epi32 (at_y), _mm256_set1_epi32 (128)), 8);
    __m256i share, at, good, outside, wanted, hit, pack;
    Pixels pixels;
    unsigned set = 255u >> (to - i < 8 ? 8 - (to - i) : 0), out;

    d = _mm256_fmsub_ps (at_y, _mm256_set1_ps (1.0f / 256), _mm256_cvtepi32_ps (y));
    outside = _mm256_castps_si256 (_mm256_cmp_ps (
        _mm256_mul_ps (d, _mm256_set1_ps ((float) w->inward)), _mm256_setzero_ps (), _CMP_GT_OQ));
    d = _mm256_sub_ps (_mm256_set1_ps (0.5f), _mm256_andnot_ps (_mm256_set1_ps (-0.0f), d));
    share = _mm256_cvttps_epi32 (_mm256_mul_ps (d, _mm256_set1_ps (255)));
    if (w->steep) {
      __m256i t = x;

      x = y, y = t;
    }
    pixels = pixels_at (w->band, x, y);
    at = places (&pixels);
    wanted = _mm256_and_si256 (pixels.wanted, _mm256_cmpgt_epi32 (share, _mm256_setzero_si256 ()));
    here = depths (w->band, &pixels);
    /* nothing nearer may hide the outline, nor, on the side of the face, anything but the face be there */
    hit = _mm256_castps_si256 (_mm256_cmp_ps (here, _mm256_mul_ps (q, far), _CMP_LT_OQ));
    good = _mm256_castps_si256 (_mm256_and_ps (
        _mm256_cmp_ps (here, _mm256_mul_ps (q, _mm256_set1_ps (1 + AK_SAME_SURFACE)), _CMP_LE_OQ),
        _mm256_cmp_ps (here, _mm256_mul_ps (q, _mm256_set1_ps (1 - AK_SAME_SURFACE)), _CMP_GT_OQ)));
    hit = _mm256_and_si256 (_mm256_blendv_epi8 (good, hit, outside), wanted);
    set &= lanes (hit);
    if (!set)
      continue;

    out = set & lanes (outside);
    if (out) {
      pack = pack_lanes (out);
      store (hits->at + n, _mm256_permutevar8x32_epi32 (at, pack));
      store (hits->share + n, _mm256_permutevar8x32_epi32 (share, pack));
      store (hits->color + n, _mm256_permutevar8x32_epi32 (mixed (w->a, w->b, along), pack));
      n += (size_t) __builtin_popcount (out);
    }
    set &= ~out;
    if (set) {
      __m256i part = _mm256_srli_epi32 (colors (w->band, &pixels), 24), other, crease;

      if (w->steep)
        x = _mm256_sub_epi32 (x, _mm256_set1_epi32 (w->inward));
      else
        y = _mm256_sub_epi32 (y, _mm256_set1_epi32 (w->inward));
      pixels = pixels_at (w->band, x, y);
      here = depths (w->band, &pixels);
      good = _mm256_and_si256 (_mm256_cmpeq_epi32 (part, _mm256_set1_epi32 ((int) w->part)),
          _mm256_castps_si256 (_mm256_cmp_ps (here, _mm256_mul_ps (q, far), _CMP_LT_OQ)));
      set &= lanes (good);
      other = colors (w->band, &pixels);
      crease = _mm256_and_si256 (_mm256_cmpeq_epi32 (_mm256_srli_epi32 (other, 24), part),
          _mm256_castps_si256 (
              _mm256_cmp_ps (here, _mm256_mul_ps (q, _mm256_set1_ps (1 - AK_CREASE)), _CMP_GT_OQ)));
      other = _mm256_blendv_epi8 (_mm256_or_si256 (other, _mm256_set1_epi32 ((int) 0xff000000)),
          _mm256_set1_epi32 ((int) w->background),
          _mm256_cmpeq_epi32 (_mm256_srli_epi32 (other, 24), _mm256_setzero_si256 ()));
      if (set & lanes (crease))
        other =
            _mm256_blendv_epi8 (other, _mm256_min_epu8 (other, mixed (w->a, w->b, along)), crease);
      pack = pack_lanes (set);
      store (inner->at + inner->n, _mm256_permutevar8x32_epi32 (at, pack));
      store (inner->share + inner->n, _mm256_permutevar8x32_epi32 (share, pack));
      store (inner->beyond + inner->n, _mm256_permutevar8x32_epi32 (places (&pixels), pack));
      store (inner->color + inner->n, _mm256_permutevar8x32_epi32 (other, pack));
      inner->n += (size_t) __builtin_popcount (set);
    }
  }
  return n;
}

size_t
ak_meet_avx2 (
    uint32_t *numbers, const int32_t *y0, const int32_t *y1, size_t n, int32_t top, int32_t bottom)
{
  __m256i number = _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7);
  size_t m = 0;

  for (size_t i = 0; i < n; i += 8) {
    __m256i meets =
        _mm256_and_si256 (_mm256_cmpgt_epi32 (_mm256_loadu_si256 ((const __m256i *) (y1 + i)),
                              _mm256_set1_epi32 (top - 1)),
            _mm256_cmpgt_epi32 (
                _mm256_set1_epi32 (bottom), _mm256_loadu_si256 ((const __m256i *) (y0 + i))));
    unsigned set = lanes (meets) & 255u >> (n - i < 8 ? 8 - (n - i) : 0);

    store (numbers + m, _mm256_permutevar8x32_epi32 (number, pack_lanes (set)));
    m += (size_t) __builtin_popcount (set);
    number = _mm256_add_epi32 (number, _mm256_set1_epi32 (8));
  }
  return m;
}
