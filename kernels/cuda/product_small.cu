/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products of few rows, and what comes after them, by kernels of our own. For few rows a kernel more is half of the time in
 * bfloat16, and in float32 the library does not fill the card. The sum is cut into parts so that there are blocks for all of
 * it; the last block of a tile adds the parts, in their order. */
#include "product.cuh"
#include "tile.cuh"

#include <stdlib.h>

#define MOST_ROWS 256
#define MOST_ROWS_BF16 32
#define ENOUGH 96 /* blocks that keep a card busy with copying */
#define CORES                                                                                      \
  132 /* that have to be as busy as each other in float32 (of the largest cards; others are less even) */
#define MOST_PARTS 8

typedef struct
{
  AkRows x; /* in float32 */
  const void *w;
  unsigned m, n, k; /* rows of w are k numbers apart, as are those of x in bfloat16: full chunks */
  unsigned parts, depth; /* inputs of a part */
  int aligned;
  AkFinish f;
} Small;

/* The sums of a warp, or a thread, of a tile of BM rows; inputs of a stage lie in shared memory, x above w. Tensor<BM> for
 * bfloat16, AkPlain<BM> for float32. */
template <int BM> struct Tensor
{
  typedef uint16_t Number;
  static constexpr unsigned STEP = AK_TILE_CHUNKS * AK_TILE_CHUNK / sizeof (Number);
  static constexpr unsigned ROW =
      STEP + AK_TILE_CHUNK / sizeof (Number); /* 8 rows lie in different banks */
  static constexpr unsigned WM = BM, WN = AK_TILE_BN / (AK_TILE_THREADS / AK_WARP); /* of a warp */

  float sum[WM / 16][WN / 8][4] = {};

  __device__ __forceinline__ unsigned
  col () const
  {
    return threadIdx.x / AK_WARP * WN;
  }

  __device__ __forceinline__ void
  add (const uint16_t *stage)
  {
    const unsigned lane = threadIdx.x % AK_WARP;
    const uint16_t *x = stage + lane % 16 * ROW + lane / 16 * 8;
    const uint16_t *w = stage + (BM + col () + lane % 8 + lane / 16 * 8) * ROW + lane / 8 % 2 * 8;

#pragma unroll
    for (unsigned i = 0; i < STEP; i += 16) {
      unsigned left[WM / 16][4], right[4];

      for (unsigned r = 0; r < WM / 16; r++)
        ak_mma_load (left[r], x + r * 16 * ROW + i);
      for (unsigned c = 0; c < WN / 16; c++) {
        ak_mma_load (right, w + c * 16 * ROW + i);
        for (unsigned r = 0; r < WM / 16; r++) {
          ak_mma (sum[r][2 * c], left[r], right);
          ak_mma (sum[r][2 * c + 1], left[r], right + 2);
        }
      }
    }
  }

  __device__ __forceinline__ void
  store (float *to) const
  {
    const unsigned lane = threadIdx.x % AK_WARP;

    for (unsigned r = 0; r < WM / 16; r++)
      for (unsigned c = 0; c < WN / 8; c++)
        for (unsigned h = 0; h < 4; h++)
          to[(r * 16 + lane / 4 + h / 2 * 8) * AK_TILE_SUM_ROW + col () + c * 8 + lane % 4 * 2 +
              h % 2] = sum[r][c][h];
  }
};

typedef struct
{
  Small a;
  size_t x, sums;   /* in the scratch */
  unsigned *counts; /* parts of a tile that are there; 0 between runs */
  AkAlso also;
} SmallNode;

/* V columns of the sum of all parts, from number `at` of it on. */
template <int V>
static __device__ void
add_parts (const Small *a, float *v, const float *sums, size_t at)
{
  const size_t part = (size_t) a->m * a->n;
  float more[V];

  ak_get_shared<V> (v, sums + at);
  for (unsigned p = 1; p < a->parts; p++) {
    ak_get_shared<V> (more, sums + p * part + at);
    for (int j = 0; j < V; j++)
      v[j] += more[j];
  }
}

