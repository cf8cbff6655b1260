/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All operations. Those that this device has not fail the plan that asks for them. */
#include "queue.h"

#define REFUSE(operation, type)                                                                    \
  static void refuse_##operation (AkPlan *plan, const type *args)                                  \
  {                                                                                                \
    (void) args;                                                                                   \
    ak_plan_fail (plan, AK_ERR_DEVICE);                                                            \
  }

REFUSE (conv2d, AkConv2d)
REFUSE (resize2d, AkResize2d)
REFUSE (average_points, AkAveragePoints)
REFUSE (bind, AkBind)
REFUSE (compose, AkCompose)
REFUSE (bytes, AkBytes)
REFUSE (splat, AkSplat)

static AkFlame *
refuse_flame_new (AkDevice *dev, const AkFlameDesc *desc, AkStatus *status)
{
  (void) dev;
  (void) desc;
  *status = AK_ERR_DEVICE;
  return NULL;
}

static AkMesh *
refuse_mesh_new (AkDevice *dev, const AkMeshDesc *desc, AkStatus *status)
{
  (void) dev;
  (void) desc;
  *status = AK_ERR_DEVICE;
  return NULL;
}

static void
refuse_picture_write (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba)
{
  (void) picture;
  (void) rgba;
  ak_plan_fail (plan, AK_ERR_DEVICE);
}

void
ak_cuda_table (AkOps *ops)
{
  ops->conv2d = refuse_conv2d;
  ops->resize2d = refuse_resize2d;
  ops->flame_new = refuse_flame_new;
  ops->average_points = refuse_average_points;
  ops->bind = refuse_bind;
  ops->compose = refuse_compose;
  ops->bytes = refuse_bytes;
  ops->picture_write = refuse_picture_write;
  ops->mesh_new = refuse_mesh_new;
  ops->splat = refuse_splat;

  ak_cuda_plan_init (ops);
  ak_cuda_elementwise_init (ops);
  ak_cuda_matrix_init (ops);
  ak_cuda_product_init (ops);
  ak_cuda_norm_init (ops);
  ak_cuda_attention_init (ops);
  ak_cuda_rows_init (ops);
}
