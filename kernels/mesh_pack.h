/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mesh's topology and looks in host memory, as every device needs them: faces, which faces a vertex has, which
 * faces meet at an edge. For kernels/ only. */
#pragma once

#include "raster_priv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where two faces meet; `face[1]` is AK_NO_FACE where there is only one. An edge of more than two
 * faces has several entries. */
#define AK_NO_FACE UINT32_MAX
typedef struct
{
  uint32_t vertex[2], face[2];
} AkMeshEdge;

typedef struct
{
  AkMesh base;
  size_t padded;          /* vertices, a multiple of 8 */
  uint32_t *indices;      /* [F][3] */
  uint32_t *first_face;   /* [V + 1]: where a vertex's faces begin in `vertex_faces` */
  uint32_t *vertex_faces; /* [3 F], ascending per vertex */
  AkMeshEdge *edges;      /* only for the coloured look, as what follows */
  size_t n_edges;
  float *albedo;      /* [3][padded], linear light */
  uint8_t *materials; /* [padded] */
  uint8_t *face_part; /* [F]: 1 + the number of the part the face belongs to, modulo 255 */
} AkMeshPack;

/* Fills `pack` (the device included). Returns 0 when out of memory; ak_mesh_unpack() frees the arrays in any case. */
int ak_mesh_pack (AkMeshPack *pack, AkDevice *dev, const AkMeshDesc *desc);
void ak_mesh_unpack (AkMeshPack *pack);

#ifdef __cplusplus
}
#endif
