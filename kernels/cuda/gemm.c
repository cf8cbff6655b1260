/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products by cuBLASLt: of the ways that it has for one, that which is the fastest on this card. */
#include "gemm_choice.h"
#include "library_priv.h"
#include "runtime.h"

#include <cuda_runtime_api.h>

#define WORKSPACE ((size_t) 16 << 20) /* most that a product may ask for */

typedef struct
{
  AkGemm g;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t w, x, c, y;
  cublasLtMatmulHeuristicResult_t found;
} Node;

/* What ways have been chosen. All devices of the process share it, so that what is opened again computes the same. */
static pthread_mutex_t choosing = PTHREAD_MUTEX_INITIALIZER;
static AkGemmChoices choices = { .bytes = sizeof (cublasLtMatmulHeuristicResult_t) };

static void
clear (void *args)
{
  Node *n = args;
  cublasLtMatrixLayout_t layouts[] = { n->w, n->x, n->c, n->y };

  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
    if (layouts[i])
      (void) cublasLtMatrixLayoutDestroy (layouts[i]);
  if (n->desc)
    (void) cublasLtMatmulDescDestroy (n->desc);
}

/* What a product is made of, wherever it lies. */
typedef struct
{
  const void *w, *x, *c;
  void *y, *workspace;
} Operands;

/* Launches the product by `way`. Returns 0 if it cannot be. */
static int
launch (cublasLtHandle_t lt, const Node *n, const cublasLtMatmulHeuristicResult_t *way,
    const Operands *o, cudaStream_t stream)
{
  float one = 1, beta = n->g.c ? 1 : 0;

  return cublasLtMatmul (lt, n->desc, &one, o->w, n->w, o->x, n->x, &beta, o->c, n->c, o->y, n->y,
             &way->algo, o->workspace, way->workspaceSize, stream) == CUBLAS_STATUS_SUCCESS;
}

static void
run (const AkAt *at, const void *args)
{
  const Node *n = args;
  const AkGemm *g = &n->g;
  Operands o = { g->w, g->x ? g->x : at->scratch + g->x_scratch, g->c,
    g->y ? (char *) g->y : at->scratch + g->y_scratch, at->scratch + g->scratch };

  if (!g->c)
    o.c = o.y;
  if (!launch (at->cuda->library->lt, n, &n->found, &o, at->stream) && *at->status == AK_OK)
    *at->status = AK_ERR_DEVICE;
}

/* The library counts by columns: a matrix [rows][cols] here is one of `cols` rows there. */
static int
layout (cublasLtMatrixLayout_t *out, cudaDataType_t type, size_t rows, size_t cols, size_t row,
    size_t batch, size_t batch_stride)
{
  int32_t count = (int32_t) batch;
  int64_t stride = (int64_t) batch_stride;

  return cublasLtMatrixLayoutCreate (out, type, cols, rows, (int64_t) row) ==
             CUBLAS_STATUS_SUCCESS &&
         cublasLtMatrixLayoutSetAttribute (*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
             sizeof count) == CUBLAS_STATUS_SUCCESS &&
         cublasLtMatrixLayoutSetAttribute (*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
             &stride, sizeof stride) == CUBLAS_STATUS_SUCCESS;
}

static int
describe (Node *n)
{
  const AkGemm *g = &n->g;
  cudaDataType_t type = g->bf16 ? CUDA_R_16BF : CUDA_R_32F, bias_type = CUDA_R_32F;
  cublasOperation_t transposed = CUBLAS_OP_T;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
  size_t c_row = g->c ? g->c_row : g->y_row, c_batch = g->c ? g->c_batch : g->y_batch;

  if (cublasLtMatmulDescCreate (&n->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F) !=
          CUBLAS_STATUS_SUCCESS ||
      cublasLtMatmulDescSetAttribute (n->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
          sizeof transposed) != CUBLAS_STATUS_SUCCESS)
    return 0;
  if (g->bias && (cublasLtMatmulDescSetAttribute (n->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                      sizeof epilogue) != CUBLAS_STATUS_SUCCESS ||
                     cublasLtMatmulDescSetAttribute (n->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                         &g->bias, sizeof g->bias) != CUBLAS_STATUS_SUCCESS ||
                     cublasLtMatmulDescSetAttribute (n->desc, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE,
                         &bias_type, sizeof bias_type) != CUBLAS_STATUS_SUCCESS))
    return 0;
  return layout (&n->w, type, g->n, g->k, g->w_row, g->batch, g->w_batch) &&
         layout (&n->x, type, g->m, g->k, g->x_row, g->batch, g->x_batch) &&
         layout (&n->c, CUDA_R_32F, g->m, g->n, c_row, g->batch, c_batch) &&
         layout (&n->y, CUDA_R_32F, g->m, g->n, g->y_row, g->batch, g->y_batch);
}

