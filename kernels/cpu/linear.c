/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matrices and products: the definition, our own panels, or oneDNN. */
#include "cpu.h"
#include "onednn.h"

#include <stdlib.h>
#include <string.h>

/* From this size on oneDNN's AVX-512 products are worth their calls. */
#define ONEDNN_WEIGHTS ((size_t) 1 << 16)

static AkLayout
choose_layout (const AkCpu *cpu, const AkCpuMatrix *m)
{
  AkCpuLevel wide = m->bf16 ? AK_CPU_BF16 : AK_CPU_AVX512;

  if (cpu->level == AK_CPU_PLAIN)
    return AK_LAYOUT_PLAIN;
  if (cpu->onednn || cpu->level == AK_CPU_BASE)
    return AK_LAYOUT_ONEDNN;
  if (cpu->level >= wide && m->k * m->n >= ONEDNN_WEIGHTS)
    return AK_LAYOUT_ONEDNN;
  return AK_LAYOUT_PANELS;
}

static AkMatrix *
matrix_new (AkDevice *dev, const AkMatrix *sizes, AkStatus *status)
{
  AkCpu *cpu = (AkCpu *) dev;
  AkCpuMatrix *m = calloc (1, sizeof *m);
  size_t bytes;

  if (!m)
    goto no_memory;
  m->base = *sizes;
  m->k = sizes->in / sizes->groups * sizes->kernel;
  m->n = sizes->out / sizes->groups;
  /* weights of two-dimensional convolutions stay floats */
  m->bf16 = sizes->precision == AK_BF16 && !sizes->side && cpu->level != AK_CPU_PLAIN;
  m->layout = choose_layout (cpu, m);
  bytes = m->layout == AK_LAYOUT_PANELS ? ak_panels_size (m) * sizes->groups
                                        : sizes->out * m->k * ak_matrix_element (m);
  m->data = ak_cpu_weights (bytes);
  if (!m->data)
    goto no_memory;
  if (m->layout == AK_LAYOUT_PANELS && m->n % 16) /* the columns beyond the last */
    for (size_t g = 1; g <= sizes->groups; g++) {
      size_t last = 16 * m->k * ak_matrix_element (m);

      memset ((char *) m->data + g * ak_panels_size (m) - last, 0, last);
    }
  return &m->base;

no_memory:
  free (m);
  *status = AK_ERR_MEMORY;
  return NULL;
}

/* `n` rows [channels][kernel] as columns `first` … of one panel [kernel][channels][16]. */
static void
pack_panel (const AkCpuMatrix *m, void *panel, size_t first, const float *from, size_t n)
{
  size_t kernel = m->base.kernel, channels = m->k / kernel;
  uint16_t *half = panel;
  float *to = panel;

  for (size_t c = 0; c < channels; c++)
    for (size_t k = 0; k < kernel; k++) {
      const float *x = from + c * kernel + k;
      size_t at = (k * channels + c) * 16;

      if (m->bf16)
        for (size_t j = 0; j < n; j++)
          half[at + ak_bf16_lane (first + j)] = ak_to_bf16 (x[j * m->k]);
      else
        for (size_t j = 0; j < n; j++)
          to[at + first + j] = x[j * m->k];
    }
}

static void
fill_panels (const AkCpuMatrix *m, const float *values, size_t first, size_t count)
{
  while (count) {
    size_t col = first % m->n, n = 16 - col % 16;
    char *group = (char *) m->data + first / m->n * ak_panels_size (m);

    n = n < m->n - col ? n : m->n - col;
    n = n < count ? n : count;
    pack_panel (m, group + col / 16 * 16 * m->k * ak_matrix_element (m), col % 16, values, n);
    values += n * m->k;
    first += n;
    count -= n;
  }
}

/* [out][K]; a definition in bfloat16 has its rounded numbers in floats. */
static void
fill_rows (const AkCpuMatrix *m, const float *values, size_t first, size_t count)
{
  size_t kernel = m->base.kernel, channels = m->k / kernel;
  int rounded = m->base.precision == AK_BF16 && !m->base.side;

  for (size_t o = first; o < first + count; o++, values += m->k)
    for (size_t k = 0; k < kernel; k++)
      for (size_t c = 0; c < channels; c++) {
        size_t at = o * m->k + k * channels + c;
        float x = values[c * kernel + k];

        if (m->bf16)
          ((uint16_t *) m->data)[at] = ak_to_bf16 (x);
        else
          ((float *) m->data)[at] = rounded ? ak_from_bf16 (ak_to_bf16 (x)) : x;
      }
}

static AkStatus
matrix_fill (AkMatrix *base, const float *values, size_t first, size_t count)
{
  const AkCpuMatrix *m = (const AkCpuMatrix *) base;

  if (!m->data) /* a plan has packed it */
    return AK_ERR_ARG;
  if (m->layout == AK_LAYOUT_PANELS)
    fill_panels (m, values, first, count);
  else
    fill_rows (m, values, first, count);
  return AK_OK;
}

static void
matrix_free (AkMatrix *base)
{
  AkCpuMatrix *m = (AkCpuMatrix *) base;

  ak_onednn_matrix_clear (m);
  free (m->data);
  free (m->winograd[0]);
  free (m->winograd[1]);
  free (m);
}

void
ak_finish_plain (const AkPanels *p, const float *t, size_t rows)
{
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < p->n; c++) {
      float v = t[r * p->n + c];

      if (p->scale)
        v *= p->scale[c];
      if (p->bias)
        v += p->bias[c];
      if (p->noise)
        v += p->noise[r * p->noise_row];
      v = ak_act_plain (v, p->activation);
      if (p->gate)
        v *= p->gate[r * p->gate_row + c];
      if (p->residual)
        v += p->residual[r * p->residual_row + c];
      p->y[r * p->y_row + c] = v;
    }
}

