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

/* What the face adds to the normals of its vertices. */
static __device__ void
ak_cross (float cross[3], const AkCudaMesh *mesh, const float *vertices, uint32_t face)
{
  const uint32_t *i = mesh->indices + 3 * (size_t) face;
  const float *v0 = vertices + 3 * (size_t) i[0], *v1 = vertices + 3 * (size_t) i[1],
              *v2 = vertices + 3 * (size_t) i[2];
  const float ax = v2[0] - v1[0], ay = v2[1] - v1[1], az = v2[2] - v1[2];
  const float bx = v0[0] - v1[0], by = v0[1] - v1[1], bz = v0[2] - v1[2];

  cross[0] = ay * bz - az * by;
  cross[1] = az * bx - ax * bz;
  cross[2] = ax * by - ay * bx;
}

/* The normal of the vertex v of this thread and the seven beside it. Each takes one of the first eight faces, of vertices
 * that have more the whole warp takes those, and each adds up all of them in the mesh's order. Every thread of a block
 * of AK_NORMAL_THREADS calls, also for v beyond the vertices. */
static __device__ void
ak_normal (const AkCudaMesh *mesh, const float *vertices, size_t v, float normal[3])
{
  __shared__ float shared[AK_NORMAL_THREADS][3];
  float (*cross)[3] = shared + threadIdx.x / AK_WARP * AK_WARP; /* the warp's */
  const uint32_t lane = threadIdx.x % AK_WARP, own = lane / AK_NORMAL_LANES * AK_NORMAL_LANES;
  const int exists = v < mesh->base.vertices;
  const uint32_t first = exists ? mesh->first_face[v] : 0;
  const uint32_t n = exists ? mesh->first_face[v + 1] - first : 0;
  const uint32_t face = exists ? mesh->eight_faces[AK_NORMAL_LANES * v + lane - own] : 0;
  double sum[3] = { 0, 0, 0 }, length;

  if (lane - own < n)
    ak_cross (cross[lane], mesh, vertices, face);
  __syncwarp ();
  for (uint32_t j = 0; j < AK_NORMAL_LANES && j < n; j++)
    for (int c = 0; c < 3; c++)
      sum[c] += cross[own + j][c];
  if (__any_sync (AK_ALL, n > AK_NORMAL_LANES))
    for (uint32_t other = 0; other < AK_WARP; other += AK_NORMAL_LANES) {
      const uint32_t from = __shfl_sync (AK_ALL, first, (int) other);
      const uint32_t most = __shfl_sync (AK_ALL, n, (int) other);

      for (uint32_t k = AK_NORMAL_LANES; k < most; k += AK_WARP) {
        __syncwarp ();
        if (k + lane < most)
          ak_cross (cross[lane], mesh, vertices, mesh->vertex_faces[from + k + lane]);
        __syncwarp ();
        for (uint32_t j = 0; own == other && j < AK_WARP && k + j < most; j++)
          for (int c = 0; c < 3; c++)
            sum[c] += cross[j][c];
      }
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
  const uint32_t small = pixels <= AK_FACE_LARGE ? (uint32_t) pixels : 0;
  const uint32_t pieces = (small + AK_FACE_PIECE - 1) / AK_FACE_PIECE;
  uint32_t at = 0;

  if (threadIdx.x == 0)
    n = 0;
  __syncthreads ();
  if (pieces)
    at = atomicAdd (&n, pieces);
  else if (pixels > 0)
    lists->large[atomicAdd (lists->n + 1, 1u)] = f;
  __syncthreads ();
  if (threadIdx.x == 0 && n)
    first = atomicAdd (lists->n, n);
  __syncthreads ();
  for (uint32_t k = 0; k < pieces; k++)
    lists->small[first + at + k] = AkFacePiece{ f, AK_FACE_PIECE * k };
}

/* For the pixels of the large faces' boxes: cover (load (face), face, x, y). All blocks take rows of each. */
template <class Load, class Cover>
static __device__ void
ak_cover_large (const AkFaceLists *lists, Load load, Cover cover)
{
  const uint32_t large = lists->n[1];

  for (uint32_t i = 0; i < large; i++) {
    const uint32_t f = lists->large[i];
    const auto face = load (f);

    for (int y = face.y0 + (int) ((blockIdx.x + i) % gridDim.x); y <= face.y1; y += (int) gridDim.x)
      for (int x = face.x0 + (int) threadIdx.x; x <= face.x1; x += AK_COVER_THREADS)
        cover (face, f, x, y);
  }
}

/* The same for all listed faces. A warp takes a piece of a small one. */
template <class Load, class Cover>
static __device__ void
ak_cover_faces (const AkFaceLists *lists, Load load, Cover cover)
{
  const uint32_t small = lists->n[0], warps = gridDim.x * (AK_COVER_THREADS / AK_WARP);

  for (uint32_t i = (blockIdx.x * AK_COVER_THREADS + threadIdx.x) / AK_WARP; i < small;
       i += warps) {
    const AkFacePiece piece = lists->small[i];
    const auto face = load (piece.face);
    const int columns = face.x1 - face.x0 + 1, rows = AK_WARP / columns, rest = AK_WARP % columns;
    const int first = (int) (piece.first + threadIdx.x % AK_WARP);
    int x = face.x0 + first % columns, y = face.y0 + first / columns;

    for (int k = 0; k < AK_FACE_PIECE / AK_WARP; k++, y += rows, x += rest) {
      if (x > face.x1) {
        x -= columns;
        y++;
      }
      if (y > face.y1)
        break;
      cover (face, piece.face, x, y);
    }
  }
  ak_cover_large (lists, load, cover);
}
