/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every device does with a head's description before it packs it: coordinates as three planes [3][padded]. For
 * kernels/ only. */
#pragma once

#include "flame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The template with the identity. */
void ak_flame_shaped (const AkFlameDesc *d, float *planes, size_t padded);

/* Columns first … first+n-1 of the directions `dirs` [V][3][stride], as planes [n][3][padded]. */
void ak_flame_spread (const AkFlameDesc *d, float *planes, size_t padded, const float *dirs,
    size_t stride, size_t first, size_t n);

/* joints [J][3] of what the planes are. */
void ak_flame_regress (const AkFlameDesc *d, double *joints, const float *planes, size_t padded);

#ifdef __cplusplus
}
#endif
