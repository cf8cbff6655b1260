/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 5 of splat.h with AVX2 and FMA.
 *
 * A tile is 32 blocks of 8 pixels in a row. Its list is taken in batches: first each entry's weights α T go
 * to the lists of the blocks that it can reach, then each block's list is a small product, weights [pixels][entries]
 * by colours [entries][channels], held in registers. So transmittances are read once per entry and block and colours
 * are added at the speed of multiplication.
 *
 * For a picture of half the size the weights of two blocks, one above the other, are added up to those of 4 of its
 * pixels, which have the lists; the few channels of full size are added on the spot. */
#include "splat.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__ ((always_inline))
#define BLOCKS 32 /* block b: row b % 16, columns 8 (b / 16) … */
#define PAIRS 16  /* pair p: blocks 2 p and 2 p + 1, 4 pixels of half the size */
#define BATCH 128
#define AHEAD 8

typedef struct
{
  uint32_t x0, y0, x1, y1;
} Box;

typedef struct
{
  _Alignas(64) float transmittance[BLOCKS][8]; /* negative: the pixel is done */
  int32_t last[BLOCKS][8];
  float front[BLOCKS][AK_SPLAT_FRONT][8]; /* colours of full size beside `half` */
  uint32_t live;                          /* blocks with a pixel that is not done */
  Box box;                                /* around these, in pixels of the picture */
  uint32_t place;                         /* entries before those of the list */
  uint32_t n;
  uint32_t list[AK_SPLAT_PART + AHEAD];
} Tile;

/* A splat in a batch, with its numbers for the rows of the tile. */
typedef struct
{
  /* exponents of 2: constant + slope dx + square dx² */
  _Alignas(64) float constant[AK_SPLAT_TILE], slope[AK_SPLAT_TILE];
  float square, dx; /* dx of the tile's first column */
  float opacity;
  uint32_t blocks; /* that it can reach */
  int32_t place;
  const float *color;
} Entry;

/* One thread's memory; the tiles' colours [AK_SPLAT_STRIP][BLOCKS][8][padded] follow, with `half`
 * [AK_SPLAT_STRIP][PAIRS][4][padded], not yet divided by 4. */
typedef struct
{
  Tile tile[AK_SPLAT_STRIP];
  union {
    float weight[BLOCKS * BATCH][8];     /* those of block b from b * BATCH on, and so on */
    float half_weight[PAIRS * BATCH][4]; /* of pairs instead of blocks */
  };
  Entry batch[BATCH];
  uint32_t entries;
  uint32_t entry[BLOCKS * BATCH]; /* where in `color` the entry's colour is */
  uint32_t end[BLOCKS];           /* of a block's or a pair's weights */
  _Alignas(64) float color[BATCH * AK_SPLAT_CHANNELS_MAX]; /* [BATCH][padded] */
} Scratch;

static size_t
padded_channels (const AkSplat *args)
{
  return (args->channels + 7) / 8 * 8;
}

/* Numbers of a tile's colours. */
static size_t
tile_floats (const AkSplat *args)
{
  return (args->half ? AK_SPLAT_PIXELS / 4 : AK_SPLAT_PIXELS) * padded_channels (args);
}

size_t
ak_splat_scratch_avx2 (const AkSplat *args)
{
  return (sizeof (Scratch) + 63) / 64 * 64 +
         ak_splat_strip_tiles (args) * tile_floats (args) * sizeof (float);
}

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

