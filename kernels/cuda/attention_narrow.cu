/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention in one pass over the keys. The warps of a block share the keys of a head among them, as there are often
 * fewer queries than fill a card: each goes through its own tiles of keys with the weights relative to the largest score
 * that it has met, and the block adds what the warps have come to, always in the same order.
 *
 * A lane is one of 4 × 8: it has EACH queries, in the scores every eighth key, in the result 4 adjacent columns of 32.
 * Heads that are wider than two such pieces are in attention_wide.cu. */
#include "async.cuh"
#include "attention.cuh"

#define LANES_Q 4
#define LANES_K 8
#define FULL 132 /* blocks that keep a large card busy */

/* What a block looks like. */
template <int EACH_, int SHARING_, int SPLITS_, int KEYS_, int COLS_> struct Shape
{
  static constexpr int EACH = EACH_;       /* queries of a lane */
  static constexpr int SHARING = SHARING_; /* warps with the same keys and different queries */
  static constexpr int SPLITS = SPLITS_;   /* warps with the same queries and different keys */
  static constexpr int KEYS = KEYS_;       /* keys of a tile */
  static constexpr int COLS = COLS_;       /* pieces of 32 columns */
  static constexpr int OWN = LANES_Q * EACH, QUERIES = OWN * SHARING;
  static constexpr int WIDTH = COLS * AK_WARP;
  static constexpr int ROW = WIDTH + 4; /* in shared memory: 8 rows then lie in different banks */
  static constexpr int WARPS = SHARING * SPLITS, THREADS = WARPS * AK_WARP;
  static constexpr int TILE = KEYS * ROW;
  static constexpr int TILES = SPLITS * 2 * TILE + WARPS * KEYS * OWN; /* and weights */
  static constexpr int SUMS = SPLITS * QUERIES * (WIDTH + 2);
  static constexpr int FLOATS = QUERIES * ROW + (TILES > SUMS ? TILES : SUMS);
};

