/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces of the coloured look with AVX2 and FMA. Faces are set up eight at a time, and so are the blocks of 4x2 pixels that
 * a face may cover; then face and block are drawn, pair after pair, without a branch: most faces cover a dozen
 * pixels, and loops over so few are spent on guessing where they end. */
#include "draw.h"
#include "lanes_avx2.h"

#include <immintrin.h>
#include <string.h>

#define BELOW(set, lane)                                                                           \
  (((set) &1 && (lane) > 0) + ((set) >> 1 & 1 && (lane) > 1) + ((set) >> 2 & 1 && (lane) > 2) +    \
      ((set) >> 3 & 1 && (lane) > 3) + ((set) >> 4 & 1 && (lane) > 4) +                            \
      ((set) >> 5 & 1 && (lane) > 5) + ((set) >> 6 & 1 && (lane) > 6))
#define LANE(set, lane) ((set) >> (lane) &1 ? (uint64_t) (lane) << (8 * BELOW (set, lane)) : 0)
#define SET1(s)                                                                                    \
  LANE (s, 0) | LANE (s, 1) | LANE (s, 2) | LANE (s, 3) | LANE (s, 4) | LANE (s, 5) |              \
      LANE (s, 6) | LANE (s, 7)
#define SET4(s) SET1 (s), SET1 (s + 1), SET1 (s + 2), SET1 (s + 3)
#define SET16(s) SET4 (s), SET4 (s + 4), SET4 (s + 8), SET4 (s + 12)
#define SET64(s) SET16 (s), SET16 (s + 16), SET16 (s + 32), SET16 (s + 48)
const uint64_t ak_lanes_of[256] = { SET64 (0), SET64 (64), SET64 (128), SET64 (192) };

static inline __m256i
min3 (__m256i a, __m256i b, __m256i c)
{
  return _mm256_min_epi32 (_mm256_min_epi32 (a, b), c);
}

static inline __m256i
max3 (__m256i a, __m256i b, __m256i c)
{
  return _mm256_max_epi32 (_mm256_max_epi32 (a, b), c);
}

/* Vertex k of eight faces, whose indices are at i[0 … 7]. */
static inline void
load_points (__m256i *x, __m256i *y, const AkPoint *points, const uint32_t *const *i, int k)
{
#define POINT(a) _mm_castsi128_ps (_mm_loadl_epi64 ((const __m128i *) (points + i[a][k])))
#define PAIR(a, b) _mm_loadh_pi (POINT (a), (const __m64 *) (points + i[b][k]))
  __m256 p = _mm256_set_m128 (PAIR (4, 5), PAIR (0, 1)),
         q = _mm256_set_m128 (PAIR (6, 7), PAIR (2, 3));

#undef PAIR
#undef POINT
  *x = _mm256_castps_si256 (_mm256_shuffle_ps (p, q, 0x88));
  *y = _mm256_castps_si256 (_mm256_shuffle_ps (p, q, 0xdd));
}

/* r, g, b, q of vertex k of eight faces. */
static inline void
load_looks (__m256 out[4], const AkLook *looks, const uint32_t *const *i, int k)
{
#define PAIR(a)                                                                                    \
  _mm256_set_m128 (_mm_load_ps (&looks[i[a + 4][k]].r), _mm_load_ps (&looks[i[a][k]].r))
  __m256 a = PAIR (0), b = PAIR (1), c = PAIR (2), d = PAIR (3);
  __m256 ab0 = _mm256_unpacklo_ps (a, b), ab1 = _mm256_unpackhi_ps (a, b);
  __m256 cd0 = _mm256_unpacklo_ps (c, d), cd1 = _mm256_unpackhi_ps (c, d);

#undef PAIR
  out[0] = _mm256_shuffle_ps (ab0, cd0, 0x44);
  out[1] = _mm256_shuffle_ps (ab0, cd0, 0xee);
  out[2] = _mm256_shuffle_ps (ab1, cd1, 0x44);
  out[3] = _mm256_shuffle_ps (ab1, cd1, 0xee);
}

/* The lanes of `set` whose faces, too large for 32 bits, are turned to the camera. */
static unsigned
turned_large (const AkPoint *points, const uint32_t *const *i, unsigned set)
{
  unsigned turned = 0;

  for (unsigned lane = 0; lane < 8; lane++)
    if (set >> lane & 1)
      turned |=
          (unsigned) ak_face_is_turned (points[i[lane][0]], points[i[lane][1]], points[i[lane][2]])
          << lane;
  return turned;
}

