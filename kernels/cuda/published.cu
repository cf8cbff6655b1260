/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The published look (model spec, section 9), in double: first the depth of each pixel, then the lowest of the faces
 * that have it, then its colour. All three compute a face's depth alike, since nothing is fused. */
#include "launch.h"
#include "mesh.h"

typedef struct
{
  double x, y, z; /* ndc and depth */
} Seen;

/* A face's box of pixels; empty (x0 > x1) if the face is skipped. */
typedef struct
{
  int x0, x1, y0, y1;
  double area;
} Box;

typedef struct
{
  AkCudaMesh mesh;
  const float *vertices;
  double scale;
  unsigned width, height;
  AkFragments out;
  float *normals;
  Seen *seen; /* [V] */
  Box *box;   /* [F] */
  AkLargeFaces large;
  unsigned long long
      *depth;     /* [height][width]: bits of a double, ordered as it is since it is positive */
  uint32_t *face; /* [height][width] */
  uint8_t *rgba;  /* [height][width][4], or NULL */
} Published;

#define NO_FACE 0xffffffffu
#define NO_DEPTH 0xffffffffffffffffull

static __device__ double
smaller (const Published *p)
{
  return p->width < p->height ? p->width : p->height;
}

static __global__ void
see_kernel (Published p)
{
  const size_t v = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const float *at = p.vertices + 3 * v;
  double z;

  if (v >= p.mesh.base.vertices)
    return;
  z = 2 * p.scale - at[2];
  p.seen[v].x = -12 * (double) at[0] / z;
  p.seen[v].y = 12 * (double) at[1] / z;
  p.seen[v].z = z;
}

/* The pixels whose middles lie in [low, high], of n: the middle of pixel j is at (n - 1 - 2j) / m. */
static __device__ void
pixel_range (double low, double high, double n, double m, int *first, int *last)
{
  double a = ceil ((n - 1 - high * m) / 2 - 1e-3), b = floor ((n - 1 - low * m) / 2 + 1e-3);

  *first = a > 0 ? (a < n ? (int) a : (int) n) : 0;
  *last = b < n - 1 ? (b >= 0 ? (int) b : -1) : (int) n - 1;
}

static __device__ double
least (double a, double b, double c)
{
  return fmin (a, fmin (b, c));
}

static __device__ double
most (double a, double b, double c)
{
  return fmax (a, fmax (b, c));
}

static __global__ void
box_kernel (Published p)
{
  const size_t f = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const uint32_t *i = p.mesh.indices + 3 * f;
  const double m = smaller (&p);
  Box box = { 0, -1, 0, -1, 0 };
  Seen a, b, c;

  if (f >= p.mesh.base.faces)
    return;
  a = p.seen[i[0]], b = p.seen[i[1]], c = p.seen[i[2]];
  if (a.z >= 1e-8 && b.z >= 1e-8 && c.z >= 1e-8) {
    box.area = (c.x - a.x) * (b.y - a.y) - (c.y - a.y) * (b.x - a.x);
    if (fabs (box.area) > 1e-8) {
      pixel_range (least (a.x, b.x, c.x), most (a.x, b.x, c.x), p.width, m, &box.x0, &box.x1);
      pixel_range (least (a.y, b.y, c.y), most (a.y, b.y, c.y), p.height, m, &box.y0, &box.y1);
    }
  }
  p.box[f] = box;
  if (box.x0 <= box.x1 && box.y0 <= box.y1 &&
      (double) (box.x1 - box.x0 + 1) * (box.y1 - box.y0 + 1) > AK_FACE_LARGE)
    p.large.faces[atomicAdd (p.large.n, 1u)] = (uint32_t) f;
}

static __global__ void
clear_kernel (Published p)
{
  const size_t i = (size_t) blockIdx.x * blockDim.x + threadIdx.x;

  if (i == 0)
    *p.large.n = 0;
  if (i >= (size_t) p.width * p.height)
    return;
  p.depth[i] = NO_DEPTH;
  p.face[i] = NO_FACE;
}

/* Twice the area of a, b and the point; of the sign of Box.area on the inner side. */
static __device__ double
edge (const Seen *a, const Seen *b, double x, double y)
{
  return (x - a->x) * (b->y - a->y) - (y - a->y) * (b->x - a->x);
}

