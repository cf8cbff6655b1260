/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Views of device memory that the operations share.
 *
 * Every operation works on `batch` × `rows` rows of some length; a view says where each row starts:
 * row r of batch item b is at data + b * batch + r * row. The columns of a row are adjacent. A stride of
 * 0 repeats the same row, so a bias-like vector is a view with row = batch = 0. A view without data
 * stands for an absent operand. Unless a header says otherwise no two operands overlap. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct
{
  float *data;
  size_t row, batch; /* strides in elements */
} AkRows;

typedef struct
{
  uint8_t *data; /* 0 or 1 */
  size_t row, batch;
} AkBits;

/* A dense [batch][rows][cols]. */
static inline AkRows
ak_dense (float *data, size_t rows, size_t cols)
{
  AkRows v = { data, cols, rows * cols };

  return v;
}

/* One vector for every row of every batch item. */
static inline AkRows
ak_same (float *data)
{
  AkRows v = { data, 0, 0 };

  return v;
}

/* The view from row `row` and column `col` on. */
static inline AkRows
ak_from (AkRows v, size_t row, size_t col)
{
  if (v.data)
    v.data += row * v.row + col;
  return v;
}