static int32_t
least (__m256i v)
{
  int32_t a[8], m;

  store (a, v);
  m = a[0];
  for (int k = 1; k < 8; k++)
    m = a[k] < m ? a[k] : m;
  return m;
}

void
ak_cull_avx2 (const AkCpuMesh *mesh, const AkPoint *points, unsigned width, unsigned height,
    uint8_t *front, AkFaceList *list)
{
  const __m256i bad = _mm256_set1_epi32 (AK_POINT_BAD), large = _mm256_set1_epi32 (AK_DRAW_LARGE),
                up = _mm256_set1_epi32 (255), none = _mm256_set1_epi32 (INT32_MAX),
                bits = _mm256_setr_epi32 (1, 2, 4, 8, 16, 32, 64, 128);
  const int margin = 256 * AK_DRAW_MARGIN;
  const __m256i left = _mm256_set1_epi32 (-129), top = _mm256_set1_epi32 (-margin - 1),
                right = _mm256_set1_epi32 (256 * (int) width),
                bottom = _mm256_set1_epi32 (256 * (int) height + margin);
  /* the high ones are negated, so that all four want the least */
  __m256i low_x = none, low_y = none, high_x = none, high_y = none;
  __m256i number = _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7);
  size_t F = mesh->base.faces, n = 0;

  for (size_t f = 0; f < F; f += 8, number = _mm256_add_epi32 (number, _mm256_set1_epi32 (8))) {
    const uint32_t *first = mesh->indices + 3 * f;
    const uint32_t *const i[8] = { first, first + 3, first + 6, first + 9, first + 12, first + 15,
      first + 18, first + 21 };
    __m256i x[3], y[3], x0, y0, x1, y1, is_bad, is_large, turned, seen, empty, pack;
    __m128i half;
    unsigned set;

    for (int k = 0; k < 3; k++)
      load_points (&x[k], &y[k], points, i, k);
    is_bad = _mm256_or_si256 (_mm256_cmpeq_epi32 (x[0], bad),
        _mm256_or_si256 (_mm256_cmpeq_epi32 (x[1], bad), _mm256_cmpeq_epi32 (x[2], bad)));
    x0 = min3 (x[0], x[1], x[2]);
    y0 = min3 (y[0], y[1], y[2]);
    x1 = max3 (x[0], x[1], x[2]);
    y1 = max3 (y[0], y[1], y[2]);
    is_large = _mm256_or_si256 (_mm256_cmpgt_epi32 (_mm256_sub_epi32 (x1, x0), large),
        _mm256_cmpgt_epi32 (_mm256_sub_epi32 (y1, y0), large));
    turned = _mm256_cmpgt_epi32 (
        _mm256_mullo_epi32 (_mm256_sub_epi32 (x[2], x[0]), _mm256_sub_epi32 (y[1], y[0])),
        _mm256_mullo_epi32 (_mm256_sub_epi32 (x[1], x[0]), _mm256_sub_epi32 (y[2], y[0])));
    if (!_mm256_testz_si256 (is_large, is_large)) {
      __m256i exact = _mm256_set1_epi32 (
          (int) turned_large (points, i, lanes (_mm256_andnot_si256 (is_bad, is_large))));

      exact = _mm256_cmpeq_epi32 (_mm256_and_si256 (exact, bits), bits);
      turned = _mm256_blendv_epi8 (turned, exact, is_large);
    }
    turned = _mm256_andnot_si256 (is_bad, turned);
    half = _mm_packs_epi32 (_mm256_castsi256_si128 (turned), _mm256_extracti128_si256 (turned, 1));
    _mm_storel_epi64 ((__m128i *) (front + f), _mm_packs_epi16 (half, half));

    seen = _mm256_and_si256 (_mm256_cmpgt_epi32 (x1, left), _mm256_cmpgt_epi32 (y1, top));
    seen = _mm256_and_si256 (seen, _mm256_cmpgt_epi32 (right, x0));
    seen = _mm256_and_si256 (seen, _mm256_cmpgt_epi32 (bottom, y0));
    seen = _mm256_and_si256 (seen, turned);
    low_x = _mm256_min_epi32 (low_x, _mm256_blendv_epi8 (none, x0, seen));
    low_y = _mm256_min_epi32 (low_y, _mm256_blendv_epi8 (none, y0, seen));
    high_x = _mm256_min_epi32 (
        high_x, _mm256_blendv_epi8 (none, _mm256_sub_epi32 (_mm256_setzero_si256 (), x1), seen));
    high_y = _mm256_min_epi32 (
        high_y, _mm256_blendv_epi8 (none, _mm256_sub_epi32 (_mm256_setzero_si256 (), y1), seen));

    x0 = _mm256_srai_epi32 (_mm256_add_epi32 (x0, up), 8);
    y0 = _mm256_srai_epi32 (_mm256_add_epi32 (y0, up), 8);
    x1 = _mm256_srai_epi32 (x1, 8);
    y1 = _mm256_srai_epi32 (y1, 8);
    empty = _mm256_or_si256 (_mm256_cmpgt_epi32 (x0, x1), _mm256_cmpgt_epi32 (y0, y1));
    set = lanes (_mm256_andnot_si256 (empty, seen));
    pack = pack_lanes (set);
    store (list->face + n, _mm256_permutevar8x32_epi32 (
                               _mm256_or_si256 (number, _mm256_slli_epi32 (is_large, 31)), pack));
    store (list->top + n, _mm256_permutevar8x32_epi32 (y0, pack));
    store (list->bottom + n, _mm256_permutevar8x32_epi32 (y1, pack));
    n += (size_t) __builtin_popcount (set);
  }
  memset (front + F, 0, 4);
  list->n = n;
  list->x0 = least (low_x);
  list->y0 = least (low_y);
  list->x1 = -least (high_x);
  list->y1 = -least (high_y);
}

