/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention in one pass over the keys. The warps of a block share the keys of a head among them, as there are often
 * fewer queries than fill a card: each goes through its own tiles of keys with the weights relative to the largest score
 * that it has met, and the block adds what the warps have come to, always in the same order.
 *
 * What a warp computes is a class W, of which each lane has an object:
 *
 *   SHARING             warps with the same keys and different queries
 *   SPLITS              warps with the same queries and different keys
 *   KEYS, OWN, WIDTH    keys of a tile, queries of a warp, columns (a multiple of 32)
 *   Q_ROW, K_ROW, V_ROW how far apart rows of queries, keys, values lie in shared memory (multiples of 4)
 *   WEIGHTS             numbers of shared memory for the warp's own use
 *
 *   start (q, scale)              the warp's queries have come
 *   scores (q, keys)              of a tile
 *   weigh (weights, seen, scale)  makes weights of them; what there was before fades if a score is the largest so far
 *   add (weights, values)         the values of the tile, weighted
 *   put (sums, known)             results, [OWN][WIDTH]; the largest score and the sum of weights, [OWN][2] */
#pragma once

#include "async.cuh"
#include "attention.cuh"
#include "vector.cuh"

/* Which keys a warp's queries may see. */
typedef struct
{
  const AkAttention *a;
  unsigned row;   /* the warp's first query */
  unsigned first; /* key of the tile */
} AkSeen;

/* Of the warp's query `own`: keys `from` … `to` - 1 of the tile. */
static __device__ inline void
ak_seen_of (const AkSeen *seen, unsigned own, int *from, int *to)
{
  size_t lo = 0, hi = 0;

  if (seen->row + own < seen->a->rows)
    ak_attention_seen (
        *seen->a, seen->row + own, seen->a->keys[0].count + seen->a->keys[1].count, &lo, &hi);
  *from = (int) ((unsigned) lo - seen->first);
  *to = (int) ((unsigned) hi - seen->first);
}

/* For the warps that share keys. */
template <class W>
static __device__ inline void
ak_meet (void)
{
  if constexpr (W::SHARING == 1)
    __syncwarp ();
  else
    __syncthreads ();
}

/* 4 columns from `c` on of `from`, zeros where they are not `there` and beyond `dim`. `vectors`: 4 can be read at once, and
 * `dim` is a multiple of 4. */
static __device__ inline void
ak_bring (float *to, const float *from, unsigned c, unsigned dim, int there, int vectors)
{
  if (vectors)
    ak_copy_16 (to + c, from + c, there && c < dim);
  else
    for (unsigned k = c; k < c + 4; k++)
      to[k] = there && k < dim ? from[k] : 0;
}

/* Keys (or values) `first` … of two segments, the first of `count`, to `tile`, by the warps that share them, of which this
 * thread is number `thread`. */
template <class W, int ROW>
static __device__ inline void
ak_bring_keys (float *tile, const AkRows &v0, const AkRows &v1, unsigned count, size_t b,
    size_t column, unsigned dim, unsigned first, unsigned last, unsigned thread, int vectors)
{
  constexpr unsigned QUADS = W::WIDTH / 4, AT_ONCE = W::SHARING * AK_WARP / QUADS;
  const unsigned c = thread % QUADS * 4, own = thread / QUADS;
  const float *const from0 = v0.data + b * v0.batch + column;
  const float *const from1 = v1.data + b * v1.batch + column;

  if (first < last && vectors) {
#pragma unroll 4
    for (unsigned j = 0; j < W::KEYS; j += AT_ONCE) {
      const unsigned key = first + j + own, at = key < last ? key : first;
      const int second = at >= count;
      const float *from = second ? from1 : from0;
      const unsigned row = (unsigned) (second ? v1.row : v0.row);

      from += (size_t) (at - (second ? count : 0)) * row + c;
      ak_copy_16 (tile + (j + own) * ROW + c, from, key < last && c < dim);
    }
  } else if (first < last) {
#pragma unroll 1
    for (unsigned j = own; j < W::KEYS; j += AT_ONCE) {
      const unsigned key = first + j, at = key < last ? key : first;
      const float *from = at < count ? from0 + at * v0.row : from1 + (at - count) * v1.row;

#pragma unroll 1
      for (unsigned k = c; k < c + 4; k++)
        tile[j * ROW + k] = key < last && k < dim ? from[k] : 0;
    }
  }
  ak_copy_commit ();
}

