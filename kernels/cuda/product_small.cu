/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products of few rows in bfloat16 with what comes after them in the same kernel, where the library would need a second
 * one: for few rows a kernel more is half of the time. The sum is cut into parts so that there are blocks for all of the
 * card; the last block of a tile adds the parts, in their order. */
#include "mma.cuh"
#include "product.cuh"

#include <stdlib.h>

#define MOST_ROWS 128
#define BN 64   /* columns of a tile */
#define STEP 64 /* inputs of a stage */
#define STAGES 4
#define ROW (STEP + 8) /* numbers of a row in shared memory: 8 rows then lie in different banks */
#define SUM_ROW (BN + 4)
#define THREADS 128
#define ENOUGH 96 /* blocks that keep a card busy */
#define MOST_PARTS 8

typedef struct
{
  const uint16_t *w;
  unsigned m, n, k;      /* rows of x and w are k numbers apart, a multiple of 8 */
  unsigned parts, depth; /* inputs of a part */
  int aligned;
  AkFinish f;
} Small;

typedef struct
{
  Small a;
  size_t x, sums;   /* in the scratch */
  unsigned *counts; /* parts of a tile that are there; 0 between runs */
  AkAlso also;
} SmallNode;

/* Rows from r0 on of a matrix with `rows` of them. */
template <int ROWS>
static __device__ __forceinline__ void
bring (const uint16_t *from, unsigned r0, unsigned rows, const Small *a, unsigned k, unsigned end,
    uint16_t *to)
{
#pragma unroll
  for (unsigned i = threadIdx.x; i < ROWS * (STEP / 8); i += THREADS) {
    unsigned r = i / (STEP / 8), at = k + i % (STEP / 8) * 8;
    int is_there = r0 + r < rows && at < end;

    ak_copy_16 (to + r * ROW + i % (STEP / 8) * 8,
        from + (is_there ? (size_t) (r0 + r) * a->k + at : 0), is_there);
  }
}

/* V columns of the tile: finished, from the sums in shared memory or from all parts. */
template <int V>
static __device__ void
finish_tile (
    const Small *a, unsigned rows, const float *staging, const float *sums, uint16_t *rounded)
{
  const unsigned m0 = blockIdx.y * rows, n0 = blockIdx.x * BN;

  for (unsigned i = threadIdx.x * V; i < rows * BN; i += THREADS * V) {
    const unsigned r = m0 + i / BN, c = n0 + i % BN;
    float v[V], more[V];

    if (r >= a->m || c >= a->n)
      continue;
    if (a->parts == 1) {
      ak_get<V> (v, staging + i / BN * SUM_ROW + i % BN);
    } else {
      ak_get_shared<V> (v, sums + (size_t) r * a->n + c);
      for (unsigned p = 1; p < a->parts; p++) {
        ak_get_shared<V> (more, sums + ((size_t) p * a->m + r) * a->n + c);
        for (int j = 0; j < V; j++)
          v[j] += more[j];
      }
    }
    ak_finish<V> (&a->f, v, 0, r, c, rounded);
  }
}

template <int V>
static __device__ void
store_part (const Small *a, unsigned rows, const float *staging, float *sums)
{
  const unsigned m0 = blockIdx.y * rows, n0 = blockIdx.x * BN;

  for (unsigned i = threadIdx.x * V; i < rows * BN; i += THREADS * V) {
    const unsigned r = m0 + i / BN, c = n0 + i % BN;

    if (r < a->m && c < a->n)
      ak_put<V> (
          sums + ((size_t) blockIdx.z * a->m + r) * a->n + c, staging + i / BN * SUM_ROW + i % BN);
  }
}

