/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products and convolutions along the rows: the library multiplies, and adds bias and residual where it can; the rest
 * of the epilogue, and bringing the inputs into the shape and precision of a product, are kernels. */
#include "math.cuh"

#include "library.h"

#define THREADS 256

/* y = residual + gate * act (t + bias) */
typedef struct
{
  AkRows y, t, gate, residual;
  const float *bias;
  AkActivation activation;
  size_t batch, rows, cols;
} Finish;

typedef struct
{
  Finish f;
  int in_scratch; /* t lies in the scratch, at t_scratch */
  size_t t_scratch;
} FinishNode;

static __global__ void
finish (Finish f)
{
  size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x, c;
  size_t r = ak_split (i, f.cols, &c);
  float v;

  if (r >= f.batch * f.rows)
    return;
  v = ak_row (f.t, f.rows, r)[c];
  if (f.bias)
    v += f.bias[c];
  v = ak_act (v, f.activation);
  if (f.gate.data)
    v *= ak_row (f.gate, f.rows, r)[c];
  if (f.residual.data)
    v += ak_row (f.residual, f.rows, r)[c];
  ak_row (f.y, f.rows, r)[c] = v;
}

static void
run_finish (const AkAt *at, const void *args)
{
  const FinishNode *n = (const FinishNode *) args;
  Finish f = n->f;

  if (n->in_scratch)
    f.t.data = (float *) (at->scratch + n->t_scratch);
  AK_LAUNCH (finish, ak_blocks (f.batch * f.rows * f.cols, THREADS), THREADS, 0, at, f);
}

static size_t
up256 (size_t bytes)
{
  return (bytes + 255) / 256 * 256;
}

/* Can the library add these: rows of its own for every row? */
static int
is_addend (AkRows v, const Finish *f)
{
  return !v.data || ((v.row >= f->cols || f->rows == 1) && (v.batch || f->batch == 1));
}

/* The products of one operation, `g` without y, bias and c: with `groups`, each group's columns of each batch item. */
static void
multiply (AkPlan *plan, const AkGemm *gemm, size_t groups, size_t group_x, int *failed)
{
  AkGemm g = *gemm;

  if (groups == 1) {
    *failed = !ak_library_gemm (plan, &g);
    return;
  }
  g.batch = groups;
  g.x_batch = group_x;
  g.y_batch = g.n;
  for (size_t b = 0; b < gemm->batch && !*failed; b++) {
    *failed = !ak_library_gemm (plan, &g);
    g.x_scratch += gemm->x_batch * (g.bf16 ? 2 : 4);
    if (g.y)
      g.y += gemm->y_batch;
    else
      g.y_scratch += gemm->y_batch * 4;
  }
}

static void
product (AkPlan *plan, AkGemm g, const Finish *f, size_t groups, size_t group_x)
{
  FinishNode node = { *f, 0, 0 };
  int failed = 0;

  g.m = f->rows;
  g.batch = f->batch;
  g.y = f->y.data;
  g.y_row = f->y.row;
  g.y_batch = f->y.batch;
  if (groups == 1 && f->activation == AK_ACT_NONE && !f->gate.data && is_addend (f->residual, f)) {
    g.bias = f->bias;
    g.c = f->residual.data;
    g.c_row = f->rows == 1 ? f->cols : f->residual.row;
    g.c_batch = f->residual.batch;
    if (ak_library_gemm (plan, &g))
      return;
    g.bias = g.c = NULL;
  }
  node.f.t = f->y;
  if (f->residual.data == f->y.data || f->gate.data == f->y.data) { /* these are needed later */
    node.in_scratch = 1;
    node.t_scratch = g.y_scratch = g.scratch;
    node.f.t = ak_dense (NULL, f->rows, f->cols);
    g.y = NULL;
    g.y_row = f->cols;
    g.y_batch = f->rows * f->cols;
    g.scratch += up256 (f->batch * f->rows * f->cols * sizeof (float));
  }
  multiply (plan, &g, groups, group_x, &failed);
  if (failed)
    ak_plan_fail (plan, AK_ERR_DEVICE);
  else if (f->bias || f->activation != AK_ACT_NONE || f->gate.data || f->residual.data)
    ak_cuda_append (plan, run_finish, NULL, &node, sizeof node);
}

/* Row t of group g of batch item b: for k and c, x [b][t·stride + k·dilation - left][g·channels + c], then zeros up to
 * `width`. In floats or bfloat16: to [groups][batch][out_rows][width]. */
typedef struct
{
  AkRows x;
  size_t groups, batch, rows, out_rows, channels, kernel, width, stride, dilation, left;
  int bf16;
} Gather;

