/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In place of cudnn_conv.c and cudnn_plan.c where there are no headers of cuDNN. */
#include "cudnn_conv.h"

#include <stdio.h>

AkCudnn *
ak_cudnn_open (const char *properties, char *problem, size_t problem_size)
{
  (void) properties;
  snprintf (problem, problem_size, "this is a build without cuDNN");
  return NULL;
}

void
ak_cudnn_close (AkCudnn *cudnn)
{
  (void) cudnn;
}

const AkCudnnPlan *
ak_cudnn_plan (AkCudnn *cudnn, const AkConvGraph *graph)
{
  (void) cudnn;
  (void) graph;
  return NULL;
}

size_t
ak_cudnn_workspace (const AkCudnnPlan *plan)
{
  (void) plan;
  return 0;
}

int
ak_cudnn_run (AkCudnn *cudnn, const AkCudnnPlan *plan, const AkConvGraph *graph, const void *x,
    float *y, void *workspace, AkStream stream)
{
  (void) cudnn;
  (void) plan;
  (void) graph;
  (void) x;
  (void) y;
  (void) workspace;
  (void) stream;
  return 0;
}
