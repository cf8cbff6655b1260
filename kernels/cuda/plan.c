/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans: recorded as nodes, launched one by one the first time (libraries load what they need then), and as one graph
 * from the second time on. */
#include "queue.h"
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  AkCudaRun *run;
  void (*clear) (void *args);
  void *args;
} Node;

typedef struct
{
  AkCudaHost *before, *after;
  void *args;
} Around;

typedef struct
{
  AkCudaCopyOut *run;
  void *args;
} CopyOut;

struct AkCudaPlan
{
  AkPlan base;
  Node *nodes;
  size_t n_nodes;
  Around *arounds;
  size_t n_arounds;
  CopyOut *copies;
  size_t n_copies;
  void **pinned;
  size_t n_pinned;
  AkCudaReads *reads;
  size_t scratch_bytes;
  char *scratch;
  AkOffer offer;
  size_t offered_at; /* nodes there were then */
  unsigned long runs;
  AkGraph graph;
  int hurries;
  int no_graph;       /* something in it cannot be recorded */
  AkCudaQueue *queue; /* whose list it is in, or NULL */
  AkCudaPlan *next;
};

static AkPlan *
plan_new (AkDevice *dev)
{
  AkCudaPlan *plan = calloc (1, sizeof *plan);

  if (!plan)
    return NULL;
  plan->base.dev = dev;
  return &plan->base;
}

static void
leave_queue (AkCudaPlan *plan)
{
  AkCudaPlan **at;

  if (!plan->queue)
    return;
  for (at = &plan->queue->plans; *at != plan;)
    at = &(*at)->next;
  *at = plan->next;
  plan->queue = NULL;
}

static void
plan_free (AkPlan *base)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;

  ak_rt_use (((AkCuda *) base->dev)->index);
  leave_queue (plan);
  ak_rt_graph_free (plan->graph);
  for (size_t i = 0; i < plan->n_nodes; i++) {
    if (plan->nodes[i].clear)
      plan->nodes[i].clear (plan->nodes[i].args);
    free (plan->nodes[i].args);
  }
  for (size_t i = 0; i < plan->n_arounds; i++)
    free (plan->arounds[i].args);
  for (size_t i = 0; i < plan->n_copies; i++)
    free (plan->copies[i].args);
  for (size_t i = 0; i < plan->n_pinned; i++)
    ak_rt_unpin (plan->pinned[i]);
  ak_rt_free (plan->scratch);
  free (plan->nodes);
  free (plan->arounds);
  free (plan->copies);
  free (plan->pinned);
  free (plan);
}

/* One element more in a list whose room is a power of two, or NULL with the plan failed. */
static void *
grow (AkPlan *plan, void *list, size_t n, size_t element)
{
  void *grown = list;

  if ((n & (n - 1)) == 0)
    grown = realloc (list, (n ? 2 * n : 1) * element);
  if (!grown)
    ak_plan_fail (plan, AK_ERR_MEMORY);
  return grown;
}

static void *
copied (AkPlan *plan, const void *args, size_t bytes)
{
  void *copy = malloc (bytes ? bytes : 1);

  if (copy)
    memcpy (copy, args, bytes);
  else
    ak_plan_fail (plan, AK_ERR_MEMORY);
  return copy;
}

/* Makes room for one element more in a list, and a copy of what it is to hold. NULL with the plan failed. */
static void *
copied_for (AkPlan *plan, void **list, size_t n, size_t element, const void *args, size_t bytes)
{
  void *grown = grow (plan, *list, n, element);

  if (!grown)
    return NULL;
  *list = grown;
  return copied (plan, args, bytes);
}

