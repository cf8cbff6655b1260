/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions along the rows whose windows are many times the input: products whose inputs are looked up as they are
 * needed. A block has a tile of results of one group; the sum is cut into parts, which a kernel adds, where there would be
 * too few blocks. */
#include "product.cuh"
#include "tile.cuh"

#define ENOUGH 128 /* blocks that keep a card busy */
#define MOST_PARTS 16

typedef struct
{
  AkRows x;
  const void *w; /* [groups][n][kp] */
  unsigned batch, rows, groups, channels, n, k, kp, kernel, stride, dilation, left;
  int w_bf16, x_aligned, y_aligned; /* see ak_is_aligned() */
  unsigned parts, depth;            /* of a part: inputs, or taps */
  unsigned tile, window;            /* of a block: results, rows of the input */
  AkFinish f;
  AkAlso also;
} Direct;

/* V sums of item b, row t, columns from c on, to where they belong. */
template <int V>
static __device__ void
emit (
    const Direct *a, float *v, unsigned b, unsigned t, unsigned c, float *parts, uint16_t *rounded)
{
  if (a->parts == 1)
    ak_finish<V> (&a->f, v, b, t, c, rounded);
  else
    ak_put<V> (parts + (((size_t) blockIdx.z * a->batch + b) * a->f.rows + t) * a->f.cols + c, v);
}

/* Which group, item and results a block has. */
typedef struct
{
  unsigned b, g, o, t; /* from o, t on */
} Place;

static __device__ Place
place (const Direct *a, unsigned tile)
{
  unsigned tiles = (a->n + tile - 1) / tile, rest = blockIdx.y / tiles;

  return (
      Place){ rest / a->groups, rest % a->groups, blockIdx.y % tiles * tile, blockIdx.x * a->tile };
}

/* V at a time, `rows` rows of AK_TILE_BN sums of shared memory, AK_TILE_SUM_ROW apart: results from row t of p->b and column
 * p->o of the group on. By `threads` threads, of which this is number `thread`. */
template <int V>
static __device__ void
emit_tile (const Direct *a, const Place *p, float *sums, unsigned t, unsigned rows, unsigned thread,
    unsigned threads, float *parts, uint16_t *rounded)
{
  for (unsigned j = thread * V; j < rows * AK_TILE_BN; j += threads * V) {
    const unsigned r = j / AK_TILE_BN, c = j % AK_TILE_BN;

    if (t + r < a->f.rows && p->o + c < a->n)
      emit<V> (
          a, sums + r * AK_TILE_SUM_ROW + c, p->b, t + r, p->g * a->n + p->o + c, parts, rounded);
  }
}

/* Tiles [TILE][TILE] of float32, with weights of either type. */
#define TILE AK_TILE_BN
#define DEPTH 16 /* inputs at a time */
#define THREADS 128
#define ROWS 8 /* results of a thread */
#define COLS 4
#define STRIDE AK_TILE_SUM_ROW /* a multiple of 4 that is none of 32 */
#define LOADS (TILE * DEPTH / THREADS)

