/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lamps and materials of the coloured look, for every device; world directions (x to the head's left, y up, z to
 * the camera), linear light. A soft key lamp at the viewer's upper left, a cooler fill lamp at the
 * right, sky and ground, and a lamp behind that only rims the outline. */
#pragma once

#include "everywhere.h"
#include "raster.h"

#include <math.h>

typedef struct
{
  float direction[3]; /* unit length */
  float color[3];
} AkLamp;

AK_CONST_EVERYWHERE AkLamp ak_lamp_key = { { -0.4319f, 0.5338f, 0.7270f },
  { 0.93f, 0.89f, 0.835f } };
AK_CONST_EVERYWHERE AkLamp ak_lamp_fill = { { 0.7985f, 0.1597f, 0.5804f },
  { 0.19f, 0.215f, 0.25f } };
AK_CONST_EVERYWHERE AkLamp ak_lamp_rim = { { 0.5657f, 0.4525f, -0.6894f },
  { 0.95f, 1.00f, 1.10f } };
AK_CONST_EVERYWHERE float ak_light_sky[3] = { 0.23f, 0.245f, 0.27f };
AK_CONST_EVERYWHERE float ak_light_ground[3] = { 0.15f, 0.12f, 0.10f };

/* Eight entries each, one per AkMaterial. Light creeps round skin by `wrap`, red most of all; the
 * three lobes of the highlight have exponents 16, 64 and 256. */
AK_CONST_EVERYWHERE float ak_wrap[3][8] = {
  { 0.38f, 0.34f, 0.15f, 0.35f, 0.30f, 0.25f, 0.10f, 0.38f },
  { 0.18f, 0.16f, 0.15f, 0.32f, 0.15f, 0.25f, 0.10f, 0.18f },
  { 0.12f, 0.11f, 0.15f, 0.30f, 0.12f, 0.25f, 0.10f, 0.12f },
};
AK_CONST_EVERYWHERE float ak_lobes[3][8] = {
  { 0.045f, 0.04f, 0.00f, 0.04f, 0.03f, 0.014f, 0.00f, 0.004f },
  { 0.028f, 0.11f, 0.04f, 0.10f, 0.10f, 0.020f, 0.00f, 0.000f },
  { 0.000f, 0.06f, 1.10f, 0.20f, 0.12f, 0.000f, 0.00f, 0.000f },
};

AK_EVERYWHERE void
ak_unit3 (float *a)
{
  float length = sqrtf (ak_dot3 (a, a));

  for (int k = 0; k < 3; k++)
    a[k] /= length > 1e-20f ? length : 1e-20f;
}

/* sRGB 0 … 255 of linear light, within 0.3 % of the curve. */
AK_EVERYWHERE float
ak_srgb_255 (float x)
{
  float s1, s2, s3;

  x = x < 0 ? 0 : x > 1 ? 1 : x;
  s1 = sqrtf (x);
  s2 = sqrtf (s1);
  s3 = sqrtf (s2);
  x = 0.662002687f * s1 + 0.684122060f * s2 - 0.323583601f * s3 - 0.0225411470f * x;
  return x < 0 ? 0 : 255 * x;
}

/* The lit colour `rgb`, sRGB 0 … 255, of a vertex `at` with a `normal` of any length and a `material`, seen from 2 * scale
 * before the middle; `albedo`: linear, a channel every `stride` floats. */
AK_EVERYWHERE void
ak_light_vertex (float *rgb, const float *at, const float *normal, unsigned material,
    const float *albedo, size_t stride, float scale)
{
  float n[3] = { normal[0], normal[1], normal[2] }, h[3];
  float e[3] = { -at[0], -at[1], 2 * scale - at[2] };
  float key, fill, sky, rim, facing, gloss, g16, g64;

  ak_unit3 (n);
  ak_unit3 (e);
  for (int k = 0; k < 3; k++)
    h[k] = e[k] + ak_lamp_key.direction[k];
  ak_unit3 (h);
  key = ak_dot3 (n, ak_lamp_key.direction);
  fill = fmaxf (0.75f * ak_dot3 (n, ak_lamp_fill.direction) + 0.25f, 0);
  sky = 0.5f + 0.5f * n[1];
  facing = 1 - fmaxf (ak_dot3 (n, e), 0);
  rim = fmaxf (ak_dot3 (n, ak_lamp_rim.direction), 0) * facing * facing;
  gloss = fmaxf (ak_dot3 (n, h), 0);
  gloss *= gloss, gloss *= gloss, gloss *= gloss, gloss *= gloss;
  g16 = gloss;
  gloss *= gloss, gloss *= gloss;
  g64 = gloss;
  gloss *= gloss, gloss *= gloss;
  gloss = ak_lobes[0][material] * g16 + ak_lobes[1][material] * g64 + ak_lobes[2][material] * gloss;
  for (int k = 0; k < 3; k++) {
    float wrap = ak_wrap[k][material];
    float diffuse = fmaxf (key + wrap, 0) / (1 + wrap);
    float ambient = ak_light_ground[k] + (ak_light_sky[k] - ak_light_ground[k]) * sky;
    float light = diffuse * ak_lamp_key.color[k] + fill * ak_lamp_fill.color[k] + ambient +
                  rim * ak_lamp_rim.color[k];

    rgb[k] = ak_srgb_255 (light * albedo[(size_t) k * stride] + gloss * ak_lamp_key.color[k]);
  }
}
