/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions by cuDNN's graph API. The library is opened when it is first needed: programs, and cards, do without. */
#pragma once

#include "conv2d_graph.h"

typedef struct AkCudnn AkCudnn;
typedef struct AkCudnnPlan AkCudnnPlan;

/* For the calling thread's card; or for one described by `properties` (cuDNN's JSON), for which plans can be made but not
 * run, without any card. NULL with one line in `problem` where there is no cuDNN that works. */
AkCudnn *ak_cudnn_open (const char *properties, char *problem, size_t problem_size);
void ak_cudnn_close (AkCudnn *cudnn);

/* What one of the engines makes of the graph: sums in float without TF32, the same bits every time, no more than
 * AK_CUDNN_WORKSPACE bytes beside. NULL if there is none. Plans are kept, as some take seconds to make, and belong to
 * `cudnn`; graphs that are the same but for their addresses share one. */
#define AK_CUDNN_WORKSPACE ((size_t) 64 << 20)
const AkCudnnPlan *ak_cudnn_plan (AkCudnn *cudnn, const AkConvGraph *graph);
size_t ak_cudnn_workspace (const AkCudnnPlan *plan);

/* Launches it for the addresses of `graph`; `x`, `y`: for those that lie in the scratch. Returns 0 after an error. */
int ak_cudnn_run (AkCudnn *cudnn, const AkCudnnPlan *plan, const AkConvGraph *graph, const void *x,
    float *y, void *workspace, AkStream stream);
