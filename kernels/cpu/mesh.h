/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU's mesh: faces, which faces a vertex has, which faces meet at an edge. */
#pragma once

#include "../raster_priv.h"
#include "cpu.h"

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
  AkMeshEdge *edges;      /* only for the coloured look */
  size_t n_edges;
  float *albedo;      /* [3][padded], linear light */
  uint8_t *materials; /* [padded] */
  uint8_t *face_part; /* [F]: 1 + the number of the part the face belongs to, modulo 255 */
} AkCpuMesh;

/* normals [V][3]; face_normals: scratch [F][4]. */
typedef void AkNormalsFn (
    const AkCpuMesh *mesh, float *normals, float *face_normals, const float *vertices);
AkNormalsFn ak_normals_avx2;
AkNormalsFn *ak_normals_for (const AkDevice *dev);

/* sRGB of a colour channel 0..1 and back. */
double ak_srgb_encode (double linear);
double ak_srgb_decode (double srgb);