/* Returns the blocks that the splat can reach. */
INLINE uint32_t
prepare (Entry *rows, const AkSplatShape *s, unsigned x0, unsigned y0)
{
  const float log2e = 1.44269504088896341f;
  const __m256 count = _mm256_setr_ps (0, 1, 2, 3, 4, 5, 6, 7);
  float dx = (float) (s->u[0] - x0), dy0 = (float) (s->u[1] - y0);
  __m256 dy = _mm256_sub_ps (_mm256_set1_ps (dy0), count);
  __m256 b = _mm256_set1_ps (-log2e * s->conic[1]),
         c = _mm256_set1_ps (-0.5f * log2e * s->conic[2]);
  __m256 shear = _mm256_set1_ps (s->shear), reach = _mm256_set1_ps (s->reach),
         fall = _mm256_set1_ps (s->fall);
  uint32_t blocks = 0;

  rows->dx = dx;
  rows->square = -0.5f * log2e * s->conic[0];
  rows->opacity = s->opacity;
  for (int half = 0; half < 2; half++) {
    __m256 square = _mm256_mul_ps (dy, dy), middle, width, low, high, left, right;

    _mm256_store_ps (rows->constant + 8 * half, _mm256_mul_ps (c, square));
    _mm256_store_ps (rows->slope + 8 * half, _mm256_mul_ps (b, dy));
    /* columns middle ± width; NaN, which compares as false, where the row is missed */
    width = _mm256_sqrt_ps (_mm256_fnmadd_ps (fall, square, reach));
    width = _mm256_add_ps (width, _mm256_set1_ps (0.05f));
    middle = _mm256_fnmadd_ps (shear, dy, _mm256_set1_ps (dx));
    low = _mm256_sub_ps (middle, width);
    high = _mm256_add_ps (middle, width);
    left = _mm256_and_ps (_mm256_cmp_ps (low, _mm256_set1_ps (7), _CMP_LE_OQ),
        _mm256_cmp_ps (high, _mm256_setzero_ps (), _CMP_GE_OQ));
    right = _mm256_and_ps (_mm256_cmp_ps (low, _mm256_set1_ps (15), _CMP_LE_OQ),
        _mm256_cmp_ps (high, _mm256_set1_ps (8), _CMP_GE_OQ));
    blocks |= (uint32_t) _mm256_movemask_ps (left) << 8 * half;
    blocks |= (uint32_t) _mm256_movemask_ps (right) << (16 + 8 * half);
    dy = _mm256_sub_ps (dy, _mm256_set1_ps (8));
  }
  return blocks;
}

/* A batch's entry, ready for the columns of both halves of the tile. */
typedef struct
{
  __m256 dx[2], square, opacity;
} Columns;

INLINE Columns
columns (const Entry *entry)
{
  __m256 left = _mm256_sub_ps (_mm256_set1_ps (entry->dx), _mm256_setr_ps (0, 1, 2, 3, 4, 5, 6, 7));

  return (Columns){ { left, _mm256_sub_ps (left, _mm256_set1_ps (8)) },
    _mm256_set1_ps (entry->square), _mm256_set1_ps (entry->opacity) };
}

/* The weights of an entry in block b, which is changed accordingly; `dead` gets the block if all its pixels are
 * done. Of a block that the entry cannot reach, or that is dead, nothing changes. */
INLINE __m256
weigh_block (
    Tile *tile, const Entry *entry, const Columns *c, unsigned b, uint32_t *dead, int count_places)
{
  const __m256 sign = _mm256_set1_ps (-0.0f);
  __m256 dx = b & 16 ? c->dx[1] : c->dx[0], t, alpha, w, next, seen, used, p;
  unsigned row = b & 15;

  t = _mm256_load_ps (tile->transmittance[b]);
  p = _mm256_fmadd_ps (c->square, dx, _mm256_broadcast_ss (entry->slope + row));
  p = _mm256_fmadd_ps (p, dx, _mm256_broadcast_ss (entry->constant + row));
  p = _mm256_min_ps (_mm256_max_ps (p, _mm256_set1_ps (-126)), _mm256_setzero_ps ());
  alpha = _mm256_min_ps (_mm256_mul_ps (exp2_8 (p), c->opacity), _mm256_set1_ps (AK_SPLAT_SOLID));
  w = _mm256_mul_ps (alpha, t);
  next = _mm256_sub_ps (t, w);
  seen = _mm256_cmp_ps (alpha, _mm256_set1_ps (AK_SPLAT_FAINT), _CMP_GE_OQ);
  used = _mm256_and_ps (seen, _mm256_cmp_ps (next, _mm256_set1_ps (AK_SPLAT_DONE), _CMP_GE_OQ));
  w = _mm256_and_ps (w, used);
  /* unused though seen: done, now or already */
  t = _mm256_or_ps (_mm256_sub_ps (t, w), _mm256_and_ps (_mm256_andnot_ps (used, seen), sign));
  _mm256_store_ps (tile->transmittance[b], t);
  *dead |= (uint32_t) (_mm256_movemask_ps (t) == 0xff) << b;
  if (count_places) {
    __m256i *last = (__m256i *) tile->last[b];

    _mm256_store_si256 (last, _mm256_blendv_epi8 (_mm256_load_si256 (last),
                                  _mm256_set1_epi32 (entry->place), _mm256_castps_si256 (used)));
  }
  return w;
}

