/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>
#include <string.h>

float
ak_act_plain (float x, AkActivation act)
{
  switch (act) {
    case AK_ACT_NONE:
      break;
    case AK_ACT_GELU:
      return (float) (0.5 * x * erfc (-x * 0.70710678118654752440));
    case AK_ACT_GELU_TANH:
      return (float) (x / (1 + exp (-1.59576912160573071 * (x + 0.044715 * x * x * x))));
    case AK_ACT_LEAKY_RELU:
      return x < 0 ? 0.2f * x : x;
    case AK_ACT_SILU:
      return (float) (x / (1 + exp (-(double) x)));
    case AK_ACT_ELU:
      return x < 0 ? (float) expm1 (x) : x;
    case AK_ACT_RELU:
      return x < 0 ? 0 : x;
    case AK_ACT_SIGMOID:
      return (float) (1 / (1 + exp (-(double) x)));
    case AK_ACT_RSQRT:
      return (float) (1 / sqrt (x));
  }
  return x;
}

static void
activate_plain (const void *args, size_t from, size_t to)
{
  const AkActivate *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    float *y = ak_row (a->y, a->rows, i);

    for (size_t c = 0; c < a->cols; c++)
      y[c] = ak_act_plain (x[c], a->activation);
  }
}

static void
activate_plain_record (AkPlan *plan, const AkActivate *args)
{
  ak_cpu_append_rows (
      plan, activate_plain, args, sizeof *args, args->batch * args->rows, args->cols);
}

#if defined(__x86_64__)
static void
activate_record (AkPlan *plan, const AkActivate *args)
{
  ak_cpu_append_rows (
      plan, ak_activate_avx2, args, sizeof *args, args->batch * args->rows, args->cols);
}
#endif

static void
blend (const void *args, size_t from, size_t to)
{
  const AkBlend *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->a, a->rows, i);
    float *y = ak_row (a->y, a->rows, i);

    if (a->b.data) {
      const float *z = ak_row (a->b, a->rows, i);

      for (size_t c = 0; c < a->cols; c++)
        y[c] = a->alpha * x[c] + a->beta * z[c];
    } else if (a->alpha == 1) {
      memmove (y, x, a->cols * sizeof *y);
    } else {
      for (size_t c = 0; c < a->cols; c++)
        y[c] = a->alpha * x[c];
    }
  }
}

static void
blend_record (AkPlan *plan, const AkBlend *args)
{
  ak_cpu_append_rows (plan, blend, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
affine (const void *args, size_t from, size_t to)
{
  const AkAffine *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    float *y = ak_row (a->y, a->rows, i);

    for (size_t c = 0; c < a->cols; c++) {
      float v = x[c];

      if (a->sub)
        v -= a->sub[c];
      if (a->mul)
        v *= a->mul[c];
      if (a->add)
        v += a->add[c];
      y[c] = v;
    }
  }
}

static void
affine_record (AkPlan *plan, const AkAffine *args)
{
  AkRowsFn *fn = affine;

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev))
    fn = ak_affine_avx2;
#endif
  ak_cpu_append_rows (plan, fn, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
mean (const void *args, size_t from, size_t to)
{
  const AkMean *a = args;

  for (size_t b = from; b < to; b++)
    for (size_t c = 0; c < a->cols; c++) {
      double s = 0;

      for (size_t r = 0; r < a->rows; r++)
        s += a->x.data[b * a->x.batch + r * a->x.row + c];
      a->y.data[b * a->y.batch + c] = (float) (s / (double) a->rows);
    }
}

static void
mean_record (AkPlan *plan, const AkMean *args)
{
  ak_cpu_append_rows (plan, mean, args, sizeof *args, args->batch, args->rows * args->cols);
}

static void
only_finite (const void *args, size_t from, size_t to)
{
  const AkBlend *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->a, a->rows, i);
    float *y = ak_row (a->y, a->rows, i);

    for (size_t c = 0; c < a->cols; c++)
      y[c] = isfinite (x[c]) ? x[c] : 0;
  }
}

static void
finite_record (AkPlan *plan, const AkBlend *args)
{
  ak_cpu_append_rows (plan, only_finite, args, sizeof *args, args->batch * args->rows, args->cols);
}

void
ak_cpu_elementwise_init (AkOps *ops, AkCpuLevel level)
{
  ops->activate = activate_plain_record;
#if defined(__x86_64__)
  if (level >= AK_CPU_AVX2)
    ops->activate = activate_record;
#endif
  ops->blend = blend_record;
  ops->affine = affine_record;
  ops->mean = mean_record;
  ops->finite = finite_record;
}