size_t
ak_edges_avx2 (const AkCpuMesh *mesh, const uint8_t *front, uint32_t *edges)
{
  __m256i number = _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7);
  size_t n = 0;

  for (size_t e = 0; e < mesh->n_edges; e += 8) {
    const __m256i *faces = (const __m256i *) (mesh->edge_faces + 2 * e);
    __m256i a = _mm256_i32gather_epi32 ((const int *) front, _mm256_loadu_si256 (faces), 1);
    __m256i b = _mm256_i32gather_epi32 ((const int *) front, _mm256_loadu_si256 (faces + 1), 1);
    unsigned set;

    /* in the highest bit of every even lane whether its two faces differ */
    a = _mm256_slli_epi32 (_mm256_xor_si256 (a, _mm256_srli_epi64 (a, 32)), 24);
    b = _mm256_slli_epi32 (_mm256_xor_si256 (b, _mm256_srli_epi64 (b, 32)), 24);
    a = _mm256_castps_si256 (
        _mm256_shuffle_ps (_mm256_castsi256_ps (a), _mm256_castsi256_ps (b), 0x88));
    set = lanes (_mm256_permute4x64_epi64 (a, 0xd8));
    store (edges + n, _mm256_permutevar8x32_epi32 (number, pack_lanes (set)));
    n += (size_t) __builtin_popcount (set);
    number = _mm256_add_epi32 (number, _mm256_set1_epi32 (8));
  }
  return n;
}

/* Eight faces, at the middle of the top left pixel of the first block of each. Edges are inside where they are >= 0. Values
 * are q and the colours, 256 times and half a byte more, so that a colour is the second byte. */
typedef struct
{
  uint32_t ab[3][8]; /* change of the edges per 1/256 pixel in x (low) and y (high 16 bits) */
  int32_t edge[3][8], corner[3][8];      /* and what they grow by, at most, inside a block */
  float value[4][8], dx[4][8], dy[4][8]; /* change per block */
  float high[8];                         /* of q */
  uint32_t part[8];                      /* in the place of alpha */
  int32_t block[8];                      /* the first one */
  int32_t columns[8], n[8];              /* blocks in a row and in all; n = 0: nothing to draw */
  int32_t inverse[8]; /* 2^20 / columns + 1: number * inverse >> 20 is the row of a block */
} Group;

/* A face inside a block: what to add for each pixel to what is known of the first one. */
typedef struct
{
  __m256i edge[3], red_blue, green;
  __m256 q, high;
} Face;

/* Eight blocks of a face: edges and values at each block's first pixel. */
typedef struct
{
  int32_t edge[3][8], red_blue[8], green[8];
  float q[8];
  uint32_t block[8]; /* bytes from the band's first */
} Blocks;

