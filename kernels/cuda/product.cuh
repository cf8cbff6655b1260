/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What products and convolutions along the rows share: what comes after a sum. */
#pragma once

#include "math.cuh"
#include "vector.cuh"

/* y = residual + gate * act (t + bias), t being the sum of `parts`, t_part numbers apart. t is not for the kernels that have
 * the sums. */
typedef struct
{
  AkRows y, t, gate, residual;
  const float *bias;
  AkActivation activation;
  size_t batch, rows, cols;
  size_t parts, t_part;
} AkFinish;

/* Appends a convolution by kernels of our own (direct.cu). */
void ak_cuda_direct (AkPlan *plan, const AkConv *a, const AkFinish *f);
/* Appends the kernel for f, with t in the scratch, at `scratch`, of which the first `used` bytes are used. */
void ak_cuda_finish (AkPlan *plan, const AkFinish *f, size_t t_scratch, size_t used);

/* Appends x · mᵀ and f, if they have few rows (product_small.cu). With m in bfloat16 x lies rounded in the scratch, at
 * `x_scratch`; of that the first `used` bytes are used. Returns 0 if it does not. */
int ak_cuda_small_product (AkPlan *plan, const AkCudaMatrix *m, AkRows x, size_t x_scratch,
    size_t used, const AkFinish *f);

static inline size_t
ak_up256 (size_t bytes)
{
  return (bytes + 255) / 256 * 256;
}

/* Can what f has apart from t be read and written 4 numbers at a time? */
static inline int
ak_finish_is_aligned (const AkFinish *f)
{
  return f->cols % 4 == 0 && (uintptr_t) f->bias % 16 == 0 &&
         ak_is_aligned (f->y, f->batch, f->rows) && ak_is_aligned (f->gate, f->batch, f->rows) &&
         ak_is_aligned (f->residual, f->batch, f->rows);
}

/* ak_get() of 4 numbers, or one, that other blocks have just written. */
template <int V>
static __device__ void
ak_get_shared (float *to, const float *from)
{
  if constexpr (V == 4) {
    const float4 v = __ldcg ((const float4 *) from);

    to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
  } else {
    to[0] = __ldcg (from);
  }
}

/* The sums v of V columns, from c on, of row r of item b. `rounded`: where y goes as bfloat16 as well, or NULL. */
template <int V>
static __device__ void
ak_finish (const AkFinish *f, float *v, size_t b, size_t r, size_t c, uint16_t *rounded)
{
  float w[V];

  if (f->bias) {
    ak_get<V> (w, f->bias + c);
    for (int i = 0; i < V; i++)
      v[i] += w[i];
  }
  for (int i = 0; i < V; i++)
    v[i] = ak_act (v[i], f->activation);
  if (f->gate.data) {
    ak_get<V> (w, f->gate.data + b * f->gate.batch + r * f->gate.row + c);
    for (int i = 0; i < V; i++)
      v[i] *= w[i];
  }
  if (f->residual.data) {
    ak_get<V> (w, f->residual.data + b * f->residual.batch + r * f->residual.row + c);
    for (int i = 0; i < V; i++)
      v[i] += w[i];
  }
  ak_put<V> (f->y.data + b * f->y.batch + r * f->y.row + c, v);
  if (rounded)
    ak_put_rounded<V> (rounded + (b * f->rows + r) * f->cols + c, v);
}