/* The tile finished, from the sums in shared memory or from all parts, number by number. */
static __device__ void
finish_slowly (
    const Small *a, unsigned rows, const float *staging, const float *sums, uint16_t *rounded)
{
  const unsigned m0 = blockIdx.y * rows, n0 = blockIdx.x * AK_TILE_BN;

  for (unsigned i = threadIdx.x; i < rows * AK_TILE_BN; i += AK_TILE_THREADS) {
    const unsigned r = m0 + i / AK_TILE_BN, c = n0 + i % AK_TILE_BN;
    float v = staging[i / AK_TILE_BN * AK_TILE_SUM_ROW + i % AK_TILE_BN];

    if (r >= a->m || c >= a->n)
      continue;
    if (a->parts > 1)
      add_parts<1> (a, &v, sums, (size_t) r * a->n + c);
    ak_finish<1> (&a->f, &v, 0, r, c, rounded);
  }
}

/* The same by quads of N rows, STEP rows apart, from row m of x and number `at` of the tile on. All that a thread needs is
 * asked for before any of it is used: one block of a tile does this alone, and what it waits for is most of its time. */
template <int N, int STEP>
static __device__ __forceinline__ void
finish_quads (const Small *a, unsigned m, unsigned c, const float *staging, const float *sums,
    uint16_t *rounded)
{
  const AkFinish *f = &a->f;
  float v[N][4], gate[N][4], residual[N][4], bias[4] = {};

#pragma unroll
  for (int i = 0; i < N; i++) {
    const unsigned r = m + i * STEP < a->m ? m + i * STEP : a->m - 1; /* again */

    if (f->gate.data)
      ak_get<4> (gate[i], f->gate.data + r * f->gate.row + c);
    if (f->residual.data)
      ak_get<4> (residual[i], f->residual.data + r * f->residual.row + c);
    if (a->parts == 1)
      ak_get<4> (v[i], staging + i * STEP * AK_TILE_SUM_ROW);
    else
      ak_get_shared<4> (v[i], sums + (size_t) r * a->n + c);
  }
  if (f->bias)
    ak_get<4> (bias, f->bias + c);
#pragma unroll 2
  for (unsigned p = 1; p < a->parts; p++) {
    float more[N][4];

#pragma unroll
    for (int i = 0; i < N; i++) {
      const unsigned r = m + i * STEP < a->m ? m + i * STEP : a->m - 1;

      ak_get_shared<4> (more[i], sums + ((size_t) p * a->m + r) * a->n + c);
    }
#pragma unroll
    for (int i = 0; i < N; i++)
      for (int j = 0; j < 4; j++)
        v[i][j] += more[i][j];
  }
#pragma unroll
  for (int i = 0; i < N; i++) {
    const unsigned r = m + i * STEP;

    for (int j = 0; j < 4; j++) {
      v[i][j] = ak_act (v[i][j] + bias[j], f->activation);
      if (f->gate.data)
        v[i][j] *= gate[i][j];
      if (f->residual.data)
        v[i][j] += residual[i][j];
    }
    if (r >= a->m)
      continue;
    ak_put<4> (f->y.data + r * f->y.row + c, v[i]);
    if (rounded)
      ak_put_rounded<4> (rounded + (size_t) r * f->cols + c, v[i]);
  }
}

template <int BM>
static __device__ void
finish_tile (const Small *a, const float *staging, const float *sums, uint16_t *rounded)
{
  constexpr int STEP = 4 * AK_TILE_THREADS / AK_TILE_BN, ALL = BM / STEP, N = ALL < 4 ? ALL : 4;
  const unsigned row = threadIdx.x / (AK_TILE_BN / 4), in = threadIdx.x % (AK_TILE_BN / 4) * 4;
  const unsigned c = blockIdx.x * AK_TILE_BN + in, m0 = blockIdx.y * BM + row;

  staging += row * AK_TILE_SUM_ROW + in;
#pragma unroll 1
  for (int i = 0; i < ALL && c < a->n; i += N)
    finish_quads<N, STEP> (
        a, m0 + i * STEP, c, staging + i * STEP * AK_TILE_SUM_ROW, sums, rounded);
}

