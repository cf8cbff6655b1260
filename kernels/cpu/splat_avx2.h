/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first half of splat_avx2.c: lists of a tile's splats, and their weights. For that file only.
 *
 * A tile is 16 blocks of 4 by 4 pixels: block b has the columns from 4 (b / 4) and the rows from 4 (b % 4) on. Its
 * numbers, two vectors, are in an order by which the four pixels of each square of 2 by 2 are in the same lane of the
 * vectors' halves: see lane_of(). */
#pragma once

#include "splat.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#ifdef __AVX2__ /* nothing here is for files compiled without it */

#define INLINE static inline __attribute__ ((always_inline))
#define BLOCKS 16
#define ACROSS 4
#define DOWN 4
#define PIXELS (ACROSS * DOWN) /* of a block, two vectors */
#define BATCH 128
#define AHEAD 20

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
  /* negative, or with AkSplat.rest 0: the pixel is done */
  _Alignas(64) float transmittance[BLOCKS][PIXELS];
  int32_t last[BLOCKS][PIXELS];
  float front[BLOCKS][AK_SPLAT_FRONT][PIXELS]; /* colours of full size beside `half` */
} Tile;

/* A splat in a batch: alpha is 2^p, p = xx dx² + xy dx dy + yy dy² + power, and not above 2^cap. */
typedef struct
{
  _Alignas(32) float xx;
  float xy, yy, power;
  float dx, dy; /* of the tile's first pixel */
  float cap;
  int32_t place;
} Entry;

#define SOLID_POWER -0.01449957f /* log2 (AK_SPLAT_SOLID) */
#define FAINT_POWER -7.994355f   /* log2 (AK_SPLAT_FAINT), with what rounding may take away */

/* The number of a block's pixel in row r and column c. */
INLINE unsigned
lane_of (unsigned r, unsigned c)
{
  return c % 2 * 8 + r % 2 * 4 + r / 2 * 2 + c / 2;
}

/* A block's numbers row after row. */
INLINE void
by_rows (__m256 rows[2], const float *numbers)
{
  __m256 even = _mm256_load_ps (numbers), odd = _mm256_load_ps (numbers + 8);

  rows[0] = _mm256_unpacklo_ps (even, odd);
  rows[1] = _mm256_unpackhi_ps (even, odd);
}

/* What is the same for all of a drawing, constants of the caller. */
typedef struct
{
  int half, whole; /* `whole`: as published, without AkSplat.rest */
  int count_places;
} How;

/* 2^x for x of -126 to 0, else anything; relative error 2e-7. */
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

/* The weights of splats with the alphas 2^power in pixels of which t shines through so far, which is changed accordingly.
 * *used: where the splat counts. `whole`: as published, else as AkSplat.rest says. A pixel that is done has a
 * negative t, or with `rest` 0. */
INLINE __m256
weigh_8 (__m256 power, __m256 *t, __m256 *used, int whole, __m256 rest)
{
  __m256 seen = _mm256_cmp_ps (power, _mm256_set1_ps (FAINT_POWER), _CMP_GE_OQ);
  __m256 alpha = _mm256_and_ps (exp2_8 (power), seen), w, next;

  if (whole) {
    w = _mm256_mul_ps (alpha, *t);
    next = _mm256_sub_ps (*t, w);
    *used = _mm256_and_ps (seen, _mm256_cmp_ps (next, _mm256_set1_ps (AK_SPLAT_DONE), _CMP_GE_OQ));
    w = _mm256_and_ps (w, *used);
    /* unused though seen: done, now or already */
    *t = _mm256_or_ps (_mm256_sub_ps (*t, w),
        _mm256_and_ps (_mm256_andnot_ps (*used, seen), _mm256_set1_ps (-0.0f)));
    return w;
  }
  next = _mm256_fnmadd_ps (alpha, *t, *t);
  next = _mm256_and_ps (next, _mm256_cmp_ps (next, rest, _CMP_GE_OQ));
  w = _mm256_sub_ps (*t, next);
  *used = _mm256_cmp_ps (w, _mm256_setzero_ps (), _CMP_GT_OQ);
  *t = next;
  return w;
}

/* Are all pixels of a block done? */
INLINE int
all_done (__m256 upper, __m256 lower, int whole)
{
  if (whole)
    return _mm256_movemask_ps (_mm256_and_ps (upper, lower)) == 0xff;
  upper = _mm256_or_ps (upper, lower);
  return _mm256_testz_si256 (_mm256_castps_si256 (upper), _mm256_castps_si256 (upper));
}

/* The larger numbers of each of the two halves of a and b. */
INLINE __m128
larger_4 (__m256 a, __m256 b)
{
  a = _mm256_max_ps (a, b);
  return _mm_max_ps (_mm256_castps256_ps128 (a), _mm256_extractf128_ps (a, 1));
}

