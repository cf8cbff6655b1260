/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

static void
put (float *y, float v, float factor, int accumulate)
{
  v *= factor;
  *y = accumulate ? *y + v : v;
}

/* Rows `from` … of batch * out_rows results. */
static void
resize (const void *args, size_t from, size_t to)
{
  const AkResize *a = args;
  size_t in = a->in_rows, out = a->out_rows;

  for (size_t i = from; i < to; i++) {
    size_t r = i % out;
    const float *x = a->x.data + i / out * a->x.batch;
    float *y = a->y.data + i / out * a->y.batch + r * a->y.row;

    if (a->mode == AK_RESIZE_AREA) {
      size_t first = r * in / out, end = ((r + 1) * in + out - 1) / out;
      double inv = 1.0 / (double) (end - first);

      for (size_t c = 0; c < a->cols; c++) {
        double s = 0;

        for (size_t j = first; j < end; j++)
          s += x[j * a->x.row + c];
        put (y + c, (float) (s * inv), a->factor, a->accumulate);
      }
    } else {
      double at = ((double) r + 0.5) * (double) in / (double) out - 0.5;
      size_t j, next;
      double w;

      at = at < 0 ? 0 : at;
      j = (size_t) at;
      j = j < in ? j : in - 1;
      next = j + 1 < in ? j + 1 : j;
      w = at - (double) j;
      for (size_t c = 0; c < a->cols; c++)
        put (y + c, (float) ((1 - w) * x[j * a->x.row + c] + w * x[next * a->x.row + c]), a->factor,
            a->accumulate);
    }
  }
}

static void
resize_record (AkPlan *plan, const AkResize *args)
{
  ak_cpu_append_rows (plan, resize, args, sizeof *args, args->batch * args->out_rows, args->cols);
}

void
ak_cpu_resize_init (AkOps *ops, AkCpuLevel level)
{
  (void) level;
  ops->resize = resize_record;
}
