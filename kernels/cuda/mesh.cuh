/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the two looks share on the card: normals, the faces that are to be drawn, and how their pixels are shared out. */
#pragma once

#include "launch.h"
#include "mesh.h"

#define AK_NORMAL_LANES 8     /* threads of a vertex */
#define AK_NORMAL_THREADS 128 /* of a block */
#define AK_FACE_THREADS 128
#define AK_COVER_THREADS 128

/* Blocks of ak_cover_faces(): a warp takes two faces, of which a third are not listed. */
static inline unsigned
ak_cover_blocks (size_t faces)
{
  return ak_blocks (faces, 2 * (AK_COVER_THREADS / AK_WARP));
}

/* The normal of the vertex v of this thread and the seven beside it. Each takes a face, and each adds up all of them
 * in the mesh's order. Every thread of a block of AK_NORMAL_THREADS calls, also for v beyond the vertices. */
static __device__ void
ak_normal (const AkCudaMesh *mesh, const float *vertices, size_t v, float normal[3])
{
  __shared__ float cross[AK_NORMAL_THREADS][3];
  const uint32_t lane = threadIdx.x % AK_NORMAL_LANES, F = (uint32_t) mesh->base.faces;
  const int exists = v < mesh->base.vertices;
  const uint32_t first = exists ? mesh->first_face[v] : 0;
  const uint32_t n = exists ? mesh->first_face[v + 1] - first : 0;
  uint32_t face = exists ? mesh->eight_faces[AK_NORMAL_LANES * v + lane] : F;
  double sum[3] = { 0, 0, 0 }, length;

  for (uint32_t k = 0; __any_sync (AK_ALL, k < n); k += AK_NORMAL_LANES) {
    if (k)
      face = k + lane < n ? mesh->vertex_faces[first + k + lane] : F;
    if (face < F) {
      const uint32_t *i = mesh->indices + 3 * (size_t) face;
      const float *v0 = vertices + 3 * (size_t) i[0], *v1 = vertices + 3 * (size_t) i[1],
                  *v2 = vertices + 3 * (size_t) i[2];
      const float ax = v2[0] - v1[0], ay = v2[1] - v1[1], az = v2[2] - v1[2];
      const float bx = v0[0] - v1[0], by = v0[1] - v1[1], bz = v0[2] - v1[2];

      cross[threadIdx.x][0] = ay * bz - az * by;
      cross[threadIdx.x][1] = az * bx - ax * bz;
      cross[threadIdx.x][2] = ax * by - ay * bx;
    }
    __syncwarp ();
    for (uint32_t j = 0; j < AK_NORMAL_LANES && k + j < n; j++)
      for (int c = 0; c < 3; c++)
        sum[c] += cross[threadIdx.x - lane + j][c];
    __syncwarp ();
  }
  length = sqrt (sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]);
  if (length < 1e-6)
    length = 1e-6;
  for (int c = 0; c < 3; c++)
    normal[c] = (float) (sum[c] / length);
}

/* Lists the thread's face f, whose box has `pixels` (none: it is not listed). Every thread of a block calls. */
static __device__ void
ak_list_face (const AkFaceLists *lists, uint32_t f, double pixels)
{
  __shared__ uint32_t n, first;
  const int small = pixels > 0 && pixels <= AK_FACE_LARGE;
  uint32_t at = 0;

  if (threadIdx.x == 0)
    n = 0;
  __syncthreads ();
  if (small)
    at = atomicAdd (&n, 1u);
  else if (pixels > 0)
    lists->large[atomicAdd (lists->n + 1, 1u)] = f;
  __syncthreads ();
  if (threadIdx.x == 0 && n)
    first = atomicAdd (lists->n, n);
  __syncthreads ();
  if (small)
    lists->small[first + at] = f;
}

/* For the pixels in the boxes (x0, y0, x1, y1) of the listed faces: cover (load (face), face, x, y). A warp takes a small face,
 * all blocks take the rows of a large one. */
template <class Load, class Cover>
static __device__ void
ak_cover_faces (const AkFaceLists *lists, Load load, Cover cover)
{
  const uint32_t small = lists->n[0], large = lists->n[1];
  const uint32_t warps = gridDim.x * (AK_COVER_THREADS / AK_WARP);
  const int lane = (int) (threadIdx.x % AK_WARP);

  for (uint32_t i = (blockIdx.x * AK_COVER_THREADS + threadIdx.x) / AK_WARP; i < small;
       i += warps) {
    const uint32_t f = lists->small[i];
    const auto face = load (f);
    const int columns = face.x1 - face.x0 + 1, rows = AK_WARP / columns, rest = AK_WARP % columns;
    int x = face.x0 + lane % columns, y = face.y0 + lane / columns;

    for (; y <= face.y1; y += rows, x += rest) {
      if (x > face.x1) {
        x -= columns;
        if (++y > face.y1)
          break;
      }
      cover (face, f, x, y);
    }
  }
  for (uint32_t i = 0; i < large; i++) {
    const uint32_t f = lists->large[i];
    const auto face = load (f);

    for (int y = face.y0 + (int) ((blockIdx.x + i) % gridDim.x); y <= face.y1; y += (int) gridDim.x)
      for (int x = face.x0 + (int) threadIdx.x; x <= face.x1; x += AK_COVER_THREADS)
        cover (face, f, x, y);
  }
}
