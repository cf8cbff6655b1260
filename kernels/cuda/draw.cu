/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "draw.cuh"

#include "../light.h"

static __global__ void
light_kernel (AkDraw d)
{
  const size_t v = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const float *at = d.vertices + 3 * v;
  float z, x, y;

  if (v >= d.mesh.base.vertices)
    return;
  d.points[v].x = AK_POINT_BAD;
  z = 2 * d.scale - at[2];
  if (!(z >= 1e-8f))
    return;
  x = d.middle_x + d.zoom * (at[0] / z);
  y = d.middle_y - d.zoom * (at[1] / z);
  if (!(fabsf (x) < 1 << 28 && fabsf (y) < 1 << 28))
    return;
  d.points[v].x = (int32_t) lrintf (x);
  d.points[v].y = (int32_t) lrintf (y);
  d.looks[v].q = 1 / z;
  ak_light_vertex (&d.looks[v].r, at, d.normals + 3 * v, d.mesh.materials[v], d.mesh.albedo + v,
      d.mesh.padded, d.scale);
}

static __device__ void
make_planes (AkPlanes *p, const AkDraw *d, uint32_t face)
{
  const uint32_t *i = d->mesh.indices + 3 * (size_t) face;
  const float *f0 = &d->looks[i[0]].r, *f1 = &d->looks[i[1]].r, *f2 = &d->looks[i[2]].r;
  float X1, Y1, X2, Y2, inverse;

  for (int k = 0; k < 3; k++) {
    p->x[k] = d->points[i[k]].x;
    p->y[k] = d->points[i[k]].y;
  }
  for (int k = 0; k < 3; k++) {
    int next = k == 2 ? 0 : k + 1;

    p->a[k] = p->y[next] - p->y[k];
    p->b[k] = p->x[k] - p->x[next];
    p->out[k] = !(p->a[k] > 0 || (p->a[k] == 0 && p->b[k] > 0));
  }
  p->x0 = (min (p->x[0], min (p->x[1], p->x[2])) + 255) >> 8;
  p->x1 = max (p->x[0], max (p->x[1], p->x[2])) >> 8;
  p->y0 = (min (p->y[0], min (p->y[1], p->y[2])) + 255) >> 8;
  p->y1 = max (p->y[0], max (p->y[1], p->y[2])) >> 8;
  p->x0 = max (p->x0, 0);
  p->x1 = min (p->x1, d->stride - 1);
  p->y0 = max (p->y0, -AK_DRAW_MARGIN);
  p->y1 = min (p->y1, d->height - 1 + AK_DRAW_MARGIN);
  X1 = (float) (p->x[1] - p->x[0]), Y1 = (float) (p->y[1] - p->y[0]);
  X2 = (float) (p->x[2] - p->x[0]), Y2 = (float) (p->y[2] - p->y[0]);
  inverse = (float) (1.0 / ((double) X1 * Y2 - (double) X2 * Y1));
  for (int k = 0; k < 4; k++) {
    float d1 = f1[k] - f0[k], d2 = f2[k] - f0[k];

    p->at[k] = f0[k];
    p->gx[k] = (d1 * Y2 - d2 * Y1) * inverse;
    p->gy[k] = (d2 * X1 - d1 * X2) * inverse;
    p->low[k] = f0[k] < f1[k] ? (f0[k] < f2[k] ? f0[k] : f2[k]) : (f1[k] < f2[k] ? f1[k] : f2[k]);
    p->high[k] = f0[k] > f1[k] ? (f0[k] > f2[k] ? f0[k] : f2[k]) : (f1[k] > f2[k] ? f1[k] : f2[k]);
  }
  p->part = (uint32_t) d->mesh.face_part[face] << 24;
}

static __device__ int
is_large (const AkPlanes *p)
{
  return (long long) (p->x1 - p->x0 + 1) * (p->y1 - p->y0 + 1) > AK_FACE_LARGE;
}

static __global__ void
faces_kernel (AkDraw d)
{
  const size_t f = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const uint32_t *i = d.mesh.indices + 3 * f;
  AkPoint a, b, c;
  int front;

  if (f >= d.mesh.base.faces)
    return;
  a = d.points[i[0]], b = d.points[i[1]], c = d.points[i[2]];
  front = a.x != AK_POINT_BAD && b.x != AK_POINT_BAD && c.x != AK_POINT_BAD &&
          (int64_t) (c.x - a.x) * (b.y - a.y) > (int64_t) (b.x - a.x) * (c.y - a.y);
  d.front[f] = (uint8_t) front;
  if (!front)
    return;
  make_planes (d.planes + f, &d, (uint32_t) f);
  if (d.planes[f].x0 <= d.planes[f].x1 && d.planes[f].y0 <= d.planes[f].y1 &&
      is_large (d.planes + f))
    d.large.faces[atomicAdd (d.large.n, 1u)] = (uint32_t) f;
}

