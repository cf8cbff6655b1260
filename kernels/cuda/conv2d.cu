/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional convolutions as products of windows by weights, where the windows are read from the image on the way
 * and never written down: rows are pixels of the result, columns its channels, and a block has BM × BN of them. Sums are
 * float, in a fixed order. Where the result is too small for all of a card, several blocks share the sum. */
#include "math.cuh"

#define THREADS 256
#define BK 16      /* inputs at a time */
#define BLOCKS 264 /* that fill a large card */
#define MAX_SPLITS 16
#define PAD 4 /* numbers behind rows of shared memory, so that fewer writes meet in a bank */

typedef struct
{
  AkConv2d a;
  const float *weights; /* [n][k], k in the order [side][side][in] */
  unsigned side, in, out_width, pixels;
  unsigned m, n, k;           /* rows: batch · pixels */
  unsigned splits, per_split; /* of k: per_split inputs each, a multiple of BK */
  float *partial;             /* [splits][m][n] with more than one */
} Conv;

/* Where a window begins. */
typedef struct
{
  const float *x; /* batch item, or NULL where there is no row */
  int row, col;
} Window;

/* Which input a thread brings: channel c of row i, column j of the window. */
typedef struct
{
  unsigned c, i, j;
} Input;

static __device__ void
find_window (Window *w, const Conv *f, unsigned m)
{
  const unsigned b = m / f->pixels, p = m % f->pixels;

  w->x = m < f->m ? f->a.x.data + b * f->a.x.batch : NULL;
  w->row = (int) (p / f->out_width * f->a.stride) - (int) f->a.padding;
  w->col = (int) (p % f->out_width * f->a.stride) - (int) f->a.padding;
}

/* Of the window: its number at `in`, or 0. */
static __device__ const float *
input_at (const Window *w, const Conv *f, const Input *in)
{
  const int row = w->row + (int) in->i, col = w->col + (int) in->j;

  if (!w->x || in->i >= f->side || row < 0 || col < 0 || row >= (int) f->a.height ||
      col >= (int) f->a.width)
    return NULL;
  return w->x + ((size_t) row * f->a.width + col) * f->a.x.row + in->c;
}

static __device__ void
advance (Input *in, const Conv *f, unsigned by)
{
  in->c += by;
  while (in->c >= f->in) {
    in->c -= f->in;
    if (++in->j == f->side) {
      in->j = 0;
      in->i++;
    }
  }
}

