/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cancelling, errors while recording, and that threads and batches do not change a bit. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm.h"

#define ROWS 50
#define DIM 256

static void
fail (Check *t, const char *what)
{
  t->failures++;
  printf ("%s: FAILED\n", what);
}

static void
cancelling (Check *t)
{
  AkPlan *plan = ak_plan_new (t->dev);
  AkQueue *queue = ak_queue_new (t->dev);
  float *x = ak_plan_memory (plan, 8 * sizeof *x);
  atomic_int cancel = 1;

  t->checks++;
  ak_copy (plan, ak_dense (x, 1, 4), ak_dense (x + 4, 1, 4), 1, 1, 4);
  if (ak_plan_finish (plan) != AK_OK || ak_plan_run (plan, queue, &cancel) != AK_OK ||
      ak_queue_sync (queue) != AK_CANCELLED)
    fail (t, "cancelling");
  cancel = 0;
  if (ak_plan_run (plan, queue, &cancel) != AK_OK || ak_queue_sync (queue) != AK_OK)
    fail (t, "running again after cancelling");
  ak_queue_free (queue);
  ak_plan_free (plan);
}

static void
wrong_arguments (Check *t)
{
  AkPlan *plan = ak_plan_new (t->dev);
  float x[8] = { 0 };

  t->checks++;
  ak_layer_norm (plan, &(AkLayerNorm){ .y = ak_dense (x, 1, 8),
                           .x = ak_dense (x, 1, 8),
                           .weight = x,
                           .batch = 1,
                           .rows = 1,
                           .cols = 8 }); /* weight without bias */
  if (ak_plan_finish (plan) != AK_ERR_ARG)
    fail (t, "a weight without bias must be refused");
  ak_plan_free (plan);
}

/* One layer on `threads` threads with `batch` equal streams; the first stream's result. */
static void
layer (Check *t, unsigned threads, size_t batch, float *out)
{
  AkStatus status;
  AkDevice *dev = ak_device_open (t->device, threads, &status);
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  size_t n = ROWS * DIM;
  float *host = malloc (4 * DIM * DIM * sizeof *host);
  float *x = ak_plan_memory (plan, batch * n * sizeof *x),
        *y = ak_plan_memory (plan, batch * n * sizeof *x);
  float *h = ak_plan_memory (plan, batch * 4 * n * sizeof *x);
  AkMatrix *up, *down;
  AkRows vx = ak_dense (x, ROWS, DIM), vy = ak_dense (y, ROWS, DIM),
         vh = ak_dense (h, ROWS, 4 * DIM);

  for (size_t i = 0; i < 4 * DIM * DIM; i++)
    host[i] = (float) ((i * 2654435761u) % 1000) * 0.0002f - 0.1f;
  up = ak_matrix_new (dev, host, 4 * DIM, DIM, AK_F32, &status);
  down = ak_matrix_new (dev, host, DIM, 4 * DIM, AK_F32, &status);
  for (size_t b = 0; b < batch; b++)
    ak_upload (queue, x + b * n, host + 17, n * sizeof *x);
  ak_layer_norm (plan,
      &(AkLayerNorm){ .y = vy, .x = vx, .eps = 1e-6f, .batch = batch, .rows = ROWS, .cols = DIM });
  ak_linear (plan, &(AkLinear){ .y = vh,
                       .x = vy,
                       .matrix = up,
                       .activation = AK_ACT_GELU_TANH,
                       .batch = batch,
                       .rows = ROWS });
  ak_linear (
      plan, &(AkLinear){
                .y = vx, .x = vh, .matrix = down, .residual = vx, .batch = batch, .rows = ROWS });
  ak_attention (plan, &(AkAttention){ .y = vy,
                          .q = vx,
                          .keys = { { vx, vx, ROWS } },
                          .batch = batch,
                          .rows = ROWS,
                          .heads = 4,
                          .dim = DIM / 4,
                          .scale = 0.1f });
  if (ak_plan_finish (plan) != AK_OK || ak_plan_run (plan, queue, NULL) != AK_OK ||
      ak_queue_sync (queue) != AK_OK)
    fail (t, "a layer");
  ak_download (queue, out, y, n * sizeof *out);
  ak_queue_sync (queue);
  free (host);
  ak_queue_free (queue);
  ak_plan_free (plan);
  ak_matrix_free (up);
  ak_matrix_free (down);
  ak_device_unref (dev);
}

static void
same_bytes (Check *t)
{
  static float one[ROWS * DIM], other[ROWS * DIM];

  if (strcmp (t->device, "cpu") != 0)
    return;
  layer (t, 1, 1, one);
  layer (t, 2, 1, other);
  t->checks++;
  if (memcmp (one, other, sizeof one) != 0)
    fail (t, "two threads must give the bytes of one");
  layer (t, 2, 3, other);
  t->checks++;
  if (memcmp (one, other, sizeof one) != 0)
    fail (t, "a batch must give the bytes of a single stream");
}

void
check_plan (Check *t)
{
  cancelling (t);
  wrong_arguments (t);
  same_bytes (t);
}
