/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All operations. */
#include "queue.h"

void
ak_cuda_table (AkOps *ops)
{
  ak_cuda_attention_init (ops);
  ak_cuda_bind_init (ops);
  ak_cuda_compose_init (ops);
  ak_cuda_conv2d_init (ops);
  ak_cuda_draw_init (ops);
  ak_cuda_elementwise_init (ops);
  ak_cuda_flame_init (ops);
  ak_cuda_matrix_init (ops);
  ak_cuda_members_init (ops);
  ak_cuda_mesh_init (ops);
  ak_cuda_norm_init (ops);
  ak_cuda_picture_init (ops);
  ak_cuda_plan_init (ops);
  ak_cuda_points_init (ops);
  ak_cuda_product_init (ops);
  ak_cuda_published_init (ops);
  ak_cuda_resize2d_init (ops);
  ak_cuda_rows_init (ops);
  ak_cuda_spans_init (ops);
  ak_cuda_splat_init (ops);
}
