/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RGBA to video pictures: plain C, and the choice of faster loops. */
#include "picture.h"
#include "cpu.h"

#include <stdlib.h>

static void
pack_c (uint8_t *dst, const uint8_t *rgba, size_t n, AkPixels pixels, int alpha)
{
  const uint8_t *to = ak_pixels_order[pixels];
  size_t bytes = ak_pixels_bytes (pixels);

  for (size_t i = 0; i < n; i++, dst += bytes, rgba += 4) {
    if (bytes == 4)
      dst[to[3]] = alpha ? rgba[3] : 255;
    for (int k = 0; k < 3; k++)
      dst[to[k]] = rgba[k];
  }
}

static void
luma_c (uint8_t *dst, const uint8_t *rgba, size_t n, const AkYuv *yuv)
{
  for (size_t i = 0; i < n; i++, rgba += 4)
    dst[i] = (uint8_t) ((yuv->y[0] * rgba[0] + yuv->y[1] * rgba[1] + yuv->y[2] * rgba[2] +
                            (16 << 15) + (1 << 14)) >>
                        15);
}

static void
chroma_c (uint8_t *u, uint8_t *v, size_t step, const uint8_t *row0, const uint8_t *row1, size_t n,
    const AkYuv *yuv)
{
  for (size_t i = 0; i < n; i += 2, u += step, v += step) {
    size_t next = i + 1 < n ? 4 : 0;
    int sum[3], cu = (128 << 17) + (1 << 16), cv = cu;

    for (size_t k = 0; k < 3; k++) {
      sum[k] = row0[4 * i + k] + row0[4 * i + next + k] + row1[4 * i + k] + row1[4 * i + next + k];
      cu += yuv->u[k] * sum[k];
      cv += yuv->v[k] * sum[k];
    }
    *u = (uint8_t) (cu >> 17);
    *v = (uint8_t) (cv >> 17);
  }
}

static void
write_luma (uint8_t *dst, int avx2, const uint8_t *rgba, size_t n, const AkYuv *yuv)
{
  size_t done = 0;

#if defined(__x86_64__)
  if (avx2)
    done = ak_pixels_luma_avx2 (dst, rgba, n, yuv);
#endif
  (void) avx2;
  luma_c (dst + done, rgba + 4 * done, n - done, yuv);
}

static void
write_chroma (uint8_t *u, uint8_t *v, size_t step, int avx2, const uint8_t *row0,
    const uint8_t *row1, size_t n, const AkYuv *yuv)
{
  size_t done = 0;

#if defined(__x86_64__)
  if (avx2)
    done = ak_pixels_chroma_avx2 (u, v, step, row0, row1, n, yuv);
#endif
  (void) avx2;
  chroma_c (u + step * (done / 2), v + step * (done / 2), step, row0 + 4 * done, row1 + 4 * done,
      n - done, yuv);
}

static void
write_packed (uint8_t *dst, int avx2, const uint8_t *rgba, size_t n, AkPixels pixels, int alpha)
{
  size_t done = 0;

#if defined(__x86_64__)
  if (avx2)
    done = ak_pixels_pack_avx2 (dst, rgba, n, pixels, alpha);
#endif
  (void) avx2;
  pack_c (dst + done * ak_pixels_bytes (pixels), rgba + 4 * done, n - done, pixels, alpha);
}

static uint8_t *
line (const AkPicture *p, int plane, size_t y)
{
  return p->plane[plane] + (ptrdiff_t) y * p->stride[plane];
}

const AkYuv *
ak_picture_yuv (const AkPicture *picture)
{
  return ak_yuv + (picture->bt709 != 0);
}

void
ak_picture_rows (
    const AkPicture *p, int avx2, unsigned y0, unsigned rows, const uint8_t *rgba, size_t stride)
{
  const AkYuv *yuv = ak_picture_yuv (p);

  for (size_t r = 0; r < rows; r++) {
    const uint8_t *src = rgba + r * stride;
    size_t y = y0 + r;

    if (p->pixels < AK_PIXELS_I420)
      write_packed (line (p, 0, y), avx2, src, p->width, p->pixels, p->alpha);
    else
      write_luma (line (p, 0, y), avx2, src, p->width, yuv);
    if (p->pixels >= AK_PIXELS_I420 && r % 2 == 0) {
      const uint8_t *below = r + 1 < rows ? src + stride : src;
      int nv12 = p->pixels == AK_PIXELS_NV12;
      uint8_t *u = line (p, 1, y / 2);

      write_chroma (
          u, nv12 ? u + 1 : line (p, 2, y / 2), nv12 ? 2 : 1, avx2, src, below, p->width, yuv);
    }
  }
}

typedef struct
{
  const AkPicture *picture;
  const uint8_t *rgba;
  int avx2;
} Write;

static void
write_run (AkCpu *cpu, const void *args)
{
  const Write *w = args;

  (void) cpu;
  ak_picture_rows (
      w->picture, w->avx2, 0, w->picture->height, w->rgba, 4 * (size_t) w->picture->width);
}

static void
picture_write (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba)
{
  Write args = { picture, rgba, ak_cpu_has_avx2 (plan->dev) };

  ak_cpu_append (plan, AK_NODE_INLINE, write_run, NULL, &args, sizeof args);
}

void
ak_cpu_picture_init (AkOps *ops)
{
  ops->picture_write = picture_write;
}
