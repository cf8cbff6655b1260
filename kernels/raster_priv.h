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

/* The inner edges of the lips. `rows`: the vertices of the upper one, then of the lower one; NULL: none are known. */
typedef struct
{
  uint32_t *rows; /* [n_upper + n_lower] */
  size_t n_upper, n_lower;
  float color[3]; /* the mean of these vertices, linear light */
} AkLips;

/* Smooth edges, with q = 1 / (view depth). How far, as a share of q, a surface may come forward between its outline and
 * the middle beside it (a round one of 10 cm that is seen from 2 m: 12 mm in a pixel), and how much nearer must be what
 * hides an outline. */
#define AK_SAME_SURFACE 0.012f
#define AK_NEARER 0.0002f
/* How far behind an outline, as a share of q, the same part of the mesh makes a crease with it (4 mm from 2 m), as lips that
 * touch do: between the outline and the next middle is a dark that neither shows, so that it would be seen in some
 * columns only. There it is no lighter than the outline. */
#define AK_CREASE 0.002f

/* Are size and format possible? Planes are looked at when a plan runs. */
int ak_picture_is_good (const AkPicture *picture);
