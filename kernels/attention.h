/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Softmax attention over one or two segments of keys, head by head:
 *
 *   y[i][h] = Σ_j softmax_j (scale · q[i][h] · k[j][h]) v[j][h],   j over segment 0, then segment 1.
 *
 * q and y: `rows` rows of heads · dim columns. Segment s: `count` rows of k and v, heads · dim columns
 * each; count may be 0 for one of the two. `window` 0: every query sees every key. Otherwise query i is at position
 * (keys in all) - rows + i and sees only the keys with position - window < j <= position (a causal
 * window, counting itself). y may be q. Agreement within 2e-6 times the largest |v|.
 *
 * `like`: a matrix of the products that q, k and v came from, or NULL. If it is of AK_BF16 a device may take q, k, v and
 * the weights to 16 bits (bfloat16 has 8): agreement within 2e-5 (1 + the largest score) times the largest |v|. */
#pragma once

#include "matrix.h"
#include "plan.h"
#include "rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct
{
  AkRows k, v;
  size_t count;
} AkKeys;

typedef struct
{
  AkRows y, q;
  AkKeys keys[2];
  size_t batch, rows, heads, dim;
  float scale;
  size_t window;
  const AkMatrix *like;
} AkAttention;

void ak_attention (AkPlan *plan, const AkAttention *args);

#ifdef __cplusplus
}
#endif
