/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU device: memory, queues and plans. */
#define _GNU_SOURCE
#include "cpu.h"
#include "onednn.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *
ak_cpu_weights (size_t bytes)
{
  const size_t huge = (size_t) 1 << 21;
  void *ptr;

  if (bytes == 0 || posix_memalign (&ptr, bytes >= huge ? huge : 64, bytes) != 0)
    return NULL;
  if (bytes >= huge) /* the last part of a huge page would be memory that nobody needs */
    (void) madvise (ptr, bytes / huge * huge, MADV_HUGEPAGE);
  return ptr;
}

void *
ak_cpu_memory (size_t bytes)
{
  size_t rounded = bytes ? bytes + (-bytes & 63) : 64;
  void *ptr = rounded >= bytes ? ak_cpu_weights (rounded) : NULL;

  if (ptr)
    memset (ptr, 0, rounded);
  return ptr;
}

static void *
cpu_alloc (AkDevice *dev, size_t bytes)
{
  (void) dev;
  return ak_cpu_memory (bytes);
}

static void
cpu_free (AkDevice *dev, void *ptr)
{
  (void) dev;
  free (ptr);
}

static AkQueue *
cpu_queue_new (AkDevice *dev)
{
  AkQueue *queue = calloc (1, sizeof *queue);

  if (queue)
    queue->dev = dev;
  return queue;
}

static void
cpu_queue_free (AkQueue *queue)
{
  free (queue);
}

/* Work on the CPU is done when the call that asked for it returns, so a queue is never waiting. */
static AkStatus
cpu_copy (AkQueue *queue, void *dst, const void *src, size_t bytes)
{
  (void) queue;
  if (bytes)
    memcpy (dst, src, bytes);
  return AK_OK;
}

static AkStatus
cpu_queue_sync (AkQueue *queue)
{
  AkStatus status = queue->status;

  queue->status = AK_OK;
  return status;
}

static AkPlan *
cpu_plan_new (AkDevice *dev)
{
  AkCpuPlan *plan = calloc (1, sizeof *plan);

  if (!plan)
    return NULL;
  plan->base.dev = dev;
  return &plan->base;
}

static void
cpu_plan_free (AkPlan *base)
{
  AkCpuPlan *plan = (AkCpuPlan *) base;

  for (size_t i = 0; i < plan->n_nodes; i++) {
    if (plan->nodes[i].clear)
      plan->nodes[i].clear (plan->nodes[i].args);
    free (plan->nodes[i].args);
  }
  free (plan->nodes);
  free (plan->scratch);
  free (plan);
}

void
ak_cpu_scratch (AkPlan *base, size_t bytes)
{
  AkCpuPlan *plan = (AkCpuPlan *) base;

  if (bytes > plan->scratch_bytes)
    plan->scratch_bytes = bytes;
}

void *
ak_cpu_append (AkPlan *base, AkNodeKind kind, AkNodeRun *run, void (*clear) (void *args),
    const void *args, size_t args_bytes)
{
  AkCpuPlan *plan = (AkCpuPlan *) base;
  AkNode *grown;
  void *copy;

  grown = realloc (plan->nodes, (plan->n_nodes + 1) * sizeof *grown);
  if (grown)
    plan->nodes = grown;
  copy = grown ? ak_cpu_memory (args_bytes) : NULL;
  if (!copy) {
    if (clear)
      clear ((void *) args);
    ak_plan_fail (base, AK_ERR_MEMORY);
    return NULL;
  }
  memcpy (copy, args, args_bytes);
  plan->nodes[plan->n_nodes++] = (AkNode){ run, clear, copy };
  if (kind == AK_NODE_POOLED)
    plan->pooled = 1;
  return copy;
}

static AkStatus
cpu_plan_finish (AkPlan *base)
{
  AkCpuPlan *plan = (AkCpuPlan *) base;

  if (plan->scratch_bytes && !plan->scratch) {
    plan->scratch = ak_cpu_memory (plan->scratch_bytes);
    if (!plan->scratch)
      return AK_ERR_MEMORY;
  }
  return AK_OK;
}

#define ROWS_ARGS 256

typedef struct
{
  AkRowsFn *fn;
  size_t rows;
  _Alignas(max_align_t) char args[ROWS_ARGS];
} RowsNode;

static void
rows_run (AkCpu *cpu, const void *data)
{
  const RowsNode *node = data;

  (void) cpu;
  node->fn (node->args, 0, node->rows);
}

static void
rows_part (void *data, unsigned i, unsigned n)
{
  const RowsNode *node = data;

  node->fn (node->args, node->rows * i / n, node->rows * (i + 1) / n);
}

static void
rows_run_parallel (AkCpu *cpu, const void *data)
{
  ak_cpu_parallel_parts (cpu, rows_part, (void *) data, 4 * cpu->base.threads);
}

