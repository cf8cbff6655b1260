/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mesh's topology and looks in host memory, as every device needs them: faces, which faces a vertex has, which
 * faces meet at an edge. For kernels/ only. */
#pragma once

#include "raster_priv.h"

#ifdef __cplusplus
extern "C" {
#endif

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
  AkLips lips;
} AkMeshPack;

/* Fills `pack` (the device included). Returns 0 when out of memory; ak_mesh_unpack() frees the arrays in any case. */
int ak_mesh_pack (AkMeshPack *pack, AkDevice *dev, const AkMeshDesc *desc);
void ak_mesh_unpack (AkMeshPack *pack);

#ifdef __cplusplus
}
#endif
