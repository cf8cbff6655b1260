/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional convolutions: the definition, products of our own over windows of copied rows, or
 * oneDNN. */
#include "conv2d.h"
#include "onednn.h"
#include "winograd.h"

#include <string.h>

typedef struct
{
  AkConv2d a;
  size_t out_height, out_width;
} Plain;

static const float *
at_batch (AkRows v, size_t b)
{
  return v.data ? v.data + b * v.batch : NULL;
}

static void
conv2d_plain (const void *args, size_t from, size_t to)
{
  const Plain *f = args;
  const AkConv2d *a = &f->a;
  const AkCpuMatrix *m = (const AkCpuMatrix *) a->matrix;
  size_t side = m->base.side, channels = m->base.in, pixels = f->out_height * f->out_width;

  for (size_t i = from; i < to; i++) {
    size_t b = i / pixels, r = i % pixels / f->out_width, q = i % f->out_width;
    const float *scale = at_batch (a->in_scale, b);

    for (size_t o = 0; o < m->base.out; o++) {
      AkPanels p = { .y = ak_row (a->y, pixels, i) + o, .n = 1, .activation = a->activation };
      double s = 0;
      float v;

      for (size_t k = 0; k < side * side; k++) {
        size_t row = r * a->stride + k / side, col = q * a->stride + k % side;
        const float *w = (const float *) m->data + o * m->k + k * channels, *x;

        if (row < a->padding || row - a->padding >= a->height || col < a->padding ||
            col - a->padding >= a->width)
          continue;
        x = a->x.data + b * a->x.batch +
            ((row - a->padding) * a->width + col - a->padding) * a->x.row;
        for (size_t c = 0; c < channels; c++)
          s += (scale ? (double) scale[c] : 1.0) * x[c] * w[c];
      }
      v = (float) s;
      p.scale = a->out_scale.data ? at_batch (a->out_scale, b) + o : NULL;
      p.bias = a->bias ? a->bias + o : NULL;
      p.noise = a->noise.data ? ak_row (a->noise, pixels, i) : NULL;
      p.gate = a->gate.data ? ak_row (a->gate, pixels, i) + o : NULL;
      p.residual = a->residual.data ? ak_row (a->residual, pixels, i) + o : NULL;
      ak_finish_plain (&p, &v, 1);
    }
  }
}

static void
conv2d_plain_record (AkPlan *plan, const AkConv2d *a)
{
  const AkMatrix *m = a->matrix;
  Plain f = { *a, ak_conv2d_size (a->height, m->side, a->stride, a->padding),
    ak_conv2d_size (a->width, m->side, a->stride, a->padding) };

  ak_cpu_append_rows (plan, conv2d_plain, &f, sizeof f, a->batch * f.out_height * f.out_width,
      m->out * m->in * m->kernel);
}

size_t
ak_gather_size (const AkGather *g)
{
  return g->rows * (g->width + 2 * g->padding) * g->channels;
}

typedef struct
{
  const AkGather *g;
  float *to;
} GatherWork;

static void
gather_part (void *data, unsigned i, unsigned n)
{
  const GatherWork *w = data;
  const AkGather *g = w->g;
  size_t c = g->channels, edge = g->padding * c, row = 2 * edge + g->width * c;

  for (size_t r = g->rows * i / n; r < g->rows * (i + 1) / n; r++) {
    size_t padded = g->first + r;
    float *to = w->to + r * row;
    const float *x;

    if (padded < g->padding || padded - g->padding >= g->height) {
      memset (to, 0, row * sizeof *to);
      continue;
    }
    x = g->x + (padded - g->padding) * g->width * g->x_row;
    memset (to, 0, edge * sizeof *to);
    to += edge;
    if (g->scale)
      for (size_t q = 0; q < g->width; q++, to += c, x += g->x_row)
        for (size_t j = 0; j < c; j++)
          to[j] = x[j] * g->scale[j];
    else if (g->x_row == c)
      memcpy (to, x, g->width * c * sizeof *to), to += g->width * c;
    else
      for (size_t q = 0; q < g->width; q++, to += c, x += g->x_row)
        memcpy (to, x, c * sizeof *to);
    memset (to, 0, edge * sizeof *to);
  }
}

void
ak_gather_run (AkCpu *cpu, const AkGather *g, float *to)
{
  GatherWork w = { g, to };

  if (ak_gather_size (g) >= AK_CPU_PARALLEL_ELEMENTS)
    ak_cpu_parallel (cpu, gather_part, &w);
  else
    gather_part (&w, 0, 1);
}