static __global__ void
__launch_bounds__ (THREADS) direct (Direct a, float *parts, uint16_t *rounded)
{
  __shared__ __align__ (16) float memory[TILE * STRIDE]; /* inputs and weights, then sums */
  float *const xs = memory, *const ws = memory + DEPTH * STRIDE;
  const unsigned i = threadIdx.x, row = i / (TILE / COLS) * ROWS, col = i % (TILE / COLS) * COLS;
  const unsigned first = blockIdx.z * a.depth, last = min (first + a.depth, a.k);
  const Place p = place (&a, TILE);
  const float *x = a.x.data + p.b * a.x.batch + (size_t) p.g * a.channels;
  float acc[ROWS][COLS] = {}, x_next[LOADS], w_next[LOADS];

  for (unsigned k0 = first; k0 < last + DEPTH; k0 += DEPTH) {
    unsigned at = k0 + i % DEPTH, c = at % a.channels, k = at / a.channels;

    for (unsigned l = 0; k0 < last && l < LOADS; l++) {
      unsigned j = i / DEPTH + l * (THREADS / DEPTH), o = p.o + j;
      unsigned from = (p.t + j) * a.stride + k * a.dilation;
      size_t w = (size_t) (p.g * a.n + o) * a.kp + at;

      x_next[l] = w_next[l] = 0;
      if (at < last && p.t + j < a.f.rows && from >= a.left && from - a.left < a.rows)
        x_next[l] = x[(from - a.left) * a.x.row + c];
      if (at < last && o < a.n)
        w_next[l] = a.w_bf16 ? __uint_as_float ((unsigned) ((const uint16_t *) a.w)[w] << 16)
                             : ((const float *) a.w)[w];
    }
    if (k0 > first) /* multiply the last ones */
      for (int d = 0; d < DEPTH; d++) {
        float l[ROWS], r[COLS];

        ak_get<4> (l, xs + d * STRIDE + row);
        ak_get<4> (l + 4, xs + d * STRIDE + row + 4);
        ak_get<4> (r, ws + d * STRIDE + col);
        for (int m = 0; m < ROWS; m++)
          for (int n = 0; n < COLS; n++)
            acc[m][n] += l[m] * r[n];
      }
    __syncthreads ();
    for (unsigned l = 0; k0 < last && l < LOADS; l++) {
      unsigned j = i / DEPTH + l * (THREADS / DEPTH);

      xs[i % DEPTH * STRIDE + j] = x_next[l];
      ws[i % DEPTH * STRIDE + j] = w_next[l];
    }
    __syncthreads ();
  }
  for (int m = 0; m < ROWS; m++)
    ak_put<4> (memory + (row + m) * STRIDE + col, acc[m]);
  __syncthreads ();
  emit_tile<1> (&a, &p, memory, p.t, TILE, i, THREADS, parts, rounded);
}

/* The same in float32, where inputs lie by aligned quads. */

static __global__ void
__launch_bounds__ (AK_TILE_THREADS) direct_quads (Direct a, float *parts, uint16_t *rounded)
{
  typedef AkPlain<TILE> Sums;
  constexpr unsigned STAGE = (TILE + AK_TILE_BN) * Sums::ROW;
  float *const memory = AK_SHARED (float);
  const unsigned first = blockIdx.z * a.depth, last = min (first + a.depth, a.k);
  const unsigned quad = threadIdx.x % AK_TILE_CHUNKS * 4;
  const Place p = place (&a, AK_TILE_BN);
  const float *x = a.x.data + p.b * a.x.batch + (size_t) p.g * a.channels;
  const float *w = (const float *) a.w + (size_t) p.g * a.n * a.kp;
  unsigned stage = 0;
  Sums own;

  for (unsigned k = first; k < last + (AK_TILE_STAGES - 1) * Sums::STEP; k += Sums::STEP) {
    const unsigned at = k + quad, c = at % a.channels, tap = at / a.channels;
    float *to = memory + stage * STAGE;

    stage = (stage + 1) % AK_TILE_STAGES; /* now the oldest one */
    if (k >= first + (AK_TILE_STAGES - 1) * Sums::STEP) {
      ak_copy_wait<AK_TILE_STAGES - 2> ();
      __syncthreads (); /* for all threads, and nobody reads the stage that comes next any more */
    }
#pragma unroll
    for (unsigned j = threadIdx.x / AK_TILE_CHUNKS; j < TILE;
         j += AK_TILE_THREADS / AK_TILE_CHUNKS) {
      const unsigned from = (p.t + j) * a.stride + tap * a.dilation;
      const int is_there = at < last && from >= a.left && from - a.left < a.rows;

      ak_copy_16 (to + j * Sums::ROW + quad,
          is_there ? x + (from - a.left) * a.x.row + c : a.x.data, is_there);
    }
    ak_bring<AK_TILE_BN> (w, a.kp, p.o, a.n, k, last, to + TILE * Sums::ROW);
    ak_copy_commit ();
    if (k >= first + (AK_TILE_STAGES - 1) * Sums::STEP)
      own.add (memory + stage * STAGE);
  }
  ak_copy_wait<0> ();
  __syncthreads (); /* nobody reads the stages any more */
  own.store (memory);
  __syncthreads ();
  if (a.y_aligned)
    emit_tile<4> (&a, &p, memory, p.t, TILE, threadIdx.x, AK_TILE_THREADS, parts, rounded);
  else
    emit_tile<1> (&a, &p, memory, p.t, TILE, threadIdx.x, AK_TILE_THREADS, parts, rounded);
}

