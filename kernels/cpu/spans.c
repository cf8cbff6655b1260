/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

/* Spans from … to-1: of each, the first and the last pixel of some rows that is covered. */
static void
find_rows (const void *args, size_t from, size_t to)
{
  const AkSpansFind *a = args;
  size_t width = a->n * a->side, down = 2 * a->n, across = 2 * a->n;

  for (size_t i = from; i < to; i++) {
    size_t first = width, end = 0;

    for (size_t r = i * down; r < (i + 1) * down; r++) {
      const float *row = a->transmittance + r * width;
      size_t q = 0, last = width;

      while (q < first && !(row[q] < 1))
        q++;
      first = q;
      while (last > end && !(row[last - 1] < 1))
        last--;
      end = last;
    }
    a->spans[i] = first < end ? (AkSpan){ (uint16_t) (first / across),
      (uint16_t) ((end + across - 1) / across) }
                              : (AkSpan){ 0, 0 };
  }
}

static void
find_record (AkPlan *plan, const AkSpansFind *args)
{
  ak_cpu_append_rows (
      plan, find_rows, args, sizeof *args, args->side / 2, 2 * args->n * args->n * args->side);
}

static void
grow_run (AkCpu *cpu, const void *args)
{
  const AkSpansGrow *a = args;
  size_t step = a->half ? 2 : 1, n = a->side / 2 / step;

  (void) cpu;
  for (size_t i = 0; i < n; i++) {
    size_t first = i > a->grow ? i - a->grow : 0, end = i + a->grow + 1 < n ? i + a->grow + 1 : n;
    size_t from = SIZE_MAX, to = 0;

    for (size_t r = first * step; r < end * step; r++) {
      AkSpan s = a->x[r];

      if (s.from >= s.to)
        continue;
      from = s.from < from ? s.from : from;
      to = s.to > to ? s.to : to;
    }
    from = from / step > a->grow ? from / step - a->grow : 0;
    to = to ? (to + step - 1) / step + a->grow : 0;
    a->y[i] = to ? (AkSpan){ (uint16_t) from, (uint16_t) (to < n ? to : n) } : (AkSpan){ 0, 0 };
  }
}

static void
grow_record (AkPlan *plan, const AkSpansGrow *args)
{
  ak_cpu_append (plan, AK_NODE_INLINE, grow_run, NULL, args, sizeof *args);
}

void
ak_cpu_spans_init (AkOps *ops)
{
  ops->spans_find = find_record;
  ops->spans_grow = grow_record;
}
