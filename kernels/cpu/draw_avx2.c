/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inner loops of the coloured look with AVX2 and FMA: a block of 4x2 pixels at a time. */
#include "draw.h"
#include "../light.h"
#include "simd_avx2.h"

#include <string.h>

typedef struct
{
  __m256 x, y, z;
} Vec;

static inline __m256
dot (Vec a, Vec b)
{
  return _mm256_fmadd_ps (a.x, b.x, _mm256_fmadd_ps (a.y, b.y, _mm256_mul_ps (a.z, b.z)));
}

static inline Vec
unit (Vec a)
{
  __m256 length = _mm256_max_ps (_mm256_sqrt_ps (dot (a, a)), _mm256_set1_ps (1e-20f));
  __m256 inverse = _mm256_div_ps (_mm256_set1_ps (1), length);

  return (Vec){ _mm256_mul_ps (a.x, inverse), _mm256_mul_ps (a.y, inverse),
    _mm256_mul_ps (a.z, inverse) };
}

static inline Vec
splat (const float *a)
{
  return (Vec){ _mm256_broadcast_ss (a), _mm256_broadcast_ss (a + 1), _mm256_broadcast_ss (a + 2) };
}

/* sRGB 0 … 255 of linear light. */
static inline __m256
encode (__m256 x)
{
  __m256 s1, s2, s3, y;

  x = _mm256_min_ps (_mm256_max_ps (x, _mm256_setzero_ps ()), _mm256_set1_ps (1));
  s1 = _mm256_sqrt_ps (x);
  s2 = _mm256_sqrt_ps (s1);
  s3 = _mm256_sqrt_ps (s2);
  y = _mm256_mul_ps (s1, _mm256_set1_ps (255 * 0.662002687f));
  y = _mm256_fmadd_ps (s2, _mm256_set1_ps (255 * 0.684122060f), y);
  y = _mm256_fnmadd_ps (s3, _mm256_set1_ps (255 * 0.323583601f), y);
  y = _mm256_fnmadd_ps (x, _mm256_set1_ps (255 * 0.0225411470f), y);
  return _mm256_max_ps (y, _mm256_setzero_ps ());
}

static inline __m256
entry (const float *table, __m256i material)
{
  return _mm256_permutevar8x32_ps (_mm256_loadu_ps (table), material);
}

static inline __m256
smooth (__m256 x, const float *range)
{
  const __m256 one = _mm256_set1_ps (1);

  x = _mm256_sub_ps (x, _mm256_broadcast_ss (range));
  x = _mm256_mul_ps (x, _mm256_set1_ps (1 / (range[1] - range[0])));
  x = _mm256_min_ps (_mm256_max_ps (x, _mm256_setzero_ps ()), one);
  return _mm256_mul_ps (
      _mm256_mul_ps (x, x), _mm256_fnmadd_ps (x, _mm256_set1_ps (2), _mm256_set1_ps (3)));
}

/* What ak_mouth_light() computes, for those that are `in` the mouth. */
static inline __m256
mouth_light (const AkMouth *m, Vec p, __m256 in)
{
  const __m256 one = _mm256_set1_ps (1), open = _mm256_set1_ps (m->open);
  const Vec upper = splat (m->upper);
  Vec d = { _mm256_sub_ps (p.x, upper.x), _mm256_sub_ps (p.y, upper.y),
    _mm256_sub_ps (p.z, upper.z) };
  __m256 light = _mm256_sub_ps (one, smooth (dot (d, splat (m->down)), ak_mouth_below)), before;

  light = _mm256_fnmadd_ps (light, _mm256_mul_ps (open, _mm256_set1_ps (ak_mouth_shadow)), open);
  before = smooth (_mm256_mul_ps (d.z, _mm256_set1_ps (m->forward)), ak_mouth_before);
  light = _mm256_fnmadd_ps (_mm256_sub_ps (one, light), _mm256_sub_ps (one, before), one);
  return _mm256_blendv_ps (one, light, in);
}

