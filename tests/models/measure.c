/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/linear.h"

#define RUNS 20 /* of a product */

double
measure_wall (void)
{
  return 1e-6 * (double) g_get_monotonic_time ();
}

double
measure_processor (void)
{
  struct timespec t;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

void
measure_sort (double *values, size_t n)
{
  qsort (values, n, sizeof *values, compare_doubles);
}

double
measure_product (AkDevice *dev, size_t rows, size_t n)
{
  g_autofree float *values = g_new (float, n *n);
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  AkMatrix *m;
  AkStatus status;
  double best = 1e9;

  for (size_t i = 0; i < n * n; i++)
    values[i] = (float) (i % 17) * 0.1f;
  m = ak_matrix_new (dev, values, n, n, AK_F32, &status);
  ak_linear (plan, &(AkLinear){ .y = ak_dense (ak_plan_memory (plan, rows * n * 4), rows, n),
                       .x = ak_dense (ak_plan_memory (plan, rows * n * 4), rows, n),
                       .matrix = m,
                       .batch = 1,
                       .rows = rows });
  ak_plan_finish (plan);
  for (int i = 0; i < RUNS; i++) {
    double start = measure_processor ();

    ak_plan_run (plan, queue, NULL);
    ak_queue_sync (queue);
    best = fmin (best, measure_processor () - start);
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  ak_matrix_free (m);
  return (double) rows * (double) n * (double) n / best;
}

void
measure_streams_begin (
    MeasureStreams *self, unsigned n, GThreadFunc run, void *streams, size_t size)
{
  *self = (MeasureStreams){ .n = n, .threads = g_new (GThread *, n) };
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  for (unsigned i = 0; i < n; i++)
    self->threads[i] = g_thread_new ("stream", run, (char *) streams + i * size);
  g_mutex_lock (&self->lock);
  while (self->ready < n)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
measure_streams_ready (MeasureStreams *self)
{
  g_mutex_lock (&self->lock);
  self->ready++;
  g_cond_broadcast (&self->changed);
  while (!self->go)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
measure_streams_run (MeasureStreams *self)
{
  g_mutex_lock (&self->lock);
  self->go = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  for (unsigned i = 0; i < self->n; i++)
    g_thread_join (self->threads[i]);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self->threads);
}