/* N numbers of shared or global memory, aligned to all of them. */
template <int N>
static __device__ inline void
get (float (&to)[N], const float *from)
{
  if constexpr (N == 4) {
    const float4 v = *(const float4 *) from;

    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else if constexpr (N == 2) {
    const float2 v = *(const float2 *) from;

    to[0] = v.x, to[1] = v.y;
  } else {
    to[0] = *from;
  }
}

template <int N>
static __device__ inline void
put (float *to, const float (&from)[N])
{
  if constexpr (N == 4)
    *(float4 *) to = make_float4 (from[0], from[1], from[2], from[3]);
  else if constexpr (N == 2)
    *(float2 *) to = make_float2 (from[0], from[1]);
  else
    *to = from[0];
}

/* For the warps that share keys. */
template <class S>
static __device__ inline void
meet (void)
{
  if constexpr (S::SHARING == 1)
    __syncwarp ();
  else
    __syncthreads ();
}

/* 4 columns from `c` on of `from`, zeros where they are not `there` and beyond `dim`. `vectors`: 4 can be read at once, and
 * `dim` is a multiple of 4. */
static __device__ inline void
bring (float *to, const float *from, unsigned c, unsigned dim, int there, int vectors)
{
  if (vectors)
    ak_async_copy (to + c, from + c, there && c < dim);
  else
    for (unsigned k = c; k < c + 4; k++)
      to[k] = there && k < dim ? from[k] : 0;
}

/* Keys (or values) `first` … of two segments, the first of `count`, to `tile`, by the warps that share them, of which this
 * thread is number `thread`. */
template <class S>
static __device__ inline void
bring_keys (float *tile, const AkRows &v0, const AkRows &v1, unsigned count, size_t b,
    size_t column, unsigned dim, unsigned first, unsigned last, unsigned thread, int vectors)
{
  constexpr unsigned QUADS = S::WIDTH / 4, AT_ONCE = S::SHARING * AK_WARP / QUADS;
  const unsigned c = thread % QUADS * 4, own = thread / QUADS;
  const float *const from0 = v0.data + b * v0.batch + column;
  const float *const from1 = v1.data + b * v1.batch + column;

  if (first < last && vectors) {
#pragma unroll
    for (unsigned j = 0; j < S::KEYS; j += AT_ONCE) {
      const unsigned key = first + j + own, at = key < last ? key : first;
      const float *from = at < count ? from0 + at * v0.row : from1 + (at - count) * v1.row;

      ak_async_copy (tile + (j + own) * S::ROW + c, from + c, key < last && c < dim);
    }
  } else if (first < last) {
#pragma unroll 1
    for (unsigned j = own; j < S::KEYS; j += AT_ONCE) {
      const unsigned key = first + j, at = key < last ? key : first;
      const float *from = at < count ? from0 + at * v0.row : from1 + (at - count) * v1.row;

#pragma unroll 1
      for (unsigned k = c; k < c + 4; k++)
        tile[j * S::ROW + k] = key < last && k < dim ? from[k] : 0;
    }
  }
  ak_async_group ();
}

/* What a warp knows of its queries, each of a lane's EACH. */
template <class S> struct State
{
  float top[S::EACH];                /* largest score so far */
  float sum[S::EACH];                /* of weights, this lane's keys */
  float result[S::EACH][S::COLS][4]; /* of weighted values */
};

/* Scores of a tile: query LANES_Q · i + lane / LANES_K and key LANES_K · j + lane % LANES_K. */
template <class S>
static __device__ inline void
scores (float (&s)[S::EACH][S::KEYS / LANES_K], const float *q, const float *keys, unsigned lane)
{
  q += lane / LANES_K * S::ROW;
  keys += lane % LANES_K * S::ROW;
#pragma unroll 4
  for (int c = 0; c < S::WIDTH; c += 4) {
    float own[S::EACH][4], key[S::KEYS / LANES_K][4];

#pragma unroll
    for (int i = 0; i < S::EACH; i++)
      get (own[i], q + LANES_Q * i * S::ROW + c);
#pragma unroll
    for (int j = 0; j < S::KEYS / LANES_K; j++)
      get (key[j], keys + LANES_K * j * S::ROW + c);
#pragma unroll
    for (int k = 0; k < 4; k++)
#pragma unroll
      for (int i = 0; i < S::EACH; i++)
#pragma unroll
        for (int j = 0; j < S::KEYS / LANES_K; j++)
          s[i][j] += own[i][k] * key[j][k];
  }
}

/* Scores become weights, which go to `weight` [KEYS][LANES_Q][EACH]; what was there before fades where a score is larger
 * than all before. `row`: of the lane's first query; `first`: of the tile. */
template <class S>
static __device__ inline void
weigh (State<S> *w, float (&s)[S::EACH][S::KEYS / LANES_K], float *weight, const AkAttention &a,
    size_t keys, size_t row, unsigned first, unsigned lane)
{
#pragma unroll
  for (int i = 0; i < S::EACH; i++) {
    size_t lo = 0, hi = 0;
    float most = w->top[i], fade;

    if (row + LANES_Q * i < a.rows)
      ak_attention_seen (a, row + LANES_Q * i, keys, &lo, &hi);
#pragma unroll
    for (int j = 0; j < S::KEYS / LANES_K; j++) {
      const unsigned key = first + LANES_K * j + lane % LANES_K;

      s[i][j] = key >= lo && key < hi ? s[i][j] * a.scale : -INFINITY;
      most = fmaxf (most, s[i][j]);
    }
#pragma unroll
    for (int step = LANES_K / 2; step; step /= 2)
      most = fmaxf (most, __shfl_xor_sync (AK_ALL, most, step));
    fade = most > w->top[i] ? expf (w->top[i] - most) : 1;
    w->top[i] = most;
    w->sum[i] *= fade;
#pragma unroll
    for (int j = 0; j < S::KEYS / LANES_K; j++) {
      s[i][j] = s[i][j] > -INFINITY ? expf (s[i][j] - most) : 0;
      w->sum[i] += s[i][j];
    }
#pragma unroll
    for (int c = 0; c < S::COLS; c++)
#pragma unroll
      for (int k = 0; k < 4; k++)
        w->result[i][c][k] *= fade;
  }
#pragma unroll
  for (int j = 0; j < S::KEYS / LANES_K; j++) {
    float of_key[S::EACH];

#pragma unroll
    for (int i = 0; i < S::EACH; i++)
      of_key[i] = s[i][j];
    put (weight + (LANES_K * j + lane % LANES_K) * S::OWN + lane / LANES_K * S::EACH, of_key);
  }
}

template <class S>
static __device__ inline void
add_values (State<S> *w, const float *weight, const float *values, unsigned lane)
{
  weight += lane / LANES_K * S::EACH;
  values += lane % LANES_K * 4;
#pragma unroll 4
  for (int j = 0; j < S::KEYS; j++) {
    float of_key[S::EACH], value[S::COLS][4];

    get (of_key, weight + j * S::OWN);
#pragma unroll
    for (int c = 0; c < S::COLS; c++)
      get (value[c], values + j * S::ROW + c * AK_WARP);
#pragma unroll
    for (int i = 0; i < S::EACH; i++)
#pragma unroll
      for (int c = 0; c < S::COLS; c++)
#pragma unroll
        for (int k = 0; k < 4; k++)
          w->result[i][c][k] += of_key[i] * value[c][k];
  }
}

/* What the warps know of the queries from `query` on goes to sums [SPLITS][QUERIES][WIDTH], then [SPLITS][QUERIES] pairs of
 * the largest score and the sum of weights. */
template <class S>
static __device__ inline void
put_state (State<S> *w, float *sums, unsigned split, unsigned query, unsigned lane)
{
#pragma unroll
  for (int i = 0; i < S::EACH; i++) {
    const unsigned at = split * S::QUERIES + query + LANES_Q * i + lane / LANES_K;

#pragma unroll
    for (int step = LANES_K / 2; step; step /= 2)
      w->sum[i] += __shfl_xor_sync (AK_ALL, w->sum[i], step);
#pragma unroll
    for (int c = 0; c < S::COLS; c++)
      put (sums + at * S::WIDTH + c * AK_WARP + lane % LANES_K * 4, w->result[i][c]);
    if (lane % LANES_K == 0) {
      float *known = sums + S::SPLITS * S::QUERIES * S::WIDTH + 2 * at;

      known[0] = w->top[i];
      known[1] = w->sum[i];
    }
  }
}

/* 4 columns from `c` on of query `query`, of all splits. */
template <class S>
static __device__ inline void
add_splits (float (&v)[4], const float *sums, unsigned query, unsigned c)
{
  const float *known = sums + S::SPLITS * S::QUERIES * S::WIDTH + 2 * query;
  float top = -INFINITY, whole = 0;

  v[0] = v[1] = v[2] = v[3] = 0;
#pragma unroll
  for (int s = 0; s < S::SPLITS; s++)
    top = fmaxf (top, known[2 * s * S::QUERIES]);
#pragma unroll
  for (int s = 0; s < S::SPLITS; s++) {
    const float *own = known + 2 * s * S::QUERIES;
    const float part = own[0] > -INFINITY ? expf (own[0] - top) : 0;
    float of_split[4];

    get (of_split, sums + (s * S::QUERIES + query) * S::WIDTH + c);
    whole += part * own[1];
    for (int k = 0; k < 4; k++)
      v[k] += part * of_split[k];
  }
  for (int k = 0; k < 4; k++)
    v[k] /= whole;
}

static __device__ inline void
store (const AkAttention &a, float (&v)[4], size_t b, size_t row, size_t column, unsigned c,
    uint16_t *rounded, int vectors)
{
  float *y = a.y.data + b * a.y.batch + row * a.y.row + column + c;

  if (rounded)
    rounded += (b * a.rows + row) * a.heads * a.dim + column + c;
  if (vectors) {
    put (y, v);
    if (rounded) {
      uint2 u;

      u.x = ak_to_bf16 (v[0]) | (unsigned) ak_to_bf16 (v[1]) << 16;
      u.y = ak_to_bf16 (v[2]) | (unsigned) ak_to_bf16 (v[3]) << 16;
      *(uint2 *) rounded = u;
    }
  } else {
    for (unsigned k = 0; k < 4 && c + k < a.dim; k++) {
      y[k] = v[k];
      if (rounded)
        rounded[k] = ak_to_bf16 (v[k]);
    }
  }
}

/* Grid: tiles of queries, batch · heads. `rounded`: where the result goes as bfloat16 as well, or NULL. */
template <class S>
static __global__ void
__launch_bounds__ (S::THREADS, 2) attention (AkAttention a, uint16_t *rounded, int vectors)
{
  float *const q = AK_SHARED (float), *const sums = q + S::QUERIES * S::ROW;
  const unsigned lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP;
  const unsigned split = warp / S::SHARING, part = warp % S::SHARING;
  const unsigned thread = part * AK_WARP + lane, step = S::SPLITS * S::KEYS;
  float *const k_tile = sums + split * 2 * S::TILE, *const v_tile = k_tile + S::TILE;
  float *const weight = sums + S::SPLITS * 2 * S::TILE + warp * S::KEYS * S::OWN;
  const size_t keys = a.keys[0].count + a.keys[1].count, row0 = (size_t) blockIdx.x * S::QUERIES;
  const size_t last_row = row0 + S::QUERIES < a.rows ? row0 + S::QUERIES - 1 : a.rows - 1;
  size_t head, b = ak_split (blockIdx.y, a.heads, &head), column = head * a.dim, begin, end, none;
  const unsigned count = (unsigned) a.keys[0].count;
  unsigned from, last;
  State<S> w;

  ak_attention_seen (a, row0, keys, &begin, &none);
  ak_attention_seen (a, last_row, keys, &none, &end);
  from = (unsigned) begin / S::KEYS * S::KEYS;
  last = (unsigned) end;
  for (unsigned i = threadIdx.x; i < S::QUERIES * S::WIDTH / 4; i += S::THREADS) {
    const unsigned r = i / (S::WIDTH / 4);
    const int there = row0 + r < a.rows;

    bring (q + r * S::ROW, a.q.data + b * a.q.batch + (there ? row0 + r : row0) * a.q.row + column,
        i % (S::WIDTH / 4) * 4, (unsigned) a.dim, there, vectors);
  }
  ak_async_group ();
#pragma unroll
  for (int i = 0; i < S::EACH; i++) {
    w.top[i] = -INFINITY;
    w.sum[i] = 0;
#pragma unroll
    for (int c = 0; c < S::COLS; c++)
      w.result[i][c][0] = w.result[i][c][1] = w.result[i][c][2] = w.result[i][c][3] = 0;
  }
  bring_keys<S> (k_tile, a.keys[0].k, a.keys[1].k, count, b, column, (unsigned) a.dim,
      from + split * S::KEYS, last, thread, vectors);
  bring_keys<S> (v_tile, a.keys[0].v, a.keys[1].v, count, b, column, (unsigned) a.dim,
      from + split * S::KEYS, last, thread, vectors);
  ak_async_wait<1> ();
  __syncthreads ();
  for (unsigned base = from; base < last; base += step) {
    const unsigned first = base + split * S::KEYS;
    const size_t row = row0 + part * S::OWN + lane / LANES_K;
    const int there = first < last;
    float s[S::EACH][S::KEYS / LANES_K] = {};

    if (there)
      scores<S> (s, q + part * S::OWN * S::ROW, k_tile, lane);
    meet<S> ();
    bring_keys<S> (k_tile, a.keys[0].k, a.keys[1].k, count, b, column, (unsigned) a.dim,
        first + step, last, thread, vectors);
    if (there)
      weigh<S> (&w, s, weight, a, keys, row, first, lane);
    ak_async_wait<1> ();
    meet<S> ();
    if (there)
      add_values<S> (&w, weight, v_tile, lane);
    meet<S> ();
    bring_keys<S> (v_tile, a.keys[0].v, a.keys[1].v, count, b, column, (unsigned) a.dim,
        first + step, last, thread, vectors);
    ak_async_wait<1> ();
    meet<S> ();
  }
  ak_async_wait<0> ();
  __syncthreads ();
  put_state<S> (&w, sums, split, part * S::OWN, lane);
  __syncthreads ();
  for (unsigned i = threadIdx.x; i < S::QUERIES * S::WIDTH / 4; i += S::THREADS) {
    const unsigned r = i / (S::WIDTH / 4), c = i % (S::WIDTH / 4) * 4;
    float v[4];

    if (row0 + r < a.rows && c < a.dim) {
      add_splits<S> (v, sums, r, c);
      store (a, v, b, row0 + r, column, c, rounded, vectors);
    }
  }
}

template <class S>
static void
launch (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors)
{
  dim3 grid (ak_blocks (a->rows, S::QUERIES), (unsigned) (a->batch * a->heads));

  AK_LAUNCH_LARGE (
      attention<S>, grid, S::THREADS, S::FLOATS * sizeof (float), at, *a, rounded, vectors);
}

/* Few queries are spread over as many blocks as there are processors; many share what is read. */
template <int COLS>
static void
choose (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors)
{
  const size_t rows = a->rows, pairs = a->batch * a->heads;

  if (rows <= 4)
    launch<Shape<1, 1, 8, 16, COLS>> (at, a, rounded, vectors);
  else if (rows <= 8 || ak_blocks (rows, 8) * pairs <= FULL)
    launch<Shape<2, 1, 8, 16, COLS>> (at, a, rounded, vectors);
  else if (ak_blocks (rows, 32) * pairs < FULL * 3 / 4)
    launch<Shape<4, 1, 8, 16, COLS>> (at, a, rounded, vectors);
  else
    launch<Shape<4, 2, 4, 32, COLS>> (at, a, rounded, vectors);
}

void
ak_cuda_attention_narrow (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors)
{
  if (a->dim <= AK_WARP)
    choose<1> (at, a, rounded, vectors);
  else
    choose<2> (at, a, rounded, vectors);
}