static void
linear_plain (const void *args, size_t from, size_t to)
{
  const AkLinear *a = args;
  const AkCpuMatrix *m = (const AkCpuMatrix *) a->matrix;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);

    for (size_t o = 0; o < m->n; o++) {
      AkPanels p = { .y = ak_row (a->y, a->rows, i) + o, .n = 1, .activation = a->activation };
      double s = 0;
      float v;

      for (size_t k = 0; k < m->k; k++)
        s += (double) x[k] * ((const float *) m->data)[o * m->k + k];
      p.bias = a->bias ? a->bias + o : NULL;
      p.gate = a->gate.data ? ak_row (a->gate, a->rows, i) + o : NULL;
      p.residual = a->residual.data ? ak_row (a->residual, a->rows, i) + o : NULL;
      v = (float) s;
      ak_finish_plain (&p, &v, 1);
    }
  }
}

#if defined(__x86_64__)
typedef struct
{
  const AkPanels *p;
  size_t row0, row1, col0, col1;
} Work;

static void
panels_part (void *data, unsigned i, unsigned n)
{
  const Work *w = data;
  size_t panels = (w->col1 - w->col0 + 15) / 16;

  if (panels >= n) {
    size_t first = w->col0 + panels * i / n * 16, last = w->col0 + panels * (i + 1) / n * 16;

    ak_panels_avx2 (w->p, w->row0, w->row1, first, last < w->col1 ? last : w->col1);
  } else {
    size_t blocks = (w->row1 - w->row0 + 5) / 6;
    size_t first = w->row0 + blocks * i / n * 6, last = w->row0 + blocks * (i + 1) / n * 6;

    if (first < last)
      ak_panels_avx2 (w->p, first, last < w->row1 ? last : w->row1, w->col0, w->col1);
  }
}

void
ak_panels_run (AkCpu *cpu, const AkPanels *p, size_t row0, size_t row1, size_t col0, size_t col1)
{
  Work w = { p, row0, row1, col0, col1 };

  if ((row1 - row0) * (col1 - col0) * p->k >= AK_CPU_PARALLEL_MACS)
    ak_cpu_parallel_parts (cpu, panels_part, &w, 2 * cpu->base.threads);
  else
    ak_panels_avx2 (p, row0, row1, col0, col1);
}

typedef struct
{
  AkPanels p;
  size_t row0, row1, col0, col1;
} Node;

static void
panels_run (AkCpu *cpu, const void *data)
{
  const Node *n = data;

  ak_panels_run (cpu, &n->p, n->row0, n->row1, n->col0, n->col1);
}

/* Cuts a large product by columns while its input fits the cache, else by rows as well. */
static void
panels_record (AkPlan *plan, const AkPanels *p, size_t rows)
{
  Node n = { .p = *p };
  size_t block = rows > 512 ? 192 : rows, cols;

  cols = AK_CPU_NODE_MACS / (block * p->k) / 16 * 16;
  if (cols < 16)
    cols = 16;
  for (n.row0 = 0; n.row0 < rows; n.row0 = n.row1) {
    n.row1 = n.row0 + block < rows ? n.row0 + block : rows;
    for (n.col0 = 0; n.col0 < p->n; n.col0 = n.col1) {
      n.col1 = n.col0 + cols < p->n ? n.col0 + cols : p->n;
      ak_cpu_append (plan, AK_NODE_POOLED, panels_run, NULL, &n, sizeof n);
    }
  }
}
#else
void
ak_panels_run (AkCpu *cpu, const AkPanels *p, size_t row0, size_t row1, size_t col0, size_t col1)
{
}

static void
panels_record (AkPlan *plan, const AkPanels *p, size_t rows)
{
}
#endif

static int
is_dense (AkRows v, size_t rows)
{
  return !v.data || v.batch == rows * v.row;
}

static void
linear_record (AkPlan *plan, const AkLinear *a)
{
  const AkCpuMatrix *m = (const AkCpuMatrix *) a->matrix;
  size_t batch = a->batch, rows = a->rows;

  if (is_dense (a->x, rows) && is_dense (a->y, rows) && is_dense (a->gate, rows) &&
      is_dense (a->residual, rows)) {
    rows *= batch;
    batch = 1;
  }
  for (size_t b = 0; b < batch; b++) {
    AkPanels p = {
      .y = a->y.data + b * a->y.batch,
      .x = a->x.data + b * a->x.batch,
      .panels = m->data,
      .bf16 = m->bf16,
      .bias = a->bias,
      .gate = a->gate.data ? a->gate.data + b * a->gate.batch : NULL,
      .residual = a->residual.data ? a->residual.data + b * a->residual.batch : NULL,
      .y_row = a->y.row,
      .x_row = a->x.row,
      .gate_row = a->gate.row,
      .residual_row = a->residual.row,
      .k = m->k,
      .n = m->n,
      .activation = a->activation,
    };

    if (m->layout == AK_LAYOUT_PANELS)
      panels_record (plan, &p, rows);
    else
      ak_onednn_linear (plan, (AkCpuMatrix *) m, &p, rows);
  }
}

static void
linear_plain_record (AkPlan *plan, const AkLinear *args)
{
  ak_cpu_append_rows (plan, linear_plain, args, sizeof *args, args->batch * args->rows,
      args->matrix->in * args->matrix->out);
}

void
ak_cpu_linear_init (AkOps *ops, AkCpuLevel level)
{
  ops->matrix_new = matrix_new;
  ops->matrix_fill = matrix_fill;
  ops->matrix_free = matrix_free;
  ops->linear = level == AK_CPU_PLAIN ? linear_plain_record : linear_record;
}