template <int V>
static __device__ void
store_part (const Small *a, unsigned rows, const float *staging, float *sums)
{
  const unsigned m0 = blockIdx.y * rows, n0 = blockIdx.x * AK_TILE_BN;

  for (unsigned i = threadIdx.x * V; i < rows * AK_TILE_BN; i += AK_TILE_THREADS * V) {
    const unsigned r = m0 + i / AK_TILE_BN, c = n0 + i % AK_TILE_BN;

    if (r < a->m && c < a->n)
      ak_put<V> (sums + ((size_t) blockIdx.z * a->m + r) * a->n + c,
          staging + i / AK_TILE_BN * AK_TILE_SUM_ROW + i % AK_TILE_BN);
  }
}

/* Grid: tiles of columns, of BM rows; parts. `x`: rows `x_row` numbers apart. */
template <int BM, class Sums>
static __global__ void
__launch_bounds__ (AK_TILE_THREADS) small (Small a, const typename Sums::Number *x, size_t x_row,
    float *sums, unsigned *counts, uint16_t *rounded)
{
  typedef typename Sums::Number Number;
  constexpr unsigned STEP = Sums::STEP, STAGE = (BM + AK_TILE_BN) * Sums::ROW;
  __shared__ int is_last;
  Number *const memory = AK_SHARED (Number);
  float *const staging = AK_SHARED (float); /* afterwards */
  const Number *w = (const Number *) a.w;
  const unsigned m0 = blockIdx.y * BM, n0 = blockIdx.x * AK_TILE_BN;
  const unsigned begin = blockIdx.z * a.depth, end = min (begin + a.depth, a.k);
  unsigned stage = 0;
  Sums own;

  for (unsigned i = 0; i < AK_TILE_STAGES - 1; i++) {
    ak_bring<BM> (x, x_row, m0, a.m, begin + i * STEP, end, memory + i * STAGE);
    ak_bring<AK_TILE_BN> (
        w, a.k, n0, a.n, begin + i * STEP, end, memory + i * STAGE + BM * Sums::ROW);
    ak_copy_commit ();
  }
  for (unsigned k = begin; k < end; k += STEP, stage = (stage + 1) % AK_TILE_STAGES) {
    Number *next = memory + (stage + AK_TILE_STAGES - 1) % AK_TILE_STAGES * STAGE;

    ak_copy_wait<AK_TILE_STAGES - 2> ();
    __syncthreads (); /* for all threads, and nobody reads the stage before any more */
    ak_bring<BM> (x, x_row, m0, a.m, k + (AK_TILE_STAGES - 1) * STEP, end, next);
    ak_bring<AK_TILE_BN> (
        w, a.k, n0, a.n, k + (AK_TILE_STAGES - 1) * STEP, end, next + BM * Sums::ROW);
    ak_copy_commit ();
    own.add (memory + stage * STAGE);
  }
  ak_copy_wait<0> ();
  __syncthreads (); /* nobody reads the stages any more */
  own.store (staging);
  __syncthreads ();
  if (a.parts > 1) {
    if (a.aligned)
      store_part<4> (&a, BM, staging, sums);
    else
      store_part<1> (&a, BM, staging, sums);
    __threadfence (); /* the sums are there before they are counted */
    __syncthreads ();
    if (threadIdx.x == 0) {
      unsigned *count = counts + blockIdx.y * gridDim.x + blockIdx.x;

      is_last = atomicAdd (count, 1u) == a.parts - 1;
      if (is_last)
        *count = 0;
    }
    __syncthreads ();
    if (!is_last)
      return;
    __threadfence ();
  }
  if (a.aligned)
    finish_tile<BM> (&a, staging, sums, rounded);
  else
    finish_slowly (&a, BM, staging, sums, rounded);
}

template <int BM, class Sums>
static void
launch (const AkAt *at, const SmallNode *n, const typename Sums::Number *x, size_t x_row)
{
  const Small *a = &n->a;
  const size_t shared = AK_TILE_STAGES * (BM + AK_TILE_BN) * (AK_TILE_CHUNKS + 1) * AK_TILE_CHUNK;
  dim3 grid (ak_blocks (a->n, AK_TILE_BN), ak_blocks (a->m, BM), a->parts);

  AK_LAUNCH_LARGE ((small<BM, Sums>), grid, AK_TILE_THREADS, shared, at, *a, x, x_row,
      (float *) (at->scratch + n->sums), n->counts, ak_rounded (at, &n->also));
}