/* What light_plain() computes, for the vertices v … v + 7 at `p` with normals `n`. */
static inline void
light_8 (const AkVertexStage *s, size_t v, Vec p, Vec n, __m256 out[3])
{
  const __m256 zero = _mm256_setzero_ps (), one = _mm256_set1_ps (1);
  const Vec lamp = splat (ak_lamp_key.direction);
  __m256i material =
      _mm256_cvtepu8_epi32 (_mm_loadl_epi64 ((const __m128i *) (s->mesh->materials + v)));
  Vec e = { _mm256_sub_ps (zero, p.x), _mm256_sub_ps (zero, p.y),
    _mm256_sub_ps (_mm256_set1_ps (2 * s->scale), p.z) },
      h;
  __m256 key, fill, sky, rim, facing, gloss, lobes, open = one;
  __m256i in =
      _mm256_or_si256 (_mm256_cmpeq_epi32 (material, _mm256_set1_epi32 (AK_MATERIAL_TEETH)),
          _mm256_cmpeq_epi32 (material, _mm256_set1_epi32 (AK_MATERIAL_MOUTH)));
  __m256 glows = _mm256_castsi256_ps (
      _mm256_or_si256 (in, _mm256_cmpeq_epi32 (material, _mm256_set1_epi32 (AK_MATERIAL_LIPS))));
  int at_mouth = s->mouth.known && _mm256_movemask_ps (glows);

  n = unit (n);
  e = unit (e);
  h = unit ((Vec){
      _mm256_add_ps (e.x, lamp.x), _mm256_add_ps (e.y, lamp.y), _mm256_add_ps (e.z, lamp.z) });
  key = dot (n, lamp);
  fill = _mm256_fmadd_ps (
      dot (n, splat (ak_lamp_fill.direction)), _mm256_set1_ps (0.75f), _mm256_set1_ps (0.25f));
  fill = _mm256_max_ps (fill, zero);
  sky = _mm256_fmadd_ps (n.y, _mm256_set1_ps (0.5f), _mm256_set1_ps (0.5f));
  facing = _mm256_sub_ps (one, _mm256_max_ps (dot (n, e), zero));
  rim = _mm256_max_ps (dot (n, splat (ak_lamp_rim.direction)), zero);
  rim = _mm256_mul_ps (_mm256_mul_ps (rim, facing), facing);
  gloss = _mm256_max_ps (dot (n, h), zero);
  for (int k = 0; k < 4; k++)
    gloss = _mm256_mul_ps (gloss, gloss);
  lobes = _mm256_mul_ps (gloss, entry (ak_lobes[0], material));
  gloss = _mm256_mul_ps (gloss, gloss);
  gloss = _mm256_mul_ps (gloss, gloss);
  lobes = _mm256_fmadd_ps (gloss, entry (ak_lobes[1], material), lobes);
  gloss = _mm256_mul_ps (gloss, gloss);
  gloss = _mm256_mul_ps (gloss, gloss);
  lobes = _mm256_fmadd_ps (gloss, entry (ak_lobes[2], material), lobes);
  if (at_mouth)
    open = mouth_light (&s->mouth, p, _mm256_castsi256_ps (in));
  for (int k = 0; k < 3; k++) {
    __m256 wrap = entry (ak_wrap[k], material), ground = _mm256_set1_ps (ak_light_ground[k]), light;
    __m256 lamp_color = _mm256_set1_ps (ak_lamp_key.color[k]);

    light = _mm256_max_ps (_mm256_add_ps (key, wrap), zero);
    light = _mm256_div_ps (_mm256_mul_ps (light, lamp_color), _mm256_add_ps (one, wrap));
    light = _mm256_fmadd_ps (fill, _mm256_set1_ps (ak_lamp_fill.color[k]), light);
    light = _mm256_add_ps (light,
        _mm256_fmadd_ps (sky, _mm256_set1_ps (ak_light_sky[k] - ak_light_ground[k]), ground));
    light = _mm256_fmadd_ps (rim, _mm256_set1_ps (ak_lamp_rim.color[k]), light);
    light =
        _mm256_mul_ps (light, _mm256_load_ps (s->mesh->albedo + (size_t) k * s->mesh->padded + v));
    light = _mm256_fmadd_ps (lobes, lamp_color, light);
    if (at_mouth) {
      __m256 tint = _mm256_set1_ps (ak_mouth_tint[k]);
      __m256 share = _mm256_fnmadd_ps (_mm256_sub_ps (one, open), tint, one);

      light = _mm256_mul_ps (light, _mm256_mul_ps (share, open));
      light = _mm256_max_ps (light, _mm256_and_ps (glows, _mm256_broadcast_ss (&s->mouth.glow[k])));
    }
    out[k] = encode (light);
  }
}