/* The block's shared memory: queries; tiles and weights, later sums. */
template <class W> struct AkSplit
{
  static constexpr int QUERIES = W::OWN * W::SHARING;
  static constexpr int WARPS = W::SHARING * W::SPLITS, THREADS = WARPS * AK_WARP;
  static constexpr int BLOCKS =
      WARPS > 4 ? 2 : 3; /* at once on a processor, at least: there are registers for that */
  static constexpr int TILE = W::KEYS * (W::K_ROW + W::V_ROW);
  static constexpr int TILES = W::SPLITS * TILE + WARPS * W::WEIGHTS;
  static constexpr int SUMS = W::SPLITS * QUERIES * (W::WIDTH + 2);
  static constexpr int FLOATS = QUERIES * W::Q_ROW + (TILES > SUMS ? TILES : SUMS);
};

/* 4 columns from `c` on of query `query`, of all splits: sums [SPLITS][QUERIES][WIDTH], known [SPLITS][QUERIES][2]. */
template <class W>
static __device__ inline void
ak_add_splits (float (&v)[4], const float *sums, const float *known, unsigned query, unsigned c)
{
  constexpr int QUERIES = AkSplit<W>::QUERIES;
  float top = -INFINITY, whole = 0;

  known += 2 * query;
  v[0] = v[1] = v[2] = v[3] = 0;
#pragma unroll
  for (int s = 0; s < W::SPLITS; s++)
    top = fmaxf (top, known[2 * s * QUERIES]);
#pragma unroll
  for (int s = 0; s < W::SPLITS; s++) {
    const float *own = known + 2 * s * QUERIES;
    const float part = own[0] > -INFINITY ? expf (own[0] - top) : 0;
    float of_split[4];

    ak_get<4> (of_split, sums + (s * QUERIES + query) * W::WIDTH + c);
    whole += part * own[1];
    for (int k = 0; k < 4; k++)
      v[k] += part * of_split[k];
  }
  for (int k = 0; k < 4; k++)
    v[k] /= whole;
}

static __device__ inline void
ak_attention_store (const AkAttention &a, float (&v)[4], size_t b, size_t row, size_t column,
    unsigned c, uint16_t *rounded, int vectors)
{
  float *y = a.y.data + b * a.y.batch + row * a.y.row + column + c;

  if (rounded)
    rounded += (b * a.rows + row) * a.heads * a.dim + column + c;
  if (vectors) {
    ak_put<4> (y, v);
    if (rounded)
      ak_put_rounded<4> (rounded, v);
  } else {
    for (unsigned k = 0; k < 4 && c + k < a.dim; k++) {
      y[k] = v[k];
      if (rounded)
        ak_put_rounded<1> (rounded + k, v + k);
    }
  }
}

