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

/* joints [J][3] of what the planes are. */
void ak_flame_regress (const AkFlameDesc *d, double *joints, const float *planes, size_t padded);

/* joints [E][J][3] of all expressions. */
void ak_flame_regress_dirs (const AkFlameDesc *d, double *joints);

#ifdef __cplusplus
}
#endif
