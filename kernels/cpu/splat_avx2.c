/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 5 of splat.h with AVX2 and FMA.
 *
 * A tile is 16 blocks of 4 by 4 pixels. Its list is taken in batches: first the blocks that each entry can reach are
 * found, then block after block takes its entries, with its transmittances in registers: the entries' weights α T go to
 * a list, and that is a small product, weights [pixels][entries] by colours [entries][channels], held in registers. So
 * colours are added at the speed of multiplication.
 *
 * For a picture of half the size a block's weights are also added up to those of its 4 squares there, by which most
 * colours are multiplied; those by the block's own weights are the few channels of full size. */
#include "splat_avx2.h"

#include "simd_avx2.h"

#define WORDS (BATCH / 64)

/* One thread's memory; the tiles' colours [AK_SPLAT_STRIP][BLOCKS][PIXELS][padded] follow, with `half`
 * [AK_SPLAT_STRIP][BLOCKS][PIXELS / 4][padded], and what the row points to. */
typedef struct
{
  Tile tile[AK_SPLAT_STRIP];
  List list[AK_SPLAT_STRIP];
  Row row;
  Entry batch[BATCH];
  uint32_t entries;
  _Alignas(32) uint16_t blocks[BATCH]; /* that each entry can reach */
  /* of the block at hand: the weights, their sums in squares, and where in `color` the entry's colour is */
  _Alignas(64) float weight[BATCH][PIXELS];
  float half_weight[BATCH][PIXELS / 4];
  uint32_t entry[BATCH];
  _Alignas(64) float color[BATCH * (AK_SPLAT_CHANNELS_MAX + 8)]; /* [BATCH][color_row] */
} Scratch;

/* The channels that are added up, but for the first ones beside `half`, in whole vectors. */
static size_t
padded_channels (const AkSplat *args)
{
  return (args->channels - args->half_first + 7) / 8 * 8;
}

/* Numbers of a splat's colour in a batch: these, then the first ones of full size. */
static size_t
color_row (const AkSplat *args)
{
  return padded_channels (args) + (args->half ? 8 : 0);
}

/* Numbers of a tile's colours. */
static size_t
tile_floats (const AkSplat *args)
{
  return (args->half ? AK_SPLAT_PIXELS / 4 : AK_SPLAT_PIXELS) * padded_channels (args);
}

/* Bytes before the row's splats. */
static size_t
before_row (const AkSplat *args)
{
  return (sizeof (Scratch) + 63) / 64 * 64 +
         ak_splat_strip_tiles (args) * tile_floats (args) * sizeof (float);
}

#define ROW_BYTES (sizeof (AkSplatBox) + sizeof (uint32_t)) /* of a splat */

size_t
ak_splat_scratch_avx2 (const AkSplat *args)
{
  return (before_row (args) + (args->splats + 16) * ROW_BYTES + 63) / 64 * 64;
}

static void
begin_row (const AkSplatJob *job, Row *row, unsigned y0, char *memory)
{
  size_t room = job->args.splats + 16;

  row->box = (AkSplatBox *) memory;
  row->index = (uint32_t *) (row->box + room);
  find_row (job, row, y0);
}

/* Weights of the batch's entries `bits`, number `first` and so on, in block b, whose transmittances t are changed
 * accordingly; they become numbers n, n + 1 and so on of the block's list. Stops where the block is done. Returns
 * the list's new end. */
