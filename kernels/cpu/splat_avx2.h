/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first half of splat_avx2.c: lists of a tile's splats, and their weights. For that file only.
 *
 * A tile is 32 blocks of 4 by 2 pixels: block b has the columns from 4 (b / 8) and the rows from 2 (b % 8) on, its
 * numbers 0 … 3 are the upper row's. */
#pragma once

#include "splat.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#ifdef __AVX2__ /* nothing here is for files compiled without it */

#define INLINE static inline __attribute__ ((always_inline))
#define BLOCKS 32
#define ACROSS 4
#define DOWN 2
#define BATCH 128
#define AHEAD 8

typedef struct
{
  uint32_t x0, y0, x1, y1;
} Box;

/* What a tile has yet to draw. */
typedef struct
{
  uint32_t live;  /* blocks with a pixel that is not done */
  Box box;        /* around these, in pixels of the picture */
  uint32_t place; /* entries before those of the list */
  uint32_t n;
  uint32_t list[AK_SPLAT_PART + AHEAD];
} List;

/* A tile's pixels. */
typedef struct
{
  _Alignas(
      64) float transmittance[BLOCKS][8]; /* negative, or with AkSplat.rest 0: the pixel is done */
  int32_t last[BLOCKS][8];
  float front[BLOCKS][AK_SPLAT_FRONT][8]; /* colours of full size beside `half` */
} Tile;

/* A splat in a batch: its exponents of 2 are xx dx² + xy dx dy + yy dy². */
typedef struct
{
  float xx, xy, yy, opacity;
  float dx, dy;    /* of the tile's first pixel */
  uint32_t blocks; /* that it can reach */
  int32_t place;
  const float *color;
} Entry;

/* What is the same for all of a drawing, constants of the caller. */
typedef struct
{
  int half, whole; /* `whole`: as published, without AkSplat.rest */
  int count_places;
} How;

/* 2^x for x of -126 to 0; relative error 2e-7. 2^0 is 1, so that an opacity of 1/255 is seen in the middle. */
INLINE __m256
exp2_8 (__m256 x)
{
  const __m256 magic =
      _mm256_set1_ps (12582912.0f); /* 1.5 · 2^23: the sum's last bits are round (x) */
  __m256 sum = _mm256_add_ps (x, magic), square, p, q, r;

  x = _mm256_sub_ps (x, _mm256_sub_ps (sum, magic));
  /* in pairs, which waits less for one another than one power after the other */
  square = _mm256_mul_ps (x, x);
  p = _mm256_fmadd_ps (x, _mm256_set1_ps (0.693146978f), _mm256_set1_ps (1.0f));
  q = _mm256_fmadd_ps (x, _mm256_set1_ps (0.0555073374f), _mm256_set1_ps (0.240222421f));
  r = _mm256_fmadd_ps (x, _mm256_set1_ps (0.00132647273f), _mm256_set1_ps (0.0096715127f));
  p = _mm256_fmadd_ps (_mm256_fmadd_ps (r, square, q), square, p);
  return _mm256_castsi256_ps (_mm256_add_epi32 (
      _mm256_castps_si256 (p), _mm256_slli_epi32 (_mm256_castps_si256 (sum), 23)));
}

/* The weights of splats with these alphas in pixels of which t shines through so far, which is changed accordingly.
 * *used: where the splat counts. `whole`: as published, else as AkSplat.rest says. A pixel that is done has a
 * negative t, or with `rest` 0. */
INLINE __m256
weigh_8 (__m256 alpha, __m256 *t, __m256 *used, int whole, __m256 rest)
{
  __m256 seen = _mm256_cmp_ps (alpha, _mm256_set1_ps (AK_SPLAT_FAINT), _CMP_GE_OQ);
  __m256 w = _mm256_mul_ps (alpha, *t), next;

  if (whole) {
    next = _mm256_sub_ps (*t, w);
    *used = _mm256_and_ps (seen, _mm256_cmp_ps (next, _mm256_set1_ps (AK_SPLAT_DONE), _CMP_GE_OQ));
    w = _mm256_and_ps (w, *used);
    /* unused though seen: done, now or already */
    *t = _mm256_or_ps (_mm256_sub_ps (*t, w),
        _mm256_and_ps (_mm256_andnot_ps (*used, seen), _mm256_set1_ps (-0.0f)));
    return w;
  }
  w = _mm256_and_ps (w, seen);
  next = _mm256_sub_ps (*t, w);
  w = _mm256_blendv_ps (w, *t, _mm256_cmp_ps (next, rest, _CMP_LT_OQ));
  *used = _mm256_cmp_ps (w, _mm256_setzero_ps (), _CMP_GT_OQ);
  *t = _mm256_sub_ps (*t, w);
  return w;
}

