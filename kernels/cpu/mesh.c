/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU's mesh, and the vertex normals. */
#include "mesh.h"

#include <math.h>
#include <stdlib.h>

static void
mesh_free (AkMesh *base)
{
  AkCpuMesh *m = (AkCpuMesh *) base;

  ak_mesh_unpack (m);
  free (m);
}

static AkMesh *
mesh_new (AkDevice *dev, const AkMeshDesc *desc, AkStatus *status)
{
  AkCpuMesh *m = calloc (1, sizeof *m);

  if (!m) {
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  if (!ak_mesh_pack (m, dev, desc)) {
    mesh_free (&m->base);
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  return &m->base;
}

static void
normals_c (const AkCpuMesh *m, float *normals, float *face_normals, const float *vertices, int unit)
{
  for (size_t f = 0; f < m->base.faces; f++) {
    const uint32_t *i = m->indices + 3 * f;
    const float *v0 = vertices + 3 * (size_t) i[0], *v1 = vertices + 3 * (size_t) i[1],
                *v2 = vertices + 3 * (size_t) i[2];
    float ax = v2[0] - v1[0], ay = v2[1] - v1[1], az = v2[2] - v1[2];
    float bx = v0[0] - v1[0], by = v0[1] - v1[1], bz = v0[2] - v1[2];

    face_normals[4 * f] = ay * bz - az * by;
    face_normals[4 * f + 1] = az * bx - ax * bz;
    face_normals[4 * f + 2] = ax * by - ay * bx;
  }
  for (size_t v = 0; v < m->base.vertices; v++) {
    double n[3] = { 0, 0, 0 }, length;

    for (uint32_t k = m->first_face[v]; k < m->first_face[v + 1]; k++)
      for (size_t c = 0; c < 3; c++)
        n[c] += face_normals[4 * (size_t) m->vertex_faces[k] + c];
    length = sqrt (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    if (length < 1e-6)
      length = 1e-6;
    for (size_t c = 0; c < 3; c++)
      normals[3 * v + c] = (float) (n[c] / length);
  }
}

AkNormalsFn *
ak_normals_for (const AkDevice *dev)
{
#if defined(__x86_64__)
  if (ak_cpu_has_avx2 (dev))
    return ak_normals_avx2;
#endif
  (void) dev;
  return normals_c;
}

typedef struct
{
  const AkCpuMesh *mesh;
  AkNormalsFn *fn;
  float *normals, *scratch;
  const float *vertices;
} Normals;

static void
normals_run (AkCpu *cpu, const void *args)
{
  const Normals *n = args;

  (void) cpu;
  n->fn (n->mesh, n->normals, n->scratch, n->vertices, 1);
}

static void
mesh_normals (AkPlan *plan, const AkMesh *mesh, float *normals, const float *vertices)
{
  Normals args = { (const AkCpuMesh *) mesh, ak_normals_for (plan->dev), normals, NULL, vertices };

  args.scratch = ak_plan_memory (plan, 4 * (mesh->faces + 1 + mesh->vertices) * sizeof (float));
  if (args.scratch)
    ak_cpu_append (plan, AK_NODE_INLINE, normals_run, NULL, &args, sizeof args);
}

void
ak_cpu_mesh_init (AkOps *ops)
{
  ops->mesh_new = mesh_new;
  ops->mesh_free = mesh_free;
  ops->mesh_normals = mesh_normals;
}