/* The ways that the library has, the one that it expects to be the fastest first. Returns how many. */
static size_t
ask (cublasLtHandle_t lt, const Node *n, const AkGemmKey *key,
    cublasLtMatmulHeuristicResult_t ways[AK_GEMM_WAYS])
{
  size_t most = WORKSPACE, usable = 0;
  const struct
  {
    cublasLtMatmulPreferenceAttributes_t what;
    const void *value;
    size_t bytes;
  } set[] = {
    { CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &key->w_align, sizeof key->w_align },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &key->x_align, sizeof key->x_align },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &key->c_align, sizeof key->c_align },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &key->y_align, sizeof key->y_align },
  };
  cublasLtMatmulPreference_t preference = NULL;
  int found = 0, good = cublasLtMatmulPreferenceCreate (&preference) == CUBLAS_STATUS_SUCCESS;

  for (size_t i = 0; good && i < sizeof set / sizeof *set; i++)
    good = cublasLtMatmulPreferenceSetAttribute (
               preference, set[i].what, set[i].value, set[i].bytes) == CUBLAS_STATUS_SUCCESS;
  good = good && cublasLtMatmulAlgoGetHeuristic (lt, n->desc, n->w, n->x, n->c, n->y, preference,
                     AK_GEMM_WAYS, ways, &found) == CUBLAS_STATUS_SUCCESS;
  if (preference)
    (void) cublasLtMatmulPreferenceDestroy (preference);
  for (int i = 0; good && i < found; i++)
    if (ways[i].state == CUBLAS_STATUS_SUCCESS)
      ways[usable++] = ways[i];
  return usable;
}

/* Where ways are measured: a stream, and memory of the product's sizes, as the plan's may be in use. Weights lie there many
 * times, so that they are not in the card's cache, as they will not be when they are one layer's of many. */
typedef struct
{
  cublasLtHandle_t lt;
  const Node *n;
  cudaStream_t stream;
  cudaEvent_t from, to;
  char *memory;
  Operands o;       /* with the first weights */
  size_t w, copies; /* bytes of the weights; as many runs are measured together */
} Stand;

#define UNCACHED ((size_t) 64 << 20) /* bytes of weights that are more than a cache has */
#define LEAST_COPIES 4
#define MOST_COPIES 12
#define LONG                                                                                       \
  0.15f /* ms from which on one run is measured, so long that neither cache nor launch count */
#define FAR_TOO_LONG 3 /* times as long as another */

static int
launch_here (const Stand *s, const cublasLtMatmulHeuristicResult_t *way, size_t copy)
{
  Operands o = s->o;

  o.w = (const char *) o.w + copy * s->w;
  return launch (s->lt, s->n, way, &o, s->stream);
}

/* ms, once: of the graph, or of the way itself. Negative after an error. */
static float
time_once (const Stand *s, const cublasLtMatmulHeuristicResult_t *way, AkGraph graph)
{
  float ms = -1;
  int good = cudaEventRecord (s->from, s->stream) == cudaSuccess;

  good = good && (graph ? ak_rt_graph_launch (graph, s->stream) == AK_OK : launch_here (s, way, 0));
  good = good && cudaEventRecord (s->to, s->stream) == cudaSuccess &&
         cudaEventSynchronize (s->to) == cudaSuccess &&
         cudaEventElapsedTime (&ms, s->from, s->to) == cudaSuccess;
  return good ? ms : -1;
}

/* As part of a graph, which is how it will run: there launches cost the host nothing. */
static float
time_in_graph (const Stand *s, const cublasLtMatmulHeuristicResult_t *way)
{
  AkStatus status = AK_OK;
  AkGraph graph;
  float ms = -1, again;

  if (!ak_rt_capture (s->stream))
    return -1;
  for (size_t i = 0; i < s->copies; i++)
    if (!launch_here (s, way, i))
      status = AK_ERR_DEVICE;
  graph = ak_rt_capture_end (s->stream, &status);
  if (graph && time_once (s, way, graph) >= 0) { /* and once to get going */
    ms = time_once (s, way, graph);
    again = time_once (s, way, graph);
    ms = (again < ms ? again : ms) / (float) s->copies;
  }
  ak_rt_graph_free (graph);
  return ms;
}

/* `best`: the shortest single run so far, kept up to date. */
static float
time_way (const Stand *s, const cublasLtMatmulHeuristicResult_t *way, float *best)
{
  float once, again;

  if (time_once (s, way, NULL) < 0) /* loads the kernel */
    return -1;
  once = time_once (s, way, NULL);
  if (once < 0)
    return -1;
  if (*best < 0 || once < *best)
    *best = once;
  if (once > FAR_TOO_LONG * *best)
    return once;
  if (once < LONG)
    return time_in_graph (s, way);
  again = time_once (s, way, NULL);
  return again >= 0 && again < once ? again : once;
}

