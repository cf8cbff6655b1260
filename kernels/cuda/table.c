/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All operations. Those that this device has not fail the plan that asks for them. */
#include "queue.h"

#define REFUSE(operation, type)                                                                    \
  static void refuse_##operation (AkPlan *plan, const type *args)                                  \
  {                                                                                                \
    (void) args;                                                                                   \
    ak_plan_fail (plan, AK_ERR_DEVICE);                                                            \
  }

REFUSE (linear, AkLinear)
REFUSE (conv, AkConv)
REFUSE (conv2d, AkConv2d)
REFUSE (layer_norm, AkLayerNorm)
REFUSE (unit_norm, AkUnitNorm)
REFUSE (rms_norm, AkRmsNorm)
REFUSE (attention, AkAttention)
REFUSE (rotary, AkRotary)
REFUSE (nearest, AkNearest)
REFUSE (random_normal, AkRandom)
REFUSE (resize, AkResize)
REFUSE (resize2d, AkResize2d)
REFUSE (bits_from_pairs, AkBitsArgs)
REFUSE (bits_from_signs, AkBitsArgs)
REFUSE (bits_values, AkBitsArgs)
REFUSE (level_window, AkLevelRunning)
REFUSE (level_running, AkLevelRunning)
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

static AkMatrix *
refuse_matrix_new (AkDevice *dev, const AkMatrix *sizes, AkStatus *status)
{
  (void) dev;
  (void) sizes;
  *status = AK_ERR_DEVICE;
  return NULL;
}

void
ak_cuda_table (AkOps *ops)
{
  ops->matrix_new = refuse_matrix_new;
  ops->linear = refuse_linear;
  ops->conv = refuse_conv;
  ops->conv2d = refuse_conv2d;
  ops->layer_norm = refuse_layer_norm;
  ops->unit_norm = refuse_unit_norm;
  ops->rms_norm = refuse_rms_norm;
  ops->attention = refuse_attention;
  ops->rotary = refuse_rotary;
  ops->nearest = refuse_nearest;
  ops->random_normal = refuse_random_normal;
  ops->resize = refuse_resize;
  ops->resize2d = refuse_resize2d;
  ops->bits_from_pairs = refuse_bits_from_pairs;
  ops->bits_from_signs = refuse_bits_from_signs;
  ops->bits_values = refuse_bits_values;
  ops->level_window = refuse_level_window;
  ops->level_running = refuse_level_running;
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
}