INLINE uint32_t
weigh (Scratch *s, Tile *tile, unsigned b, uint64_t bits, uint32_t first, __m256 t[2], uint32_t n,
    uint32_t row, __m256 rest, const How how)
{
  const __m256 columns = _mm256_add_ps (
      _mm256_setr_ps (0, 2, 0, 2, 0, 2, 0, 2), _mm256_set1_ps ((float) (b / 4 * ACROSS)));
  const __m256 rows = _mm256_add_ps (
      _mm256_setr_ps (0, 0, 2, 2, 1, 1, 3, 3), _mm256_set1_ps ((float) (b % 4 * DOWN)));

  while (bits && !all_done (t[0], t[1], how.whole)) {
    uint32_t e = first + (uint32_t) __builtin_ctzll (bits);
    const Entry *entry = s->batch + e;
    __m256 w[2], any;

    bits &= bits - 1;
    powers_16 (entry, columns, rows, w);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      __m256 used;

      w[i] = weigh_8 (w[i], &t[i], &used, how.whole, rest);
      _mm256_store_ps (s->weight[n] + 8 * i, w[i]);
      if (how.count_places) {
        __m256i *last = (__m256i *) (tile->last[b] + 8 * i);

        _mm256_store_si256 (
            last, _mm256_blendv_epi8 (_mm256_load_si256 (last), _mm256_set1_epi32 (entry->place),
                      _mm256_castps_si256 (used)));
      }
    }
    s->entry[n] = e * row;
    if (how.half) {
      any = _mm256_add_ps (w[0], w[1]);
      _mm_store_ps (s->half_weight[n],
          _mm_add_ps (_mm256_castps256_ps128 (any), _mm256_extractf128_ps (any, 1)));
      n++; /* there is little to add */
    } else {
      any = _mm256_or_ps (w[0], w[1]); /* weights are never negative */
      n += (uint32_t) !_mm256_testz_si256 (_mm256_castps_si256 (any), _mm256_castps_si256 (any));
    }
  }
  return n;
}

/* sum [pixels][padded] += Σ weight · colour, for `pixels` pixels and 8 · `vectors` channels; `step`: from one entry's
 * weights to the next one's. */
