/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two-dimensional convolution as sums of products: a row of a window is adjacent in memory. */
#include "conv2d.h"
#include "finish_avx2.h"

/* t[i][j] of `rows` (a constant of the caller) windows and one panel; in order over the window, one
 * fused rounding a step. */
AK_INLINE void
window_tile (int rows, float *t, const float *const *x, const float *b, const AkWindows *w)
{
  __m256 acc[6][2];

#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
    acc[i][0] = acc[i][1] = _mm256_setzero_ps ();
  for (size_t r = 0; r < w->side; r++) {
    const float *at[6];

#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
      at[i] = x[i] + r * w->row;
#pragma GCC unroll 2
    for (size_t j = 0; j < w->span; j++) {
      __m256 w0 = _mm256_loadu_ps (b), w1 = _mm256_loadu_ps (b + 8);

      b += 16;
#pragma GCC unroll 6
      for (int i = 0; i < rows; i++) {
        __m256 a = _mm256_broadcast_ss (at[i] + j);

        acc[i][0] = _mm256_fmadd_ps (a, w0, acc[i][0]);
        acc[i][1] = _mm256_fmadd_ps (a, w1, acc[i][1]);
      }
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++) {
    _mm256_storeu_ps (t + 16 * i, acc[i][0]);
    _mm256_storeu_ps (t + 16 * i + 8, acc[i][1]);
  }
}

void
ak_conv2d_avx2 (const AkWindows *w, size_t pixel0, size_t pixel1, size_t col0, size_t col1)
{
  const AkPanels *p = &w->p;

  for (size_t c = col0; c < col1; c += 16) {
    size_t n = col1 - c < 16 ? col1 - c : 16;
    const float *panel = (const float *) p->panels + c * p->k;

    for (size_t i = pixel0, rows, left = (pixel1 - pixel0 + 5) / 6; i < pixel1; i += rows, left--) {
      const float *x[6];
      float t[6 * 16];

      rows = (pixel1 - i + left - 1) / left; /* even pieces, as in ak_panels_avx2() */
      for (size_t j = 0; j < rows; j++)
        x[j] = p->x + (i + j) / w->out_width * w->down + (i + j) % w->out_width * w->step;
      switch (rows) {
        case 1:
          window_tile (1, t, x, panel, w);
          break;
        case 2:
          window_tile (2, t, x, panel, w);
          break;
        case 3:
          window_tile (3, t, x, panel, w);
          break;
        case 4:
          window_tile (4, t, x, panel, w);
          break;
        case 5:
          window_tile (5, t, x, panel, w);
          break;
        default:
          window_tile (6, t, x, panel, w);
          break;
      }
      for (size_t j = 0; j < rows; j++)
        ak_finish16 (p, i + j, c, n, t + 16 * j);
    }
  }
}