/* Stores 8 AkLook from planes. */
static inline void
store_looks (AkLook *out, const __m256 rgb[3], __m256 q)
{
  __m256 rg0 = _mm256_unpacklo_ps (rgb[0], rgb[1]), rg1 = _mm256_unpackhi_ps (rgb[0], rgb[1]);
  __m256 bq0 = _mm256_unpacklo_ps (rgb[2], q), bq1 = _mm256_unpackhi_ps (rgb[2], q);
  __m256 a = _mm256_shuffle_ps (rg0, bq0, 0x44), b = _mm256_shuffle_ps (rg0, bq0, 0xee);
  __m256 c = _mm256_shuffle_ps (rg1, bq1, 0x44), d = _mm256_shuffle_ps (rg1, bq1, 0xee);

  _mm256_store_ps (&out[0].r, _mm256_permute2f128_ps (a, b, 0x20));
  _mm256_store_ps (&out[2].r, _mm256_permute2f128_ps (c, d, 0x20));
  _mm256_store_ps (&out[4].r, _mm256_permute2f128_ps (a, b, 0x31));
  _mm256_store_ps (&out[6].r, _mm256_permute2f128_ps (c, d, 0x31));
}

static void
light_avx2 (const AkVertexStage *s)
{
  const __m256 limit = _mm256_set1_ps (1 << 28), sign = _mm256_set1_ps (-0.0f);
  size_t V = s->mesh->base.vertices;

  for (size_t v = 0; v < V; v += 8) {
    const float *at = s->vertices + 3 * v;
    float tail[24];
    __m256 z, x, y, good, rgb[3];
    __m256i ix, iy;
    Vec p, n;

    if (v + 8 > V) {
      memset (tail, 0, sizeof tail);
      memcpy (tail, at, 3 * (V - v) * sizeof *tail);
      at = tail;
    }
    simd_load_xyz (at, &p.x, &p.y, &p.z);
    simd_load_xyz (s->normals + 3 * v, &n.x, &n.y, &n.z);
    z = _mm256_sub_ps (_mm256_set1_ps (2 * s->scale), p.z);
    x = _mm256_fmadd_ps (
        _mm256_set1_ps (s->zoom), _mm256_div_ps (p.x, z), _mm256_set1_ps (s->middle_x));
    y = _mm256_fnmadd_ps (
        _mm256_set1_ps (s->zoom), _mm256_div_ps (p.y, z), _mm256_set1_ps (s->middle_y));
    good = _mm256_cmp_ps (z, _mm256_set1_ps (1e-8f), _CMP_GE_OQ);
    good = _mm256_and_ps (good, _mm256_cmp_ps (_mm256_andnot_ps (sign, x), limit, _CMP_LT_OQ));
    good = _mm256_and_ps (good, _mm256_cmp_ps (_mm256_andnot_ps (sign, y), limit, _CMP_LT_OQ));
    ix = _mm256_blendv_epi8 (
        _mm256_set1_epi32 (AK_POINT_BAD), _mm256_cvtps_epi32 (x), _mm256_castps_si256 (good));
    iy = _mm256_cvtps_epi32 (y);
    {
      __m256i lo = _mm256_unpacklo_epi32 (ix, iy), hi = _mm256_unpackhi_epi32 (ix, iy);

      _mm256_store_si256 ((__m256i *) (s->points + v), _mm256_permute2x128_si256 (lo, hi, 0x20));
      _mm256_store_si256 (
          (__m256i *) (s->points + v + 4), _mm256_permute2x128_si256 (lo, hi, 0x31));
    }
    light_8 (s, v, p, n, rgb);
    store_looks (s->looks + v, rgb, _mm256_div_ps (_mm256_set1_ps (1), z));
  }
}

