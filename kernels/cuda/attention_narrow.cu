/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention of heads of at most 64 columns, in float. */
#include "attention_split.cuh"

#define LANES_Q 4
#define LANES_K 8
#define FULL 132 /* blocks that keep a large card busy */

/* A lane is one of 4 × 8: it has EACH queries, of the scores every eighth key, of the result 4 adjacent columns of 32. */
template <int EACH, int SHARING_, int SPLITS_, int KEYS_, int COLS> struct Floats
{
  static constexpr int SHARING = SHARING_, SPLITS = SPLITS_, KEYS = KEYS_;
  static constexpr int OWN = LANES_Q * EACH, WIDTH = COLS * AK_WARP;
  static constexpr int Q_ROW = WIDTH + 4; /* 8 rows lie in different banks */
  static constexpr int K_ROW = Q_ROW, V_ROW = Q_ROW;
  static constexpr int WEIGHTS = KEYS * OWN; /* [KEYS][LANES_Q][EACH] */

  unsigned q_lane, k_lane;
  float top[EACH];               /* largest score so far */
  float sum[EACH];               /* of weights, this lane's keys */
  float result[EACH][COLS][4];   /* of weighted values */
  float s[EACH][KEYS / LANES_K]; /* of query LANES_Q · i + q_lane and key LANES_K · j + k_lane */

  __device__ inline void
  start (const float *, float)
  {
    q_lane = threadIdx.x % AK_WARP / LANES_K;
    k_lane = threadIdx.x % LANES_K;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      top[i] = -INFINITY;
      sum[i] = 0;
#pragma unroll
      for (int c = 0; c < COLS; c++)
        result[i][c][0] = result[i][c][1] = result[i][c][2] = result[i][c][3] = 0;
    }
  }

  __device__ inline void
  scores (const float *q, const float *keys)
  {
    q += q_lane * Q_ROW;
    keys += k_lane * K_ROW;
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
      for (int j = 0; j < KEYS / LANES_K; j++)
        s[i][j] = 0;
#pragma unroll 4
    for (int c = 0; c < WIDTH; c += 4) {
      float own[EACH][4], key[KEYS / LANES_K][4];

#pragma unroll
      for (int i = 0; i < EACH; i++)
        ak_get<4> (own[i], q + LANES_Q * i * Q_ROW + c);
#pragma unroll
      for (int j = 0; j < KEYS / LANES_K; j++)
        ak_get<4> (key[j], keys + LANES_K * j * K_ROW + c);
#pragma unroll
      for (int k = 0; k < 4; k++)
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
          for (int j = 0; j < KEYS / LANES_K; j++)
            s[i][j] += own[i][k] * key[j][k];
    }
  }

  __device__ inline void
  weigh (float *weights, const AkSeen *seen, float scale)
  {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      float most = top[i], fade;
      int from, to;

      ak_seen_of (seen, LANES_Q * i + q_lane, &from, &to);
#pragma unroll
      for (int j = 0; j < KEYS / LANES_K; j++) {
        const int key = LANES_K * j + (int) k_lane;

        s[i][j] = key >= from && key < to ? s[i][j] * scale : -INFINITY;
        most = fmaxf (most, s[i][j]);
      }
#pragma unroll
      for (int step = LANES_K / 2; step; step /= 2)
        most = fmaxf (most, __shfl_xor_sync (AK_ALL, most, step));
      fade = most > top[i] ? expf (top[i] - most) : 1;
      top[i] = most;
      sum[i] *= fade;
#pragma unroll
      for (int j = 0; j < KEYS / LANES_K; j++) {
        s[i][j] = s[i][j] > -INFINITY ? expf (s[i][j] - most) : 0;
        sum[i] += s[i][j];
      }
#pragma unroll
      for (int c = 0; c < COLS; c++)
#pragma unroll
        for (int k = 0; k < 4; k++)
          result[i][c][k] *= fade;
    }
#pragma unroll
    for (int j = 0; j < KEYS / LANES_K; j++) {
      float of_key[EACH];

#pragma unroll
      for (int i = 0; i < EACH; i++)
        of_key[i] = s[i][j];
      ak_put<EACH> (weights + (LANES_K * j + k_lane) * OWN + q_lane * EACH, of_key);
    }
  }

  __device__ inline void
  add (const float *weights, const float *values)
  {
    weights += q_lane * EACH;
    values += k_lane * 4;
#pragma unroll 4
    for (int j = 0; j < KEYS; j++) {
      float of_key[EACH], value[COLS][4];

      ak_get<EACH> (of_key, weights + j * OWN);
#pragma unroll
      for (int c = 0; c < COLS; c++)
        ak_get<4> (value[c], values + j * V_ROW + c * AK_WARP);
#pragma unroll
      for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int c = 0; c < COLS; c++)
#pragma unroll
          for (int k = 0; k < 4; k++)
            result[i][c][k] += of_key[i] * value[c][k];
    }
  }

  __device__ inline void
  put (float *sums, float *known)
  {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      const unsigned at = LANES_Q * i + q_lane;

#pragma unroll
      for (int step = LANES_K / 2; step; step /= 2)
        sum[i] += __shfl_xor_sync (AK_ALL, sum[i], step);
#pragma unroll
      for (int c = 0; c < COLS; c++)
        ak_put<4> (sums + at * WIDTH + c * AK_WARP + k_lane * 4, result[i][c]);
      if (k_lane == 0) {
        known[2 * at] = top[i];
        known[2 * at + 1] = sum[i];
      }
    }
  }
};

/* Few queries are spread over as many blocks as there are processors; many share the keys that are read. */
template <int COLS>
static void
choose (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors)
{
  const size_t rows = a->rows, pairs = a->batch * a->heads;

  if (rows <= 4)
    ak_attention_launch<Floats<1, 1, 8, 16, COLS>> (at, a, rounded, vectors);
  else if (rows <= 8 || ak_blocks (rows, 8) * pairs <= FULL)
    ak_attention_launch<Floats<2, 1, 8, 16, COLS>> (at, a, rounded, vectors);
  else if (ak_blocks (rows, 32) * pairs < 2 * FULL)
    ak_attention_launch<Floats<4, 1, 8, 16, COLS>> (at, a, rounded, vectors);
  else
    ak_attention_launch<Floats<4, 2, 2, 32, COLS>> (at, a, rounded, vectors);
}

void
ak_cuda_attention_narrow (const AkAt *at, const AkAttention *a, uint16_t *rounded, int vectors)
{
  if (a->dim <= AK_WARP)
    choose<1> (at, a, rounded, vectors);
  else
    choose<2> (at, a, rounded, vectors);
}
