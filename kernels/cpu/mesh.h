/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU's mesh: faces, which faces a vertex has, which faces meet at an edge. */
#pragma once

#include "../raster_priv.h"
#include "cpu.h"

typedef struct
{
  AkMesh base;
  size_t padded;          /* vertices, a multiple of 8 */
  uint32_t *indices;      /* [F up to a multiple of 8][3], all 0 beyond the faces */
  uint32_t *first_face;   /* [V + 1]: where a vertex's faces begin in `vertex_faces` */
  uint32_t *vertex_faces; /* [3 F], ascending per vertex */
  uint32_t *eight_faces;  /* [V][8]: the first eight of a vertex's faces, F where it has fewer */
  /* Only for the coloured look: where two faces meet, each the vertices and the faces; where there is only one, the other
   * is F. An edge of more than two faces is there several times. */
  uint32_t *edge_vertices,
      *edge_faces; /* [n_edges up to a multiple of 8][2], faces 0 beyond the edges */
  size_t n_edges;
  float *albedo;      /* [3][padded], linear light */
  uint8_t *materials; /* [padded] */
  uint8_t *face_part; /* [F]: 1 + the number of the part the face belongs to, modulo 255 */
} AkCpuMesh;

/* normals [V][3], of length 1 if `unit` is set, else of any. scratch: [F + 1 + V][4]. */
typedef void AkNormalsFn (
    const AkCpuMesh *mesh, float *normals, float *scratch, const float *vertices, int unit);
AkNormalsFn ak_normals_avx2;
AkNormalsFn *ak_normals_for (const AkDevice *dev);

/* sRGB of a colour channel 0..1 and back. */
double ak_srgb_encode (double linear);
double ak_srgb_decode (double srgb);
