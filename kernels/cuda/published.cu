/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The published look (model spec, section 9), in double: of each pixel the nearest face, the lowest one of equals, then
 * its colour. A pixel's key, the smallest, is the upper half of a depth and the face. Where faces agree in that half
 * the pixel is close: there the whole depth is found first, then the lowest of the faces that have it. All compute a
 * face's depth alike, since nothing is fused. */
#include "mesh.cuh"

#include "../published_look.h"

typedef struct
{
  AkCudaMesh mesh;
  const float *vertices;
  double scale;
  unsigned width, height;
  double *across, *down; /* [width], [height]: the pixels' middles */
  AkFragments out;
  float *normals;
  AkSeen *seen;   /* [V] */
  AkFaceBox *box; /* [F] */
  AkFaceLists faces;
  unsigned long long *keys;  /* [height][width] */
  uint32_t *n_close;         /* is there a close pixel? */
  uint8_t *near;             /* [tiles]: is there one in the tile? */
  uint8_t *close;            /* [height][width]; of those that are: */
  unsigned long long *depth; /* bits of a double, ordered as it is since it is positive */
  uint32_t *face;
  uint32_t *rgba; /* [height][width], or NULL */
} Published;

#define TILE 8 /* columns and rows */
#define NO_FACE 0xffffffffu
#define NO_DEPTH 0xffffffffffffffffull /* also as a key */

static inline __host__ __device__ size_t
tiles (unsigned side)
{
  return ((size_t) side + TILE - 1) / TILE;
}

/* The vertices, the pixels' middles, and what later kernels find empty. */
static __global__ void
vertices_kernel (Published p)
{
  const size_t i = (size_t) blockIdx.x * AK_NORMAL_THREADS + threadIdx.x, v = i / AK_NORMAL_LANES;
  const size_t pixels = (size_t) p.width * p.height;
  const size_t threads = (size_t) gridDim.x * AK_NORMAL_THREADS;
  const double m = ak_smaller_side (p.width, p.height);
  float normal[3];

  for (size_t k = i; k < pixels; k += threads) {
    p.keys[k] = NO_DEPTH;
    p.close[k] = 0;
  }
  for (size_t k = i; k < tiles (p.width) * tiles (p.height); k += threads)
    p.near[k] = 0;
  for (size_t k = i; k < p.width; k += threads)
    p.across[k] = ak_pixel_middle ((unsigned) k, p.width, m);
  for (size_t k = i; k < p.height; k += threads)
    p.down[k] = ak_pixel_middle ((unsigned) k, p.height, m);
  if (i < 2)
    p.faces.n[i] = 0;
  if (i == 0)
    *p.n_close = 0;
  ak_normal (&p.mesh, p.vertices, v, normal);
  if (v >= p.mesh.base.vertices || i % AK_NORMAL_LANES)
    return;
  p.seen[v] = ak_see (p.vertices + 3 * v, p.scale);
  for (int c = 0; c < 3; c++)
    p.normals[3 * v + c] = normal[c];
}

static __global__ void
box_kernel (Published p)
{
  const size_t f = (size_t) blockIdx.x * AK_FACE_THREADS + threadIdx.x;
  const uint32_t *i = p.mesh.indices + 3 * f;
  double pixels = 0;

  if (f < p.mesh.base.faces) {
    const AkFaceBox box =
        ak_face_box (p.seen + i[0], p.seen + i[1], p.seen + i[2], p.width, p.height);

    if (box.x0 <= box.x1 && box.y0 <= box.y1) {
      p.box[f] = box;
      pixels = (double) (box.x1 - box.x0 + 1) * (box.y1 - box.y0 + 1);
    }
  }
  ak_list_face (&p.faces, (uint32_t) f, pixels);
}

/* A face that is drawn. */
typedef struct
{
  AkSeen corner[3];
  double area;
  int x0, y0, x1, y1;
} Face;

static __device__ Face
face_at (const Published *p, uint32_t f)
{
  const uint32_t *i = p->mesh.indices + 3 * (size_t) f;
  const AkFaceBox box = p->box[f];

  return Face{ { p->seen[i[0]], p->seen[i[1]], p->seen[i[2]] }, box.area, box.x0, box.y0, box.x1,
    box.y1 };
}

/* ak_face_depth() of a pixel. */
static __device__ double
depth_at (const Published *p, const Face *f, int x, int y, double weights[2])
{
  return ak_face_depth (
      f->corner, f->corner + 1, f->corner + 2, f->area, p->across[x], p->down[y], weights);
}

static __global__ void
cover_kernel (Published p)
{
  ak_cover_faces (
      &p.faces, [&p] (uint32_t f) { return face_at (&p, f); },
      [&p] (const Face &face, uint32_t f, int x, int y) {
        const size_t at = (size_t) y * p.width + x;
        double weights[2];
        const double z = depth_at (&p, &face, x, y, weights);
        unsigned long long key, old;

        if (!(z > 0))
          return;
        key = ((unsigned long long) __double_as_longlong (z) & ~0xffffffffull) | f;
        old = atomicMin (p.keys + at, key);
        if ((old ^ key) >> 32)
          return;
        p.near[tiles (p.width) * (y / TILE) + x / TILE] = 1;
        p.close[at] = 1;
        p.depth[at] = NO_DEPTH;
        p.face[at] = NO_FACE;
        *p.n_close = 1;
      });
}

