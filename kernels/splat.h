/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drawing Gaussian splats of any number of channels (model spec, section 11, points 1 to 5).
 *
 * Vectors are rows: t = [p, 1] · view, h = [p, 1] · projection (the full one), W = view[0:3, 0:3]ᵀ.
 * f = (width / (2 tan_fov_x), height / (2 tan_fov_y)).
 * 1. t_z > 0.2; u = ((h_xy / (h_w + 1e-7) + 1) · (width, height) - 1) / 2.
 * 2. Σ = R diag (s²) Rᵀ with R of the quaternion as it is, not made a unit.
 * 3. t_x, t_y within ± 1.3 tan t_z; J = [[f_x / t_z, 0, -f_x t_x / t_z²], [0, f_y / t_z, -f_y t_y / t_z²]];
 *    C = J W Σ Wᵀ Jᵀ + 0.3 I; (a, b, c) = C^-1.
 * 4. radius = ceil (3 sqrt (mid + sqrt (max (0.1, mid² - det C)))), mid = (C00 + C11) / 2. It covers the tiles
 *    of 16×16 pixels from int ((u - radius) / 16) up to, not including, int ((u + radius + 15) / 16), truncated
 *    towards zero and clamped to the picture, and touches only pixels of these.
 * 5. Per pixel (x, y), in order of t_z as a float and of index among equals: d = u - (x, y),
 *    α = min (0.99, opacity · exp (-(a d_x² + c d_y²) / 2 - b d_x d_y)); skipped if α < 1/255; if T (1 - α) < 1e-4
 *    the pixel is done without this splat; else image += color · α · T, T = T (1 - α), from T = 1.
 * At last image += background · T. The thresholds are the float nearest to each.
 *
 * With `rest` above 0 a pixel ends otherwise, before what cannot be seen: the splat that would leave T (1 - α) < rest
 * gets all that is left, image += color · T, and T = 0.
 *
 * With `half` that gets the mean of each 2×2 pixels, and `image` only the first AK_SPLAT_FRONT channels: as the mean
 * of sums of weighted colours is the sum with the weights' mean, most colours are then added to a quarter of the pixels.
 * Channels of `half` that nobody looks at cost nothing if they are the first ones, see `half_first`.
 *
 * The exponent cannot be above 0 (C is positive definite) and rounding to above it counts as 0. A splat is not
 * drawn where a value of steps 1 to 4 is not finite, where det C <= 0, or where |u| > 1e9. An opacity that is not
 * finite, or above 1e30, counts as 0. Colours must be finite: others may spoil any pixel of the tiles that they touch.
 *
 * The memory of a plan grows with the splats and with the picture, not with how many tiles splats cover.
 * Results do not depend on the number of threads. Implementations agree to 2e-5 (1 + |color|) except where rounding
 * turns one of the decisions of step 5: there to 0.02. */
#pragma once

#include <stdint.h>

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AK_SPLAT_MAX 4194304 /* splats */
#define AK_SPLAT_CHANNELS_MAX 256
#define AK_SPLAT_FRONT 3 /* channels at full size where the others have half */
#define AK_SPLAT_TILE 16

/* What becomes of each splat [N] and pixel, for tests and for looking inside; any pointer may be NULL. Of a splat
 * that is not drawn radius and tiles are 0 and the rest is whatever came out. */
typedef struct
{
  int32_t *radius;        /* [N], at most 2^30 */
  int32_t *tiles;         /* [N][4]: x0, y0, x1, y1 in tiles, the end not included */
  float *center;          /* [N][2]: u */
  float *conic;           /* [N][3]: a, b, c */
  float *depth;           /* [N]: t_z */
  int32_t *contributions; /* [height][width]: the place, from 1, of the last splat used among
                            * all that cover the pixel's tile; 0: none. Costs time. */
} AkSplatDetails;

/* Everything but the sizes lies in device memory and is read at each run. */
typedef struct
{
  float *image; /* [height][width][channels]; with `half` [height][width][AK_SPLAT_FRONT] */
  float *half;  /* [height / 2][width / 2][channels]: means of 2×2 (sides even, channels at least
                            * AK_SPLAT_FRONT); or NULL */
  float *transmittance;    /* [height][width]: what is left of T, 1 - coverage; or NULL */
  const float *means;      /* [N][3] */
  const float *scales;     /* [N][3] */
  const float *rotations;  /* [N][4]: w, x, y, z */
  const float *opacities;  /* [N] */
  const float *colors;     /* [N][channels] */
  const float *view;       /* [4][4] */
  const float *projection; /* [4][4] */
  const float *background; /* [channels], or NULL: 0 */
  size_t splats;           /* N, 0 … AK_SPLAT_MAX; with 0 the pointers [N] may be NULL */
  size_t channels;         /* 1 … AK_SPLAT_CHANNELS_MAX */
  size_t half_first;       /* below channels: what `half` gets in the channels before is not said */
  unsigned width, height;  /* 1 … AK_PICTURE_MAX */
  float tan_fov_x, tan_fov_y;
  float rest; /* 0 … 1: see above */
  AkSplatDetails details;
} AkSplat;

/* Records the drawing. */
void ak_splat (AkPlan *plan, const AkSplat *args);

#ifdef __cplusplus
}
#endif
