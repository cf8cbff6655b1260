/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional convolution as sums of products: a row of a window is adjacent in memory. */
#include "conv2d.h"
#include "finish_avx2.h"

#define NARROW 10 /* windows at a time where half of a panel is empty */

/* t[i][j] of `rows` and `vectors` of 8 columns (constants of the caller) of one panel; in order over the window, one
 * fused rounding a step. */
AK_INLINE void
window_tile (
    int rows, int vectors, float *t, const float *const *x, const float *b, const AkWindows *w)
{
  __m256 acc[NARROW][2];

#pragma GCC unroll 10
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      acc[i][v] = _mm256_setzero_ps ();
  for (size_t r = 0; r < w->side; r++) {
    const float *at[NARROW];

#pragma GCC unroll 10
    for (int i = 0; i < rows; i++)
      at[i] = x[i] + r * w->row;
#pragma GCC unroll 2
    for (size_t j = 0; j < w->span; j++) {
      __m256 from[2];

#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++)
        from[v] = _mm256_loadu_ps (b + 8 * v);
      b += 16;
#pragma GCC unroll 10
      for (int i = 0; i < rows; i++) {
        __m256 a = _mm256_broadcast_ss (at[i] + j);

#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
          acc[i][v] = _mm256_fmadd_ps (a, from[v], acc[i][v]);
      }
    }
  }
#pragma GCC unroll 10
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
      _mm256_storeu_ps (t + 16 * i + 8 * v, acc[i][v]);
}

/* The next window, and how many there are from it to the end of its row. */
typedef struct
{
  const float *x;
  size_t left;
} Place;

AK_INLINE const float *
next_window (const AkWindows *w, Place *at)
{
  const float *x = at->x;

  if (--at->left) {
    at->x += w->step;
  } else {
    at->x += w->down - (w->out_width - 1) * w->step;
    at->left = w->out_width;
  }
  return x;
}

void
ak_conv2d_avx2 (const AkWindows *w, size_t pixel0, size_t pixel1, size_t col0, size_t col1)
{
  const AkPanels *p = &w->p;
  size_t row = pixel0 / w->out_width, column = pixel0 % w->out_width;
  const Place first = { p->x + row * w->down + column * w->step, w->out_width - column };

  for (size_t c = col0; c < col1; c += 16) {
    size_t n = col1 - c < 16 ? col1 - c : 16;
    const float *panel = (const float *) p->panels + c * p->k;
    size_t i = pixel0;
    Place at = first;

    for (; n <= 8 && i + NARROW <= pixel1; i += NARROW) {
      const float *x[NARROW];
      float t[NARROW * 16];

      for (size_t j = 0; j < NARROW; j++)
        x[j] = next_window (w, &at);
      window_tile (NARROW, 1, t, x, panel, w);
      for (size_t j = 0; j < NARROW; j++)
        ak_finish16 (p, i + j, c, n, t + 16 * j);
    }
    for (size_t rows, left = (pixel1 - i + 5) / 6; i < pixel1; i += rows, left--) {
      const float *x[6];
      float t[6 * 16];

      rows = (pixel1 - i + left - 1) / left; /* even pieces, as in ak_panels_avx2() */
      for (size_t j = 0; j < rows; j++)
        x[j] = next_window (w, &at);
      switch (rows) {
        case 1:
          window_tile (1, 2, t, x, panel, w);
          break;
        case 2:
          window_tile (2, 2, t, x, panel, w);
          break;
        case 3:
          window_tile (3, 2, t, x, panel, w);
          break;
        case 4:
          window_tile (4, 2, t, x, panel, w);
          break;
        case 5:
          window_tile (5, 2, t, x, panel, w);
          break;
        default:
          window_tile (6, 2, t, x, panel, w);
          break;
      }
      for (size_t j = 0; j < rows; j++)
        ak_finish16 (p, i + j, c, n, t + 16 * j);
    }
  }
}