#if defined(__x86_64__)
typedef struct
{
  AkConv2dPiece piece;
  AkCpuPlan *plan;
} Node;

static void
windows_part (void *data, unsigned i, unsigned n)
{
  const AkWindows *w = data;
  size_t panels = (w->p.n + 15) / 16, tiles = (w->pixels + 5) / 6;

  if (panels % n == 0 || panels >= 4 * n) {
    size_t last = panels * (i + 1) / n * 16;

    ak_conv2d_avx2 (w, 0, w->pixels, panels * i / n * 16, last < w->p.n ? last : w->p.n);
  } else {
    size_t last = tiles * (i + 1) / n * 6;

    ak_conv2d_avx2 (w, tiles * i / n * 6, last < w->pixels ? last : w->pixels, 0, w->p.n);
  }
}

/* The same of what is wanted: some rows of the result for each thread. */
static void
spans_part (void *data, unsigned i, unsigned n)
{
  const AkConv2dPiece *piece = data;
  const AkWindows *w = &piece->w;
  size_t width = w->out_width, rows = w->pixels / width;

  for (size_t r = rows * i / n; r < rows * (i + 1) / n; r++) {
    AkSpan s = piece->spans[(piece->first + r) / 2];
    size_t to = 2 * (size_t) s.to < width ? 2 * (size_t) s.to : width;

    if (s.from < s.to)
      ak_conv2d_avx2 (w, r * width + 2 * (size_t) s.from, r * width + to, 0, w->p.n);
  }
}

static void
scale_panels (float *to, const AkConv2dPiece *piece)
{
  const AkPanels *p = &piece->w.p;
  const float *from = p->panels;

  for (size_t i = 0; i < (p->n + 15) / 16 * p->k; i++)
    for (size_t j = 0; j < 16; j++)
      to[16 * i + j] = from[16 * i + j] * piece->scale[i % p->k];
}

static void
conv2d_run (AkCpu *cpu, const void *data)
{
  const Node *n = data;
  AkConv2dPiece piece = n->piece;
  AkWindows w;

  if (piece.scale) {
    piece.w.p.panels = n->plan->scratch;
    scale_panels ((float *) n->plan->scratch, &n->piece);
  }
  if (piece.gather.rows) {
    piece.w.p.x = (float *) n->plan->scratch;
    ak_gather_run (cpu, &piece.gather, (float *) n->plan->scratch);
  }
  w = piece.w;
  if (piece.spans)
    ak_cpu_parallel (cpu, spans_part, &piece);
  else if (w.pixels * w.p.n * w.p.k >= AK_CPU_PARALLEL_MACS)
    ak_cpu_parallel (cpu, windows_part, &w);
  else
    ak_conv2d_avx2 (&w, 0, w.pixels, 0, w.p.n);
}

static void
append (AkPlan *plan, const AkConv2dPiece *piece)
{
  Node n = { *piece, (AkCpuPlan *) plan };
  const AkGather *g = &piece->gather;
  size_t panels = (piece->w.p.n + 15) / 16 * 16 * piece->w.p.k;

  /* where only the scale stands against reading the image in place, the weights get it, if these are fewer */
  if (g->rows && g->scale && g->padding == 0 && g->x_row == g->channels && piece->w.side == 1 &&
      panels <= ak_gather_size (g)) {
    n.piece.scale = g->scale;
    n.piece.w.p.x = g->x + g->first * g->width * g->channels;
    n.piece.gather = (AkGather){ 0 };
    ak_cpu_scratch (plan, panels * sizeof (float));
  }
  ak_cpu_scratch (plan, ak_gather_size (&n.piece.gather) * sizeof (float));
  ak_cpu_append (plan, AK_NODE_POOLED, conv2d_run, NULL, &n, sizeof n);
}

/* From so many tiles on the transformed weights, 16 or 36 for 9, are worth reading. Large tiles only where all that
 * the weights take is little, and never with spans: each of their results is rounded with all of the tile's pixels, also
 * with those that are not wanted and hold anything. */
#define WINOGRAD_TILES 60
#define WINOGRAD_LARGE_TILES 48
#define WINOGRAD_LARGE_WEIGHTS ((size_t) 1 << 18)
#define WINOGRAD_WIDTH 8
#define WINOGRAD_STEP 96
#define WINOGRAD_SCRATCH                                                                           \
  ((size_t) 1 << 16) /* floats of a thread's large tiles, which have room in a cache */

typedef struct
{
  AkWinograd w;
  AkCpuPlan *plan;
  AkWinogradRun *run;
  const AkSpan *spans;
  size_t first, count, step; /* rows of tiles; so many tiles at once in a thread */
} WinogradNode;