/* Are all 8 pixels done? */
INLINE uint32_t
all_done (__m256 t, int whole)
{
  if (!whole)
    t = _mm256_cmp_ps (t, _mm256_setzero_ps (), _CMP_EQ_OQ);
  return _mm256_movemask_ps (t) == 0xff;
}

/* Returns the blocks that the splat can reach. */
INLINE uint32_t
prepare (Entry *entry, const AkSplatShape *s, unsigned x0, unsigned y0)
{
  const float log2e = 1.44269504088896341f;
  const __m256 zero = _mm256_setzero_ps (), missed = _mm256_set1_ps (-1e9f);
  float dx = (float) (s->u[0] - x0), dy0 = (float) (s->u[1] - y0);
  __m256 dy = _mm256_sub_ps (_mm256_set1_ps (dy0), _mm256_setr_ps (0, 2, 4, 6, 8, 10, 12, 14));
  __m256 shear = _mm256_set1_ps (s->shear), reach = _mm256_set1_ps (s->reach),
         fall = _mm256_set1_ps (s->fall), low[DOWN], high[DOWN];
  uint32_t blocks = 0;

  entry->dx = dx;
  entry->dy = dy0;
  entry->xx = -0.5f * log2e * s->conic[0];
  entry->xy = -log2e * s->conic[1];
  entry->yy = -0.5f * log2e * s->conic[2];
  entry->opacity = s->opacity;
  for (int i = 0; i < DOWN; i++) { /* columns middle ± width of every second row */
    __m256 left = _mm256_fnmadd_ps (fall, _mm256_mul_ps (dy, dy), reach), width, middle;

    width = _mm256_add_ps (_mm256_sqrt_ps (left), _mm256_set1_ps (0.05f));
    width = _mm256_blendv_ps (missed, width, _mm256_cmp_ps (left, zero, _CMP_GE_OQ));
    middle = _mm256_fnmadd_ps (shear, dy, _mm256_set1_ps (dx));
    low[i] = _mm256_sub_ps (middle, width);
    high[i] = _mm256_add_ps (middle, width);
    dy = _mm256_sub_ps (dy, _mm256_set1_ps (1));
  }
  low[0] = _mm256_min_ps (low[0], low[1]);
  high[0] = _mm256_max_ps (high[0], high[1]);
  for (int i = 0; i < AK_SPLAT_TILE / ACROSS; i++) {
    __m256 from = _mm256_set1_ps ((float) (ACROSS * i)),
           to = _mm256_set1_ps ((float) (ACROSS * i + ACROSS - 1));

    blocks |= (uint32_t) _mm256_movemask_ps (_mm256_and_ps (_mm256_cmp_ps (low[0], to, _CMP_LE_OQ),
                  _mm256_cmp_ps (high[0], from, _CMP_GE_OQ)))
              << 8 * i;
  }
  return blocks;
}

/* The weights of an entry in block b, which is changed accordingly; `dead` gets the block if all its pixels are
 * done. Of a block that the entry cannot reach, or that is dead, nothing changes. */
INLINE __m256
weigh_block (Tile *tile, const Entry *entry, __m256 rest, unsigned b, uint32_t *dead, const How how)
{
  static const _Alignas(32) float columns[BLOCKS / 8][8] = { { 0, 1, 2, 3, 0, 1, 2, 3 },
    { 4, 5, 6, 7, 4, 5, 6, 7 }, { 8, 9, 10, 11, 8, 9, 10, 11 },
    { 12, 13, 14, 15, 12, 13, 14, 15 } };
  static const _Alignas(32) float rows[8][8] = { { 0, 0, 0, 0, 1, 1, 1, 1 },
    { 2, 2, 2, 2, 3, 3, 3, 3 }, { 4, 4, 4, 4, 5, 5, 5, 5 }, { 6, 6, 6, 6, 7, 7, 7, 7 },
    { 8, 8, 8, 8, 9, 9, 9, 9 }, { 10, 10, 10, 10, 11, 11, 11, 11 },
    { 12, 12, 12, 12, 13, 13, 13, 13 }, { 14, 14, 14, 14, 15, 15, 15, 15 } };
  __m256 dx = _mm256_sub_ps (_mm256_broadcast_ss (&entry->dx), _mm256_load_ps (columns[b / 8]));
  __m256 dy = _mm256_sub_ps (_mm256_broadcast_ss (&entry->dy), _mm256_load_ps (rows[b % 8]));
  __m256 t = _mm256_load_ps (tile->transmittance[b]), p, alpha, w, used;

  p = _mm256_mul_ps (_mm256_broadcast_ss (&entry->xy), dy);
  p = _mm256_fmadd_ps (_mm256_broadcast_ss (&entry->xx), dx, p);
  p = _mm256_mul_ps (p, dx);
  p = _mm256_fmadd_ps (_mm256_mul_ps (_mm256_broadcast_ss (&entry->yy), dy), dy, p);
  p = _mm256_min_ps (_mm256_max_ps (p, _mm256_set1_ps (-126)), _mm256_setzero_ps ());
  alpha = _mm256_mul_ps (exp2_8 (p), _mm256_broadcast_ss (&entry->opacity));
  alpha = _mm256_min_ps (alpha, _mm256_set1_ps (AK_SPLAT_SOLID));
  w = weigh_8 (alpha, &t, &used, how.whole, rest);
  _mm256_store_ps (tile->transmittance[b], t);
  *dead |= all_done (t, how.whole) << b;
  if (how.count_places) {
    __m256i *last = (__m256i *) tile->last[b];

    _mm256_store_si256 (last, _mm256_blendv_epi8 (_mm256_load_si256 (last),
                                  _mm256_set1_epi32 (entry->place), _mm256_castps_si256 (used)));
  }
  return w;
}

