/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splats on a mesh: a few hundred operations for each, spread over the threads. */
#include "cpu.h"

#include <math.h>
#include <string.h>

static float
dot (const float *a, const float *b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* fmaxf() without a call; NaN gives `least`. */
static float
larger (float v, float least)
{
  return v > least ? v : least;
}

/* Unit quaternion of the rotation with the columns u, w, k. */
static void
quaternion (float *out, const float *u, const float *w, const float *k)
{
  float m[3][3] = { { u[0], w[0], k[0] }, { u[1], w[1], k[1] }, { u[2], w[2], k[2] } };
  float trace = m[0][0] + m[1][1] + m[2][2], s, length = 0;
  int i = 0;

  if (trace > 0) {
    s = 2 * sqrtf (trace + 1);
    out[0] = s / 4;
    out[1] = (m[2][1] - m[1][2]) / s;
    out[2] = (m[0][2] - m[2][0]) / s;
    out[3] = (m[1][0] - m[0][1]) / s;
  } else {
    int j, l;

    if (m[1][1] > m[0][0])
      i = 1;
    if (m[2][2] > m[i][i])
      i = 2;
    j = (i + 1) % 3;
    l = (i + 2) % 3;
    s = 2 * sqrtf (larger (1 + m[i][i] - m[j][j] - m[l][l], 1e-12f));
    out[0] = (m[l][j] - m[j][l]) / s;
    out[1 + i] = s / 4;
    out[1 + j] = (m[i][j] + m[j][i]) / s;
    out[1 + l] = (m[i][l] + m[l][i]) / s;
  }
  for (i = 0; i < 4; i++)
    length += out[i] * out[i];
  for (i = 0; i < 4; i++)
    out[i] /= sqrtf (length);
}

/* Scales and rotation of the disc that p and q span. */
static void
disc (float *scales, float *rotation, const float *p, const float *q, float thickness)
{
  /* cosine and sine of half the angle of (x, y) */
  float x = dot (p, p) - dot (q, q), y = 2 * dot (p, q), r = sqrtf (x * x + y * y);
  float c = 1, s = 0, u[3], w[3], k[3], a, b;

  if (r > 0 && x >= 0) {
    c = sqrtf ((r + x) / (2 * r));
    s = y / (2 * r * c);
  } else if (r > 0) {
    s = copysignf (sqrtf ((r - x) / (2 * r)), y);
    c = y / (2 * r * s);
  }
  for (int i = 0; i < 3; i++) {
    u[i] = c * p[i] + s * q[i];
    w[i] = c * q[i] - s * p[i];
  }
  a = sqrtf (dot (u, u));
  b = sqrtf (dot (w, w));
  if (!(a >= 1e-9f && b >= 1e-9f)) { /* also NaN */
    memset (scales, 0, 3 * sizeof *scales);
    memcpy (rotation, (float[]){ 1, 0, 0, 0 }, 4 * sizeof *rotation);
    return;
  }
  scales[0] = a;
  scales[1] = b;
  scales[2] = thickness;
  for (int i = 0; i < 3; i++) {
    u[i] /= a;
    w[i] /= b;
  }
  k[0] = u[1] * w[2] - u[2] * w[1];
  k[1] = u[2] * w[0] - u[0] * w[2];
  k[2] = u[0] * w[1] - u[1] * w[0];
  quaternion (rotation, u, w, k);
}

static void
light (const AkBind *a, size_t i, const float *n, float *color)
{
  float x = n[0], y = n[1], z = n[2];
  const float Y[AK_BIND_LIGHT] = { 1, x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y };
  float shine[3] = { 0, 0, 0 };

  for (size_t j = 0; j < a->lobes; j++) {
    const float *lobe = a->lobe + AK_BIND_LOBE * j;
    float g = expf (a->gloss[2 * i + 1] * (dot (n, lobe) - 1));

    for (int c = 0; c < 3; c++)
      shine[c] += lobe[3 + c] * g;
  }
  for (int c = 0; c < 3; c++) {
    float e = 0, l;

    for (int k = 0; k < AK_BIND_LIGHT; k++)
      e += a->sh[3 * k + c] * Y[k];
    l = sqrtf (
        larger (a->albedo[3 * i + (size_t) c] * larger (e, 0) + a->gloss[2 * i] * shine[c], 0));
    color[c] = l < 1 ? l : 1;
  }
}

/* The colours after the first three, of these and n. */
static void
mix (const AkBind *a, size_t i, const float *n, float *color)
{
  size_t features = a->features;

  for (size_t f = 0; f < features; f++) {
    double sum = a->feature[i * features + f];

    for (size_t k = 0; k < 3; k++)
      sum += (double) a->mix[k * features + f] * color[k] +
             (double) a->mix[(3 + k) * features + f] * n[k];
    color[3 + f] = (float) sum;
  }
}

void
ak_bind_plain (const void *args, size_t from, size_t to)
{
  const AkBind *a = args;
  size_t channels = ak_bind_channels (a);

  for (size_t i = from; i < to; i++) {
    const uint32_t *corner = a->corners + 3 * i;
    const float *v[3], *m[3], *place = a->place + 3 * i, *axes = a->axes + 6 * i;
    float b[3] = { 1 - place[0] - place[1], place[0], place[1] }, n[3], p[3], q[3], length;
    float finite[3], *color = a->colors + i * channels;

    for (int k = 0; k < 3; k++) {
      v[k] = a->vertices + 3 * (size_t) corner[k];
      m[k] = a->normals + 3 * (size_t) corner[k];
    }
    for (int c = 0; c < 3; c++)
      n[c] = b[0] * m[0][c] + b[1] * m[1][c] + b[2] * m[2][c];
    length = larger (sqrtf (dot (n, n)), 1e-6f);
    for (int c = 0; c < 3; c++) {
      float e1 = v[1][c] - v[0][c], e2 = v[2][c] - v[0][c];

      n[c] /= length;
      a->means[3 * i + (size_t) c] =
          b[0] * v[0][c] + b[1] * v[1][c] + b[2] * v[2][c] + place[2] * n[c];
      p[c] = axes[0] * e1 + axes[1] * e2 + axes[2] * n[c];
      q[c] = axes[3] * e1 + axes[4] * e2 + axes[5] * n[c];
      finite[c] = isfinite (n[c]) ? n[c] : 0;
    }
    disc (a->scales + 3 * i, a->rotations + 4 * i, p, q, a->thickness);
    light (a, i, n, color);
    if (a->mix) {
      mix (a, i, finite, color);
      continue;
    }
    memcpy (color + 3 + a->features, finite, sizeof finite);
    if (a->feature)
      memcpy (color + 3, a->feature + i * a->features, a->features * sizeof *color);
  }
}

#define BLOCK 16384 /* splats of a node: some milliseconds */

static void
bind_record (AkPlan *plan, const AkBind *args)
{
  AkRowsFn *fn = ak_bind_plain;

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev))
    fn = ak_bind_avx2;
#endif
  for (size_t first = 0; first < args->splats; first += BLOCK) {
    size_t n = args->splats - first < BLOCK ? args->splats - first : BLOCK;
    AkBind a = *args;

    a.corners += 3 * first;
    a.place += 3 * first;
    a.axes += 6 * first;
    a.albedo += 3 * first;
    a.gloss += 2 * first;
    if (a.feature)
      a.feature += a.features * first;
    a.means += 3 * first;
    a.scales += 3 * first;
    a.rotations += 4 * first;
    a.colors += ak_bind_channels (&a) * first;
    ak_cpu_append_rows (plan, fn, &a, sizeof a, n, 200 + 30 * a.lobes);
  }
}

void
ak_cpu_bind_init (AkOps *ops)
{
  ops->bind = bind_record;
}
