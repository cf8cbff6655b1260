/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

#include <stdint.h>

size_t
ak_conv_rows (size_t rows, size_t kernel, size_t stride, size_t dilation, size_t left, size_t right)
{
  size_t padded = rows + left + right;

  if (!kernel || !stride || !dilation || kernel - 1 > (SIZE_MAX - 1) / dilation ||
      padded < dilation * (kernel - 1) + 1)
    return 0;
  return (padded - dilation * (kernel - 1) - 1) / stride + 1;
}

void
ak_conv (AkPlan *plan, const AkConv *args)
{
  const AkMatrix *m = args->matrix;

  AK_PLAN_CHECK (plan, m && m->dev == plan->dev && !m->side && ak_rows_ok (args->x, m->in, 0) &&
                           ak_rows_ok (args->y, m->out, 0) &&
                           ak_rows_ok (args->residual, m->out, 1) && args->x.row &&
                           args->y.data != args->x.data && args->left <= SIZE_MAX / 4 &&
                           args->right <= SIZE_MAX / 4 &&
                           ak_conv_rows (args->rows, m->kernel, args->stride, args->dilation,
                               args->left, args->right) > 0);
  if (args->batch)
    plan->dev->ops.conv (plan, args);
}
