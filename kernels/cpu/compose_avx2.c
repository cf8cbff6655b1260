/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Composing: eight pixels at a time where they lie side by side, else one, its four numbers in a vector. The same
 * operations in the same order as in compose.c, so the same numbers. */
#include "cpu.h"
#include "simd_avx2.h"

/* To 0 … 1; NaN becomes 0. */
static inline __m128
clamp (__m128 v)
{
  return _mm_min_ps (_mm_max_ps (v, _mm_setzero_ps ()), _mm_set1_ps (1));
}

/* Three numbers, and nothing behind them. */
static inline __m128
load3 (const float *p)
{
  __m128 xy = _mm_castsi128_ps (_mm_loadl_epi64 ((const __m128i *) p));

  return _mm_movelh_ps (xy, _mm_load_ss (p + 2));
}

/* Pixel i. */
static inline void
compose_1 (const AkCompose *o, size_t i)
{
  int replace = o->mode == AK_COMPOSE_REPLACE, over = !replace && o->background[3] != 0;
  __m128 one = _mm_set1_ps (1), a = clamp (_mm_sub_ps (one, _mm_set1_ps (o->transmittance[i]))), y;
  __m128 refined =
      o->refined.data ? load3 (o->refined.data + i * o->refined.row) : _mm_set1_ps (0.5f);

  if (replace) {
    y = clamp (refined);
  } else {
    __m128 s = load3 (o->splats.data + i * o->splats.row);
    __m128 d = _mm_sub_ps (_mm_add_ps (refined, refined), one);

    if (over) {
      y = clamp (_mm_add_ps (s, _mm_mul_ps (a, d)));
      y = _mm_add_ps (y, _mm_mul_ps (_mm_sub_ps (one, a), load3 (o->background)));
    } else {
      y = clamp (_mm_add_ps (_mm_div_ps (s, a), d));
      y = _mm_andnot_ps (_mm_cmplt_ps (a, _mm_set1_ps (1 / 255.0f)), y);
    }
  }
  _mm_storeu_ps (o->y.data + i * o->y.row, _mm_blend_ps (y, a, 8));
}

static inline __m256
clamp_8 (__m256 v)
{
  return _mm256_min_ps (_mm256_max_ps (v, _mm256_setzero_ps ()), _mm256_set1_ps (1));
}

/* Writes x0 y0 z0 w0 x1 … w7. */
static inline void
store_xyzw (float *to, __m256 x, __m256 y, __m256 z, __m256 w)
{
  __m256 xz = _mm256_unpacklo_ps (x, z), xz2 = _mm256_unpackhi_ps (x, z);
  __m256 yw = _mm256_unpacklo_ps (y, w), yw2 = _mm256_unpackhi_ps (y, w);
  __m256 p0 = _mm256_unpacklo_ps (xz, yw), p1 = _mm256_unpackhi_ps (xz, yw);
  __m256 p2 = _mm256_unpacklo_ps (xz2, yw2), p3 = _mm256_unpackhi_ps (xz2, yw2);

  _mm256_storeu_ps (to, _mm256_permute2f128_ps (p0, p1, 0x20));
  _mm256_storeu_ps (to + 8, _mm256_permute2f128_ps (p2, p3, 0x20));
  _mm256_storeu_ps (to + 16, _mm256_permute2f128_ps (p0, p1, 0x31));
  _mm256_storeu_ps (to + 24, _mm256_permute2f128_ps (p2, p3, 0x31));
}

/* Pixels i … i + 7 of dense rows: splats, and what the network adds. */
static inline void
add_8 (const AkCompose *o, size_t i)
{
  int over = o->background[3] != 0;
  __m256 one = _mm256_set1_ps (1), s[3], d[3];
  __m256 a = clamp_8 (_mm256_sub_ps (one, _mm256_loadu_ps (o->transmittance + i)));
  __m256 behind = _mm256_sub_ps (one, a);
  __m256 seen = _mm256_cmp_ps (a, _mm256_set1_ps (1 / 255.0f), _CMP_NLT_UQ);

  simd_load_xyz (o->splats.data + 3 * i, &s[0], &s[1], &s[2]);
  simd_load_xyz (o->refined.data + 3 * i, &d[0], &d[1], &d[2]);
  for (int c = 0; c < 3; c++) {
    d[c] = _mm256_sub_ps (_mm256_add_ps (d[c], d[c]), one);
    if (over) {
      s[c] = clamp_8 (_mm256_add_ps (s[c], _mm256_mul_ps (a, d[c])));
      s[c] = _mm256_add_ps (s[c], _mm256_mul_ps (behind, _mm256_set1_ps (o->background[c])));
    } else {
      s[c] = clamp_8 (_mm256_add_ps (_mm256_div_ps (s[c], a), d[c]));
      s[c] = _mm256_and_ps (s[c], seen);
    }
  }
  store_xyzw (o->y.data + 4 * i, s[0], s[1], s[2], a);
}

void
ak_compose_avx2 (const void *args, size_t from, size_t to)
{
  const AkCompose *o = args;

  if (o->mode == AK_COMPOSE_ADD && o->refined.data && o->refined.row == 3 && o->splats.row == 3 &&
      o->y.row == 4)
    for (; from + 8 <= to; from += 8)
      add_8 (o, from);
  for (; from < to; from++)
    compose_1 (o, from);
}

void
ak_bytes_avx2 (const void *args, size_t from, size_t to)
{
  const AkBytes *b = args;
  size_t left = (b->width - b->side) / 2, top = (b->height - b->side) / 2, n = b->side;
  __m128 scale = _mm_set1_ps (255), round = _mm_set1_ps (b->round);

  for (size_t r = from; r < to; r++) {
    const float *x = b->x + 4 * r * n;
    uint8_t *y = b->rgba + 4 * ((top + r) * b->width + left);

    for (size_t i = 0; i < n; i++) {
      __m128 v = _mm_add_ps (_mm_mul_ps (scale, clamp (_mm_loadu_ps (x + 4 * i))), round);
      __m128i q = _mm_cvttps_epi32 (v);
      int pixel;

      q = _mm_packus_epi16 (_mm_packs_epi32 (q, q), q);
      pixel = _mm_cvtsi128_si32 (q);
      __builtin_memcpy (y + 4 * i, &pixel, sizeof pixel);
    }
  }
}
