/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The common head of every device's mesh. For kernels/ only. */
#pragma once

#include "raster.h"

struct AkMesh
{
  AkDevice *dev; /* a reference, which the doors take and give back */
  size_t vertices, faces;
  int has_colors;
};

/* Are size and format possible? Planes are looked at when a plan runs. */
int ak_picture_is_good (const AkPicture *picture);
