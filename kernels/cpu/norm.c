/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>

static void
layer_norm_plain (const void *args, size_t from, size_t to)
{
  const AkLayerNorm *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    float *y = ak_row (a->y, a->rows, i);
    double mean = 0, var = 0;

    for (size_t c = 0; c < a->cols; c++)
      mean += x[c];
    mean /= (double) a->cols;
    for (size_t c = 0; c < a->cols; c++)
      var += (x[c] - mean) * (x[c] - mean);
    var = 1 / sqrt (var / (double) a->cols + a->eps);
    for (size_t c = 0; c < a->cols; c++) {
      double n = (x[c] - mean) * var;

      if (a->weight)
        n = n * a->weight[c] + a->bias[c];
      else if (a->scale.data)
        n = n * (1.0 + ak_row (a->scale, a->rows, i)[c]) + ak_row (a->shift, a->rows, i)[c];
      y[c] = ak_act_plain ((float) n, a->activation);
    }
  }
}

static void
unit_norm_plain (const void *args, size_t from, size_t to)
{
  const AkUnitNorm *a = args;

  for (size_t i = from; i < to; i++)
    for (size_t h = 0; h < a->heads; h++) {
      const float *x = ak_row (a->x, a->rows, i) + h * a->dim;
      float *y = ak_row (a->y, a->rows, i) + h * a->dim;
      double s = 0;

      for (size_t c = 0; c < a->dim; c++)
        s += (double) x[c] * x[c];
      s = (a->factor ? a->factor[h] : 1) / fmax (sqrt (s), 1e-12);
      for (size_t c = 0; c < a->dim; c++)
        y[c] = (float) (x[c] * s);
    }
}

static void
rms_norm (const void *args, size_t from, size_t to)
{
  const AkRmsNorm *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    float *y = ak_row (a->y, a->rows, i);
    double s = 0;

    for (size_t c = 0; c < a->cols; c++)
      s += (double) x[c] * x[c];
    s = 1 / sqrt (s / (double) a->cols + a->eps);
    for (size_t c = 0; c < a->cols; c++)
      y[c] = (float) (x[c] * s);
  }
}

static void
rms_norm_record (AkPlan *plan, const AkRmsNorm *args)
{
  ak_cpu_append_rows (plan, rms_norm, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
layer_norm_plain_record (AkPlan *plan, const AkLayerNorm *args)
{
  ak_cpu_append_rows (
      plan, layer_norm_plain, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
unit_norm_plain_record (AkPlan *plan, const AkUnitNorm *args)
{
  ak_cpu_append_rows (
      plan, unit_norm_plain, args, sizeof *args, args->batch * args->rows, args->heads * args->dim);
}

#if defined(__x86_64__)
static void
layer_norm_record (AkPlan *plan, const AkLayerNorm *args)
{
  ak_cpu_append_rows (
      plan, ak_layer_norm_avx2, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
unit_norm_record (AkPlan *plan, const AkUnitNorm *args)
{
  ak_cpu_append_rows (plan, ak_unit_norm_avx2, args, sizeof *args, args->batch * args->rows,
      args->heads * args->dim);
}
#endif

void
ak_cpu_norm_init (AkOps *ops, AkCpuLevel level)
{
  ops->layer_norm = layer_norm_plain_record;
  ops->unit_norm = unit_norm_plain_record;
  ops->rms_norm = rms_norm_record;
#if defined(__x86_64__)
  if (level >= AK_CPU_AVX2) {
    ops->layer_norm = layer_norm_record;
    ops->unit_norm = unit_norm_record;
  }
#endif
}
