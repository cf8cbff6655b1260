/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention of heads of at most 64 columns by tensor cores, for numbers that came from products in bfloat16. Each number is
 * the sum of two of bfloat16, which keep 16 bits of it; of the four products the one of the two rests is left out. */
#include "attention_split.cuh"
#include "mma.cuh"
#include "tensor.cuh"

#define FULL 132 /* blocks that keep a large card busy */

/* A number of bfloat16 pairs, and what they have been rounded by. */
template <int N> struct Pairs
{
  unsigned pair[N], rest[N];

  __device__ inline void
  set (int i, float x, float y)
  {
    ak_tensor_split (x, y, &pair[i], &rest[i]);
  }
};

/* c += a · b; what rests go into is added to `small`, so that fewer products wait for one another. */
static __device__ inline void
multiply (float (&c)[4], float (&small)[4], const Pairs<4> &a, const Pairs<2> &b)
{
  ak_mma (small, a.rest, b.pair);
  ak_mma (c, a.pair, b.pair);
  ak_mma (small, a.pair, b.rest);
}

/* With g = lane / 4 and t = lane % 4 a lane has queries g and g + 8; of 8 adjacent keys the scores of 2t and 2t + 1, of 8
 * columns the results of the same. In the products of scores a lane has columns 4t … 4t + 3 of 16, in any order as long as
 * it is the same for queries and keys. */
template <int SHARING_, int SPLITS_, int KEYS_> struct Tensors
{
  static constexpr int SHARING = SHARING_, SPLITS = SPLITS_, KEYS = KEYS_;
  static constexpr int OWN = 16, WIDTH = AK_ATTENTION_NARROW;
  static constexpr int Q_ROW = WIDTH + 16,
                       K_ROW = Q_ROW;     /* 2 rows of 4 quads lie in different banks */
  static constexpr int V_ROW = WIDTH + 4; /* every second of 8 rows does */
  static constexpr int WEIGHTS = 0;
  static constexpr int STEPS = WIDTH / 16, TILES = KEYS / 8, COLS = WIDTH / 8;

  unsigned g, t;
  Pairs<4> q[STEPS];
  float top[2], sum[2]; /* largest score so far; of weights, this lane's keys */
  float result[COLS][4], s[TILES][4];

  __device__ inline void
  start (const float *from, float scale)
  {
    g = threadIdx.x % AK_WARP / 4;
    t = threadIdx.x % 4;
#pragma unroll
    for (int k = 0; k < STEPS; k++) {
      float x[4], y[4];

      ak_get<4> (x, from + g * Q_ROW + 16 * k + 4 * t);
      ak_get<4> (y, from + (g + 8) * Q_ROW + 16 * k + 4 * t);
      q[k].set (0, x[0] * scale, x[1] * scale);
      q[k].set (1, y[0] * scale, y[1] * scale);
      q[k].set (2, x[2] * scale, x[3] * scale);
      q[k].set (3, y[2] * scale, y[3] * scale);
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
      top[i] = -INFINITY;
      sum[i] = 0;
    }
#pragma unroll
    for (int c = 0; c < COLS; c++)
      result[c][0] = result[c][1] = result[c][2] = result[c][3] = 0;
  }

  __device__ inline void
  scores (const float *, const float *keys)
  {
    float small[TILES][4];

#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
      for (int i = 0; i < 4; i++)
        s[j][i] = small[j][i] = 0;
#pragma unroll
    for (int k = 0; k < STEPS; k++)
#pragma unroll
      for (int j = 0; j < TILES; j++) {
        Pairs<2> key;
        float x[4];

        ak_get<4> (x, keys + (8 * j + g) * K_ROW + 16 * k + 4 * t);
        key.set (0, x[0], x[1]);
        key.set (1, x[2], x[3]);
        multiply (s[j], small[j], q[k], key);
      }
#pragma unroll
    for (int j = 0; j < TILES; j++)
#pragma unroll
      for (int i = 0; i < 4; i++)
        s[j][i] += small[j][i];
  }

  __device__ inline void
  weigh (float *, const AkSeen *seen, float)
  {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      float most = top[i], fade;
      int from, to;

      ak_seen_of (seen, g + 8 * i, &from, &to);
#pragma unroll
      for (int j = 0; j < TILES; j++)
#pragma unroll
        for (int n = 0; n < 2; n++) {
          const int key = 8 * j + 2 * (int) t + n;
          float *const v = &s[j][2 * i + n];

          *v = key >= from && key < to ? *v : -INFINITY;
          most = fmaxf (most, *v);
        }
      most = fmaxf (most, __shfl_xor_sync (AK_ALL, most, 1));
      most = fmaxf (most, __shfl_xor_sync (AK_ALL, most, 2));
      fade = most > top[i] ? expf (top[i] - most) : 1;
      top[i] = most;
      sum[i] *= fade;
#pragma unroll
      for (int j = 0; j < TILES; j++)
#pragma unroll
        for (int n = 0; n < 2; n++) {
          float *const v = &s[j][2 * i + n];

          *v = *v > -INFINITY ? expf (*v - most) : 0;
          sum[i] += *v;
        }
#pragma unroll
      for (int c = 0; c < COLS; c++) {
        result[c][2 * i] *= fade;
        result[c][2 * i + 1] *= fade;
      }
    }
  }

  /* A lane's scores lie as a factor wants them. */
  __device__ inline void
  add (const float *, const float *values)
  {
#pragma unroll
    for (int k = 0; k < TILES / 2; k++) {
      const float *at = values + (16 * k + 2 * t) * V_ROW + g;
      Pairs<4> weight;

      weight.set (0, s[2 * k][0], s[2 * k][1]);
      weight.set (1, s[2 * k][2], s[2 * k][3]);
      weight.set (2, s[2 * k + 1][0], s[2 * k + 1][1]);
      weight.set (3, s[2 * k + 1][2], s[2 * k + 1][3]);
#pragma unroll
      for (int c = 0; c < COLS; c++) {
        Pairs<2> value;

        value.set (0, at[8 * c], at[V_ROW + 8 * c]);
        value.set (1, at[8 * V_ROW + 8 * c], at[9 * V_ROW + 8 * c]);
        multiply (result[c], result[c], weight, value);
      }
    }
  }

  __device__ inline void
  put (float *sums, float *known)
  {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      sum[i] += __shfl_xor_sync (AK_ALL, sum[i], 1);
      sum[i] += __shfl_xor_sync (AK_ALL, sum[i], 2);
#pragma unroll
      for (int c = 0; c < COLS; c++) {
        const float two[2] = { result[c][2 * i], result[c][2 * i + 1] };

        ak_put<2> (sums + (g + 8 * i) * WIDTH + 8 * c + 2 * t, two);
      }
      if (t == 0) {
        known[2 * (g + 8 * i)] = top[i];
        known[2 * (g + 8 * i) + 1] = sum[i];
      }
    }
  }
};

void
ak_cuda_attention_pairs (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors)
{
  if (ak_blocks (a->rows, 32) * a->batch * a->heads < FULL * 3 / 4)
    ak_attention_launch<Tensors<1, 8, 16>> (at, a, rounded, vectors);
  else
    ak_attention_launch<Tensors<2, 4, 16>> (at, a, rounded, vectors);
}
