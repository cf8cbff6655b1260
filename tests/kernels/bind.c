/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bind.h"

#define SPLATS 500
#define VERTICES 40
#define FEATURES 5
#define CHANNELS (FEATURES + 6)
#define MIXED (3 + FEATURES)
#define LOBES 2
#define THICKNESS 0.02f

typedef struct
{
  uint32_t corners[3 * SPLATS];
  Pair dev_corners; /* the same */
  Pair place, axes, albedo, gloss, feature, sh, lobe, vertices, normals;
  Pair means, scales, rotations, colors;
  Pair mix, mixed;     /* the colours with `mix` */
  int there, with_mix; /* `there`: features are in the colours already */
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;

  ak_bind (plan, &(AkBind){ .splats = SPLATS,
                     .features = FEATURES,
                     .lobes = LOBES,
                     .corners = (const uint32_t *) AT (c->dev_corners),
                     .place = AT (c->place),
                     .axes = AT (c->axes),
                     .albedo = AT (c->albedo),
                     .gloss = AT (c->gloss),
                     .feature = c->there ? NULL : AT (c->feature),
                     .mix = c->with_mix ? AT (c->mix) : NULL,
                     .sh = AT (c->sh),
                     .lobe = AT (c->lobe),
                     .thickness = THICKNESS,
                     .vertices = AT (c->vertices),
                     .normals = AT (c->normals),
                     .means = AT (c->means),
                     .scales = AT (c->scales),
                     .rotations = AT (c->rotations),
                     .colors = AT (c->with_mix ? c->mixed : c->colors) });
}

/* The covariance of a splat as splatting makes it from scales and rotation. */
static void
covariance (double out[9], const float *s, const float *q)
{
  double w = q[0], x = q[1], y = q[2], z = q[3];
  const double R[9] = { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), 2 * (x * z - w * y),
    2 * (y * z + w * x), 1 - 2 * (x * x + y * y) };

  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++) {
      out[3 * i + k] = 0;
      for (int j = 0; j < 3; j++)
        out[3 * i + k] += R[3 * i + j] * (double) s[j] * (double) s[j] * R[3 * k + j];
    }
}

/* Mean, covariance and colours of splat `i` by the formulas. */
static void
expect (const Case *c, size_t i, float *mean, double cov[9], float *color)
{
  const float *place = c->place.plain + 3 * i, *axes = c->axes.plain + 6 * i;
  const double b[3] = { 1 - (double) place[0] - place[1], place[0], place[1] };
  double n[3] = { 0 }, at[3] = { 0 }, p[3], q[3], k[3], length, E[3] = { 0 };

  for (int j = 0; j < 3; j++) {
    const float *v = c->vertices.plain + 3 * c->corners[3 * i + (size_t) j];
    const float *m = c->normals.plain + 3 * c->corners[3 * i + (size_t) j];

    for (int d = 0; d < 3; d++) {
      n[d] += b[j] * m[d];
      at[d] += b[j] * v[d];
    }
  }
  length = fmax (sqrt (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), 1e-6);
  for (int d = 0; d < 3; d++) {
    const float *v0 = c->vertices.plain + 3 * c->corners[3 * i] + d;
    const float *v1 = c->vertices.plain + 3 * c->corners[3 * i + 1] + d;
    const float *v2 = c->vertices.plain + 3 * c->corners[3 * i + 2] + d;

    n[d] /= length;
    mean[d] = (float) (at[d] + place[2] * n[d]);
    p[d] = axes[0] * ((double) *v1 - *v0) + axes[1] * ((double) *v2 - *v0) + axes[2] * n[d];
    q[d] = axes[3] * ((double) *v1 - *v0) + axes[4] * ((double) *v2 - *v0) + axes[5] * n[d];
  }
  for (int d = 0; d < 3; d++)
    k[d] = p[(d + 1) % 3] * q[(d + 2) % 3] - p[(d + 2) % 3] * q[(d + 1) % 3];
  length = sqrt (k[0] * k[0] + k[1] * k[1] + k[2] * k[2]);
  for (int d = 0; d < 9; d++)
    cov[d] = p[d / 3] * p[d % 3] + q[d / 3] * q[d % 3] +
             (double) THICKNESS * (double) THICKNESS * k[d / 3] * k[d % 3] / (length * length);
  {
    const double x = n[0], y = n[1], z = n[2];
    const double Y[AK_BIND_LIGHT] = { 1, x, y, z, x * y, y * z, 3 * z * z - 1, x * z,
      x * x - y * y };

    for (int d = 0; d < AK_BIND_LIGHT; d++)
      for (int ch = 0; ch < 3; ch++)
        E[ch] += (double) c->sh.plain[3 * d + ch] * Y[d];
  }
  for (int ch = 0; ch < 3; ch++) {
    double l = c->albedo.plain[3 * i + (size_t) ch] * fmax (E[ch], 0);

    for (int j = 0; j < LOBES; j++) {
      const float *lobe = c->lobe.plain + AK_BIND_LOBE * j;
      double cosine = n[0] * lobe[0] + n[1] * lobe[1] + n[2] * lobe[2];

      l += (double) c->gloss.plain[2 * i] * (double) lobe[3 + ch] *
           exp ((double) c->gloss.plain[2 * i + 1] * (cosine - 1));
    }
    color[ch] = (float) fmin (1, sqrt (fmax (l, 0)));
    color[3 + FEATURES + ch] = (float) n[ch];
  }
  memcpy (color + 3, c->feature.plain + FEATURES * i, FEATURES * sizeof *color);
}

