/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lamps and materials of the coloured look, for every device; world directions (x to the head's left, y up, z to
 * the camera), linear light. A soft key lamp at the viewer's upper left, a cooler fill lamp at the
 * right, sky and ground, and a lamp behind that only rims the outline. */
#pragma once

#include "everywhere.h"
#include "raster_priv.h"

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

/* Inside the mouth: light comes in between the lips, little through a slit, and the upper lip throws a shadow on what is
 * behind it. Each runs smoothly from its first number, in millimetres, to its second: how far apart the vertices of
 * the lips' inner edges are (a little also where lips touch), how far a vertex lies below the upper edge, and
 * how far before it, where a tongue is in the open. */
AK_CONST_EVERYWHERE float ak_mouth_gap[2] = { 1.2f, 9 };
AK_CONST_EVERYWHERE float ak_mouth_below[2] = { -5, 5 };
AK_CONST_EVERYWHERE float ak_mouth_before[2] = { 0, 6 };
AK_CONST_EVERYWHERE float ak_mouth_shadow = 0.6f; /* what the upper lip takes of the light */
/* How much less green and blue is in the little light there, as it comes from lips and gums. */
AK_CONST_EVERYWHERE float ak_mouth_tint[3] = { 0, 0.2f, 0.25f };
/* The darkest that is there and on the lips, as a share of the lips' colour: light that these let through. The line between
 * closed lips is narrower than a pixel and shows here and there only; darker, it would look dashed. */
AK_CONST_EVERYWHERE float ak_mouth_glow = 0.18f;

/* How the lips stand in a frame. */
typedef struct
{
  int known;      /* 0: nothing is known of the lips */
  float open;     /* the share of light that comes in between them */
  float upper[3]; /* the inner edge of the upper one */
  float down[3];  /* from there to the lower one, of a length that gives millimetres */
  float forward;  /* millimetres of a unit */
  float glow[3];  /* the darkest light */
} AkMouth;

AK_EVERYWHERE int
ak_is_in_mouth (unsigned material)
{
  return material == AK_MATERIAL_TEETH || material == AK_MATERIAL_MOUTH;
}

AK_EVERYWHERE int
ak_is_at_mouth (unsigned material)
{
  return material == AK_MATERIAL_LIPS || ak_is_in_mouth (material);
}

AK_EVERYWHERE float
ak_smooth (float x, const float *range)
{
  x = fminf (fmaxf ((x - range[0]) / (range[1] - range[0]), 0), 1);
  return x * x * (3 - 2 * x);
}

/* The mean of the vertices that `n` numbers name. */
AK_EVERYWHERE void
ak_mean3 (float *mean, const float *vertices, const uint32_t *rows, size_t n)
{
  mean[0] = mean[1] = mean[2] = 0;
  for (size_t i = 0; i < n; i++)
    for (int k = 0; k < 3; k++)
      mean[k] += vertices[3 * (size_t) rows[i] + (size_t) k];
  for (int k = 0; k < 3; k++)
    mean[k] /= (float) n;
}

/* From a frame's vertices. */
AK_EVERYWHERE AkMouth
ak_mouth (const AkLips *lips, const float *vertices, float scale)
{
  AkMouth m = { lips->rows != NULL, 1, { 0, 0, 0 }, { 0, 0, 0 }, 1000 / scale, { 0, 0, 0 } };
  float gap, mm;

  if (!m.known)
    return m;
  ak_mean3 (m.upper, vertices, lips->rows, lips->n_upper);
  ak_mean3 (m.down, vertices, lips->rows + lips->n_upper, lips->n_lower);
  for (int k = 0; k < 3; k++) {
    m.down[k] -= m.upper[k];
    m.glow[k] = ak_mouth_glow * lips->color[k];
  }
  gap = sqrtf (ak_dot3 (m.down, m.down)) * m.forward;
  mm = m.forward * m.forward / fmaxf (gap, 1);
  for (int k = 0; k < 3; k++)
    m.down[k] *= mm;
  m.open = ak_smooth (gap, ak_mouth_gap);
  return m;
}

/* The share of the light that a vertex `at` of a `material` gets, if the lips are known: 1 outside the mouth. */
AK_EVERYWHERE float
ak_mouth_light (const AkMouth *m, const float *at, unsigned material)
{
  float d[3], light;

  if (!ak_is_in_mouth (material))
    return 1;
  for (int k = 0; k < 3; k++)
    d[k] = at[k] - m->upper[k];
  light = m->open * (1 - ak_mouth_shadow * (1 - ak_smooth (ak_dot3 (d, m->down), ak_mouth_below)));
  return 1 - (1 - light) * (1 - ak_smooth (d[2] * m->forward, ak_mouth_before));
}

/* The lit colour `rgb`, sRGB 0 … 255, of a vertex `at` with a `normal` of any length and a `material`, seen from 2 * scale
 * before the middle; `albedo`: linear, a channel every `stride` floats; `mouth`: of ak_mouth(), only read where
 * ak_is_at_mouth(). */
AK_EVERYWHERE void
ak_light_vertex (float *rgb, const float *at, const float *normal, unsigned material,
    const float *albedo, size_t stride, float scale, const AkMouth *mouth)
{
  float n[3] = { normal[0], normal[1], normal[2] }, h[3];
  float e[3] = { -at[0], -at[1], 2 * scale - at[2] };
  float key, fill, sky, rim, facing, gloss, g16, g64, open = 1;
  int glows = ak_is_at_mouth (material) && mouth->known;

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
  if (glows)
    open = ak_mouth_light (mouth, at, material);
  for (int k = 0; k < 3; k++) {
    float wrap = ak_wrap[k][material];
    float diffuse = fmaxf (key + wrap, 0) / (1 + wrap);
    float ambient = ak_light_ground[k] + (ak_light_sky[k] - ak_light_ground[k]) * sky;
    float light = diffuse * ak_lamp_key.color[k] + fill * ak_lamp_fill.color[k] + ambient +
                  rim * ak_lamp_rim.color[k];

    light = light * albedo[(size_t) k * stride] + gloss * ak_lamp_key.color[k];
    light *= open * (1 - ak_mouth_tint[k] * (1 - open));
    rgb[k] = ak_srgb_255 (glows ? fmaxf (light, mouth->glow[k]) : light);
  }
}