static __device__ size_t
with_margin (const AkDraw *d)
{
  return (size_t) d->stride * (d->height + 2 * AK_DRAW_MARGIN);
}

static __global__ void
clear_kernel (AkDraw d)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;

  if (i == 0)
    *d.large.n = 0;
  if (i < with_margin (&d))
    d.keys[i] = 0;
}

/* Is the point (x, y), in 1/256 pixels, inside? */
static __device__ int
inside (const AkPlanes *p, int32_t x, int32_t y)
{
  for (int k = 0; k < 3; k++)
    if ((int64_t) p->a[k] * (x - p->x[k]) + (int64_t) p->b[k] * (y - p->y[k]) < p->out[k])
      return 0;
  return 1;
}

/* Number k of r, g, b, q at a point, between those of the vertices. */
static __device__ float
value_at (const AkPlanes *p, int k, int32_t x, int32_t y)
{
  float v = p->at[k] + p->gx[k] * (float) (x - p->x[0]) + p->gy[k] * (float) (y - p->y[0]);

  return v < p->low[k] ? p->low[k] : v > p->high[k] ? p->high[k] : v;
}

static __device__ void
cover (const AkDraw *d, uint32_t face, const AkPlanes *p, int x, int y)
{
  size_t at = (size_t) (y + AK_DRAW_MARGIN) * d->stride + x;
  float q;

  if (!inside (p, 256 * x, 256 * y))
    return;
  q = value_at (p, 3, 256 * x, 256 * y);
  atomicMax (d->keys + at, (unsigned long long) __float_as_uint (q) << 32 | (~face & 0xffffffffu));
}

static __global__ void
cover_kernel (AkDraw d)
{
  const size_t f = (size_t) blockIdx.x * (blockDim.x / AK_WARP) + threadIdx.x / AK_WARP;
  const AkPlanes *p = d.planes + f;
  int columns, n;

  if (f >= d.mesh.base.faces || !d.front[f] || p->x0 > p->x1 || p->y0 > p->y1 || is_large (p))
    return;
  columns = p->x1 - p->x0 + 1;
  n = columns * (p->y1 - p->y0 + 1);
  for (int i = threadIdx.x % AK_WARP; i < n; i += AK_WARP)
    cover (&d, (uint32_t) f, p, p->x0 + i % columns, p->y0 + i / columns);
}

static __global__ void
cover_large_kernel (AkDraw d)
{
  const uint32_t n = *d.large.n;

  for (uint32_t i = 0; i < n; i++) {
    const uint32_t f = d.large.faces[i];
    const AkPlanes *p = d.planes + f;

    for (int y = p->y0 + (int) ((blockIdx.x + i) % gridDim.x); y <= p->y1; y += (int) gridDim.x)
      for (int x = p->x0 + (int) threadIdx.x; x <= p->x1; x += (int) blockDim.x)
        cover (&d, f, p, x, y);
  }
}

/* What each pixel shows, and that as bytes before edges are blended. */
static __global__ void
resolve_kernel (AkDraw d)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const size_t first = (size_t) AK_DRAW_MARGIN * d.stride;
  AkPixel pixel = { 0, 0 };

  if (i >= with_margin (&d))
    return;
  if (d.keys[i]) {
    const AkPlanes *p = d.planes + (uint32_t) ~d.keys[i];
    const int x = 256 * (int) (i % d.stride), y = 256 * ((int) (i / d.stride) - AK_DRAW_MARGIN);

    pixel.q = __uint_as_float ((unsigned) (d.keys[i] >> 32));
    pixel.color = p->part;
    for (int k = 0; k < 3; k++)
      pixel.color |= (uint32_t) lrintf (value_at (p, k, x, y)) << (8 * k);
  }
  d.pixels[i] = pixel;
  if (i < first || i >= first + (size_t) d.stride * d.height)
    return;
  d.rgba[i - first] = ak_shown (&d, pixel);
}

/* Makes alpha straight again, and the rows as wide as the picture's. */
static __global__ void
straighten_kernel (AkDraw d, uint32_t *to)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const size_t x = i % d.width, y = i / d.width;
  const uint32_t background = d.look->background;
  uint32_t pixel, a, out;

  if (y >= (size_t) d.height)
    return;
  pixel = d.rgba[y * d.stride + x];
  a = pixel >> 24;
  out = a << 24;
  if (a == 255 || !d.look->alpha) {
    to[i] = pixel;
    return;
  }
  for (int k = 0; k < 24 && a; k += 8) {
    uint32_t c = ((pixel >> k & 255) * 255 + a / 2) / a;

    out |= (c < 255 ? c : 255) << k;
  }
  to[i] = pixel == ak_premultiplied (background) ? background : out;
}