void
check_bind (Check *t)
{
  Case c = { .dev_corners = check_pair (t, 3 * SPLATS, 1),
    .place = check_pair (t, 3 * SPLATS, 0.5f),
    .axes = check_pair (t, 6 * SPLATS, 0.3f),
    .albedo = check_pair (t, 3 * SPLATS, 1),
    .gloss = check_pair (t, 2 * SPLATS, 1),
    .feature = check_pair (t, FEATURES * SPLATS, 1),
    .sh = check_pair (t, 3 * AK_BIND_LIGHT, 1),
    .lobe = check_pair (t, AK_BIND_LOBE * LOBES, 1),
    .vertices = check_pair (t, 3 * VERTICES, 1),
    .normals = check_pair (t, 3 * VERTICES, 1),
    .means = check_pair (t, 3 * SPLATS, 1),
    .scales = check_pair (t, 3 * SPLATS, 1),
    .rotations = check_pair (t, 4 * SPLATS, 1),
    .colors = check_pair (t, CHANNELS * SPLATS, 1),
    .mix = check_pair (t, 6 * FEATURES, 1),
    .mixed = check_pair (t, MIXED * SPLATS, 1) };
  static float mixed[MIXED * SPLATS], mean[3 * SPLATS], color[CHANNELS * SPLATS],
      sevens[CHANNELS * SPLATS];
  float *scales, *rotations;
  double worst = 0;

  for (uint32_t i = 0; i < SPLATS; i++)
    for (uint32_t k = 0; k < 3; k++)
      c.corners[3 * i + k] = (7 * i + 13 * k + i / 40) % VERTICES;
  check_put (t, c.dev_corners, 0, c.corners, 3 * SPLATS);
  check_put (t, c.axes, 6, (const float[6]){ 0 }, 6); /* splat 1 has no disc */
  check_run (t, "bound splats", record, &c);
  scales = check_read_dev (t, c.scales);
  rotations = check_read_dev (t, c.rotations);
  for (size_t i = 0; i < SPLATS; i++) {
    double want[9], got[9], size = 0;

    expect (&c, i, mean + 3 * i, want, color + CHANNELS * i);
    if (i == 1)
      continue;
    covariance (got, scales + 3 * i, rotations + 4 * i);
    for (int d = 0; d < 9; d++)
      size = fmax (size, fabs (want[d]));
    for (int d = 0; d < 9; d++)
      worst = fmax (worst, fabs (got[d] - want[d]) / (1e-3 + size));
  }
  check_want (t, "bound splats, means", c.means, mean, 2e-6);
  check_want (t, "bound splats, colours", c.colors, color, 5e-4); /* a square root near 0 */
  for (size_t i = 0; i < SPLATS; i++)
    for (size_t k = 0; k < MIXED; k++) {
      const float *from = color + CHANNELS * i;
      double sum = k < 3 ? from[k] : c.feature.plain[FEATURES * i + k - 3];

      for (size_t d = 0; d < 6 && k >= 3; d++)
        sum += (double) c.mix.plain[FEATURES * d + k - 3] * from[d < 3 ? d : FEATURES + d];
      mixed[MIXED * i + k] = (float) sum;
    }
  c.with_mix = 1;
  check_run (t, "bound splats, mixed", record, &c);
  check_want (t, "bound splats, mixed colours", c.mixed, mixed, 1e-3);
  c.with_mix = 0;
  c.there = 1;
  for (size_t i = 0; i < CHANNELS * SPLATS; i++)
    sevens[i] = 7;
  check_put (t, c.colors, 0, sevens, CHANNELS * SPLATS);
  for (size_t i = 0; i < SPLATS; i++)
    for (size_t k = 3; k < 3 + FEATURES; k++)
      color[CHANNELS * i + k] = 7;
  check_run (t, "bound splats with features", record, &c);
  check_want (t, "bound splats with features, colours", c.colors, color, 5e-4);
  t->checks += 2;
  if (!(worst <= 5e-5)) { /* products of what is right to 2e-5 */
    t->failures++;
    printf ("bound splats, covariance: FAILED: %g off\n", worst);
  }
  for (int k = 0; k < 3; k++)
    if (scales[3 + k] != 0 || rotations[4 + k + 1] != 0 || rotations[4] != 1) {
      t->failures++;
      printf ("bound splats: FAILED: a splat without a disc is drawn\n");
      break;
    }
  check_close (t, "bound splats, scales", c.scales, 2e-5);
  free (scales);
  free (rotations);
  check_bench (t, "500 bound splats", record, &c, 0, SPLATS * (26 + CHANNELS) * sizeof (float));
  check_free (t);
}
