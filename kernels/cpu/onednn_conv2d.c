/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional convolutions through oneDNN, channels last. */
#include "onednn_priv.h"

static dnnl_status_t
describe (const AkMaking *k, dnnl_primitive_desc_t *desc, dnnl_memory_desc_t *src,
    dnnl_memory_desc_t *plain, dnnl_memory_desc_t *product, const_dnnl_primitive_attr_t attr)
{
  const AkWindows *w = &k->piece->w;
  dnnl_dim_t side = (dnnl_dim_t) w->side, channels = (dnnl_dim_t) (w->span / w->side);
  dnnl_dim_t stride = (dnnl_dim_t) k->stride, row = (dnnl_dim_t) w->row;
  dnnl_dim_t height = (dnnl_dim_t) (w->pixels / w->out_width), width = (dnnl_dim_t) w->out_width;
  dnnl_dim_t in_height = (height - 1) * stride + side, in_width = (width - 1) * stride + side;
  dnnl_dims_t x = { 1, channels, in_height, in_width };
  dnnl_dims_t x_strides = { in_height * row, 1, row, channels };
  dnnl_dims_t m = { (dnnl_dim_t) w->p.n, channels, side, side };
  dnnl_dims_t m_strides = { (dnnl_dim_t) w->p.k, 1, side * channels, channels };
  dnnl_dims_t y = { 1, (dnnl_dim_t) w->p.n, height, width };
  dnnl_dims_t strides = { stride, stride }, none = { 0, 0 };
  dnnl_memory_desc_t any;
  dnnl_convolution_desc_t op;
  dnnl_status_t status;

  TRY (dnnl_memory_desc_init_by_strides (src, 4, x, dnnl_f32, x_strides));
  TRY (dnnl_memory_desc_init_by_strides (plain, 4, m, dnnl_f32, m_strides));
  TRY (dnnl_memory_desc_init_by_tag (&any, 4, m, dnnl_f32, dnnl_format_tag_any));
  TRY (dnnl_memory_desc_init_by_tag (product, 4, y, dnnl_f32, dnnl_nhwc));
  TRY (dnnl_convolution_forward_desc_init (&op, dnnl_forward_inference, dnnl_convolution_direct,
      src, &any, NULL, product, strides, none, none));
  TRY (dnnl_primitive_desc_create (desc, &op, attr, k->cpu->dnn->engine, NULL));
out:
  return status;
}

void
ak_onednn_conv2d (AkPlan *plan, AkCpuMatrix *m, const AkConv2dPiece *piece, size_t stride)
{
  AkMaking k = { .cpu = (AkCpu *) plan->dev,
    .plan = plan,
    .m = m,
    .describe = describe,
    .node = { .p = piece->w.p, .gather = piece->gather, .rows = piece->w.pixels },
    .stride = stride,
    .piece = piece };

  ak_onednn_record (&k);
}
