/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

static void
gather_rows (const void *args, size_t from, size_t to)
{
  const AkMembers *a = args;

  for (size_t i = from; i < to; i++) {
    const float *x = a->table[i / a->rows];

    if (x)
      memcpy (ak_row (a->view, a->rows, i), x + i % a->rows * a->cols, a->cols * sizeof *x);
  }
}

static void
scatter_rows (const void *args, size_t from, size_t to)
{
  const AkMembers *a = args;

  for (size_t i = from; i < to; i++) {
    float *y = a->table[i / a->rows];

    if (y)
      memcpy (y + i % a->rows * a->cols, ak_row (a->view, a->rows, i), a->cols * sizeof *y);
  }
}

static void
gather_record (AkPlan *plan, const AkMembers *args)
{
  ak_cpu_append_rows (plan, gather_rows, args, sizeof *args, args->batch * args->rows, args->cols);
}

static void
scatter_record (AkPlan *plan, const AkMembers *args)
{
  ak_cpu_append_rows (plan, scatter_rows, args, sizeof *args, args->batch * args->rows, args->cols);
}

void
ak_cpu_members_init (AkOps *ops)
{
  ops->members_gather = gather_record;
  ops->members_scatter = scatter_record;
}
