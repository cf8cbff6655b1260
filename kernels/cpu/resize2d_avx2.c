/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Linear resizing of images with the channels in vectors. */
#include "math_avx2.h"
#include "resize2d.h"

#define FEW 4       /* channels that are taken together across */
#define WIDEST 8192 /* numbers of a row that fit the stack */

/* The same numbers for a dense row x0, x1 → y of few channels: down first, whole vectors of it. */
static void
resize_few (const AkResizer *f, const AkTaps *down, const float *x0, const float *x1, float *y,
    size_t n, size_t from, size_t to)
{
  __m256 d0 = _mm256_set1_ps ((float) f->down_weights[down->at]);
  __m256 d1 = _mm256_set1_ps ((float) f->down_weights[down->at + 1]);
  const AkTaps *rightmost = f->across + to - 1;
  size_t numbers = (rightmost->first + rightmost->count) * n, end = to * n;
  _Alignas(32) float row[WIDEST + 8];

  for (size_t i = f->across[from].first * n; i < numbers; i += 8) {
    int whole = numbers - i >= 8;
    __m256i mask = ak_mask8 (whole ? 8 : numbers - i);
    __m256 v = _mm256_mul_ps (d0, ak_load8 (x0 + i, whole, mask));

    _mm256_storeu_ps (row + i, _mm256_fmadd_ps (d1, ak_load8 (x1 + i, whole, mask), v));
  }
  _mm256_storeu_ps (row + numbers, _mm256_setzero_ps ()); /* read, but not used */
  for (size_t q = from; q < to; q++) {
    const AkTaps *across = &f->across[q];
    const double *weights = f->across_weights + across->at;
    const float *left = row + across->first * n, *right = across->count > 1 ? left + n : left;
    __m128 v = _mm_mul_ps (_mm_set1_ps ((float) weights[0]), _mm_loadu_ps (left));

    v = _mm_fmadd_ps (_mm_set1_ps ((float) weights[1]), _mm_loadu_ps (right), v);
    if (q * n + FEW <= end) { /* what it writes too much is written again */
      _mm_storeu_ps (y + q * n, v);
    } else {
      _Alignas(16) float last[FEW];

      _mm_store_ps (last, v);
      for (size_t c = 0; c < n; c++)
        y[q * n + c] = last[c];
    }
  }
}

void
ak_resize2d_linear_avx2 (const void *args, size_t from, size_t to)
{
  const AkResizer *f = args;
  const AkResize2d *a = &f->a;
  int few = a->channels <= FEW && a->x.row == a->channels && a->y.row == a->channels &&
            a->in_width <= WIDEST / a->channels;

  for (size_t i = f->first + from; i < f->first + to; i++) {
    const AkTaps *down = &f->down[i % a->out_height];
    __m256 d0 = _mm256_set1_ps ((float) f->down_weights[down->at]);
    __m256 d1 = _mm256_set1_ps ((float) f->down_weights[down->at + 1]);
    const float *x0 =
        a->x.data + i / a->out_height * a->x.batch + down->first * a->in_width * a->x.row;
    const float *x1 = down->count > 1 ? x0 + a->in_width * a->x.row : x0;
    float *y =
        a->y.data + i / a->out_height * a->y.batch + i % a->out_height * a->out_width * a->y.row;
    size_t first, end;

    ak_resizer_span (f, i, &first, &end);
    if (first >= end)
      continue;
    if (few) {
      resize_few (f, down, x0, x1, y, a->channels, first, end);
      continue;
    }
    y += first * a->y.row;
    for (size_t q = first; q < end; q++, y += a->y.row) {
      const AkTaps *across = &f->across[q];
      __m256 c0 = _mm256_set1_ps ((float) f->across_weights[across->at]);
      __m256 c1 = _mm256_set1_ps ((float) f->across_weights[across->at + 1]);
      size_t left = across->first * a->x.row, right = across->count > 1 ? left + a->x.row : left;

      for (size_t c = 0; c < a->channels; c += 8) {
        int whole = a->channels - c >= 8;
        __m256i mask = ak_mask8 (whole ? 8 : a->channels - c);
        __m256 v0, v1;

        v0 = _mm256_mul_ps (d0, ak_load8 (x0 + left + c, whole, mask));
        v0 = _mm256_fmadd_ps (d1, ak_load8 (x1 + left + c, whole, mask), v0);
        v1 = _mm256_mul_ps (d0, ak_load8 (x0 + right + c, whole, mask));
        v1 = _mm256_fmadd_ps (d1, ak_load8 (x1 + right + c, whole, mask), v1);
        ak_store8 (y + c, whole, mask, _mm256_fmadd_ps (c1, v1, _mm256_mul_ps (c0, v0)));
      }
    }
  }
}
