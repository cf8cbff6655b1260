/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What several kernels compute. */
#pragma once

#include "launch.h"

/* act (x) in float, as exact as elementwise.h asks for: functions of large arguments are those of the accurate library,
 * never the fast intrinsics. */
static __device__ float
ak_act (float x, AkActivation act)
{
  switch (act) {
    case AK_ACT_NONE:
      break;
    case AK_ACT_GELU:
      return 0.5f * x * erfcf (-x * 0.70710678118654752f);
    case AK_ACT_GELU_TANH:
      return x / (1 + expf (-1.59576912160573071f * (x + 0.044715f * x * x * x)));
    case AK_ACT_LEAKY_RELU:
      return x < 0 ? 0.2f * x : x;
    case AK_ACT_SILU:
      return x / (1 + expf (-x));
    case AK_ACT_ELU:
      return x < 0 ? expm1f (x) : x;
    case AK_ACT_RELU:
      return x < 0 ? 0 : x;
    case AK_ACT_SIGMOID:
      return 1 / (1 + expf (-x));
    case AK_ACT_RSQRT:
      return 1 / sqrtf (x);
  }
  return x;
}
