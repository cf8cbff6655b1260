/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

size_t
ak_conv2d_size (size_t size, size_t side, size_t stride, size_t padding)
{
  return ak_conv_rows (size, side, stride, 1, padding, padding);
}

void
ak_conv2d (AkPlan *plan, const AkConv2d *args)
{
  const AkMatrix *m = args->matrix;

  AK_PLAN_CHECK (plan,
      m && m->dev == plan->dev && m->side && ak_rows_ok (args->x, m->in, 0) &&
          ak_rows_ok (args->y, m->out, 0) && ak_rows_ok (args->residual, m->out, 1) &&
          ak_rows_ok (args->gate, m->out, 1) && args->x.row && args->y.row &&
          args->y.data != args->x.data && args->padding < m->side &&
          args->height <= SIZE_MAX / 64 && args->width <= SIZE_MAX / 64 / (args->height + 1) &&
          ak_conv2d_size (args->height, m->side, args->stride, args->padding) > 0 &&
          ak_conv2d_size (args->width, m->side, args->stride, args->padding) > 0);
  if (args->batch)
    plan->dev->ops.conv2d (plan, args);
}

void
ak_deconv2d (AkPlan *plan, const AkDeconv2d *args)
{
  size_t k = args->side, pixels = args->height * args->width;

  AK_PLAN_CHECK (plan, k && args->rows && args->y && args->x && args->y != args->x);
  for (size_t i = 0; i < k; i++) {
    const AkMatrix *m = args->rows[i];

    AK_PLAN_CHECK (plan, m && m->out % k == 0);
    /* row k·r + i of the result is one product for row r of the image */
    for (size_t b = 0; b < args->batch; b++)
      ak_linear (plan, &(AkLinear){ .y = { args->y + (b * pixels * k + i * args->width) * m->out,
                                        m->out, k * args->width * m->out },
                           .x = { args->x + b * pixels * m->in, m->in, args->width * m->in },
                           .matrix = m,
                           .bias = args->bias,
                           .batch = args->height,
                           .rows = args->width });
  }
}