/* Returns the blocks that the splat can reach. */
INLINE uint32_t
prepare (Entry *entry, const AkSplatShape *s, unsigned x0, unsigned y0)
{
  /* of each block's four rows one in each half of these */
  const __m256 rows[2] = { _mm256_setr_ps (0, 4, 8, 12, 1, 5, 9, 13),
    _mm256_setr_ps (2, 6, 10, 14, 3, 7, 11, 15) };
  const __m256 missed = _mm256_set1_ps (-1e9f), least = _mm256_set1_ps (1e-9f),
               most = _mm256_set1_ps (1e30f);
  float dx = (float) (s->u[0] - x0), dy0 = (float) (s->u[1] - y0);
  __m256 shear = _mm256_set1_ps (s->shear), reach = _mm256_set1_ps (s->reach),
         fall = _mm256_set1_ps (s->fall), first[2], last[2], from, to, columns;
  uint32_t blocks = 0;

  _mm_store_ps (&entry->xx, _mm_load_ps (s->power));
  entry->dx = dx;
  entry->dy = dy0;
  entry->cap = s->power[3] < SOLID_POWER ? s->power[3] : SOLID_POWER;
  for (int i = 0; i < 2; i++) { /* columns middle ± width of each row */
    __m256 dy = _mm256_sub_ps (_mm256_set1_ps (dy0), rows[i]);
    __m256 left = _mm256_fnmadd_ps (fall, _mm256_mul_ps (dy, dy), reach), width, middle;

    /* the root, at most 4e-4 of it too small */
    width = _mm256_min_ps (_mm256_max_ps (left, least), most);
    width = _mm256_mul_ps (width, _mm256_rsqrt_ps (width));
    width = _mm256_fmadd_ps (width, _mm256_set1_ps (1.0005f), _mm256_set1_ps (0.05f));
    width = _mm256_blendv_ps (width, missed, left);
    middle = _mm256_fnmadd_ps (shear, dy, _mm256_set1_ps (dx));
    first[i] = _mm256_sub_ps (width, middle); /* negative, so that the larger one counts */
    last[i] = _mm256_add_ps (middle, width);
  }
  from = _mm256_castps128_ps256 (larger_4 (first[0], first[1]));
  from = _mm256_sub_ps (
      _mm256_setzero_ps (), _mm256_insertf128_ps (from, _mm256_castps256_ps128 (from), 1));
  to = _mm256_castps128_ps256 (larger_4 (last[0], last[1]));
  to = _mm256_insertf128_ps (to, _mm256_castps256_ps128 (to), 1);
  columns = _mm256_setr_ps (0, 0, 0, 0, 4, 4, 4, 4);
  for (int i = 0; i < 2; i++) { /* two columns of blocks at a time */
    __m256 end = _mm256_add_ps (columns, _mm256_set1_ps (ACROSS - 1));

    blocks |= (uint32_t) _mm256_movemask_ps (_mm256_and_ps (
                  _mm256_cmp_ps (from, end, _CMP_LE_OQ), _mm256_cmp_ps (to, columns, _CMP_GE_OQ)))
              << 8 * i;
    columns = _mm256_add_ps (columns, _mm256_set1_ps (8));
  }
  return blocks;
}

/* The powers of 2 that an entry's alphas are in a block's pixels: those of even and those of odd columns, as lane_of()
 * says; `columns` and `rows`: the former's, in the tile. */
INLINE void
powers_16 (const Entry *entry, __m256 columns, __m256 rows, __m256 p[2])
{
  __m256 dx = _mm256_sub_ps (_mm256_broadcast_ss (&entry->dx), columns);
  __m256 dy = _mm256_sub_ps (_mm256_broadcast_ss (&entry->dy), rows);
  __m256 xx = _mm256_broadcast_ss (&entry->xx), cap = _mm256_broadcast_ss (&entry->cap);
  __m256 xy = _mm256_mul_ps (_mm256_broadcast_ss (&entry->xy), dy);
  __m256 yy = _mm256_fmadd_ps (_mm256_mul_ps (_mm256_broadcast_ss (&entry->yy), dy), dy,
      _mm256_broadcast_ss (&entry->power));

  for (int i = 0; i < 2; i++) {
    p[i] = _mm256_fmadd_ps (_mm256_fmadd_ps (xx, dx, xy), dx, yy);
    p[i] = _mm256_min_ps (p[i], cap);
    dx = _mm256_sub_ps (dx, _mm256_set1_ps (1));
  }
}

/* The pixels of a tile's live blocks. */
static inline void
find_live (List *list, unsigned x0, unsigned y0, int count_places)
{
  uint32_t rows = list->live | list->live >> 8;

  rows = (rows | rows >> 4) & 0xf;
  list->box = (Box){ 0, 0, 0, 0 };
  if (rows && count_places)
    list->box = (Box){ x0, y0, x0 + AK_SPLAT_TILE, y0 + AK_SPLAT_TILE };
  else if (rows)
    list->box = (Box){ x0 + ACROSS * ((unsigned) __builtin_ctz (list->live) / 4),
      y0 + DOWN * (unsigned) __builtin_ctz (rows),
      x0 + ACROSS * (1 + (31 - (unsigned) __builtin_clz (list->live)) / 4),
      y0 + DOWN * (32 - (unsigned) __builtin_clz (rows)) };
}

