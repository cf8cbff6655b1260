/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"
#include "math_avx2.h"
#include "tile_avx2.h"

#include <math.h>
#include <string.h>

/* With fewer rows than this, turning the keys into panels costs more than it saves. */
#define PACK_ROWS 4

static size_t
up16 (size_t n)
{
  return (n + 15) / 16 * 16;
}

size_t
ak_attention_scratch (const AkAttention *a)
{
  size_t keys = up16 (a->keys[0].count + a->keys[1].count);

  return keys * a->dim + keys * up16 (a->dim) + 6 * keys;
}

/* The keys a query may see. */
static void
seen (const AkAttention *a, size_t row, size_t keys, size_t *lo, size_t *hi)
{
  *lo = 0;
  *hi = keys;
  if (a->window) {
    *hi = keys - a->rows + row + 1;
    *lo = *hi > a->window ? *hi - a->window : 0;
  }
}

/* Scores s[lo … hi-1] to weights, zeros elsewhere up to `padded`; returns 1 / their sum. */
static float
softmax (float *s, size_t lo, size_t hi, size_t padded, float scale)
{
  __m256 m = _mm256_set1_ps (-INFINITY), sum = _mm256_setzero_ps (), f = _mm256_set1_ps (scale);
  float lanes[8], top;

  for (size_t j = lo; j < hi; j += 8) {
    __m256i mask = ak_mask8_of (hi - j);
    __m256 v = _mm256_mul_ps (ak_load8 (s + j, hi - j >= 8, mask), f);

    m = _mm256_max_ps (m, _mm256_blendv_ps (m, v, _mm256_castsi256_ps (mask)));
  }
  _mm256_storeu_ps (lanes, m);
  top = lanes[0];
  for (int j = 1; j < 8; j++)
    top = lanes[j] > top ? lanes[j] : top;
  m = _mm256_set1_ps (top);
  for (size_t j = lo; j < hi; j += 8) {
    int whole = hi - j >= 8;
    __m256i mask = ak_mask8_of (hi - j);
    __m256 v = ak_exp8 (_mm256_fmsub_ps (ak_load8 (s + j, whole, mask), f, m));

    v = _mm256_and_ps (v, _mm256_castsi256_ps (mask));
    sum = _mm256_add_ps (sum, v);
    ak_store8 (s + j, whole, mask, v);
  }
  memset (s, 0, lo * sizeof *s);
  memset (s + hi, 0, (padded - hi) * sizeof *s);
  return 1.0f / ak_sum8 (sum);
}

static float
dot (const float *a, const float *b, size_t n)
{
  __m256 s = _mm256_setzero_ps ();

  for (size_t c = 0; c < n; c += 8) {
    int whole = n - c >= 8;
    __m256i mask = ak_mask8_of (n - c);

    s = _mm256_fmadd_ps (ak_load8 (a + c, whole, mask), ak_load8 (b + c, whole, mask), s);
  }
  return ak_sum8 (s);
}