/* Is a number other than 0? (Weights are never negative.) */
INLINE int
any (__m256 w)
{
  return !_mm256_testz_si256 (_mm256_castps_si256 (w), _mm256_castps_si256 (w));
}

/* The weights of an entry into the lists of its blocks; `color`: where its colour will be in s->color. */
INLINE void
weigh (Scratch *s, Tile *tile, const Entry *entry, uint32_t color, int count_places)
{
  const Columns c = columns (entry);
  uint32_t blocks = entry->blocks & tile->live, dead = 0;

  while (blocks) {
    unsigned b = (unsigned) __builtin_ctz (blocks);
    __m256 w = weigh_block (tile, entry, &c, b, &dead, count_places);

    blocks &= blocks - 1;
    _mm256_store_ps (s->weight[s->end[b]], w);
    s->entry[s->end[b]] = color;
    s->end[b] += (uint32_t) any (w);
  }
  tile->live &= ~dead;
}

INLINE void
add_front (float (*sum)[8], __m256 w, const __m256 *front)
{
  for (int i = 0; i < AK_SPLAT_FRONT; i++)
    _mm256_store_ps (sum[i], _mm256_fmadd_ps (w, front[i], _mm256_load_ps (sum[i])));
}

/* The same with `half`: into the lists of pairs. */
INLINE void
weigh_pairs (Scratch *s, Tile *tile, const Entry *entry, uint32_t color, int count_places)
{
  const Columns c = columns (entry);
  uint32_t blocks = entry->blocks & tile->live, dead = 0;
  uint32_t pairs = (blocks | blocks >> 1) & 0x55555555;
  __m256 front[AK_SPLAT_FRONT];

  for (int i = 0; i < AK_SPLAT_FRONT; i++)
    front[i] = _mm256_broadcast_ss (entry->color + i);
  while (pairs) {
    unsigned b = (unsigned) __builtin_ctz (pairs), pair = b / 2;
    __m256 w0 = weigh_block (tile, entry, &c, b, &dead, count_places);
    __m256 w1 = weigh_block (tile, entry, &c, b + 1, &dead, count_places), sum;

    pairs &= pairs - 1;
    add_front (tile->front[b], w0, front);
    add_front (tile->front[b + 1], w1, front);
    sum = _mm256_add_ps (w0, w1);
    sum = _mm256_hadd_ps (sum, sum);
    _mm_store_ps (s->half_weight[s->end[pair]],
        _mm_movelh_ps (_mm256_castps256_ps128 (sum), _mm256_extractf128_ps (sum, 1)));
    s->entry[s->end[pair]] = color;
    s->end[pair] += (uint32_t) any (sum);
  }
  tile->live &= ~dead;
}

/* sum [pixels][padded] += Σ weight · colour, for `pixels` pixels and 8 · `vectors` channels; `step`: from one entry's
 * weights to the next one's. */
