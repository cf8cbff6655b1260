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
REFUSE (bits_from_pairs, AkBitsArgs)
REFUSE (bits_from_signs, AkBitsArgs)
REFUSE (bits_values, AkBitsArgs)
REFUSE (level_window, AkLevelRunning)
REFUSE (level_running, AkLevelRunning)

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
  ops->bits_from_pairs = refuse_bits_from_pairs;
  ops->bits_from_signs = refuse_bits_from_signs;
  ops->bits_values = refuse_bits_values;
  ops->level_window = refuse_level_window;
  ops->level_running = refuse_level_running;

  ak_cuda_plan_init (ops);
  ak_cuda_elementwise_init (ops);
  ak_cuda_bind_init (ops);
  ak_cuda_compose_init (ops);
  ak_cuda_draw_init (ops);
  ak_cuda_flame_init (ops);
  ak_cuda_mesh_init (ops);
  ak_cuda_picture_init (ops);
  ak_cuda_points_init (ops);
  ak_cuda_published_init (ops);
  ak_cuda_resize2d_init (ops);
  ak_cuda_splat_init (ops);
}
