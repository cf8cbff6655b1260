/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh.cuh"

#include <stdlib.h>

typedef struct
{
  AkCudaMesh mesh;
  float *normals;
  const float *vertices;
} Normals;

static __global__ void
normals_kernel (Normals a)
{
  const size_t i = (size_t) blockIdx.x * AK_NORMAL_THREADS + threadIdx.x, v = i / AK_NORMAL_LANES;
  float normal[3];

  ak_normal (&a.mesh, a.vertices, v, normal);
  for (int c = 0; c < 3 && v < a.mesh.base.vertices && i % AK_NORMAL_LANES == 0; c++)
    a.normals[3 * v + c] = normal[c];
}

static void
normals_run (const AkAt *at, const void *args)
{
  const Normals *a = (const Normals *) args;

  AK_LAUNCH (normals_kernel, ak_blocks (AK_NORMAL_LANES * a->mesh.base.vertices, AK_NORMAL_THREADS),
      AK_NORMAL_THREADS, 0, at, *a);
}

static void
mesh_normals (AkPlan *plan, const AkMesh *mesh, float *normals, const float *vertices)
{
  Normals a = { *(const AkCudaMesh *) mesh, normals, vertices };

  ak_cuda_append (plan, normals_run, NULL, &a, sizeof a);
}

AkFaceLists
ak_face_lists (AkPlan *plan, const AkMesh *mesh)
{
  AkFaceLists lists = { (uint32_t *) ak_plan_memory (plan, 2 * sizeof *lists.n),
    (AkFacePiece *) ak_plan_memory (
        plan, mesh->faces * (AK_FACE_LARGE / AK_FACE_PIECE) * sizeof *lists.small),
    (uint32_t *) ak_plan_memory (plan, mesh->faces * sizeof *lists.large) };

  return lists;
}

static void
mesh_free (AkMesh *base)
{
  AkCudaMesh *m = (AkCudaMesh *) base;
  void *memory[] = { m->indices, m->first_face, m->vertex_faces, m->eight_faces, m->edge_vertices,
    m->edge_faces, m->albedo, m->materials, m->lips.rows, m->face_part };

  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
    base->dev->ops.free (base->dev, memory[i]);
  free (m);
}

#define COPY(field, bytes)                                                                         \
  do {                                                                                             \
    if (*status == AK_OK && from->field)                                                           \
      *(void **) &to->field = ak_cuda_copy (to->base.dev, from->field, bytes, status);             \
  } while (0)

static void
copy_mesh (AkCudaMesh *to, const AkMeshPack *from, AkStatus *status)
{
  const size_t V = from->base.vertices, F = from->base.faces, padded = from->padded;

  to->base = from->base;
  to->padded = padded;
  to->n_edges = from->n_edges;
  to->lips = from->lips;
  to->lips.rows = NULL;
  COPY (indices, 3 * F * sizeof *from->indices);
  COPY (first_face, (V + 1) * sizeof *from->first_face);
  COPY (vertex_faces, 3 * F * sizeof *from->vertex_faces);
  COPY (eight_faces, AK_NORMAL_LANES * V * sizeof *from->eight_faces);
  COPY (edge_vertices, 2 * from->n_edges * sizeof *from->edge_vertices);
  COPY (edge_faces, 2 * from->n_edges * sizeof *from->edge_faces);
  COPY (albedo, 3 * padded * sizeof *from->albedo);
  COPY (materials, padded);
  COPY (lips.rows, (from->lips.n_upper + from->lips.n_lower) * sizeof *from->lips.rows);
  COPY (face_part, F);
}

static AkMesh *
mesh_new (AkDevice *dev, const AkMeshDesc *desc, AkStatus *status)
{
  AkCudaMesh *m = (AkCudaMesh *) calloc (1, sizeof *m);
  AkMeshPack host = {};

  *status = m && ak_mesh_pack (&host, dev, desc) ? AK_OK : AK_ERR_MEMORY;
  if (*status == AK_OK)
    copy_mesh (m, &host, status);
  ak_mesh_unpack (&host);
  if (*status == AK_OK)
    return &m->base;
  if (m) {
    m->base.dev = dev;
    mesh_free (&m->base);
  }
  return NULL;
}

void
ak_cuda_mesh_init (AkOps *ops)
{
  ops->mesh_new = mesh_new;
  ops->mesh_free = mesh_free;
  ops->mesh_normals = mesh_normals;
}
