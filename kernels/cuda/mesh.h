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

/* normals [V][3] as of ak_mesh_normals() */
void ak_cuda_normals (
    const AkAt *at, const AkCudaMesh *mesh, float *normals, const float *vertices);

/* Faces are drawn by a warp each, but those with more pixels in their box by many blocks, which take a row at a time:
 * their numbers are listed. */
#define AK_FACE_LARGE 1024
typedef struct
{
  uint32_t *n, *faces; /* [1], [F] */
} AkLargeFaces;
AkLargeFaces ak_large_faces (AkPlan *plan, const AkMesh *mesh);
#define AK_LARGE_BLOCKS 256

/* ak_picture_write(), for operations that end with a picture. */
void ak_cuda_picture (AkPlan *plan, const AkPicture *picture, const uint8_t *rgba);

/* `bytes` that the host gives anew at each run: `read` (source, to) fills `to`, a host copy of the device memory that is
 * returned (NULL after an error). */
typedef void AkRead (const void *source, void *to);
const void *ak_cuda_read_each_run (AkPlan *plan, AkRead *read, const void *source, size_t bytes);

#ifdef __cplusplus
}
#endif
