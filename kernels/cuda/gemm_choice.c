/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gemm_choice.h"

#include <stdlib.h>
#include <string.h>

#define MOST_SUMMANDS ((double) ((uint64_t) 1 << 35))
#define CLEARLY 0.97f /* of the time of the one before */

int
ak_gemm_by (const char *text, int *measured)
{
  *measured = !text || strcmp (text, "measured") == 0;
  return *measured || strcmp (text, "expected") == 0;
}

int
ak_gemm_is_short (const AkGemm *g)
{
  return (double) g->m * (double) g->n * (double) g->k * (double) g->batch <= MOST_SUMMANDS;
}

static uint32_t
alignment (size_t at, size_t row, size_t batch, size_t element)
{
  size_t bits = at | row * element | batch * element | 256;

  return (uint32_t) (bits & -bits);
}

void
ak_gemm_key (AkGemmKey *key, const AkGemm *g, int card)
{
  size_t element = g->bf16 ? 2 : 4;

  *key = (AkGemmKey){ .m = g->m,
    .n = g->n,
    .k = g->k,
    .batch = g->batch,
    .x_row = g->x_row,
    .x_batch = g->x_batch,
    .w_row = g->w_row,
    .w_batch = g->w_batch,
    .y_row = g->y_row,
    .y_batch = g->y_batch,
    .c_row = g->c ? g->c_row : 0,
    .c_batch = g->c ? g->c_batch : 0,
    .card = (uint32_t) card,
    .bf16 = g->bf16 != 0,
    .has_bias = g->bias != NULL,
    .has_c = g->c ? 1 + (g->c == g->y) : 0 };
  key->x_align = alignment (g->x ? (size_t) g->x : g->x_scratch, g->x_row, g->x_batch, element);
  key->w_align = alignment ((size_t) g->w, g->w_row, g->w_batch, element);
  key->y_align = alignment (g->y ? (size_t) g->y : g->y_scratch, g->y_row, g->y_batch, 4);
  key->c_align = g->c ? alignment ((size_t) g->c, g->c_row, g->c_batch, 4) : key->y_align;
}

const void *
ak_gemm_find (const AkGemmChoices *choices, const AkGemmKey *key)
{
  const char *at = choices->list;

  for (size_t i = 0; i < choices->n; i++, at += sizeof *key + choices->bytes)
    if (memcmp (at, key, sizeof *key) == 0)
      return at + sizeof *key;
  return NULL;
}

int
ak_gemm_keep (AkGemmChoices *choices, const AkGemmKey *key, const void *choice)
{
  size_t element = sizeof *key + choices->bytes;
  char *grown = realloc (choices->list, (choices->n + 1) * element), *to;

  if (!grown)
    return 0;
  choices->list = grown;
  to = grown + choices->n++ * element;
  memcpy (to, key, sizeof *key);
  memcpy (to + sizeof *key, choice, choices->bytes);
  return 1;
}

void
ak_gemm_forget (AkGemmChoices *choices)
{
  free (choices->list);
  choices->list = NULL;
  choices->n = 0;
}

size_t
ak_gemm_best (const float *times, size_t n)
{
  size_t best = n;

  for (size_t i = 0; i < n; i++)
    if (times[i] >= 0 && (best == n || times[i] < CLEARLY * times[best]))
      best = i;
  return best;
}