/* The pixels of a tile's live blocks. */
static inline void
find_live (List *list, unsigned x0, unsigned y0, int count_places)
{
  uint32_t rows = list->live | list->live >> 16;

  rows = (rows | rows >> 8) & 0xff;
  list->box = (Box){ 0, 0, 0, 0 };
  if (rows && count_places)
    list->box = (Box){ x0, y0, x0 + AK_SPLAT_TILE, y0 + AK_SPLAT_TILE };
  else if (rows)
    list->box = (Box){ x0 + ACROSS * ((unsigned) __builtin_ctz (list->live) / 8),
      y0 + DOWN * (unsigned) __builtin_ctz (rows),
      x0 + ACROSS * (1 + (31 - (unsigned) __builtin_clz (list->live)) / 8),
      y0 + DOWN * (32 - (unsigned) __builtin_clz (rows)) };
}

/* Appends splats from the place `from` of the order to the lists of the strip's live tiles, until all are looked
 * at or a list is full. Returns how far it came. */
static inline size_t
fill_lists (const AkSplatJob *job, List *tile, unsigned tiles, unsigned first_tile, size_t from)
{
  Box all = { UINT16_MAX, UINT16_MAX, 0, 0 };
  __m256i left, top, right, bottom;
  uint32_t longest = 0;

  for (unsigned t = 0; t < tiles; t++)
    if (tile[t].live) {
      const Box *box = &tile[t].box;

      all.x0 = box->x0 < all.x0 ? box->x0 : all.x0;
      all.y0 = box->y0 < all.y0 ? box->y0 : all.y0;
      all.x1 = box->x1 > all.x1 ? box->x1 : all.x1;
      all.y1 = box->y1 > all.y1 ? box->y1 : all.y1;
    }
  left = _mm256_set1_epi16 ((short) all.x0);
  top = _mm256_set1_epi16 ((short) all.y0);
  right = _mm256_set1_epi16 ((short) all.x1);
  bottom = _mm256_set1_epi16 ((short) all.y1);
  for (; from < job->drawn && longest + 16 <= AK_SPLAT_PART; from += 16) {
    __m256i x0 = _mm256_loadu_si256 ((const __m256i *) (job->sorted[0] + from)),
            y0 = _mm256_loadu_si256 ((const __m256i *) (job->sorted[1] + from)),
            x1 = _mm256_loadu_si256 ((const __m256i *) (job->sorted[2] + from)),
            y1 = _mm256_loadu_si256 ((const __m256i *) (job->sorted[3] + from));
    __m256i in = _mm256_and_si256 (_mm256_cmpgt_epi16 (bottom, y0), _mm256_cmpgt_epi16 (y1, top));
    uint32_t mask;

    in = _mm256_and_si256 (
        in, _mm256_and_si256 (_mm256_cmpgt_epi16 (right, x0), _mm256_cmpgt_epi16 (x1, left)));
    mask = (uint32_t) _mm256_movemask_epi8 (in) & 0x55555555u;
    while (mask) {
      size_t i = from + (unsigned) __builtin_ctz (mask) / 2;
      Box b = { job->sorted[0][i], job->sorted[1][i], job->sorted[2][i], job->sorted[3][i] };
      unsigned t = b.x0 / AK_SPLAT_TILE, end = (b.x1 + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE;

      mask &= mask - 1;
      t = t > first_tile ? t - first_tile : 0;
      end = end - first_tile < tiles ? end - first_tile : tiles;
      for (; t < end; t++) {
        List *at = tile + t;

        at->list[at->n] = (uint32_t) i;
        at->n +=
            (b.x0 < at->box.x1) & (b.x1 > at->box.x0) & (b.y0 < at->box.y1) & (b.y1 > at->box.y0);
        longest = at->n > longest ? at->n : longest;
      }
    }
  }
  return from < job->drawn ? from : job->drawn;
}

#endif
