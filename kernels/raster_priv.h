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

/* The inner edges of the lips. */
typedef struct
{
  uint32_t *
      rows; /* [n_upper + n_lower]: vertices of the upper one, then of the lower one; NULL: none are known */
  size_t n_upper, n_lower;
  float color[3]; /* the mean of these vertices, linear light */
} AkLips;

/* Are size and format possible? Planes are looked at when a plan runs. */
int ak_picture_is_good (const AkPicture *picture);
