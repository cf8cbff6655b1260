/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Composing with SSE: a pixel at a time, its four numbers side by side. The same operations in the same order as in
 * compose.c, so the same numbers. */
#include "cpu.h"

#include <immintrin.h>

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

void
ak_compose_avx2 (const void *args, size_t from, size_t to)
{
  const AkCompose *o = args;
  int replace = o->mode == AK_COMPOSE_REPLACE, over = !replace && o->background[3] != 0;
  __m128 one = _mm_set1_ps (1), background = replace ? one : load3 (o->background);

  for (size_t i = from; i < to; i++) {
    __m128 a = clamp (_mm_sub_ps (one, _mm_set1_ps (o->transmittance[i]))), y;
    __m128 refined =
        o->refined.data ? load3 (o->refined.data + i * o->refined.row) : _mm_set1_ps (0.5f);

    if (replace) {
      y = clamp (refined);
    } else {
      __m128 s = load3 (o->splats.data + i * o->splats.row);
      __m128 d = _mm_sub_ps (_mm_add_ps (refined, refined), one);

      if (over) {
        y = clamp (_mm_add_ps (s, _mm_mul_ps (a, d)));
        y = _mm_add_ps (y, _mm_mul_ps (_mm_sub_ps (one, a), background));
      } else {
        y = clamp (_mm_add_ps (_mm_div_ps (s, a), d));
        y = _mm_andnot_ps (_mm_cmplt_ps (a, _mm_set1_ps (1 / 255.0f)), y);
      }
    }
    _mm_storeu_ps (o->y.data + i * o->y.row, _mm_blend_ps (y, a, 8));
  }
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