/* The face's depth at the pixel (column c, row r) and the first two of its weights; 0 if it does not cover it. */
static __device__ double
depth_at (const Published *p, uint32_t f, int c, int r, double weights[2])
{
  const uint32_t *i = p->mesh.indices + 3 * (size_t) f;
  const Seen v0 = p->seen[i[0]], v1 = p->seen[i[1]], v2 = p->seen[i[2]];
  const double m = smaller (p), sign = p->box[f].area > 0 ? 1 : -1, area = p->box[f].area + 1e-8;
  const double x = ((double) p->width - 1 - 2.0 * c) / m,
               y = ((double) p->height - 1 - 2.0 * r) / m;
  const double w0 = edge (&v1, &v2, x, y), w1 = edge (&v2, &v0, x, y), w2 = edge (&v0, &v1, x, y);
  double t0, t1, t2, sum;

  if (!(w0 * sign > 0 && w1 * sign > 0 && w2 * sign > 0))
    return 0;
  t0 = w0 / area * v1.z * v2.z;
  t1 = w1 / area * v0.z * v2.z;
  t2 = w2 / area * v0.z * v1.z;
  sum = fmax (t0 + t1 + t2, 1e-8);
  t0 /= sum, t1 /= sum, t2 /= sum;
  if (!(t0 > 0 && t1 > 0 && t2 > 0))
    return 0;
  weights[0] = t0;
  weights[1] = t1;
  return t0 * v0.z + t1 * v1.z + t2 * v2.z;
}

/* Draws one pixel: its depth, or once that is known the face. */
static __device__ void
cover (const Published *p, uint32_t f, int c, int r, int faces)
{
  const size_t at = (size_t) r * p->width + c;
  double weights[2], z = depth_at (p, f, c, r, weights);
  unsigned long long bits = (unsigned long long) __double_as_longlong (z);

  if (!(z > 0))
    return;
  if (!faces)
    atomicMin (p->depth + at, bits);
  else if (p->depth[at] == bits)
    atomicMin (p->face + at, f);
}

static __global__ void
cover_kernel (Published p, int faces)
{
  const size_t f = (size_t) blockIdx.x * (blockDim.x / AK_WARP) + threadIdx.x / AK_WARP;
  int columns, n;
  Box box;

  if (f >= p.mesh.base.faces)
    return;
  box = p.box[f];
  columns = box.x1 - box.x0 + 1;
  if (columns <= 0 || (double) columns * (box.y1 - box.y0 + 1) > AK_FACE_LARGE)
    return;
  n = columns * (box.y1 - box.y0 + 1);
  for (int i = threadIdx.x % AK_WARP; i < n; i += AK_WARP)
    cover (&p, (uint32_t) f, box.x0 + i % columns, box.y0 + i / columns, faces);
}

static __global__ void
cover_large_kernel (Published p, int faces)
{
  const uint32_t n = *p.large.n;

  for (uint32_t i = 0; i < n; i++) {
    const uint32_t f = p.large.faces[i];
    const Box box = p.box[f];

    for (int r = box.y0 + (int) ((blockIdx.x + i) % gridDim.x); r <= box.y1; r += (int) gridDim.x)
      for (int c = box.x0 + (int) threadIdx.x; c <= box.x1; c += (int) blockDim.x)
        cover (&p, f, c, r, faces);
  }
}

