/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The products of conv2d.cu with weights of bfloat16: inputs are rounded to it as they are read (after their scale), sums
 * are float, by tensor cores. */
#include "conv2d.cuh"

#define BK AK_CONV_BF16_STEP
#define ROW                                                                                        \
  (BK + 8) /* numbers of a row in shared memory: rows of a fragment then lie in different banks */
#define WARPS (AK_CONV_THREADS / AK_WARP)
#define SUM_ROW (AK_TENSOR + 4)

/* A fragment of sums goes through `staging` [AK_TENSOR][SUM_ROW], the warp's own, to where it belongs. */
static __device__ void
write_sums (const AkConvJob *f, const AkTensorSum *c, float *staging, unsigned m0, unsigned n0)
{
  __syncwarp ();
  ak_tensor_store (staging, c, SUM_ROW);
  __syncwarp ();
  for (unsigned i = threadIdx.x % AK_WARP; i < AK_TENSOR * AK_TENSOR; i += AK_WARP) {
    const unsigned m = m0 + i / AK_TENSOR, n = n0 + i % AK_TENSOR;
    float s = staging[i / AK_TENSOR * SUM_ROW + i % AK_TENSOR];

    if (m >= f->m || n >= f->n)
      continue;
    if (f->splits > 1)
      f->partial[((size_t) blockIdx.z * f->m + m) * f->n + n] = s;
    else
      ak_conv_finish<1> (f, m, n, &s, NULL);
  }
}

