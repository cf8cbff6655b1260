/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "attention.cuh"

typedef struct
{
  AkAttention a;
  AkAlso also;
  int vectors, pairs;
} Node;

static void
run_attention (const AkAt *at, const void *args)
{
  const Node *n = (const Node *) args;
  uint16_t *rounded = ak_rounded (at, &n->also);

  if (n->pairs)
    ak_cuda_attention_pairs (at, &n->a, rounded, n->vectors);
  else if (n->a.dim <= AK_ATTENTION_NARROW)
    ak_cuda_attention_narrow (at, &n->a, rounded, n->vectors);
  else
    ak_cuda_attention_wide (at, &n->a, rounded);
}

static int
is_aligned (AkRows v)
{
  return (uintptr_t) v.data % 16 == 0 && v.row % 4 == 0 && v.row <= UINT32_MAX && v.batch % 4 == 0;
}

/* Can 4 columns at a time be read and written? */
static int
takes_vectors (const AkAttention *a)
{
  int good = a->dim % 4 == 0 && is_aligned (a->q) && is_aligned (a->y);

  for (int s = 0; s < 2; s++)
    if (a->keys[s].count)
      good = good && is_aligned (a->keys[s].k) && is_aligned (a->keys[s].v);
  return good;
}

/* Tensor cores take columns by 64 here; for a single query they are still ahead, as they read each key once. */
static int
takes_pairs (const AkAttention *a, int vectors)
{
  return a->like && a->like->precision == AK_BF16 && vectors && a->dim > AK_ATTENTION_NARROW / 2 &&
         a->dim <= AK_ATTENTION_NARROW;
}

static void
record_attention (AkPlan *plan, const AkAttention *args)
{
  AkAttention a = *args;
  size_t cols = a.heads * a.dim, most = 65535 / a.heads;
  Node node = {}, *kept = NULL;
  AkBlend move = {};

  if (a.dim > 1024 || most == 0) {
    ak_plan_fail (plan, AK_ERR_ARG);
    return;
  }
  if (a.dim > AK_ATTENTION_WHOLE && a.q.data == a.y.data) {
    float *copy = (float *) ak_plan_memory (plan, a.batch * a.rows * cols * sizeof *copy);

    if (!copy)
      return;
    a.q = ak_dense (copy, a.rows, cols);
    move.y = a.q;
    move.a = args->q;
    move.alpha = 1;
    move.batch = a.batch;
    move.rows = a.rows;
    move.cols = cols;
    plan->dev->ops.blend (plan, &move);
  }
  for (size_t b = 0; b < args->batch; b += most) {
    AkAttention part = a;

    part.batch = args->batch - b < most ? args->batch - b : most;
    part.q.data += b * a.q.batch;
    part.y.data += b * a.y.batch;
    for (int s = 0; s < 2; s++)
      if (a.keys[s].count) {
        part.keys[s].k.data += b * a.keys[s].k.batch;
        part.keys[s].v.data += b * a.keys[s].v.batch;
      }
    node.a = part;
    node.vectors = takes_vectors (&part);
    node.pairs = takes_pairs (&part, node.vectors);
    kept = (Node *) ak_cuda_append (plan, run_attention, NULL, &node, sizeof node);
  }
  if (kept && args->batch <= most)
    ak_offer (plan, args->y, args->batch, args->rows, cols, &kept->also, 0);
}

void
ak_cuda_attention_init (AkOps *ops)
{
  ops->attention = record_attention;
}
