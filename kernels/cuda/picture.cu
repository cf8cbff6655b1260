/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures in the device's memory are written where their planes are. For those in the host's, kernels write planes one
 * after the other. If the picture is page-locked a copy of each plane goes straight there; else one copy brings all into
 * page-locked memory, and what waits for the queue puts them into the picture. */
#include "../picture_priv.h"
#include "launch.h"
#include "mesh.h"
#include "premultiplied.cuh"
#include "runtime.h"

/* What may change from run to run. */
typedef struct
{
  AkYuv yuv;
  int alpha;
  uint8_t *plane[3];
  ptrdiff_t stride[3];
} Look;

typedef struct
{
  const uint32_t *rgba;       /* 0xAABBGGRR */
  size_t from_stride;         /* pixels */
  const uint32_t *background; /* NULL: they are not premultiplied */
  const Look *look;
  AkPixels pixels;
  unsigned width, height;
} Write;

/* Bytes of a row and rows of plane `k`. */
static size_t
row_bytes (AkPixels pixels, unsigned width, int k)
{
  if (pixels < AK_PIXELS_I420)
    return width * ak_pixels_bytes (pixels);
  if (k == 0)
    return width;
  return ((size_t) width + 1) / 2 * (pixels == AK_PIXELS_NV12 ? 2 : 1);
}

static unsigned
rows_of (unsigned height, int k)
{
  return k ? (height + 1) / 2 : height;
}

typedef struct
{
  uint8_t place[4]; /* of r, g, b, a */
  unsigned bytes;
} Order;

static __device__ uint32_t
pixel_at (const Write *w, int alpha, size_t x, size_t y)
{
  const uint32_t pixel = w->rgba[y * w->from_stride + x];

  return alpha && w->background ? ak_straight (pixel, *w->background) : pixel;
}

static __global__ void
pack_kernel (Write w, Order order)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  size_t x, y = ak_split (i, w.width, &x);
  const Look look = *w.look;
  uint32_t pixel, out = 0;
  uint8_t *to;

  if (y >= w.height)
    return;
  pixel = pixel_at (&w, look.alpha, x, y);
  if (!look.alpha)
    pixel |= 0xff000000;
  to = look.plane[0] + (ptrdiff_t) y * look.stride[0] + order.bytes * x;
  for (unsigned k = 0; k < 4; k++)
    if (k < order.bytes)
      out |= (pixel >> 8 * k & 255) << 8 * order.place[k];
  if (order.bytes == 4 && (uintptr_t) to % 4 == 0)
    *(uint32_t *) to = out;
  else
    for (unsigned k = 0; k < 4; k++)
      if (k < order.bytes)
        to[k] = (uint8_t) (out >> 8 * k);
}

/* A thread a square of 2×2 pixels. */
static __global__ void
yuv_kernel (Write w)
{
  const unsigned across = (w.width + 1) / 2;
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  size_t column;
  const size_t row = ak_split (i, across, &column);
  const unsigned x = (unsigned) column * 2, y = (unsigned) row * 2;
  const unsigned right = x + 1 < w.width, below = y + 1 < w.height;
  const Look look = *w.look;
  const AkYuv yuv = look.yuv;
  int sum[3] = { 0, 0, 0 }, u = (128 << 17) + (1 << 16), v = u;

  if (y >= w.height)
    return;
  for (unsigned k = 0; k < 4; k++) { /* at odd edges pixels stand for those that are not there */
    const unsigned px = x + (k & right), py = y + (k / 2 & below);
    const uint32_t pixel = pixel_at (&w, look.alpha, px, py);
    const int rgb[3] = { (int) (pixel & 255), (int) (pixel >> 8 & 255), (int) (pixel >> 16 & 255) };
    uint8_t *luma = look.plane[0] + (ptrdiff_t) py * look.stride[0] + px;

    *luma = (uint8_t) ((yuv.y[0] * rgb[0] + yuv.y[1] * rgb[1] + yuv.y[2] * rgb[2] + (16 << 15) +
                           (1 << 14)) >>
                       15);
    for (int c = 0; c < 3; c++)
      sum[c] += rgb[c];
  }
  for (int c = 0; c < 3; c++) {
    u += yuv.u[c] * sum[c];
    v += yuv.v[c] * sum[c];
  }
  if (w.pixels == AK_PIXELS_NV12) {
    uint8_t *chroma = look.plane[1] + (ptrdiff_t) row * look.stride[1] + x;

    chroma[0] = (uint8_t) (u >> 17);
    chroma[1] = (uint8_t) (v >> 17);
  } else {
    look.plane[1][(ptrdiff_t) row * look.stride[1] + x / 2] = (uint8_t) (u >> 17);
    look.plane[2][(ptrdiff_t) row * look.stride[2] + x / 2] = (uint8_t) (v >> 17);
  }
}

typedef struct
{
  Write w;
  const uint8_t *planes; /* all of them, rows without gaps */
  void *pinned;          /* where they go, or NULL */
  size_t bytes;
} Node;

