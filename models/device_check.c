/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "block.h"
#include "device.h"

#define WIDTH 64
#define HEADS 4
#define FFN 128
#define ROWS 24
#define RUNS 2 /* a device may take another way from the second run on */
#define TOLERANCE 1e-3f

/* Numbers of -scale … scale, the same everywhere. */
static void
fill (float *out, size_t n, float scale, guint32 seed)
{
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    out[i] = scale * ((float) (seed >> 8) / (float) (1 << 23) - 1);
  }
}

static AkMatrix *
matrix (AkDevice *dev, size_t out, size_t in, guint32 seed)
{
  g_autofree float *values = g_new (float, out *in);
  AkStatus status;

  fill (values, out * in, 2 / sqrtf ((float) in), seed);
  return ak_matrix_new (dev, values, out, in, AK_F32, &status);
}

/* One transformer block over numbers that are the same everywhere. */
static gboolean
run_block (AkDevice *dev, float out[ROWS * WIDTH])
{
  AkMatrix *m[] = { matrix (dev, 3 * WIDTH, WIDTH, 1), matrix (dev, WIDTH, WIDTH, 2),
    matrix (dev, FFN, WIDTH, 3), matrix (dev, WIDTH, FFN, 4) };
  AmBlock block = { .qkv = m[0], .out = m[1], .up = m[2], .down = m[3] };
  AkPlan *plan = ak_plan_new (dev);
  AkQueue *queue = ak_queue_new (dev);
  AmBlocks blocks = { .batch = 1,
    .rows = ROWS,
    .width = WIDTH,
    .heads = HEADS,
    .dim = WIDTH / HEADS,
    .eps = 1e-5f,
    .rotary_base = 10000 };
  gboolean ok = plan && queue && m[0] && m[1] && m[2] && m[3];

  if (ok) {
    blocks.x = ak_dense (ak_plan_memory (plan, ROWS * WIDTH * sizeof (float)), ROWS, WIDTH);
    am_blocks_scratch (&blocks, plan, FFN);
    am_block_record (&block, plan, &blocks);
    ok = ak_plan_finish (plan) == AK_OK;
  }
  for (int i = 0; i < RUNS && ok; i++) {
    fill (out, ROWS * WIDTH, 1, 5);
    ok = ak_upload (queue, blocks.x.data, out, ROWS * WIDTH * sizeof *out) == AK_OK &&
         ak_plan_run (plan, queue, NULL) == AK_OK &&
         ak_download (queue, out, blocks.x.data, ROWS * WIDTH * sizeof *out) == AK_OK &&
         ak_queue_sync (queue) == AK_OK;
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  for (size_t i = 0; i < G_N_ELEMENTS (m); i++)
    ak_matrix_free (m[i]);
  return ok;
}

gboolean
am_device_works (AkDevice *dev)
{
  float ours[ROWS * WIDTH], wanted[ROWS * WIDTH];
  AkDevice *cpu = ak_device_open ("cpu", 1, NULL);
  gboolean works = cpu && run_block (cpu, wanted) && run_block (dev, ours);

  for (size_t i = 0; i < ROWS * WIDTH && works; i++)
    works = fabsf (ours[i] - wanted[i]) <= TOLERANCE * (1 + fabsf (wanted[i])); /* not so if NaN */
  if (cpu)
    ak_device_unref (cpu);
  return works;
}