/* By tensor cores, in bfloat16: the input's window lies in shared memory once, as windows of adjacent rows are the same but
 * for a row; weights come by. A warp has 32 results of 64 channels. */
#define OUT AK_TILE_BN   /* channels of a block */
#define OWN 32           /* results of a warp */
#define WARPS 8          /* at most */
#define STEP 64          /* inputs of a stage */
#define STAGES 4         /* that lie in shared memory or are on the way */
#define W_ROW (STEP + 8) /* numbers of a row in shared memory: 8 rows then lie in different banks */
#define MOST_SHARED ((size_t) 96 << 10)

static __device__ __forceinline__ void
bring (const Direct *a, const Place *p, unsigned k, unsigned end, uint16_t *to)
{
  for (unsigned i = threadIdx.x; i < OUT * (STEP / 8); i += blockDim.x) {
    unsigned o = i / (STEP / 8), at = k + i % (STEP / 8) * 8;
    int is_there = at < end && p->o + o < a->n;
    size_t from = is_there ? (size_t) (p->g * a->n + p->o + o) * a->kp + at : 0;

    ak_copy_16 (to + o * W_ROW + i % (STEP / 8) * 8, (const uint16_t *) a->w + from, is_there);
  }
  ak_copy_commit ();
}

/* Rows of the input from `from` on (the first `left` there are zeros), rounded. */
template <int V>
static __device__ void
bring_window (const Direct *a, const Place *p, unsigned from, uint16_t *to)
{
  const float *x = a->x.data + p->b * a->x.batch + (size_t) p->g * a->channels;

  for (unsigned i = threadIdx.x; i < a->window * (a->channels / V); i += blockDim.x) {
    unsigned r = i / (a->channels / V), c = i % (a->channels / V) * V, at = from + r;
    float v[V] = {};

    if (at >= a->left && at - a->left < a->rows)
      ak_get<V> (v, x + (at - a->left) * a->x.row + c);
    ak_put_rounded<V> (to + r * (a->channels + 8) + c, v);
  }
}

/* 16 inputs more: `x` is the lane's row of the window, `step` numbers before its row of the other 16 results, `w` its row
 * of the weights. */
static __device__ __forceinline__ void
add (float (*sum)[OUT / 8][4], const uint16_t *x, unsigned step, const uint16_t *w)
{
  unsigned left[OWN / 16][4], right[4];

  for (int i = 0; i < OWN / 16; i++)
    ak_mma_load (left[i], x + i * step);
  for (int j = 0; j < OUT / 16; j++) {
    ak_mma_load (right, w + j * 16 * W_ROW);
    for (int i = 0; i < OWN / 16; i++) {
      ak_mma (sum[i][2 * j], left[i], right);
      ak_mma (sum[i][2 * j + 1], left[i], right + 2);
    }
  }
}

