/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drawing a posed mesh: the published look (model spec, section 9), and a coloured look with smooth
 * shading and anti-aliased edges, seen by the same camera. */
#pragma once

#include <stdint.h>

#include "device.h"
#include "picture.h"
#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Faces and the vertices' looks, packed for a device; read-only, streams may share it. */
typedef struct AkMesh AkMesh;

typedef enum {
  AK_MATERIAL_SKIN,
  AK_MATERIAL_LIPS,
  AK_MATERIAL_EYE,
  AK_MATERIAL_TEETH,
  AK_MATERIAL_MOUTH,
  AK_MATERIAL_HAIR,
  AK_MATERIAL_CLOTH,
  AK_MATERIAL_LASH, /* brows and lashes */
  AK_N_MATERIALS
} AkMaterial;

/* Host memory, needed only during ak_mesh_new(). */
typedef struct
{
  size_t vertices, faces;  /* V, F, at least 1 each */
  const uint32_t *indices; /* [F][3], < V; outward counter-clockwise */
  const float *colors; /* [V][3] sRGB 0..1, or NULL: then only the published look can be drawn */
  const uint8_t *materials; /* [V] AkMaterial, or NULL: all skin */
  /* Vertices at the inner edges of the lips, < V: how far these are apart tells how much light falls on teeth and mouth.
   * None of one of them: those are lit like what is outside. */
  const uint32_t *upper_lip, *lower_lip;
  size_t n_upper_lip, n_lower_lip;
} AkMeshDesc;

/* NULL with `*status` (may be NULL) set to AK_ERR_ARG or AK_ERR_MEMORY. Keeps a reference to `dev`. */
AkMesh *ak_mesh_new (AkDevice *dev, const AkMeshDesc *desc, AkStatus *status);
void ak_mesh_free (AkMesh *mesh);

/* Records: normals [V][3] = sum over a vertex's faces of (v2-v1) x (v0-v1), divided by
 * max (length, 1e-6). vertices: [V][3]. Agreement: 1e-5. */
void ak_mesh_normals (AkPlan *plan, const AkMesh *mesh, float *normals, const float *vertices);

/* What each pixel [height][width] of the published look shows; any pointer may be NULL. */
typedef struct
{
  int32_t *face; /* -1: background */
  float *z;      /* view depth; 0 on background */
  float *bary;   /* [height][width][2]: the first two perspective weights */
  float *rgb;    /* [height][width][3] */
} AkFragments;

/* Records: the published look as numbers, computed in double. `scale` is that of the vertices.
 * Coverage and faces as section 9 says (strict, any winding, nearest, lowest number among equals). */
void ak_mesh_fragments (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    unsigned width, unsigned height, const AkFragments *out);

/* Records: the published look into `picture` (as of ak_picture_write()): bytes floor (255 rgb),
 * white background, alpha 255 where covered and 0 elsewhere. */
void ak_mesh_draw_published (
    AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale, const AkPicture *picture);

/* Settings of the coloured look, in host memory that must outlive the plan; read at each run. */
typedef struct
{
  uint32_t background; /* 0xAARRGGBB, straight; A counts only where the picture has alpha */
  int antialias;
} AkDrawStyle;

/* Records: the coloured look into `picture`. Needs a mesh with colours. Back faces and faces with a
 * vertex behind the camera are not drawn. Vertices are lit in linear light and interpolated as sRGB; teeth and mouth are darker
 * the less the lips are open, if the mesh has lips (light.h).
 * Positions are rounded to 1/256 pixel; a pixel's middle on an edge belongs to the face for which the
 * edge is a top or left one, so neighbours neither overlap nor leave a gap. With `antialias` the pixels that a visible
 * outline passes through, or along which one part sinks into another, are blended from both sides by the area that each
 * has of them. Alpha is the share covered. The same input gives the same bytes; implementations differ by float rounding. */
void ak_mesh_draw (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    const AkPicture *picture, const AkDrawStyle *style);

#ifdef __cplusplus
}
#endif
