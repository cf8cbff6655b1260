/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional convolutions as products of windows by weights, where the windows are read from the image on the way
 * and never written down: rows are pixels of the result, columns its channels, and a block has BM × BN of them. Sums are
 * float, in a fixed order. Where the result is too small for all of a card, several blocks share the sum. Those with
 * weights of bfloat16 are in conv2d_bf16.cu; conv2d_narrow.cu and conv2d_library.cu are asked first. */
#include "conv2d.cuh"

#define THREADS AK_CONV_THREADS
#define BK 16      /* inputs at a time */
#define BLOCKS 264 /* that fill a large card */
#define MAX_SPLITS 16
#define VECTORS_FROM 100000 /* sums */
#define PAD 4 /* numbers behind rows of shared memory, so that fewer writes meet in a bank */

/* A thread has TM × TN sums, and VEC adjacent inputs at a time to bring. */
template <int BM, int BN, int TM, int TN, int VEC>
static __global__ void
__launch_bounds__ (THREADS, VEC == 4 ? 2 : 1) conv_kernel (AkConvJob f)
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
  AkWindow window[A_LOADS];
  AkInput in = { 0, 0, 0 };
  int buffer = 0;

  if (f.a.spans && !__syncthreads_or (tid < BM && ak_conv_wanted (&f, m0 + tid)))
    return; /* all of the block */
  for (int l = 0; l < A_LOADS; l++)
    ak_conv_window (window + l, &f, m0 + row + l * ROWS);
  in.c = (begin + lane) % f.in;
  in.j = (begin + lane) / f.in % f.side;
  in.i = (begin + lane) / f.in / f.side;

  for (unsigned k = begin; k < end + BK; k += BK) {
    if (k < end) { /* bring the next inputs */
      for (int l = 0; l < A_LOADS; l++) {
        const float *from = k + lane < end ? ak_conv_input (window + l, &f, &in) : NULL;

        ak_conv_fetch<VEC> (a_next[l], from);
        if (from && f.a.in_scale.data)
          for (int v = 0; v < VEC; v++)
            a_next[l][v] *=
                f.a.in_scale.data[(m0 + row + l * ROWS) / f.pixels * f.a.in_scale.batch + in.c + v];
      }
      for (int l = 0; l < B_LOADS; l++) {
        const unsigned n = n0 + row + l * ROWS;

        ak_conv_fetch<VEC> (b_next[l],
            n < f.n && k + lane < end ? (const float *) f.weights + (size_t) n * f.kp + k + lane
                                      : NULL);
      }
      ak_conv_advance (&in, &f, BK);
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
#pragma unroll /* or the sums have to lie in memory */
  for (int r = 0; r < TM; r++)
#pragma unroll
    for (int c = 0; c < TN; c++) {
      const unsigned m = m0 + tm + r, n = n0 + tn + c;
      float s = acc[r][c];

      if (m >= f.m || n >= f.n)
        continue;
      if (f.splits > 1)
        f.partial[((size_t) blockIdx.z * f.m + m) * f.n + n] = s;
      else
        ak_conv_finish<1> (&f, m, n, &s, NULL);
    }
}

/* A thread has VEC adjacent sums. */
template <int VEC>
static __global__ void
sum_kernel (AkConvJob f, uint16_t *rounded)
{
  const unsigned i = (blockIdx.x * THREADS + threadIdx.x) * VEC;
  float s[VEC] = {}, part[VEC];

  if (i >= f.m * f.n || !ak_conv_wanted (&f, i / f.n))
    return;
  for (unsigned z = 0; z < f.splits; z++) {
    ak_get<VEC> (part, f.partial + (size_t) z * f.m * f.n + i);
    for (int k = 0; k < VEC; k++)
      s[k] += part[k];
  }
  ak_conv_finish<VEC> (&f, i / f.n, i % f.n, s, rounded);
}

void
ak_cuda_conv2d_finish (const AkAt *at, const AkConvJob *f, uint16_t *rounded)
{
  const AkRows bias = ak_same ((float *) f->a.bias);
  const size_t n = (size_t) f->m * f->n;
  /* a small result is better shared by many threads */
  const int fours = n >= VECTORS_FROM && f->n % 4 == 0 && ak_is_aligned (f->a.y) &&
                    ak_is_aligned (bias) && ak_is_aligned (f->a.out_scale) &&
                    ak_is_aligned (f->a.gate) && ak_is_aligned (f->a.residual);

  AK_LAUNCH_VECTORS (sum_kernel, fours, n, THREADS, at, *f, rounded);
}

/* By AkConvShape. */
static const struct
{
  unsigned m, n;
} shapes[] = { { 256, 16 }, { 128, 32 }, { 32, 64 }, { 128, 64 }, { 128, 128 } };

typedef struct
{
  AkConvJob f;
  AkConvShape shape;
  int vectors; /* 4 numbers can be read at once */
  int bf16;
} Node;

template <int BM, int BN, int TM, int TN>
static void
launch (const AkAt *at, const AkConvJob *f, int vectors)
{
  dim3 grid (ak_blocks (f->m, BM), ak_blocks (f->n, BN), f->splits);

  if (vectors)
    AK_LAUNCH ((conv_kernel<BM, BN, TM, TN, 4>), grid, THREADS, 0, at, *f);
  else
    AK_LAUNCH ((conv_kernel<BM, BN, TM, TN, 1>), grid, THREADS, 0, at, *f);
}

static void
launch_shape (const AkAt *at, const AkConvJob *f, AkConvShape shape, int vectors)
{
  switch (shape) {
    case AK_CONV_NARROW:
      launch<256, 16, 4, 4> (at, f, vectors);
      break;
    case AK_CONV_THIN:
      launch<128, 32, 4, 4> (at, f, vectors);
      break;
    case AK_CONV_SMALL:
      launch<32, 64, 2, 4> (at, f, vectors);
      break;
    case AK_CONV_MIDDLE:
      launch<128, 64, 8, 4> (at, f, vectors);
      break;
    case AK_CONV_LARGE:
      launch<128, 128, 8, 8> (at, f, vectors);
      break;
  }
}

static void
conv2d_run (const AkAt *at, const void *args)
{
  const Node *n = (const Node *) args;
  AkConvJob f = n->f;

  f.partial = (float *) at->scratch;
  if (n->bf16)
    ak_cuda_conv2d_bf16 (at, &f, n->shape, n->vectors);
  else
    launch_shape (at, &f, n->shape, n->vectors);
  if (f.splits > 1)
    ak_cuda_conv2d_finish (at, &f, NULL);
}

static size_t
blocks_of (const AkConvJob *f, AkConvShape shape)
{
  return (size_t) ak_blocks (f->m, shapes[shape].m) * ak_blocks (f->n, shapes[shape].n);
}

static AkConvShape
choose_shape (const AkConvJob *f, int bf16)
{
  if (f->n <= 16 && !bf16)
    return AK_CONV_NARROW;
  if (f->n <= 32)
    return AK_CONV_THIN;
  if (blocks_of (f, AK_CONV_LARGE) >= BLOCKS && f->n > 64)
    return AK_CONV_LARGE;
  return blocks_of (f, AK_CONV_MIDDLE) >= BLOCKS / 2 ? AK_CONV_MIDDLE : AK_CONV_SMALL;
}

/* Shares the sum among several blocks if there are too few, as long as each has enough to do. */
static void
choose_splits (AkConvJob *f, AkConvShape shape, size_t step)
{
  const size_t blocks = blocks_of (f, shape), steps = (f->k + step - 1) / step;
  size_t splits = (BLOCKS + blocks - 1) / blocks, per;

  splits = splits < steps / 8 ? splits : steps / 8;
  splits = splits < 1 ? 1 : splits < MAX_SPLITS ? splits : MAX_SPLITS;
  per = (steps + splits - 1) / splits;
  f->per_split = (unsigned) (per * step);
  f->splits = (unsigned) ((steps + per - 1) / per);
}

static void
conv2d_record (AkPlan *plan, const AkConv2d *a)
{
  const AkCudaMatrix *matrix = (const AkCudaMatrix *) a->matrix;
  const size_t side = matrix->base.side, most = 0x40000000;
  const size_t height = ak_conv_rows (a->height, side, a->stride, 1, a->padding, a->padding);
  const size_t width = ak_conv_rows (a->width, side, a->stride, 1, a->padding, a->padding);
  Node n = {};
  AkConvJob *f = &n.f;

  /* sizes have 32 bits */
  if (height > most / width || a->batch > most / (height * width) || matrix->k > most ||
      a->height > most || a->width > most || matrix->n > most ||
      matrix->n > 0xffffffffu / (a->batch * height * width)) {
    ak_plan_fail (plan, AK_ERR_ARG);
    return;
  }
  f->a = *a;
  f->weights = matrix->data;
  f->side = (unsigned) side;
  f->in = (unsigned) matrix->base.in;
  f->out_width = (unsigned) width;
  f->pixels = (unsigned) (height * width);
  f->m = (unsigned) (a->batch * height * width);
  f->n = (unsigned) matrix->n;
  f->k = (unsigned) matrix->k;
  f->kp = (unsigned) matrix->kp;
  if (((const AkCuda *) plan->dev)->conv2d != AK_CONV_BY_LIBRARY &&
      ak_cuda_conv2d_narrow (plan, f, matrix->bf16))
    return;
  if (ak_cuda_conv2d_library (plan, matrix, f))
    return;
  n.bf16 = matrix->bf16;
  n.shape = choose_shape (f, n.bf16);
  n.vectors = f->in % 4 == 0 && ak_is_aligned (a->x);
  choose_splits (f, n.shape, n.bf16 ? AK_CONV_BF16_STEP : BK);
  if (f->splits > 1)
    ak_cuda_scratch (plan, (size_t) f->splits * f->m * f->n * sizeof (float));
  ak_cuda_append (plan, conv2d_run, NULL, &n, sizeof n);
}

void
ak_cuda_conv2d_init (AkOps *ops)
{
  ops->conv2d = conv2d_record;
}