static void
write_run (const AkAt *at, const void *args)
{
  const Node *n = (const Node *) args;
  const Write *w = &n->w;
  const size_t width = w->width, height = w->height;

  if (w->pixels < AK_PIXELS_I420) {
    const uint8_t *place = ak_pixels_order[w->pixels];
    Order order = { { place[0], place[1], place[2], place[3] },
      (unsigned) ak_pixels_bytes (w->pixels) };

    AK_LAUNCH (pack_kernel, ak_blocks (width * height, 256), 256, 0, at, *w, order);
  } else {
    AK_LAUNCH (yuv_kernel, ak_blocks ((width + 1) / 2 * ((height + 1) / 2), 128), 128, 0, at, *w);
  }
  if (n->pinned)
    (void) ak_rt_download (at->stream, n->pinned, n->planes, n->bytes);
}

typedef struct
{
  const AkPicture *picture;
  uint8_t *planes; /* as in Node; NULL for a picture in the device's memory */
  size_t at[3];    /* where they begin */
} Source;

/* Bytes of plane `k` if it has no gaps, else 0. */
static size_t
tight (const AkPicture *p, int k)
{
  const size_t bytes = row_bytes (p->pixels, p->width, k);

  return p->stride[k] == (ptrdiff_t) bytes ? bytes * rows_of (p->height, k) : 0;
}

/* What lies in one piece is one copy. */
static AkStatus
copy_planes (AkStream stream, const void *args)
{
  const Source *source = *(const Source *const *) args;
  const AkPicture *p = source->picture;
  const int planes = (int) ak_picture_planes (p->pixels);
  AkStatus status = AK_OK;

  for (int k = 0; k < planes && status == AK_OK;) {
    const int first = k++;
    const uint8_t *from = source->planes + source->at[first];
    size_t n = tight (p, first);

    while (n && k < planes && tight (p, k) && p->plane[k] == p->plane[first] + n)
      n += tight (p, k++);
    if (n)
      status = ak_rt_download (stream, p->plane[first], from, n);
    else
      status = ak_rt_download_rows (stream, p->plane[first], (size_t) p->stride[first], from,
          row_bytes (p->pixels, p->width, first), rows_of (p->height, first));
  }
  return status;
}

static void
read_look (const void *from, void *to)
{
  const Source *source = (const Source *) from;
  const AkPicture *picture = source->picture;
  Look *look = (Look *) to;

  look->yuv = ak_yuv[picture->bt709 != 0];
  look->alpha = picture->alpha;
  for (int k = 0; k < (int) ak_picture_planes (picture->pixels); k++) {
    look->plane[k] = source->planes ? source->planes + source->at[k] : picture->plane[k];
    look->stride[k] = source->planes ? (ptrdiff_t) row_bytes (picture->pixels, picture->width, k)
                                     : picture->stride[k];
  }
}

/* The picture as it was when the plan ran, and the bytes that came. */
typedef struct
{
  const AkPicture *source;
  AkPicture *picture;
  const uint8_t *pinned;
} Finish;

static void
remember (const void *args)
{
  const Finish *f = (const Finish *) args;

  *f->picture = *f->source;
}

static void
finish (const void *args)
{
  const Finish *f = (const Finish *) args;
  const AkPicture *p = f->picture;
  const uint8_t *from = f->pinned;

  for (int k = 0; k < (int) ak_picture_planes (p->pixels); k++) {
    const size_t bytes = row_bytes (p->pixels, p->width, k), rows = rows_of (p->height, k);

    for (size_t y = 0; y < rows; y++, from += bytes)
      memcpy (p->plane[k] + (ptrdiff_t) y * p->stride[k], from, bytes);
  }
}

void
ak_cuda_picture_premultiplied (AkPlan *plan, const AkPicture *picture, const uint32_t *rgba,
    size_t stride, const uint32_t *background)
{
  Source *source = (Source *) ak_cuda_pinned (plan, sizeof *source);
  Node n = {};
  Write *w = &n.w;
  Finish f = { picture };

  if (!source)
    return;
  source->picture = picture;
  source->planes = NULL;

  w->rgba = rgba;
  w->from_stride = stride;
  w->background = background;
  w->pixels = picture->pixels;
  w->width = picture->width;
  w->height = picture->height;
  for (int k = 0; k < (int) ak_picture_planes (w->pixels); k++) {
    source->at[k] = n.bytes;
    n.bytes += row_bytes (w->pixels, w->width, k) * rows_of (w->height, k);
  }
  if (!picture->on_device)
    n.planes = source->planes = (uint8_t *) ak_plan_memory (plan, n.bytes);
  if (!picture->on_device && !picture->pinned) {
    n.pinned = ak_cuda_pinned (plan, n.bytes);
    f.picture = (AkPicture *) ak_cuda_pinned (plan, sizeof *f.picture);
    f.pinned = (const uint8_t *) n.pinned;
  }
  w->look = (const Look *) ak_cuda_read_each_run (plan, read_look, source, sizeof *w->look);
  if (plan->status != AK_OK)
    return;
  ak_cuda_append (plan, write_run, NULL, &n, sizeof n);
  if (n.pinned)
    ak_cuda_around (plan, remember, finish, &f, sizeof f);
  else if (n.planes)
    ak_cuda_copy_out (plan, copy_planes, &source, sizeof source);
}

void
ak_cuda_picture (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba)
{
  ak_cuda_picture_premultiplied (plan, picture, (const uint32_t *) rgba, picture->width, NULL);
}

void
ak_cuda_picture_init (AkOps *ops)
{
  ops->picture_write = ak_cuda_picture;
}
