/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matrices: converted on the host as they are filled, then only read. */
#include "runtime.h"

#include <stdlib.h>

static AkMatrix *
matrix_new (AkDevice *dev, const AkMatrix *sizes, AkStatus *status)
{
  AkCudaMatrix *m = calloc (1, sizeof *m);

  if (m) {
    m->base = *sizes;
    m->k = sizes->in / sizes->groups * sizes->kernel;
    m->n = sizes->out / sizes->groups;
    m->bf16 = sizes->precision == AK_BF16;
    m->kp = m->bf16 ? (m->k + 7) / 8 * 8 : m->k;
    m->data = dev->ops.alloc (dev, sizes->out * m->kp * (m->bf16 ? 2 : 4));
    if (m->data)
      return &m->base;
    free (m);
  }
  *status = AK_ERR_MEMORY;
  return NULL;
}

/* Rows [channels][kernel] of `values` as rows [kernel][channels], rounded if the matrix is. */
static void
convert (const AkCudaMatrix *m, void *to, const float *values, size_t count)
{
  size_t kernel = m->base.kernel, channels = m->k / kernel;

  for (size_t o = 0; o < count; o++, values += m->k)
    for (size_t c = 0; c < channels; c++)
      for (size_t k = 0; k < kernel; k++) {
        size_t at = o * m->kp + k * channels + c;

        if (m->bf16)
          ((uint16_t *) to)[at] = ak_to_bf16 (values[c * kernel + k]);
        else
          ((float *) to)[at] = values[c * kernel + k];
      }
}

static AkStatus
matrix_fill (AkMatrix *base, const float *values, size_t first, size_t count)
{
  const AkCudaMatrix *m = (const AkCudaMatrix *) base;
  size_t row = m->kp * (m->bf16 ? 2 : 4);
  void *rows = calloc (count, row);
  AkStatus status = AK_ERR_MEMORY;

  if (rows) {
    convert (m, rows, values, count);
    status = ak_cuda_put ((AkCuda *) base->dev, (char *) m->data + first * row, rows, count * row);
  }
  free (rows);
  return status;
}

static void
matrix_free (AkMatrix *base)
{
  AkCudaMatrix *m = (AkCudaMatrix *) base;

  base->dev->ops.free (base->dev, m->data);
  free (m);
}

void
ak_cuda_matrix_init (AkOps *ops)
{
  ops->matrix_new = matrix_new;
  ops->matrix_fill = matrix_fill;
  ops->matrix_free = matrix_free;
}