/* VEC numbers from `from` (aligned to all of them), or zeros. */
template <int VEC>
static __device__ void
fetch (float *to, const float *from)
{
  if constexpr (VEC == 4) {
    const float4 v = from ? *(const float4 *) from : make_float4 (0, 0, 0, 0);

    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else {
    to[0] = from ? *from : 0;
  }
}

/* residual + gate · act (out_scale · s + bias + noise) */
static __device__ void
finish (const Conv *f, unsigned m, unsigned n, float s)
{
  const AkConv2d *a = &f->a;
  const size_t b = m / f->pixels, p = m % f->pixels;

  if (a->out_scale.data)
    s *= a->out_scale.data[b * a->out_scale.batch + n];
  if (a->bias)
    s += a->bias[n];
  if (a->noise.data)
    s += a->noise.data[b * a->noise.batch + p * a->noise.row];
  s = ak_act (s, a->activation);
  if (a->gate.data)
    s *= a->gate.data[b * a->gate.batch + p * a->gate.row + n];
  if (a->residual.data)
    s += a->residual.data[b * a->residual.batch + p * a->residual.row + n];
  a->y.data[b * a->y.batch + p * a->y.row + n] = s;
}

/* A thread has TM × TN sums, and VEC adjacent inputs at a time to bring. */
template <int BM, int BN, int TM, int TN, int VEC>
static __global__ void
__launch_bounds__ (THREADS, VEC == 4 ? 2 : 1) conv_kernel (Conv f)
{
  constexpr int LANES = BK / VEC, ROWS = THREADS / LANES; /* threads of a row, rows at a time */
  constexpr int A_LOADS = (BM + ROWS - 1) / ROWS, B_LOADS = (BN + ROWS - 1) / ROWS;
  __shared__ __align__ (16) float a_tile[2][BK][BM + PAD], b_tile[2][BK][BN + PAD];
  const unsigned tid = threadIdx.x, lane = tid % LANES * VEC, row = tid / LANES;
  const unsigned m0 = blockIdx.x * BM, n0 = blockIdx.y * BN;
  const unsigned begin = blockIdx.z * f.per_split;
  const unsigned end = begin + f.per_split < f.k ? begin + f.per_split : f.k;
  const unsigned tm = tid / (BN / TN) * TM, tn = tid % (BN / TN) * TN;
  float acc[TM][TN] = {}, a_next[A_LOADS][VEC] = {}, b_next[B_LOADS][VEC] = {};
  Window window[A_LOADS];
  Input in = { 0, 0, 0 };
  int buffer = 0;

  for (int l = 0; l < A_LOADS; l++)
    find_window (window + l, &f, m0 + row + l * ROWS);
  in.c = (begin + lane) % f.in;
  in.j = (begin + lane) / f.in % f.side;
  in.i = (begin + lane) / f.in / f.side;

  for (unsigned k = begin; k < end + BK; k += BK) {
    if (k < end) { /* bring the next inputs */
      for (int l = 0; l < A_LOADS; l++) {
        const float *from = k + lane < end ? input_at (window + l, &f, &in) : NULL;

        fetch<VEC> (a_next[l], from);
        if (from && f.a.in_scale.data)
          for (int v = 0; v < VEC; v++)
            a_next[l][v] *=
                f.a.in_scale.data[(m0 + row + l * ROWS) / f.pixels * f.a.in_scale.batch + in.c + v];
      }
      for (int l = 0; l < B_LOADS; l++) {
        const unsigned n = n0 + row + l * ROWS;

        fetch<VEC> (
            b_next[l], n < f.n && k + lane < end ? f.weights + (size_t) n * f.k + k + lane : NULL);
      }
      advance (&in, &f, BK);
    }
    if (k > begin) { /* multiply the last ones */
#pragma unroll
      for (int i = 0; i < BK; i++) {
        float a[TM], b[TN];

#pragma unroll
        for (int r = 0; r < TM; r++)
          a[r] = a_tile[buffer][i][tm + r];
#pragma unroll
        for (int c = 0; c < TN; c++)
          b[c] = b_tile[buffer][i][tn + c];
#pragma unroll
        for (int r = 0; r < TM; r++)
#pragma unroll
          for (int c = 0; c < TN; c++)
            acc[r][c] += a[r] * b[c];
      }
      buffer ^= 1;
    }
    if (k < end) {
      for (int v = 0; v < VEC; v++) {
        for (int l = 0; l < A_LOADS; l++)
          if (A_LOADS * ROWS == BM || row + l * ROWS < BM)
            a_tile[buffer][lane + v][row + l * ROWS] = a_next[l][v];
        for (int l = 0; l < B_LOADS; l++)
          if (B_LOADS * ROWS == BN || row + l * ROWS < BN)
            b_tile[buffer][lane + v][row + l * ROWS] = b_next[l][v];
      }
      __syncthreads ();
    }
  }
  for (int r = 0; r < TM; r++)
    for (int c = 0; c < TN; c++) {
      const unsigned m = m0 + tm + r, n = n0 + tn + c;

      if (m >= f.m || n >= f.n)
        continue;
      if (f.splits > 1)
        f.partial[((size_t) blockIdx.z * f.m + m) * f.n + n] = acc[r][c];
      else
        finish (&f, m, n, acc[r][c]);
    }
}

static __global__ void
sum_kernel (Conv f)
{
  const unsigned i = blockIdx.x * THREADS + threadIdx.x;
  float s = 0;

  if (i >= f.m * f.n)
    return;
  for (unsigned z = 0; z < f.splits; z++)
    s += f.partial[(size_t) z * f.m * f.n + i];
  finish (&f, i / f.n, i % f.n, s);
}

/* How large blocks are. */
typedef enum { NARROW, THIN, SMALL, MIDDLE, LARGE } Shape;
static const struct
{
  unsigned m, n;
} shapes[] = { { 256, 16 }, { 128, 32 }, { 32, 64 }, { 128, 64 }, { 128, 128 } };

typedef struct
{
  Conv f;
  Shape shape;
  int vectors; /* 4 numbers can be read at once */
} Node;

template <int BM, int BN, int TM, int TN>
static void
launch (const AkAt *at, const Conv *f, int vectors)
{
  dim3 grid (ak_blocks (f->m, BM), ak_blocks (f->n, BN), f->splits);

  if (vectors)
    AK_LAUNCH ((conv_kernel<BM, BN, TM, TN, 4>), grid, THREADS, 0, at, *f);
  else
    AK_LAUNCH ((conv_kernel<BM, BN, TM, TN, 1>), grid, THREADS, 0, at, *f);
}

static void
conv2d_run (const AkAt *at, const void *args)
{
  const Node *n = (const Node *) args;
  Conv f = n->f;

  f.partial = (float *) at->scratch;
  switch (n->shape) {
    case NARROW:
      launch<256, 16, 4, 4> (at, &f, n->vectors);
      break;
    case THIN:
      launch<128, 32, 4, 4> (at, &f, n->vectors);
      break;
    case SMALL:
      launch<32, 64, 2, 4> (at, &f, n->vectors);
      break;
    case MIDDLE:
      launch<128, 64, 8, 4> (at, &f, n->vectors);
      break;
    case LARGE:
      launch<128, 128, 8, 8> (at, &f, n->vectors);
      break;
  }
  if (f.splits > 1)
    AK_LAUNCH (sum_kernel, ak_blocks ((size_t) f.m * f.n, THREADS), THREADS, 0, at, f);
}

static size_t
blocks_of (const Conv *f, Shape shape)
{
  return (size_t) ak_blocks (f->m, shapes[shape].m) * ak_blocks (f->n, shapes[shape].n);
}

static Shape
choose_shape (const Conv *f)
{
  if (f->n <= 16)
    return NARROW;
  if (f->n <= 32)
    return THIN;
  if (blocks_of (f, LARGE) >= BLOCKS && f->n > 64)
    return LARGE;
  return blocks_of (f, MIDDLE) >= BLOCKS / 2 ? MIDDLE : SMALL;
}

/* Shares the sum among several blocks if there are too few, as long as each has enough to do. */
static void
choose_splits (Conv *f, Shape shape)
{
  const size_t blocks = blocks_of (f, shape), steps = (f->k + BK - 1) / BK;
  size_t splits = (BLOCKS + blocks - 1) / blocks, per;

  splits = splits < steps / 8 ? splits : steps / 8;
  splits = splits < 1 ? 1 : splits < MAX_SPLITS ? splits : MAX_SPLITS;
  per = (steps + splits - 1) / splits;
  f->per_split = (unsigned) per * BK;
  f->splits = (unsigned) ((steps + per - 1) / per);
}

static int
is_aligned (AkRows v)
{
  return (uintptr_t) v.data % 16 == 0 && v.row % 4 == 0 && v.batch % 4 == 0;
}

static void
conv2d_record (AkPlan *plan, const AkConv2d *a)
{
  const AkCudaMatrix *matrix = (const AkCudaMatrix *) a->matrix;
  const size_t side = matrix->base.side, most = 0x40000000;
  const size_t height = ak_conv_rows (a->height, side, a->stride, 1, a->padding, a->padding);
  const size_t width = ak_conv_rows (a->width, side, a->stride, 1, a->padding, a->padding);
  Node n = {};
  Conv *f = &n.f;

  /* sizes have 32 bits */
  if (height > most / width || a->batch > most / (height * width) || matrix->k > most ||
      a->height > most || a->width > most || matrix->n > most ||
      matrix->n > 0xffffffffu / (a->batch * height * width)) {
    ak_plan_fail (plan, AK_ERR_ARG);
    return;
  }
  f->a = *a;
  f->weights = (const float *) matrix->data;
  f->side = (unsigned) side;
  f->in = (unsigned) matrix->base.in;
  f->out_width = (unsigned) width;
  f->pixels = (unsigned) (height * width);
  f->m = (unsigned) (a->batch * height * width);
  f->n = (unsigned) matrix->n;
  f->k = (unsigned) matrix->k;
  n.shape = choose_shape (f);
  n.vectors = f->in % 4 == 0 && is_aligned (a->x);
  choose_splits (f, n.shape);
  if (f->splits > 1)
    ak_cuda_scratch (plan, (size_t) f->splits * f->m * f->n * sizeof (float));
  ak_cuda_append (plan, conv2d_run, NULL, &n, sizeof n);
}

void
ak_cuda_conv2d_init (AkOps *ops)
{
  ops->conv2d = conv2d_record;
}
