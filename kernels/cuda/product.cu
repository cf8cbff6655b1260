/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products and convolutions along the rows: the library multiplies, and adds bias and residual where it can; the rest
 * of the epilogue, and bringing the inputs into the shape and precision of a product, are kernels. */
#include "math.cuh"

#include "library.h"

#define THREADS 256

/* y = residual + gate * act (t + bias), t being the sum of `parts`, t_part numbers apart */
typedef struct
{
  AkRows y, t, gate, residual;
  const float *bias;
  AkActivation activation;
  size_t batch, rows, cols;
  size_t parts, t_part;
} Finish;

typedef struct
{
  Finish f;
  int in_scratch; /* t lies in the scratch, at t_scratch */
  size_t t_scratch;
  AkAlso also;
} FinishNode;

/* `rounded`: where y goes as bfloat16 as well, or NULL. */
static __global__ void
finish (Finish f, uint16_t *rounded)
{
  size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x, c;
  size_t r = ak_split (i, f.cols, &c);
  float v;

  if (r >= f.batch * f.rows)
    return;
  v = ak_row (f.t, f.rows, r)[c];
  for (size_t p = 1; p < f.parts; p++)
    v += ak_row (f.t, f.rows, r)[p * f.t_part + c];
  if (f.bias)
    v += f.bias[c];
  v = ak_act (v, f.activation);
  if (f.gate.data)
    v *= ak_row (f.gate, f.rows, r)[c];
  if (f.residual.data)
    v += ak_row (f.residual, f.rows, r)[c];
  ak_row (f.y, f.rows, r)[c] = v;
  if (rounded)
    rounded[i] = ak_to_bf16 (v);
}

