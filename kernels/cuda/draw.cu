/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "draw.cuh"

#include "../light.h"

static __device__ size_t
with_margin (const AkDraw *d)
{
  return (size_t) d->stride * (d->height + 2 * AK_DRAW_MARGIN);
}

/* Where the vertex is in the picture, and its light. */
static __device__ void
light (const AkDraw *d, size_t v, const float *normal)
{
  const float *at = d->vertices + 3 * v;
  AkPoint point = { AK_POINT_BAD, 0 };
  AkLook look = {};
  const unsigned material = d->mesh.materials[v];
  AkMouth mouth;
  float z, x, y;

  z = 2 * d->scale - at[2];
  x = d->middle_x + d->zoom * (at[0] / z);
  y = d->middle_y - d->zoom * (at[1] / z);
  if (z >= 1e-8f && fabsf (x) < 1 << 28 && fabsf (y) < 1 << 28) {
    point.x = (int32_t) lrintf (x);
    point.y = (int32_t) lrintf (y);
    look.q = 1 / z;
    if (ak_is_at_mouth (material))
      mouth = ak_mouth (&d->mesh.lips, d->vertices, d->scale);
    ak_light_vertex (
        &look.r, at, normal, material, d->mesh.albedo + v, d->mesh.padded, d->scale, &mouth);
  }
  d->points[v] = point;
  d->looks[v] = look;
}

/* The vertices; and what later kernels find empty. */
static __global__ void
vertices_kernel (AkDraw d)
{
  const size_t i = (size_t) blockIdx.x * AK_NORMAL_THREADS + threadIdx.x, v = i / AK_NORMAL_LANES;
  const size_t threads = (size_t) gridDim.x * AK_NORMAL_THREADS;
  float normal[3];

  for (size_t k = i; k < with_margin (&d) / 2; k += threads)
    ((uint4 *) d.keys)[k] = uint4{ 0, 0, 0, 0 };
  for (size_t k = i; k < 1 + ak_bands (d.height); k += threads)
    d.n_listed[k] = 0;
  if (i < 2)
    d.faces.n[i] = 0;
  ak_normal (&d.mesh, d.vertices, v, normal);
  if (v < d.mesh.base.vertices && i % AK_NORMAL_LANES == 0)
    light (&d, v, normal);
}

static __device__ AkPlanes
make_planes (const AkDraw *d, uint32_t face, const uint32_t i[3], const AkPoint v[3])
{
  const AkLook l0 = d->looks[i[0]], l1 = d->looks[i[1]], l2 = d->looks[i[2]];
  const float *f0 = &l0.r, *f1 = &l1.r, *f2 = &l2.r;
  float X1, Y1, X2, Y2, inverse;
  AkPlanes p;

  for (int k = 0; k < 3; k++) {
    const int next = k == 2 ? 0 : k + 1;

    p.a[k] = v[next].y - v[k].y;
    p.b[k] = v[k].x - v[next].x;
    p.c[k] = -(int64_t) p.a[k] * v[k].x - (int64_t) p.b[k] * v[k].y;
    if (!(p.a[k] > 0 || (p.a[k] == 0 && p.b[k] > 0)))
      p.c[k]--; /* points on the edge belong to the neighbour */
  }
  p.x = v[0].x;
  p.y = v[0].y;
  p.x0 = (min (v[0].x, min (v[1].x, v[2].x)) + 255) >> 8;
  p.x1 = max (v[0].x, max (v[1].x, v[2].x)) >> 8;
  p.y0 = (min (v[0].y, min (v[1].y, v[2].y)) + 255) >> 8;
  p.y1 = max (v[0].y, max (v[1].y, v[2].y)) >> 8;
  p.x0 = max (p.x0, 0);
  p.x1 = min (p.x1, d->stride - 1);
  p.y0 = max (p.y0, -AK_DRAW_MARGIN);
  p.y1 = min (p.y1, d->height - 1 + AK_DRAW_MARGIN);
  X1 = (float) (v[1].x - v[0].x), Y1 = (float) (v[1].y - v[0].y);
  X2 = (float) (v[2].x - v[0].x), Y2 = (float) (v[2].y - v[0].y);
  inverse = (float) (1.0 / ((double) X1 * Y2 - (double) X2 * Y1));
  for (int k = 0; k < 4; k++) {
    float d1 = f1[k] - f0[k], d2 = f2[k] - f0[k];

    p.at[k] = f0[k];
    p.gx[k] = (d1 * Y2 - d2 * Y1) * inverse;
    p.gy[k] = (d2 * X1 - d1 * X2) * inverse;
    p.low[k] = f0[k] < f1[k] ? (f0[k] < f2[k] ? f0[k] : f2[k]) : (f1[k] < f2[k] ? f1[k] : f2[k]);
    p.high[k] = f0[k] > f1[k] ? (f0[k] > f2[k] ? f0[k] : f2[k]) : (f1[k] > f2[k] ? f1[k] : f2[k]);
  }
  p.part = (uint32_t) d->mesh.face_part[face] << 24;
  p.unused = 0;
  return p;
}

