/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The published look (model spec, section 9), in double: first the depth of each pixel, then the lowest of the faces
 * that have it, then its colour. All three compute a face's depth alike, since nothing is fused. */
#include "launch.h"
#include "mesh.h"

#include "../published_look.h"

typedef struct
{
  AkCudaMesh mesh;
  const float *vertices;
  double scale;
  unsigned width, height;
  AkFragments out;
  float *normals;
  AkSeen *seen;   /* [V] */
  AkFaceBox *box; /* [F] */
  AkLargeFaces large;
  unsigned long long
      *depth;     /* [height][width]: bits of a double, ordered as it is since it is positive */
  uint32_t *face; /* [height][width] */
  uint8_t *rgba;  /* [height][width][4], or NULL */
} Published;

#define NO_FACE 0xffffffffu
#define NO_DEPTH 0xffffffffffffffffull

static __global__ void
see_kernel (Published p)
{
  const size_t v = (size_t) blockIdx.x * blockDim.x + threadIdx.x;

  if (v < p.mesh.base.vertices)
    p.seen[v] = ak_see (p.vertices + 3 * v, p.scale);
}

static __global__ void
box_kernel (Published p)
{
  const size_t f = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  const uint32_t *i = p.mesh.indices + 3 * f;
  AkFaceBox box;

  if (f >= p.mesh.base.faces)
    return;
  box = ak_face_box (p.seen + i[0], p.seen + i[1], p.seen + i[2], p.width, p.height);
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

/* ak_face_depth() of face f. */
static __device__ double
depth_at (const Published *p, uint32_t f, int c, int r, double weights[2])
{
  const uint32_t *i = p->mesh.indices + 3 * (size_t) f;

  return ak_face_depth (p->seen + i[0], p->seen + i[1], p->seen + i[2], p->box[f].area, p->width,
      p->height, c, r, weights);
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
  AkFaceBox box;

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
    const AkFaceBox box = p.box[f];

    for (int r = box.y0 + (int) ((blockIdx.x + i) % gridDim.x); r <= box.y1; r += (int) gridDim.x)
      for (int c = box.x0 + (int) threadIdx.x; c <= box.x1; c += (int) blockDim.x)
        cover (&p, f, c, r, faces);
  }
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
    ak_shade_published (
        rgb, p.vertices, p.normals, p.mesh.indices + 3 * (size_t) face, weights, p.scale);
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
  p->seen = (AkSeen *) ak_plan_memory (plan, mesh->vertices * sizeof *p->seen);
  p->box = (AkFaceBox *) ak_plan_memory (plan, mesh->faces * sizeof *p->box);
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
