/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device implements. For kernels/ and tests/kernels only.
 *
 * The functions of the public headers check their arguments once and call this table; the functions
 * in it trust what they get. Recording functions append to the plan and report errors by
 * ak_plan_fail(). References to the device are taken and given back by the doors. */
#pragma once

#include "attention.h"
#include "bind.h"
#include "bits.h"
#include "compose.h"
#include "codebook.h"
#include "conv.h"
#include "conv2d.h"
#include "device.h"
#include "elementwise.h"
#include "flame.h"
#include "level.h"
#include "linear.h"
#include "matrix.h"
#include "members.h"
#include "norm.h"
#include "picture.h"
#include "plan.h"
#include "points.h"
#include "random.h"
#include "raster.h"
#include "resize.h"
#include "resize2d.h"
#include "rotary.h"
#include "spans.h"
#include "splat.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The common head of a device's matrices. */
struct AkMatrix
{
  AkDevice *dev;
  size_t out, in, kernel, groups;
  AkPrecision precision;
  size_t side; /* of a two-dimensional kernel, kernel = side²; else 0 */
};

typedef struct
{
  AkBits bits;
  AkRows x; /* logits, values */
  float scale;
  size_t batch, rows, cols;
} AkBitsArgs;

typedef struct AkOps
{
  void *(*alloc) (AkDevice *dev, size_t bytes);
  void (*free) (AkDevice *dev, void *ptr);
  AkQueue *(*queue_new) (AkDevice *dev);
  void (*queue_free) (AkQueue *queue);
  AkStatus (*upload) (AkQueue *queue, void *dst, const void *src, size_t bytes);
  AkStatus (*download) (AkQueue *queue, void *dst, const void *src, size_t bytes);
  AkStatus (*queue_sync) (AkQueue *queue);
  void *(*pin) (AkDevice *dev, size_t bytes); /* NULL: any memory of the host will do */
  void (*unpin) (AkDevice *dev, void *ptr);
  void *(*context) (const AkDevice *dev, int *card); /* NULL: not a card */
  AkPlan *(*plan_new) (AkDevice *dev);
  void (*plan_free) (AkPlan *plan);
  AkStatus (*plan_finish) (AkPlan *plan);
  AkStatus (*plan_run) (AkPlan *plan, AkQueue *queue, const atomic_int *cancel);

  AkMatrix *(*matrix_new) (AkDevice *dev, const AkMatrix *sizes, AkStatus *status);
  AkStatus (*matrix_fill) (AkMatrix *matrix, const float *values, size_t first, size_t count);
  void (*matrix_free) (AkMatrix *matrix);
  void (*linear) (AkPlan *plan, const AkLinear *args);
  void (*conv) (AkPlan *plan, const AkConv *args);
  void (*conv2d) (AkPlan *plan, const AkConv2d *args);
  void (*layer_norm) (AkPlan *plan, const AkLayerNorm *args);
  void (*unit_norm) (AkPlan *plan, const AkUnitNorm *args);
  void (*rms_norm) (AkPlan *plan, const AkRmsNorm *args);
  void (*attention) (AkPlan *plan, const AkAttention *args);
  void (*rotary) (AkPlan *plan, const AkRotary *args);
  void (*nearest) (AkPlan *plan, const AkNearest *args);
  void (*activate) (AkPlan *plan, const AkActivate *args);
  void (*blend) (AkPlan *plan, const AkBlend *args);
  void (*affine) (AkPlan *plan, const AkAffine *args);
  void (*mean) (AkPlan *plan, const AkMean *args);
  void (*finite) (AkPlan *plan, const AkBlend *args); /* y, a, batch, rows, cols */
  void (*members_gather) (AkPlan *plan, const AkMembers *args);
  void (*members_scatter) (AkPlan *plan, const AkMembers *args);
  void (*random_normal) (AkPlan *plan, const AkRandom *args);
  void (*resize) (AkPlan *plan, const AkResize *args);
  void (*resize2d) (AkPlan *plan, const AkResize2d *args);
  void (*bits_from_pairs) (AkPlan *plan, const AkBitsArgs *args);
  void (*bits_from_signs) (AkPlan *plan, const AkBitsArgs *args);
  void (*bits_values) (AkPlan *plan, const AkBitsArgs *args);
  void (*level_window) (AkPlan *plan, const AkLevelRunning *args); /* y, x, batch, n */
  void (*level_running) (AkPlan *plan, const AkLevelRunning *args);

  AkFlame *(*flame_new) (AkDevice *dev, const AkFlameDesc *desc, AkStatus *status);
  void (*flame_free) (AkFlame *flame);
  void (*flame_pose) (AkPlan *plan, const AkFlame *flame, float *vertices, const float *expression,
      const float *pose);
  void (*average_points) (AkPlan *plan, const AkAveragePoints *args);
  void (*bind) (AkPlan *plan, const AkBind *args);
  void (*compose) (AkPlan *plan, const AkCompose *args);
  void (*bytes) (AkPlan *plan, const AkBytes *args);
  void (*picture_write) (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba);
  AkMesh *(*mesh_new) (AkDevice *dev, const AkMeshDesc *desc, AkStatus *status);
  void (*mesh_free) (AkMesh *mesh);
  void (*mesh_normals) (AkPlan *plan, const AkMesh *mesh, float *normals, const float *vertices);
  void (*mesh_fragments) (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
      unsigned width, unsigned height, const AkFragments *out);
  void (*mesh_draw_published) (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
      const AkPicture *picture);
  void (*mesh_draw) (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
      const AkPicture *picture, const AkDrawStyle *style);
  void (*spans_find) (AkPlan *plan, const AkSpansFind *args);
  void (*spans_grow) (AkPlan *plan, const AkSpansGrow *args);
  void (*splat) (AkPlan *plan, const AkSplat *args);
} AkOps;

