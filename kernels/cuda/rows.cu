/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small operations along rows: rotary positions, codes, bits, loudness, random numbers, interpolation. */
#include "math.cuh"

#include <math.h>
#include <stdlib.h>

#define THREADS 256
#define LONG 1024 /* threads for a whole window */

static __device__ size_t
own_number (void)
{
  return (size_t) blockIdx.x * blockDim.x + threadIdx.x;
}

/* `turn` [rows][dim / 2]: cosine and sine. A thread has a pair. */
static __global__ void
rotary (AkRotary a, const float2 *turn)
{
  size_t half = a.dim / 2, i = own_number (), c, h, r = ak_split (i, half, &c);
  const float *x;
  float *y, u, v;
  float2 t;

  r = ak_split (r, a.heads, &h);
  if (r >= a.batch * a.rows)
    return;
  x = ak_row (a.x, a.rows, r) + h * a.dim + c;
  y = ak_row (a.y, a.rows, r) + h * a.dim + c;
  t = turn[r % a.rows * half + c];
  u = x[0];
  v = x[half];
  y[0] = u * t.x - v * t.y;
  y[half] = v * t.x + u * t.y;
}

typedef struct
{
  AkRotary a;
  const float2 *turn;
} Rotary;

static void
run_rotary (const AkAt *at, const void *args)
{
  const Rotary *n = (const Rotary *) args;
  const AkRotary *a = &n->a;

  AK_LAUNCH (rotary, ak_blocks (a->batch * a->rows * a->heads * a->dim / 2, THREADS), THREADS, 0,
      at, *a, n->turn);
}

static void
record_rotary (AkPlan *plan, const AkRotary *a)
{
  size_t half = a->dim / 2, n = a->rows * half;
  float2 *turn = (float2 *) malloc (n * sizeof *turn);
  Rotary node = { *a, NULL };

  for (size_t i = 0; turn && i < n; i++) {
    double angle =
        (double) (i / half) * pow (a->base, -2.0 * (double) (i % half) / (double) a->dim);

    turn[i] = make_float2 ((float) cos (angle), (float) sin (angle));
  }
  if (turn)
    node.turn = (const float2 *) ak_cuda_constant (plan, turn, n * sizeof *turn);
  else
    ak_plan_fail (plan, AK_ERR_MEMORY);
  free (turn);
  if (node.turn)
    ak_cuda_append (plan, run_rotary, NULL, &node, sizeof node);
}

/* A block has a row; its warps take codes in turn. */
static __global__ void
nearest (AkNearest a)
{
  __shared__ double least[THREADS / AK_WARP];
  __shared__ size_t code[THREADS / AK_WARP];
  unsigned lane = threadIdx.x % AK_WARP, warp = threadIdx.x / AK_WARP;
  float *x = ak_row (a.x, a.rows, blockIdx.x), *sum = ak_row (a.sum, a.rows, blockIdx.x);
  double best = INFINITY;
  size_t own = 0;

  for (size_t j = warp; j < a.size; j += THREADS / AK_WARP) {
    const float *v = a.vectors + j * a.dim;
    double s = 0;

    for (size_t c = lane; c < a.dim; c += AK_WARP)
      s += ((double) x[c] - v[c]) * ((double) x[c] - v[c]);
    s = ak_warp_sum (s);
    if (s < best) {
      best = s;
      own = j;
    }
  }
  if (lane == 0) {
    least[warp] = best;
    code[warp] = own;
  }
  __syncthreads ();
  best = least[0];
  own = code[0];
  for (unsigned w = 1; w < THREADS / AK_WARP; w++)
    if (least[w] < best || (least[w] == best && code[w] < own)) {
      best = least[w];
      own = code[w];
    }
  for (size_t c = threadIdx.x; c < a.dim; c += THREADS) {
    float v = a.vectors[own * a.dim + c];

    sum[c] = a.accumulate ? sum[c] + v : v;
    x[c] -= v;
  }
  if (a.codes && threadIdx.x == 0)
    a.codes[blockIdx.x] = (float) own;
}

static void
run_nearest (const AkAt *at, const void *args)
{
  const AkNearest *a = (const AkNearest *) args;

  AK_LAUNCH (nearest, (unsigned) (a->batch * a->rows), THREADS, 0, at, *a);
}

typedef enum { FROM_PAIRS, FROM_SIGNS, VALUES } BitsWay;

static __global__ void
bits (AkBitsArgs a, BitsWay way)
{
  size_t i = own_number (), c, r = ak_split (i, a.cols, &c), row, b;
  uint8_t *bit;
  float *x;

  if (r >= a.batch * a.rows)
    return;
  b = ak_split (r, a.rows, &row);
  bit = a.bits.data + b * a.bits.batch + row * a.bits.row + c;
  x = ak_row (a.x, a.rows, r);
  if (way == FROM_PAIRS)
    *bit = x[2 * c + 1] > x[2 * c];
  else if (way == FROM_SIGNS)
    *bit = x[c] > 0;
  else
    x[c] = *bit ? a.scale : -a.scale;
}

typedef struct
{
  AkBitsArgs a;
  BitsWay way;
} Bits;

static void
run_bits (const AkAt *at, const void *args)
{
  const Bits *n = (const Bits *) args;

  AK_LAUNCH (
      bits, ak_blocks (n->a.batch * n->a.rows * n->a.cols, THREADS), THREADS, 0, at, n->a, n->way);
}

static void
record_bits (AkPlan *plan, const AkBitsArgs *args, BitsWay way)
{
  Bits node = { *args, way };

  ak_cuda_append (plan, run_bits, NULL, &node, sizeof node);
}