/* Grid: tiles of queries, batch · heads. `rounded`: where the result goes as bfloat16 as well, or NULL. */
template <class W>
static __global__ void
__launch_bounds__ (AkSplit<W>::THREADS, AkSplit<W>::BLOCKS)
    ak_attention_split (AkAttention a, uint16_t *rounded, int vectors)
{
  typedef AkSplit<W> Split;
  float *const q = AK_SHARED (float), *const sums = q + Split::QUERIES * W::Q_ROW;
  float *const known = sums + W::SPLITS * Split::QUERIES * W::WIDTH;
  const unsigned lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP;
  const unsigned split = warp / W::SHARING, part = warp % W::SHARING;
  const unsigned thread = part * AK_WARP + lane, step = W::SPLITS * W::KEYS;
  const unsigned count = (unsigned) a.keys[0].count, dim = (unsigned) a.dim;
  float *const own_q = q + part * W::OWN * W::Q_ROW;
  float *const k_tile = sums + split * Split::TILE, *const v_tile = k_tile + W::KEYS * W::K_ROW;
  float *const weights = sums + W::SPLITS * Split::TILE + warp * W::WEIGHTS;
  const size_t row0 = (size_t) blockIdx.x * Split::QUERIES;
  const size_t last_row = row0 + Split::QUERIES < a.rows ? row0 + Split::QUERIES - 1 : a.rows - 1;
  size_t head, b = ak_split (blockIdx.y, a.heads, &head), column = head * a.dim, begin, end, none;
  const size_t keys = a.keys[0].count + a.keys[1].count;
  AkSeen seen = { &a, (unsigned) row0 + part * W::OWN };
  unsigned last;
  W w;

  ak_attention_seen (a, row0, keys, &begin, &none);
  ak_attention_seen (a, last_row, keys, &none, &end);
  begin = (unsigned) begin / W::KEYS * W::KEYS;
  last = (unsigned) end;
  for (unsigned i = threadIdx.x; i < Split::QUERIES * W::WIDTH / 4; i += Split::THREADS) {
    const unsigned r = i / (W::WIDTH / 4);
    const int there = row0 + r < a.rows;

    ak_bring (q + r * W::Q_ROW,
        a.q.data + b * a.q.batch + (there ? row0 + r : row0) * a.q.row + column,
        i % (W::WIDTH / 4) * 4, dim, there, vectors);
  }
  ak_copy_commit ();
  seen.first = (unsigned) begin + split * W::KEYS;
  ak_bring_keys<W, W::K_ROW> (
      k_tile, a.keys[0].k, a.keys[1].k, count, b, column, dim, seen.first, last, thread, vectors);
  ak_bring_keys<W, W::V_ROW> (
      v_tile, a.keys[0].v, a.keys[1].v, count, b, column, dim, seen.first, last, thread, vectors);
  ak_copy_wait<1> ();
  __syncthreads ();
  w.start (own_q, a.scale);
  for (unsigned base = (unsigned) begin; base < last; base += step) {
    const int there = seen.first < last;
    const unsigned next = seen.first + step;

    if (there)
      w.scores (own_q, k_tile);
    ak_meet<W> ();
    ak_bring_keys<W, W::K_ROW> (
        k_tile, a.keys[0].k, a.keys[1].k, count, b, column, dim, next, last, thread, vectors);
    if (there)
      w.weigh (weights, &seen, a.scale);
    ak_copy_wait<1> ();
    ak_meet<W> ();
    if (there)
      w.add (weights, v_tile);
    ak_meet<W> ();
    ak_bring_keys<W, W::V_ROW> (
        v_tile, a.keys[0].v, a.keys[1].v, count, b, column, dim, next, last, thread, vectors);
    ak_copy_wait<1> ();
    ak_meet<W> ();
    seen.first = next;
  }
  ak_copy_wait<0> ();
  __syncthreads ();
  w.put (sums + (split * Split::QUERIES + part * W::OWN) * W::WIDTH,
      known + (split * Split::QUERIES + part * W::OWN) * 2);
  __syncthreads ();
  for (unsigned i = threadIdx.x; i < Split::QUERIES * W::WIDTH / 4; i += Split::THREADS) {
    const unsigned r = i / (W::WIDTH / 4), c = i % (W::WIDTH / 4) * 4;
    float v[4];

    if (row0 + r < a.rows && c < a.dim) {
      ak_add_splits<W> (v, sums, known, r, c);
      ak_attention_store (a, v, b, row0 + r, column, c, rounded, vectors);
    }
  }
}

template <class W>
static void
ak_attention_launch (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors)
{
  dim3 grid (ak_blocks (a->rows, AkSplit<W>::QUERIES), (unsigned) (a->batch * a->heads));
  const size_t shared = AkSplit<W>::FLOATS * sizeof (float);

  AK_LAUNCH_LARGE (
      ak_attention_split<W>, grid, AkSplit<W>::THREADS, shared, at, *a, rounded, vectors);
}