/* Lanes in which two parts of the mesh differ. */
static inline unsigned
differ (__m256i a, __m256i b)
{
  const __m256i zero = _mm256_setzero_si256 ();
  __m256i same;

  a = _mm256_srli_epi32 (a, 24);
  b = _mm256_srli_epi32 (b, 24);
  same = _mm256_or_si256 (_mm256_cmpeq_epi32 (a, b),
      _mm256_or_si256 (_mm256_cmpeq_epi32 (a, zero), _mm256_cmpeq_epi32 (b, zero)));
  return 255 & ~(unsigned) _mm256_movemask_ps (_mm256_castsi256_ps (same));
}

static size_t
borders_avx2 (const AkBand *band, int by, AkBorder *borders)
{
  const __m256i part = _mm256_set1_epi32 ((int) 0xff000000);
  const AkBlock *row = band->blocks + by * band->columns, *under = row + band->columns;
  __m256i here = _mm256_load_si256 ((const __m256i *) row[band->first].color);
  size_t n = 0;

  for (int bx = band->first; bx <= band->last; bx++) {
    __m256i next = bx + 1 == band->columns
                       ? _mm256_setzero_si256 ()
                       : _mm256_load_si256 ((const __m256i *) row[bx + 1].color);
    __m256i right = _mm256_alignr_epi8 (next, here, 4);
    __m256i below = _mm256_permute2x128_si256 (
        here, _mm256_load_si256 ((const __m256i *) under[bx].color), 0x21);
    __m256i unlike =
        _mm256_or_si256 (_mm256_xor_si256 (here, right), _mm256_xor_si256 (here, below));

    if (!_mm256_testz_si256 (unlike, part)) {
      unsigned pairs = differ (here, right) | differ (here, below) << 8;

      borders[n] = (AkBorder){ (uint16_t) bx, (uint16_t) pairs };
      n += pairs != 0;
    }
    here = next;
  }
  return n;
}

static void
resolve_avx2 (const AkBand *band, uint32_t background, uint8_t *rgba, size_t stride)
{
  const __m256i opaque = _mm256_set1_epi32 ((int) 0xff000000), zero = _mm256_setzero_si256 ();
  const __m256i empty = _mm256_set1_epi32 ((int) background);

  for (int y = band->out0; y < band->out1; y += 2) {
    AkBlock *block = band->blocks + (y - band->row0) / 2 * band->columns;
    uint8_t *row0 = rgba + (size_t) (y - band->out0) * stride, *row1 = row0 + stride;
    int both = y + 1 < band->out1;

    for (int bx = 0; bx < band->columns; bx++) {
      __m256i c = _mm256_load_si256 ((const __m256i *) block[bx].color);

      if (_mm256_testz_si256 (c, opaque)) {
        c = empty;
      } else {
        __m256i none = _mm256_cmpeq_epi32 (_mm256_and_si256 (c, opaque), zero);

        c = _mm256_blendv_epi8 (_mm256_or_si256 (c, opaque), empty, none);
        _mm256_store_si256 ((__m256i *) block[bx].color, zero);
        _mm256_store_si256 ((__m256i *) block[bx].q, zero);
      }
      _mm_storeu_si128 ((__m128i *) (row0 + 16 * (size_t) bx), _mm256_castsi256_si128 (c));
      if (both)
        _mm_storeu_si128 ((__m128i *) (row1 + 16 * (size_t) bx), _mm256_extracti128_si256 (c, 1));
    }
  }
}

const AkDrawFns ak_draw_avx2 = { light_avx2, ak_cull_avx2, ak_edges_avx2, ak_faces_avx2,
  ak_meet_avx2, ak_walk_avx2, borders_avx2, resolve_avx2, ak_planes_avx2 };
