/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cuBLASLt, and the door to cuDNN. */
#include "library.h"
#include "cudnn_conv.h"
#include "runtime.h"

#include <cublasLt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct AkLibrary
{
  cublasLtHandle_t lt;
  pthread_mutex_t lock; /* of what follows */
  AkCudnn *cudnn;       /* opened for the first convolution of images; NULL where there is none */
  int cudnn_asked;
};

static AkCudnn *
open_cudnn (AkLibrary *library, char *problem, size_t problem_size)
{
  pthread_mutex_lock (&library->lock);
  if (!library->cudnn_asked)
    library->cudnn = ak_cudnn_open (NULL, problem, problem_size);
  library->cudnn_asked = 1;
  pthread_mutex_unlock (&library->lock);
  return library->cudnn;
}

AkLibrary *
ak_library_open (AkConvBy by, char *problem, size_t problem_size)
{
  AkLibrary *library = calloc (1, sizeof *library);
  cublasStatus_t status = library ? cublasLtCreate (&library->lt) : CUBLAS_STATUS_ALLOC_FAILED;

  if (status != CUBLAS_STATUS_SUCCESS) {
    snprintf (problem, problem_size, "cuBLASLt does not start: %s", cublasLtGetStatusName (status));
    free (library);
    return NULL;
  }
  pthread_mutex_init (&library->lock, NULL);
  if (by == AK_CONV_BY_LIBRARY && !open_cudnn (library, problem, problem_size)) {
    ak_library_close (library);
    return NULL;
  }
  return library;
}

void
ak_library_close (AkLibrary *library)
{
  ak_cudnn_close (library->cudnn);
  (void) cublasLtDestroy (library->lt);
  pthread_mutex_destroy (&library->lock);
  free (library);
}

const AkLibraryConv *
ak_library_conv2d (AkCuda *cuda, const AkConvGraph *graph, size_t *workspace)
{
  char problem[256];
  AkCudnn *cudnn;
  const AkCudnnPlan *plan;

  ak_rt_use (cuda->index);
  cudnn = open_cudnn (cuda->library, problem, sizeof problem);
  plan = cudnn ? ak_cudnn_plan (cudnn, graph) : NULL;
  if (plan)
    *workspace = ak_cudnn_workspace (plan);
  return (const AkLibraryConv *) plan;
}

void
ak_library_conv2d_run (const AkAt *at, const AkLibraryConv *conv, const AkConvGraph *graph,
    const AkConvScratch *scratch)
{
  if (!ak_cudnn_run (at->cuda->library->cudnn, (const AkCudnnPlan *) conv, graph, at->scratch,
          (float *) (at->scratch + scratch->y), at->scratch + scratch->workspace, at->stream) &&
      *at->status == AK_OK)
    *at->status = AK_ERR_DEVICE;
}

#define WORKSPACE ((size_t) 4 << 20) /* most that a product may ask for */

typedef struct
{
  AkGemm g;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t w, x, c, y;
  cublasLtMatmulHeuristicResult_t found;
} Node;

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

static void
run (const AkAt *at, const void *args)
{
  const Node *n = args;
  const void *x = n->g.x ? n->g.x : at->scratch + n->g.x_scratch;
  float *y = n->g.y ? n->g.y : (float *) (at->scratch + n->g.y_scratch);
  float one = 1, beta = n->g.c ? 1 : 0;
  cublasStatus_t status = cublasLtMatmul (at->cuda->library->lt, n->desc, &one, n->g.w, n->w, x,
      n->x, &beta, n->g.c ? n->g.c : y, n->c, y, n->y, &n->found.algo, at->scratch + n->g.scratch,
      n->found.workspaceSize, at->stream);

  if (status != CUBLAS_STATUS_SUCCESS && *at->status == AK_OK)
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

/* The largest power of two, up to 256, that divides an address and the strides of its rows and batch items. */
static uint32_t
alignment (const void *ptr, size_t row, size_t batch, size_t element)
{
  size_t bits = (size_t) ptr | row * element | batch * element | 256;

  return (uint32_t) (bits & -bits);
}

static int
choose (AkLibrary *library, Node *n)
{
  const AkGemm *g = &n->g;
  size_t element = g->bf16 ? 2 : 4, most = WORKSPACE;
  uint32_t w = alignment (g->w, g->w_row, g->w_batch, element);
  uint32_t x = alignment (g->x ? g->x : (void *) g->x_scratch, g->x_row, g->x_batch, element);
  uint32_t y = alignment (g->y ? g->y : (void *) g->y_scratch, g->y_row, g->y_batch, 4);
  uint32_t c = g->c ? alignment (g->c, g->c_row, g->c_batch, 4) : y;
  const struct
  {
    cublasLtMatmulPreferenceAttributes_t what;
    const void *value;
    size_t bytes;
  } set[] = {
    { CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &w, sizeof w },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &x, sizeof x },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &c, sizeof c },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &y, sizeof y },
  };
  cublasLtMatmulPreference_t preference = NULL;
  int n_found = 0, good = cublasLtMatmulPreferenceCreate (&preference) == CUBLAS_STATUS_SUCCESS;

  for (size_t i = 0; good && i < sizeof set / sizeof *set; i++)
    good = cublasLtMatmulPreferenceSetAttribute (
               preference, set[i].what, set[i].value, set[i].bytes) == CUBLAS_STATUS_SUCCESS;
  good = good && cublasLtMatmulAlgoGetHeuristic (library->lt, n->desc, n->w, n->x, n->c, n->y,
                     preference, 1, &n->found, &n_found) == CUBLAS_STATUS_SUCCESS;
  if (preference)
    (void) cublasLtMatmulPreferenceDestroy (preference);
  return good && n_found == 1 && n->found.state == CUBLAS_STATUS_SUCCESS;
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
  if (!describe (&node) || !choose (cuda->library, &node)) {
    clear (&node);
    return 0;
  }
  ak_cuda_scratch (plan, gemm->scratch + node.found.workspaceSize);
  ak_cuda_append (plan, run, clear, &node, sizeof node);
  return 1;
}
