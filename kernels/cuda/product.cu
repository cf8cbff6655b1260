/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products and convolutions along the rows: the library multiplies, and adds bias and residual where it can; the rest
 * of the epilogue, and bringing the inputs into the shape and precision of a product, are kernels. */
#include "product.cuh"

#include "library.h"

#define THREADS 256

typedef struct
{
  AkFinish f;
  int in_scratch; /* t lies in the scratch, at t_scratch */
  size_t t_scratch;
  AkAlso also;
} FinishNode;

/* V columns by a thread. `rounded`: where y goes as bfloat16 as well, or NULL. */
template <int V>
static __global__ void
finish (AkFinish f, uint16_t *rounded)
{
  size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x, c, r;
  size_t b = ak_split (ak_split (i, f.cols / V, &c), f.rows, &r);
  const float *t = f.t.data + b * f.t.batch + r * f.t.row + c * V;
  float v[V], more[V];

  if (b >= f.batch)
    return;
  ak_get<V> (v, t);
  for (size_t p = 1; p < f.parts; p++) {
    ak_get<V> (more, t + p * f.t_part);
    for (int j = 0; j < V; j++)
      v[j] += more[j];
  }
  ak_finish<V> (&f, v, b, r, c * V, rounded);
}

static void
run_finish (const AkAt *at, const void *args)
{
  const FinishNode *n = (const FinishNode *) args;
  AkFinish f = n->f;
  uint16_t *rounded = ak_rounded (at, &n->also);
  size_t numbers = f.batch * f.rows * f.cols;
  int fours;

  if (n->in_scratch)
    f.t.data = (float *) (at->scratch + n->t_scratch);
  fours = ak_finish_is_aligned (&f) && ak_is_aligned (f.t, f.batch, f.rows) && f.t_part % 4 == 0;
  AK_LAUNCH_VECTORS (finish, fours, numbers, THREADS, at, f, rounded);
}

static void
record_finish (AkPlan *plan, const FinishNode *node, size_t used)
{
  const AkFinish *f = &node->f;
  FinishNode *kept = (FinishNode *) ak_cuda_append (plan, run_finish, NULL, node, sizeof *node);

  if (kept)
    ak_offer (plan, f->y, f->batch, f->rows, f->cols, &kept->also, used);
}

void
ak_cuda_finish (AkPlan *plan, const AkFinish *f, size_t t_scratch, size_t used)
{
  FinishNode node = { *f, 1, t_scratch, {} };

  record_finish (plan, &node, used);
}

/* Can the library add these: rows of its own for every row? */
static int
is_addend (AkRows v, const AkFinish *f)
{
  return !v.data || ((v.row >= f->cols || f->rows == 1) && (v.batch || f->batch == 1));
}

/* How the rows of a product lie in its input: row t from t · step on. Products want rows that do not overlap, so they are
 * made for every `turns`-th row at a time. With `groups` > 1 (then there is one turn) each group has its own input,
 * group_x numbers apart, and columns. */
typedef struct
{
  size_t step, turns, groups, group_x;
} Walk;

/* All rows of `turn`, of `gemm` as it is for row 0. Returns 0 where the library cannot. */
static int
multiply_turn (AkPlan *plan, const AkGemm *gemm, const Walk *w, size_t rows, size_t turn)
{
  size_t element = gemm->bf16 ? 2 : 4;
  AkGemm g = *gemm;

  g.m = (rows - turn + w->turns - 1) / w->turns;
  g.x_row = w->step * w->turns;
  if (g.x)
    g.x = (const char *) g.x + turn * w->step * element;
  else
    g.x_scratch += turn * w->step * element;
  if (g.y)
    g.y += turn * g.y_row;
  else
    g.y_scratch += turn * g.y_row * 4;
  g.y_row *= w->turns;
  if (g.c) {
    g.c += turn * g.c_row;
    g.c_row *= w->turns;
  }
  if (w->groups == 1)
    return ak_library_gemm (plan, &g);
  g.batch = w->groups;
  g.x_batch = w->group_x;
  g.y_batch = g.n;
  for (size_t b = 0; b < gemm->batch; b++) {
    if (!ak_library_gemm (plan, &g))
      return 0;
    g.x_scratch += gemm->x_batch * element;
    if (g.y)
      g.y += gemm->y_batch;
    else
      g.y_scratch += gemm->y_batch * 4;
  }
  return 1;
}

