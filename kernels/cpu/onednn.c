/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products and convolutions through oneDNN. Weights in bfloat16 are multiplied as such where the processor
 * can, by an input that is rounded too; elsewhere they are widened before each product. A primitive is made in the worker's thread, with a
 * scratchpad of the plan's, and runs there: oneDNN 2.6 fails otherwise when threads change. */
#include "onednn_priv.h"

#include <stdlib.h>
#include <string.h>

/* The forms of one matrix; the first may be the one it came in. Only touched in the worker. */
typedef struct Packing Packing;
struct Packing
{
  dnnl_memory_desc_t desc;
  dnnl_memory_t memory;
  void *data;
  int used; /* by a primitive */
  Packing *next;
};

static AkStatus
from_dnnl (dnnl_status_t status)
{
  if (status == dnnl_success)
    return AK_OK;
  return status == dnnl_out_of_memory ? AK_ERR_MEMORY : AK_ERR_DEVICE;
}

static struct AkOnednn *
get (AkCpu *cpu)
{
  struct AkOnednn *dnn = cpu->dnn;

  if (dnn)
    return dnn;
  dnn = calloc (1, sizeof *dnn);
  if (!dnn)
    return NULL;
  if (dnnl_engine_create (&dnn->engine, dnnl_cpu, 0) != dnnl_success ||
      dnnl_stream_create (&dnn->stream, dnn->engine, dnnl_stream_in_order) != dnnl_success) {
    ak_onednn_close (dnn);
    return NULL;
  }
  cpu->dnn = dnn;
  return dnn;
}

void
ak_onednn_close (struct AkOnednn *dnn)
{
  if (!dnn)
    return;
  if (dnn->stream)
    dnnl_stream_destroy (dnn->stream);
  if (dnn->engine)
    dnnl_engine_destroy (dnn->engine);
  free (dnn);
}

static void
packing_free (Packing *p)
{
  if (p->memory)
    dnnl_memory_destroy (p->memory);
  free (p->data);
  free (p);
}

void
ak_onednn_matrix_clear (AkCpuMatrix *m)
{
  Packing *p = m->onednn;

  while (p) {
    Packing *next = p->next;

    packing_free (p);
    p = next;
  }
  m->onednn = NULL;
}

/* `desc` of `data` (taken over, or NULL for new memory) at the front of the list. */
static dnnl_status_t
packing_add (struct AkOnednn *dnn, AkCpuMatrix *m, const dnnl_memory_desc_t *desc, void *data)
{
  Packing *p = calloc (1, sizeof *p);
  dnnl_status_t status;

  if (p)
    p->data = data ? data : ak_cpu_weights (dnnl_memory_desc_get_size (desc));
  if (!p || !p->data) {
    free (p);
    free (data);
    return dnnl_out_of_memory;
  }
  p->desc = *desc;
  status = dnnl_memory_create (&p->memory, desc, dnn->engine, p->data);
  if (status != dnnl_success) {
    packing_free (p);
    return status;
  }
  p->next = m->onednn;
  m->onednn = p;
  return dnnl_success;
}

static dnnl_status_t
reorder (struct AkOnednn *dnn, const Packing *from, const Packing *to)
{
  dnnl_primitive_desc_t desc = NULL;
  dnnl_primitive_t primitive = NULL;
  dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from->memory }, { DNNL_ARG_TO, to->memory } };
  dnnl_status_t status;

  status = dnnl_reorder_primitive_desc_create (
      &desc, &from->desc, dnn->engine, &to->desc, dnn->engine, NULL);
  if (status == dnnl_success)
    status = dnnl_primitive_create (&primitive, desc);
  if (status == dnnl_success)
    status = dnnl_primitive_execute (primitive, dnn->stream, 2, args);
  if (status == dnnl_success)
    status = dnnl_stream_wait (dnn->stream);
  if (primitive)
    dnnl_primitive_destroy (primitive);
  if (desc)
    dnnl_primitive_desc_destroy (desc);
  return status;
}

/* The matrix as `want`; `plain` describes the form it came in. */
static dnnl_status_t
pack (struct AkOnednn *dnn, AkCpuMatrix *m, const dnnl_memory_desc_t *plain,
    const dnnl_memory_desc_t *want, dnnl_memory_t *memory)
{
  Packing *p, *first;
  dnnl_status_t status;

  if (!m->onednn) {
    status = packing_add (dnn, m, plain, m->data);
    m->data = NULL; /* taken over */
    if (status != dnnl_success)
      return status;
  }
  for (p = m->onednn; p; p = p->next)
    if (dnnl_memory_desc_equal (&p->desc, want))
      break;
  if (!p) {
    first = m->onednn;
    status = packing_add (dnn, m, want, NULL);
    if (status != dnnl_success)
      return status;
    p = m->onednn;
    status = reorder (dnn, first, p);
    if (status != dnnl_success)
      return status;
    if (!first->used) {
      p->next = first->next;
      packing_free (first);
    }
  }
  p->used = 1;
  *memory = p->memory;
  return dnnl_success;
}

