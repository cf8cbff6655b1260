/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

static uint8_t *
bits_row (const AkBitsArgs *a, size_t i)
{
  return a->bits.data + i / a->rows * a->bits.batch + i % a->rows * a->bits.row;
}

static void
from_pairs (const void *args, size_t from, size_t to)
{
  const AkBitsArgs *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    uint8_t *bit = bits_row (a, i);

    for (size_t c = 0; c < a->cols; c++)
      bit[c] = x[2 * c + 1] > x[2 * c];
  }
}

static void
from_signs (const void *args, size_t from, size_t to)
{
  const AkBitsArgs *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = ak_row (a->x, a->rows, i);
    uint8_t *bit = bits_row (a, i);

    for (size_t c = 0; c < a->cols; c++)
      bit[c] = x[c] > 0;
  }
}

static void
values (const void *args, size_t from, size_t to)
{
  const AkBitsArgs *a = args;

  for (size_t i = from; i < to; i++) {
    float *y = ak_row (a->x, a->rows, i);
    const uint8_t *bit = bits_row (a, i);

    for (size_t c = 0; c < a->cols; c++)
      y[c] = bit[c] ? a->scale : -a->scale;
  }
}

static void
from_pairs_record (AkPlan *plan, const AkBitsArgs *args)
{
  ak_cpu_append_rows (plan, from_pairs, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
from_signs_record (AkPlan *plan, const AkBitsArgs *args)
{
  ak_cpu_append_rows (plan, from_signs, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
values_record (AkPlan *plan, const AkBitsArgs *args)
{
  ak_cpu_append_rows (plan, values, args, sizeof *args, args->batch * args->rows, args->cols);
}

void
ak_cpu_bits_init (AkOps *ops, AkCpuLevel level)
{
  (void) level;
  ops->bits_from_pairs = from_pairs_record;
  ops->bits_from_signs = from_signs_record;
  ops->bits_values = values_record;
}