/* y = Σ_j s[j] v_j · inv for 8 · `vectors` columns from `at` on, or those in `mask` of 8. */
AK_INLINE void
few_columns (const AkAttention *a, size_t b, size_t at, int vectors, __m256i mask, float *y,
    const float *s, float inv)
{
  const int whole = vectors > 1;
  __m256 sum[8];

#pragma GCC unroll 8
  for (int i = 0; i < vectors; i++)
    sum[i] = _mm256_setzero_ps ();
  for (int seg = 0; seg < 2; seg++) {
    const float *v = a->keys[seg].v.data + b * a->keys[seg].v.batch + at;

    for (size_t j = 0; j < a->keys[seg].count; j++, v += a->keys[seg].v.row) {
      __m256 weight = _mm256_broadcast_ss (s++);

#pragma GCC unroll 8
      for (int i = 0; i < vectors; i++)
        sum[i] = _mm256_fmadd_ps (weight, ak_load8 (v + 8 * i, whole, mask), sum[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < vectors; i++)
    ak_store8 (y + 8 * i, whole, mask, _mm256_mul_ps (sum[i], _mm256_set1_ps (inv)));
}

static void
few_rows (const AkAttention *a, size_t b, size_t head, size_t row0, size_t row1, float *s)
{
  size_t keys = a->keys[0].count + a->keys[1].count, at = head * a->dim;

  for (size_t r = row0; r < row1; r++) {
    const float *q = a->q.data + b * a->q.batch + r * a->q.row + at;
    float *y = a->y.data + b * a->y.batch + r * a->y.row + at, inv;
    size_t lo, hi, c, j = 0;

    seen (a, r, keys, &lo, &hi);
    for (int seg = 0; seg < 2; seg++) {
      const float *k = a->keys[seg].k.data + b * a->keys[seg].k.batch + at;

      for (size_t i = 0; i < a->keys[seg].count; i++, j++)
        s[j] = dot (q, k + i * a->keys[seg].k.row, a->dim);
    }
    inv = softmax (s, lo, hi, keys, a->scale);
    c = 0;
    for (; c + 64 <= a->dim; c += 64)
      few_columns (a, b, at + c, 8, ak_mask8 (8), y + c, s, inv);
    for (; c < a->dim; c += 8)
      few_columns (a, b, at + c, 1, ak_mask8_of (a->dim - c), y + c, s, inv);
  }
}

/* kt: [ceil (keys / 16)][dim][16], the keys as panels; vp: [ceil (dim / 16)][keys][16], the values. */
static void
pack (const AkAttention *a, size_t b, size_t head, float *kt, float *vp)
{
  size_t keys = a->keys[0].count + a->keys[1].count, padded = up16 (keys), dim = a->dim, j = 0;

  for (int seg = 0; seg < 2; seg++) {
    const AkKeys *s = &a->keys[seg];

    for (size_t i = 0; i < s->count; i++, j++) {
      const float *k = s->k.data + b * s->k.batch + i * s->k.row + head * dim;
      const float *v = s->v.data + b * s->v.batch + i * s->v.row + head * dim;
      float *to = kt + j / 16 * 16 * dim + j % 16;

      for (size_t c = 0; c < dim; c++)
        to[16 * c] = k[c];
      for (size_t c = 0; c < dim; c += 16) {
        float *panel = vp + c * padded + 16 * j;
        size_t n = dim - c < 16 ? dim - c : 16;

        memcpy (panel, v + c, n * sizeof *v);
        memset (panel + n, 0, (16 - n) * sizeof *v);
      }
    }
  }
  for (; j < padded; j++)
    for (size_t c = 0; c < dim; c++)
      kt[j / 16 * 16 * dim + 16 * c + j % 16] = 0;
}

void
ak_attention_avx2 (
    const AkAttention *a, size_t b, size_t head, size_t row0, size_t row1, float *scratch)
{
  size_t keys = a->keys[0].count + a->keys[1].count, padded = up16 (keys), dim = a->dim;
  float *kt = scratch, *vp = kt + padded * dim, *s = vp + padded * up16 (dim);

  if (row1 - row0 < PACK_ROWS) {
    few_rows (a, b, head, row0, row1, scratch);
    return;
  }
  pack (a, b, head, kt, vp);
  for (size_t r = row0; r < row1; r += 6) {
    size_t rows = row1 - r < 6 ? row1 - r : 6;
    const float *q = a->q.data + b * a->q.batch + r * a->q.row + head * dim;
    float *y = a->y.data + b * a->y.batch + r * a->y.row + head * dim, inv[6], t[6 * 16];

    for (size_t j = 0; j < padded; j += 16)
      ak_tile_rows (rows, 0, s + j, padded, q, a->q.row, kt + j * dim, 16, dim, NULL, 0);
    for (size_t i = 0; i < rows; i++) {
      size_t lo, hi;

      seen (a, r + i, keys, &lo, &hi);
      inv[i] = softmax (s + i * padded, lo, hi, padded, a->scale);
    }
    for (size_t c = 0; c < dim; c += 16) {
      size_t n = dim - c < 16 ? dim - c : 16;

      ak_tile_rows (rows, 0, t, 16, s, padded, vp + c * padded, 16, keys, NULL, 0);
      for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j += 8) {
          ak_store8 (y + i * a->y.row + c + j, n - j >= 8, ak_mask8_of (n - j),
              _mm256_mul_ps (_mm256_loadu_ps (t + 16 * i + j), _mm256_set1_ps (inv[i])));
        }
    }
  }
}