template <int BM>
static void
launch_either (const AkAt *at, const SmallNode *n)
{
  if (n->a.x.data)
    launch<BM, AkPlain<BM>> (at, n, n->a.x.data, n->a.x.row);
  else if constexpr (BM <= MOST_ROWS_BF16)
    launch<BM, Tensor<BM>> (at, n, (const uint16_t *) (at->scratch + n->x), n->a.k);
}

/* Rows of a tile. */
static unsigned
tile_rows (unsigned m)
{
  return m <= 16 ? 16 : m <= 32 ? 32 : 64;
}

static void
run_small (const AkAt *at, const void *args)
{
  const SmallNode *n = (const SmallNode *) args;

  switch (tile_rows (n->a.m)) {
    case 16:
      launch_either<16> (at, n);
      break;
    case 32:
      launch_either<32> (at, n);
      break;
    default:
      launch_either<64> (at, n);
  }
}

/* In bfloat16 the weights' way is the longest: many blocks have to ask for them. In float32 it is the sums: those of the
 * busiest core count, a block costs as much as some inputs beside, and one alone on its core waits more. */
static void
cut (Small *a, size_t tiles, int bf16)
{
  const unsigned step = bf16 ? Tensor<16>::STEP : AkPlain<16>::STEP, beside = 64;
  size_t least = (size_t) -1, time;
  unsigned best = 1;

  for (unsigned parts = 1; parts <= MOST_PARTS; parts++) {
    unsigned depth = ak_blocks (a->k, parts * step) * step;
    unsigned busy = ak_blocks (tiles * parts, CORES);

    if (bf16)
      time = tiles * parts < ENOUGH ? 2 * ENOUGH - tiles * parts : parts;
    else
      time = (size_t) busy * (depth + beside) * (busy == 1 ? 5 : 4);
    if ((parts == 1 || depth >= 2 * step) && time < least) {
      least = time;
      best = parts;
    }
  }
  a->depth = ak_blocks (a->k, best * step) * step;
  a->parts = ak_blocks (a->k, a->depth);
}

/* No memory: the library can do it. */
static unsigned *
new_counts (AkPlan *plan, size_t n)
{
  unsigned *zeros = (unsigned *) calloc (n, sizeof *zeros), *counts = NULL;

  if (zeros)
    counts = (unsigned *) ak_cuda_constant (plan, zeros, n * sizeof *zeros);
  free (zeros);
  return counts;
}

int
ak_cuda_small_product (
    AkPlan *plan, const AkCudaMatrix *m, AkRows x, size_t x_scratch, size_t used, const AkFinish *f)
{
  SmallNode node = { { x, m->data, (unsigned) f->rows, (unsigned) m->n, (unsigned) m->kp, 1, 0,
                         m->n % 4 == 0 && ak_finish_is_aligned (f), *f },
    x_scratch, used, NULL, {} };
  Small *a = &node.a;
  size_t tiles = (size_t) ak_blocks (a->n, AK_TILE_BN) * ak_blocks (a->m, tile_rows (a->m));
  SmallNode *kept;

  if (f->batch != 1 || f->rows > (m->bf16 ? MOST_ROWS_BF16 : MOST_ROWS))
    return 0;
  if (m->bf16)
    a->x.data = NULL;
  else if (m->k % 4 || !ak_is_aligned (x, 1, f->rows))
    return 0;
  cut (a, tiles, m->bf16);
  if (a->parts > 1) {
    node.counts = new_counts (plan, tiles);
    if (!node.counts)
      return 0;
    used += ak_up256 ((size_t) a->parts * a->m * a->n * sizeof (float));
    ak_cuda_scratch (plan, used);
  }
  kept = (SmallNode *) ak_cuda_append (plan, run_small, NULL, &node, sizeof node);
  if (kept)
    ak_offer (plan, f->y, f->batch, f->rows, f->cols, &kept->also, used);
  return 1;
}
