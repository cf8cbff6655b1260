/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A two-dimensional convolution as the graph that a library computes: tensors with four sizes and strides, in the order
 * batch, channels, rows, columns whatever order they have in memory, and steps on every sum. Plain C that needs no card. */
#pragma once

#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  int64_t size[4], stride[4]; /* of weights: outputs, inputs, rows, columns */
  int bf16;                   /* else floats */
} AkConvTensor;

typedef enum { AK_CONV_MULTIPLY, AK_CONV_ADD, AK_CONV_ACTIVATE } AkConvStepKind;

typedef struct
{
  AkConvStepKind kind;
  AkActivation activation;
  AkConvTensor tensor; /* of what is multiplied or added: sizes are those of y, or 1 */
  const float *data;
} AkConvStep;

#define AK_CONV_STEPS 6

typedef struct
{
  AkConvTensor x, w, y;
  int64_t stride, padding; /* of both axes */
  const void *x_data;      /* NULL: dense in the scratch, see ak_cuda_conv2d_prepared() */
  const void *w_data;
  float *y_data; /* NULL: dense in the scratch, as sums that still have to be finished */
  size_t steps;
  AkConvStep step[AK_CONV_STEPS];
} AkConvGraph;

/* What ARTALK_CONV2D asks for; NULL is AUTO. Returns 0 if `text` is none of them. */
int ak_cuda_conv2d_by (const char *text, AkConvBy *by);

/* Shall the library be asked for this one? */
int ak_cuda_conv2d_for_library (const AkConv2d *a, const AkCudaMatrix *m, AkConvBy by);

/* Are the inputs rounded or scaled by a kernel first, so that they lie in the scratch? */
int ak_cuda_conv2d_prepared (const AkConv2d *a, const AkCudaMatrix *m);

/* How much of an operation is the graph, the rest being done by a kernel of ours. */
typedef enum {
  AK_CONV_SUMS,      /* nothing but the sums */
  AK_CONV_ACTIVATED, /* up to the activation */
  AK_CONV_ALL,
} AkConvExtent;

/* How much of the operation can the graph be? Not all of it if it reads what it writes: a library may write early. Not for several
 * images with scales of their own or a noise for all of them, where engines err. With floats only bias and ReLU: what
 * else engines would compile on the spot uses TF32. */
AkConvExtent ak_cuda_conv2d_extent (const AkConv2d *a, const AkCudaMatrix *m);

/* The graph of so much of the operation. It goes to y if nothing is left: that is, for sums, if nothing follows. */
void ak_cuda_conv2d_graph (
    AkConvGraph *graph, const AkConv2d *a, const AkCudaMatrix *m, AkConvExtent extent);

/* What is left of it to do: the operation without its first steps. */
AkConv2d ak_cuda_conv2d_rest (const AkConv2d *a, AkConvExtent extent);

/* Is `b` the same but for its addresses, and these no less aligned? Then the same plan computes it. */
int ak_cuda_conv2d_same (const AkConvGraph *a, const AkConvGraph *b);

/* Where things lie in the scratch, in bytes, each a multiple of 256; x, which is given, comes first. */
typedef struct
{
  size_t x, y, workspace, total;
} AkConvScratch;
AkConvScratch ak_cuda_conv2d_scratch (const AkConvGraph *graph, size_t x, size_t workspace);

/* What an address is surely a multiple of: a power of two, at most 16. NULL, which stands for the scratch, is of 16. */
int64_t ak_cuda_conv2d_alignment (const void *data);

#ifdef __cplusplus
}
#endif
