/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <math.h>
#include <string.h>

/* NaN becomes 0 */
static float
clamp (float v)
{
  return v > 0 ? v < 1 ? v : 1 : 0;
}

static void
compose_rows (const void *args, size_t from, size_t to)
{
  const AkCompose *o = args;
  int replace = o->mode == AK_COMPOSE_REPLACE, over = !replace && o->background[3] != 0;

  for (size_t i = from; i < to; i++) {
    const float *refined = o->refined.data ? o->refined.data + i * o->refined.row : NULL;
    const float *splats = replace ? NULL : o->splats.data + i * o->splats.row;
    float a = clamp (1 - o->transmittance[i]), *y = o->y.data + i * o->y.row;

    for (int c = 0; c < 3; c++) {
      float d = refined ? 2 * refined[c] - 1 : 0;

      if (replace)
        y[c] = clamp (refined[c]);
      else if (over)
        y[c] = clamp (splats[c] + a * d) + (1 - a) * o->background[c];
      else
        y[c] = a < 1 / 255.0f ? 0 : clamp (splats[c] / a + d);
    }
    y[3] = a;
  }
}

static void
compose_record (AkPlan *plan, const AkCompose *args)
{
  AkRowsFn *fn = compose_rows;

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev))
    fn = ak_compose_avx2;
#endif
  ak_cpu_append_rows (plan, fn, args, sizeof *args, args->pixels, 16);
}

static void
bytes_rows (const void *args, size_t from, size_t to)
{
  const AkBytes *b = args;
  size_t left = (b->width - b->side) / 2, top = (b->height - b->side) / 2, n = 4 * (size_t) b->side;

  for (size_t r = from; r < to; r++) {
    const float *x = b->x + r * n;
    uint8_t *y = b->rgba + 4 * ((top + r) * b->width + left);

    for (size_t i = 0; i < n; i++)
      y[i] = (uint8_t) (255 * clamp (x[i]) + b->round);
  }
}

static void
bytes_record (AkPlan *plan, const AkBytes *args)
{
  AkRowsFn *fn = bytes_rows;

#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev))
    fn = ak_bytes_avx2;
#endif
  ak_cpu_append_rows (plan, fn, args, sizeof *args, args->side, 8 * (size_t) args->side);
}

void
ak_cpu_compose_init (AkOps *ops)
{
  ops->compose = compose_record;
  ops->bytes = bytes_record;
}