void *
ak_cuda_append (
    AkPlan *base, AkCudaRun *run, void (*clear) (void *args), const void *args, size_t args_bytes)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;
  void *list = plan->nodes, *copy = NULL;

  if (base->status == AK_OK)
    copy = copied_for (base, &list, plan->n_nodes, sizeof *plan->nodes, args, args_bytes);
  plan->nodes = list;
  if (!copy) {
    if (clear)
      clear ((void *) args);
    return NULL;
  }
  plan->nodes[plan->n_nodes++] = (Node){ run, clear, copy };
  return copy;
}

void
ak_cuda_offer (AkPlan *base, const AkOffer *offer)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;

  plan->offer = *offer;
  plan->offered_at = plan->n_nodes;
}

/* The same numbers as one item, if its rows go on from one to the next. */
static AkOffer
joined (AkOffer o)
{
  if (o.batch > 1 && o.y.batch == o.rows * o.y.row) {
    o.rows *= o.batch;
    o.batch = 1;
  }
  return o;
}

const AkOffer *
ak_cuda_offered (AkPlan *base, AkRows y, size_t batch, size_t rows, size_t cols)
{
  const AkCudaPlan *plan = (const AkCudaPlan *) base;
  AkOffer o = joined (plan->offer), wanted = joined ((AkOffer){ y, batch, rows, cols, NULL, 0 });
  int same = o.y.data == y.data && o.y.row == y.row && o.batch == wanted.batch &&
             o.rows == wanted.rows && o.cols == cols && (o.batch == 1 || o.y.batch == y.batch);

  return same && plan->n_nodes && plan->offered_at == plan->n_nodes ? &plan->offer : NULL;
}

void
ak_cuda_copy_out (AkPlan *base, AkCudaCopyOut *run, const void *args, size_t args_bytes)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;
  void *list = plan->copies;
  void *copy = copied_for (base, &list, plan->n_copies, sizeof *plan->copies, args, args_bytes);

  plan->copies = list;
  if (copy)
    plan->copies[plan->n_copies++] = (CopyOut){ run, copy };
}

void
ak_cuda_around (
    AkPlan *base, AkCudaHost *before, AkCudaHost *after, const void *args, size_t args_bytes)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;
  void *list = plan->arounds;
  void *copy = copied_for (base, &list, plan->n_arounds, sizeof *plan->arounds, args, args_bytes);

  plan->arounds = list;
  if (copy)
    plan->arounds[plan->n_arounds++] = (Around){ before, after, copy };
}

AkCudaReads **
ak_cuda_reads (AkPlan *base)
{
  return &((AkCudaPlan *) base)->reads;
}

void
ak_cuda_scratch (AkPlan *base, size_t bytes)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;

  if (bytes > plan->scratch_bytes)
    plan->scratch_bytes = bytes;
}

void
ak_cuda_hurry (AkPlan *base)
{
  ((AkCudaPlan *) base)->hurries = 1;
}

int
ak_cuda_hurries (const AkPlan *base)
{
  return ((const AkCudaPlan *) base)->hurries;
}

void *
ak_cuda_pinned (AkPlan *base, size_t bytes)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;
  void **grown = grow (base, plan->pinned, plan->n_pinned, sizeof *grown), *block;

  if (!grown)
    return NULL;
  plan->pinned = grown;
  ak_rt_use (((AkCuda *) base->dev)->index);
  block = ak_rt_pin (bytes ? bytes : 1);
  if (block)
    plan->pinned[plan->n_pinned++] = block;
  else
    ak_plan_fail (base, AK_ERR_MEMORY);
  return block;
}

void *
ak_cuda_constant (AkPlan *plan, const void *values, size_t bytes)
{
  void *memory = ak_plan_memory (plan, bytes);
  AkStatus status;

  if (!memory)
    return NULL;
  status = ak_cuda_put ((AkCuda *) plan->dev, memory, values, bytes);
  if (status != AK_OK)
    ak_plan_fail (plan, status);
  return status == AK_OK ? memory : NULL;
}