/* Faces in blocks, to be drawn in this order. */
#define MAX_BLOCKS 64
typedef struct
{
  Face faces[8];
  Blocks blocks[MAX_BLOCKS];
  Blocks none; /* the first one is the band's spare block, outside of every face */
  size_t n_blocks, n;
  uint32_t face[8 * MAX_BLOCKS + 8], at[8 * MAX_BLOCKS + 8]; /* bytes from `faces`, from `blocks` */
} Items;

/* x in the low and y in the high 16 bits. */
static inline __m256i
pair (__m256i x, __m256i y)
{
  return _mm256_blend_epi16 (x, _mm256_slli_epi32 (y, 16), 0xaa);
}

static inline __m256
floats (__m256i v)
{
  return _mm256_cvtepi32_ps (v);
}

static void
set_up (Group *g, const AkBand *band, const uint32_t *const *i, __m256i *first, __m256i *last)
{
  const __m256i zero = _mm256_setzero_si256 (), one = _mm256_set1_epi32 (1),
                up = _mm256_set1_epi32 (255), column0 = _mm256_set1_epi32 (band->column0),
                row0 = _mm256_set1_epi32 (band->row0);
  __m256i x[3], y[3], a[3], b[3], x0, y0, x1, y1, bad, columns, n;
  __m256 f[3][4], left, above, inverse, ix1, iy1, ix2, iy2;

  for (int k = 0; k < 3; k++)
    load_points (&x[k], &y[k], band->points, i, k);
  x0 = _mm256_srai_epi32 (_mm256_add_epi32 (min3 (x[0], x[1], x[2]), up), 8);
  y0 = _mm256_srai_epi32 (_mm256_add_epi32 (min3 (y[0], y[1], y[2]), up), 8);
  x1 = _mm256_srai_epi32 (max3 (x[0], x[1], x[2]), 8);
  y1 = _mm256_srai_epi32 (max3 (y[0], y[1], y[2]), 8);
  /* pixels of the band */
  x0 = _mm256_max_epi32 (_mm256_sub_epi32 (x0, column0), zero);
  y0 = _mm256_max_epi32 (_mm256_sub_epi32 (y0, row0), zero);
  x1 = _mm256_min_epi32 (_mm256_sub_epi32 (x1, column0), _mm256_set1_epi32 (4 * band->columns - 1));
  y1 = _mm256_min_epi32 (_mm256_sub_epi32 (y1, row0), _mm256_set1_epi32 (band->rows - 1));
  bad = _mm256_or_si256 (_mm256_cmpgt_epi32 (x0, x1), _mm256_cmpgt_epi32 (y0, y1));
  /* blocks */
  x0 = _mm256_srai_epi32 (x0, 2);
  y0 = _mm256_srai_epi32 (y0, 1);
  columns = _mm256_add_epi32 (_mm256_sub_epi32 (_mm256_srai_epi32 (x1, 2), x0), one);
  n = _mm256_add_epi32 (_mm256_sub_epi32 (_mm256_srai_epi32 (y1, 1), y0), one);
  n = _mm256_andnot_si256 (bad, _mm256_mullo_epi32 (n, columns));
  *first = _mm256_min_epi32 (*first, _mm256_or_si256 (x0, _mm256_srli_epi32 (bad, 1)));
  *last = _mm256_max_epi32 (*last, _mm256_or_si256 (_mm256_srai_epi32 (x1, 2), bad));
  store (g->columns, columns);
  store (g->n, n);
  store (g->inverse,
      _mm256_add_epi32 (
          _mm256_cvttps_epi32 (_mm256_div_ps (_mm256_set1_ps (1 << 20), floats (columns))), one));
  store (
      g->block, _mm256_add_epi32 (x0, _mm256_mullo_epi32 (y0, _mm256_set1_epi32 (band->columns))));
  /* 1/256 pixels again */
  x0 = _mm256_add_epi32 (_mm256_slli_epi32 (x0, 10), _mm256_slli_epi32 (column0, 8));
  y0 = _mm256_add_epi32 (_mm256_slli_epi32 (y0, 9), _mm256_slli_epi32 (row0, 8));
  for (int k = 0; k < 3; k++) {
    int next = k == 2 ? 0 : k + 1;
    __m256i out, ab, at, most;

    a[k] = _mm256_sub_epi32 (y[next], y[k]);
    b[k] = _mm256_sub_epi32 (x[k], x[next]);
    /* -1 where points on the edge belong to the neighbour: neither a > 0, nor a = 0 and b > 0 */
    out = _mm256_sub_epi32 (_mm256_add_epi32 (a[k], a[k]), _mm256_cmpgt_epi32 (b[k], zero));
    out = _mm256_cmpgt_epi32 (one, out);
    ab = pair (a[k], b[k]);
    at = _mm256_madd_epi16 (ab, pair (_mm256_sub_epi32 (x0, x[k]), _mm256_sub_epi32 (y0, y[k])));
    at = _mm256_add_epi32 (at, out);
    most = _mm256_max_epi32 (a[k], zero);
    most = _mm256_add_epi32 (
        _mm256_add_epi32 (most, most), _mm256_add_epi32 (most, _mm256_max_epi32 (b[k], zero)));
    store (g->ab[k], ab);
    store (g->edge[k], at);
    store (g->corner[k], _mm256_slli_epi32 (most, 8));
    load_looks (f[k], band->looks, i, k);
  }
  left = floats (_mm256_sub_epi32 (x0, x[0]));
  above = floats (_mm256_sub_epi32 (y0, y[0]));
  inverse = _mm256_div_ps (_mm256_set1_ps (1),
      floats (_mm256_sub_epi32 (_mm256_mullo_epi32 (b[0], a[2]), _mm256_mullo_epi32 (b[2], a[0]))));
  ix1 = _mm256_mul_ps (floats (b[0]), inverse); /* - (x1 - x0), … */
  iy1 = _mm256_mul_ps (floats (a[0]), inverse);
  ix2 = _mm256_mul_ps (floats (b[2]), inverse);
  iy2 = _mm256_mul_ps (floats (a[2]), inverse); /* - (y2 - y0) */
  for (int c = 0; c < 4; c++) {
    __m256 d1 = _mm256_sub_ps (f[0][c], f[1][c]), d2 = _mm256_sub_ps (f[0][c], f[2][c]);
    __m256 dx = _mm256_fmadd_ps (d1, iy2, _mm256_mul_ps (d2, iy1));
    __m256 dy = _mm256_fmadd_ps (d2, ix1, _mm256_mul_ps (d1, ix2));
    __m256 value = _mm256_fmadd_ps (dy, above, _mm256_fmadd_ps (dx, left, f[0][c]));
    float scale = c < 3 ? 256 : 1;

    if (c < 3)
      value = _mm256_fmadd_ps (value, _mm256_set1_ps (256), _mm256_set1_ps (128));
    _mm256_storeu_ps (g->value[c], value);
    _mm256_storeu_ps (g->dx[c], _mm256_mul_ps (dx, _mm256_set1_ps (1024 * scale)));
    _mm256_storeu_ps (g->dy[c], _mm256_mul_ps (dy, _mm256_set1_ps (512 * scale)));
  }
  _mm256_storeu_ps (g->high, _mm256_max_ps (_mm256_max_ps (f[0][3], f[1][3]), f[2][3]));
}

