/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doors of raster.h. */
#include "raster.h"
#include "device_priv.h"
#include "raster_priv.h"

#include <math.h>

static int
lip_is_good (const AkMeshDesc *desc, const uint32_t *lip, size_t n)
{
  int good = lip || n == 0;

  for (size_t i = 0; good && i < n; i++)
    good = lip[i] < desc->vertices;
  return good;
}

AkMesh *
ak_mesh_new (AkDevice *dev, const AkMeshDesc *desc, AkStatus *status)
{
  const size_t max = (size_t) 1 << 26;
  AkStatus ignored;
  AkMesh *mesh;
  int good = dev && desc && desc->indices && desc->vertices >= 1 && desc->vertices <= max &&
             desc->faces >= 1 && desc->faces <= max;

  if (!status)
    status = &ignored;
  for (size_t i = 0; good && i < 3 * desc->faces; i++)
    good = desc->indices[i] < desc->vertices;
  for (size_t v = 0; good && desc->materials && v < desc->vertices; v++)
    good = desc->materials[v] < AK_N_MATERIALS;
  good = good && lip_is_good (desc, desc->upper_lip, desc->n_upper_lip) &&
         lip_is_good (desc, desc->lower_lip, desc->n_lower_lip);
  *status = good ? AK_OK : AK_ERR_ARG;
  mesh = good ? dev->ops.mesh_new (dev, desc, status) : NULL;
  if (mesh)
    ak_device_ref (dev);
  return mesh;
}

void
ak_mesh_free (AkMesh *mesh)
{
  AkDevice *dev;

  if (!mesh)
    return;
  dev = mesh->dev;
  dev->ops.mesh_free (mesh);
  ak_device_unref (dev);
}

void
ak_mesh_normals (AkPlan *plan, const AkMesh *mesh, float *normals, const float *vertices)
{
  AK_PLAN_CHECK (plan, mesh && mesh->dev == plan->dev && normals && vertices);
  plan->dev->ops.mesh_normals (plan, mesh, normals, vertices);
}

void
ak_mesh_fragments (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    unsigned width, unsigned height, const AkFragments *out)
{
  AK_PLAN_CHECK (plan, mesh && mesh->dev == plan->dev && vertices && out && isfinite (scale) &&
                           scale > 0 && width >= 1 && height >= 1 && width <= AK_PICTURE_MAX &&
                           height <= AK_PICTURE_MAX);
  plan->dev->ops.mesh_fragments (plan, mesh, vertices, scale, width, height, out);
}

void
ak_mesh_draw_published (
    AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale, const AkPicture *picture)
{
  AK_PLAN_CHECK (plan, mesh && mesh->dev == plan->dev && vertices && isfinite (scale) &&
                           scale > 0 && ak_picture_is_good (picture));
  plan->dev->ops.mesh_draw_published (plan, mesh, vertices, scale, picture);
}

void
ak_mesh_draw (AkPlan *plan, const AkMesh *mesh, const float *vertices, float scale,
    const AkPicture *picture, const AkDrawStyle *style)
{
  AK_PLAN_CHECK (plan, mesh && mesh->dev == plan->dev && mesh->has_colors && vertices && style &&
                           isfinite (scale) && scale > 0 && ak_picture_is_good (picture));
  plan->dev->ops.mesh_draw (plan, mesh, vertices, scale, picture, style);
}
