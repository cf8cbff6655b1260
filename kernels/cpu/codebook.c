/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>

double
ak_distance_plain (const float *a, const float *b, size_t n)
{
  double s = 0;

  for (size_t c = 0; c < n; c++) {
    double d = (double) a[c] - b[c];

    s += d * d;
  }
  return s;
}

void
ak_nearest_take (const AkNearest *a, size_t row, size_t code)
{
  const float *v = a->vectors + code * a->dim;
  float *x = ak_row (a->x, a->rows, row), *sum = ak_row (a->sum, a->rows, row);

  for (size_t c = 0; c < a->dim; c++) {
    sum[c] = a->accumulate ? sum[c] + v[c] : v[c];
    x[c] -= v[c];
  }
  if (a->codes)
    a->codes[row] = (float) code;
}

static void
nearest_plain (const void *args, size_t from, size_t to)
{
  const AkNearest *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    double least = INFINITY;
    size_t code = 0;

    for (size_t j = 0; j < a->size; j++) {
      double d = ak_distance_plain (x, a->vectors + j * a->dim, a->dim);

      if (d < least) {
        least = d;
        code = j;
      }
    }
    ak_nearest_take (a, i, code);
  }
}

static void
record (AkPlan *plan, const AkNearest *a, AkRowsFn *fn)
{
  ak_cpu_append_rows (plan, fn, a, sizeof *a, a->batch * a->rows, a->size * a->dim);
}

static void
nearest_plain_record (AkPlan *plan, const AkNearest *args)
{
  record (plan, args, nearest_plain);
}

#if defined(__x86_64__)
static void
nearest_record (AkPlan *plan, const AkNearest *args)
{
  record (plan, args, ak_nearest_avx2);
}
#endif

void
ak_cpu_codebook_init (AkOps *ops, AkCpuLevel level)
{
  ops->nearest = nearest_plain_record;
#if defined(__x86_64__)
  if (level >= AK_CPU_AVX2)
    ops->nearest = nearest_record;
#endif
}