void
ak_cpu_append_rows (
    AkPlan *plan, AkRowsFn *fn, const void *args, size_t args_bytes, size_t rows, size_t cols)
{
  RowsNode node = { .fn = fn, .rows = rows };

  if (args_bytes > sizeof node.args) {
    ak_plan_fail (plan, AK_ERR_ARG);
    return;
  }
  memcpy (node.args, args, args_bytes);
  if (plan->dev->threads > 1 && rows > 1 && rows * cols >= AK_CPU_PARALLEL_ELEMENTS)
    ak_cpu_append (plan, AK_NODE_POOLED, rows_run_parallel, NULL, &node, sizeof node);
  else
    ak_cpu_append (plan, AK_NODE_INLINE, rows_run, NULL, &node, sizeof node);
}

static AkStatus
cpu_plan_run (AkPlan *base, AkQueue *queue, const atomic_int *cancel)
{
  AkCpuPlan *plan = (AkCpuPlan *) base;
  AkCpu *cpu = (AkCpu *) base->dev;
  AkStatus status = AK_OK;

  if (plan->pooled) {
    status = ak_worker_run (cpu->worker, plan, cancel);
  } else {
    for (size_t i = 0; i < plan->n_nodes && status == AK_OK; i++) {
      if (cancel && atomic_load_explicit (cancel, memory_order_relaxed))
        status = AK_CANCELLED;
      else
        plan->nodes[i].run (cpu, plan->nodes[i].args);
    }
  }
  if (queue->status == AK_OK)
    queue->status = status;
  return AK_OK;
}

static void
cpu_close (AkDevice *dev)
{
  AkCpu *cpu = (AkCpu *) dev;

  ak_onednn_close (cpu->dnn);
  ak_worker_free (cpu->worker);
  free (cpu);
}

static unsigned
allowed_cores (void)
{
  cpu_set_t set;

  if (sched_getaffinity (0, sizeof set, &set) != 0)
    return 1;
  return (unsigned) CPU_COUNT (&set);
}

static AkCpuLevel
cpu_level (void)
{
#if defined(__x86_64__)
  __builtin_cpu_init ();
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma")) {
    if (__builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw") &&
        __builtin_cpu_supports ("avx512vl") && __builtin_cpu_supports ("avx512dq"))
      return __builtin_cpu_supports ("avx512bf16") ? AK_CPU_BF16 : AK_CPU_AVX512;
    return AK_CPU_AVX2;
  }
#endif
  return AK_CPU_BASE;
}

AkDevice *
ak_cpu_open (const char *variant, unsigned threads, AkStatus *status)
{
  AkCpu *cpu = calloc (1, sizeof *cpu);

  if (!cpu) {
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  cpu->base.ops = (AkOps){
    .alloc = cpu_alloc,
    .free = cpu_free,
    .queue_new = cpu_queue_new,
    .queue_free = cpu_queue_free,
    .upload = cpu_copy,
    .download = cpu_copy,
    .queue_sync = cpu_queue_sync,
    .plan_new = cpu_plan_new,
    .plan_free = cpu_plan_free,
    .plan_finish = cpu_plan_finish,
    .plan_run = cpu_plan_run,
  };
  cpu->base.close = cpu_close;
  cpu->base.threads = threads ? threads : allowed_cores ();
  cpu->level = strcmp (variant, "plain") == 0 ? AK_CPU_PLAIN : cpu_level ();
  cpu->onednn = strcmp (variant, "onednn") == 0;
  ak_cpu_linear_init (&cpu->base.ops, cpu->level);
  ak_cpu_conv_init (&cpu->base.ops, cpu->level);
  ak_cpu_conv2d_init (&cpu->base.ops, cpu->level);
  ak_cpu_norm_init (&cpu->base.ops, cpu->level);
  ak_cpu_attention_init (&cpu->base.ops, cpu->level);
  ak_cpu_elementwise_init (&cpu->base.ops, cpu->level);
  ak_cpu_random_init (&cpu->base.ops);
  ak_cpu_resize_init (&cpu->base.ops, cpu->level);
  ak_cpu_rotary_init (&cpu->base.ops);
  ak_cpu_codebook_init (&cpu->base.ops, cpu->level);
  ak_cpu_resize2d_init (&cpu->base.ops, cpu->level);
  ak_cpu_bits_init (&cpu->base.ops, cpu->level);
  ak_cpu_level_init (&cpu->base.ops, cpu->level);
  ak_cpu_members_init (&cpu->base.ops);
  ak_cpu_draw_init (&cpu->base.ops);
  ak_cpu_bind_init (&cpu->base.ops);
  ak_cpu_compose_init (&cpu->base.ops);
  ak_cpu_flame_init (&cpu->base.ops);
  ak_cpu_points_init (&cpu->base.ops);
  ak_cpu_mesh_init (&cpu->base.ops);
  ak_cpu_picture_init (&cpu->base.ops);
  ak_cpu_published_init (&cpu->base.ops);
  ak_cpu_spans_init (&cpu->base.ops);
  ak_cpu_splat_init (&cpu->base.ops);
  cpu->worker = ak_worker_new (cpu, status);
  if (!cpu->worker) {
    free (cpu);
    return NULL;
  }
  return &cpu->base;
}
