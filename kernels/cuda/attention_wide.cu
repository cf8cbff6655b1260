/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention of wide heads, in one pass over the keys: a block has QUERIES queries of a head and goes through the keys in
 * tiles of 32, which lie in shared memory; a lane has a key for the scores and columns for the values. Weights are kept
 * relative to the largest score so far. */
#include "attention.cuh"

#define WARPS 4
#define EACH 4 /* queries of a warp */
#define QUERIES (WARPS * EACH)

static __device__ const float *
key_row (const AkAttention &a, size_t b, size_t j, int values)
{
  int s = j >= a.keys[0].count;
  AkRows v = values ? a.keys[s].v : a.keys[s].k;

  return v.data + b * v.batch + (s ? j - a.keys[0].count : j) * v.row;
}

/* Columns `from` … of keys `first` …, zeros beyond `dim` and `last`. */
template <int COLS>
static __device__ void
load (float (*tile)[COLS * AK_WARP + 1], const AkAttention &a, size_t b, size_t head, size_t first,
    size_t last, size_t from, int values)
{
  unsigned lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP;

  for (unsigned j = warp; j < AK_WARP; j += WARPS) {
    int there = first + j < last;
    const float *k = key_row (a, b, there ? first + j : first, values) + head * a.dim;

    for (int c = 0; c < COLS; c++) {
      size_t at = from + (unsigned) c * AK_WARP + lane;

      tile[j][(unsigned) c * AK_WARP + lane] = there && at < a.dim ? k[at] : 0;
    }
  }
}

/* Grid: tiles of queries, batch * heads, pieces of 32 COLS columns of the result. `rounded`: where the
 * result goes as bfloat16 as well, or NULL. */
template <int COLS>
static __global__ void
attention (AkAttention a, uint16_t *rounded)
{
  __shared__ float tile[AK_WARP][COLS * AK_WARP + 1], weight[QUERIES][AK_WARP];
  const unsigned width = COLS * AK_WARP;
  size_t pieces = (a.dim + width - 1) / width, padded = pieces * width;
  float *q = AK_SHARED (float); /* [QUERIES][padded] */
  size_t keys = a.keys[0].count + a.keys[1].count, head, b = ak_split (blockIdx.y, a.heads, &head);
  size_t row0 = (size_t) blockIdx.x * QUERIES, begin, end, ignored;
  unsigned lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP;
  size_t last_row = row0 + QUERIES < a.rows ? row0 + QUERIES - 1 : a.rows - 1;
  float sum[EACH], top[EACH], acc[EACH][COLS];

  for (unsigned i = warp; i < QUERIES; i += WARPS)
    for (size_t c = lane; c < padded; c += AK_WARP)
      q[i * padded + c] = row0 + i < a.rows && c < a.dim
                              ? a.q.data[b * a.q.batch + (row0 + i) * a.q.row + head * a.dim + c]
                              : 0;
  for (int i = 0; i < EACH; i++) {
    top[i] = -INFINITY;
    sum[i] = 0;
    for (int c = 0; c < COLS; c++)
      acc[i][c] = 0;
  }
  ak_attention_seen (a, row0, keys, &begin, &ignored);
  ak_attention_seen (a, last_row, keys, &ignored, &end);
  for (size_t first = begin / AK_WARP * AK_WARP; first < end; first += AK_WARP) {
    float s[EACH] = {};

    for (size_t p = 0; p < pieces; p++) {
      __syncthreads ();
      load<COLS> (tile, a, b, head, first, end, p * width, 0);
      __syncthreads ();
      for (unsigned c = 0; c < width; c++) {
        float k = tile[lane][c];

        for (unsigned i = 0; i < EACH; i++)
          s[i] += q[(warp * EACH + i) * padded + p * width + c] * k;
      }
    }
    for (unsigned i = 0; i < EACH; i++) {
      size_t row = row0 + warp * EACH + i, lo = 0, hi = 0;
      float most, fade;

      if (row < a.rows)
        ak_attention_seen (a, row, keys, &lo, &hi);
      s[i] = first + lane >= lo && first + lane < hi ? s[i] * a.scale : -INFINITY;
      most = fmaxf (top[i], ak_warp_max (s[i]));
      fade = most > top[i] ? expf (top[i] - most) : 1;
      s[i] = s[i] > -INFINITY ? expf (s[i] - most) : 0;
      weight[warp * EACH + i][lane] = s[i];
      top[i] = most;
      sum[i] = sum[i] * fade + s[i]; /* the lane's own keys */
      for (int c = 0; c < COLS; c++)
        acc[i][c] *= fade;
    }
    __syncthreads ();
    load<COLS> (tile, a, b, head, first, end, (size_t) blockIdx.z * width, 1);
    __syncthreads ();
    for (unsigned j = 0; j < AK_WARP; j++)
      for (unsigned i = 0; i < EACH; i++)
        for (int c = 0; c < COLS; c++)
          acc[i][c] += weight[warp * EACH + i][j] * tile[j][(unsigned) c * AK_WARP + lane];
  }
  for (unsigned i = 0; i < EACH; i++) {
    size_t row = row0 + warp * EACH + i;
    float whole = ak_warp_sum (sum[i]);

    for (int c = 0; c < COLS; c++) {
      size_t at = (size_t) blockIdx.z * width + (unsigned) c * AK_WARP + lane;

      if (row < a.rows && at < a.dim) {
        float v = acc[i][c] / whole;

        a.y.data[b * a.y.batch + row * a.y.row + head * a.dim + at] = v;
        if (rounded)
          rounded[((b * a.rows + row) * a.heads + head) * a.dim + at] = ak_to_bf16 (v);
      }
    }
  }
}

template <int COLS>
static void
launch (const AkAt *at, const AkAttention *a, uint16_t *rounded)
{
  size_t pieces = (a->dim + COLS * AK_WARP - 1) / (COLS * AK_WARP);
  size_t shared = QUERIES * pieces * COLS * AK_WARP * sizeof (float);
  dim3 grid (ak_blocks (a->rows, QUERIES), (unsigned) (a->batch * a->heads), (unsigned) pieces);

  AK_LAUNCH_LARGE (attention<COLS>, grid, WARPS * AK_WARP, shared, at, *a, rounded);
}

void
ak_cuda_attention_wide (const AkAt *at, const AkAttention *a, uint16_t *rounded)
{
  if (a->dim <= 4 * AK_WARP)
    launch<4> (at, a, rounded);
  else
    launch<AK_ATTENTION_WHOLE / AK_WARP> (at, a, rounded);
}
