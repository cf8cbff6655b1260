/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products with weights packed in panels of 16 columns, and their epilogue. */
#include "cpu.h"
#include "finish_avx2.h"
#include "tile_avx2.h"

void
ak_finish_avx2 (const AkPanels *p, const float *t, size_t rows)
{
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < p->n; c += 16)
      ak_finish16 (p, r, c, p->n - c < 16 ? p->n - c : 16, t + r * p->n + c);
}

/* The panel of the columns from `col` on. */
AK_INLINE const void *
panel_at (const AkPanels *p, int bf16, size_t col)
{
  return (const char *) p->panels + col * p->k * (bf16 ? 2 : 4);
}

/* `rows` (1 to 3) rows and several panels at once, so that enough sums are under way. */
AK_INLINE size_t
few_rows (int rows, int panels, int bf16, const AkPanels *p, size_t row, size_t col, size_t col1)
{
  float t[6 * 64];

  for (; col + 16 * (size_t) panels <= col1; col += 16 * (size_t) panels) {
    ak_tile (rows, panels, bf16, t, 64, p->x + row * p->x_row, p->x_row, panel_at (p, bf16, col),
        16 * p->k, 16, p->k,
        rows > 1 ? panel_at (p, bf16, col + 16 * (size_t) panels)
                 : NULL, /* one row only waits for memory */
        (size_t) panels * (bf16 ? 32 : 64));
    for (size_t r = 0; r < (size_t) rows; r++)
      for (size_t c = 0; c < 16 * (size_t) panels; c += 16)
        ak_finish16 (p, row + r, col + c, 16, t + 64 * r + c);
  }
  return col;
}

AK_INLINE void
product (const AkPanels *p, int bf16, size_t row0, size_t row1, size_t col0, size_t col1)
{
  float t[6 * 16];

  if (row0 >= row1)
    return;
  if (row1 - row0 == 1)
    col0 = few_rows (1, 4, bf16, p, row0, col0, col1);
  else if (row1 - row0 == 2)
    col0 = few_rows (2, 2, bf16, p, row0, col0, col1);
  else if (row1 - row0 == 3)
    col0 = few_rows (3, 2, bf16, p, row0, col0, col1);
  for (size_t c = col0; c < col1; c += 16) {
    size_t n = col1 - c < 16 ? col1 - c : 16, pieces = (row1 - row0 + 5) / 6, rows;
    /* weights come from afar: each piece of rows fetches its share of the next panel, wherever that is */
    const char *ahead = panel_at (p, bf16, c + 16);
    const size_t step = (bf16 ? 32 : 64) / pieces;

    for (size_t r = row0, left = pieces; r < row1; r += rows, left--) {
      rows = (row1 - r + left - 1) / left; /* even pieces: one row alone is slow */
      ak_tile_rows (rows, bf16, t, 16, p->x + r * p->x_row, p->x_row, panel_at (p, bf16, c), 16,
          p->k, ahead, step);
      ahead += step * p->k;
      for (size_t i = 0; i < rows; i++)
        ak_finish16 (p, r + i, c, n, t + 16 * i);
    }
  }
}

void
ak_panels_avx2 (const AkPanels *p, size_t row0, size_t row1, size_t col0, size_t col1)
{
  if (p->bf16)
    product (p, 1, row0, row1, col0, col1);
  else
    product (p, 0, row0, row1, col0, col1);
}
