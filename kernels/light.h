/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lamps and materials of the coloured look, for every device; world directions (x to the head's left, y up, z to
 * the camera), linear light. A soft key lamp at the viewer's upper left, a cooler fill lamp at the
 * right, sky and ground, and a lamp behind that only rims the outline. */
#pragma once

#include "raster.h"

#ifndef AK_LIGHT_CONST /* what comes before constants of a device's code */
#define AK_LIGHT_CONST static const
#endif

typedef struct
{
  float direction[3]; /* unit length */
  float color[3];
} AkLamp;

AK_LIGHT_CONST AkLamp ak_lamp_key = { { -0.4319f, 0.5338f, 0.7270f }, { 0.93f, 0.89f, 0.835f } };
AK_LIGHT_CONST AkLamp ak_lamp_fill = { { 0.7985f, 0.1597f, 0.5804f }, { 0.19f, 0.215f, 0.25f } };
AK_LIGHT_CONST AkLamp ak_lamp_rim = { { 0.5657f, 0.4525f, -0.6894f }, { 0.95f, 1.00f, 1.10f } };
AK_LIGHT_CONST float ak_light_sky[3] = { 0.23f, 0.245f, 0.27f };
AK_LIGHT_CONST float ak_light_ground[3] = { 0.15f, 0.12f, 0.10f };

/* Eight entries each, one per AkMaterial. Light creeps round skin by `wrap`, red most of all; the
 * three lobes of the highlight have exponents 16, 64 and 256. */
AK_LIGHT_CONST float ak_wrap[3][8] = {
  { 0.38f, 0.34f, 0.15f, 0.35f, 0.30f, 0.25f, 0.10f, 0.38f },
  { 0.18f, 0.16f, 0.15f, 0.32f, 0.15f, 0.25f, 0.10f, 0.18f },
  { 0.12f, 0.11f, 0.15f, 0.30f, 0.12f, 0.25f, 0.10f, 0.12f },
};
AK_LIGHT_CONST float ak_lobes[3][8] = {
  { 0.045f, 0.04f, 0.00f, 0.04f, 0.03f, 0.014f, 0.00f, 0.004f },
  { 0.028f, 0.11f, 0.04f, 0.10f, 0.10f, 0.020f, 0.00f, 0.000f },
  { 0.000f, 0.06f, 1.10f, 0.20f, 0.12f, 0.000f, 0.00f, 0.000f },
};