static void
node_clear (void *data)
{
  AkOnednnNode *n = data;

  if (n->primitive)
    dnnl_primitive_destroy (n->primitive);
  if (n->src)
    dnnl_memory_destroy (n->src);
  if (n->widened && n->weights)
    dnnl_memory_destroy (n->weights);
  if (n->product)
    dnnl_memory_destroy (n->product);
  if (n->scratchpad)
    dnnl_memory_destroy (n->scratchpad);
}

static size_t
up64 (size_t n)
{
  return (n + 63) / 64 * 64;
}

static size_t
n_weights (const AkCpuMatrix *m)
{
  return m->base.out * m->k;
}

/* Where a node has what it converts. */
static void *
converted (const AkOnednnNode *n)
{
  return n->plan->scratch + n->product_bytes + up64 (n->scratchpad_bytes);
}

static void
widen_part (void *data, unsigned i, unsigned parts)
{
  const AkOnednnNode *n = data;
  const uint16_t *from = n->widened->data;
  size_t last = n_weights (n->widened) * (i + 1) / parts;
  float *to = converted (n);

  for (size_t k = n_weights (n->widened) * i / parts; k < last; k++)
    to[k] = ak_from_bf16 (from[k]);
}

static void
narrow_part (void *data, unsigned i, unsigned parts)
{
  const AkOnednnNode *n = data;
  uint16_t *to = converted (n);

  for (size_t r = n->x_rows * i / parts; r < n->x_rows * (i + 1) / parts; r++)
    for (size_t c = 0; c < n->x_cols; c++)
      to[r * n->x_cols + c] = ak_to_bf16 (n->p.x[r * n->x_row + c]);
}

static void
node_run (AkCpu *cpu, const void *data)
{
  const AkOnednnNode *n = data;
  float *product = (float *) n->plan->scratch;
  dnnl_exec_arg_t args[] = {
    { DNNL_ARG_SRC, n->src },
    { DNNL_ARG_WEIGHTS, n->weights },
    { DNNL_ARG_DST, n->product },
    { DNNL_ARG_SCRATCHPAD, n->scratchpad },
  };

  if (n->gather.rows) {
    ak_gather_run (cpu, &n->gather, converted (n));
    dnnl_memory_set_data_handle (n->src, converted (n));
  } else if (n->widened) {
    ak_cpu_parallel (cpu, widen_part, (void *) data);
    dnnl_memory_set_data_handle (n->weights, converted (n));
  } else if (n->x_rows) {
    ak_cpu_parallel (cpu, narrow_part, (void *) data);
    dnnl_memory_set_data_handle (n->src, converted (n));
  }
  dnnl_memory_set_data_handle (n->product, product);
  dnnl_memory_set_data_handle (n->scratchpad, n->plan->scratch + n->product_bytes);
  dnnl_primitive_execute (n->primitive, cpu->dnn->stream, 4, args);
  dnnl_stream_wait (cpu->dnn->stream);
#if defined(__x86_64__)
  if (cpu->level >= AK_CPU_AVX2) {
    ak_finish_avx2 (&n->p, product, n->rows);
    return;
  }
#endif
  ak_finish_plain (&n->p, product, n->rows);
}

/* From here on: recording. */

/* Descriptions of a product: source, weights as they came and as wished, result. */
static dnnl_status_t
describe_product (const AkMaking *k, dnnl_primitive_desc_t *desc, dnnl_memory_desc_t *src,
    dnnl_memory_desc_t *plain, dnnl_memory_desc_t *product, const_dnnl_primitive_attr_t attr)
{
  dnnl_dims_t x = { (dnnl_dim_t) k->node.rows, (dnnl_dim_t) k->m->k };
  dnnl_dims_t x_strides = { (dnnl_dim_t) k->x_row, 1 };
  dnnl_dims_t w = { (dnnl_dim_t) k->m->k, (dnnl_dim_t) k->m->n };
  dnnl_dims_t y = { (dnnl_dim_t) k->node.rows, (dnnl_dim_t) k->m->n };
  dnnl_format_tag_t wish = k->node.widened ? dnnl_ba : dnnl_format_tag_any;
  dnnl_memory_desc_t any;
  dnnl_matmul_desc_t op;
  dnnl_status_t status;

  TRY (dnnl_memory_desc_init_by_strides (src, 2, x, k->type, x_strides));
  TRY (dnnl_memory_desc_init_by_tag (plain, 2, w, k->type, dnnl_ba));
  TRY (dnnl_memory_desc_init_by_tag (&any, 2, w, k->type, wish));
  TRY (dnnl_memory_desc_init_by_tag (product, 2, y, dnnl_f32, dnnl_ab));
  TRY (dnnl_matmul_desc_init (&op, src, &any, NULL, product));
  TRY (dnnl_primitive_desc_create (desc, &op, attr, k->cpu->dnn->engine, NULL));
out:
  return status;
}

