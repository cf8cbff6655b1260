/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splats on a mesh, eight at a time (AVX2); see bound_splat.h for what it does. */
#include "cpu.h"
#include "math_avx2.h"
#include "simd_avx2.h"

#include <string.h>

typedef struct
{
  __m256 x, y, z;
} Vec;

#define SET(v) _mm256_set1_ps (v)
#define ADD(a, b) _mm256_add_ps (a, b)
#define SUB(a, b) _mm256_sub_ps (a, b)
#define MUL(a, b) _mm256_mul_ps (a, b)
#define DIV(a, b) _mm256_div_ps (a, b)
#define FMA(a, b, c) _mm256_fmadd_ps (a, b, c)

static inline __m256
dot (Vec a, Vec b)
{
  return FMA (a.x, b.x, FMA (a.y, b.y, MUL (a.z, b.z)));
}

/* s a + t b */
static inline Vec
mix (__m256 s, Vec a, __m256 t, Vec b)
{
  return (
      Vec){ FMA (s, a.x, MUL (t, b.x)), FMA (s, a.y, MUL (t, b.y)), FMA (s, a.z, MUL (t, b.z)) };
}

static inline Vec
scaled (Vec a, __m256 s)
{
  return (Vec){ MUL (a.x, s), MUL (a.y, s), MUL (a.z, s) };
}

static inline Vec
minus (Vec a, Vec b)
{
  return (Vec){ SUB (a.x, b.x), SUB (a.y, b.y), SUB (a.z, b.z) };
}

static inline Vec
cross (Vec a, Vec b)
{
  return (Vec){ _mm256_fmsub_ps (a.y, b.z, MUL (a.z, b.y)),
    _mm256_fmsub_ps (a.z, b.x, MUL (a.x, b.z)), _mm256_fmsub_ps (a.x, b.y, MUL (a.y, b.x)) };
}

/* p[0], p[1], p[2], 0 */
static inline __m128
load3 (const float *p)
{
  return _mm_movelh_ps (
      _mm_castsi128_ps (_mm_loadl_epi64 ((const __m128i *) p)), _mm_load_ss (p + 2));
}

/* The rows at[0], at[3] … at[21] of p [][3]; much faster than gathering. */
static inline Vec
rows (const float *p, const uint32_t *at)
{
  __m256 r[4], low, high, low2, high2;

  for (size_t l = 0; l < 4; l++)
    r[l] = _mm256_insertf128_ps (_mm256_castps128_ps256 (load3 (p + 3 * (size_t) at[3 * l])),
        load3 (p + 3 * (size_t) at[3 * l + 12]), 1);
  low = _mm256_unpacklo_ps (r[0], r[1]);
  high = _mm256_unpackhi_ps (r[0], r[1]);
  low2 = _mm256_unpacklo_ps (r[2], r[3]);
  high2 = _mm256_unpackhi_ps (r[2], r[3]);
  return (Vec){ _mm256_shuffle_ps (low, low2, 0x44), _mm256_shuffle_ps (low, low2, 0xee),
    _mm256_shuffle_ps (high, high2, 0x44) };
}

static inline __m256
choose (__m256 mask, __m256 yes, __m256 no)
{
  return _mm256_blendv_ps (no, yes, mask);
}

/* NaN gives `least`. */
static inline __m256
larger (__m256 v, __m256 least)
{
  return _mm256_max_ps (v, least);
}

/* Unit quaternions [4] of the rotations with the columns u, w, k: from the largest of their components. */
static inline void
quaternions (__m256 q[4], Vec u, Vec w, Vec k)
{
  const __m256 one = SET (1);
  __m256 d0 = u.x, d1 = w.y, d2 = k.z;
  __m256 t0 = ADD (ADD (one, d0), ADD (d1, d2)), t1 = SUB (ADD (one, d0), ADD (d1, d2));
  __m256 t2 = SUB (ADD (one, d1), ADD (d0, d2)), t3 = SUB (ADD (one, d2), ADD (d0, d1));
  /* row, column: m21 - m12 and so on */
  __m256 a = SUB (w.z, k.y), b = SUB (k.x, u.z), c = SUB (u.y, w.x);
  __m256 d = ADD (u.y, w.x), e = ADD (k.x, u.z), f = ADD (w.z, k.y);
  __m256 t = t0, mask, scale;

  q[0] = t0, q[1] = a, q[2] = b, q[3] = c;
  mask = _mm256_cmp_ps (t1, t, _CMP_GT_OQ);
  t = choose (mask, t1, t);
  q[0] = choose (mask, a, q[0]), q[1] = choose (mask, t1, q[1]);
  q[2] = choose (mask, d, q[2]), q[3] = choose (mask, e, q[3]);
  mask = _mm256_cmp_ps (t2, t, _CMP_GT_OQ);
  t = choose (mask, t2, t);
  q[0] = choose (mask, b, q[0]), q[1] = choose (mask, d, q[1]);
  q[2] = choose (mask, t2, q[2]), q[3] = choose (mask, f, q[3]);
  mask = _mm256_cmp_ps (t3, t, _CMP_GT_OQ);
  q[0] = choose (mask, c, q[0]), q[1] = choose (mask, e, q[1]);
  q[2] = choose (mask, f, q[2]), q[3] = choose (mask, t3, q[3]);
  scale = FMA (q[0], q[0], FMA (q[1], q[1], FMA (q[2], q[2], MUL (q[3], q[3]))));
  scale = DIV (one, _mm256_sqrt_ps (scale));
  for (int i = 0; i < 4; i++)
    q[i] = MUL (q[i], scale);
}

