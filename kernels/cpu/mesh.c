/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packing a mesh's topology, and the vertex normals. */
#include "mesh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double
ak_srgb_decode (double srgb)
{
  return srgb <= 0.04045 ? srgb / 12.92 : pow ((srgb + 0.055) / 1.055, 2.4);
}

double
ak_srgb_encode (double linear)
{
  return linear <= 0.0031308 ? linear * 12.92 : 1.055 * pow (linear, 1 / 2.4) - 0.055;
}

static void
mesh_free (AkMesh *base)
{
  AkCpuMesh *m = (AkCpuMesh *) base;

  free (m->indices);
  free (m->first_face);
  free (m->vertex_faces);
  free (m->eight_faces);
  free (m->edge_vertices);
  free (m->edge_faces);
  free (m->albedo);
  free (m->materials);
  free (m->face_part);
  free (m);
}

static int
pack_faces (AkCpuMesh *m, const AkMeshDesc *d)
{
  size_t V = d->vertices, F = d->faces;
  uint32_t *next;

  m->indices = calloc (3 * ((F + 7) / 8 * 8), sizeof *m->indices);
  m->first_face = calloc (V + 2, sizeof *m->first_face);
  m->vertex_faces = malloc (3 * F * sizeof *m->vertex_faces);
  m->eight_faces = malloc (8 * V * sizeof *m->eight_faces);
  if (!m->indices || !m->first_face || !m->vertex_faces || !m->eight_faces)
    return 0;
  memcpy (m->indices, d->indices, 3 * F * sizeof *m->indices);
  /* counted two places ahead, so that filling moves each start to its place */
  next = m->first_face + 1;
  for (size_t i = 0; i < 3 * F; i++)
    next[d->indices[i] + 1]++;
  for (size_t v = 1; v <= V; v++)
    next[v] += next[v - 1];
  for (size_t i = 0; i < 3 * F; i++)
    m->vertex_faces[next[d->indices[i]]++] = (uint32_t) (i / 3);
  for (size_t v = 0; v < V; v++)
    for (uint32_t k = 0; k < 8; k++) {
      uint32_t at = m->first_face[v] + k;

      m->eight_faces[8 * v + k] = at < m->first_face[v + 1] ? m->vertex_faces[at] : (uint32_t) F;
    }
  return 1;
}

typedef struct
{
  uint32_t low, high, face;
} Side;

static int
compare_sides (const void *a, const void *b)
{
  const Side *x = a, *y = b;

  if (x->low != y->low)
    return x->low < y->low ? -1 : 1;
  if (x->high != y->high)
    return x->high < y->high ? -1 : 1;
  return x->face < y->face ? -1 : x->face > y->face;
}

static int
pack_edges (AkCpuMesh *m)
{
  size_t n = 3 * m->base.faces;
  Side *sides = malloc (n * sizeof *sides);

  m->edge_vertices = calloc (2 * (n + 7), sizeof *m->edge_vertices);
  m->edge_faces = calloc (2 * (n + 7), sizeof *m->edge_faces);
  if (!sides || !m->edge_vertices || !m->edge_faces) {
    free (sides);
    return 0;
  }
  for (size_t i = 0; i < n; i++) {
    uint32_t a = m->indices[i], b = m->indices[i % 3 == 2 ? i - 2 : i + 1];

    sides[i] = (Side){ a < b ? a : b, a < b ? b : a, (uint32_t) (i / 3) };
  }
  qsort (sides, n, sizeof *sides, compare_sides);
  for (size_t i = 0; i < n; i++) {
    int pair = i + 1 < n && sides[i].low == sides[i + 1].low && sides[i].high == sides[i + 1].high;

    m->edge_vertices[2 * m->n_edges] = sides[i].low;
    m->edge_vertices[2 * m->n_edges + 1] = sides[i].high;
    m->edge_faces[2 * m->n_edges] = sides[i].face;
    m->edge_faces[2 * m->n_edges + 1] = pair ? sides[i + 1].face : (uint32_t) m->base.faces;
    m->n_edges++;
    i += (size_t) pair;
  }
  free (sides);
  return 1;
}

static uint32_t
root_of (uint32_t *parent, uint32_t v)
{
  while (parent[v] != v)
    v = parent[v] = parent[parent[v]];
  return v;
}

/* Parts are the connected pieces of the mesh, numbered in the order of their lowest vertex, and where
 * the material of a piece changes, so does the part. */
static int
pack_parts (AkCpuMesh *m)
{
  size_t V = m->base.vertices, F = m->base.faces;
  uint32_t *parent = malloc (V * sizeof *parent), *number = calloc (V, sizeof *number), n = 0;

  m->face_part = malloc (F);
  if (!parent || !number || !m->face_part) {
    free (parent);
    free (number);
    return 0;
  }
  for (size_t v = 0; v < V; v++)
    parent[v] = (uint32_t) v;
  for (size_t f = 0; f < F; f++)
    for (int k = 1; k < 3; k++) {
      uint32_t a = root_of (parent, m->indices[3 * f]),
               b = root_of (parent, m->indices[3 * f + (size_t) k]);

      if (a < b)
        parent[b] = a;
      else
        parent[a] = b;
    }
  for (size_t f = 0; f < F; f++) {
    uint32_t r = root_of (parent, m->indices[3 * f]);

    if (!number[r])
      number[r] = ++n;
    m->face_part[f] = (uint8_t) (1 + (number[r] - 1) % 255);
  }
  free (parent);
  free (number);
  return 1;
}

static int
pack_looks (AkCpuMesh *m, const AkMeshDesc *d)
{
  m->albedo = ak_cpu_memory (3 * m->padded * sizeof *m->albedo);
  m->materials = ak_cpu_memory (m->padded);
  if (!m->albedo || !m->materials)
    return 0;
  for (size_t v = 0; v < d->vertices; v++) {
    for (size_t k = 0; k < 3; k++)
      m->albedo[k * m->padded + v] = (float) ak_srgb_decode (d->colors[3 * v + k]);
    m->materials[v] = d->materials ? d->materials[v] : AK_MATERIAL_SKIN;
  }
  return pack_edges (m) && pack_parts (m);
}

static AkMesh *
mesh_new (AkDevice *dev, const AkMeshDesc *desc, AkStatus *status)
{
  AkCpuMesh *m = calloc (1, sizeof *m);

  if (!m) {
    *status = AK_ERR_MEMORY;
    return NULL;
  }
  m->base = (AkMesh){ dev, desc->vertices, desc->faces, desc->colors != NULL };
  m->padded = (desc->vertices + 7) / 8 * 8;
  if (!pack_faces (m, desc) || (desc->colors && !pack_looks (m, desc))) {
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
