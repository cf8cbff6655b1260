/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

static int
bits_ok (const AkBitsArgs *a, size_t cols)
{
  return a->bits.data && (a->bits.row == 0 || a->bits.row >= a->cols) && ak_rows_ok (a->x, cols, 0);
}

void
ak_bits_from_pairs (
    AkPlan *plan, AkBits bits, AkRows logits, size_t batch, size_t rows, size_t cols)
{
  AkBitsArgs args = { bits, logits, 0, batch, rows, cols };

  AK_PLAN_CHECK (plan, bits_ok (&args, 2 * cols));
  if (batch && rows && cols)
    plan->dev->ops.bits_from_pairs (plan, &args);
}

void
ak_bits_from_signs (AkPlan *plan, AkBits bits, AkRows x, size_t batch, size_t rows, size_t cols)
{
  AkBitsArgs args = { bits, x, 0, batch, rows, cols };

  AK_PLAN_CHECK (plan, bits_ok (&args, cols));
  if (batch && rows && cols)
    plan->dev->ops.bits_from_signs (plan, &args);
}

void
ak_bits_values (
    AkPlan *plan, AkRows y, AkBits bits, float scale, size_t batch, size_t rows, size_t cols)
{
  AkBitsArgs args = { bits, y, scale, batch, rows, cols };

  AK_PLAN_CHECK (plan, bits_ok (&args, cols));
  if (batch && rows && cols)
    plan->dev->ops.bits_values (plan, &args);
}
