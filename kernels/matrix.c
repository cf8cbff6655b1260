/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device_priv.h"

#include <stdint.h>

static AkMatrix *
new_empty (AkMatrix sizes, AkStatus *status)
{
  size_t out = sizes.out, in = sizes.in, kernel = sizes.kernel, groups = sizes.groups;
  AkDevice *dev = sizes.dev;
  AkStatus ignored;
  AkMatrix *matrix;

  if (!status)
    status = &ignored;
  *status = AK_OK;
  if (!dev || !out || !in || !kernel || !groups || out % groups || in % groups ||
      in / groups > SIZE_MAX / 64 / kernel || out > SIZE_MAX / 64 / (in / groups * kernel) ||
      (sizes.precision != AK_F32 && sizes.precision != AK_BF16)) {
    *status = AK_ERR_ARG;
    return NULL;
  }
  matrix = dev->ops.matrix_new (dev, &sizes, status);
  if (matrix)
    ak_device_ref (dev);
  return matrix;
}

AkStatus
ak_matrix_fill (AkMatrix *matrix, const float *values, size_t first, size_t count)
{
  if (!matrix || !values || first > matrix->out || count > matrix->out - first)
    return AK_ERR_ARG;
  return count ? matrix->dev->ops.matrix_fill (matrix, values, first, count) : AK_OK;
}

AkMatrix *
ak_matrix_new_empty (AkDevice *dev, size_t out, size_t in, size_t kernel, size_t groups,
    AkPrecision precision, AkStatus *status)
{
  return new_empty ((AkMatrix){ dev, out, in, kernel, groups, precision, 0 }, status);
}

static AkMatrix *
new_filled (const float *values, AkMatrix sizes, AkStatus *status)
{
  AkStatus ignored;
  AkMatrix *m;

  if (!status)
    status = &ignored;
  *status = AK_ERR_ARG;
  m = values ? new_empty (sizes, status) : NULL;
  if (m)
    *status = ak_matrix_fill (m, values, 0, m->out);
  if (m && *status != AK_OK) {
    ak_matrix_free (m);
    return NULL;
  }
  return m;
}

AkMatrix *
ak_matrix_new_conv (AkDevice *dev, const float *values, size_t out, size_t in, size_t kernel,
    size_t groups, AkPrecision precision, AkStatus *status)
{
  return new_filled (values, (AkMatrix){ dev, out, in, kernel, groups, precision, 0 }, status);
}

AkMatrix *
ak_matrix_new_conv2d (AkDevice *dev, const float *values, size_t out, size_t in, size_t side,
    AkPrecision precision, AkStatus *status)
{
  size_t kernel = side <= SIZE_MAX / 64 / (side ? side : 1) ? side * side : 0;

  return new_filled (values, (AkMatrix){ dev, out, in, kernel, 1, precision, side }, status);
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
