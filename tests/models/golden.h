/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* golden-check: the networks against a folder of golden cases, laid out as its README files say
 * (motion/NAME/config.json with io.safetensors and weights.safetensors, motion/ops, avatar/…). */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "kernels/device.h"
#include "models/config.h"
#include "models/weights.h"

G_BEGIN_DECLS

typedef struct
{
  const char *folder; /* holds motion/ and avatar/ */
  const char *device; /* of ak_device_open() */
  unsigned threads;
  gboolean verbose;    /* a line per tensor */
  gboolean large;      /* make the weights of large cases too */
  gboolean times;      /* print how long windows take */
  GHashTable *weights; /* case ("motion/full") -> path of its weights */
  char **only;         /* cases to check, or NULL for all */
  unsigned passed, failed, skipped;
} Golden;

/* One case under way. */
typedef struct
{
  Golden *golden;
  char *name; /* "motion/tiny-a" */
  unsigned compared, wrong;
  double worst; /* the largest share of its tolerance that a tensor used */
  char *worst_name;
} GoldenCase;

/* FALSE if the case is not among those asked for. */
gboolean golden_begin (Golden *g, GoldenCase *c, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* Prints the case's line and counts it. */
void golden_end (GoldenCase *c);
/* Counts it as skipped, with a reason; or as failed before anything could be compared. */
void golden_skip (GoldenCase *c, const char *format, ...) G_GNUC_PRINTF (2, 3);
void golden_fail (GoldenCase *c, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* max |got - want| / rms (want) must be at most `tol`; NaN fails. */
void golden_compare (
    GoldenCase *c, const char *name, const float *got, const float *want, size_t n, double tol);
/* The tensor `name` of `io` against `got` [n]; wrong sizes fail. */
void golden_compare_tensor (
    GoldenCase *c, const AmWeights *io, const char *name, const float *got, size_t n, double tol);
/* Largest |got - want|, NaN if there is any. */
double golden_largest (const float *got, const float *want, size_t n);
/* An error measured elsewhere must be at most `tol` (> 0); NaN fails. */
void golden_compare_error (GoldenCase *c, const char *name, double error, double tol);

/* The tensor `name` of n numbers, or NULL after counting it as wrong. */
const AmTensor *golden_find (GoldenCase *c, const AmWeights *io, const char *name, size_t n);

/* The tensors of `path`, or NULL after golden_fail(). */
AmWeights *golden_open_io (GoldenCase *c, const char *path);

/* n numbers of 4 bytes of the device, after what the queue does. (g_free) */
void *golden_fetch (AkQueue *queue, const void *from, size_t n);

/* Runs a case that has begun, with its entry of cases.json, and ends it. */
typedef void GoldenRun (GoldenCase *c, const AmWeights *io, JsonObject *sizes);
/* The cases avatar/KIND/NAME that dir/cases.json lists, each with its NAME.safetensors. */
void golden_cases (Golden *g, const char *dir, const char *kind, GoldenRun *run);

/* Kinds of cases, each in its own file: they find what there is below g->folder. */
void golden_motion (Golden *g);
void golden_ops (Golden *g);
void golden_avatar (Golden *g);
/* The pictures of meshes in the folder `dir`; part of golden_avatar(). */
void golden_mesh (Golden *g, const char *dir);
/* Pictures of Gaussian splats; likewise. */
void golden_splat (Golden *g, const char *dir);

/* The networks that make splats, in the folder `dir`, and whole Gaussian avatars, below it; parts of golden_avatar(). */
void golden_generators (Golden *g, const char *dir);
void golden_gagavatar (Golden *g, const char *dir);
void golden_full_size (Golden *g, const char *dir);
void golden_builtin (Golden *g, const char *dir);
/* A golden tensor as rows of `cols` numbers: a map [cols][height][width] is turned round. (g_free) */
float *golden_read_rows (const AmTensor *t, size_t cols);
/* The largest distance of rows [n / cols][cols] from the tensor `name` must be at most `tol`. */
void golden_compare_rows (GoldenCase *c, const AmWeights *io, const char *name, const float *got,
    size_t n, size_t cols, double tol);
/* The margins of the codes that mimi's quantiser in `weights` makes of `latent` [steps][hidden]: for each book and
 * step the distance to the second nearest vector minus that to the nearest, [quantizers][steps] (g_free). */
float *golden_code_margins (
    const AmWeights *weights, const AmMimiConfig *c, const float *latent, size_t steps);

/* The StyleUNet and the operations on pictures. */
void golden_styleunet (Golden *g);

/* Writes io.safetensors of the case motion/NAME from its config.json and manifest.json: our own audio
 * through the device g->device. */
gboolean golden_make (Golden *g, const char *name, GError **error);

G_END_DECLS