static AkStatus
plan_finish (AkPlan *base)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;

  if (plan->scratch_bytes && !plan->scratch) {
    ak_rt_use (((AkCuda *) base->dev)->index);
    plan->scratch = ak_rt_alloc (plan->scratch_bytes);
    if (!plan->scratch)
      return AK_ERR_MEMORY;
  }
  return AK_OK;
}

static AkStatus
launch_nodes (AkCudaPlan *plan, AkStream stream, const atomic_int *cancel)
{
  AkStatus status = AK_OK, launched;
  AkAt at = { (AkCuda *) plan->base.dev, stream, plan->scratch, &status };

  ak_rt_launching ();
  for (size_t i = 0; i < plan->n_nodes && status == AK_OK; i++) {
    if (cancel && atomic_load_explicit (cancel, memory_order_relaxed))
      status = AK_CANCELLED;
    else
      plan->nodes[i].run (&at, plan->nodes[i].args);
  }
  launched = ak_rt_launched ();
  return status == AK_OK ? launched : status;
}

/* Launches the plan, by its graph if there can be one. */
static AkStatus
launch (AkCudaPlan *plan, AkStream stream, const atomic_int *cancel)
{
  AkStatus status = AK_OK;

  if (!plan->graph && !plan->no_graph && plan->runs && plan->n_nodes && ak_rt_capture (stream)) {
    status = launch_nodes (plan, stream, NULL);
    plan->graph = ak_rt_capture_end (stream, &status);
    plan->no_graph = !plan->graph; /* what is truly wrong shows when it is launched without */
  }
  if (plan->graph)
    return ak_rt_graph_launch (plan->graph, stream);
  status = launch_nodes (plan, stream, cancel);
  if (status == AK_OK)
    plan->runs++;
  return status;
}

static AkStatus
plan_run (AkPlan *base, AkQueue *base_queue, const atomic_int *cancel)
{
  AkCudaPlan *plan = (AkCudaPlan *) base;
  AkCudaQueue *queue = (AkCudaQueue *) base_queue;
  AkStatus status = AK_OK;

  ak_rt_use (((AkCuda *) base->dev)->index);
  if (cancel && atomic_load_explicit (cancel, memory_order_relaxed))
    status = AK_CANCELLED;
  if (plan->queue &&
      status == AK_OK) { /* what the last run reads and writes on the host is still in use */
    status = ak_rt_stream_sync (plan->queue->stream);
    ak_cuda_queue_after (plan->queue, status);
  }
  for (size_t i = 0; i < plan->n_arounds && status == AK_OK; i++)
    if (plan->arounds[i].before)
      plan->arounds[i].before (plan->arounds[i].args);
  if (status == AK_OK)
    status = launch (plan, queue->stream, cancel);
  for (size_t i = 0; i < plan->n_copies && status == AK_OK; i++)
    status = plan->copies[i].run (queue->stream, plan->copies[i].args);
  if (status == AK_OK && plan->n_arounds && !plan->queue) {
    AkCudaPlan **last = &queue->plans;

    while (*last)
      last = &(*last)->next;
    *last = plan;
    plan->next = NULL;
    plan->queue = queue;
  }
  if (base_queue->status == AK_OK)
    base_queue->status = status;
  return AK_OK;
}

void
ak_cuda_queue_forget (AkCudaQueue *queue)
{
  while (queue->plans)
    leave_queue (queue->plans);
}

void
ak_cuda_queue_after (AkCudaQueue *queue, AkStatus status)
{
  for (AkCudaPlan *plan = queue->plans; plan && status == AK_OK; plan = plan->next)
    for (size_t i = 0; i < plan->n_arounds; i++)
      if (plan->arounds[i].after)
        plan->arounds[i].after (plan->arounds[i].args);
  ak_cuda_queue_forget (queue);
}

void
ak_cuda_plan_init (AkOps *ops)
{
  ops->plan_new = plan_new;
  ops->plan_free = plan_free;
  ops->plan_finish = plan_finish;
  ops->plan_run = plan_run;
}
