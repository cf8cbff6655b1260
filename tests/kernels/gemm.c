/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products by the library, with a library and a card that only keep a clock: which way is taken, what is measured, and that
 * nothing of it stays. */
#include "kernels/cuda/gemm_choice.h"
#include "kernels/cuda/library_priv.h"
#include "kernels/cuda/runtime.h"

#include <cuda_runtime_api.h>
#include <glib.h>
#include <string.h>

#define WAYS 4
#define FAILS (-1.0f)

static struct
{
  float ms[WAYS]; /* of a run of each way, or FAILS */
  float clock, graph;
  int capturing, no_memory;
  int objects;   /* that there are */
  int runs;      /* of products */
  unsigned last; /* way that ran */
} card;

/* The library. */

cublasStatus_t
cublasLtMatmulDescCreate (
    cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale)
{
  g_assert_true (compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F);
  *desc = (cublasLtMatmulDesc_t) &card;
  card.objects++;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulDescDestroy (cublasLtMatmulDesc_t desc)
{
  card.objects--;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulDescSetAttribute (cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
    const void *value, size_t bytes)
{
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatrixLayoutCreate (
    cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t column)
{
  *layout = (cublasLtMatrixLayout_t) &card;
  card.objects++;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatrixLayoutDestroy (cublasLtMatrixLayout_t layout)
{
  card.objects--;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatrixLayoutSetAttribute (cublasLtMatrixLayout_t layout,
    cublasLtMatrixLayoutAttribute_t attribute, const void *value, size_t bytes)
{
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceCreate (cublasLtMatmulPreference_t *preference)
{
  *preference = (cublasLtMatmulPreference_t) &card;
  card.objects++;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceDestroy (cublasLtMatmulPreference_t preference)
{
  card.objects--;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute (cublasLtMatmulPreference_t preference,
    cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t bytes)
{
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulAlgoGetHeuristic (cublasLtHandle_t lt, cublasLtMatmulDesc_t desc,
    cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
    cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference, int wanted,
    cublasLtMatmulHeuristicResult_t *ways, int *found)
{
  g_assert_cmpint (wanted, >=, WAYS);
  memset (ways, 0, (size_t) wanted * sizeof *ways);
  for (unsigned i = 0; i < WAYS; i++)
    ways[i].algo.data[0] = i;
  ways[0].state = CUBLAS_STATUS_NOT_SUPPORTED; /* is not one of them */
  *found = WAYS;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmul (cublasLtHandle_t lt, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
    cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
    const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
    cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo, void *workspace,
    size_t workspace_bytes, cudaStream_t stream)
{
  float ms = card.ms[algo->data[0]];

  if (ms == FAILS)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  card.last = (unsigned) algo->data[0];
  card.runs++;
  *(card.capturing ? &card.graph : &card.clock) += ms;
  return CUBLAS_STATUS_SUCCESS;
}

/* The card. */

static float times[8];

cudaError_t
cudaEventCreate (cudaEvent_t *event)
{
  static unsigned n;

  *event = (cudaEvent_t) (times + n++ % 8);
  card.objects++;
  return cudaSuccess;
}

cudaError_t
cudaEventDestroy (cudaEvent_t event)
{
  card.objects--;
  return cudaSuccess;
}

cudaError_t
cudaEventRecord (cudaEvent_t event, cudaStream_t stream)
{
  g_assert_false (card.capturing);
  *(float *) event = card.clock;
  return cudaSuccess;
}

cudaError_t
cudaEventSynchronize (cudaEvent_t event)
{
  return cudaSuccess;
}

cudaError_t
cudaEventElapsedTime (float *ms, cudaEvent_t from, cudaEvent_t to)
{
  *ms = *(const float *) to - *(const float *) from;
  return cudaSuccess;
}

cudaError_t
cudaGetLastError (void)
{
  return cudaSuccess;
}

void
ak_rt_use (int index)
{
}

void *
ak_rt_alloc (size_t bytes)
{
  card.objects += !card.no_memory;
  return card.no_memory ? NULL : g_malloc (1); /* nobody looks into it */
}

void
ak_rt_free (void *ptr)
{
  card.objects -= ptr != NULL;
  g_free (ptr);
}

AkStream
ak_rt_stream_new (void)
{
  card.objects++;
  return (AkStream) &card;
}

void
ak_rt_stream_free (AkStream stream)
{
  card.objects--;
}

AkStatus
ak_rt_stream_sync (AkStream stream)
{
  return AK_OK;
}

AkStatus
ak_rt_zero (AkStream stream, void *ptr, size_t bytes)
{
  return AK_OK;
}

int
ak_rt_capture (AkStream stream)
{
  card.capturing = 1;
  card.graph = 0;
  return 1;
}

AkGraph
ak_rt_capture_end (AkStream stream, AkStatus *status)
{
  card.capturing = 0;
  if (*status != AK_OK)
    return NULL;
  card.objects++;
  return (AkGraph) &card;
}

AkStatus
ak_rt_graph_launch (AkGraph graph, AkStream stream)
{
  card.clock += card.graph;
  return AK_OK;
}

void
ak_rt_graph_free (AkGraph graph)
{
  card.objects -= graph != NULL;
}

/* The plan: it runs what is appended at once. */

static int hurries;

int
ak_cuda_hurries (const AkPlan *plan)
{
  return hurries;
}

static AkCuda cuda = { .measured = 1 };

void
ak_cuda_scratch (AkPlan *plan, size_t bytes)
{
}

void *
ak_cuda_append (
    AkPlan *plan, AkCudaRun *run, void (*clear) (void *args), const void *args, size_t bytes)
{
  AkAt at = { .cuda = &cuda, .scratch = (char *) &card, .status = &plan->status };
  void *copy = g_memdup2 (args, bytes);

  run (&at, copy);
  clear (copy);
  g_free (copy);
  return NULL;
}

/* The way that a product of m rows takes, or WAYS if it fails; `runs`: how often it was measured. */
static unsigned
way_of (size_t m, int *runs)
{
  AkPlan plan = { .dev = &cuda.base };
  const AkGemm gemm = { .m = m,
    .n = 1024,
    .k = 1024,
    .batch = 1,
    .x = (const void *) 0x10000,
    .w = (const void *) 0x20000,
    .y = (float *) 0x30000,
    .x_row = 1024,
    .w_row = 1024,
    .y_row = 1024 };

  card.runs = 0;
  g_assert_true (ak_library_gemm (&plan, &gemm));
  g_assert_cmpint (card.objects, ==, 0);
  *runs = card.runs - (plan.status == AK_OK);
  return plan.status == AK_OK ? card.last : WAYS;
}

static void
set_times (float one, float two, float three)
{
  card.ms[1] = one;
  card.ms[2] = two;
  card.ms[3] = three;
}

static void
test_fastest (void)
{
  int runs;

  set_times (0.05f, 0.02f, 0.03f); /* in a graph */
  g_assert_cmpuint (way_of (1, &runs), ==, 2);
  g_assert_cmpint (runs, >, 0);
  set_times (0.01f, 0.02f, 0.03f); /* it stays what it was */
  g_assert_cmpuint (way_of (1, &runs), ==, 2);
  g_assert_cmpint (runs, ==, 0);
  g_assert_cmpuint (way_of (2, &runs), ==, 1);
  set_times (2, 1.5f, 1); /* one at a time */
  g_assert_cmpuint (way_of (3, &runs), ==, 3);
  g_assert_cmpint (runs, ==, 9);
  set_times (1, 9, 0.99f); /* one that is far too slow; one that is hardly faster */
  g_assert_cmpuint (way_of (4, &runs), ==, 1);
  g_assert_cmpint (runs, ==, 8);
}

static void
test_failing (void)
{
  int runs;

  set_times (FAILS, 0.03f, 0.02f);
  g_assert_cmpuint (way_of (5, &runs), ==, 3);
  set_times (0.03f, FAILS, FAILS);
  g_assert_cmpuint (way_of (6, &runs), ==, 1);
  set_times (FAILS, FAILS, FAILS); /* the first one, whose failing the plan sees */
  g_assert_cmpuint (way_of (7, &runs), ==, WAYS);
}

static void
test_unmeasured (void)
{
  int runs;

  set_times (3, 2, 1);
  card.no_memory = 1;
  g_assert_cmpuint (way_of (8, &runs), ==, 1);
  g_assert_cmpint (runs, ==, 0);
  card.no_memory = 0;
  cuda.measured = 0;
  g_assert_cmpuint (way_of (9, &runs), ==, 1);
  g_assert_cmpint (runs, ==, 0);
  cuda.measured = 1;
  hurries = 1;
  g_assert_cmpuint (way_of (10, &runs), ==, 1);
  g_assert_cmpint (runs, ==, 0);
  hurries = 0;
  g_assert_cmpuint (way_of (10, &runs), ==, 1); /* it stays what it was */
  g_assert_cmpint (runs, ==, 0);
  g_assert_cmpuint (way_of (1 << 20, &runs), ==, 1); /* that would take long */
  g_assert_cmpint (runs, ==, 0);
}

int
main (int argc, char **argv)
{
  AkLibrary opened = { 0 };
  AkCuda *const device = &cuda;

  device->library = &opened;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gemm/fastest", test_fastest);
  g_test_add_func ("/gemm/failing", test_failing);
  g_test_add_func ("/gemm/unmeasured", test_unmeasured);
  return g_test_run ();
}