typedef struct
{
  AkDraw d;
  uint32_t *rgba; /* [height][width] */
} Node;

static void
draw_run (const AkAt *at, const void *args)
{
  const Node *n = (const Node *) args;
  const AkDraw *d = &n->d;
  const size_t V = d->mesh.base.vertices, F = d->mesh.base.faces;
  const unsigned pixels =
      ak_blocks ((size_t) d->stride * ((size_t) d->height + 2 * AK_DRAW_MARGIN), 256);

  ak_cuda_normals (at, &d->mesh, d->normals, d->vertices);
  AK_LAUNCH (clear_kernel, pixels, 256, 0, at, *d);
  AK_LAUNCH (light_kernel, ak_blocks (V, 128), 128, 0, at, *d);
  AK_LAUNCH (faces_kernel, ak_blocks (F, 128), 128, 0, at, *d);
  AK_LAUNCH (cover_kernel, ak_blocks (F, 4), 4 * AK_WARP, 0, at, *d);
  AK_LAUNCH (cover_large_kernel, AK_LARGE_BLOCKS, 128, 0, at, *d);
  AK_LAUNCH (resolve_kernel, pixels, 256, 0, at, *d);
  ak_cuda_edges (at, d);
  AK_LAUNCH (
      straighten_kernel, ak_blocks ((size_t) d->width * d->height, 256), 256, 0, at, *d, n->rgba);
}

/* What of host memory is read at each run. */
typedef struct
{
  const AkPicture *picture;
  const AkDrawStyle *style;
} Source;

static void
read_look (const void *source, void *to)
{
  const Source *s = (const Source *) source;
  const uint32_t argb = s->style->background;
  AkDrawLook *look = (AkDrawLook *) to;

  look->background = (argb & 0xff00ff00) | (argb >> 16 & 255) | (argb & 255) << 16 |
                     (s->picture->alpha ? 0 : 0xff000000);
  look->antialias = s->style->antialias;
  look->alpha = s->picture->alpha;
}

/* Everything that has a size. */
static void
make_memory (AkPlan *plan, AkDraw *d)
{
  const size_t V = d->mesh.base.vertices, F = d->mesh.base.faces;
  const size_t pixels = (size_t) d->stride * d->height;
  const size_t margins = pixels + 2 * (size_t) AK_DRAW_MARGIN * d->stride;

#define MEMORY(field, n)                                                                           \
  *(void **) &d->field = ak_plan_memory (plan, (size_t) (n) * sizeof *d->field)
  MEMORY (normals, 3 * V);
  MEMORY (points, V);
  MEMORY (looks, V);
  MEMORY (front, F + 1);
  MEMORY (planes, F);
  MEMORY (keys, margins);
  MEMORY (pixels, margins);
  MEMORY (outer, pixels);
  MEMORY (inner, pixels);
  MEMORY (colors, pixels);
  MEMORY (shares, pixels);
  MEMORY (crossings, 2 * pixels);
  MEMORY (listed, 2 * pixels);
  MEMORY (rgba, pixels);
#undef MEMORY
}

static void
mesh_draw (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    const AkPicture *picture, const AkDrawStyle *style)
{
  const float m = (float) (picture->width < picture->height ? picture->width : picture->height);
  Source *source = (Source *) ak_cuda_pinned (plan, sizeof *source);
  Node n = {};
  AkDraw *d = &n.d;

  if (!source)
    return;
  source->picture = picture;
  source->style = style;
  d->mesh = *(const AkCudaMesh *) mesh;
  d->vertices = vertices;
  d->scale = scale;
  d->zoom = 6 * m * 256;
  d->middle_x = 128 * (float) (picture->width - 1);
  d->middle_y = 128 * (float) (picture->height - 1);
  d->width = (int) picture->width;
  d->height = (int) picture->height;
  d->stride = (d->width + 3) / 4 * 4;
  d->look = (const AkDrawLook *) ak_cuda_read_each_run (plan, read_look, source, sizeof *d->look);
  d->large = ak_large_faces (plan, mesh);
  make_memory (plan, d);
  n.rgba = (uint32_t *) ak_plan_memory (plan, (size_t) d->width * d->height * sizeof *n.rgba);
  if (plan->status == AK_OK)
    ak_cuda_append (plan, draw_run, NULL, &n, sizeof n);
  ak_cuda_picture (plan, picture, (const uint8_t *) n.rgba);
}

void
ak_cuda_draw_init (AkOps *ops)
{
  ops->mesh_draw = mesh_draw;
}
