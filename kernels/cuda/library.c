/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The libraries of a device: opening cuBLASLt, and the door to cuDNN. */
#include "library.h"
#include "library_priv.h"
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

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
  if (!ak_cudnn_run (at->cuda->library->cudnn, (const AkCudnnPlan *) conv, graph,
          at->scratch + scratch->x, (float *) (at->scratch + scratch->y),
          at->scratch + scratch->workspace, at->stream) &&
      *at->status == AK_OK)
    *at->status = AK_ERR_DEVICE;
}