/* Grid: tiles of columns, of BM rows; parts. */
template <int BM>
static __global__ void
__launch_bounds__ (THREADS)
    small (Small a, const uint16_t *x, float *sums, unsigned *counts, uint16_t *rounded)
{
  constexpr unsigned WM = BM == 64 ? 32 : BM, WN = BM == 64 ? 32 : 16; /* of a warp */
  constexpr unsigned STAGE = (BM + BN) * ROW;
  __shared__ int is_last;
  uint16_t *const memory = AK_SHARED (uint16_t);
  float *const staging = AK_SHARED (float); /* afterwards */
  const unsigned lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP;
  const unsigned wm = warp / (BN / WN) * WM, wn = warp % (BN / WN) * WN;
  const unsigned m0 = blockIdx.y * BM, n0 = blockIdx.x * BN;
  const unsigned begin = blockIdx.z * a.depth, end = min (begin + a.depth, a.k);
  const unsigned left_at = (wm + lane % 16) * ROW + lane / 16 * 8;
  const unsigned right_at = (BM + wn + lane % 8 + lane / 16 * 8) * ROW + lane / 8 % 2 * 8;
  float sum[WM / 16][WN / 8][4] = {};
  unsigned stage = 0;

  for (unsigned i = 0; i < STAGES - 1; i++) {
    bring<BM> (x, m0, a.m, &a, begin + i * STEP, end, memory + i * STAGE);
    bring<BN> (a.w, n0, a.n, &a, begin + i * STEP, end, memory + i * STAGE + BM * ROW);
    ak_copy_commit ();
  }
  for (unsigned k = begin; k < end; k += STEP, stage = (stage + 1) % STAGES) {
    const uint16_t *now = memory + stage * STAGE;
    uint16_t *next = memory + (stage + STAGES - 1) % STAGES * STAGE;

    ak_copy_wait<STAGES - 2> ();
    __syncthreads (); /* for all threads, and nobody reads the stage before any more */
    bring<BM> (x, m0, a.m, &a, k + (STAGES - 1) * STEP, end, next);
    bring<BN> (a.w, n0, a.n, &a, k + (STAGES - 1) * STEP, end, next + BM * ROW);
    ak_copy_commit ();
#pragma unroll
    for (unsigned i = 0; i < STEP; i += 16) {
      unsigned left[WM / 16][4], right[4];

      for (unsigned r = 0; r < WM / 16; r++)
        ak_mma_load (left[r], now + left_at + r * 16 * ROW + i);
      for (unsigned c = 0; c < WN / 16; c++) {
        ak_mma_load (right, now + right_at + c * 16 * ROW + i);
        for (unsigned r = 0; r < WM / 16; r++) {
          ak_mma (sum[r][2 * c], left[r], right);
          ak_mma (sum[r][2 * c + 1], left[r], right + 2);
        }
      }
    }
  }
  ak_copy_wait<0> ();
  __syncthreads (); /* nobody reads the stages any more */
  for (unsigned r = 0; r < WM / 16; r++)
    for (unsigned c = 0; c < WN / 8; c++)
      for (unsigned h = 0; h < 4; h++)
        staging[(wm + r * 16 + lane / 4 + h / 2 * 8) * SUM_ROW + wn + c * 8 + lane % 4 * 2 +
                h % 2] = sum[r][c][h];
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
    finish_tile<4> (&a, BM, staging, sums, rounded);
  else
    finish_tile<1> (&a, BM, staging, sums, rounded);
}

template <int BM>
static void
launch (const AkAt *at, const SmallNode *n)
{
  const Small *a = &n->a;
  dim3 grid (ak_blocks (a->n, BN), ak_blocks (a->m, BM), a->parts);

  AK_LAUNCH_LARGE (small<BM>, grid, THREADS, STAGES * (BM + BN) * ROW * sizeof (uint16_t), at, *a,
      (const uint16_t *) (at->scratch + n->x), (float *) (at->scratch + n->sums), n->counts,
      ak_rounded (at, &n->also));
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
      launch<16> (at, n);
      break;
    case 32:
      launch<32> (at, n);
      break;
    default:
      launch<64> (at, n);
  }
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
    AkPlan *plan, const AkCudaMatrix *m, size_t x_scratch, size_t used, const AkFinish *f)
{
  SmallNode node = { { (const uint16_t *) m->data, (unsigned) f->rows, (unsigned) m->n,
                         (unsigned) m->kp, 1, 0, m->n % 4 == 0 && ak_finish_is_aligned (f), *f },
    x_scratch, used, NULL, {} };
  Small *a = &node.a;
  size_t tiles = (size_t) ak_blocks (a->n, BN) * ak_blocks (a->m, tile_rows (a->m));
  SmallNode *kept;

  if (!m->bf16 || f->batch != 1 || f->rows > MOST_ROWS)
    return 0;
  while (a->parts < MOST_PARTS && tiles * a->parts < ENOUGH && a->k / a->parts >= 4 * STEP)
    a->parts *= 2;
  a->depth = ak_blocks (a->k, a->parts * STEP) * STEP;
  a->parts = ak_blocks (a->k, a->depth);
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