static dnnl_status_t
describe_conv (const AkMaking *k, dnnl_primitive_desc_t *desc, dnnl_memory_desc_t *src,
    dnnl_memory_desc_t *plain, dnnl_memory_desc_t *product, const_dnnl_primitive_attr_t attr)
{
  const AkMatrix *m = &k->m->base;
  dnnl_dim_t groups = (dnnl_dim_t) m->groups, channels = (dnnl_dim_t) (m->in / m->groups);
  dnnl_dim_t rows = (dnnl_dim_t) k->in_rows, kernel = (dnnl_dim_t) m->kernel;
  dnnl_dims_t x = { 1, (dnnl_dim_t) m->in, rows };
  dnnl_dims_t x_strides = { rows * (dnnl_dim_t) k->x_row, 1, (dnnl_dim_t) k->x_row };
  dnnl_dims_t w = { groups, (dnnl_dim_t) k->m->n, channels, kernel };
  dnnl_dims_t w_strides = { (dnnl_dim_t) (k->m->n * k->m->k), (dnnl_dim_t) k->m->k, 1, channels };
  dnnl_dims_t y = { 1, (dnnl_dim_t) m->out, (dnnl_dim_t) k->node.rows };
  dnnl_dims_t stride = { (dnnl_dim_t) k->stride }, dilation = { (dnnl_dim_t) k->dilation - 1 };
  dnnl_dims_t left = { (dnnl_dim_t) k->left }, right = { (dnnl_dim_t) k->right };
  int skip = groups == 1; /* no group axis */
  dnnl_memory_desc_t any;
  dnnl_convolution_desc_t op;
  dnnl_status_t status;

  TRY (dnnl_memory_desc_init_by_strides (src, 3, x, k->type, x_strides));
  TRY (dnnl_memory_desc_init_by_strides (plain, 4 - skip, w + skip, k->type, w_strides + skip));
  if (k->node.widened)
    any = *plain;
  else
    TRY (dnnl_memory_desc_init_by_tag (&any, 4 - skip, w + skip, k->type, dnnl_format_tag_any));
  TRY (dnnl_memory_desc_init_by_tag (product, 3, y, dnnl_f32, dnnl_nwc));
  TRY (dnnl_dilated_convolution_forward_desc_init (&op, dnnl_forward_inference,
      dnnl_convolution_direct, src, &any, NULL, product, stride, dilation, left, right));
  TRY (dnnl_primitive_desc_create (desc, &op, attr, k->cpu->dnn->engine, NULL));
out:
  return status;
}

static void
make (void *data)
{
  AkMaking *k = data;
  struct AkOnednn *dnn = get (k->cpu);
  AkOnednnNode *n = &k->node;
  dnnl_memory_desc_t src, plain, product;
  const dnnl_memory_desc_t *scratchpad;
  dnnl_primitive_desc_t desc = NULL;
  dnnl_primitive_attr_t attr = NULL;
  dnnl_status_t status = dnnl_out_of_memory;

  if (!dnn)
    goto out;
  TRY (dnnl_primitive_attr_create (&attr));
  TRY (dnnl_primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user));
  TRY (k->describe (k, &desc, &src, &plain, &product, attr));
  TRY (dnnl_primitive_create (&n->primitive, desc));
  if (n->widened)
    TRY (dnnl_memory_create (&n->weights, &plain, dnn->engine, NULL));
  else
    TRY (pack (dnn, k->m, &plain, dnnl_primitive_desc_query_md (desc, dnnl_query_weights_md, 0),
        &n->weights));
  TRY (dnnl_memory_create (&n->src, &src, dnn->engine, (void *) n->p.x));
  TRY (dnnl_memory_create (&n->product, &product, dnn->engine, NULL));
  scratchpad = dnnl_primitive_desc_query_md (desc, dnnl_query_scratchpad_md, 0);
  TRY (dnnl_memory_create (&n->scratchpad, scratchpad, dnn->engine, NULL));
  n->scratchpad_bytes = (dnnl_memory_desc_get_size (scratchpad) + 63) / 64 * 64;