static __global__ void
__launch_bounds__ (WARPS *AK_WARP, 2) direct_bf16 (Direct a, float *parts, uint16_t *rounded)
{
  const unsigned row = a.channels + 8, lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP;
  uint16_t *const xs = AK_SHARED (uint16_t), *const ws = xs + a.window * row;
  const Place p = place (&a, OUT);
  const unsigned tap = blockIdx.z * a.depth;
  const unsigned begin = tap * a.channels, end = min (tap + a.depth, a.kernel) * a.channels;
  const uint16_t *x =
      xs + (warp * OWN + lane % 16) * a.stride * row + lane / 16 * 8; /* of the tap */
  const unsigned w = (lane % 8 + lane / 16 * 8) * W_ROW + lane / 8 % 2 * 8;
  float sum[OWN / 16][OUT / 8][4] = {};
  float *staging = (float *) ws + warp * 16 * AK_TILE_SUM_ROW;
  unsigned c = 0, stage = 0;

  for (unsigned i = 0; i < STAGES - 1; i++)
    bring (&a, &p, begin + i * STEP, end, ws + i * OUT * W_ROW);
  if (a.x_aligned)
    bring_window<4> (&a, &p, p.t * a.stride + tap * a.dilation, xs);
  else
    bring_window<1> (&a, &p, p.t * a.stride + tap * a.dilation, xs);
  for (unsigned k = begin; k < end; k += STEP, stage = (stage + 1) % STAGES) {
    const unsigned steps = min (end - k, (unsigned) STEP) / 16;
    const uint16_t *weights = ws + stage * OUT * W_ROW + w;

    ak_copy_wait<STAGES - 2> ();
    __syncthreads (); /* for all threads, and nobody reads the stage before any more */
    bring (&a, &p, k + (STAGES - 1) * STEP, end, ws + (stage + STAGES - 1) % STAGES * OUT * W_ROW);
#pragma unroll
    for (unsigned i = 0; i < STEP / 16; i++) {
      if (i < steps)
        add (sum, x + c, 16 * a.stride * row, weights + i * 16);
      c += 16;
      if (c == a.channels) {
        c = 0;
        x += a.dilation * row;
      }
    }
  }
  ak_copy_wait<0> ();
  __syncthreads (); /* nobody reads the weights any more */
#pragma unroll
  for (int i = 0; i < OWN / 16; i++) {
    for (int j = 0; j < OUT / 8; j++)
      for (int h = 0; h < 4; h++)
        staging[(lane / 4 + h / 2 * 8) * AK_TILE_SUM_ROW + j * 8 + lane % 4 * 2 + h % 2] =
            sum[i][j][h];
    __syncwarp ();
    if (a.y_aligned)
      emit_tile<4> (&a, &p, staging, p.t + warp * OWN + i * 16, 16, lane, AK_WARP, parts, rounded);
    else
      emit_tile<1> (&a, &p, staging, p.t + warp * OWN + i * 16, 16, lane, AK_WARP, parts, rounded);
    __syncwarp ();
  }
}

static void
run_direct (const AkAt *at, const void *args)
{
  const Direct *a = (const Direct *) args;
  float *parts = (float *) at->scratch;
  dim3 grid (
      ak_blocks (a->f.rows, a->tile), a->batch * a->groups * ak_blocks (a->n, TILE), a->parts);

  if (!a->w_bf16 && a->x_aligned)
    AK_LAUNCH_LARGE (direct_quads, grid, AK_TILE_THREADS,
        AK_TILE_STAGES * (TILE + AK_TILE_BN) * (AK_TILE_CHUNKS + 1) * AK_TILE_CHUNK, at, *a, parts,
        ak_rounded (at, &a->also));
  else
    AK_LAUNCH (direct, grid, THREADS, 0, at, *a, parts, ak_rounded (at, &a->also));
}

static size_t
shared_bytes (const Direct *a)
{
  return ((size_t) a->window * (a->channels + 8) + STAGES * OUT * W_ROW) * sizeof (uint16_t);
}