/* Scales [2] and rotation of the discs that p and q span; 0 and the identity where there is none. */
static inline void
discs (__m256 scales[3], __m256 rotation[4], Vec p, Vec q, float thickness)
{
  const __m256 zero = _mm256_setzero_ps (), one = SET (1), least = SET (1e-9f);
  __m256 x = SUB (dot (p, p), dot (q, q)), y = MUL (SET (2), dot (p, q));
  __m256 r = _mm256_sqrt_ps (FMA (x, x, MUL (y, y))), r2 = ADD (r, r);
  __m256 right = _mm256_cmp_ps (x, zero, _CMP_GE_OQ), any = _mm256_cmp_ps (r, zero, _CMP_GT_OQ);
  __m256 sign = _mm256_and_ps (y, SET (-0.0f));
  __m256 big = _mm256_sqrt_ps (DIV (ADD (r, _mm256_andnot_ps (SET (-0.0f), x)), r2));
  __m256 small = DIV (y, MUL (r2, big));
  __m256 c = choose (right, big, _mm256_andnot_ps (SET (-0.0f), small));
  __m256 s = choose (right, small, _mm256_or_ps (big, sign)), a, b, good;
  Vec u, w;

  c = choose (any, c, one);
  s = _mm256_and_ps (any, s);
  u = mix (c, p, s, q);
  w = mix (c, q, _mm256_xor_ps (s, SET (-0.0f)), p);
  a = _mm256_sqrt_ps (dot (u, u));
  b = _mm256_sqrt_ps (dot (w, w));
  good = _mm256_and_ps (_mm256_cmp_ps (a, least, _CMP_GE_OQ), _mm256_cmp_ps (b, least, _CMP_GE_OQ));
  u = scaled (u, DIV (one, a));
  w = scaled (w, DIV (one, b));
  quaternions (rotation, u, w, cross (u, w));
  scales[0] = _mm256_and_ps (good, a);
  scales[1] = _mm256_and_ps (good, b);
  scales[2] = _mm256_and_ps (good, SET (thickness));
  for (int i = 0; i < 4; i++)
    rotation[i] = choose (good, rotation[i], i ? zero : one);
}

/* Every second number of 16, from the first one on and from the second one on. */
static inline void
unzip (__m256 a, __m256 b, __m256 *even, __m256 *odd)
{
  __m256 low = _mm256_permute2f128_ps (a, b, 0x20), high = _mm256_permute2f128_ps (a, b, 0x31);

  *even = _mm256_shuffle_ps (low, high, 0x88);
  *odd = _mm256_shuffle_ps (low, high, 0xdd);
}

/* The half-axes of 8 splats. */
static inline void
load_axes (const float *axes, Vec *p, Vec *q)
{
  Vec first, last; /* p, q, p, q … of 4 splats each */

  simd_load_xyz (axes, &first.x, &first.y, &first.z);
  simd_load_xyz (axes + 24, &last.x, &last.y, &last.z);
  unzip (first.x, last.x, &p->x, &q->x);
  unzip (first.y, last.y, &p->y, &q->y);
  unzip (first.z, last.z, &p->z, &q->z);
}

/* Display colours [3] of splats with the normal n. */
static inline void
light (const AkBind *a, size_t i, Vec n, __m256 color[3])
{
  const __m256 zero = _mm256_setzero_ps (), one = SET (1);
  const __m256 Y[AK_BIND_LIGHT] = { one, n.x, n.y, n.z, MUL (n.x, n.y), MUL (n.y, n.z),
    SUB (MUL (SET (3), MUL (n.z, n.z)), one), MUL (n.x, n.z),
    SUB (MUL (n.x, n.x), MUL (n.y, n.y)) };
  __m256 shine[3] = { zero, zero, zero }, albedo[3], strength, sharp;

  unzip (_mm256_loadu_ps (a->gloss + 2 * i), _mm256_loadu_ps (a->gloss + 2 * i + 8), &strength,
      &sharp);
  for (size_t j = 0; j < a->lobes; j++) {
    const float *l = a->lobe + AK_BIND_LOBE * j;
    __m256 cosine = dot (n, (Vec){ SET (l[0]), SET (l[1]), SET (l[2]) });
    __m256 g = ak_exp8 (MUL (sharp, SUB (cosine, one)));

    for (int c = 0; c < 3; c++)
      shine[c] = FMA (SET (l[3 + c]), g, shine[c]);
  }
  simd_load_xyz (a->albedo + 3 * i, &albedo[0], &albedo[1], &albedo[2]);
  for (int c = 0; c < 3; c++) {
    __m256 e = zero, l;

    for (int k = 0; k < AK_BIND_LIGHT; k++)
      e = FMA (SET (a->sh[3 * k + c]), Y[k], e);
    l = FMA (albedo[c], larger (e, zero), MUL (strength, shine[c]));
    color[c] = _mm256_min_ps (_mm256_sqrt_ps (larger (l, zero)), one);
  }
}

