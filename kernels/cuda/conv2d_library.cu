/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions of images by a library. Its inputs are rounded and scaled by a kernel before where they have to be; what it
 * cannot add to its sums is a kernel after it. */
#include "conv2d.cuh"
#include "library.h"

#define THREADS 256

/* x · in_scale, dense, in floats or bfloat16. A thread has VEC adjacent numbers. */
typedef struct
{
  AkRows x, in_scale;
  unsigned batch, pixels, cols;
  int bf16, vectors;
} Prepare;

template <int VEC>
static __global__ void
prepare_kernel (Prepare a, void *to)
{
  const size_t i = ((size_t) blockIdx.x * THREADS + threadIdx.x) * VEC;
  size_t c, r = ak_split (i, a.cols, &c);
  float v[VEC];

  if (r >= (size_t) a.batch * a.pixels)
    return;
  ak_conv_fetch<VEC> (v, ak_row (a.x, a.pixels, r) + c);
  for (int k = 0; k < VEC; k++) {
    if (a.in_scale.data)
      v[k] *= a.in_scale.data[r / a.pixels * a.in_scale.batch + c + k];
    if (a.bf16)
      ((uint16_t *) to)[i + k] = ak_to_bf16 (v[k]);
    else
      ((float *) to)[i + k] = v[k];
  }
}

static void
prepare_run (const AkAt *at, const void *args)
{
  const Prepare *a = (const Prepare *) args;
  const size_t n = (size_t) a->batch * a->pixels * a->cols;

  if (a->vectors)
    AK_LAUNCH (prepare_kernel<4>, ak_blocks (n / 4, THREADS), THREADS, 0, at, *a, at->scratch);
  else
    AK_LAUNCH (prepare_kernel<1>, ak_blocks (n, THREADS), THREADS, 0, at, *a, at->scratch);
}

typedef struct
{
  AkConvGraph graph;
  const AkLibraryConv *conv;
  AkConvScratch scratch;
  AkConvJob job; /* what is left to do after the sums */
  int unfinished;
} Node;

static void
conv_run (const AkAt *at, const void *args)
{
  const Node *n = (const Node *) args;
  AkConvJob f = n->job;

  ak_library_conv2d_run (at, n->conv, &n->graph, &n->scratch);
  f.partial = (float *) (at->scratch + n->scratch.y);
  f.splits = 1;
  if (n->unfinished)
    ak_cuda_conv2d_finish (at, &f);
}

/* All of it in the library if it can, else the sums. */
static int
find (AkCuda *cuda, Node *n, const AkCudaMatrix *matrix)
{
  size_t workspace = 0;

  for (int fused = ak_cuda_conv2d_can_fuse (&n->job.a, matrix); fused >= 0 && !n->conv; fused--) {
    ak_cuda_conv2d_graph (&n->graph, &n->job.a, matrix, fused);
    n->conv = ak_library_conv2d (cuda, &n->graph, &workspace);
  }
  n->unfinished = !n->graph.y_data;
  n->scratch = ak_cuda_conv2d_scratch (&n->graph, workspace);
  return n->conv != NULL;
}

int
ak_cuda_conv2d_library (AkPlan *plan, const AkCudaMatrix *matrix, const AkConvJob *job)
{
  AkCuda *cuda = (AkCuda *) plan->dev;
  const AkConv2d *a = &job->a;
  Node n = {};
  Prepare p = {};

  n.job = *job;
  if (!ak_cuda_conv2d_for_library (a, matrix, cuda->conv2d) || !find (cuda, &n, matrix))
    return 0;
  ak_cuda_scratch (plan, n.scratch.total);
  if (ak_cuda_conv2d_prepared (a, matrix)) {
    p.x = a->x;
    p.in_scale = a->in_scale;
    p.batch = (unsigned) a->batch;
    p.pixels = (unsigned) (a->height * a->width);
    p.cols = job->in;
    p.bf16 = matrix->bf16;
    p.vectors = job->in % 4 == 0 && ak_conv_is_aligned (a->x);
    ak_cuda_append (plan, prepare_run, NULL, &p, sizeof p);
  }
  ak_cuda_append (plan, conv_run, NULL, &n, sizeof n);
  return 1;
}