/* The tiles *from … *to-1 of a row of them are wanted. Returns how many. */
static size_t
wanted_tiles (const WinogradNode *node, size_t row, size_t *from, size_t *to)
{
  size_t across = node->w.tiles_across;

  *from = node->spans ? node->spans[row].from : 0;
  *to = node->spans && node->spans[row].to < across ? node->spans[row].to : across;
  return *to > *from ? *to - *from : 0;
}

static void
winograd_part (void *data, unsigned i, unsigned n)
{
  const WinogradNode *node = data;
  float *scratch = (float *) node->plan->scratch + i * ak_winograd_scratch (&node->w, node->step);
  size_t count = 0, begin, end, at = 0, listed = 0, from, to;
  AkWinogradTile list[WINOGRAD_STEP];

  for (size_t r = node->first; r < node->first + node->count; r++)
    count += wanted_tiles (node, r, &from, &to);
  begin = (count + 5) / 6 * i / n * 6;
  end = (count + 5) / 6 * (i + 1) / n * 6;
  for (size_t r = node->first; r < node->first + node->count && at < end; r++) {
    size_t here = wanted_tiles (node, r, &from, &to), first = begin > at ? begin - at : 0;

    for (size_t k = first; k < here && at + k < end; k++) {
      list[listed++] = (AkWinogradTile){ (uint32_t) r, (uint32_t) (from + k) };
      if (listed == node->step) {
        node->run (&node->w, list, listed, scratch);
        listed = 0;
      }
    }
    at += here;
  }
  if (listed)
    node->run (&node->w, list, listed, scratch);
}

static void
winograd_run (AkCpu *cpu, const void *data)
{
  ak_cpu_parallel (cpu, winograd_part, (void *) data);
}

typedef struct
{
  AkCpuMatrix *m;
  size_t tile;
} MakeWinograd;

static void
make_winograd (void *data)
{
  const MakeWinograd *make = data;
  float **to = &make->m->winograd[make->tile / 4];

  if (*to)
    return;
  *to = ak_cpu_memory (ak_winograd_size (make->m, make->tile) * sizeof **to);
  if (*to)
    ak_winograd_weights (*to, make->m, make->tile);
}

/* Tiles at once in a thread: as many as a node's work allows, and a cache. */
static size_t
winograd_step (const WinogradNode *node, size_t block)
{
  size_t least = 48, most = WINOGRAD_STEP;

  if (node->w.tile == 4) {
    most = WINOGRAD_SCRATCH / (36 * (node->w.channels + 16)) / 6 * 6;
    most = most < 12 ? 12 : most > WINOGRAD_STEP ? WINOGRAD_STEP : most;
    least = 12;
  }
  return block < least ? least : block > most ? most : block;
}

/* Returns 0 where it does not pay. */
static int
winograd_record (
    AkPlan *plan, const AkConv2d *a, const AkPanels *p, size_t b, size_t height, size_t width)
{
  AkCpuMatrix *m = (AkCpuMatrix *) a->matrix;
  size_t large = ((height + 3) / 4) * ((width + 3) / 4),
         small = ((height + 1) / 2) * ((width + 1) / 2);
  size_t tile = !a->spans && large >= WINOGRAD_LARGE_TILES &&
                        ak_winograd_size (m, 4) <= WINOGRAD_LARGE_WEIGHTS
                    ? 4
                    : 2;
  size_t rows = (height + tile - 1) / tile, across = (width + tile - 1) / tile;
  size_t threads = plan->dev->threads;
  size_t block = AK_CPU_NODE_MACS / ((tile + 2) * (tile + 2) * m->base.in * m->n) / 6 * 6;
  WinogradNode n = {
    .w = {
      .p = *p,
      .x = a->x.data + b * a->x.batch,
      .scale = at_batch (a->in_scale, b),
      .x_row = a->x.row,
      .height = a->height,
      .width = a->width,
      .channels = m->base.in,
      .padding = a->padding,
      .out_height = height,
      .out_width = width,
      .tile = tile,
      .tiles_across = across,
    },
    .plan = (AkCpuPlan *) plan,
    .run = tile == 4 ? ak_winograd4_avx2 : ak_winograd2_avx2,
    .spans = a->spans,
  };

  if (m->base.side != 3 || a->stride != 1 || m->base.in < WINOGRAD_WIDTH || m->n < WINOGRAD_WIDTH ||
      small < WINOGRAD_TILES)
    return 0;
  ak_worker_call (((AkCpu *) plan->dev)->worker, make_winograd, &(MakeWinograd){ m, tile });
  n.w.p.panels = m->winograd[tile / 4];
  if (!n.w.p.panels) {
    ak_plan_fail (plan, AK_ERR_MEMORY);
    return 1;
  }
  n.step = winograd_step (&n, block);
  block = (block < n.step ? n.step : block) * threads / across;
  block = block ? block : 1;
  ak_cpu_scratch (plan, threads * ak_winograd_scratch (&n.w, n.step) * sizeof (float));
  for (n.first = 0; n.first < rows; n.first += n.count) {
    n.count = n.first + block < rows ? block : rows - n.first;
    ak_cpu_append (plan, AK_NODE_POOLED, winograd_run, NULL, &n, sizeof n);
  }
  return 1;
}
#else
static int
winograd_record (
    AkPlan *plan, const AkConv2d *a, const AkPanels *p, size_t b, size_t height, size_t width)
{
  return 0;
}

