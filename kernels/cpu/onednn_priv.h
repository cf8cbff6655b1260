/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the onednn*.c files share: how a primitive is made and run. */
#pragma once

#include "conv2d.h"
#include "onednn.h"

#include <oneapi/dnnl/dnnl.h>

struct AkOnednn
{
  dnnl_engine_t engine;
  dnnl_stream_t stream;
};

/* A product or convolution to scratch, and the epilogue from there. */
typedef struct
{
  AkPanels p;
  AkGather gather; /* rows 0: the source is p.x */
  size_t rows, scratchpad_bytes, product_bytes;
  AkCpuPlan *plan;
  dnnl_primitive_t primitive;
  dnnl_memory_t src, weights, product, scratchpad;
  /* of a matrix in bfloat16 */
  const AkCpuMatrix *widened; /* its weights become floats before each run */
  size_t x_rows, x_cols,
      x_row; /* the input becomes bfloat16 before each run; 0 rows: it does not */
} AkOnednnNode;

/* What is needed to make one node in the worker. `describe` gives descriptions of the primitive, its
 * source, the weights as they came, and the result. */
typedef struct AkMaking AkMaking;
struct AkMaking
{
  AkCpu *cpu;
  AkPlan *plan;
  AkCpuMatrix *m;
  dnnl_status_t (*describe) (const AkMaking *k, dnnl_primitive_desc_t *desc,
      dnnl_memory_desc_t *src, dnnl_memory_desc_t *plain, dnnl_memory_desc_t *product,
      const_dnnl_primitive_attr_t attr);
  AkOnednnNode node;
  /* of a convolution along the rows */
  size_t in_rows, x_row, stride, dilation, left, right;
  const AkConv2dPiece *piece; /* of a two-dimensional one */
  dnnl_data_type_t type;      /* of source and weights */
  dnnl_status_t status;
};

/* Makes and appends the node; node.p, node.rows and what `describe` reads are set. */
void ak_onednn_record (AkMaking *k);

#define TRY(call)                                                                                  \
  do {                                                                                             \
    status = (call);                                                                               \
    if (status != dnnl_success)                                                                    \
      goto out;                                                                                    \
  } while (0)
