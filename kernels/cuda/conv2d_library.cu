/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions of images by a library. Its inputs are rounded and scaled by a kernel before where they have to be; what it
 * cannot add to its sums is a kernel after it. */
#include "conv2d.cuh"
#include "library.h"

#define THREADS 256

/* x · in_scale, dense, in floats or bfloat16. A thread has `vec` adjacent numbers. */
typedef struct
{
  AkRows x, in_scale;
  unsigned batch, pixels, cols, vec;
  int bf16;
} Prepare;

template <int VEC>
static __global__ void
prepare_kernel (Prepare a, void *to)
{
  const size_t i = ((size_t) blockIdx.x * THREADS + threadIdx.x) * VEC;
  size_t c, p, r = ak_split (i, a.cols, &c), b = ak_split (r, a.pixels, &p);
  float v[VEC], scale[VEC];

  if (b >= a.batch)
    return;
  ak_get<VEC> (v, a.x.data + b * a.x.batch + p * a.x.row + c);
  if (a.in_scale.data) {
    ak_get<VEC> (scale, a.in_scale.data + b * a.in_scale.batch + c);
#pragma unroll
    for (int k = 0; k < VEC; k++)
      v[k] *= scale[k];
  }
  if (a.bf16)
    ak_put_rounded<VEC> ((uint16_t *) to + i, v);
  else
    ak_put<VEC> ((float *) to + i, v);
}

static void
prepare_run (const AkAt *at, const void *args)
{
  const Prepare *a = (const Prepare *) args;
  const size_t n = (size_t) a->batch * a->pixels * a->cols;
  const unsigned blocks = ak_blocks (n / a->vec, THREADS);

  if (a->vec == 8)
    AK_LAUNCH (prepare_kernel<8>, blocks, THREADS, 0, at, *a, at->scratch);
  else if (a->vec == 4)
    AK_LAUNCH (prepare_kernel<4>, blocks, THREADS, 0, at, *a, at->scratch);
  else
    AK_LAUNCH (prepare_kernel<1>, blocks, THREADS, 0, at, *a, at->scratch);
}

typedef struct
{
  AkConvGraph graph;
  const AkLibraryConv *conv;
  AkConvScratch scratch;
  AkConvJob job; /* what is left to do after the graph */
  int unfinished;
  AkAlso also; /* of what is left */
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
    ak_cuda_conv2d_finish (at, &f, ak_rounded (at, &n->also));
}

/* As much of it as the library can. */
static int
find (AkCuda *cuda, Node *n, const AkCudaMatrix *matrix, size_t *workspace)
{
  const AkConv2d a = n->job.a;
  int extent = ak_cuda_conv2d_extent (&a, matrix);

  for (; extent >= AK_CONV_SUMS && !n->conv; extent--) {
    ak_cuda_conv2d_graph (&n->graph, &a, matrix, (AkConvExtent) extent);
    n->job.a = ak_cuda_conv2d_rest (&a, (AkConvExtent) extent);
    n->conv = ak_library_conv2d (cuda, &n->graph, workspace);
  }
  n->unfinished = !n->graph.y_data;
  return n->conv != NULL;
}

static void
record_prepare (AkPlan *plan, const AkConvJob *job, int bf16)
{
  const AkConv2d *a = &job->a;
  Prepare p = {};

  p.x = a->x;
  p.in_scale = a->in_scale;
  p.batch = (unsigned) a->batch;
  p.pixels = (unsigned) (a->height * a->width);
  p.cols = job->in;
  p.bf16 = bf16;
  p.vec = !ak_is_aligned (a->x) || !ak_is_aligned (a->in_scale) || p.cols % 4 ? 1
          : p.cols % 8                                                        ? 4
                                                                              : 8;
  ak_cuda_append (plan, prepare_run, NULL, &p, sizeof p);
}

/* Where in the scratch the inputs lie: as the operation before offers them, or where a kernel puts them. */
static size_t
record_inputs (AkPlan *plan, const AkConvJob *job, int bf16)
{
  const AkConv2d *a = &job->a;
  const AkOffer *stands =
      bf16 && !a->in_scale.data && job->in % 8 == 0
          ? ak_cuda_offered (plan, a->x, a->batch, a->height * a->width, job->in)
          : NULL;

  if (!stands) {
    record_prepare (plan, job, bf16);
    return 0;
  }
  if (!stands->also)
    return stands->scratch;
  stands->also->on = 1;
  stands->also->at = (stands->scratch + 255) / 256 * 256;
  return stands->also->at;
}

/* To the next operation: the result, or the inputs again. */
static void
offer (AkPlan *plan, Node *kept, int bf16)
{
  const AkConvJob *job = &kept->job;
  const AkConv2d *a = &job->a;
  AkOffer inputs = { a->x, a->batch, a->height * a->width, job->in, NULL, kept->scratch.x };

  if (kept->unfinished)
    ak_offer (plan, a->y, a->batch, job->pixels, job->n, &kept->also, kept->scratch.total);
  else if (bf16 && !a->in_scale.data && job->in % 8 == 0 && a->x.data != a->y.data)
    ak_cuda_offer (plan, &inputs);
}

int
ak_cuda_conv2d_library (AkPlan *plan, const AkCudaMatrix *matrix, const AkConvJob *job)
{
  AkCuda *cuda = (AkCuda *) plan->dev;
  const AkConv2d *a = &job->a;
  size_t workspace = 0, x = 0;
  Node n = {}, *kept;

  n.job = *job;
  if (!ak_cuda_conv2d_for_library (a, matrix, cuda->conv2d) || !find (cuda, &n, matrix, &workspace))
    return 0;
  if (ak_cuda_conv2d_prepared (a, matrix))
    x = record_inputs (plan, job, matrix->bf16);
  n.scratch = ak_cuda_conv2d_scratch (&n.graph, x, workspace);
  ak_cuda_scratch (plan, n.scratch.total);
  kept = (Node *) ak_cuda_append (plan, conv_run, NULL, &n, sizeof n);
  if (kept)
    offer (plan, kept, matrix->bf16);
  return 1;
}