static void
run_direct_bf16 (const AkAt *at, const void *args)
{
  const Direct *a = (const Direct *) args;
  float *parts = (float *) at->scratch;
  dim3 grid (
      ak_blocks (a->f.rows, a->tile), a->batch * a->groups * ak_blocks (a->n, OUT), a->parts);

  AK_LAUNCH_LARGE (direct_bf16, grid, a->tile / OWN * AK_WARP, shared_bytes (a), at, *a, parts,
      ak_rounded (at, &a->also));
}

/* Tiles for tensor cores, in as few parts as fill the card and let the windows fit. Returns 0 if they do not. */
static int
cut_bf16 (Direct *a)
{
  unsigned tiles = ak_blocks (a->f.rows, WARPS * OWN);
  size_t blocks = (size_t) tiles * a->batch * a->groups * ak_blocks (a->n, OUT);

  if (!a->w_bf16 || a->channels % 16 || a->kp != a->k)
    return 0;
  a->tile = ak_blocks (ak_blocks (a->f.rows, tiles), OWN) * OWN;
  for (unsigned parts = 1; parts <= MOST_PARTS; parts *= 2) {
    a->depth = (a->kernel + parts - 1) / parts;
    a->parts = (a->kernel + a->depth - 1) / a->depth;
    a->window = (a->tile - 1) * a->stride + (a->depth - 1) * a->dilation + 1;
    if (shared_bytes (a) <= MOST_SHARED &&
        (blocks * parts >= ENOUGH || a->depth * a->channels <= 8 * STEP))
      return 1;
  }
  return shared_bytes (a) <= MOST_SHARED;
}

static void
cut (Direct *a)
{
  size_t blocks =
      (size_t) ak_blocks (a->f.rows, TILE) * a->batch * a->groups * ak_blocks (a->n, TILE);
  unsigned parts = 1;

  while (parts < MOST_PARTS && blocks * parts < 4 * ENOUGH && a->k / parts > 16 * DEPTH)
    parts *= 2;
  a->tile = TILE;
  a->depth = ((a->k + parts - 1) / parts + DEPTH - 1) / DEPTH * DEPTH;
  a->parts = (a->k + a->depth - 1) / a->depth;
}

void
ak_cuda_direct (AkPlan *plan, const AkConv *conv, const AkFinish *f)
{
  const AkCudaMatrix *m = (const AkCudaMatrix *) conv->matrix;
  size_t numbers = f->batch * f->rows * f->cols, channels = m->base.in / m->base.groups;
  Direct a = { .x = conv->x,
    .w = m->data,
    .batch = (unsigned) conv->batch,
    .rows = (unsigned) conv->rows,
    .groups = (unsigned) m->base.groups,
    .channels = (unsigned) channels,
    .n = (unsigned) m->n,
    .k = (unsigned) m->k,
    .kp = (unsigned) m->kp,
    .kernel = (unsigned) m->base.kernel,
    .stride = (unsigned) conv->stride,
    .dilation = (unsigned) conv->dilation,
    .left = (unsigned) conv->left,
    .w_bf16 = m->bf16,
    .x_aligned = channels % 4 == 0 && ak_is_aligned (conv->x, conv->batch, conv->rows),
    .y_aligned = m->n % 4 == 0 && ak_finish_is_aligned (f),
    .f = *f };
  int tensor = cut_bf16 (&a);
  Direct *kept;

  if (!tensor)
    cut (&a);
  if (a.parts > 1)
    ak_cuda_scratch (plan, a.parts * numbers * sizeof (float));
  kept =
      (Direct *) ak_cuda_append (plan, tensor ? run_direct_bf16 : run_direct, NULL, &a, sizeof a);
  if (a.parts == 1 && kept) {
    ak_offer (plan, f->y, f->batch, f->rows, f->cols, &kept->also, 0);
  } else if (kept) {
    AkFinish sums = *f;

    sums.t = ak_dense (NULL, f->rows, f->cols);
    sums.parts = a.parts;
    sums.t_part = numbers;
    ak_cuda_finish (plan, &sums, 0, a.parts * numbers * sizeof (float));
  }
}