static int
multiply (AkPlan *plan, const AkGemm *g, const Walk *w, size_t rows)
{
  for (size_t turn = 0; turn < w->turns && turn < rows; turn++)
    if (!multiply_turn (plan, g, w, rows, turn)) {
      if (turn) /* there is no way back */
        ak_plan_fail (plan, AK_ERR_DEVICE);
      return 0;
    }
  return 1;
}

static void
product (AkPlan *plan, AkGemm g, const AkFinish *f, const Walk *w)
{
  FinishNode node = { *f, 0, 0, {} };

  g.batch = f->batch;
  g.y = f->y.data;
  g.y_row = f->y.row;
  g.y_batch = f->y.batch;
  if (w->groups == 1 && f->activation == AK_ACT_NONE && !f->gate.data &&
      is_addend (f->residual, f)) {
    g.bias = f->bias;
    g.c = f->residual.data;
    g.c_row = f->rows == 1 ? f->cols : f->residual.row;
    g.c_batch = f->residual.batch;
    if (multiply (plan, &g, w, f->rows))
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
    g.scratch += ak_up256 (f->batch * f->rows * f->cols * sizeof (float));
  }
  if (!multiply (plan, &g, w, f->rows))
    ak_plan_fail (plan, AK_ERR_DEVICE);
  else if (f->bias || f->activation != AK_ACT_NONE || f->gate.data || f->residual.data)
    record_finish (plan, &node, g.scratch);
}

/* Row t of group g of batch item b: for k and c, x [b][t·stride + k·dilation - left][g·channels + c], then zeros up to
 * `width`. In floats or bfloat16: to [groups][batch][out_rows][width]. */
typedef struct
{
  AkRows x;
  size_t groups, batch, rows, out_rows, channels, kernel, width, stride, dilation, left;
  int bf16;
} Gather;

/* V numbers of a row by a thread. */
template <int V>
static __global__ void
gather (Gather a, void *to)
{
  size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x, j, t, b, c, at;
  size_t r = ak_split (i, a.width / V, &j), g, k;
  float v[V] = {};

  if (r >= a.groups * a.batch * a.out_rows)
    return;
  b = ak_split (r, a.out_rows, &t);
  g = ak_split (b, a.batch, &b);
  k = ak_split (j * V, a.channels, &c);
  at = t * a.stride + k * a.dilation;
  if (k < a.kernel && at >= a.left && at - a.left < a.rows)
    ak_get<V> (v, a.x.data + b * a.x.batch + (at - a.left) * a.x.row + g * a.channels + c);
  if (a.bf16)
    ak_put_rounded<V> ((uint16_t *) to + i * V, v);
  else
    ak_put<V> ((float *) to + i * V, v);
}

static void
run_gather (const AkAt *at, const void *args)
{
  const Gather *a = (const Gather *) args;
  size_t n = a->groups * a->batch * a->out_rows * a->width;
  void *to = at->scratch;
  int fours = a->channels % 4 == 0 && a->width % 4 == 0 && ak_is_aligned (a->x, a->batch, a->rows);

  AK_LAUNCH_VECTORS (gather, fours, n, THREADS, at, *a, to);
}

/* Records the gathering into the beginning of the scratch; returns its bytes. */
static size_t
record_gather (AkPlan *plan, const Gather *a)
{
  size_t bytes =
      ak_up256 (a->groups * a->batch * a->out_rows * a->width * (a->bf16 ? 2 : sizeof (float)));

  ak_cuda_scratch (plan, bytes);
  ak_cuda_append (plan, run_gather, NULL, a, sizeof *a);
  return bytes;
}

/* If the operation before offers x as bfloat16: takes it, and sets where it will lie in the scratch. */
static int
take_offer (AkPlan *plan, AkRows x, size_t batch, size_t rows, size_t cols, size_t *lies)
{
  const AkOffer *stands = ak_cuda_offered (plan, x, batch, rows, cols);

  if (!stands)
    return 0;
  *lies = ak_up256 (stands->scratch);
  if (stands->also) {
    stands->also->on = 1;
    stands->also->at = *lies;
  }
  ak_cuda_scratch (plan, *lies + batch * rows * cols * 2);
  return 1;
}

