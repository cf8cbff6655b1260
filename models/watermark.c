/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watermark.h"

#include "error.h"
#include "kernels/elementwise.h"
#include "kernels/resize2d.h"

#define MAX_SIDE 16384

void
am_watermark_clear (AmWatermark *mark)
{
  g_clear_pointer (&mark->resized, g_free);
  g_clear_pointer (&mark->terms, g_free);
}

static AkStatus
resize (AmWatermark *mark, AkDevice *dev, const uint8_t *rgba, size_t width, size_t height)
{
  size_t in = width * height, out = mark->rows * mark->cols;
  g_autofree float *values = g_new (float, 4 * in);
  AkQueue *queue = ak_queue_new (dev);
  AkPlan *plan = ak_plan_new (dev);
  AkStatus status = AK_ERR_MEMORY;

  for (size_t i = 0; i < 4 * in; i++)
    values[i] = rgba[i] / 255.0f;
  if (queue && plan) {
    AkRows x = ak_dense (ak_plan_memory (plan, 4 * in * sizeof *values), in, 4);
    AkRows y = ak_dense (ak_plan_memory (plan, 4 * out * sizeof *values), out, 4);

    ak_resize2d (plan, &(AkResize2d){ .y = y,
                           .x = x,
                           .mode = AK_RESIZE2D_SMOOTH,
                           .batch = 1,
                           .in_height = height,
                           .in_width = width,
                           .out_height = mark->rows,
                           .out_width = mark->cols,
                           .channels = 4 });
    status = ak_plan_finish (plan);
    if (status == AK_OK) {
      ak_upload (queue, x.data, values, 4 * in * sizeof *values);
      ak_plan_run (plan, queue, NULL);
      ak_download (queue, mark->resized, y.data, 4 * out * sizeof *values);
      status = ak_queue_sync (queue);
    }
  }
  ak_plan_free (plan);
  ak_queue_free (queue);
  return status;
}

gboolean
am_watermark_make (AmWatermark *mark, AkDevice *dev, const uint8_t *rgba, unsigned width,
    unsigned height, unsigned side, GError **error)
{
  size_t n;

  *mark = (AmWatermark){ 0 };
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE, "watermark: %ux%u pixels, must be 1x1 to %dx%d",
        width, height, MAX_SIDE, MAX_SIDE);
    return FALSE;
  }
  mark->cols = MAX (side / 2, 1);
  mark->rows = MAX ((2 * mark->cols * height + width) / (2 * width), 1); /* rounded */
  if (mark->rows > side) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
        "watermark: %ux%u pixels: half as wide as the picture it would be higher than it", width,
        height);
    return FALSE;
  }
  n = mark->rows * mark->cols;
  mark->resized = g_new (float, 4 * n);
  if (!am_error_from_status (resize (mark, dev, rgba, width, height), "watermark", error)) {
    am_watermark_clear (mark);
    return FALSE;
  }
  mark->terms = g_new (float, 8 * n);
  for (size_t i = 0; i < n; i++) {
    const float *pixel = mark->resized + 4 * i;
    float a = AM_WATERMARK_OPACITY * pixel[3];

    for (size_t c = 0; c < 4; c++) {
      mark->terms[4 * i + c] = 1 - a;
      mark->terms[4 * (n + i) + c] = c < 3 ? pixel[c] * a : a;
    }
  }
  return TRUE;
}

void
am_watermark_record (
    const AmWatermark *mark, AkPlan *plan, float *rgba, unsigned side, const float *terms)
{
  size_t cols = 4 * mark->cols, n = mark->rows * cols;

  if (!rgba || !terms)
    return;
  for (size_t r = 0; r < mark->rows; r++) {
    AkRows row = ak_same (rgba + 4 * ((side - mark->rows + r) * side + side - mark->cols));

    ak_affine (plan, &(AkAffine){ .y = row,
                         .x = row,
                         .mul = terms + r * cols,
                         .add = terms + n + r * cols,
                         .batch = 1,
                         .rows = 1,
                         .cols = cols });
  }
}
