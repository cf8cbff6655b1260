/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh_pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* sRGB of a colour channel 0..1 to linear light. */
static double
decode (double srgb)
{
  return srgb <= 0.04045 ? srgb / 12.92 : pow ((srgb + 0.055) / 1.055, 2.4);
}

void
ak_mesh_unpack (AkMeshPack *m)
{
  free (m->indices);
  free (m->first_face);
  free (m->vertex_faces);
  free (m->eight_faces);
  free (m->edge_vertices);
  free (m->edge_faces);
  free (m->albedo);
  free (m->materials);
  free (m->lips.rows);
  free (m->face_part);
}

static int
pack_faces (AkMeshPack *m, const AkMeshDesc *d)
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

/* Puts `n` sides in the order of their `high` or `low` vertices; those with the same one stay as they were. first: [V + 1]. */
static void
sort_sides (Side *to, const Side *from, size_t n, int high, uint32_t *first, size_t V)
{
  memset (first, 0, (V + 1) * sizeof *first);
  for (size_t i = 0; i < n; i++)
    first[(high ? from[i].high : from[i].low) + 1]++;
  for (size_t v = 1; v <= V; v++)
    first[v] += first[v - 1];
  for (size_t i = 0; i < n; i++)
    to[first[high ? from[i].high : from[i].low]++] = from[i];
}

static int
pack_edges (AkMeshPack *m)
{
  size_t n = 3 * m->base.faces, V = m->base.vertices;
  Side *sides = calloc (n, sizeof *sides), *sorted = calloc (n, sizeof *sorted);
  uint32_t *first = malloc ((V + 1) * sizeof *first);
  int good = sides && sorted && first;

  m->edge_vertices = calloc (2 * (n + 7), sizeof *m->edge_vertices);
  m->edge_faces = calloc (2 * (n + 7), sizeof *m->edge_faces);
  good = good && m->edge_vertices && m->edge_faces;
  for (size_t i = 0; i < n && good; i++) {
    uint32_t a = m->indices[i], b = m->indices[i % 3 == 2 ? i - 2 : i + 1];

    sides[i] = (Side){ a < b ? a : b, a < b ? b : a, (uint32_t) (i / 3) };
  }
  if (good) { /* by low, then high, then face */
    sort_sides (sorted, sides, n, 1, first, V);
    sort_sides (sides, sorted, n, 0, first, V);
  }
  for (size_t i = 0; i < n && good; i++) {
    int pair = i + 1 < n && sides[i].low == sides[i + 1].low && sides[i].high == sides[i + 1].high;

    m->edge_vertices[2 * m->n_edges] = sides[i].low;
    m->edge_vertices[2 * m->n_edges + 1] = sides[i].high;
    m->edge_faces[2 * m->n_edges] = sides[i].face;
    m->edge_faces[2 * m->n_edges + 1] = pair ? sides[i + 1].face : (uint32_t) m->base.faces;
    m->n_edges++;
    i += (size_t) pair;
  }
  free (sides);
  free (sorted);
  free (first);
  return good;
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
pack_parts (AkMeshPack *m)
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

/* For vectors of 8 numbers. */
static void *
aligned_zeros (size_t bytes)
{
  void *memory = aligned_alloc (64, (bytes + 63) / 64 * 64);

  if (memory)
    memset (memory, 0, bytes);
  return memory;
}

/* After the albedo. */
static int
pack_lips (AkMeshPack *m, const AkMeshDesc *d)
{
  size_t n = d->n_upper_lip, both = n + d->n_lower_lip;
  AkLips *lips = &m->lips;

  if (!n || !d->n_lower_lip)
    return 1;
  lips->rows = malloc (both * sizeof *lips->rows);
  if (!lips->rows)
    return 0;
  memcpy (lips->rows, d->upper_lip, n * sizeof *lips->rows);
  memcpy (lips->rows + n, d->lower_lip, d->n_lower_lip * sizeof *lips->rows);
  lips->n_upper = n;
  lips->n_lower = d->n_lower_lip;
  for (size_t i = 0; i < both; i++)
    for (size_t k = 0; k < 3; k++)
      lips->color[k] += m->albedo[k * m->padded + lips->rows[i]] / (float) both;
  return 1;
}

static int
pack_looks (AkMeshPack *m, const AkMeshDesc *d)
{
  m->albedo = aligned_zeros (3 * m->padded * sizeof *m->albedo);
  m->materials = aligned_zeros (m->padded);
  if (!m->albedo || !m->materials)
    return 0;
  for (size_t v = 0; v < d->vertices; v++) {
    for (size_t k = 0; k < 3; k++)
      m->albedo[k * m->padded + v] = (float) decode (d->colors[3 * v + k]);
    m->materials[v] = d->materials ? d->materials[v] : AK_MATERIAL_SKIN;
  }
  return pack_lips (m, d) && pack_edges (m) && pack_parts (m);
}

int
ak_mesh_pack (AkMeshPack *m, AkDevice *dev, const AkMeshDesc *desc)
{
  *m = (AkMeshPack){ .base = { dev, desc->vertices, desc->faces, desc->colors != NULL },
    .padded = (desc->vertices + 7) / 8 * 8 };
  return pack_faces (m, desc) && (!desc->colors || pack_looks (m, desc));
}