static void
run_finish (const AkAt *at, const void *args)
{
  const FinishNode *n = (const FinishNode *) args;
  Finish f = n->f;

  if (n->in_scratch)
    f.t.data = (float *) (at->scratch + n->t_scratch);
  AK_LAUNCH (finish, ak_blocks (f.batch * f.rows * f.cols, THREADS), THREADS, 0, at, f,
      ak_rounded (at, &n->also));
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
product (AkPlan *plan, AkGemm g, const Finish *f, const Walk *w)
{
  FinishNode node = { *f, 0, 0, {} }, *kept = NULL;

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
    g.scratch += up256 (f->batch * f->rows * f->cols * sizeof (float));
  }
  if (!multiply (plan, &g, w, f->rows))
    ak_plan_fail (plan, AK_ERR_DEVICE);
  else if (f->bias || f->activation != AK_ACT_NONE || f->gate.data || f->residual.data)
    kept = (FinishNode *) ak_cuda_append (plan, run_finish, NULL, &node, sizeof node);
  if (kept)
    ak_offer (plan, f->y, f->batch, f->rows, f->cols, &kept->also, g.scratch);
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

/* A convolution whose windows are many times the input: products of tiles of 64 results and 64 channels, whose inputs
 * are looked up as they are loaded. The sum is cut into `parts` for more blocks. */
#define TILE 64
#define DEPTH 16 /* inputs at a time */
#define OWN 4    /* results of a thread in each direction: (TILE / OWN)² threads */

typedef struct
{
  AkRows x;
  const void *w; /* [groups][n][kp] */
  size_t batch, rows, out_rows, groups, channels, n, k, kp, stride, dilation, left;
  size_t parts, depth; /* inputs of a part, a multiple of DEPTH */
  int bf16;
} Direct;

/* Grid: tiles of results; tiles of channels, groups, batch items; parts. To [parts][batch][out_rows][groups · n]. */
static __global__ void
direct (Direct a, float *to)
{
  __shared__ float xs[DEPTH][TILE + 1], ws[DEPTH][TILE + 1];
  unsigned tiles = (unsigned) ((a.n + TILE - 1) / TILE), i = threadIdx.x;
  unsigned tile = blockIdx.y % tiles, g = blockIdx.y / tiles % (unsigned) a.groups;
  unsigned b = blockIdx.y / tiles / (unsigned) a.groups;
  size_t t0 = (size_t) blockIdx.x * TILE, o0 = (size_t) tile * TILE, out = a.groups * a.n;
  size_t first = blockIdx.z * a.depth, last = first + a.depth < a.k ? first + a.depth : a.k;
  const float *x = a.x.data + b * a.x.batch + g * a.channels;
  unsigned row = i / (TILE / OWN) * OWN, col = i % (TILE / OWN) * OWN;
  float acc[OWN][OWN] = {};

  for (size_t k0 = first; k0 < last; k0 += DEPTH) {
    size_t at = k0 + i % DEPTH, c, k = ak_split (at, a.channels, &c);

    __syncthreads ();
    for (unsigned j = i / DEPTH; j < TILE; j += blockDim.x / DEPTH) {
      size_t from = (t0 + j) * a.stride + k * a.dilation, o = o0 + j, w = (g * a.n + o) * a.kp + at;
      int in_x = at < last && t0 + j < a.out_rows && from >= a.left && from - a.left < a.rows;
      int in_w = at < last && o < a.n;

      xs[i % DEPTH][j] = in_x ? x[(from - a.left) * a.x.row + c] : 0;
      if (a.bf16)
        ws[i % DEPTH][j] =
            in_w ? __uint_as_float ((unsigned) ((const uint16_t *) a.w)[w] << 16) : 0;
      else
        ws[i % DEPTH][j] = in_w ? ((const float *) a.w)[w] : 0;
    }
    __syncthreads ();
    for (int d = 0; d < DEPTH; d++)
      for (unsigned r = 0; r < OWN; r++)
        for (unsigned q = 0; q < OWN; q++)
          acc[r][q] += xs[d][row + r] * ws[d][col + q];
  }
  to += (blockIdx.z * a.batch + b) * a.out_rows * out;
  for (unsigned r = 0; r < OWN; r++)
    for (unsigned q = 0; q < OWN; q++)
      if (t0 + row + r < a.out_rows && o0 + col + q < a.n)
        to[(t0 + row + r) * out + g * a.n + o0 + col + q] = acc[r][q];
}

static void
run_direct (const AkAt *at, const void *args)
{
  const Direct *a = (const Direct *) args;
  dim3 grid (ak_blocks (a->out_rows, TILE),
      (unsigned) (a->batch * a->groups * ak_blocks (a->n, TILE)), (unsigned) a->parts);

  AK_LAUNCH (direct, grid, TILE / OWN * (TILE / OWN), 0, at, *a, (float *) at->scratch);
}

static void
record_direct (AkPlan *plan, const AkConv *a, const Finish *f)
{
  const AkCudaMatrix *m = (const AkCudaMatrix *) a->matrix;
  size_t tiles = ak_blocks (f->rows, TILE) * (m->base.groups * ak_blocks (m->n, TILE) * a->batch);
  size_t numbers = f->batch * f->rows * f->cols;
  Direct d = { a->x, m->data, a->batch, a->rows, f->rows, m->base.groups,
    m->base.in / m->base.groups, m->n, m->k, m->kp, a->stride, a->dilation, a->left, 1, 0,
    m->bf16 };
  FinishNode node = { *f, 1, 0, {} };

  while (d.parts < 16 && tiles * d.parts < 256 && m->k / d.parts > 16 * DEPTH)
    d.parts *= 2;
  d.depth = ((m->k + d.parts - 1) / d.parts + DEPTH - 1) / DEPTH * DEPTH;
  node.f.t = ak_dense (NULL, f->rows, f->cols);
  node.f.parts = d.parts;
  node.f.t_part = numbers;
  ak_cuda_scratch (plan, d.parts * numbers * sizeof (float));
  ak_cuda_append (plan, run_direct, NULL, &d, sizeof d);
  ak_cuda_append (plan, run_finish, NULL, &node, sizeof node);
}

/* Input rows x as bfloat16 in the scratch: as the operation before offers them, or by a kernel. Says where. */
static AkOffer
record_rounded (AkPlan *plan, AkRows x, size_t batch, size_t rows, const AkCudaMatrix *m)
{
  const AkOffer *stands = ak_cuda_offered (plan, x, batch, rows, m->k);
  AkOffer lies = { x, batch, rows, m->k, NULL, 0 };
  Gather all = { x, 1, batch, rows, rows, m->k, 1, m->kp, 1, 1, 0, 1 };

  if (!stands) {
    record_gather (plan, &all);
    return lies;
  }
  lies.scratch = up256 (stands->scratch);
  if (stands->also) {
    stands->also->on = 1;
    stands->also->at = lies.scratch;
  }
  ak_cuda_scratch (plan, lies.scratch + batch * rows * m->k * 2);
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
  Finish f = { a->y, {}, a->gate, a->residual, a->bias, a->activation, a->batch, a->rows, m->n, 1,
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
    g.scratch = rounded.scratch + up256 (f.batch * f.rows * m->kp * 2);
    walk.step = m->kp;
    g.x_batch = f.rows * m->kp;
  } else {
    g.x = x.data;
    g.x_batch = x.batch;
  }
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
  Finish f = { a->y, {}, {}, a->residual, a->bias, a->activation, a->batch, rows, m->base.out, 1,
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
    if (!m->bf16 && a->left == 0 && span <= a->rows && a->x.row == channels) {
      g.x = a->x.data; /* windows lie in x as they are */
      g.x_batch = a->x.batch;
    } else {
      g.scratch = record_gather (plan, &once);
      g.x_batch = span * channels;
    }
  } else if (groups * a->batch * rows * m->kp * sizeof (float) <= MOST_WIDE) {
    g.scratch = record_gather (plan, &wide);
    g.x_batch = rows * m->kp;
    walk = (Walk){ m->kp, 1, groups, a->batch * g.x_batch };
  } else {
    record_direct (plan, a, &f);
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