/* The common head of every device, queue and plan; a device's own fields follow in its own struct. */
struct AkDevice
{
  AkOps ops;
  atomic_uint refs;
  char name[32];
  unsigned threads;           /* 0: not by threads */
  AkDevice *next;             /* list of open devices, under device.c's lock */
  void (*close) (AkDevice *); /* frees the whole device */
};

struct AkQueue
{
  AkDevice *dev;
  AkStatus status; /* first error since the last sync */
};

struct AkPlan
{
  AkDevice *dev;
  AkStatus status; /* first error while recording */
  void **memory;   /* blocks of ak_plan_memory() */
  size_t n_memory;
};

#ifdef __cplusplus
extern "C" {
#endif
/* Keeps the first error of a recording. */
void ak_plan_fail (AkPlan *plan, AkStatus status);
#ifdef __cplusplus
}
#endif

/* The door's check: is `ok` true and the plan still good? Otherwise AK_ERR_ARG is kept. */
#define AK_PLAN_CHECK(plan, ok)                                                                    \
  do {                                                                                             \
    if (!(plan) || (plan)->status != AK_OK)                                                        \
      return;                                                                                      \
    if (!(ok)) {                                                                                   \
      ak_plan_fail ((plan), AK_ERR_ARG);                                                           \
      return;                                                                                      \
    }                                                                                              \
  } while (0)

/* Is `v` a view of rows of `cols` columns (or, with `optional`, absent)? */
static inline int
ak_rows_ok (AkRows v, size_t cols, int optional)
{
  return v.data ? v.row == 0 || v.row >= cols : optional;
}

static inline int
ak_same_view (AkRows a, AkRows b)
{
  return a.data == b.data && a.row == b.row && a.batch == b.batch;
}

/* Makes the CPU device; `variant` is "" or what follows "cpu:" in a device's name: "plain" for the plain
 * C definitions, "onednn" for oneDNN wherever it has the operation. */
AkDevice *ak_cpu_open (const char *variant, unsigned threads, AkStatus *status);

#ifdef __cplusplus
}
#endif