static __global__ void
faces_kernel (AkDraw d)
{
  const size_t f = (size_t) blockIdx.x * AK_FACE_THREADS + threadIdx.x;
  double pixels = 0;

  if (f < d.mesh.base.faces) {
    const uint32_t *at = d.mesh.indices + 3 * f, i[3] = { at[0], at[1], at[2] };
    const AkPoint v[3] = { d.points[i[0]], d.points[i[1]], d.points[i[2]] };
    const int front = v[0].x != AK_POINT_BAD && v[1].x != AK_POINT_BAD && v[2].x != AK_POINT_BAD &&
                      (int64_t) (v[2].x - v[0].x) * (v[1].y - v[0].y) >
                          (int64_t) (v[1].x - v[0].x) * (v[2].y - v[0].y);

    d.front[f] = (uint8_t) front;
    if (front) {
      const AkPlanes p = make_planes (&d, (uint32_t) f, i, v);

      if (p.x0 <= p.x1 && p.y0 <= p.y1) {
        d.planes[f] = p;
        pixels = (double) (p.x1 - p.x0 + 1) * (p.y1 - p.y0 + 1);
      }
    }
  }
  ak_list_face (&d.faces, (uint32_t) f, pixels);
}

/* Number k of r, g, b, q at a point, between those of the vertices. */
static __device__ float
value_at (const AkPlanes *p, int k, int32_t x, int32_t y)
{
  float v = p->at[k] + p->gx[k] * (float) (x - p->x) + p->gy[k] * (float) (y - p->y);

  return v < p->low[k] ? p->low[k] : v > p->high[k] ? p->high[k] : v;
}

/* The nearest face of each pixel; and the list of outlines. */
static __global__ void
cover_kernel (AkDraw d)
{
  const size_t threads = (size_t) gridDim.x * AK_COVER_THREADS;

  for (size_t e = (size_t) blockIdx.x * AK_COVER_THREADS + threadIdx.x; e < d.mesh.n_edges;
       e += threads) {
    const uint32_t *faces = d.mesh.edge_faces + 2 * e, *vertex = d.mesh.edge_vertices + 2 * e;
    const int seen = d.front[faces[0]];

    if (seen != d.front[faces[1]]) {
      const uint32_t face = faces[!seen], *i = d.mesh.indices + 3 * (size_t) face;

      d.outlines[atomicAdd (d.n_listed, 1u)] = AkOutline{ (uint32_t) e, { vertex[0], vertex[1] },
        i[0] ^ i[1] ^ i[2] ^ vertex[0] ^ vertex[1], d.mesh.face_part[face] };
    }
  }
  ak_cover_faces (
      &d.faces, [&d] (uint32_t f) { return d.planes[f]; },
      [&d] (const AkPlanes &p, uint32_t f, int x, int y) {
        int inside = 1;

        for (int k = 0; k < 3; k++)
          inside &= (int64_t) p.a[k] * (256 * x) + (int64_t) p.b[k] * (256 * y) + p.c[k] >= 0;
        if (inside)
          atomicMax (d.keys + (size_t) (y + AK_DRAW_MARGIN) * d.stride + x,
              (unsigned long long) __float_as_uint (value_at (&p, 3, 256 * x, 256 * y)) << 32 |
                  (~f & 0xffffffffu));
      });
}

/* What each pixel shows, and that as bytes before edges are blended. */
static __global__ void
resolve_kernel (AkDraw d)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const size_t first = (size_t) AK_DRAW_MARGIN * d.stride;
  AkPixel pixel = { 0, 0 };
  unsigned long long key;

  if (i >= with_margin (&d))
    return;
  key = d.keys[i];
  if (key) {
    const AkPlanes p = d.planes[(uint32_t) ~key];
    size_t column;
    const int y = 256 * ((int) ak_split (i, (size_t) d.stride, &column) - AK_DRAW_MARGIN);
    const int x = 256 * (int) column;

    d.keys[i] = 0; /* for outlines */
    pixel.q = __uint_as_float ((unsigned) (key >> 32));
    pixel.color = p.part;
    for (int k = 0; k < 3; k++)
      pixel.color |= (uint32_t) lrintf (value_at (&p, k, x, y)) << (8 * k);
  }
  d.pixels[i] = pixel;
  if (i < first || i >= first + (size_t) d.stride * d.height)
    return;
  d.shares[i - first] = 0;
  d.rgba[i - first] = ak_shown (&d, pixel);
}

static void
draw_run (const AkAt *at, const void *args)
{
  const AkDraw *d = (const AkDraw *) args;
  const size_t V = d->mesh.base.vertices, F = d->mesh.base.faces;
  const unsigned pixels =
      ak_blocks ((size_t) d->stride * ((size_t) d->height + 2 * AK_DRAW_MARGIN), 256);

  AK_LAUNCH (vertices_kernel, ak_blocks (AK_NORMAL_LANES * V, AK_NORMAL_THREADS), AK_NORMAL_THREADS,
      0, at, *d);
  AK_LAUNCH (faces_kernel, ak_blocks (F, AK_FACE_THREADS), AK_FACE_THREADS, 0, at, *d);
  AK_LAUNCH (cover_kernel, ak_cover_blocks (F), AK_COVER_THREADS, 0, at, *d);
  AK_LAUNCH (resolve_kernel, pixels, 256, 0, at, *d);
  ak_cuda_edges (at, d);
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
  MEMORY (points, V);
  MEMORY (looks, V);
  MEMORY (front, F + 1);
  MEMORY (planes, F);
  MEMORY (keys, margins);
  MEMORY (pixels, margins);
  MEMORY (shares, pixels);
  MEMORY (n_listed, 1 + ak_bands (d->height));
  MEMORY (outlines, d->mesh.n_edges);
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
  AkDraw draw = {}, *d = &draw;

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
  d->faces = ak_face_lists (plan, mesh);
  make_memory (plan, d);
  if (plan->status == AK_OK)
    ak_cuda_append (plan, draw_run, NULL, d, sizeof *d);
  ak_cuda_picture_premultiplied (plan, picture, d->rgba, (size_t) d->stride, &d->look->background);
}

void
ak_cuda_draw_init (AkOps *ops)
{
  ops->mesh_draw = mesh_draw;
}