INLINE void
add_colors (int pixels, int vectors, float *sum, size_t padded, const float *weight, size_t step,
    const uint32_t *entry, uint32_t n, const float *color)
{
  __m256 acc[8][2];

#pragma GCC unroll 8
  for (int i = 0; i < pixels; i++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      acc[i][v] = _mm256_load_ps (sum + (size_t) i * padded + 8 * v);
  for (uint32_t k = 0; k < n; k++) {
    const float *from = color + entry[k];
    __m256 add[2];

#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      add[v] = _mm256_load_ps (from + 8 * v);
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++) {
      __m256 w = _mm256_broadcast_ss (weight + step * (size_t) k + i);

#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++)
        acc[i][v] = _mm256_fmadd_ps (w, add[v], acc[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < pixels; i++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      _mm256_store_ps (sum + (size_t) i * padded + 8 * v, acc[i][v]);
}

static void
add_block (const Scratch *s, unsigned b, float *sum, size_t padded)
{
  const float (*weight)[8] = s->weight + b * BATCH;
  const uint32_t *entry = s->entry + b * BATCH;
  uint32_t n = s->end[b] - b * BATCH;
  size_t c = 0;

  for (; c + 16 <= padded; c += 16)
    for (int i = 0; i < 8; i += 4)
      add_colors (
          4, 2, sum + (size_t) i * padded + c, padded, &weight[0][i], 8, entry, n, s->color + c);
  if (c < padded)
    add_colors (8, 1, sum + c, padded, &weight[0][0], 8, entry, n, s->color + c);
}

static void
add_pair (const Scratch *s, unsigned pair, float *sum, size_t padded)
{
  const float *weight = s->half_weight[pair * BATCH];
  const uint32_t *entry = s->entry + pair * BATCH;
  uint32_t n = s->end[pair] - pair * BATCH;
  size_t c = 0;

  for (; c + 16 <= padded; c += 16)
    add_colors (4, 2, sum + c, padded, weight, 4, entry, n, s->color + c);
  if (c < padded)
    add_colors (4, 1, sum + c, padded, weight, 4, entry, n, s->color + c);
}

static void
copy_color (float *to, const float *from, size_t channels)
{
  size_t c = 0;

  for (; c + 8 <= channels; c += 8)
    _mm256_store_ps (to + c, _mm256_loadu_ps (from + c));
  for (; c < channels; c++)
    to[c] = from[c];
}

/* Prepares the tile's splats from list[from] on until BATCH can reach a live block or the list ends, and has
 * their colours fetched, which lie far apart. Returns where it stopped. */
INLINE uint32_t
gather (
    const AkSplatJob *job, Scratch *s, const Tile *tile, uint32_t from, unsigned x0, unsigned y0)
{
  uint32_t n = 0;

  for (; from < tile->n && n < BATCH; from++) {
    const AkSplatShape *shape = job->ordered + tile->list[from];
    Entry *entry = s->batch + n;

    _mm_prefetch ((const char *) (job->ordered + tile->list[from + AHEAD]), _MM_HINT_T0);
    entry->blocks = prepare (entry, shape, x0, y0) & tile->live;
    if (!entry->blocks)
      continue;
    entry->color = job->args.colors + shape->index * job->args.channels;
    entry->place = (int32_t) (tile->place + from + 1);
    _mm_prefetch ((const char *) entry->color, _MM_HINT_T0);
    _mm_prefetch ((const char *) entry->color + 64, _MM_HINT_T0);
    n++;
  }
  s->entries = n;
  return from;
}

/* Draws the tile's list into sum [BLOCKS][8][padded], or [PAIRS][4][padded], and empties it. */
INLINE void
draw_list_as (const AkSplatJob *job, Scratch *s, Tile *tile, unsigned x0, unsigned y0, float *sum,
    int half, int count_places)
{
  size_t channels = job->args.channels, padded = padded_channels (&job->args);
  uint32_t i = 0;

  while (i < tile->n && tile->live) {
    i = gather (job, s, tile, i, x0, y0);
    for (uint32_t b = 0; b < BLOCKS; b++)
      s->end[b] = b * BATCH;
    for (uint32_t e = 0; e < s->entries; e++) {
      if (half)
        weigh_pairs (s, tile, s->batch + e, (uint32_t) (e * padded), count_places);
      else
        weigh (s, tile, s->batch + e, (uint32_t) (e * padded), count_places);
      copy_color (s->color + e * padded, s->batch[e].color, channels);
    }
    for (unsigned b = 0; b < (half ? PAIRS : BLOCKS); b++)
      if (s->end[b] > b * BATCH) {
        if (half)
          add_pair (s, b, sum + 4 * b * padded, padded);
        else
          add_block (s, b, sum + 8 * b * padded, padded);
      }
  }
  tile->place += tile->n;
  tile->n = 0;
}

static void
draw_list (const AkSplatJob *job, Scratch *s, Tile *tile, unsigned x0, unsigned y0, float *sum)
{
  int count_places = job->args.details.contributions != NULL;

  if (job->args.half && count_places)
    draw_list_as (job, s, tile, x0, y0, sum, 1, 1);
  else if (job->args.half)
    draw_list_as (job, s, tile, x0, y0, sum, 1, 0);
  else if (count_places)
    draw_list_as (job, s, tile, x0, y0, sum, 0, 1);
  else
    draw_list_as (job, s, tile, x0, y0, sum, 0, 0);
}

/* The pixels of a tile's live blocks. */
static void
find_live (Tile *tile, unsigned x0, unsigned y0, int count_places)
{
  uint32_t left = tile->live & 0xffff, right = tile->live >> 16, rows = left | right;

  tile->box = (Box){ 0, 0, 0, 0 };
  if (rows)
    tile->box = count_places ? (Box){ x0, y0, x0 + AK_SPLAT_TILE, y0 + AK_SPLAT_TILE }
                             : (Box){ x0 + (left ? 0 : 8), y0 + (unsigned) __builtin_ctz (rows),
                                 x0 + (right ? 16 : 8), y0 + 32 - (unsigned) __builtin_clz (rows) };
}

/* Appends splats from the place `from` of the order to the lists of the strip's live tiles, until all are looked
 * at or a list is full. Returns how far it came. */
static size_t
fill_lists (const AkSplatJob *job, Scratch *s, unsigned tiles, unsigned first_tile, size_t from)
{
  Box all = { UINT16_MAX, UINT16_MAX, 0, 0 };
  __m256i left, top, right, bottom;
  uint32_t longest = 0;

  for (unsigned t = 0; t < tiles; t++)
    if (s->tile[t].live) {
      const Box *box = &s->tile[t].box;

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
        Tile *tile = s->tile + t;

        tile->list[tile->n] = (uint32_t) i;
        tile->n += (b.x0 < tile->box.x1) & (b.x1 > tile->box.x0) & (b.y0 < tile->box.y1) &
                   (b.y1 > tile->box.y0);
        longest = tile->n > longest ? tile->n : longest;
      }
    }
  }
  return from < job->drawn ? from : job->drawn;
}

static void
begin_tile (Tile *tile, unsigned columns, unsigned rows)
{
  tile->live = tile->place = tile->n = 0;
  memset (tile->last, 0, sizeof tile->last);
  memset (tile->front, 0, sizeof tile->front);
  for (unsigned b = 0; b < BLOCKS; b++) {
    int inside = 0;

    for (unsigned i = 0; i < 8; i++) {
      int in = b % 16 < rows && 8 * (b / 16) + i < columns;

      tile->transmittance[b][i] = in ? 1 : -1;
      inside |= in;
    }
    tile->live |= (uint32_t) inside << b;
  }
}

/* What the background adds to channel c where t of it shines through. */
static inline float
behind (const AkSplat *a, float t, size_t c)
{
  return a->background ? t * a->background[c] : 0;
}

/* Writes a tile's block b, of which n pixels lie in the picture, to its place there. */
static void
end_block (const AkSplat *a, const Tile *tile, unsigned b, size_t at, size_t n, const float *sum)
{
  size_t padded = padded_channels (a);
  float *to = a->image + at * a->channels;

  if (a->half) {
    to = a->image + at * AK_SPLAT_FRONT;
    for (size_t i = 0; i < n; i++)
      for (size_t c = 0; c < AK_SPLAT_FRONT; c++)
        to[i * AK_SPLAT_FRONT + c] =
            tile->front[b][c][i] + behind (a, fabsf (tile->transmittance[b][i]), c);
  } else if (!a->background && padded == a->channels) {
    memcpy (to, sum, n * padded * sizeof *to);
  } else {
    for (size_t i = 0; i < n; i++)
      for (size_t c = 0; c < a->channels; c++)
        to[i * a->channels + c] =
            sum[i * padded + c] + behind (a, fabsf (tile->transmittance[b][i]), c);
  }
  for (size_t i = 0; i < n && a->transmittance; i++)
    a->transmittance[at + i] = fabsf (tile->transmittance[b][i]);
  for (size_t i = 0; i < n && a->details.contributions; i++)
    a->details.contributions[at + i] = tile->last[b][i];
}

/* Writes a pair, n pixels of half the size, to its place. */
static void
end_pair (const AkSplat *a, const Tile *tile, unsigned pair, size_t at, size_t n, const float *sum)
{
  const float (*t)[8] = tile->transmittance + 2 * pair;
  size_t padded = padded_channels (a), channels = a->channels;
  float *to = a->half + at * channels;

  for (size_t i = 0; i < n; i++, to += channels, sum += padded) {
    float left = (fabsf (t[0][2 * i]) + fabsf (t[0][2 * i + 1]) + fabsf (t[1][2 * i]) +
                     fabsf (t[1][2 * i + 1])) /
                 4;
    size_t c = 0;

    for (; c + 8 <= channels && !a->background; c += 8)
      _mm256_storeu_ps (to + c, _mm256_mul_ps (_mm256_set1_ps (0.25f), _mm256_load_ps (sum + c)));
    for (; c < channels; c++)
      to[c] = 0.25f * sum[c] + behind (a, left, c);
  }
}

static void
end_tile (const AkSplatJob *job, const Tile *tile, unsigned x0, unsigned y0, const float *sum)
{
  const AkSplat *a = &job->args;
  size_t block = a->half ? 0 : 8 * padded_channels (a), pair = 4 * padded_channels (a);

  for (unsigned b = 0; b < BLOCKS; b++) {
    unsigned x = x0 + b / 16 * 8, y = y0 + b % 16;

    if (x < a->width && y < a->height)
      end_block (a, tile, b, (size_t) y * a->width + x, a->width - x < 8 ? a->width - x : 8,
          sum + b * block);
  }
  for (unsigned p = 0; p < PAIRS && a->half; p++) {
    unsigned x = x0 / 2 + p / 8 * 4, y = y0 / 2 + p % 8, width = a->width / 2;

    if (x < width && y < a->height / 2)
      end_pair (a, tile, p, (size_t) y * width + x, width - x < 4 ? width - x : 4, sum + p * pair);
  }
}

void
ak_splat_strip_avx2 (const AkSplatJob *job, unsigned strip, char *scratch)
{
  Scratch *s = (Scratch *) scratch;
  AkSplatPlace place = ak_splat_place (job, strip);
  size_t colors = tile_floats (&job->args), from = 0;
  float *sums = (float *) (scratch + (sizeof *s + 63) / 64 * 64);
  unsigned tiles = place.tile1 - place.tile0, y0 = place.row * AK_SPLAT_TILE, live;
  int count_places = job->args.details.contributions != NULL;

  memset (sums, 0, tiles * colors * sizeof *sums);
  for (unsigned t = 0; t < tiles; t++)
    begin_tile (
        s->tile + t, job->args.width - (place.tile0 + t) * AK_SPLAT_TILE, job->args.height - y0);
  do {
    for (unsigned t = 0; t < tiles; t++)
      find_live (s->tile + t, (place.tile0 + t) * AK_SPLAT_TILE, y0, count_places);
    from = fill_lists (job, s, tiles, place.tile0, from);
    live = 0;
    for (unsigned t = 0; t < tiles; t++) {
      Tile *tile = s->tile + t;
      unsigned x0 = (place.tile0 + t) * AK_SPLAT_TILE;

      draw_list (job, s, tile, x0, y0, sums + t * colors);
      live |= tile->live;
    }
  } while (live && from < job->drawn);
  for (unsigned t = 0; t < tiles; t++)
    end_tile (job, s->tile + t, (place.tile0 + t) * AK_SPLAT_TILE, y0, sums + t * colors);
}