static inline __m256i
all (const void *v)
{
  return _mm256_castps_si256 (_mm256_broadcast_ss (v));
}

/* The group as seen from its face j, which has the place of face 0. */
static inline const Group *
face_of (const Group *g, size_t j)
{
  return (const Group *) ((const char *) g + j * sizeof (float));
}

static inline void
set_up_face (Face *f, const Group *g)
{
  const __m256i xy = _mm256_setr_epi32 (
      0, 256, 512, 768, 256 << 16, 256 + (256 << 16), 512 + (256 << 16), 768 + (256 << 16));
  const __m256 x = _mm256_setr_ps (0, 0.25f, 0.5f, 0.75f, 0, 0.25f, 0.5f, 0.75f);
  const __m256 y = _mm256_setr_ps (0, 0, 0, 0, 0.5f, 0.5f, 0.5f, 0.5f);
  __m256 value[4];

  for (int k = 0; k < 3; k++)
    f->edge[k] = _mm256_madd_epi16 (all (&g->ab[k][0]), xy);
  for (int c = 0; c < 4; c++)
    value[c] = _mm256_fmadd_ps (_mm256_broadcast_ss (&g->dx[c][0]), x,
        _mm256_mul_ps (_mm256_broadcast_ss (&g->dy[c][0]), y));
  f->red_blue = pair (_mm256_cvtps_epi32 (value[0]), _mm256_cvtps_epi32 (value[2]));
  f->green = _mm256_add_epi32 (_mm256_cvtps_epi32 (value[1]), all (&g->part[0]));
  f->q = value[3];
  f->high = _mm256_broadcast_ss (&g->high[0]);
}

