/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU device: one worker that owns the threads, and plans as lists of nodes. For kernels/cpu only. */
#pragma once

#include "../device_priv.h"

#include <string.h>

typedef struct AkWorker AkWorker;

/* What the processor can do and the device may use; each includes the ones above it. */
typedef enum {
  AK_CPU_PLAIN,  /* plain C definitions only */
  AK_CPU_BASE,   /* oneDNN */
  AK_CPU_AVX2,   /* and own AVX2 + FMA code */
  AK_CPU_AVX512, /* oneDNN's products have twice the width of our own */
  AK_CPU_BF16,   /* and multiply bfloat16 */
} AkCpuLevel;

typedef struct
{
  AkDevice base;
  AkWorker *worker;
  AkCpuLevel level;
  int onednn; /* every product and convolution through oneDNN, for its tests */
  struct AkOnednn *dnn;
} AkCpu;

/* One operation of a plan. `run` does the work with the arguments that were copied at recording;
 * `clear` (may be NULL) frees what the arguments own. */
typedef struct AkNode AkNode;
typedef void AkNodeRun (AkCpu *cpu, const void *args);
struct AkNode
{
  AkNodeRun *run;
  void (*clear) (void *args);
  void *args;
};

typedef struct
{
  AkPlan base;
  AkNode *nodes;
  size_t n_nodes;
  int pooled; /* a node uses the worker's threads, so the plan runs there */
  size_t scratch_bytes;
  char *scratch; /* shared by the nodes, which run one after the other */
} AkCpuPlan;

typedef enum {
  AK_NODE_INLINE, /* may run in the caller's thread; ak_cpu_share() at most */
  AK_NODE_POOLED, /* calls oneDNN or ak_cpu_parallel(): runs in the worker */
} AkNodeKind;

/* Appends a node with a copy of `args`. Returns the copy, or NULL after an error (then `clear` has
 * been called on `args`). A plan with a pooled node runs wholly in the worker's thread, any other in
 * the thread that calls ak_plan_run(). A node should take no longer than 20 ms: split larger work. */
void *ak_cpu_append (AkPlan *plan, AkNodeKind kind, AkNodeRun *run, void (*clear) (void *args),
    const void *args, size_t args_bytes);

/* Calls fn (arg, i, n) for i = 0 … n-1, n the number of threads, on the device's threads and waits. Only from a pooled node. */
typedef void AkParallel (void *arg, unsigned i, unsigned n);
void ak_cpu_parallel (AkCpu *cpu, AkParallel *fn, void *arg);
/* The same with `n` parts (1 where there is one thread): more than threads where parts need nothing of their own, so
 * that a thread that is held up holds up little. */
void ak_cpu_parallel_parts (AkCpu *cpu, AkParallel *fn, void *arg, unsigned n);

/* Calls fn (arg, i, n) for i = 0 … n-1 in the thread of an inline node and in threads beside the worker's, unless these
 * are at another stream's work: then, and where the device has one thread, all in the caller's. n <= AK_CPU_SHARERS. */
#define AK_CPU_SHARERS 4
void ak_cpu_share (AkCpu *cpu, AkParallel *fn, void *arg, unsigned n);

/* Asks for `bytes` of scratch that a node may use while it runs: ((AkCpuPlan *) plan)->scratch, 64-byte
 * aligned, contents undefined. */
void ak_cpu_scratch (AkPlan *plan, size_t bytes);

/* Appends fn (args, from, to) over `rows` rows of `cols` columns that do not depend on one another:
 * at once, or on all threads where that is worth it. */
typedef void AkRowsFn (const void *args, size_t from, size_t to);
void ak_cpu_append_rows (
    AkPlan *plan, AkRowsFn *fn, const void *args, size_t args_bytes, size_t rows, size_t cols);

/* Row `i` of batch * rows rows. */
static inline float *
ak_row (AkRows v, size_t rows, size_t i)
{
  return v.data + i / rows * v.batch + i % rows * v.row;
}

/* The worker: a thread that runs plans one after the other, taking turns between them every 20 ms. */
AkWorker *ak_worker_new (AkCpu *cpu, AkStatus *status);
void ak_worker_free (AkWorker *worker);
AkStatus ak_worker_run (AkWorker *worker, AkCpuPlan *plan, const atomic_int *cancel);

/* Calls fn (arg) in the worker's thread and waits: library primitives are made there, so that they
 * are made for the number of threads that will run them. */
void ak_worker_call (AkWorker *worker, void (*fn) (void *arg), void *arg);

/* 64-byte aligned, zeroed, in huge pages where it is large; freed with free(). */
void *ak_cpu_memory (size_t bytes);

/* The same, not zeroed: for what is filled once. */
void *ak_cpu_weights (size_t bytes);

/* act (x), the definition. */
float ak_act_plain (float x, AkActivation act);

/* Each fills its entries of the table for `level`. */
void ak_cpu_linear_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_conv_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_conv2d_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_norm_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_attention_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_elementwise_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_random_init (AkOps *ops);
void ak_cpu_resize_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_resize2d_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_bits_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_level_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_members_init (AkOps *ops);
void ak_cpu_rotary_init (AkOps *ops);
void ak_cpu_codebook_init (AkOps *ops, AkCpuLevel level);
void ak_cpu_draw_init (AkOps *ops);
void ak_cpu_bind_init (AkOps *ops);
void ak_cpu_compose_init (AkOps *ops);
void ak_cpu_flame_init (AkOps *ops);
void ak_cpu_points_init (AkOps *ops);
void ak_cpu_mesh_init (AkOps *ops);
void ak_cpu_picture_init (AkOps *ops);
void ak_cpu_published_init (AkOps *ops);
void ak_cpu_spans_init (AkOps *ops);
void ak_cpu_splat_init (AkOps *ops);

