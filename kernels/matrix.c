/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

#include <stdint.h>

AkMatrix *
ak_matrix_new_empty (AkDevice *dev, size_t out, size_t in, size_t kernel, size_t groups,
    AkPrecision precision, AkStatus *status)
{
  AkMatrix sizes = { dev, out, in, kernel, groups, precision };
  AkStatus ignored;

  if (!status)
    status = &ignored;
  *status = AK_OK;
  if (!dev || !out || !in || !kernel || !groups || out % groups || in % groups ||
      in / groups > SIZE_MAX / 64 / kernel || out > SIZE_MAX / 64 / (in / groups * kernel) ||
      (precision != AK_F32 && precision != AK_BF16)) {
    *status = AK_ERR_ARG;
    return NULL;
  }
  return dev->ops.matrix_new (dev, &sizes, status);
}

AkStatus
ak_matrix_fill (AkMatrix *matrix, const float *values, size_t first, size_t count)
{
  if (!matrix || !values || first > matrix->out || count > matrix->out - first)
    return AK_ERR_ARG;
  return count ? matrix->dev->ops.matrix_fill (matrix, values, first, count) : AK_OK;
}

AkMatrix *
ak_matrix_new_conv (AkDevice *dev, const float *values, size_t out, size_t in, size_t kernel,
    size_t groups, AkPrecision precision, AkStatus *status)
{
  AkStatus ignored;
  AkMatrix *m;

  if (!status)
    status = &ignored;
  *status = AK_ERR_ARG;
  m = values ? ak_matrix_new_empty (dev, out, in, kernel, groups, precision, status) : NULL;
  if (m)
    *status = ak_matrix_fill (m, values, 0, out);
  if (m && *status != AK_OK) {
    ak_matrix_free (m);
    return NULL;
  }
  return m;
}

AkMatrix *
ak_matrix_new (AkDevice *dev, const float *values, size_t out, size_t in, AkPrecision precision,
    AkStatus *status)
{
  return ak_matrix_new_conv (dev, values, out, in, 1, 1, precision, status);
}

void
ak_matrix_free (AkMatrix *matrix)
{
  AkDevice *dev;

  if (!matrix)
    return;
  dev = matrix->dev;
  dev->ops.matrix_free (matrix);
  ak_device_unref (dev);
}

size_t
ak_matrix_out (const AkMatrix *matrix)
{
  return matrix->out;
}

size_t
ak_matrix_in (const AkMatrix *matrix)
{
  return matrix->in;
}