/* The colours after the first three of splat i, of the numbers v [6][8] of lane k. */
static inline void
mix_colors (const AkBind *a, size_t i, const float (*v)[8], size_t k, float *to)
{
  size_t n = a->features;

  for (size_t f = 0; f < n; f += 8) {
    int whole = n - f >= 8;
    __m256i mask = ak_mask8 (whole ? 8 : n - f);
    __m256 sum = ak_load8 (a->feature + i * n + f, whole, mask);

    for (size_t d = 0; d < 6; d++)
      sum = FMA (SET (v[d][k]), ak_load8 (a->mix + d * n + f, whole, mask), sum);
    ak_store8 (to + f, whole, mask, sum);
  }
}

static inline void
bind8 (const AkBind *a, size_t i)
{
  const __m256 zero = _mm256_setzero_ps (), one = SET (1);
  size_t channels = ak_bind_channels (a);
  _Alignas(32) float out[10][8];
  Vec v[3], m[3], n, at, e1, e2, p, q, of_p, of_q;
  __m256 b0, b1, b2, h, length, scales[3], rotation[4], color[3];

  for (int k = 0; k < 3; k++) {
    v[k] = rows (a->vertices, a->corners + 3 * i + k);
    m[k] = rows (a->normals, a->corners + 3 * i + k);
  }
  simd_load_xyz (a->place + 3 * i, &b1, &b2, &h);
  b0 = SUB (SUB (one, b1), b2);
  n = mix (b0, m[0], b1, m[1]);
  n = mix (one, n, b2, m[2]);
  length = larger (_mm256_sqrt_ps (dot (n, n)), SET (1e-6f));
  n = (Vec){ DIV (n.x, length), DIV (n.y, length), DIV (n.z, length) };
  at = mix (b0, v[0], b1, v[1]);
  at = mix (one, at, b2, v[2]);
  at = mix (one, at, h, n);
  e1 = minus (v[1], v[0]);
  e2 = minus (v[2], v[0]);
  load_axes (a->axes + 6 * i, &of_p, &of_q);
  p = mix (of_p.x, e1, of_p.y, e2);
  p = mix (one, p, of_p.z, n);
  q = mix (of_q.x, e1, of_q.y, e2);
  q = mix (one, q, of_q.z, n);
  discs (scales, rotation, p, q, a->thickness);
  light (a, i, n, color);
  simd_store_xyz (a->means + 3 * i, at.x, at.y, at.z);
  simd_store_xyz (a->scales + 3 * i, scales[0], scales[1], scales[2]);
  for (int k = 0; k < 4; k++)
    _mm256_store_ps (out[k], rotation[k]);
  for (int k = 0; k < 3; k++)
    _mm256_store_ps (out[4 + k], color[k]);
  /* what is not finite (x - x is not 0) becomes 0 */
  _mm256_store_ps (out[7], _mm256_and_ps (_mm256_cmp_ps (SUB (n.x, n.x), zero, _CMP_EQ_OQ), n.x));
  _mm256_store_ps (out[8], _mm256_and_ps (_mm256_cmp_ps (SUB (n.y, n.y), zero, _CMP_EQ_OQ), n.y));
  _mm256_store_ps (out[9], _mm256_and_ps (_mm256_cmp_ps (SUB (n.z, n.z), zero, _CMP_EQ_OQ), n.z));
  for (size_t k = 0; k < 8; k++) {
    float *c = a->colors + (i + k) * channels, *r = a->rotations + 4 * (i + k);

    for (int d = 0; d < 4; d++)
      r[d] = out[d][k];
    for (int d = 0; d < 3; d++)
      c[d] = out[4 + d][k];
    if (a->mix) {
      mix_colors (a, i + k, (const float (*)[8]) out + 4, k, c + 3);
      continue;
    }
    for (int d = 0; d < 3; d++)
      c[3 + a->features + (size_t) d] = out[7 + d][k];
    if (a->feature)
      memcpy (c + 3, a->feature + (i + k) * a->features, a->features * sizeof *c);
  }
}

void
ak_bind_avx2 (const void *args, size_t from, size_t to)
{
  if (to - from < 8) {
    ak_bind_plain (args, from, to);
    return;
  }
  for (size_t i = from; i + 8 <= to; i += 8)
    bind8 (args, i);
  if ((to - from) % 8) /* some once more, so that no result depends on how the rows are cut */
    bind8 (args, to - 8);
}
