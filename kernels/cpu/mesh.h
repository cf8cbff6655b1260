/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CPU's mesh. */
#pragma once

#include "../mesh_pack.h"
#include "cpu.h"

typedef AkMeshPack AkCpuMesh;

/* normals [V][3], of length 1 if `unit` is set, else of any. scratch: [F + 1 + V][4]. */
typedef void AkNormalsFn (
    const AkCpuMesh *mesh, float *normals, float *scratch, const float *vertices, int unit);
AkNormalsFn ak_normals_avx2;
AkNormalsFn *ak_normals_for (const AkDevice *dev);