static __device__ double
dot (const double *a, const double *b)
{
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static __device__ void
normalise (double *a)
{
  double length = fmax (sqrt (dot (a, a)), 1e-6);

  for (int k = 0; k < 3; k++)
    a[k] /= length;
}

static __device__ void
shade (const Published *p, uint32_t face, const double weights[2], double rgb[3])
{
  const double base[3] = { 142 / 255.0, 179 / 255.0, 247 / 255.0 }, light[3] = { 0, 1, 3 };
  const double b[3] = { weights[0], weights[1], 1 - weights[0] - weights[1] };
  const uint32_t *i = p->mesh.indices + 3 * (size_t) face;
  double P[3] = { 0, 0, 0 }, N[3] = { 0, 0, 0 }, l[3], e[3], r[3], c, shine;

  for (int j = 0; j < 3; j++)
    for (int k = 0; k < 3; k++) {
      P[k] += b[j] * p->vertices[3 * (size_t) i[j] + k];
      N[k] += b[j] * p->normals[3 * (size_t) i[j] + k];
    }
  for (int k = 0; k < 3; k++) {
    l[k] = light[k] - P[k];
    e[k] = (k == 2 ? 2 * p->scale : 0) - P[k];
  }
  normalise (N);
  normalise (l);
  normalise (e);
  c = dot (N, l);
  for (int k = 0; k < 3; k++)
    r[k] = 2 * c * N[k] - l[k];
  shine = c > 0 ? fmax (dot (e, r), 0.0) : 0;
  shine *= shine;                                /* ^2 */
  shine = shine * shine * shine * shine * shine; /* ^10 */
  for (int k = 0; k < 3; k++)
    rgb[k] = (0.5 + 0.3 * fmax (c, 0.0)) * base[k] + 0.12 * shine;
}

static __global__ void
shade_kernel (Published p)
{
  const size_t at = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  double rgb[3] = { 1, 1, 1 }, weights[2] = { 0, 0 }, z = 0;
  uint32_t face;

  if (at >= (size_t) p.width * p.height)
    return;
  face = p.face[at];
  if (face != NO_FACE) {
    z = depth_at (&p, face, (int) (at % p.width), (int) (at / p.width), weights);
    shade (&p, face, weights, rgb);
  }
  if (p.rgba) {
    for (int k = 0; k < 3; k++)
      p.rgba[4 * at + k] = (uint8_t) (255 * rgb[k]);
    p.rgba[4 * at + 3] = face != NO_FACE ? 255 : 0;
  }
  if (p.out.face)
    p.out.face[at] = (int32_t) face;
  if (p.out.z)
    p.out.z[at] = (float) z;
  for (int k = 0; k < 2 && p.out.bary; k++)
    p.out.bary[2 * at + k] = (float) weights[k];
  for (int k = 0; k < 3 && p.out.rgb; k++)
    p.out.rgb[3 * at + k] = (float) rgb[k];
}

static void
published_run (const AkAt *at, const void *args)
{
  const Published *p = (const Published *) args;
  const size_t V = p->mesh.base.vertices, F = p->mesh.base.faces;
  const unsigned pixels = ak_blocks ((size_t) p->width * p->height, 256);

  ak_cuda_normals (at, &p->mesh, p->normals, p->vertices);
  AK_LAUNCH (clear_kernel, pixels, 256, 0, at, *p);
  AK_LAUNCH (see_kernel, ak_blocks (V, 128), 128, 0, at, *p);
  AK_LAUNCH (box_kernel, ak_blocks (F, 128), 128, 0, at, *p);
  for (int faces = 0; faces < 2; faces++) {
    AK_LAUNCH (cover_kernel, ak_blocks (F, 4), 4 * AK_WARP, 0, at, *p, faces);
    AK_LAUNCH (cover_large_kernel, AK_LARGE_BLOCKS, 128, 0, at, *p, faces);
  }
  AK_LAUNCH (shade_kernel, pixels, 256, 0, at, *p);
}

static void
record (AkPlan *plan, Published *p, const AkMesh *mesh)
{
  const size_t pixels = (size_t) p->width * p->height;

  p->mesh = *(const AkCudaMesh *) mesh;
  p->normals = (float *) ak_plan_memory (plan, 3 * mesh->vertices * sizeof *p->normals);
  p->seen = (Seen *) ak_plan_memory (plan, mesh->vertices * sizeof *p->seen);
  p->box = (Box *) ak_plan_memory (plan, mesh->faces * sizeof *p->box);
  p->large = ak_large_faces (plan, mesh);
  p->depth = (unsigned long long *) ak_plan_memory (plan, pixels * sizeof *p->depth);
  p->face = (uint32_t *) ak_plan_memory (plan, pixels * sizeof *p->face);
  if (plan->status == AK_OK)
    ak_cuda_append (plan, published_run, NULL, p, sizeof *p);
}

static void
mesh_fragments (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    unsigned width, unsigned height, const AkFragments *out)
{
  Published p = {};

  p.vertices = vertices;
  p.scale = scale;
  p.width = width;
  p.height = height;
  p.out = *out;
  record (plan, &p, mesh);
}

static void
mesh_draw_published (
    AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale, const AkPicture *picture)
{
  Published p = {};

  p.vertices = vertices;
  p.scale = scale;
  p.width = picture->width;
  p.height = picture->height;
  p.rgba = (uint8_t *) ak_plan_memory (plan, 4 * (size_t) p.width * p.height);
  record (plan, &p, mesh);
  ak_cuda_picture (plan, picture, p.rgba);
}

void
ak_cuda_published_init (AkOps *ops)
{
  ops->mesh_fragments = mesh_fragments;
  ops->mesh_draw_published = mesh_draw_published;
}
