/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh.h"
#include "launch.h"

#include <stdlib.h>

typedef struct
{
  AkCudaMesh mesh;
  float *normals;
  const float *vertices;
} Normals;

/* A thread a vertex, which goes through its faces. */
static __global__ void
normals_kernel (Normals a)
{
  const size_t v = (size_t) blockIdx.x * blockDim.x + threadIdx.x;
  double n[3] = { 0, 0, 0 }, length;

  if (v >= a.mesh.base.vertices)
    return;
  for (uint32_t k = a.mesh.first_face[v]; k < a.mesh.first_face[v + 1]; k++) {
    const uint32_t *i = a.mesh.indices + 3 * (size_t) a.mesh.vertex_faces[k];
    const float *v0 = a.vertices + 3 * (size_t) i[0], *v1 = a.vertices + 3 * (size_t) i[1],
                *v2 = a.vertices + 3 * (size_t) i[2];
    const float ax = v2[0] - v1[0], ay = v2[1] - v1[1], az = v2[2] - v1[2];
    const float bx = v0[0] - v1[0], by = v0[1] - v1[1], bz = v0[2] - v1[2];

    n[0] += ay * bz - az * by;
    n[1] += az * bx - ax * bz;
    n[2] += ax * by - ay * bx;
  }
  length = sqrt (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
  if (length < 1e-6)
    length = 1e-6;
  for (int c = 0; c < 3; c++)
    a.normals[3 * v + c] = (float) (n[c] / length);
}

void
ak_cuda_normals (const AkAt *at, const AkCudaMesh *mesh, float *normals, const float *vertices)
{
  Normals a = { *mesh, normals, vertices };

  AK_LAUNCH (normals_kernel, ak_blocks (mesh->base.vertices, 128), 128, 0, at, a);
}

static void
normals_run (const AkAt *at, const void *args)
{
  const Normals *a = (const Normals *) args;

  ak_cuda_normals (at, &a->mesh, a->normals, a->vertices);
}

static void
mesh_normals (AkPlan *plan, const AkMesh *mesh, float *normals, const float *vertices)
{
  Normals a = { *(const AkCudaMesh *) mesh, normals, vertices };

  ak_cuda_append (plan, normals_run, NULL, &a, sizeof a);
}

AkLargeFaces
ak_large_faces (AkPlan *plan, const AkMesh *mesh)
{
  AkLargeFaces large = { (uint32_t *) ak_plan_memory (plan, sizeof *large.n),
    (uint32_t *) ak_plan_memory (plan, mesh->faces * sizeof *large.faces) };

  return large;
}

static void
mesh_free (AkMesh *base)
{
  AkCudaMesh *m = (AkCudaMesh *) base;
  void *memory[] = { m->indices, m->first_face, m->vertex_faces, m->edge_vertices, m->edge_faces,
    m->albedo, m->materials, m->face_part };

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
  COPY (indices, 3 * F * sizeof *from->indices);
  COPY (first_face, (V + 1) * sizeof *from->first_face);
  COPY (vertex_faces, 3 * F * sizeof *from->vertex_faces);
  COPY (edge_vertices, 2 * from->n_edges * sizeof *from->edge_vertices);
  COPY (edge_faces, 2 * from->n_edges * sizeof *from->edge_faces);
  COPY (albedo, 3 * padded * sizeof *from->albedo);
  COPY (materials, padded);
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