/* A block as a face leaves it. */
typedef struct
{
  AkBlock *block;
  __m256 q, color;
} Drawn;

static inline Drawn
draw_block (const AkBand *band, const Face *f, const Blocks *b)
{
  const __m256i green_part = _mm256_set1_epi32 ((int) 0xff00ff00);
  AkBlock *block = (AkBlock *) ((char *) band->blocks + b->block[0]);
  __m256i outside, color;
  __m256 q, old, near;

#define AT(add, x) add (all (&b->x[0]), f->x)
  outside = _mm256_or_si256 (
      _mm256_or_si256 (AT (_mm256_add_epi32, edge[0]), AT (_mm256_add_epi32, edge[1])),
      AT (_mm256_add_epi32, edge[2]));
  q = _mm256_min_ps (_mm256_add_ps (_mm256_broadcast_ss (b->q), f->q), f->high);
  q = _mm256_blendv_ps (q, _mm256_setzero_ps (), _mm256_castsi256_ps (outside));
  old = _mm256_load_ps (block->q);
  near = _mm256_cmp_ps (q, old, _CMP_GT_OQ);
  color = _mm256_or_si256 (_mm256_srli_epi16 (AT (_mm256_add_epi16, red_blue), 8),
      _mm256_and_si256 (AT (_mm256_add_epi32, green), green_part));
#undef AT
  return (Drawn){ block, _mm256_max_ps (q, old),
    _mm256_blendv_ps (
        _mm256_load_ps ((const float *) block->color), _mm256_castsi256_ps (color), near) };
}

static inline void
store_block (const Drawn *d)
{
  _mm256_store_ps (d->block->q, d->q);
  _mm256_store_ps ((float *) d->block->color, d->color);
}

static void
draw_items (const AkBand *band, Items *items)
{
  for (size_t i = 0; i < items->n; i += 2) {
    const Face *f = (const Face *) ((const char *) items->faces + items->face[i]);
    const char *blocks = (const char *) items->blocks;
    Drawn a = draw_block (band, f, (const Blocks *) (blocks + items->at[i])),
          b = draw_block (band, f, (const Blocks *) (blocks + items->at[i + 1]));

    store_block (&a);
    store_block (&b);
  }
  items->n = items->n_blocks = 0;
}

/* Lists those of the eight blocks `number` of face j that are in `set` and may hold a middle inside the face; `g` is
 * face_of() it. Not inlined, as GCC would then compute the places of all that is read here before the loop, at a cost. */
static __attribute__ ((noinline)) void
list_blocks (
    Items *items, const AkBand *band, const Group *g, size_t j, __m256i number, unsigned set)
{
  Blocks *b = items->blocks + items->n_blocks;
  size_t n = items->n;
  __m256i y = _mm256_srli_epi32 (_mm256_mullo_epi32 (number, all (g->inverse)), 20);
  __m256i x = _mm256_sub_epi32 (number, _mm256_mullo_epi16 (y, all (g->columns)));
  __m256i xy = _mm256_or_si256 (_mm256_slli_epi32 (x, 10), _mm256_slli_epi32 (y, 25));
  __m256i outside = _mm256_setzero_si256 (), block;
  __m256 fx = _mm256_cvtepi32_ps (x), fy = _mm256_cvtepi32_ps (y), value[4];

  for (int k = 0; k < 3; k++) {
    __m256i edge = _mm256_add_epi32 (_mm256_madd_epi16 (all (g->ab[k]), xy), all (g->edge[k]));

    store (b->edge[k], edge);
    outside = _mm256_or_si256 (outside, _mm256_add_epi32 (edge, all (g->corner[k])));
  }
  for (int c = 0; c < 4; c++)
    value[c] = _mm256_fmadd_ps (_mm256_broadcast_ss (g->dx[c]), fx,
        _mm256_fmadd_ps (_mm256_broadcast_ss (g->dy[c]), fy, _mm256_broadcast_ss (g->value[c])));
  store (b->red_blue, pair (_mm256_cvtps_epi32 (value[0]), _mm256_cvtps_epi32 (value[2])));
  store (b->green, _mm256_cvtps_epi32 (value[1]));
  _mm256_storeu_ps (b->q, value[3]);
  block = _mm256_add_epi32 (_mm256_madd_epi16 (y, _mm256_set1_epi32 (band->columns)), x);
  block = _mm256_add_epi32 (block, all (g->block));
  store (b->block, _mm256_slli_epi32 (block, 6));

  set &= ~lanes (outside);
  store (items->at + n, _mm256_add_epi32 (_mm256_slli_epi32 (pack_lanes (set), 2),
                            _mm256_set1_epi32 ((int) (items->n_blocks * sizeof *b))));
  store (items->face + n, _mm256_set1_epi32 ((int) (j * sizeof *items->faces)));
  items->n = n + (size_t) __builtin_popcount (set);
  items->n_blocks++;
}