/* May `dev` (a CPU device) use AVX2 and FMA? */
static inline int
ak_cpu_has_avx2 (const AkDevice *dev)
{
  return ((const AkCpu *) dev)->level >= AK_CPU_AVX2;
}

/* A large product is recorded as several nodes of about this many multiply-adds (some ms). */
#define AK_CPU_NODE_MACS ((size_t) 1 << 27)
/* Below this much work threads cost more than they give. */
#define AK_CPU_PARALLEL_MACS ((size_t) 1 << 21)
#define AK_CPU_PARALLEL_ELEMENTS ((size_t) 1 << 16)

/* How a matrix lies in memory. K = in / groups * kernel inputs in the order [kernel][channel], per group. */
typedef enum {
  AK_LAYOUT_PLAIN, /* [out][K] */
  AK_LAYOUT_PANELS, /* per group [ceil (N / 16)][K][16], N = out / groups, zero padded; ak_bf16_lane() */
  AK_LAYOUT_ONEDNN, /* what oneDNN wants */
} AkLayout;

typedef struct
{
  AkMatrix base;
  AkLayout layout;
  size_t k, n; /* K and N */
  int bf16;    /* data are bfloat16, else float */
  void *data;  /* PLAIN, PANELS; ONEDNN: as filled, until a plan packs it */
  /* PANELS of side 3, for tiles of 2 and 4, made at first use: winograd.h; under the device's worker */
  float *winograd[2];
  void *onednn; /* ONEDNN: list of packings, under the device's worker */
} AkCpuMatrix;

/* Bytes of one number of the matrix. */
static inline size_t
ak_matrix_element (const AkCpuMatrix *m)
{
  return m->bf16 ? 2 : 4;
}

/* Bytes of one group's panels. */
static inline size_t
ak_panels_size (const AkCpuMatrix *m)
{
  return (m->n + 15) / 16 * 16 * m->k * ak_matrix_element (m);
}

/* bfloat16 is the upper half of a float; `x` rounded to nearest, ties to even, NaN kept. */
static inline uint16_t
ak_to_bf16 (float x)
{
  uint32_t u;

  memcpy (&u, &x, sizeof u);
  if ((u & 0x7fffffff) > 0x7f800000)
    return (uint16_t) (u >> 16 | 0x40);
  return (uint16_t) ((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float
ak_from_bf16 (uint16_t h)
{
  uint32_t u = (uint32_t) h << 16;
  float x;

  memcpy (&x, &u, sizeof x);
  return x;
}

/* Where column `j` of 16 lies in a row of a bfloat16 panel: columns j and j + 8 share 32 bits, so that a
 * shift and a mask widen 8 of them each. */
static inline size_t
ak_bf16_lane (size_t j)
{
  return 2 * (j % 8) + j / 8;
}

/* y = residual + gate * act (scale * (x W) + bias + noise) for one group's packed weights (AVX2). */
typedef struct
{
  float *y;
  const float *x, *bias, *gate, *residual;
  const void *panels;
  int bf16;                   /* panels are bfloat16 */
  const float *scale, *noise; /* [n], one number a row */
  size_t y_row, x_row, gate_row, residual_row, noise_row;
  size_t k, n;
  AkActivation activation;
} AkPanels;
/* Rows row0 … row1-1 and columns col0 … col1-1; col0 is a multiple of 16, col1 too or n. A result does
 * not depend on how the work is cut. */
void ak_panels_avx2 (const AkPanels *p, size_t row0, size_t row1, size_t col0, size_t col1);

/* The same epilogue for products `t` [rows][n] that lie ready. */
void ak_finish_avx2 (const AkPanels *p, const float *t, size_t rows);
void ak_finish_plain (const AkPanels *p, const float *t, size_t rows);

/* Runs a panel product on the device's threads if it is large. From a pooled node. */
void ak_panels_run (
    AkCpu *cpu, const AkPanels *p, size_t row0, size_t row1, size_t col0, size_t col1);

/* AVX2 versions of row functions; args as in the plain ones. */
AkRowsFn ak_layer_norm_avx2, ak_unit_norm_avx2, ak_activate_avx2, ak_affine_avx2, ak_nearest_avx2;

/* |a - b|² in double, the definition's; and what happens to row `row` of batch * rows once its code is found. */
double ak_distance_plain (const float *a, const float *b, size_t n);
void ak_nearest_take (const AkNearest *a, size_t row, size_t code);

/* kernels/cpu/compose_avx2.c, bind_avx2.c */
AkRowsFn ak_compose_avx2, ak_bytes_avx2, ak_bind_plain, ak_bind_avx2;

/* One head of one batch item (AVX2): rows row0 … row1-1. `scratch`: ak_attention_scratch() floats. */
void ak_attention_avx2 (
    const AkAttention *a, size_t b, size_t head, size_t row0, size_t row1, float *scratch);
size_t ak_attention_scratch (const AkAttention *a);
