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
  return _mm256_fnmadd_ps (x, _mm256_set1_ps (255 * 0.0225411470f), y);
}

static inline __m256
entry (const float *table, __m256i material)
{
  return _mm256_permutevar8x32_ps (_mm256_loadu_ps (table), material);
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
  __m256 key, fill, sky, rim, facing, gloss, lobes;

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
    out[k] = encode (_mm256_fmadd_ps (lobes, lamp_color, light));
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

/* A face as planes, in registers. `at`, `gx` and `gy`: r, g, b, q at vertex 0, and per 1/256 pixel. */
typedef struct
{
  int32_t x[3], y[3], a[3], b[3], out[3];
  __m128 at, gx, gy, low, high;
} Planes;

static inline void
planes_of (Planes *p, const AkBand *band, uint32_t face)
{
  const uint32_t *i = band->mesh->indices + 3 * (size_t) face;
  __m128 f0 = _mm_load_ps (&band->looks[i[0]].r), f1 = _mm_load_ps (&band->looks[i[1]].r),
         f2 = _mm_load_ps (&band->looks[i[2]].r), d1 = _mm_sub_ps (f1, f0),
         d2 = _mm_sub_ps (f2, f0);
  int32_t X1, Y1, X2, Y2;
  __m128 inverse;

  for (int k = 0; k < 3; k++) {
    p->x[k] = band->points[i[k]].x;
    p->y[k] = band->points[i[k]].y;
  }
  for (int k = 0; k < 3; k++) {
    int next = k == 2 ? 0 : k + 1;

    p->a[k] = p->y[next] - p->y[k];
    p->b[k] = p->x[k] - p->x[next];
    p->out[k] = !(p->a[k] > 0 || (p->a[k] == 0 && p->b[k] > 0));
  }
  X1 = -p->b[0], Y1 = p->a[0], X2 = p->b[2], Y2 = -p->a[2];
  inverse = _mm_set1_ps (1.0f / (float) (X1 * Y2 - X2 * Y1));
  p->at = f0;
  p->gx = _mm_fmsub_ps (d1, _mm_set1_ps ((float) Y2), _mm_mul_ps (d2, _mm_set1_ps ((float) Y1)));
  p->gy = _mm_fmsub_ps (d2, _mm_set1_ps ((float) X1), _mm_mul_ps (d1, _mm_set1_ps ((float) X2)));
  p->gx = _mm_mul_ps (p->gx, inverse);
  p->gy = _mm_mul_ps (p->gy, inverse);
  p->low = _mm_min_ps (_mm_min_ps (f0, f1), f2);
  p->high = _mm_max_ps (_mm_max_ps (f0, f1), f2);
}

/* r, g, b, q at a point, between those of the vertices. */
static inline __m128
value_at (const Planes *p, int32_t x, int32_t y)
{
  __m128 value = _mm_fmadd_ps (p->gx, _mm_set1_ps ((float) (x - p->x[0])), p->at);

  return _mm_fmadd_ps (p->gy, _mm_set1_ps ((float) (y - p->y[0])), value);
}

#define SPREAD(v, k) _mm256_broadcastss_ps (_mm_permute_ps ((v), 0x55 * (k)))

static inline int
max_int (int a, int b)
{
  return a > b ? a : b;
}

static inline int
min_int (int a, int b)
{
  return a < b ? a : b;
}

static inline int
is_large (const AkVisible *f)
{
  return f->x1 - f->x0 > AK_DRAW_LARGE || f->y1 - f->y0 > AK_DRAW_LARGE;
}

/* rgb as ints to 0xPPBBGGRR, saturated. */
static inline __m256i
pack_colors (__m256 r, __m256 g, __m256 b, __m256i part)
{
  const __m256i order = _mm256_setr_epi8 (0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15, 0,
      8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15);
  __m256i rb = _mm256_packus_epi32 (_mm256_cvtps_epi32 (r), _mm256_cvtps_epi32 (b));
  __m256i gp = _mm256_packus_epi32 (_mm256_cvtps_epi32 (g), part);

  return _mm256_shuffle_epi8 (
      _mm256_packus_epi16 (rb, gp), order); /* r r r r b b b b g g g g p p p p */
}

static void
middles_avx2 (const AkBand *band, const AkVisible *f)
{
  int x0 = max_int ((f->x0 + 255) >> 8, band->column0),
      x1 = min_int (f->x1 >> 8, band->column0 + 4 * band->columns - 1);
  int y0 = max_int ((f->y0 + 255) >> 8, band->row0),
      y1 = min_int (f->y1 >> 8, band->row0 + band->rows - 1);
  const __m256i lane_x = _mm256_setr_epi32 (0, 256, 512, 768, 0, 256, 512, 768);
  const __m256i lane_y = _mm256_setr_epi32 (0, 0, 0, 0, 256, 256, 256, 256);
  __m256i edge[3], part;
  __m256 fx, fy, lane[4], low, high;
  Planes p;

  if (x0 > x1 || y0 > y1)
    return;
  if (is_large (f)) {
    ak_draw_plain.middles (band, f);
    return;
  }
  planes_of (&p, band, f->face);
  fx = _mm256_cvtepi32_ps (lane_x);
  fy = _mm256_cvtepi32_ps (lane_y);
  x0 &= ~3, y0 &= ~1;
  for (int k = 0; k < 3; k++) {
    __m256i first =
        _mm256_set1_epi32 (p.a[k] * (256 * x0 - p.x[k]) + p.b[k] * (256 * y0 - p.y[k]) - p.out[k]);

    first = _mm256_add_epi32 (first, _mm256_mullo_epi32 (_mm256_set1_epi32 (p.a[k]), lane_x));
    edge[k] = _mm256_add_epi32 (first, _mm256_mullo_epi32 (_mm256_set1_epi32 (p.b[k]), lane_y));
  }
#define LANES(k) _mm256_fmadd_ps (SPREAD (p.gx, k), fx, _mm256_mul_ps (SPREAD (p.gy, k), fy))
  lane[0] = LANES (0);
  lane[1] = LANES (1);
  lane[2] = LANES (2);
  lane[3] = LANES (3);
#undef LANES
  low = SPREAD (p.low, 3), high = SPREAD (p.high, 3);
  part = _mm256_set1_epi32 (band->mesh->face_part[f->face]);
  for (int y = y0; y <= y1; y += 2) {
    AkBlock *block = band->blocks + (y - band->row0) / 2 * band->columns + (x0 - band->column0) / 4;
    __m256i e0 = edge[0], e1 = edge[1], e2 = edge[2];

    for (int x = x0; x <= x1; x += 4, block++) {
      __m256i outside = _mm256_or_si256 (_mm256_or_si256 (e0, e1), e2), color;
      __m256 value, q, old, near;
      __m128 base;

      e0 = _mm256_add_epi32 (e0, _mm256_set1_epi32 (p.a[0] * 1024));
      e1 = _mm256_add_epi32 (e1, _mm256_set1_epi32 (p.a[1] * 1024));
      e2 = _mm256_add_epi32 (e2, _mm256_set1_epi32 (p.a[2] * 1024));
      if (_mm256_movemask_ps (_mm256_castsi256_ps (outside)) == 255)
        continue;
      base = value_at (&p, 256 * x, 256 * y);
      q = _mm256_add_ps (SPREAD (base, 3), lane[3]);
      q = _mm256_min_ps (_mm256_max_ps (q, low), high);
      old = _mm256_load_ps (block->q);
      near = _mm256_andnot_ps (_mm256_castsi256_ps (_mm256_srai_epi32 (outside, 31)),
          _mm256_cmp_ps (q, old, _CMP_GT_OQ));
      if (!_mm256_movemask_ps (near))
        continue;
      value = _mm256_add_ps (SPREAD (base, 0), lane[0]);
      color = pack_colors (value, _mm256_add_ps (SPREAD (base, 1), lane[1]),
          _mm256_add_ps (SPREAD (base, 2), lane[2]), part);
      _mm256_store_ps (block->q, _mm256_blendv_ps (old, q, near));
      color = _mm256_blendv_epi8 (
          _mm256_load_si256 ((const __m256i *) block->color), color, _mm256_castps_si256 (near));
      _mm256_store_si256 ((__m256i *) block->color, color);
    }
    for (int k = 0; k < 3; k++)
      edge[k] = _mm256_add_epi32 (edge[k], _mm256_set1_epi32 (p.b[k] * 512));
  }
}

static inline __m256i
parts_of (const AkBlock *block)
{
  return _mm256_srli_epi32 (_mm256_load_si256 ((const __m256i *) block->color), 24);
}

/* Lanes in which two parts of the mesh differ. */
static inline unsigned
differ (__m256i a, __m256i b)
{
  const __m256i zero = _mm256_setzero_si256 ();
  __m256i same = _mm256_or_si256 (_mm256_cmpeq_epi32 (a, b),
      _mm256_or_si256 (_mm256_cmpeq_epi32 (a, zero), _mm256_cmpeq_epi32 (b, zero)));

  return 255 & ~(unsigned) _mm256_movemask_ps (_mm256_castsi256_ps (same));
}

static void
borders_avx2 (const AkBand *band, int by, uint16_t *pairs)
{
  const __m256i left = _mm256_setr_epi32 (1, 2, 3, 3, 5, 6, 7, 7),
                edge = _mm256_setr_epi32 (0, 0, 0, 0, 0, 4, 4, 4);
  int n = band->columns;
  const AkBlock *row = band->blocks + by * n, *under = row + n;
  __m256i here = parts_of (row);

  for (int bx = 0; bx < n; bx++) {
    __m256i next = bx + 1 < n ? parts_of (row + bx + 1) : _mm256_setzero_si256 ();
    __m256i right = _mm256_blend_epi32 (
        _mm256_permutevar8x32_epi32 (here, left), _mm256_permutevar8x32_epi32 (next, edge), 0x88);
    __m256i below = _mm256_permute2x128_si256 (here, parts_of (under + bx), 0x21);

    pairs[bx] = (uint16_t) (differ (here, right) | differ (here, below) << 8);
    here = next;
  }
}

static void
resolve_avx2 (const AkBand *band, uint32_t background, uint8_t *rgba, size_t stride)
{
  const __m256i opaque = _mm256_set1_epi32 ((int) 0xff000000), zero = _mm256_setzero_si256 ();
  const __m256i empty = _mm256_set1_epi32 ((int) background);

  for (int y = band->out0; y < band->out1; y += 2) {
    const AkBlock *block = band->blocks + (y - band->row0) / 2 * band->columns;
    uint8_t *row0 = rgba + (size_t) (y - band->out0) * stride, *row1 = row0 + stride;
    int both = y + 1 < band->out1;

    for (int bx = 0; bx < band->columns; bx++) {
      __m256i c = _mm256_load_si256 ((const __m256i *) block[bx].color);
      __m256i none = _mm256_cmpeq_epi32 (_mm256_srli_epi32 (c, 24), zero);

      c = _mm256_blendv_epi8 (_mm256_or_si256 (c, opaque), empty, none);
      _mm_storeu_si128 ((__m128i *) (row0 + 16 * (size_t) bx), _mm256_castsi256_si128 (c));
      if (both)
        _mm_storeu_si128 ((__m128i *) (row1 + 16 * (size_t) bx), _mm256_extracti128_si256 (c, 1));
    }
  }
}

const AkDrawFns ak_draw_avx2 = { light_avx2, middles_avx2, borders_avx2, resolve_avx2 };