INLINE void
add_colors (int pixels, int vectors, float *sum, size_t padded, const float *weight, size_t step,
    const uint32_t *entry, uint32_t n, const float *color)
{
  __m256 acc[8][4];

#pragma GCC unroll 8
  for (int i = 0; i < pixels; i++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      acc[i][v] = _mm256_load_ps (sum + (size_t) i * padded + 8 * v);
  for (uint32_t k = 0; k < n; k++) {
    const float *from = color + entry[k];
    __m256 add[4];

#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      add[v] = _mm256_load_ps (from + 8 * v);
#pragma GCC unroll 8
    for (int i = 0; i < pixels; i++) {
      __m256 w = _mm256_broadcast_ss (weight + step * (size_t) k + i);

#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++)
        acc[i][v] = _mm256_fmadd_ps (w, add[v], acc[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < pixels; i++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      _mm256_store_ps (sum + (size_t) i * padded + 8 * v, acc[i][v]);
}

/* sum [PIXELS][padded] += the block's list of n entries. */
static void
add_block (const Scratch *s, uint32_t n, float *sum, size_t padded)
{
  for (int i = 0; i < PIXELS; i += 4) {
    float *to = sum + (size_t) i * padded;
    size_t c = 0;

    for (; c + 16 <= padded; c += 16)
      add_colors (4, 2, to + c, padded, s->weight[0] + i, PIXELS, s->entry, n, s->color + c);
    if (c < padded)
      add_colors (4, 1, to + c, padded, s->weight[0] + i, PIXELS, s->entry, n, s->color + c);
  }
}

/* The same with `half`, sum [PIXELS / 4][padded], whose first 8 channels go together with those of full size. */
static void
add_half (const Scratch *s, uint32_t n, float *sum, size_t padded, float (*front)[PIXELS])
{
  __m256 first[PIXELS / 4], acc[AK_SPLAT_FRONT][2];
  size_t c = 8;

#pragma GCC unroll 4
  for (int i = 0; i < PIXELS / 4; i++)
    first[i] = _mm256_load_ps (sum + (size_t) i * padded);
#pragma GCC unroll 3
  for (int i = 0; i < AK_SPLAT_FRONT; i++)
    for (int v = 0; v < 2; v++)
      acc[i][v] = _mm256_load_ps (front[i] + 8 * v);
  for (uint32_t k = 0; k < n; k++) {
    const float *from = s->color + s->entry[k];
    __m256 add = _mm256_load_ps (from), even = _mm256_load_ps (s->weight[k]),
           odd = _mm256_load_ps (s->weight[k] + 8);

#pragma GCC unroll 4
    for (int i = 0; i < PIXELS / 4; i++)
      first[i] = _mm256_fmadd_ps (_mm256_broadcast_ss (s->half_weight[k] + i), add, first[i]);
#pragma GCC unroll 3
    for (int i = 0; i < AK_SPLAT_FRONT; i++) {
      __m256 color = _mm256_broadcast_ss (from + padded + i);

      acc[i][0] = _mm256_fmadd_ps (even, color, acc[i][0]);
      acc[i][1] = _mm256_fmadd_ps (odd, color, acc[i][1]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < PIXELS / 4; i++)
    _mm256_store_ps (sum + (size_t) i * padded, first[i]);
#pragma GCC unroll 3
  for (int i = 0; i < AK_SPLAT_FRONT; i++)
    for (int v = 0; v < 2; v++)
      _mm256_store_ps (front[i] + 8 * v, acc[i][v]);
  for (; c + 16 <= padded; c += 16)
    add_colors (4, 2, sum + c, padded, s->half_weight[0], 4, s->entry, n, s->color + c);
  if (c < padded)
    add_colors (4, 1, sum + c, padded, s->half_weight[0], 4, s->entry, n, s->color + c);
}

/* The last vector overlaps the one before. */
static void
copy_color (float *to, const float *from, size_t channels)
{
  size_t c = 0;

  for (; c + 8 <= channels; c += 8)
    _mm256_storeu_ps (to + c, _mm256_loadu_ps (from + c));
  if (c < channels && channels >= 8)
    _mm256_storeu_ps (to + channels - 8, _mm256_loadu_ps (from + channels - 8));
  for (; c < channels && channels < 8; c++)
    to[c] = from[c];
}

/* Prepares the tile's splats from list[from] on until BATCH can reach a live block or the list ends, and gets
 * their colours, which lie far apart. Returns where it stopped. */
INLINE uint32_t
gather (const AkSplatJob *job, Scratch *s, const List *list, uint32_t from, unsigned x0,
    unsigned y0, const int half)
{
  size_t channels = job->args.channels, first = job->args.half_first,
         padded = padded_channels (&job->args), row = color_row (&job->args);
  const float *color[BATCH];
  uint32_t n = 0;

  for (; from < list->n && n < BATCH; from++) {
    size_t index = list->list[from];
    Entry *entry = s->batch + n;
    uint32_t blocks;

    _mm_prefetch ((const char *) (job->shapes + list->list[from + AHEAD]), _MM_HINT_T0);
    blocks = prepare (entry, job->shapes + index, x0, y0) & list->live;
    s->blocks[n] = (uint16_t) blocks;
    entry->place = (int32_t) (list->place + from + 1);
    color[n] = job->args.colors + index * job->args.channels;
    _mm_prefetch ((const char *) color[n], _MM_HINT_T0);
    _mm_prefetch ((const char *) color[n] + 64, _MM_HINT_T0);
    n += blocks != 0;
  }
  s->entries = n;
  memset (s->blocks + n, 0, (BATCH - n) * sizeof *s->blocks);
  for (uint32_t i = 0; i < n; i++) {
    float *to = s->color + i * row;

    copy_color (to, color[i] + first, channels - first);
    for (size_t c = 0; c < AK_SPLAT_FRONT && half; c++)
      to[padded + c] = color[i][c];
  }
  return from;
}

/* bits[b][w]: the entries 64 w … 64 w + 63 of the batch that can reach block b, the first one's bit the lowest. */
INLINE void
sort_by_block (const Scratch *s, uint64_t bits[BLOCKS][WORDS])
{
  for (int w = 0; w < WORDS; w++) {
    const __m128i *from = (const __m128i *) (s->blocks + 64 * w);
    __m256i v[4]; /* such that packing puts them in order: 0 … 7 and 16 … 23, then the others */

    for (int i = 0; i < 4; i++)
      v[i] = _mm256_inserti128_si256 (
          _mm256_castsi128_si256 (_mm_load_si128 (from + i / 2 * 4 + i % 2)),
          _mm_load_si128 (from + i / 2 * 4 + i % 2 + 2), 1);
    for (unsigned b = BLOCKS; b-- > 0;) {
      uint32_t low = (uint32_t) _mm256_movemask_epi8 (_mm256_packs_epi16 (v[0], v[1]));
      uint32_t high = (uint32_t) _mm256_movemask_epi8 (_mm256_packs_epi16 (v[2], v[3]));

      bits[b][w] = low | (uint64_t) high << 32;
      for (int i = 0; i < 4; i++)
        v[i] = _mm256_add_epi16 (v[i], v[i]);
    }
  }
}

/* Draws the batch into block b. */
INLINE void
draw_block (Scratch *s, Tile *tile, List *list, unsigned b, const uint64_t *bits, __m256 rest,
    float *sum, size_t padded, size_t row, const How how)
{
  float *transmittance = tile->transmittance[b];
  __m256 t[2] = { _mm256_load_ps (transmittance), _mm256_load_ps (transmittance + 8) };
  uint32_t n = 0;

  for (uint32_t w = 0; w < WORDS; w++)
    n = weigh (s, tile, b, bits[w], 64 * w, t, n, (uint32_t) row, rest, how);
  _mm256_store_ps (transmittance, t[0]);
  _mm256_store_ps (transmittance + 8, t[1]);
  if (all_done (t[0], t[1], how.whole))
    list->live &= ~(1u << b);
  if (n && how.half)
    add_half (s, n, sum + PIXELS / 4 * b * padded, padded, tile->front[b]);
  else if (n)
    add_block (s, n, sum + PIXELS * b * padded, padded);
}

/* Draws the tile's list into sum [BLOCKS][PIXELS][padded], or [BLOCKS][PIXELS / 4][padded], and empties it. */
INLINE void
draw_list_as (const AkSplatJob *job, Scratch *s, Tile *tile, List *list, unsigned x0, unsigned y0,
    float *sum, const How how)
{
  size_t padded = padded_channels (&job->args), row = color_row (&job->args);
  const __m256 rest = _mm256_set1_ps (job->args.rest);
  uint64_t bits[BLOCKS][WORDS];
  uint32_t i = 0;

  while (i < list->n && list->live) {
    i = gather (job, s, list, i, x0, y0, how.half);
    sort_by_block (s, bits);
    for (uint32_t live = list->live; live; live &= live - 1) {
      unsigned b = (unsigned) __builtin_ctz (live);

      draw_block (s, tile, list, b, bits[b], rest, sum, padded, row, how);
    }
  }
  list->place += list->n;
  list->n = 0;
}

static void
draw_list (const AkSplatJob *job, Scratch *s, unsigned t, unsigned x0, unsigned y0, float *sum)
{
  const AkSplat *a = &job->args;
  int half = a->half != NULL, whole = a->rest == 0;
  Tile *tile = s->tile + t;
  List *list = s->list + t;

  if (a->details.contributions)
    draw_list_as (job, s, tile, list, x0, y0, sum, (How){ half, whole, 1 });
  else if (half && !whole)
    draw_list_as (job, s, tile, list, x0, y0, sum, (How){ 1, 0, 0 });
  else if (half)
    draw_list_as (job, s, tile, list, x0, y0, sum, (How){ 1, 1, 0 });
  else
    draw_list_as (job, s, tile, list, x0, y0, sum, (How){ 0, whole, 0 });
}

static void
begin_tile (const AkSplat *a, Tile *tile, List *list, unsigned columns, unsigned rows, float *sum)
{
  float outside = a->rest == 0 ? -0.0f : 0;

  list->live = (1u << BLOCKS) - 1;
  memset (tile->last, 0, sizeof tile->last);
  memset (tile->front, 0, sizeof tile->front);
  memset (sum, 0, tile_floats (a) * sizeof *sum);
  for (unsigned b = 0; b < BLOCKS; b++) {
    unsigned inside = 0;

    for (unsigned i = 0; i < PIXELS; i++) {
      int in = b % 4 * DOWN + i / ACROSS < rows && b / 4 * ACROSS + i % ACROSS < columns;

      tile->transmittance[b][lane_of (i / ACROSS, i % ACROSS)] = in ? 1 : outside;
      inside |= (unsigned) in;
    }
    list->live &= ~((inside ^ 1) << b);
  }
}

/* Writes row r of a tile's block b, of which n pixels lie in the picture, to its place there; sum: the block's. */
static void
end_row (const AkSplat *a, const Tile *tile, unsigned b, unsigned r, size_t at, size_t n,
    const float *sum)
{
  size_t padded = padded_channels (a), shown = a->half ? AK_SPLAT_FRONT : a->channels;

  for (size_t i = 0; i < n; i++) {
    unsigned lane = lane_of (r, (unsigned) i);
    const float *from = sum + lane * padded;
    float *to = a->image + (at + i) * shown, t = fabsf (tile->transmittance[b][lane]);

    if (a->half)
      for (size_t c = 0; c < shown; c++)
        to[c] = tile->front[b][c][lane];
    else
      copy_color (to, from, shown);
    for (size_t c = 0; c < shown && a->background; c++)
      to[c] += t * a->background[c];
    if (a->transmittance)
      a->transmittance[at + i] = t;
    if (a->details.contributions)
      a->details.contributions[at + i] = tile->last[b][lane];
  }
}

/* to [channels] = the mean of a square's four pixels, of which `sum` is the sum. */
static void
copy_mean (float *to, const float *sum, size_t channels)
{
  const __m256 quarter = _mm256_set1_ps (0.25f);
  size_t c = 0;

  for (; c + 8 <= channels; c += 8)
    _mm256_storeu_ps (to + c, _mm256_mul_ps (quarter, _mm256_load_ps (sum + c)));
  for (; c < channels; c++)
    to[c] = 0.25f * sum[c];
}

/* Writes n pixels of half the size, row r of block b, to their place; sum: the block's. */
static void
end_half (const AkSplat *a, const Tile *tile, unsigned b, unsigned r, size_t at, size_t n,
    const float *sum)
{
  size_t padded = padded_channels (a), first = a->half_first, shown = a->channels - first;

  for (size_t i = 0; i < n; i++) {
    const float *t = tile->transmittance[b] + lane_of (2 * r, (unsigned) (2 * i));
    float *to = a->half + (at + i) * a->channels + first, left;

    left = fabsf (t[0]) + fabsf (t[8]) + fabsf (t[4]) + fabsf (t[12]);
    copy_mean (to, sum + (2 * r + i) * padded, shown);
    for (size_t c = 0; c < shown && a->background; c++)
      to[c] += left / 4 * a->background[first + c];
  }
}

/* Writes a tile that lies wholly in the picture, with `half` and without a background. */
static void
end_whole (const AkSplat *a, const Tile *tile, unsigned x0, unsigned y0, const float *sum)
{
  size_t width = a->width, channels = a->channels, padded = padded_channels (a),
         first = a->half_first;
  const __m256 absolute = _mm256_castsi256_ps (_mm256_set1_epi32 (INT32_MAX));

  for (unsigned b = 0; b < BLOCKS; b++) {
    size_t at = (y0 + b % 4 * DOWN) * width + x0 + b / 4 * ACROSS;
    __m256 front[AK_SPLAT_FRONT][2], left[2];
    float rows[PIXELS * AK_SPLAT_FRONT];

    for (size_t c = 0; c < AK_SPLAT_FRONT; c++)
      by_rows (front[c], tile->front[b][c]);
    by_rows (left, tile->transmittance[b]);
    for (size_t i = 0; i < 2; i++)
      simd_store_xyz (
          rows + i * PIXELS / 2 * AK_SPLAT_FRONT, front[0][i], front[1][i], front[2][i]);
    for (size_t r = 0; r < DOWN; r++)
      memcpy (a->image + (at + r * width) * AK_SPLAT_FRONT, rows + r * ACROSS * AK_SPLAT_FRONT,
          ACROSS * AK_SPLAT_FRONT * sizeof *rows);
    for (size_t i = 0; i < 2 && a->transmittance; i++) {
      __m256 t = _mm256_and_ps (left[i], absolute);

      _mm_storeu_ps (a->transmittance + at + 2 * i * width, _mm256_castps256_ps128 (t));
      _mm_storeu_ps (a->transmittance + at + (2 * i + 1) * width, _mm256_extractf128_ps (t, 1));
    }
    at = (y0 + b % 4 * DOWN) / 2 * (width / 2) + (x0 + b / 4 * ACROSS) / 2;
    for (size_t i = 0; i < PIXELS / 4; i++)
      copy_mean (a->half + (at + i / 2 * (width / 2) + i % 2) * channels + first,
          sum + (PIXELS / 4 * b + i) * padded, channels - first);
  }
}

/* Writes a tile that no splat has reached likewise. */
static void
end_empty (const AkSplat *a, unsigned x0, unsigned y0)
{
  for (size_t y = y0; y < y0 + AK_SPLAT_TILE; y++) {
    size_t at = y * a->width + x0;

    memset (a->image + at * AK_SPLAT_FRONT, 0, AK_SPLAT_TILE * AK_SPLAT_FRONT * sizeof (float));
    for (size_t x = 0; x < AK_SPLAT_TILE && a->transmittance; x++)
      a->transmittance[at + x] = 1;
  }
  for (size_t y = y0 / 2; y < (y0 + AK_SPLAT_TILE) / 2; y++)
    memset (a->half + (y * (a->width / 2) + x0 / 2) * a->channels, 0,
        AK_SPLAT_TILE / 2 * a->channels * sizeof (float));
}

static void
end_tile (const AkSplatJob *job, Tile *tile, List *list, unsigned x0, unsigned y0, float *sum)
{
  const AkSplat *a = &job->args;
  size_t padded = padded_channels (a);
  int inside = x0 + AK_SPLAT_TILE <= a->width && y0 + AK_SPLAT_TILE <= a->height;

  if (inside && a->half && !a->background && !a->details.contributions) {
    if (list->place)
      end_whole (a, tile, x0, y0, sum);
    else
      end_empty (a, x0, y0);
    return;
  }
  if (!list->place)
    begin_tile (a, tile, list, a->width - x0, a->height - y0, sum);
  for (unsigned b = 0; b < BLOCKS; b++) {
    unsigned x = x0 + b / 4 * ACROSS, y = y0 + b % 4 * DOWN;
    size_t n = x < a->width ? a->width - x : 0;

    n = n < ACROSS ? n : ACROSS;
    for (unsigned r = 0; r < DOWN && n && y + r < a->height; r++)
      end_row (a, tile, b, r, (size_t) (y + r) * a->width + x, n,
          a->half ? sum : sum + PIXELS * b * padded);
    for (unsigned r = 0; r < DOWN / 2 && a->half && n && y + 2 * r < a->height; r++)
      end_half (a, tile, b, r, (size_t) (y / 2 + r) * (a->width / 2) + x / 2, n / 2,
          sum + PIXELS / 4 * b * padded);
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

  if (place.tile0 == 0) /* the same thread goes on with the row's other strips */
    begin_row (job, &s->row, y0, scratch + before_row (&job->args));
  for (unsigned t = 0; t < tiles; t++) {
    s->list[t].live = (1u << BLOCKS) - 1; /* those of pixels outside, too, before there is a list */
    s->list[t].place = s->list[t].n = 0;
  }
  do {
    for (unsigned t = 0; t < tiles; t++)
      find_live (s->list + t, (place.tile0 + t) * AK_SPLAT_TILE, y0, count_places);
    from = fill_lists (&s->row, s->list, tiles, place.tile0, from);
    live = 0;
    for (unsigned t = 0; t < tiles; t++) {
      unsigned x0 = (place.tile0 + t) * AK_SPLAT_TILE;
      List *list = s->list + t;

      if (list->n && !list->place)
        begin_tile (&job->args, s->tile + t, list, job->args.width - x0, job->args.height - y0,
            sums + t * colors);
      draw_list (job, s, t, x0, y0, sums + t * colors);
      live |= list->live;
    }
  } while (live && from < s->row.n);
  for (unsigned t = 0; t < tiles; t++)
    end_tile (
        job, s->tile + t, s->list + t, (place.tile0 + t) * AK_SPLAT_TILE, y0, sums + t * colors);
}
