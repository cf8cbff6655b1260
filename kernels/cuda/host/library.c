/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Products by their definition. */
#include "dot.h"
#include "../library.h"

#include <stdlib.h>
#include <string.h>

struct AkLibrary
{
  int unused;
};

AkLibrary *
ak_library_open (AkConvBy by, char *problem, size_t problem_size)
{
  (void) by;
  (void) problem;
  (void) problem_size;
  return calloc (1, sizeof (AkLibrary));
}

void
ak_library_close (AkLibrary *library)
{
  free (library);
}

static float
from_bf16 (uint16_t h)
{
  uint32_t u = (uint32_t) h << 16;
  float x;

  memcpy (&x, &u, sizeof x);
  return x;
}

#define DOT(name, type, value)                                                                     \
  static double name (const type *restrict a, const type *restrict b, size_t n)                    \
  {                                                                                                \
    double s[8] = { 0 };                                                                           \
    size_t i = 0;                                                                                  \
                                                                                                   \
    for (; i + 8 <= n; i += 8)                                                                     \
      for (size_t j = 0; j < 8; j++)                                                               \
        s[j] += (double) value (a[i + j]) * value (b[i + j]);                                      \
    for (; i < n; i++)                                                                             \
      s[0] += (double) value (a[i]) * value (b[i]);                                                \
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));                      \
  }

DOT (dot, float, )
DOT (dot_bf16, uint16_t, from_bf16)

double
ak_host_dot (const void *a, size_t a_at, const void *b, size_t b_at, size_t n, int bf16)
{
  return bf16 ? dot_bf16 ((const uint16_t *) a + a_at, (const uint16_t *) b + b_at, n)
              : dot ((const float *) a + a_at, (const float *) b + b_at, n);
}

static void
run (const AkAt *at, const void *args)
{
  const AkGemm *g = args;
  const void *xs = g->x ? g->x : at->scratch + g->x_scratch;
  float *ys = g->y ? g->y : (float *) (at->scratch + g->y_scratch);

  for (size_t b = 0; b < g->batch; b++)
    for (size_t j = 0; j < g->n; j++)
      for (size_t i = 0; i < g->m; i++) {
        size_t x = b * g->x_batch + i * g->x_row, w = b * g->w_batch + j * g->w_row;
        float v = (float) ak_host_dot (xs, x, g->w, w, g->k, g->bf16);

        if (g->bias)
          v += g->bias[j];
        if (g->c)
          v += g->c[b * g->c_batch + i * g->c_row + j];
        ys[b * g->y_batch + i * g->y_row + j] = v;
      }
}

/* What cuBLASLt refuses: rows that overlap, and rows that do not start where they should. */
static int
is_regular (const AkGemm *g)
{
  if (g->m > 1 && (g->x_row < g->k || g->y_row < g->n || (g->c && g->c_row < g->n)))
    return 0;
  return g->w_row >= g->k &&
         !(g->bf16 && (g->x_row % 8 || g->w_row % 8 || g->x_scratch % 16 || (size_t) g->x % 16));
}

int
ak_library_gemm (AkPlan *plan, const AkGemm *gemm)
{
  if (!is_regular (gemm))
    return 0;
  ak_cuda_scratch (plan, gemm->scratch);
  ak_cuda_append (plan, run, NULL, gemm, sizeof *gemm);
  return 1;
}