static void
append (AkPlan *plan, const AkConv2dPiece *piece)
{
}
#endif

/* `count` rows of the result of batch item b, from row `first` on. */
static AkConv2dPiece
make_piece (const AkConv2d *a, size_t b, size_t first, size_t count)
{
  const AkCpuMatrix *m = (const AkCpuMatrix *) a->matrix;
  size_t channels = m->base.in, side = m->base.side;
  size_t out_width = ak_conv2d_size (a->width, side, a->stride, a->padding);
  size_t pixel = first * out_width;
  AkConv2dPiece piece = {
    .w = {
      .p = {
        .y = a->y.data + b * a->y.batch + pixel * a->y.row,
        .panels = m->data,
        .bias = a->bias,
        .scale = at_batch (a->out_scale, b),
        .y_row = a->y.row,
        .gate_row = a->gate.row,
        .residual_row = a->residual.row,
        .noise_row = a->noise.row,
        .k = m->k,
        .n = m->n,
        .activation = a->activation,
      },
      .pixels = count * out_width,
      .out_width = out_width,
      .step = a->stride * channels,
      .side = side,
      .span = side * channels,
    },
    .spans = a->spans,
    .first = first,
  };
  AkWindows *w = &piece.w;

  if (a->gate.data)
    w->p.gate = a->gate.data + b * a->gate.batch + pixel * a->gate.row;
  if (a->residual.data)
    w->p.residual = a->residual.data + b * a->residual.batch + pixel * a->residual.row;
  if (a->noise.data)
    w->p.noise = a->noise.data + b * a->noise.batch + pixel * a->noise.row;
  if (a->padding || a->in_scale.data || a->x.row != channels) {
    piece.gather = (AkGather){
      .x = a->x.data + b * a->x.batch,
      .scale = at_batch (a->in_scale, b),
      .x_row = a->x.row,
      .height = a->height,
      .width = a->width,
      .channels = channels,
      .padding = a->padding,
      .first = first * a->stride,
      .rows = (count - 1) * a->stride + side,
    };
  } else {
    w->p.x = a->x.data + b * a->x.batch + first * a->stride * a->width * channels;
  }
  w->row = (a->width + 2 * a->padding) * channels;
  w->down = a->stride * w->row;
  return piece;
}

static void
conv2d_record (AkPlan *plan, const AkConv2d *a)
{
  AkCpuMatrix *m = (AkCpuMatrix *) a->matrix;
  size_t height = ak_conv2d_size (a->height, m->base.side, a->stride, a->padding);
  size_t width = ak_conv2d_size (a->width, m->base.side, a->stride, a->padding);
  size_t block = AK_CPU_NODE_MACS / (m->k * m->n) / width;

  if (block < 1)
    block = 1;
  for (size_t b = 0; b < a->batch; b++) {
    AkConv2dPiece whole = make_piece (a, b, 0, height);

    if (m->layout == AK_LAYOUT_PANELS && winograd_record (plan, a, &whole.w.p, b, height, width))
      continue;
    for (size_t first = 0; first < height; first += block) {
      AkConv2dPiece piece =
          make_piece (a, b, first, first + block < height ? block : height - first);

      if (m->layout == AK_LAYOUT_ONEDNN)
        ak_onednn_conv2d (plan, m, &piece, a->stride);
      else
        append (plan, &piece);
    }
  }
}

void
ak_cpu_conv2d_init (AkOps *ops, AkCpuLevel level)
{
  ops->conv2d = level == AK_CPU_PLAIN ? conv2d_plain_record : conv2d_record;
}