static __global__ void
gather (Gather a, void *to)
{
  size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x, j, t, b, c, at;
  size_t r = ak_split (i, a.width, &j), g, k;
  float v = 0;

  if (r >= a.groups * a.batch * a.out_rows)
    return;
  b = ak_split (r, a.out_rows, &t);
  g = ak_split (b, a.batch, &b);
  k = ak_split (j, a.channels, &c);
  at = t * a.stride + k * a.dilation;
  if (k < a.kernel && at >= a.left && at - a.left < a.rows)
    v = a.x.data[b * a.x.batch + (at - a.left) * a.x.row + g * a.channels + c];
  if (a.bf16)
    ((uint16_t *) to)[i] = ak_to_bf16 (v);
  else
    ((float *) to)[i] = v;
}

static void
run_gather (const AkAt *at, const void *args)
{
  const Gather *a = (const Gather *) args;
  size_t n = a->groups * a->batch * a->out_rows * a->width;

  AK_LAUNCH (gather, ak_blocks (n, THREADS), THREADS, 0, at, *a, (void *) at->scratch);
}

/* Records the gathering into the beginning of the scratch; returns its bytes. */
static size_t
record_gather (AkPlan *plan, const Gather *a)
{
  size_t bytes =
      up256 (a->groups * a->batch * a->out_rows * a->width * (a->bf16 ? 2 : sizeof (float)));

  ak_cuda_scratch (plan, bytes);
  ak_cuda_append (plan, run_gather, NULL, a, sizeof *a);
  return bytes;
}

static int
is_dense (AkRows v, size_t rows)
{
  return !v.data || v.batch == rows * v.row;
}

static void
record_linear (AkPlan *plan, const AkLinear *a)
{
  const AkCudaMatrix *m = (const AkCudaMatrix *) a->matrix;
  Finish f = { a->y, {}, a->gate, a->residual, a->bias, a->activation, a->batch, a->rows, m->n };
  AkGemm g = {};
  AkRows x = a->x;

  if (is_dense (x, f.rows) && is_dense (f.y, f.rows) && is_dense (f.gate, f.rows) &&
      is_dense (f.residual, f.rows)) {
    f.rows *= f.batch;
    f.batch = 1;
  }
  g.n = m->n;
  g.k = m->kp;
  g.bf16 = m->bf16;
  g.w = m->data;
  g.w_row = m->kp;
  if (m->bf16) {
    Gather gather_x = { x, 1, f.batch, f.rows, f.rows, m->k, 1, m->kp, 1, 1, 0, 1 };

    g.scratch = record_gather (plan, &gather_x);
    g.x_row = m->kp;
    g.x_batch = f.rows * m->kp;
  } else {
    g.x = x.data;
    g.x_row = x.row;
    g.x_batch = x.batch;
  }
  product (plan, g, &f, 1, 0);
}

static void
record_conv (AkPlan *plan, const AkConv *a)
{
  const AkCudaMatrix *m = (const AkCudaMatrix *) a->matrix;
  size_t kernel = m->base.kernel, groups = m->base.groups, channels = m->base.in / groups;
  size_t rows = ak_conv_rows (a->rows, kernel, a->stride, a->dilation, a->left, a->right);
  size_t span = (rows - 1) * a->stride + kernel; /* rows that windows of adjacent rows cover */
  Finish f = { a->y, {}, {}, a->residual, a->bias, a->activation, a->batch, rows, m->base.out };
  Gather wide = { a->x, groups, a->batch, a->rows, rows, channels, kernel, m->kp, a->stride,
    a->dilation, a->left, m->bf16 };
  Gather once = { a->x, groups, a->batch, a->rows, span, channels, 1, channels, 1, 1, a->left,
    m->bf16 };
  AkGemm g = {};

  g.n = m->n;
  g.k = m->kp;
  g.bf16 = m->bf16;
  g.w = m->data;
  g.w_row = m->kp;
  g.w_batch = groups > 1 ? m->n * m->kp : 0;
  if (!m->bf16 && groups == 1 && a->dilation == 1 && a->left == 0 && span <= a->rows &&
      a->x.row == channels) { /* windows lie in x as they are */
    g.x = a->x.data;
    g.x_row = a->stride * channels;
    g.x_batch = a->x.batch;
  } else if (a->dilation == 1 && (!m->bf16 || (channels % 8 == 0 && m->kp == m->k))) {
    g.scratch = record_gather (plan, &once);
    g.x_row = a->stride * channels;
    g.x_batch = span * channels;
  } else {
    g.scratch = record_gather (plan, &wide);
    g.x_row = m->kp;
    g.x_batch = rows * m->kp;
  }
  product (plan, g, &f, groups, a->batch * g.x_batch);
}

void
ak_cuda_product_init (AkOps *ops)
{
  ops->linear = record_linear;
  ops->conv = record_conv;
}
