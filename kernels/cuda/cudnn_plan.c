/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a convolution's graph to cuDNN's descriptors, and the choice of an engine. */
#include "cudnn_priv.h"

#include <stdbool.h>

typedef AkCudnnDescriptor Descriptor;

/* A new descriptor that lives as long as the plan, or NULL. */
static Descriptor
part (AkCudnnPlan *p, cudnnBackendDescriptorType_t type)
{
  Descriptor d = NULL;

  if (!p->bad && p->n_parts < AK_CUDNN_PARTS && p->cudnn->make (type, &d) == CUDNN_STATUS_SUCCESS)
    return p->parts[p->n_parts++] = d;
  p->bad = 1;
  return NULL;
}

static void
set (AkCudnnPlan *p, Descriptor d, cudnnBackendAttributeName_t name,
    cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
  if (!p->bad && p->cudnn->set (d, name, type, count, values) != CUDNN_STATUS_SUCCESS)
    p->bad = 1;
}

static void
set_part (AkCudnnPlan *p, Descriptor d, cudnnBackendAttributeName_t name, Descriptor value)
{
  set (p, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void
finalize (AkCudnnPlan *p, Descriptor d)
{
  if (!p->bad && p->cudnn->finalize (d) != CUDNN_STATUS_SUCCESS)
    p->bad = 1;
}

/* Virtual ones lie between two operations, and nowhere in memory. */
static Descriptor
tensor (AkCudnnPlan *p, const AkConvTensor *t, int64_t uid, int is_virtual, const void *data)
{
  Descriptor d = part (p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  cudnnDataType_t type = t->bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  int64_t alignment = ak_cuda_conv2d_alignment (data);
  bool between = is_virtual;

  set (p, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  set (p, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, t->size);
  set (p, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, t->stride);
  set (p, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
  set (p, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
  set (p, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &between);
  finalize (p, d);
  return d;
}

static Descriptor
convolution (AkCudnnPlan *p, const AkConvGraph *g, Descriptor y)
{
  Descriptor d = part (p, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  Descriptor op = part (p, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  Descriptor x = tensor (p, &g->x, AK_UID_X, 0, g->x_data);
  Descriptor w = tensor (p, &g->w, AK_UID_W, 0, g->w_data);
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  const int64_t dims = 2, padding[] = { g->padding, g->padding },
                stride[] = { g->stride, g->stride };
  const int64_t dilation[] = { 1, 1 };
  const float one = 1, zero = 0;

  set (p, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  set (p, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  set (p, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dims);
  set (p, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
  set (p, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
  set (p, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
  set (p, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
  finalize (p, d);
  set_part (p, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, d);
  set_part (p, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
  set_part (p, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w);
  set_part (p, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
  set (p, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &one);
  set (p, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &zero);
  finalize (p, op);
  return op;
}

static cudnnPointwiseMode_t
mode_of (const AkConvStep *s)
{
  if (s->kind != AK_CONV_ACTIVATE)
    return s->kind == AK_CONV_ADD ? CUDNN_POINTWISE_ADD : CUDNN_POINTWISE_MUL;
  switch (s->activation) {
    case AK_ACT_GELU:
      return CUDNN_POINTWISE_GELU_FWD;
    case AK_ACT_GELU_TANH:
      return CUDNN_POINTWISE_GELU_APPROX_TANH_FWD;
    case AK_ACT_NONE:
    case AK_ACT_LEAKY_RELU:
    case AK_ACT_RELU:
      return CUDNN_POINTWISE_RELU_FWD;
    case AK_ACT_SILU:
      return CUDNN_POINTWISE_SWISH_FWD;
    case AK_ACT_ELU:
      return CUDNN_POINTWISE_ELU_FWD;
    case AK_ACT_SIGMOID:
      return CUDNN_POINTWISE_SIGMOID_FWD;
    case AK_ACT_RSQRT:
      return CUDNN_POINTWISE_RSQRT;
  }
  return CUDNN_POINTWISE_IDENTITY;
}

static Descriptor
pointwise (AkCudnnPlan *p, const AkConvStep *s, Descriptor x, Descriptor with, Descriptor y)
{
  Descriptor d = part (p, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  Descriptor op = part (p, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  cudnnPointwiseMode_t mode = mode_of (s);
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  const double slope = s->activation == AK_ACT_LEAKY_RELU ? 0.2 : 1;

  set (p, d, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  set (p, d, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
  if (s->kind == AK_CONV_ACTIVATE &&
      (s->activation == AK_ACT_LEAKY_RELU || s->activation == AK_ACT_NONE))
    set (p, d, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, CUDNN_TYPE_DOUBLE, 1, &slope);
  finalize (p, d);
  set_part (p, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, d);
  set_part (p, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (with)
    set_part (p, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, with);
  set_part (p, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  finalize (p, op);
  return op;
}

/* The convolution and its steps, each of which hands a tensor to the next; the last one's is y. */
static Descriptor
operations (AkCudnnPlan *p, const AkConvGraph *g)
{
  Descriptor graph, ops[1 + AK_CONV_STEPS], last;
  int64_t n = 0;
  AkConvTensor between = g->y;

  /* dense, channels last */
  between.stride[3] = between.size[1];
  between.stride[2] = between.size[3] * between.stride[3];
  between.stride[0] = between.size[2] * between.stride[2];
  last = g->steps ? tensor (p, &between, AK_UID_SUM, 1, NULL)
                  : tensor (p, &g->y, AK_UID_Y, 0, g->y_data);
  ops[n++] = convolution (p, g, last);
  for (size_t i = 0; i < g->steps; i++) {
    const AkConvStep *s = &g->step[i];
    const int64_t uid = AK_UID_STEP + 2 * (int64_t) i;
    Descriptor with = s->data ? tensor (p, &s->tensor, uid, 0, s->data) : NULL, from = last;

    last = i + 1 < g->steps ? tensor (p, &between, uid + 1, 1, NULL)
                            : tensor (p, &g->y, AK_UID_Y, 0, g->y_data);
    ops[n++] = pointwise (p, s, from, with, last);
  }
  graph = part (p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set (p, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, ops);
  finalize (p, graph);
  return graph;
}

/* Does the engine of a configuration do what ak_cudnn_plan() promises? */
static int
is_good (const AkCudnnPlan *p, Descriptor config)
{
  AkCudnn *c = p->cudnn;
  cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
  cudnnBackendBehaviorNote_t ways[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
  int64_t n = 0;
  Descriptor engine = NULL;
  int good = c->make (CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) == CUDNN_STATUS_SUCCESS &&
             c->get (config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n,
                 &engine) == CUDNN_STATUS_SUCCESS &&
             c->get (engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                 CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &n, notes) == CUDNN_STATUS_SUCCESS;

  for (int64_t i = 0; good && i < n; i++)
    switch (notes[i]) {
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE: /* with floats that is TF32 */
        good = p->graph.x.bf16;
        break;
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6: /* less exact with every size */
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        good = 0;
        break;
      default:
        break;
    }
  good = good && c->get (engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                     CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &n, ways) == CUDNN_STATUS_SUCCESS;
  for (int64_t i = 0; good && i < n; i++)
    good = ways[i] != CUDNN_BEHAVIOR_NOTE_REQUIRES_FILTER_INT8x32_REORDER &&
           ways[i] != CUDNN_BEHAVIOR_NOTE_REQUIRES_BIAS_INT8x32_REORDER &&
           ways[i] != CUDNN_BEHAVIOR_NOTE_CUBLASLT_DEPENDENCY;
  if (engine)
    (void) c->unmake (engine);
  return good;
}

/* Makes the plan of one configuration; returns 0 if it cannot be. */
static int
take (AkCudnnPlan *p, Descriptor config)
{
  AkCudnn *c = p->cudnn;
  int64_t n;

  if (c->make (CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &p->plan) != CUDNN_STATUS_SUCCESS)
    return 0;
  if (c->set (p->plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
          &c->card) == CUDNN_STATUS_SUCCESS &&
      c->set (p->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
          &config) == CUDNN_STATUS_SUCCESS &&
      c->finalize (p->plan) == CUDNN_STATUS_SUCCESS &&
      c->get (p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n,
          &p->workspace) == CUDNN_STATUS_SUCCESS &&
      p->workspace <= (int64_t) AK_CUDNN_WORKSPACE)
    return 1;
  (void) c->unmake (p->plan);
  p->plan = NULL;
  return 0;
}

#define MOST_CONFIGS 64

/* The first of the library's proposals that is good and can be made. */
static int
choose (AkCudnnPlan *p, Descriptor graph, cudnnBackendHeurMode_t mode)
{
  AkCudnn *c = p->cudnn;
  Descriptor heuristics = part (p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR), configs[MOST_CONFIGS];
  int64_t made = 0, n = 0;
  int found = 0;

  set_part (p, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  set (p, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  set_part (p, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, c->card);
  finalize (p, heuristics);
  while (!p->bad && made < MOST_CONFIGS &&
         c->make (CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[made]) == CUDNN_STATUS_SUCCESS)
    made++;
  if (!p->bad && c->get (heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                     made, &n, configs) != CUDNN_STATUS_SUCCESS)
    n = 0;
  for (int64_t i = 0; i < n && !found; i++)
    found = is_good (p, configs[i]) && take (p, configs[i]);
  for (int64_t i = 0; i < made; i++)
    (void) c->unmake (configs[i]);
  return found;
}

void
ak_cudnn_plan_make (AkCudnnPlan *p)
{
  Descriptor graph = operations (p, &p->graph);

  if (!choose (p, graph, CUDNN_HEUR_MODE_A) && !choose (p, graph, CUDNN_HEUR_MODE_FALLBACK))
    ak_cudnn_plan_clear (p);
}

void
ak_cudnn_plan_clear (AkCudnnPlan *p)
{
  if (p->plan)
    (void) p->cudnn->unmake (p->plan);
  while (p->n_parts)
    (void) p->cudnn->unmake (p->parts[--p->n_parts]);
  p->plan = NULL;
}