/* The splats of a row of tiles in order of depth, with room for 16 more: boxes and numbers. */
typedef struct
{
  AkSplatBox *box;
  uint32_t *index;
  size_t n;
} Row;

/* Which of 16 splats have their `top` before `end` and their `bottom` behind `from`, a bit each, every second. */
INLINE uint32_t
in_rows (const uint16_t *top, const uint16_t *bottom, __m256i from, __m256i end)
{
  __m256i before = _mm256_cmpgt_epi16 (end, _mm256_loadu_si256 ((const __m256i *) top));
  __m256i behind = _mm256_cmpgt_epi16 (_mm256_loadu_si256 ((const __m256i *) bottom), from);

  return (uint32_t) _mm256_movemask_epi8 (_mm256_and_si256 (before, behind)) & 0x55555555u;
}

/* Which of 16 boxes touch the one with these corners, four times each, a bit each. */
INLINE uint32_t
touching (const AkSplatBox *box, __m256i first, __m256i end)
{
  const __m256i all = _mm256_set1_epi64x (-1);
  uint32_t mask = 0;

  for (int i = 0; i < 4; i++) {
    __m256i four = _mm256_load_si256 ((const __m256i *) (box + 4 * i));
    __m256i good =
        _mm256_blend_epi16 (_mm256_cmpgt_epi16 (end, four), _mm256_cmpgt_epi16 (four, first), 0xcc);

    mask |= (uint32_t) _mm256_movemask_pd (_mm256_castsi256_pd (_mm256_cmpeq_epi64 (good, all)))
            << 4 * i;
  }
  return mask;
}

/* [x, y, x, y] four times. */
INLINE __m256i
corner_4 (uint32_t x, uint32_t y)
{
  return _mm256_set1_epi32 ((int) (x | y << 16));
}

/* Finds the splats of the row of tiles whose uppermost pixels are y0's. */
static inline void
find_row (const AkSplatJob *job, Row *row, unsigned y0)
{
  __m256i top = _mm256_set1_epi16 ((short) y0),
          bottom = _mm256_set1_epi16 ((short) (y0 + AK_SPLAT_TILE));
  size_t n = 0;

  for (size_t from = 0; from < job->drawn; from += 16) {
    uint32_t mask = in_rows (job->top + from, job->bottom + from, top, bottom);

    for (; mask; mask &= mask - 1, n++) {
      size_t i = from + (unsigned) __builtin_ctz (mask) / 2;

      row->box[n] = job->sorted[i];
      row->index[n] = job->keys[i].index;
    }
  }
  memset (row->box + n, 0, 16 * sizeof *row->box);
  row->n = n;
}

/* Appends splats' numbers from the row's place `from` on to the lists of the strip's live tiles, until all are looked at
 * or a list is full. Returns how far it came. */
static inline size_t
fill_lists (const Row *row, List *tile, unsigned tiles, unsigned first_tile, size_t from)
{
  Box all = { UINT16_MAX, UINT16_MAX, 0, 0 };
  __m256i first, last;
  uint32_t longest = 0;

  for (unsigned t = 0; t < tiles; t++)
    if (tile[t].live) {
      const Box *box = &tile[t].box;

      all.x0 = box->x0 < all.x0 ? box->x0 : all.x0;
      all.y0 = box->y0 < all.y0 ? box->y0 : all.y0;
      all.x1 = box->x1 > all.x1 ? box->x1 : all.x1;
      all.y1 = box->y1 > all.y1 ? box->y1 : all.y1;
    }
  first = corner_4 (all.x0, all.y0);
  last = corner_4 (all.x1, all.y1);
  for (; from < row->n && longest + 16 <= AK_SPLAT_PART; from += 16) {
    uint32_t mask = touching (row->box + from, first, last);

    for (; mask; mask &= mask - 1) {
      size_t i = from + (unsigned) __builtin_ctz (mask);
      AkSplatBox b = row->box[i];
      unsigned t = b.x0 / AK_SPLAT_TILE, end = (b.x1 + AK_SPLAT_TILE - 1) / AK_SPLAT_TILE;

      t = t > first_tile ? t - first_tile : 0;
      end = end - first_tile < tiles ? end - first_tile : tiles;
      for (; t < end; t++) {
        List *at = tile + t;

        at->list[at->n] = row->index[i];
        at->n +=
            (b.x0 < at->box.x1) & (b.x1 > at->box.x0) & (b.y0 < at->box.y1) & (b.y1 > at->box.y0);
        longest = at->n > longest ? at->n : longest;
      }
    }
  }
  return from < row->n ? from : row->n;
}

#endif
