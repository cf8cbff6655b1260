/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 5 of splat.h with AVX2 and FMA.
 *
 * A tile is 32 blocks of 4 by 2 pixels. Its list is taken in batches: first each entry's weights α T go to the lists
 * of the blocks that it can reach, then each block's list is a small product, weights [pixels][entries] by colours
 * [entries][channels], held in registers. So transmittances are read once per entry and block and colours are added
 * at the speed of multiplication.
 *
 * For a picture of half the size a block's weights are also added up to those of its 2 pixels there, by which most
 * colours are multiplied; those by the block's own weights are the few channels of full size. */
#include "splat_avx2.h"

#include "simd_avx2.h"

/* One thread's memory; the tiles' colours [AK_SPLAT_STRIP][BLOCKS][8][padded] follow, with `half`
 * [AK_SPLAT_STRIP][BLOCKS][2][padded]. */
typedef struct
{
  Tile tile[AK_SPLAT_STRIP];
  List list[AK_SPLAT_STRIP];
  _Alignas(64) float weight[BLOCKS * BATCH][8]; /* those of block b from b * BATCH on, and so on */
  float half_weight[BLOCKS * BATCH][2];         /* their means in squares */
  Entry batch[BATCH];
  uint32_t entries;
  uint32_t entry[BLOCKS * BATCH]; /* where in `color` the entry's colour is */
  uint32_t end[BLOCKS];           /* of a block's weights */
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

/* Is a number other than 0? (Weights are never negative.) */
INLINE int
any (__m256 w)
{
  return !_mm256_testz_si256 (_mm256_castps_si256 (w), _mm256_castps_si256 (w));
}

/* The weights of an entry into the lists of its blocks; `color`: where its colour will be in s->color. */
INLINE void
weigh (Scratch *s, Tile *tile, List *list, const Entry *entry, __m256 rest, uint32_t color,
    const How how)
{
  uint32_t blocks = entry->blocks & list->live, dead = 0;

  while (blocks) {
    unsigned b = (unsigned) __builtin_ctz (blocks);
    __m256 w = weigh_block (tile, entry, rest, b, &dead, how);
    uint32_t end = s->end[b];

    blocks &= blocks - 1;
    _mm256_store_ps (s->weight[end], w);
    if (how.half) {
      __m128 sum = _mm_add_ps (_mm256_castps256_ps128 (w), _mm256_extractf128_ps (w, 1));

      sum = _mm_mul_ps (_mm_hadd_ps (sum, sum), _mm_set1_ps (0.25f));
      _mm_storel_pi ((__m64 *) s->half_weight[end], sum);
    }
    s->entry[end] = color;
    s->end[b] = end + (uint32_t) any (w);
  }
  list->live &= ~dead;
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

/* The same with `half`, and the channels of full size. */
static void
add_half (const Scratch *s, unsigned b, float *sum, size_t padded, float (*front)[8])
{
  const float (*weight)[8] = s->weight + b * BATCH;
  const float *half = s->half_weight[b * BATCH];
  const uint32_t *entry = s->entry + b * BATCH;
  uint32_t n = s->end[b] - b * BATCH;
  __m256 acc[AK_SPLAT_FRONT];
  size_t c = 0;

  for (; c + 32 <= padded; c += 32)
    add_colors (2, 4, sum + c, padded, half, 2, entry, n, s->color + c);
  for (; c < padded; c += 8)
    add_colors (2, 1, sum + c, padded, half, 2, entry, n, s->color + c);
  for (int i = 0; i < AK_SPLAT_FRONT; i++)
    acc[i] = _mm256_load_ps (front[i]);
  for (uint32_t k = 0; k < n; k++)
    for (int i = 0; i < AK_SPLAT_FRONT; i++)
      acc[i] = _mm256_fmadd_ps (
          _mm256_load_ps (weight[k]), _mm256_broadcast_ss (s->color + entry[k] + i), acc[i]);
  for (int i = 0; i < AK_SPLAT_FRONT; i++)
    _mm256_store_ps (front[i], acc[i]);
}

static void
copy_color (float *to, const float *from, size_t channels)
{
  size_t c = 0;

  for (; c + 8 <= channels; c += 8)
    _mm256_storeu_ps (to + c, _mm256_loadu_ps (from + c));
  for (; c < channels; c++)
    to[c] = from[c];
}

/* Prepares the tile's splats from list[from] on until BATCH can reach a live block or the list ends, and has
 * their colours fetched, which lie far apart. Returns where it stopped. */
INLINE uint32_t
gather (
    const AkSplatJob *job, Scratch *s, const List *list, uint32_t from, unsigned x0, unsigned y0)
{
  uint32_t n = 0;

  for (; from < list->n && n < BATCH; from++) {
    const AkSplatShape *shape = job->ordered + list->list[from];
    Entry *entry = s->batch + n;

    _mm_prefetch ((const char *) (job->ordered + list->list[from + AHEAD]), _MM_HINT_T0);
    entry->blocks = prepare (entry, shape, x0, y0) & list->live;
    if (!entry->blocks)
      continue;
    entry->color = job->args.colors + shape->index * job->args.channels;
    entry->place = (int32_t) (list->place + from + 1);
    _mm_prefetch ((const char *) entry->color, _MM_HINT_T0);
    _mm_prefetch ((const char *) entry->color + 64, _MM_HINT_T0);
    n++;
  }
  s->entries = n;
  return from;
}

/* Draws the tile's list into sum [BLOCKS][8][padded], or [BLOCKS][2][padded], and empties it. */
INLINE void
draw_list_as (const AkSplatJob *job, Scratch *s, Tile *tile, List *list, unsigned x0, unsigned y0,
    float *sum, const How how)
{
  size_t channels = job->args.channels, padded = padded_channels (&job->args);
  const __m256 rest = _mm256_set1_ps (job->args.rest);
  uint32_t i = 0;

  while (i < list->n && list->live) {
    i = gather (job, s, list, i, x0, y0);
    for (uint32_t b = 0; b < BLOCKS; b++)
      s->end[b] = b * BATCH;
    for (uint32_t e = 0; e < s->entries; e++) {
      weigh (s, tile, list, s->batch + e, rest, (uint32_t) (e * padded), how);
      copy_color (s->color + e * padded, s->batch[e].color, channels);
    }
    for (unsigned b = 0; b < BLOCKS; b++) {
      if (s->end[b] == b * BATCH)
        continue;
      if (how.half)
        add_half (s, b, sum + 2 * b * padded, padded, tile->front[b]);
      else
        add_block (s, b, sum + 8 * b * padded, padded);
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
begin_tile (Tile *tile, List *list, unsigned columns, unsigned rows, float *sum, size_t floats)
{
  list->live = UINT32_MAX;
  memset (tile->last, 0, sizeof tile->last);
  memset (tile->front, 0, sizeof tile->front);
  memset (sum, 0, floats * sizeof *sum);
  for (unsigned b = 0; b < BLOCKS; b++)
    _mm256_store_ps (tile->transmittance[b], _mm256_set1_ps (1));
  if (columns >= AK_SPLAT_TILE && rows >= AK_SPLAT_TILE)
    return;
  for (unsigned b = 0; b < BLOCKS; b++) {
    int inside = 0;

    for (unsigned i = 0; i < 8; i++) {
      int in = b % 8 * DOWN + i / ACROSS < rows && b / 8 * ACROSS + i % ACROSS < columns;

      tile->transmittance[b][i] = in ? 1 : -0.0f;
      inside |= in;
    }
    list->live &= ~((uint32_t) !inside << b);
  }
}

/* What the background adds to channel c where t of it shines through. */
static inline float
behind (const AkSplat *a, float t, size_t c)
{
  return a->background ? t * a->background[c] : 0;
}

/* Writes row r of a tile's block b, of which n pixels lie in the picture, to its place there. */
static void
end_row (const AkSplat *a, const Tile *tile, unsigned b, unsigned r, size_t at, size_t n,
    const float *sum)
{
  size_t padded = padded_channels (a), shown = a->half ? AK_SPLAT_FRONT : a->channels;
  float *to = a->image + at * shown;

  if (!a->half && !a->background && padded == shown)
    memcpy (to, sum, n * padded * sizeof *to);
  else
    for (size_t i = 0; i < n; i++)
      for (size_t c = 0; c < shown; c++)
        to[i * shown + c] = (a->half ? tile->front[b][c][ACROSS * r + i] : sum[i * padded + c]) +
                            behind (a, fabsf (tile->transmittance[b][ACROSS * r + i]), c);
  for (size_t i = 0; i < n && a->transmittance; i++)
    a->transmittance[at + i] = fabsf (tile->transmittance[b][ACROSS * r + i]);
  for (size_t i = 0; i < n && a->details.contributions; i++)
    a->details.contributions[at + i] = tile->last[b][ACROSS * r + i];
}

/* Writes n pixels of half the size of block b to their place. */
static void
end_half (const AkSplat *a, const Tile *tile, unsigned b, size_t at, size_t n, const float *sum)
{
  const float *t = tile->transmittance[b];
  size_t padded = padded_channels (a), channels = a->channels;
  float *to = a->half + at * channels;

  for (size_t i = 0; i < n; i++, to += channels, sum += padded, t += 2) {
    float left = (fabsf (t[0]) + fabsf (t[1]) + fabsf (t[ACROSS]) + fabsf (t[ACROSS + 1])) / 4;

    memcpy (to, sum, channels * sizeof *to);
    for (size_t c = 0; c < channels && a->background; c++)
      to[c] += behind (a, left, c);
  }
}

/* Writes a tile that lies wholly in the picture, with `half` and without a background. */
static void
end_whole (const AkSplat *a, const Tile *tile, unsigned x0, unsigned y0, const float *sum)
{
  size_t width = a->width, channels = a->channels, padded = padded_channels (a);

  for (unsigned b = 0; b < BLOCKS; b++) {
    size_t at = (y0 + b % 8 * DOWN) * width + x0 + b / 8 * ACROSS;
    const __m256 absolute = _mm256_castsi256_ps (_mm256_set1_epi32 (INT32_MAX));
    __m256 t = _mm256_and_ps (_mm256_load_ps (tile->transmittance[b]), absolute);
    const float (*front)[8] = tile->front[b];
    float rows[8 * AK_SPLAT_FRONT];

    simd_store_xyz (
        rows, _mm256_load_ps (front[0]), _mm256_load_ps (front[1]), _mm256_load_ps (front[2]));
    for (size_t r = 0; r < DOWN; r++)
      memcpy (a->image + (at + r * width) * AK_SPLAT_FRONT, rows + r * ACROSS * AK_SPLAT_FRONT,
          ACROSS * AK_SPLAT_FRONT * sizeof *rows);
    if (a->transmittance) {
      _mm_storeu_ps (a->transmittance + at, _mm256_castps256_ps128 (t));
      _mm_storeu_ps (a->transmittance + at + width, _mm256_extractf128_ps (t, 1));
    }
    at = (y0 / 2 + b % 8) * (width / 2) + x0 / 2 + b / 8 * 2;
    for (size_t i = 0; i < 2; i++)
      copy_color (a->half + (at + i) * channels, sum + (2 * b + i) * padded, channels);
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
    begin_tile (tile, list, a->width - x0, a->height - y0, sum, tile_floats (a));
  for (unsigned b = 0; b < BLOCKS; b++) {
    unsigned x = x0 + b / 8 * ACROSS, y = y0 + b % 8 * DOWN;
    size_t n = x < a->width ? a->width - x : 0;

    n = n < ACROSS ? n : ACROSS;
    for (unsigned r = 0; r < DOWN && n && y + r < a->height; r++)
      end_row (a, tile, b, r, (size_t) (y + r) * a->width + x, n,
          a->half ? NULL : sum + (8 * b + ACROSS * r) * padded);
    if (a->half && n && y < a->height)
      end_half (a, tile, b, (size_t) (y / 2) * (a->width / 2) + x / 2, n / 2, sum + 2 * b * padded);
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

  for (unsigned t = 0; t < tiles; t++) {
    s->list[t].live = UINT32_MAX; /* those of pixels outside, too, before there is a list */
    s->list[t].place = s->list[t].n = 0;
  }
  do {
    for (unsigned t = 0; t < tiles; t++)
      find_live (s->list + t, (place.tile0 + t) * AK_SPLAT_TILE, y0, count_places);
    from = fill_lists (job, s->list, tiles, place.tile0, from);
    live = 0;
    for (unsigned t = 0; t < tiles; t++) {
      unsigned x0 = (place.tile0 + t) * AK_SPLAT_TILE;
      List *list = s->list + t;

      if (list->n && !list->place)
        begin_tile (s->tile + t, list, job->args.width - x0, job->args.height - y0,
            sums + t * colors, colors);
      draw_list (job, s, t, x0, y0, sums + t * colors);
      live |= list->live;
    }
  } while (live && from < job->drawn);
  for (unsigned t = 0; t < tiles; t++)
    end_tile (
        job, s->tile + t, s->list + t, (place.tile0 + t) * AK_SPLAT_TILE, y0, sums + t * colors);
}