/* Is there a close pixel in a tile that the face's box meets? */
static __device__ int
is_near (const Published *p, const AkFaceBox *box)
{
  int near = 0;

  for (int y = box->y0 / TILE; y <= box->y1 / TILE; y++)
    for (int x = box->x0 / TILE; x <= box->x1 / TILE; x++)
      near |= p->near[tiles (p->width) * y + x];
  return near;
}

/* The depths of close pixels, or once those are known the faces. A thread looks where a face is, and where it is near a
 * close pixel the warp at its pixels. */
static __global__ void
close_kernel (Published p, int faces)
{
  const uint32_t small = *p.n_close ? p.faces.n[0] : 0;
  const auto load = [&p] (uint32_t f) { return face_at (&p, f); };
  const auto cover = [&p, faces] (const Face &face, uint32_t f, int x, int y) {
    const size_t at = (size_t) y * p.width + x;
    double weights[2], z = p.close[at] ? depth_at (&p, &face, x, y, weights) : 0;
    const unsigned long long bits = (unsigned long long) __double_as_longlong (z);

    if (!(z > 0))
      return;
    if (!faces)
      atomicMin (p.depth + at, bits);
    else if (p.depth[at] == bits)
      atomicMin (p.face + at, f);
  };

  for (uint32_t i = blockIdx.x * AK_COVER_THREADS; i < small; i += gridDim.x * AK_COVER_THREADS) {
    const uint32_t own = i + threadIdx.x;
    const AkFacePiece piece = own < small ? p.faces.small[own] : AkFacePiece{ 0, 1 };
    const int near = piece.first == 0 && is_near (&p, p.box + piece.face);
    unsigned left = __ballot_sync (AK_ALL, near);

    for (; left; left &= left - 1) {
      const uint32_t f = __shfl_sync (AK_ALL, piece.face, __ffs ((int) left) - 1);
      const AkFaceBox box = p.box[f];
      const int columns = box.x1 - box.x0 + 1, n = columns * (box.y1 - box.y0 + 1);

      for (int k = (int) (threadIdx.x % AK_WARP); k < n; k += AK_WARP) {
        const int x = box.x0 + k % columns, y = box.y0 + k / columns;

        if (p.close[(size_t) y * p.width + x])
          cover (load (f), f, x, y);
      }
    }
  }
  if (*p.n_close)
    ak_cover_large (&p.faces, load, cover);
}

static __global__ void
shade_kernel (Published p)
{
  const size_t at = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  double rgb[3] = { 1, 1, 1 }, weights[2] = { 0, 0 }, z = 0;
  uint32_t face;

  if (at >= (size_t) p.width * p.height)
    return;
  face = p.close[at] ? p.face[at] : (uint32_t) p.keys[at];
  if (face != NO_FACE) {
    const Face f = face_at (&p, face);
    size_t x;
    const size_t y = ak_split (at, p.width, &x);

    z = depth_at (&p, &f, (int) x, (int) y, weights);
    ak_shade_published (
        rgb, p.vertices, p.normals, p.mesh.indices + 3 * (size_t) face, weights, p.scale);
  }
  if (p.rgba) {
    uint32_t pixel = face != NO_FACE ? 0xff000000 : 0;

    for (int k = 0; k < 3; k++)
      pixel |= (uint32_t) (uint8_t) (255 * rgb[k]) << 8 * k;
    p.rgba[at] = pixel;
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

  AK_LAUNCH (vertices_kernel, ak_blocks (AK_NORMAL_LANES * V, AK_NORMAL_THREADS), AK_NORMAL_THREADS,
      0, at, *p);
  AK_LAUNCH (box_kernel, ak_blocks (F, AK_FACE_THREADS), AK_FACE_THREADS, 0, at, *p);
  AK_LAUNCH (cover_kernel, ak_cover_blocks (F), AK_COVER_THREADS, 0, at, *p);
  for (int faces = 0; faces < 2; faces++)
    AK_LAUNCH (close_kernel, ak_blocks (F, AK_COVER_THREADS), AK_COVER_THREADS, 0, at, *p, faces);
  AK_LAUNCH (shade_kernel, pixels, 256, 0, at, *p);
}

static void
record (AkPlan *plan, Published *p, const AkMesh *mesh)
{
  const size_t pixels = (size_t) p->width * p->height;

  p->mesh = *(const AkCudaMesh *) mesh;
  p->faces = ak_face_lists (plan, mesh);
#define MEMORY(field, n)                                                                           \
  *(void **) &p->field = ak_plan_memory (plan, (size_t) (n) * sizeof *p->field)
  MEMORY (across, p->width);
  MEMORY (down, p->height);
  MEMORY (normals, 3 * mesh->vertices);
  MEMORY (seen, mesh->vertices);
  MEMORY (box, mesh->faces);
  MEMORY (keys, pixels);
  MEMORY (n_close, 1);
  MEMORY (near, tiles (p->width) * tiles (p->height));
  MEMORY (close, pixels);
  MEMORY (depth, pixels);
  MEMORY (face, pixels);
#undef MEMORY
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
  p.rgba = (uint32_t *) ak_plan_memory (plan, (size_t) p.width * p.height * sizeof *p.rgba);
  record (plan, &p, mesh);
  ak_cuda_picture (plan, picture, (const uint8_t *) p.rgba);
}

void
ak_cuda_published_init (AkOps *ops)
{
  ops->mesh_fragments = mesh_fragments;
  ops->mesh_draw_published = mesh_draw_published;
}
