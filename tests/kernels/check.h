/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each operation on a device against its plain C definition, and timed with --bench. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/device.h"
#include "kernels/matrix.h"
#include "kernels/plan.h"
#include "kernels/rows.h"

typedef struct
{
  AkDevice *plain, *dev; /* the definition, and what is checked */
  const char *device;
  int bench;
  uint64_t seed;
  unsigned checks, failures;
} Check;

/* Two device buffers with the same random numbers in -scale … scale, one for each device, between guard
 * bands; kept until check_free(). */
typedef struct
{
  float *plain, *dev;
  size_t n;
} Pair;
Pair check_pair (Check *t, size_t n, float scale);
/* The same rounded to bfloat16. */
Pair check_pair_bf16 (Check *t, size_t n, float scale);
AkRows check_rows (float *data, size_t row, size_t batch);

/* The same weights on both devices; kept likewise. */
typedef struct
{
  AkMatrix *plain, *dev;
} MatrixPair;
MatrixPair check_matrix (
    Check *t, size_t out, size_t in, size_t kernel, size_t groups, AkPrecision precision);
/* With AK_BF16 the numbers are such that rounding changes nothing. */
MatrixPair check_matrix2d (Check *t, size_t out, size_t in, size_t side, AkPrecision precision);

/* Runs one recording function on both devices; `what` and the sizes name the case in messages. */
typedef void CheckRecord (AkPlan *plan, int plain, void *data);
void check_run (Check *t, const char *what, CheckRecord *record, void *data);

/* |dev - plain| <= tol (1 + |plain|) everywhere, and both guard bands whole; forgets the buffers. NaN fails. */
void check_close (Check *t, const char *what, Pair y, double tol);
/* The same of both devices' y against numbers of the test's own: for operations that have one version. */
void check_want (Check *t, const char *what, Pair y, const float *want, double tol);
/* y of the plain device, or of the other one, in host memory (free). */
float *check_read (Check *t, Pair y);
float *check_read_dev (Check *t, Pair y);
/* Puts n values, of any type of 4 bytes, from number `at` on into both. */
void check_put (Check *t, Pair p, size_t at, const void *values, size_t n);
void check_free (Check *t);

/* Spans of an image [height][width] for both devices, some empty, some beyond the image; kept until check_free(). */
Pair check_some_spans (Check *t, size_t height, size_t width);
/* As check_close() for y [batch][height][width][row], but of what is outside of the spans, which may also be as `before`. */
void check_close_spans (Check *t, const char *what, Pair y, const float *before, Pair spans,
    size_t height, size_t width, size_t row, double tol);

/* Times `record` on the device: prints "name: value unit (ratio to limit)" with --bench; macs 0 gives bytes. */
void check_bench (
    Check *t, const char *what, CheckRecord *record, void *data, double macs, double bytes);

/* A pair's buffer for the device that is recorded. */
#define AT(p) (plain ? (p).plain : (p).dev)

void check_linear (Check *t);
void check_conv (Check *t);
void check_draw (Check *t);
void check_mouth (Check *t);
void check_conv2d (Check *t);
void check_norm (Check *t);
void check_attention (Check *t);
void check_bind (Check *t);
void check_compose (Check *t);
void check_points (Check *t);
void check_elementwise (Check *t);
void check_members (Check *t);
void check_random (Check *t);
void check_resize (Check *t);
void check_resize2d (Check *t);
void check_bits (Check *t);
void check_level (Check *t);
void check_rotary (Check *t);
void check_codebook (Check *t);
void check_spans (Check *t);
void check_splat (Check *t);
void check_plan (Check *t);