/* A warp has WM × WN sums. */
template <int BM, int BN, int WM, int WN, int VEC>
static __global__ void
__launch_bounds__ (AK_CONV_THREADS) bf16_kernel (AkConvJob f)
{
  constexpr int A_LANES = BK / VEC, A_ROWS = AK_CONV_THREADS / A_LANES, A_LOADS = BM / A_ROWS;
  constexpr int B_LANES = BK / 8, B_ROWS = AK_CONV_THREADS / B_LANES;
  constexpr int B_LOADS = (BN + B_ROWS - 1) / B_ROWS;
  constexpr int MS = WM / AK_TENSOR, NS = WN / AK_TENSOR; /* fragments of a warp */
  constexpr int TILES = 2 * (BM + BN) * ROW * 2, SUMS = WARPS * AK_TENSOR * SUM_ROW * 4;
  __shared__ __align__ (32) unsigned char memory[TILES > SUMS ? TILES : SUMS];
  uint16_t *const a_tile = (uint16_t *) memory, *const b_tile = a_tile + 2 * BM * ROW;
  const unsigned tid = threadIdx.x, warp = tid / AK_WARP;
  const unsigned a_lane = tid % A_LANES * VEC, a_row = tid / A_LANES;
  const unsigned b_lane = tid % B_LANES * 8, b_row = tid / B_LANES;
  const unsigned m0 = blockIdx.x * BM, n0 = blockIdx.y * BN;
  const unsigned wm = warp / (BN / WN) * WM, wn = warp % (BN / WN) * WN;
  const unsigned begin = blockIdx.z * f.per_split;
  const unsigned end = begin + f.per_split < f.k ? begin + f.per_split : f.k;
  const uint16_t *weights = (const uint16_t *) f.weights;
  float a_next[A_LOADS][VEC] = {};
  uint4 b_next[B_LOADS] = {};
  AkTensorSum sum[MS][NS];
  AkWindow window[A_LOADS];
  AkInput in;
  int buffer = 0;

  if (f.a.spans && !__syncthreads_or (tid < BM && ak_conv_wanted (&f, m0 + tid)))
    return; /* all of the block */
#pragma unroll
  for (int i = 0; i < MS; i++)
#pragma unroll
    for (int j = 0; j < NS; j++)
      ak_tensor_zero (&sum[i][j]);
  for (int l = 0; l < A_LOADS; l++)
    ak_conv_window (window + l, &f, m0 + a_row + l * A_ROWS);
  in.c = (begin + a_lane) % f.in;
  in.j = (begin + a_lane) / f.in % f.side;
  in.i = (begin + a_lane) / f.in / f.side;

  for (unsigned k = begin; k < end + BK; k += BK) {
    if (k < end) { /* bring the next inputs */
      for (int l = 0; l < A_LOADS; l++) {
        const float *from = k + a_lane < end ? ak_conv_input (window + l, &f, &in) : NULL;

        ak_conv_fetch<VEC> (a_next[l], from);
        if (from && f.a.in_scale.data)
          for (int v = 0; v < VEC; v++)
            a_next[l][v] *=
                f.a.in_scale
                    .data[(m0 + a_row + l * A_ROWS) / f.pixels * f.a.in_scale.batch + in.c + v];
      }
      for (int l = 0; l < B_LOADS; l++) {
        const unsigned n = n0 + b_row + l * B_ROWS;

        b_next[l].x = b_next[l].y = b_next[l].z = b_next[l].w = 0;
        if (n < f.n && k + b_lane < f.kp)
          b_next[l] = *(const uint4 *) (weights + (size_t) n * f.kp + k + b_lane);
      }
      ak_conv_advance (&in, &f, BK);
    }
    if (k > begin) { /* multiply the last ones */
      for (int i = 0; i < BK; i += AK_TENSOR) {
        AkTensorRight b[NS];

#pragma unroll
        for (int c = 0; c < NS; c++)
          ak_tensor_right (b + c, b_tile + (buffer * BN + wn + c * AK_TENSOR) * ROW + i, ROW);
#pragma unroll
        for (int r = 0; r < MS; r++) {
          AkTensorLeft a;

          ak_tensor_left (&a, a_tile + (buffer * BM + wm + r * AK_TENSOR) * ROW + i, ROW);
#pragma unroll
          for (int c = 0; c < NS; c++)
            ak_tensor_add (&sum[r][c], &a, b + c);
        }
      }
      buffer ^= 1;
    }
    if (k < end) {
      for (int l = 0; l < A_LOADS; l++)
        ak_put_rounded<VEC> (a_tile + (buffer * BM + a_row + l * A_ROWS) * ROW + a_lane, a_next[l]);
      for (int l = 0; l < B_LOADS; l++)
        if (B_LOADS * B_ROWS == BN || b_row + l * B_ROWS < BN)
          *(uint4 *) (b_tile + (buffer * BN + b_row + l * B_ROWS) * ROW + b_lane) = b_next[l];
      __syncthreads ();
    }
  }
  __syncthreads (); /* nobody reads the tiles any more */
#pragma unroll      /* or the sums have to lie in memory */
  for (int r = 0; r < MS; r++)
#pragma unroll
    for (int c = 0; c < NS; c++)
      write_sums (&f, &sum[r][c], (float *) memory + warp * AK_TENSOR * SUM_ROW,
          m0 + wm + r * AK_TENSOR, n0 + wn + c * AK_TENSOR);
}

template <int BM, int BN, int WM, int WN>
static void
launch (const AkAt *at, const AkConvJob *f, int vectors)
{
  dim3 grid (ak_blocks (f->m, BM), ak_blocks (f->n, BN), f->splits);

  if (vectors)
    AK_LAUNCH ((bf16_kernel<BM, BN, WM, WN, 4>), grid, AK_CONV_THREADS, 0, at, *f);
  else
    AK_LAUNCH ((bf16_kernel<BM, BN, WM, WN, 1>), grid, AK_CONV_THREADS, 0, at, *f);
}

void
ak_cuda_conv2d_bf16 (const AkAt *at, const AkConvJob *f, AkConvShape shape, int vectors)
{
  switch (shape) {
    case AK_CONV_NARROW:
    case AK_CONV_THIN:
      launch<128, 32, 16, 32> (at, f, vectors);
      break;
    case AK_CONV_SMALL:
      launch<32, 64, 16, 16> (at, f, vectors);
      break;
    case AK_CONV_MIDDLE:
      launch<128, 64, 32, 32> (at, f, vectors);
      break;
    case AK_CONV_LARGE:
      launch<128, 128, 64, 32> (at, f, vectors);
      break;
  }
}