/* Input rows x as bfloat16 in the scratch: as the operation before offers them, or by a kernel. Says where. */
static AkOffer
record_rounded (AkPlan *plan, AkRows x, size_t batch, size_t rows, const AkCudaMatrix *m)
{
  AkOffer lies = { x, batch, rows, m->k, NULL, 0 };
  Gather all = { x, 1, batch, rows, rows, m->k, 1, m->kp, 1, 1, 0, 1 };

  if (!take_offer (plan, x, batch, rows, m->k, &lies.scratch))
    record_gather (plan, &all);
  return lies;
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
  AkFinish f = { a->y, {}, a->gate, a->residual, a->bias, a->activation, a->batch, a->rows, m->n, 1,
    0 };
  Walk walk = { a->x.row, 1, 1, 0 };
  AkOffer rounded = {};
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
    rounded = record_rounded (plan, x, f.batch, f.rows, m);
    g.x_scratch = rounded.scratch;
    g.scratch = rounded.scratch + ak_up256 (f.batch * f.rows * m->kp * 2);
    walk.step = m->kp;
    g.x_batch = f.rows * m->kp;
  } else {
    g.x = x.data;
    g.x_batch = x.batch;
  }
  /* in bfloat16 the library is as fast where it needs no kernel beside */
  if ((!m->bf16 || f.activation != AK_ACT_NONE || f.gate.data) &&
      ak_cuda_small_product (plan, m, x, g.x_scratch, g.scratch, &f))
    return;
  product (plan, g, &f, &walk);
  /* rounded inputs of a product stay where they are for the next one; with a kernel after the product its offer counts */
  if (m->bf16 && f.y.data != x.data && f.activation == AK_ACT_NONE && !f.gate.data &&
      !f.residual.data)
    ak_cuda_offer (plan, &rounded);
}

#define MOST_TURNS 4
#define MOST_WIDE ((size_t) 4 << 20) /* bytes of windows that are written out */

static void
record_conv (AkPlan *plan, const AkConv *a)
{
  const AkCudaMatrix *m = (const AkCudaMatrix *) a->matrix;
  size_t kernel = m->base.kernel, groups = m->base.groups, channels = m->base.in / groups;
  size_t rows = ak_conv_rows (a->rows, kernel, a->stride, a->dilation, a->left, a->right);
  size_t span = (rows - 1) * a->stride + kernel; /* rows that windows of adjacent rows cover */
  AkFinish f = { a->y, {}, {}, a->residual, a->bias, a->activation, a->batch, rows, m->base.out, 1,
    0 };
  Gather wide = { a->x, groups, a->batch, a->rows, rows, channels, kernel, m->kp, a->stride,
    a->dilation, a->left, m->bf16 };
  Gather once = { a->x, groups, a->batch, a->rows, span, channels, 1, channels, 1, 1, a->left,
    m->bf16 };
  Walk walk = { a->stride * channels, (kernel + a->stride - 1) / a->stride, groups, 0 };
  AkGemm g = {};

  g.n = m->n;
  g.k = m->kp;
  g.bf16 = m->bf16;
  g.w = m->data;
  g.w_row = m->kp;
  g.w_batch = groups > 1 ? m->n * m->kp : 0;
  if (groups == 1 && a->dilation == 1 && walk.turns <= MOST_TURNS &&
      (!m->bf16 || (channels % 8 == 0 && m->kp == m->k))) {
    int as_is = a->left == 0 && span <= a->rows; /* windows lie in x as they are */

    if (as_is && !m->bf16 && a->x.row == channels) {
      g.x = a->x.data;
      g.x_batch = a->x.batch;
    } else if (as_is && m->bf16 &&
               take_offer (plan, a->x, a->batch, a->rows, channels, &g.x_scratch)) {
      g.x_batch = a->rows * channels;
      g.scratch = g.x_scratch + ak_up256 (a->batch * g.x_batch * 2);
    } else {
      g.scratch = record_gather (plan, &once);
      g.x_batch = span * channels;
    }
  } else if (groups * a->batch * rows * m->kp * sizeof (float) <= MOST_WIDE) {
    g.scratch = record_gather (plan, &wide);
    g.x_batch = rows * m->kp;
    walk = (Walk){ m->kp, 1, groups, a->batch * g.x_batch };
  } else {
    ak_cuda_direct (plan, a, &f);
    return;
  }
  product (plan, g, &f, &walk);
}

void
ak_cuda_product_init (AkOps *ops)
{
  ops->linear = record_linear;
  ops->conv = record_conv;
}