static void
record_from_pairs (AkPlan *plan, const AkBitsArgs *args)
{
  record_bits (plan, args, FROM_PAIRS);
}

static void
record_from_signs (AkPlan *plan, const AkBitsArgs *args)
{
  record_bits (plan, args, FROM_SIGNS);
}

static void
record_values (AkPlan *plan, const AkBitsArgs *args)
{
  record_bits (plan, args, VALUES);
}

/* A block has a window. */
static __global__ void
level_window (AkLevelRunning a)
{
  const float *x = a.x + blockIdx.x * a.n;
  float *y = a.y + blockIdx.x * a.n;
  double mean = 0, var = 0, factor;

  for (size_t i = threadIdx.x; i < a.n; i += LONG)
    mean += x[i];
  mean = ak_block_sum (mean) / (double) a.n;
  for (size_t i = threadIdx.x; i < a.n; i += LONG)
    var += (x[i] - mean) * (x[i] - mean);
  factor = 1 / (sqrt (ak_block_sum (var) / (double) (a.n - 1)) + 1e-6);
  for (size_t i = threadIdx.x; i < a.n; i += LONG)
    y[i] = (float) ((x[i] - mean) * factor);
}

static __global__ void
level_running (AkLevelRunning a)
{
  const float *x = a.x + blockIdx.x * a.n;
  float *y = a.y + blockIdx.x * a.n;
  double ms = 0, level = a.level[blockIdx.x], factor;

  for (size_t i = a.first + threadIdx.x; i < a.first + a.count; i += LONG)
    ms += (double) x[i] * x[i];
  ms = ak_block_sum (ms) / (double) a.count; /* and everybody has read the level */
  level += (level == 0 ? 1 : ms > level ? a.up : a.down) * (ms - level);
  if (threadIdx.x == 0)
    a.level[blockIdx.x] = (float) level;
  factor = 1 / (sqrt (level) + 1e-4);
  for (size_t i = threadIdx.x; i < a.n; i += LONG)
    y[i] = (float) (x[i] * factor);
}

static void
run_level_window (const AkAt *at, const void *args)
{
  const AkLevelRunning *a = (const AkLevelRunning *) args;

  AK_LAUNCH (level_window, (unsigned) a->batch, LONG, 0, at, *a);
}

static void
run_level_running (const AkAt *at, const void *args)
{
  const AkLevelRunning *a = (const AkLevelRunning *) args;

  AK_LAUNCH (level_running, (unsigned) a->batch, LONG, 0, at, *a);
}

static __device__ uint64_t
split_mix (uint64_t number)
{
  uint64_t z = number * 0x9E3779B97F4A7C15u;

  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* A thread has a pair. */
static __global__ void
normal (AkRandom a)
{
  size_t j = own_number ();
  uint64_t z = split_mix (*a.state + j);
  float u = (float) ((z >> 40) + 1) / 16777216.0f, v = (float) (z >> 16 & 0xffffff) / 16777216.0f;
  float r = a.scale * sqrtf (-2 * logf (u)), angle = 6.28318530717958648f * v;

  if (2 * j < a.n)
    a.y[2 * j] = r * cosf (angle);
  if (2 * j + 1 < a.n)
    a.y[2 * j + 1] = r * sinf (angle);
}

static __global__ void
advance (uint64_t *state, uint64_t steps)
{
  *state += steps;
}

static void
run_normal (const AkAt *at, const void *args)
{
  const AkRandom *a = (const AkRandom *) args;
  size_t pairs = (a->n + 1) / 2;

  AK_LAUNCH (normal, ak_blocks (pairs, THREADS), THREADS, 0, at, *a);
  AK_LAUNCH (advance, 1, 1, 0, at, a->state, (uint64_t) pairs);
}

static __global__ void
resize (AkResize a)
{
  size_t i = own_number (), c, r, b = ak_split (i, a.cols, &c), in = a.in_rows, out = a.out_rows;
  const float *x;
  float *y, v;

  b = ak_split (b, out, &r);
  if (b >= a.batch)
    return;
  x = a.x.data + b * a.x.batch + c;
  y = a.y.data + b * a.y.batch + r * a.y.row + c;
  if (a.mode == AK_RESIZE_AREA) {
    size_t first = r * in / out, end = ((r + 1) * in + out - 1) / out;
    double s = 0;

    for (size_t j = first; j < end; j++)
      s += x[j * a.x.row];
    v = (float) (s * (1.0 / (double) (end - first)));
  } else {
    double at = ((double) r + 0.5) * (double) in / (double) out - 0.5, w;
    size_t j, next;

    at = at < 0 ? 0 : at;
    j = (size_t) at;
    j = j < in ? j : in - 1;
    next = j + 1 < in ? j + 1 : j;
    w = at - (double) j;
    v = (float) ((1 - w) * x[j * a.x.row] + w * x[next * a.x.row]);
  }
  v *= a.factor;
  *y = a.accumulate ? *y + v : v;
}

static void
run_resize (const AkAt *at, const void *args)
{
  const AkResize *a = (const AkResize *) args;

  AK_LAUNCH (resize, ak_blocks (a->batch * a->out_rows * a->cols, THREADS), THREADS, 0, at, *a);
}

void
ak_cuda_rows_init (AkOps *ops)
{
  ops->rotary = record_rotary;
  ops->nearest = ak_record<run_nearest>;
  ops->bits_from_pairs = record_from_pairs;
  ops->bits_from_signs = record_from_signs;
  ops->bits_values = record_values;
  ops->level_window = ak_record<run_level_window>;
  ops->level_running = ak_record<run_level_running>;
  ops->random_normal = ak_record<run_normal>;
  ops->resize = ak_record<run_resize>;
}