/* Makes the number of items even, the last one face j's. */
static inline void
fill_up (Items *items, size_t j)
{
  items->at[items->n] = sizeof items->blocks;
  items->face[items->n] = (uint32_t) (j * sizeof *items->faces);
  items->n += items->n & 1;
}

static void
draw_group (const AkBand *band, const uint32_t *faces, size_t n, __m256i *first, __m256i *last)
{
  const uint32_t *i[8];
  Items items;
  Group g;

  for (size_t j = 0; j < 8; j++) {
    uint32_t face = faces[j < n ? j : 0];

    i[j] = band->mesh->indices + 3 * (size_t) face;
    g.part[j] = (uint32_t) band->mesh->face_part[face] << 24;
  }
  set_up (&g, band, i, first, last);
  items.n = items.n_blocks = 0;
  items.none.block[0] = (uint32_t) (band->rows / 2 * band->columns) << 6;
  for (int k = 0; k < 3; k++)
    items.none.edge[k][0] = -(1 << 30);
  for (size_t j = 0; j < n; j++) {
    __m256i number = _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7);
    int left = g.n[j];

    set_up_face (&items.faces[j], face_of (&g, j));
    do {
      if (items.n_blocks == MAX_BLOCKS) {
        fill_up (&items, j);
        draw_items (band, &items);
      }
      list_blocks (&items, band, face_of (&g, j), j, number, 255u >> (left < 8 ? 8 - left : 0));
      number = _mm256_add_epi32 (number, _mm256_set1_epi32 (8));
      left -= 8;
    } while (left > 0);
    fill_up (&items, j);
  }
  draw_items (band, &items);
}

void
ak_faces_avx2 (AkBand *band, const AkFaceList *list)
{
  const __m256i before = _mm256_set1_epi32 (band->row0 - 1),
                end = _mm256_set1_epi32 (band->row0 + band->rows);
  __m256i first = _mm256_set1_epi32 (band->first), last = _mm256_set1_epi32 (band->last);
  uint32_t *faces = band->faces;
  int least_first, most_last;
  size_t n = 0, done = 0;

  /* without branches that would often be guessed wrongly */
  for (size_t i = 0; i < list->n; i += 8) {
    const __m256i top = _mm256_loadu_si256 ((const __m256i *) (list->top + i)),
                  bottom = _mm256_loadu_si256 ((const __m256i *) (list->bottom + i)),
                  numbers = _mm256_loadu_si256 ((const __m256i *) (list->face + i));
    unsigned set = lanes (_mm256_and_si256 (
                 _mm256_cmpgt_epi32 (bottom, before), _mm256_cmpgt_epi32 (end, top))),
             large;

    set &= 255u >> (list->n - i < 8 ? 8 - (list->n - i) : 0);
    large = set & lanes (numbers);
    for (; large && done + 8 <= n; done += 8)
      draw_group (band, faces + done, 8, &first, &last);
    set &= ~large;
    store (faces + n, _mm256_permutevar8x32_epi32 (numbers, pack_lanes (set)));
    n += (size_t) __builtin_popcount (set);
    for (; large; large &= large - 1)
      ak_face_plain (band, list->face[i + (size_t) __builtin_ctz (large)] & ~AK_FACE_LARGE);
  }
  for (; done < n; done += 8)
    draw_group (band, faces + done, n - done < 8 ? n - done : 8, &first, &last);
  least_first = least (first);
  most_last = -least (_mm256_sub_epi32 (_mm256_setzero_si256 (), last));
  band->first = least_first < band->first ? least_first : band->first;
  band->last = most_last > band->last ? most_last : band->last;
}
