/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is too slow in Python for making the avatar: shadows, a picture of the head with 4 samples a
 * pixel, and the splatting of model spec section 11. Compiled and called by native.py; never used at run time.
 * All arrays are dense float32 or int32; positions in metres times 5, x to the head's left, y up, z to the camera. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static float
dot (const float *a, const float *b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
static float
clampf (float x, float a, float b)
{
  return x < a ? a : x > b ? b : x;
}
static float
smooth (float a, float b, float x)
{
  x = clampf ((x - a) / (b - a), 0, 1);
  return x * x * (3 - 2 * x);
}
static void
unit (float *a)
{
  float l = sqrtf (dot (a, a));
  l = l > 1e-9f ? 1 / l : 0;
  for (int k = 0; k < 3; k++)
    a[k] *= l;
}

/* z-buffer: xyz [V,3] in pixels (z: smaller is nearer); depth, face [h,w] must be filled before; bary may be NULL */
void
rasterise (const float *xyz, const int32_t *f, int nf, int w, int h, float *depth, int32_t *face,
    float *bary)
{
  for (int t = 0; t < nf; t++) {
    const float *a = xyz + 3 * f[3 * t], *b = xyz + 3 * f[3 * t + 1], *c = xyz + 3 * f[3 * t + 2];
    float area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
    if (fabsf (area) < 1e-9f)
      continue;
    float lo = fminf (a[0], fminf (b[0], c[0])), hi = fmaxf (a[0], fmaxf (b[0], c[0]));
    int x0 = (int) clampf (ceilf (lo - .5f), 0, w), x1 = (int) clampf (ceilf (hi - .5f), 0, w);
    lo = fminf (a[1], fminf (b[1], c[1]));
    hi = fmaxf (a[1], fmaxf (b[1], c[1]));
    int y0 = (int) clampf (ceilf (lo - .5f), 0, h), y1 = (int) clampf (ceilf (hi - .5f), 0, h);
    float s = 1 / area;
    for (int y = y0; y < y1; y++)
      for (int x = x0; x < x1; x++) {
        float px = x + .5f, py = y + .5f;
        float w0 = ((b[0] - px) * (c[1] - py) - (c[0] - px) * (b[1] - py)) * s;
        float w1 = ((c[0] - px) * (a[1] - py) - (a[0] - px) * (c[1] - py)) * s;
        float w2 = 1 - w0 - w1;
        if (w0 < 0 || w1 < 0 || w2 < 0)
          continue;
        float z = w0 * a[2] + w1 * b[2] + w2 * c[2];
        int i = y * w + x;
        if (z >= depth[i])
          continue;
        depth[i] = z;
        if (face)
          face[i] = t;
        if (bary) {
          bary[3 * i] = w0;
          bary[3 * i + 1] = w1;
          bary[3 * i + 2] = w2;
        }
      }
  }
}

/* Light from nd directions with radiance on nv points with normals, shadows from the mesh.
 * wrap [nv,3]: how far light creeps round. key [nd]: share of the direction in the key lamp.
 * out [nv,3] irradiance (times the caller's weight in radiance), key_out [nv] share of the key lamp that is seen. */
void
lighting (const float *mesh, int mv, const int32_t *f, int nf, const float *p, const float *n,
    const float *wrap, int nv, const float *dirs, const float *radiance, const float *key, int nd,
    int size, float bias, float *out, float *key_out)
{
  float *xyz = malloc (sizeof (float) * 3 * mv), *depth = malloc (sizeof (float) * size * size);
  float lo[3] = { 1e9f, 1e9f, 1e9f }, hi[3] = { -1e9f, -1e9f, -1e9f }, centre[3], radius = 0,
        keys = 0;

  for (int i = 0; i < mv; i++)
    for (int k = 0; k < 3; k++) {
      lo[k] = fminf (lo[k], mesh[3 * i + k]);
      hi[k] = fmaxf (hi[k], mesh[3 * i + k]);
    }
  for (int k = 0; k < 3; k++) {
    centre[k] = (lo[k] + hi[k]) / 2;
    radius += (hi[k] - lo[k]) * (hi[k] - lo[k]) / 4;
  }
  radius = sqrtf (radius);
  memset (out, 0, sizeof (float) * 3 * nv);
  memset (key_out, 0, sizeof (float) * nv);
  for (int j = 0; j < nd; j++) {
    const float *d = dirs + 3 * j;
    float side[3] = { d[1] * .2f - d[2] * 1, d[2] * .3f - d[0] * .2f, d[0] * 1 - d[1] * .3f },
          up[3];
    unit (side);
    up[0] = side[1] * d[2] - side[2] * d[1];
    up[1] = side[2] * d[0] - side[0] * d[2];
    up[2] = side[0] * d[1] - side[1] * d[0];
    float m = size / (2 * radius);
#define PLACE(q, o)                                                                                \
  float e_[3] = { (q)[0] - centre[0], (q)[1] - centre[1], (q)[2] - centre[2] };                    \
  (o)[0] = dot (e_, side) * m + size / 2.f;                                                        \
  (o)[1] = dot (e_, up) * m + size / 2.f;                                                          \
  (o)[2] = -dot (e_, d)
    for (int i = 0; i < mv; i++) {
      PLACE (mesh + 3 * i, xyz + 3 * i);
    }
    for (int i = 0; i < size * size; i++)
      depth[i] = 1e9f;
    rasterise (xyz, f, nf, size, size, depth, NULL, NULL);
    keys += key[j];
    for (int i = 0; i < nv; i++) {
      float q[3], seen = 0, c = dot (n + 3 * i, d);
      if (c + fmaxf (wrap[3 * i], .05f) <= 0)
        continue;
      float at[3] = { p[3 * i] + bias * n[3 * i], p[3 * i + 1] + bias * n[3 * i + 1],
        p[3 * i + 2] + bias * n[3 * i + 2] };
      PLACE (at, q);
      int x = (int) floorf (q[0] - .5f), y = (int) floorf (q[1] - .5f);
      float fx = q[0] - .5f - x, fy = q[1] - .5f - y;
      for (int k = 0; k < 4; k++) {
        int xx = x + (k & 1), yy = y + (k >> 1);
        float open = xx < 0 || yy < 0 || xx >= size || yy >= size ||
                     q[2] <= depth[yy * size + xx] + bias * (1 + 1.5f * (1 - clampf (c, 0, 1)));
        seen += open * (k & 1 ? fx : 1 - fx) * (k >> 1 ? fy : 1 - fy);
      }
      for (int k = 0; k < 3; k++) {
        float a = wrap[3 * i + k];
        out[3 * i + k] += radiance[3 * j + k] * seen * fmaxf (0, (c + a) / (1 + a));
      }
      key_out[i] += key[j] * seen;
    }
  }
  for (int i = 0; i < nv; i++)
    key_out[i] /= fmaxf (keys, 1e-6f);
  free (xyz);
  free (depth);
}

/* value noise of a place, about -1..1 */
static float
grid (int x, int y, int z)
{
  uint32_t h = (uint32_t) x * 0x8da6b343u ^ (uint32_t) y * 0xd8163841u ^ (uint32_t) z * 0xcb1ab31fu;
  h ^= h >> 15;
  h *= 0x2c1b3c6du;
  h ^= h >> 12;
  h *= 0x297a2d39u;
  h ^= h >> 15;
  return (h & 0xffff) / 32767.5f - 1;
}

static float
noise (float x, float y, float z)
{
  int i = (int) floorf (x), j = (int) floorf (y), k = (int) floorf (z);
  float a = x - i, b = y - j, c = z - k, s = 0;
  a = a * a * (3 - 2 * a);
  b = b * b * (3 - 2 * b);
  c = c * c * (3 - 2 * c);
  for (int n = 0; n < 8; n++)
    s += grid (i + (n & 1), j + (n >> 1 & 1), k + (n >> 2)) * (n & 1 ? a : 1 - a) *
         (n & 2 ? b : 1 - b) * (n & 4 ? c : 1 - c);
  return s;
}

enum { SKIN, LIPS, EYE, TEETH, MOUTH, HAIR, CLOTH, N_MATERIALS };

typedef struct
{
  float eye[2][3]; /* middles of the eyeballs at rest (metres times 5) */
  float pole[3];   /* where the strands start, as a direction from */
  float skull[3];  /* the skull's middle */
  float mouth[3];
} Marks;

/* An iris with fibres, limbal ring and pupil, or the white: linear colour from the direction d in the eye's frame. */
static void
iris (const float *d, float *c)
{
  float r = acosf (clampf (d[2], -1, 1)) * 57.29578f, a = atan2f (d[1], d[0]);
  float fibre = .5f * noise (9 * cosf (a) + 20, 9 * sinf (a), r * .10f) +
                .5f * noise (22 * cosf (a), 22 * sinf (a) + 7, r * .16f);
  float inner[3] = { .36f, .20f, .085f }, outer[3] = { .15f, .125f, .085f },
        white[3] = { .80f, .765f, .735f };
  float t = smooth (11, 20, r);
  for (int k = 0; k < 3; k++) {
    float ring = inner[k] * (1 - t) + outer[k] * t;
    ring *= 1 + .45f * fibre;
    ring *= 1 - .80f * smooth (20.5f, 25.5f, r); /* limbal ring */
    ring *= 1 + .55f * smooth (.2f, -1, sinf (a)) *
                    (1 - smooth (19, 24, r)); /* light gathers opposite the lamp */
    ring = ring * smooth (8.2f, 10, r) + .004f * (1 - smooth (8.2f, 10, r));
    float w = white[k] * (1 - (k ? .26f : .12f) * smooth (34, 62, r));
    w *= 1 - (k ? .10f : .03f) * fmaxf (0, noise (d[0] * 24, d[1] * 34, 3)) * smooth (32, 50, r);
    float edge = smooth (24.6f, 28.2f, r);
    c[k] = ring * (1 - edge) + w * edge;
  }
}

/* Colour of points: base [n,3] linear, rest [n,3] the place at rest, w [n,7] shares of the materials, in place. */
void
detail (float *base, const float *rest, const float *w, int n, const Marks *m)
{
  for (int i = 0; i < n; i++) {
    const float *p = rest + 3 * i, *s = w + N_MATERIALS * i;
    float *c = base + 3 * i;
    float x = p[0] / 5000 * 1e6f, y = p[1] / 5000 * 1e6f, z = p[2] / 5000 * 1e6f; /* mm */
    float skin = s[SKIN] + .4f * s[LIPS];
    if (skin > .01f) {
      float large = noise (x / 9, y / 9, z / 9), fine = noise (x / 1.7f, y / 1.7f, z / 1.7f),
            pore = noise (x * 1.1f, y * 1.1f, z * 1.1f);
      c[0] *= 1 + skin * (.030f * large + .022f * fine + .02f * pore);
      c[1] *= 1 + skin * (-.020f * large + .030f * fine + .03f * pore);
      c[2] *= 1 + skin * (-.030f * large + .032f * fine + .03f * pore);
    }
    if (s[LIPS] > .01f) { /* fine lines run down across the lips */
      float line =
          noise (x * 1.25f, y * .16f, z * .3f) + .5f * noise (x * 2.6f + 9, y * .3f, z * .5f);
      for (int k = 0; k < 3; k++)
        c[k] *= 1 + s[LIPS] * line * (k ? .13f : .08f);
    }
    if (s[EYE] > .5f) {
      int side = p[0] < 0;
      float d[3] = { p[0] - m->eye[side][0], p[1] - m->eye[side][1], p[2] - m->eye[side][2] };
      unit (d);
      if (d[2] > .2f)
        iris (d, c);
    }
    if (s[TEETH] > .5f) { /* gaps between the teeth: their width grows from the middle */
      float u = fabsf (x), g = fabsf (sinf (3.14159f * u / (u < 9 ? 8.4f : 7.0f)));
      float gap = smooth (.0f, .16f, g);
      for (int k = 0; k < 3; k++)
        c[k] *= (.62f + .38f * gap) * (1 + .03f * noise (x / 2, y / 2, z / 2));
    }
    if (s[HAIR] > .01f) {
      float d[3] = { p[0] - m->skull[0], p[1] - m->skull[1], p[2] - m->skull[2] }, e[3], g[3];
      unit (d);
      /* the angle round the pole numbers the strands; the angle from it runs along them */
      float t = dot (d, m->pole);
      float side[3] = { m->pole[2], 0, -m->pole[0] };
      unit (side);
      g[0] = m->pole[1] * side[2] - m->pole[2] * side[1];
      g[1] = m->pole[2] * side[0] - m->pole[0] * side[2];
      g[2] = m->pole[0] * side[1] - m->pole[1] * side[0];
      e[0] = dot (d, side);
      e[1] = dot (d, g);
      float l = sqrtf (e[0] * e[0] + e[1] * e[1]) + 1e-6f, along = acosf (clampf (t, -1, 1));
      float ca = e[0] / l, sa = e[1] / l;
      float v = .55f * noise (14 * ca, 14 * sa, along * .9f) +
                .5f * noise (44 * ca, 44 * sa, along * 1.3f + 5) +
                .45f * noise (120 * ca, 120 * sa, along * 1.7f);
      for (int k = 0; k < 3; k++)
        c[k] *= 1 + s[HAIR] * clampf (v, -.75f, 1.2f) * .55f;
    }
    if (s[CLOTH] > .5f) {
      float v = .05f * noise (x / 6, y / 6, z / 6) + .07f * noise (x * 1.3f, y * .8f, z * 1.3f);
      for (int k = 0; k < 3; k++)
        c[k] *= 1 + v;
    }
  }
}

/* The picture: v [V,3], attributes [V,A] = normal 3, irradiance 3, key 1, rest 3, base 3 (square root of linear), tangent 3, then
 * material number. Rows nv_mesh.. are strokes (their base needs no detail). out [side,side,4]: display rgb times coverage, coverage. */
enum { A_N = 0, A_E = 3, A_KEY = 6, A_REST = 7, A_BASE = 10, A_T = 13, A_MAT = 16, A = 17 };

static void
shine (const float *n, const float *e, const float *t, const float *w, float key, const float *irr,
    const float *rest, const float *lamps, float *rgb)
{
  const float *k = lamps, *rim = lamps + 6;
  float h[3] = { k[0] + e[0], k[1] + e[1], k[2] + e[2] },
        hr[3] = { rim[0] + e[0], rim[1] + e[1], rim[2] + e[2] };
  float x = rest[0] * 200, y = rest[1] * 200, z = rest[2] * 200;
  float rough[3] = { n[0] + .07f * noise (x * .9f, y * .9f, z * .9f) +
                         .04f * noise (x * 2, y * 2, z * 2),
    n[1] + .07f * noise (x * .9f + 31, y * .9f, z * .9f), n[2] };
  float ne = clampf (dot (n, e), 0, 1), nh, nr, f, amount;
  unit (h);
  unit (hr);
  unit (rough);
  nh = dot (rough, h);
  nr = dot (n, hr);
  f = powf (1 - ne, 4);
  float broad = expf (14 * (nh - 1)), mid = expf (55 * (nh - 1)),
        sharp = expf (220 * (dot (n, h) - 1));
  amount = w[SKIN] * (.040f * broad + .055f * mid) +
           w[LIPS] * (.05f * broad + .13f * mid + .16f * sharp) +
           w[TEETH] * (.05f * broad + .20f * mid + .25f * sharp) +
           w[MOUTH] * (.03f * broad + .10f * mid + .10f * sharp) + w[CLOTH] * .012f * broad;
  amount *= key;
  float edge = (w[SKIN] * .10f + w[LIPS] * .08f + w[CLOTH] * .10f) * f;
  for (int c = 0; c < 3; c++)
    rgb[c] +=
        amount * k[3 + c] + edge * irr[c] + .10f * w[SKIN] * expf (10 * (nr - 1)) * rim[3 + c] * f;
  if (w[HAIR] > .01f) {
    float shift = .10f * noise (x * .4f, y * .4f, z * .4f), th, th2;
    float u[3] = { t[0] + shift * n[0] - .06f * n[0], t[1] + shift * n[1] - .06f * n[1],
      t[2] + shift * n[2] - .06f * n[2] };
    unit (u);
    th = dot (u, h);
    th2 = dot (u, hr);
    float s1 = powf (sqrtf (fmaxf (0, 1 - th * th)), 90),
          s2 = powf (sqrtf (fmaxf (0, 1 - th * th)), 18),
          s3 = powf (sqrtf (fmaxf (0, 1 - th2 * th2)), 40);
    float front = clampf (dot (n, k) * .7f + .4f, 0, 1) * (.3f + .7f * key);
    static const float tint[3] = { .42f, .27f, .16f };
    for (int c = 0; c < 3; c++)
      rgb[c] += w[HAIR] * (front * (.055f * s1 * k[3 + c] + .10f * s2 * tint[c] * k[3 + c]) +
                              .07f * s3 * rim[3 + c] * clampf (dot (n, rim) + .3f, 0, 1));
  }
  if (w[EYE] > .5f) { /* the lamp's window in the cornea, and a faint one of the fill */
    static const float eye_lamp[3] = { -.292f, .166f, .942f };
    float r[3] = { 2 * ne * n[0] - e[0], 2 * ne * n[1] - e[1], 2 * ne * n[2] - e[2] },
          s[3] = { eye_lamp[2], 0, -eye_lamp[0] }, q[3];
    k = eye_lamp;
    unit (s);
    q[0] = s[1] * k[2] - s[2] * k[1];
    q[1] = s[2] * k[0] - s[0] * k[2];
    q[2] = s[0] * k[1] - s[1] * k[0];
    float a = fabsf (dot (r, s)), b = fabsf (dot (r, q)),
          win = dot (r, k) > 0 ? (1 - smooth (.15f, .24f, a)) * (1 - smooth (.19f, .28f, b)) : 0;
    float fill = expf (60 * (dot (r, lamps + 12) - 1));
    for (int c = 0; c < 3; c++)
      rgb[c] += win * (.35f + .65f * key) * .85f + .10f * fill + .04f * f + .015f;
  }
}

void
picture (const float *v, const float *attr, int nv, int nv_mesh, const int32_t *f, int nf, int side,
    int ss, const float *lamps, const Marks *marks, float *out)
{
  int s = side * ss;
  float *xyz = malloc (sizeof (float) * 3 * nv), *depth = malloc (sizeof (float) * s * s),
        *bary = malloc (sizeof (float) * 3 * s * s);
  int32_t *face = malloc (sizeof (int32_t) * s * s);
  for (int i = 0; i < nv; i++) {
    float z = 10 - v[3 * i + 2];
    xyz[3 * i] = (1 + 12 * v[3 * i] / z) * s / 2;
    xyz[3 * i + 1] = (1 - 12 * v[3 * i + 1] / z) * s / 2;
    xyz[3 * i + 2] = z;
  }
  for (int i = 0; i < s * s; i++) {
    depth[i] = 1e9f;
    face[i] = -1;
  }
  rasterise (xyz, f, nf, s, s, depth, face, bary);
  memset (out, 0, sizeof (float) * 4 * side * side);
  for (int i = 0; i < s * s; i++) {
    float a[A] = { 0 }, p[3] = { 0 }, w[N_MATERIALS] = { 0 }, e[3], rgb[3], base[3];
    if (face[i] < 0)
      continue;
    const int32_t *t = f + 3 * face[i];
    for (int k = 0; k < 3; k++) {
      const float *q = attr + A * t[k];
      for (int c = 0; c < A - 1; c++)
        a[c] += bary[3 * i + k] * q[c];
      for (int c = 0; c < 3; c++)
        p[c] += bary[3 * i + k] * v[3 * t[k] + c];
      w[(int) q[A_MAT]] += bary[3 * i + k];
    }
    for (int c = 0; c < 3; c++) {
      e[c] = (c == 2 ? 10 : 0) - p[c];
      base[c] = a[A_BASE + c] * a[A_BASE + c];
    }
    unit (e);
    unit (a + A_N);
    unit (a + A_T);
    if (t[0] < nv_mesh)
      detail (base, a + A_REST, w, 1, marks);
    for (int c = 0; c < 3; c++)
      rgb[c] = base[c] * a[A_E + c];
    shine (a + A_N, e, a + A_T, w, a[A_KEY], a + A_E, a + A_REST, lamps, rgb);
    float *o = out + 4 * ((i / s / ss) * side + i % s / ss);
    for (int c = 0; c < 3; c++)
      o[c] += sqrtf (clampf (rgb[c], 0, 1)) / (ss * ss);
    o[3] += 1.f / (ss * ss);
  }
  free (xyz);
  free (depth);
  free (bary);
  free (face);
}

typedef struct
{
  float z;
  int32_t i;
} Order;

static int
by_depth (const void *a, const void *b)
{
  const Order *x = a, *y = b;
  return x->z != y->z ? (x->z < y->z ? -1 : 1) : (x->i > y->i) - (x->i < y->i);
}

/* The splatting of FORMAT.md's step 3, 32 channels. means, scales [n,3], quats [n,4], opacity [n], colors [n,32];
 * image [side,side,32], T [side,side]. Returns the number of tile entries. */
int
splat (const float *means, const float *scales, const float *quats, const float *opacity,
    const float *colors, int n, int side, float *image, float *T)
{
  const float tan = 1 / 12.f, f = side / (2 * tan);
  int tiles = (side + 15) / 16, drawn = 0, entries = 0;
  float *g = malloc (sizeof (float) * 5 * n);
  int16_t (*rect)[4] = malloc (sizeof (int16_t) * 4 * n);
  Order *order = malloc (sizeof (Order) * n);
  int32_t *start = calloc (tiles * tiles + 1, sizeof (int32_t)), *list;

  for (int i = 0; i < n; i++) {
    const float *m = means + 3 * i, *q = quats + 4 * i, *s = scales + 3 * i;
    float t[3] = { m[0], -m[1], 10 - m[2] };
    if (!(t[2] > .2f))
      continue;
    float hw = 1 / (t[2] + 1e-7f), u[2] = { ((12 * t[0] * hw + 1) * side - 1) * .5f,
      ((12 * t[1] * hw + 1) * side - 1) * .5f };
    float w = q[0], x = q[1], y = q[2], z = q[3];
    float R[9] = { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
      2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), 2 * (x * z - w * y),
      2 * (y * z + w * x), 1 - 2 * (x * x + y * y) };
    float tx = t[2] * clampf (t[0] / t[2], -1.3f * tan, 1.3f * tan),
          ty = t[2] * clampf (t[1] / t[2], -1.3f * tan, 1.3f * tan);
    float J[2][3] = { { f / t[2], 0, -f * tx / (t[2] * t[2]) },
      { 0, f / t[2], -f * ty / (t[2] * t[2]) } };
    float a = .3f, b = 0, c = .3f;
    for (int k = 0; k < 3; k++) { /* J W times column k of R diag(s); W = diag(1,-1,-1) */
      float col[3] = { R[k] * s[k], -R[3 + k] * s[k], -R[6 + k] * s[k] };
      float jx = J[0][0] * col[0] + J[0][2] * col[2], jy = J[1][1] * col[1] + J[1][2] * col[2];
      a += jx * jx;
      b += jx * jy;
      c += jy * jy;
    }
    float det = a * c - b * b, mid = .5f * (a + c);
    if (det == 0)
      continue;
    float radius = ceilf (3 * sqrtf (mid + sqrtf (fmaxf (.1f, mid * mid - det))));
    int x0 = (int) clampf ((int) ((u[0] - radius) / 16), 0, tiles),
        x1 = (int) clampf ((int) ((u[0] + radius + 15) / 16), 0, tiles);
    int y0 = (int) clampf ((int) ((u[1] - radius) / 16), 0, tiles),
        y1 = (int) clampf ((int) ((u[1] + radius + 15) / 16), 0, tiles);
    if (x0 >= x1 || y0 >= y1)
      continue;
    g[5 * i] = u[0];
    g[5 * i + 1] = u[1];
    g[5 * i + 2] = c / det;
    g[5 * i + 3] = -b / det;
    g[5 * i + 4] = a / det;
    rect[i][0] = x0;
    rect[i][1] = y0;
    rect[i][2] = x1;
    rect[i][3] = y1;
    order[drawn++] = (Order){ t[2], i };
    for (int r = y0; r < y1; r++)
      for (int k = x0; k < x1; k++)
        start[r * tiles + k + 1]++, entries++;
  }
  qsort (order, drawn, sizeof (Order), by_depth);
  for (int k = 0; k < tiles * tiles; k++)
    start[k + 1] += start[k];
  list = malloc (sizeof (int32_t) * (entries + 1));
  int32_t *fill = malloc (sizeof (int32_t) * tiles * tiles);
  memcpy (fill, start, sizeof (int32_t) * tiles * tiles);
  for (int k = 0; k < drawn; k++) {
    int i = order[k].i;
    for (int r = rect[i][1]; r < rect[i][3]; r++)
      for (int c = rect[i][0]; c < rect[i][2]; c++)
        list[fill[r * tiles + c]++] = i;
  }
  memset (image, 0, sizeof (float) * 32 * side * side);
  for (int k = 0; k < side * side; k++)
    T[k] = 1;
  for (int tile = 0; tile < tiles * tiles; tile++) {
    int x0 = tile % tiles * 16, y0 = tile / tiles * 16, left = 256;
    uint8_t done[256] = { 0 };
    for (int e = start[tile]; e < start[tile + 1] && left > 0; e++) {
      int i = list[e];
      const float *h = g + 5 * i, *col = colors + 32 * i;
      float o = opacity[i], limit = -logf (255 * o) - 1e-3f; /* below it alpha < 1/255 */
      float det = h[2] * h[4] - h[3] * h[3], ry = sqrtf (fmaxf (0, -2 * limit * h[2] / det)) + 1;
      int ya = (int) fmaxf (y0, floorf (h[1] - ry)), yb = (int) fminf (y0 + 15, ceilf (h[1] + ry));
      for (int y = ya; y <= yb && y < side; y++)
        for (int x = x0; x < x0 + 16 && x < side; x++) {
          int k = y * side + x, l = (y - y0) * 16 + x - x0;
          if (done[l])
            continue;
          float dx = h[0] - x, dy = h[1] - y,
                power = -.5f * (h[2] * dx * dx + h[4] * dy * dy) - h[3] * dx * dy;
          if (power > 0 || power < limit)
            continue;
          float alpha = fminf (.99f, o * expf (power)), next;
          if (alpha < 1 / 255.f)
            continue;
          next = T[k] * (1 - alpha);
          if (next < 1 / 255.f) {
            next = 0;
            done[l] = 1;
            left--;
          }
          float s = T[k] - next, *out = image + 32 * k;
          for (int c = 0; c < 32; c++)
            out[c] += s * col[c];
          T[k] = next;
        }
    }
  }
  free (g);
  free (rect);
  free (order);
  free (start);
  free (list);
  free (fill);
  return entries;
}
