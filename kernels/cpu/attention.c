/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>

typedef struct
{
  AkAttention a;
  AkCpuPlan *plan;
  size_t first, last;   /* of batch * heads pieces */
  size_t scratch_bytes; /* per thread */
} Node;

static const float *
key_row (const AkAttention *a, size_t b, size_t j, int values)
{
  const AkKeys *s = &a->keys[0];
  AkRows v;

  if (j >= s->count) {
    j -= s->count;
    s++;
  }
  v = values ? s->v : s->k;
  return v.data + b * v.batch + j * v.row;
}

/* The definition: two passes over the keys, in double. */
static void
head_plain (const AkAttention *a, size_t b, size_t head, double *weight)
{
  size_t keys = a->keys[0].count + a->keys[1].count, at = head * a->dim;

  for (size_t r = 0; r < a->rows; r++) {
    const float *q = a->q.data + b * a->q.batch + r * a->q.row + at;
    float *y = a->y.data + b * a->y.batch + r * a->y.row + at;
    size_t lo = 0, hi = keys;
    double top = -INFINITY, sum = 0;

    if (a->window) {
      hi = keys - a->rows + r + 1;
      lo = hi > a->window ? hi - a->window : 0;
    }
    for (size_t j = lo; j < hi; j++) {
      const float *k = key_row (a, b, j, 0) + at;
      double s = 0;

      for (size_t c = 0; c < a->dim; c++)
        s += (double) q[c] * k[c];
      weight[j] = s * a->scale;
      top = weight[j] > top ? weight[j] : top;
    }
    for (size_t j = lo; j < hi; j++)
      sum += weight[j] = exp (weight[j] - top);
    for (size_t c = 0; c < a->dim; c++) {
      double s = 0;

      for (size_t j = lo; j < hi; j++)
        s += weight[j] * key_row (a, b, j, 1)[at + c];
      y[c] = (float) (s / sum);
    }
  }
}

static void
run_plain (AkCpu *cpu, const void *data)
{
  const Node *node = data;

  for (size_t i = node->first; i < node->last; i++)
    head_plain (&node->a, i / node->a.heads, i % node->a.heads, (double *) node->plan->scratch);
}

static void
record_plain (AkPlan *plan, const AkAttention *args)
{
  Node node = { *args, (AkCpuPlan *) plan, 0, args->batch * args->heads, 0 };

  ak_cpu_scratch (plan, (args->keys[0].count + args->keys[1].count) * sizeof (double));
  ak_cpu_append (plan, AK_NODE_INLINE, run_plain, NULL, &node, sizeof node);
}

#if defined(__x86_64__)
static void
part_avx2 (void *data, unsigned i, unsigned n)
{
  const Node *node = data;
  size_t pieces = node->last - node->first;

  for (size_t p = node->first + pieces * i / n; p < node->first + pieces * (i + 1) / n; p++)
    ak_attention_avx2 (&node->a, p / node->a.heads, p % node->a.heads, 0, node->a.rows,
        (float *) (node->plan->scratch + i * node->scratch_bytes));
}

static void
run_avx2 (AkCpu *cpu, const void *data)
{
  const Node *node = data;
  size_t macs = 2 * (node->last - node->first) * node->a.rows * node->a.dim *
                (node->a.keys[0].count + node->a.keys[1].count);

  if (macs >= AK_CPU_PARALLEL_MACS && node->last - node->first > 1)
    ak_cpu_parallel (cpu, part_avx2, (void *) data);
  else
    part_avx2 ((void *) data, 0, 1);
}

static void
record_avx2 (AkPlan *plan, const AkAttention *args)
{
  size_t pieces = args->batch * args->heads, step;
  size_t macs = 2 * args->rows * args->dim * (args->keys[0].count + args->keys[1].count);
  Node node = { *args, (AkCpuPlan *) plan, 0, 0, 0 };

  node.scratch_bytes = (ak_attention_scratch (args) * sizeof (float) + 63) / 64 * 64;
  ak_cpu_scratch (plan, node.scratch_bytes * plan->dev->threads);
  step = AK_CPU_NODE_MACS / (macs ? macs : 1) + 1;
  if (step < plan->dev->threads)
    step = plan->dev->threads;
  for (size_t first = 0; first < pieces; first += step) {
    node.first = first;
    node.last = first + step < pieces ? first + step : pieces;
    ak_cpu_append (plan, AK_NODE_POOLED, run_avx2, NULL, &node, sizeof node);
  }
}
#endif

void
ak_cpu_attention_init (AkOps *ops, AkCpuLevel level)
{
  ops->attention = record_plain;
#if defined(__x86_64__)
  if (level >= AK_CPU_AVX2)
    ops->attention = record_avx2;
#endif
}
