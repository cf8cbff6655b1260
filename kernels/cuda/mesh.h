/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Meshes on the device, and what the two looks share: normals, faces large enough for many blocks, pictures. */
#pragma once

#include "../mesh_pack.h"
#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All arrays are device memory. */
typedef AkMeshPack AkCudaMesh;

/* Faces with pixels in their box. Those with more than AK_FACE_LARGE are drawn by all blocks. The others are by a warp each,
 * or by several in pieces, as the last warp's is the time that all take. */
#define AK_FACE_LARGE 1024
#define AK_FACE_PIECE 128 /* pixels */
typedef struct
{
  uint32_t face, first; /* pixel of its box, row by row */
} AkFacePiece;
typedef struct
{
  uint32_t *n;        /* [2]: how many pieces, and large faces */
  AkFacePiece *small; /* [F * AK_FACE_LARGE / AK_FACE_PIECE] */
  uint32_t *large;    /* [F] */
} AkFaceLists;
AkFaceLists ak_face_lists (AkPlan *plan, const AkMesh *mesh);

/* ak_picture_write(), for operations that end with a picture. */
void ak_cuda_picture (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba);
/* The same for 0xAABBGGRR in rows of `stride`, where there is alpha with the colour times alpha. The background
 * (straight, in the device's memory) comes back as it was. */
void ak_cuda_picture_premultiplied (AkPlan *plan, const AkPicture *picture, const uint32_t *rgba,
    size_t stride, const uint32_t *background);

/* `bytes` that the host gives anew at each run: `read` (source, to) fills `to`, a host copy of the device memory that is
 * returned (NULL after an error). */
typedef void AkRead (const void *source, void *to);
const void *ak_cuda_read_each_run (AkPlan *plan, AkRead *read, const void *source, size_t bytes);

#ifdef __cplusplus
}
#endif
