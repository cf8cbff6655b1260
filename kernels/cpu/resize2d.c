/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resize2d.h"

#include <string.h>

/* The table of one axis in the plan's memory; 0 after an error. */
static int
make_taps (AkPlan *plan, AkResize2dMode mode, size_t in, size_t out, const AkTaps **taps,
    const double **weights)
{
  size_t most = ak_taps_most (mode, in, out);
  AkTaps *t = out <= SIZE_MAX / 64 / most ? ak_plan_memory (plan, out * sizeof *t) : NULL;
  double *w = t ? ak_plan_memory (plan, out * most * sizeof *w) : NULL;

  if (!w) {
    ak_plan_fail (plan, AK_ERR_MEMORY);
    return 0;
  }
  ak_taps_make (mode, in, out, t, w);
  *taps = t;
  *weights = w;
  return 1;
}

/* The definition. */
static void
resize2d_plain (const void *args, size_t from, size_t to)
{
  const AkResizer *f = args;
  const AkResize2d *a = &f->a;

  for (size_t i = f->first + from; i < f->first + to; i++) {
    const AkTaps *down = &f->down[i % a->out_height];
    const float *x = a->x.data + i / a->out_height * a->x.batch;
    float *y =
        a->y.data + i / a->out_height * a->y.batch + i % a->out_height * a->out_width * a->y.row;

    for (size_t q = 0; q < a->out_width; q++)
      for (size_t c = 0; c < a->channels; c++) {
        const AkTaps *across = &f->across[q];
        double s = 0;

        for (size_t r = 0; r < down->count; r++)
          for (size_t k = 0; k < across->count; k++)
            s += f->down_weights[down->at + r] * f->across_weights[across->at + k] *
                 x[((down->first + r) * a->in_width + across->first + k) * a->x.row + c];
        y[q * a->y.row + c] = (float) s;
      }
  }
}

/* Down first, into a row of doubles, then across: so many fewer terms where many pixels make one. */
typedef struct
{
  AkResizer f;
  double *rows; /* [batch · out_height][in_width · channels] */
} Smooth;

static void
resize2d_smooth (const void *args, size_t from, size_t to)
{
  const Smooth *s = args;
  const AkResizer *f = &s->f;
  const AkResize2d *a = &f->a;
  size_t n = a->channels;

  for (size_t i = f->first + from; i < f->first + to; i++) {
    const AkTaps *down = &f->down[i % a->out_height];
    const float *x = a->x.data + i / a->out_height * a->x.batch;
    float *y =
        a->y.data + i / a->out_height * a->y.batch + i % a->out_height * a->out_width * a->y.row;
    double *row = s->rows + i * a->in_width * n;

    memset (row, 0, a->in_width * n * sizeof *row);
    for (size_t r = 0; r < down->count; r++)
      for (size_t q = 0; q < a->in_width; q++)
        for (size_t c = 0; c < n; c++)
          row[q * n + c] += f->down_weights[down->at + r] *
                            x[((down->first + r) * a->in_width + q) * a->x.row + c];
    for (size_t q = 0; q < a->out_width; q++) {
      const AkTaps *across = &f->across[q];

      for (size_t c = 0; c < n; c++) {
        double v = 0;

        for (size_t k = 0; k < across->count; k++)
          v += f->across_weights[across->at + k] * row[(across->first + k) * n + c];
        y[q * a->y.row + c] = (float) v;
      }
    }
  }
}

static int
make_resizer (AkPlan *plan, AkResizer *f, const AkResize2d *a)
{
  f->a = *a;
  return make_taps (plan, a->mode, a->in_height, a->out_height, &f->down, &f->down_weights) &&
         make_taps (plan, a->mode, a->in_width, a->out_width, &f->across, &f->across_weights);
}

/* Numbers of a result that take some ms. */
#define PIECE ((size_t) 1 << 21)

/* `args` begins with `f`. */
static void
append (AkPlan *plan, AkRowsFn *fn, AkResizer *f, const void *args, size_t args_bytes)
{
  size_t rows = f->a.batch * f->a.out_height, cols = f->a.out_width * f->a.channels;
  size_t piece = PIECE / cols > 1 ? PIECE / cols : 1;

  for (f->first = 0; f->first < rows; f->first += piece)
    ak_cpu_append_rows (
        plan, fn, args, args_bytes, rows - f->first < piece ? rows - f->first : piece, cols);
}

static void
resize2d_plain_record (AkPlan *plan, const AkResize2d *a)
{
  AkResizer f;

  if (make_resizer (plan, &f, a))
    append (plan, resize2d_plain, &f, &f, sizeof f);
}

static void
resize2d_record (AkPlan *plan, const AkResize2d *a)
{
  Smooth s;

  if (!make_resizer (plan, &s.f, a))
    return;
  if (a->mode == AK_RESIZE2D_SMOOTH) {
    s.rows = ak_plan_memory (
        plan, a->batch * a->out_height * a->in_width * a->channels * sizeof *s.rows);
    if (s.rows)
      append (plan, resize2d_smooth, &s.f, &s, sizeof s);
    return;
  }
#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (plan->dev)) {
    append (plan, ak_resize2d_linear_avx2, &s.f, &s.f, sizeof s.f);
    return;
  }
#endif
  append (plan, resize2d_plain, &s.f, &s.f, sizeof s.f);
}

void
ak_cpu_resize2d_init (AkOps *ops, AkCpuLevel level)
{
  ops->resize2d = level == AK_CPU_PLAIN ? resize2d_plain_record : resize2d_record;
}
