/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions: the definition, products of our own over windows of the rows, or oneDNN. */
#include "cpu.h"
#include "onednn.h"

#include <string.h>

static void
conv_plain (const void *args, size_t from, size_t to)
{
  const AkConv *a = args;
  const AkCpuMatrix *m = (const AkCpuMatrix *) a->matrix;
  size_t kernel = m->base.kernel, channels = m->base.in / m->base.groups;
  size_t rows = ak_conv_rows (a->rows, kernel, a->stride, a->dilation, a->left, a->right);

  for (size_t i = from; i < to; i++)
    for (size_t o = 0; o < m->base.out; o++) {
      const float *x = a->x.data + i / rows * a->x.batch + o / m->n * channels;
      double s = 0;
      float v;

      for (size_t k = 0; k < kernel; k++) {
        size_t at = i % rows * a->stride + k * a->dilation;

        if (at < a->left || at - a->left >= a->rows)
          continue;
        for (size_t c = 0; c < channels; c++)
          s += (double) x[(at - a->left) * a->x.row + c] *
               ((const float *) m->data)[o * m->k + k * channels + c];
      }
      v = (float) s;
      if (a->bias)
        v += a->bias[o];
      v = ak_act_plain (v, a->activation);
      if (a->residual.data)
        v += ak_row (a->residual, rows, i)[o];
      ak_row (a->y, rows, i)[o] = v;
    }
}

static void
conv_plain_record (AkPlan *plan, const AkConv *a)
{
  const AkMatrix *m = a->matrix;
  size_t rows = ak_conv_rows (a->rows, m->kernel, a->stride, a->dilation, a->left, a->right);

  ak_cpu_append_rows (plan, conv_plain, a, sizeof *a, a->batch * rows, m->out * m->in * m->kernel);
}

/* Results first … first+count-1 of one group of one batch item, as a product over rows that lie
 * `product.x_row` apart in the input itself or in a copy with the padding. */
typedef struct
{
  AkPanels product;
  AkCpuPlan *plan;
  const float *x; /* the batch item's first row, the group's first channel */
  size_t x_row, rows, channels, kernel;
  size_t first, count, stride, dilation, left;
  int copy;
} Node;

/* Where a window row lies in x, or NULL in the padding. */
static const float *
input_row (const Node *n, size_t padded)
{
  if (padded < n->left || padded - n->left >= n->rows)
    return NULL;
  return n->x + (padded - n->left) * n->x_row;
}

static void
copy_row (const Node *n, float *to, size_t padded)
{
  const float *from = input_row (n, padded);

  if (from)
    memcpy (to, from, n->channels * sizeof *to);
  else
    memset (to, 0, n->channels * sizeof *to);
}

static void
conv_run (AkCpu *cpu, const void *data)
{
  const Node *n = data;
  AkPanels p = n->product;

  if (n->copy) {
    float *to = (float *) n->plan->scratch;

    p.x = to;
    if (n->dilation == 1)
      for (size_t i = 0; i < (n->count - 1) * n->stride + n->kernel; i++, to += n->channels)
        copy_row (n, to, n->first * n->stride + i);
    else
      for (size_t i = 0; i < n->count; i++)
        for (size_t k = 0; k < n->kernel; k++, to += n->channels)
          copy_row (n, to, (n->first + i) * n->stride + k * n->dilation);
  }
  ak_panels_run (cpu, &p, 0, n->count, 0, p.n);
}

static void
conv_record (AkPlan *plan, const AkConv *a)
{
  AkCpuMatrix *m = (AkCpuMatrix *) a->matrix;
  size_t kernel = m->base.kernel, channels = m->base.in / m->base.groups;
  size_t rows = ak_conv_rows (a->rows, kernel, a->stride, a->dilation, a->left, a->right);
  size_t block = AK_CPU_NODE_MACS / (m->k * m->n) / 6 * 6;
  int whole_rows = m->base.groups == 1 && a->dilation == 1 && a->x.row == m->base.in;

  if (m->layout == AK_LAYOUT_ONEDNN) {
    ak_onednn_conv (plan, m, a, rows);
    return;
  }
  if (block < 6)
    block = 6;
  if (block > 192 && rows > 512)
    block = 192;
  for (size_t b = 0; b < a->batch; b++)
    for (size_t g = 0; g < m->base.groups; g++)
      for (size_t first = 0; first < rows; first += block) {
        size_t count = first + block < rows ? block : rows - first, col = g * m->n;
        Node n = {
          .product = {
            .y = a->y.data + b * a->y.batch + first * a->y.row + col,
            .panels = (const char *) m->data + g * ak_panels_size (m),
            .bf16 = m->bf16,
            .bias = a->bias ? a->bias + col : NULL,
            .residual = a->residual.data
                ? a->residual.data + b * a->residual.batch + first * a->residual.row + col
                : NULL,
            .y_row = a->y.row,
            .residual_row = a->residual.row,
            .x_row = a->dilation == 1 ? a->stride * channels : m->k,
            .k = m->k,
            .n = m->n,
            .activation = a->activation,
          },
          .plan = (AkCpuPlan *) plan,
          .x = a->x.data + b * a->x.batch + g * channels,
          .x_row = a->x.row,
          .rows = a->rows,
          .channels = channels,
          .kernel = kernel,
          .first = first,
          .count = count,
          .stride = a->stride,
          .dilation = a->dilation,
          .left = a->left,
        };

        n.copy = !whole_rows || first * a->stride < a->left ||
                 (first + count - 1) * a->stride + kernel > a->left + a->rows;
        if (n.copy)
          ak_cpu_scratch (plan,
              (a->dilation == 1 ? ((count - 1) * a->stride + kernel) * channels : count * m->k) *
                  sizeof (float));
        else
          n.product.x = n.x + (first * a->stride - a->left) * a->x.row;
        ak_cpu_append (plan, AK_NODE_POOLED, conv_run, NULL, &n, sizeof n);
      }
}

void
ak_cpu_conv_init (AkOps *ops, AkCpuLevel level)
{
  ops->conv = level == AK_CPU_PLAIN ? conv_plain_record : conv_record;
}