/* Bytes that a matrix of `batch` items takes. */
static size_t
extent (size_t rows, size_t row, size_t cols, size_t batch, size_t item, size_t element)
{
  return (((batch - 1) * item + (rows - 1) * row + cols) * element + 255) / 256 * 256;
}

/* Returns 0 if there is no memory. */
static int
prepare (Stand *s)
{
  const AkGemm *g = &s->n->g;
  size_t element = g->bf16 ? 2 : 4;
  size_t x = extent (g->m, g->x_row, g->k, g->batch, g->x_batch, element);
  size_t y = extent (g->m, g->y_row, g->n, g->batch, g->y_batch, 4);
  size_t c = g->c ? extent (g->m, g->c_row, g->n, g->batch, g->c_batch, 4) : 0, bytes;
  char *at;

  s->w = extent (g->n, g->w_row, g->k, g->batch, g->w_batch, element);
  s->copies = UNCACHED / s->w;
  s->copies = s->copies < LEAST_COPIES ? LEAST_COPIES : s->copies;
  s->copies = s->copies > MOST_COPIES ? MOST_COPIES : s->copies;
  bytes = s->copies * s->w + x + y + c;
  s->memory = at = ak_rt_alloc (bytes + WORKSPACE);
  if (!at || ak_rt_zero (s->stream, at, bytes) != AK_OK)
    return 0;
  s->o = (Operands){ .w = at, .x = at + s->copies * s->w };
  s->o.y = at + s->copies * s->w + x;
  s->o.c = c && g->c != g->y ? (char *) s->o.y + y : s->o.y;
  s->o.workspace = at + bytes;
  return 1;
}

/* The way to take, of `n_ways`: the first one if they cannot be measured. */
static size_t
measure (
    AkLibrary *library, const Node *n, const cublasLtMatmulHeuristicResult_t *ways, size_t n_ways)
{
  Stand s = { .lt = library->lt, .n = n, .stream = ak_rt_stream_new () };
  float times[AK_GEMM_WAYS], shortest = -1;
  int good = s.stream && cudaEventCreate (&s.from) == cudaSuccess &&
             cudaEventCreate (&s.to) == cudaSuccess && prepare (&s);
  size_t best;

  for (size_t i = 0; i < n_ways; i++)
    times[i] = good ? time_way (&s, ways + i, &shortest) : -1;
  best = ak_gemm_best (times, n_ways);
  if (s.stream)
    (void) ak_rt_stream_sync (s.stream);
  if (s.from)
    (void) cudaEventDestroy (s.from);
  if (s.to)
    (void) cudaEventDestroy (s.to);
  ak_rt_free (s.memory);
  ak_rt_stream_free (s.stream);
  (void) cudaGetLastError (); /* the next launch is not to blame for a way that failed */
  return best < n_ways ? best : 0;
}

static int
choose (const AkCuda *cuda, Node *n, int hurries)
{
  cublasLtMatmulHeuristicResult_t ways[AK_GEMM_WAYS];
  const cublasLtMatmulHeuristicResult_t *known;
  AkGemmKey key;
  size_t n_ways;

  ak_gemm_key (&key, &n->g, cuda->index);
  pthread_mutex_lock (&choosing); /* also so that nobody measures beside another */
  known = ak_gemm_find (&choices, &key);
  n_ways = known ? 1 : ask (cuda->library->lt, n, &key, ways);
  if (known) {
    n->found = *known;
  } else if (n_ways) {
    size_t way = 0;

    if (cuda->measured && !hurries && n_ways > 1 && ak_gemm_is_short (&n->g))
      way = measure (cuda->library, n, ways, n_ways);
    n->found = ways[way];
    (void) ak_gemm_keep (&choices, &key, &n->found); /* without memory it is chosen again */
  }
  pthread_mutex_unlock (&choosing);
  return n_ways > 0;
}

static size_t
at_least (size_t stride, size_t n)
{
  return stride < n ? n : stride;
}

int
ak_library_gemm (AkPlan *plan, const AkGemm *gemm)
{
  AkCuda *cuda = (AkCuda *) plan->dev;
  Node node = { .g = *gemm };

  ak_rt_use (cuda->index);
  if (gemm->m == 1) { /* the library looks at strides that nothing is read by */
    node.g.x_row = at_least (gemm->x_row, gemm->bf16 ? (gemm->k + 7) / 8 * 8 : gemm->k);
    node.g.y_row = at_least (gemm->y_row, gemm->n);
    node.g.c_row = at_least (gemm->c_row, gemm->n);
  }
  if (!describe (&node) || !choose (cuda, &node, ak_cuda_hurries (plan))) {
    clear (&node);
    return 0;
  }
  ak_cuda_scratch (plan, gemm->scratch + node.found.workspaceSize);
  ak_cuda_append (plan, run, clear, &node, sizeof node);
  return 1;
}
