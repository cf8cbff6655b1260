/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arithmetic that is written once and compiled for every device. */
#pragma once

#ifdef __cplusplus /* kernels of cards, also where they are compiled for the processor */
#define AK_EVERYWHERE static inline __device__
#define AK_CONST_EVERYWHERE __constant__ const
#else
#define AK_EVERYWHERE static inline
#define AK_CONST_EVERYWHERE static const
#endif

AK_EVERYWHERE float
ak_dot3 (const float *a, const float *b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