out:
  if (desc)
    dnnl_primitive_desc_destroy (desc);
  if (attr)
    dnnl_primitive_attr_destroy (attr);
  k->status = status;
}

void
ak_onednn_record (AkMaking *k)
{
  AkOnednnNode *n = &k->node;
  size_t converted_bytes = ak_gather_size (&k->node.gather) * sizeof (float);

  if (k->plan->status != AK_OK)
    return;
  n->plan = (AkCpuPlan *) k->plan;
  n->p.n = k->m->base.out;
  n->product_bytes = up64 (n->rows * n->p.n * sizeof (float));
  k->type = dnnl_f32;
  if (k->m->bf16 && k->cpu->level >= AK_CPU_BF16) {
    k->type = dnnl_bf16;
    n->x_rows = k->stride ? k->in_rows : n->rows;
    n->x_cols = k->m->base.in;
    n->x_row = k->x_row;
    k->x_row = n->x_cols;
    converted_bytes = n->x_rows * n->x_cols * sizeof (uint16_t);
  } else if (k->m->bf16) {
    n->widened = k->m;
    converted_bytes = n_weights (k->m) * sizeof (float);
  }
  ak_worker_call (k->cpu->worker, make, k);
  if (k->status != dnnl_success) {
    node_clear (n);
    ak_plan_fail (k->plan, from_dnnl (k->status));
    return;
  }
  ak_cpu_scratch (k->plan, n->product_bytes + up64 (n->scratchpad_bytes) + converted_bytes);
  ak_cpu_append (k->plan, AK_NODE_POOLED, node_run, node_clear, n, sizeof *n);
  n->primitive = NULL;
  n->src = n->weights = n->product = n->scratchpad = NULL;
}

/* Rows per node. */
static size_t
block_rows (const AkCpuMatrix *m)
{
  size_t block = AK_CPU_NODE_MACS / (m->k * m->n * m->base.groups);

  return block < 64 ? 64 : block;
}

void
ak_onednn_linear (AkPlan *plan, AkCpuMatrix *m, const AkPanels *p, size_t rows)
{
  size_t block = block_rows (m);

  for (size_t first = 0; first < rows; first += block) {
    AkMaking k = { .cpu = (AkCpu *) plan->dev,
      .plan = plan,
      .m = m,
      .describe = describe_product,
      .node = { .p = *p } };

    k.node.rows = first + block < rows ? block : rows - first;
    k.node.p.x += first * p->x_row;
    k.node.p.y += first * p->y_row;
    if (p->gate)
      k.node.p.gate += first * p->gate_row;
    if (p->residual)
      k.node.p.residual += first * p->residual_row;
    k.x_row = k.node.rows == 1 ? m->k : p->x_row;
    ak_onednn_record (&k);
  }
}

void
ak_onednn_conv (AkPlan *plan, AkCpuMatrix *m, const AkConv *a, size_t rows)
{
  size_t block = block_rows (m), span = a->dilation * (m->base.kernel - 1) + 1;

  for (size_t b = 0; b < a->batch; b++)
    for (size_t first = 0; first < rows; first += block) {
      AkMaking k = { .cpu = (AkCpu *) plan->dev, .plan = plan, .m = m, .describe = describe_conv };
      size_t count = first + block < rows ? block : rows - first;
      /* the window in padded rows, cut to those that exist */
      size_t begin = first * a->stride, end = begin + (count - 1) * a->stride + span;
      size_t real0 = begin > a->left ? begin : a->left;
      size_t real1 = end < a->left + a->rows ? end : a->left + a->rows;

      if (real1 <= real0) { /* nothing but padding: one real row further on keeps oneDNN content */
        ak_plan_fail (plan, AK_ERR_ARG);
        return;
      }
      k.node.rows = count;
      k.left = real0 - begin;
      k.right = end - real1;
      k.in_rows = real1 - real0;
      k.x_row = a->x.row;
      k.stride = a->stride;
      k.dilation = a->dilation;
      k.node.p = (AkPanels){
        .x = a->x.data + b * a->x.batch + (real0 - a->left) * a->x.row,
        .y = a->y.data + b * a->y.batch + first * a->y.row,
        .y_row = a->y.row,
        .bias = a->bias,
        .activation = a->activation,
        .residual_row = a->residual.row,
      };
      if (a->residual.data)
        k.node.p.residual = a->residual.data + b * a->residual.batch + first * a->residual.row;
      ak_onednn_record (&k);
    }
}
