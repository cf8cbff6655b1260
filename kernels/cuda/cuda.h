/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CUDA device: memory, queues, and plans that become CUDA graphs. For kernels/cuda only.
 *
 * The code is built twice: for GPUs (the module libartalkcuda) and, for tests, for the processor (the module
 * libartalkcudahost, device "cuda:host") with host/ in place of the CUDA runtime and its libraries. Each module is
 * opened by kernels/module.c and gives one function, artalk_cuda_open(). */
#pragma once

#include "../device_priv.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CUstream_st *AkStream; /* cudaStream_t */
typedef struct CUgraphExec_st *AkGraph;
typedef struct AkLibrary AkLibrary; /* what the libraries keep for a device: library.h */

/* Who computes convolutions of images. */
typedef enum {
  AK_CONV_BY_AUTO,    /* the library where it is faster */
  AK_CONV_BY_OWN,     /* our kernels */
  AK_CONV_BY_LIBRARY, /* the library wherever it can */
} AkConvBy;

typedef struct
{
  AkDevice base;
  int index;
  AkStream stream; /* for what is not in a queue's order: zeroing memory, filling matrices */
  AkLibrary *library;
  AkConvBy conv2d;
  int measured; /* products are computed in the way that was the fastest, else as the library expects it to be */
} AkCuda;

/* What a node gets when it runs: it launches kernels on `stream` and does nothing else, as it may be recorded into a
 * graph. */
typedef struct
{
  AkCuda *cuda;
  AkStream stream;
  char *scratch;    /* of ak_cuda_scratch(); shared by the nodes, which run one after the other */
  AkStatus *status; /* for errors of libraries; those of launches are found without */
} AkAt;

typedef void AkCudaRun (const AkAt *at, const void *args);

/* Appends a node with a copy of `args`; `clear` (may be NULL) frees what the copy owns. Returns the copy, or NULL
 * after an error (then `clear` has been called on `args`). */
void *ak_cuda_append (
    AkPlan *plan, AkCudaRun *run, void (*clear) (void *args), const void *args, size_t args_bytes);

/* Appends work for the stream that follows the nodes at every run and is no part of the graph, as what it takes from `args`
 * (copied) changes from run to run. */
typedef AkStatus AkCudaCopyOut (AkStream stream, const void *args);
void ak_cuda_copy_out (AkPlan *plan, AkCudaCopyOut *run, const void *args, size_t args_bytes);

/* Host work around a plan, in the order of the calls: `before` at each ak_plan_run() (e.g. reading a struct that may
 * change between runs into pinned memory), `after` at the ak_queue_sync() that ends it (e.g. writing a picture). Either
 * may be NULL. `args` is copied and freed with the plan. */
typedef void AkCudaHost (const void *args);
void ak_cuda_around (
    AkPlan *plan, AkCudaHost *before, AkCudaHost *after, const void *args, size_t args_bytes);

/* What the plan reads at each run, for each_run.cu: the arguments of the last node that does, or NULL. */
typedef struct AkCudaReads AkCudaReads;
AkCudaReads **ak_cuda_reads (AkPlan *plan);

/* Asks for `bytes` of scratch, 256-byte aligned, contents undefined. */
void ak_cuda_scratch (AkPlan *plan, size_t bytes);

/* The plan is of several streams: it may be made while they run, so nothing may be measured for it, see gemm.c. */
void ak_cuda_hurry (AkPlan *plan);
int ak_cuda_hurries (const AkPlan *plan);

/* Page-locked host memory that lives as long as the plan; NULL after an error. */
void *ak_cuda_pinned (AkPlan *plan, size_t bytes);

/* Device memory that lives as long as the plan and holds a copy of `values` (host memory); NULL after an error. */
void *ak_cuda_constant (AkPlan *plan, const void *values, size_t bytes);

/* Copies to or from device memory at once, not in a queue's order; for preparing. */
AkStatus ak_cuda_put (AkCuda *cuda, void *dst, const void *src, size_t bytes);
AkStatus ak_cuda_get (AkCuda *cuda, void *dst, const void *src, size_t bytes);

/* New device memory with a copy of `values`; NULL after an error, also an earlier one: *status goes from AK_OK to the
 * first. */
void *ak_cuda_copy (AkDevice *dev, const void *values, size_t bytes, AkStatus *status);

/* Products in bfloat16 want their input rounded. An operation whose results may be such an input, of a multiple of 8
 * columns, writes them to the scratch as well, [batch · rows][cols] from byte `at` on, if a product asks for it: it offers
 * that right after its node was appended, with `also` in the copy of its arguments. */
typedef struct
{
  int on;
  size_t at;
} AkAlso;

typedef struct
{
  AkRows y;
  size_t batch, rows, cols;
  AkAlso *also;   /* NULL: they lie there already */
  size_t scratch; /* where they lie, or bytes that the operation itself uses */
} AkOffer;

/* The offer stands until the next node is appended. */
void ak_cuda_offer (AkPlan *plan, const AkOffer *offer);
/* The offer that stands, if it is of these numbers, else NULL. */
const AkOffer *ak_cuda_offered (AkPlan *plan, AkRows y, size_t batch, size_t rows, size_t cols);

/* A matrix: [groups][n][kp] numbers, the inputs of a row in the order [kernel][channel] with zeros from k to kp. */
typedef struct
{
  AkMatrix base;
  size_t n, k, kp;
  int bf16; /* data are bfloat16, kp a multiple of 8; else floats, kp = k */
  void *data;
} AkCudaMatrix;

/* bfloat16 is the upper half of a float; `x` rounded to nearest, ties to even, NaN kept. */
#ifdef __CUDACC__
__host__ __device__
#endif
    static inline uint16_t
    ak_to_bf16 (float x)
{
  union {
    float f;
    uint32_t u;
  } v = { x };

  if ((v.u & 0x7fffffff) > 0x7f800000)
    return (uint16_t) (v.u >> 16 | 0x40);
  return (uint16_t) ((v.u + 0x7fff + (v.u >> 16 & 1)) >> 16);
}

/* Each fills its entries of the table. */
void ak_cuda_matrix_init (AkOps *ops);
void ak_cuda_product_init (AkOps *ops); /* linear, conv */
void ak_cuda_norm_init (AkOps *ops);
void ak_cuda_attention_init (AkOps *ops);
void ak_cuda_elementwise_init (AkOps *ops);
void ak_cuda_bind_init (AkOps *ops);
void ak_cuda_compose_init (AkOps *ops);
void ak_cuda_conv2d_init (AkOps *ops);
void ak_cuda_draw_init (AkOps *ops);
void ak_cuda_flame_init (AkOps *ops);
void ak_cuda_members_init (AkOps *ops);
void ak_cuda_mesh_init (AkOps *ops);
void ak_cuda_picture_init (AkOps *ops);
void ak_cuda_points_init (AkOps *ops);
void ak_cuda_published_init (AkOps *ops);
void ak_cuda_resize2d_init (AkOps *ops);
void ak_cuda_spans_init (AkOps *ops);
void ak_cuda_splat_init (AkOps *ops);
void ak_cuda_rows_init (AkOps *ops);
void ak_cuda_plan_init (AkOps *ops);

#ifdef __cplusplus
}
#endif
