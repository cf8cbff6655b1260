/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU's mesh. */
#pragma once

#include "../mesh_pack.h"
#include "cpu.h"

typedef AkMeshPack AkCpuMesh;

/* normals [V][3]; face_normals: scratch [F][4]. */
typedef void AkNormalsFn (
    const AkCpuMesh *mesh, float *normals, float *face_normals, const float *vertices);
AkNormalsFn ak_normals_avx2;
AkNormalsFn *ak_normals_for (const AkDevice *dev);
