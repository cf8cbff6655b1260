/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drawing a head: a plan of one operation, or of posing and drawing, recorded anew when the picture's size or format
 * changes. */
#include "meshview.h"
#include "device.h"
#include "error.h"
#include "head_priv.h"
#include "kernels/raster.h"

#include <math.h>
#include <string.h>

G_STATIC_ASSERT ((int) AM_PIXELS_NV12 == (int) AK_PIXELS_NV12);
G_STATIC_ASSERT ((int) AM_N_MATERIALS == (int) AK_N_MATERIALS);

struct _AmMeshView
{
  AmHead *head;
  AkDevice *dev;
  AkQueue *queue;
  AkMesh *mesh;
  gboolean colored;
  float scale;
  float *vertices; /* [V][3] on the device */
  AkPlan *plan;    /* for `picture`, or NULL */
  guint poser;     /* number of the one that is part of it; 0: none */
  AkPicture picture;
  AkDrawStyle style;
  uint32_t background; /* 0xAARRGGBB, A not used */
};

void
am_mesh_view_free (AmMeshView *view)
{
  if (!view)
    return;
  ak_plan_free (view->plan);
  ak_queue_free (view->queue);
  ak_mesh_free (view->mesh);
  if (view->dev)
    ak_free (view->dev, view->vertices);
  ak_device_unref (view->dev);
  am_head_unref (view->head);
  g_free (view);
}

static gboolean
build (AmMeshView *view, AkStatus *status)
{
  const AmHeadInfo *info = am_head_info (view->head);
  AkMeshDesc desc = {
    .vertices = info->vertices,
    .faces = info->faces,
    .indices = am_head_faces (view->head),
    .colors = view->colored ? am_head_colors (view->head) : NULL,
    .materials = am_head_materials (view->head),
  };

  desc.upper_lip = am_head_region (view->head, "inner_lip_upper", &desc.n_upper_lip);
  desc.lower_lip = am_head_region (view->head, "inner_lip_lower", &desc.n_lower_lip);
  view->mesh = ak_mesh_new (view->dev, &desc, status);
  if (!view->mesh)
    return FALSE;
  view->queue = ak_queue_new (view->dev);
  view->vertices = ak_alloc (view->dev, 3 * sizeof (float) * info->vertices);
  if (!view->queue || !view->vertices)
    *status = AK_ERR_MEMORY;
  return *status == AK_OK;
}

AmMeshView *
am_mesh_view_new (
    AmHead *head, const char *device, AmLook look, gboolean antialias, float scale, GError **error)
{
  g_autoptr (AmMeshView) view = g_new0 (AmMeshView, 1);
  gboolean has_colors = am_head_info (head)->has_colors;
  AkStatus status = AK_OK;

  view->head = am_head_ref (head);
  view->colored = look == AM_LOOK_COLOR || (look == AM_LOOK_AUTO && has_colors);
  view->scale = scale;
  view->background = 0xffffffff;
  view->style.antialias = antialias;
  if (view->colored && !has_colors) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISSING,
        "the head has no vertex colours, so only the published look can be drawn");
    return NULL;
  }
  if (!(isfinite (scale) && scale > 0)) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE, "mesh view: scale must be positive");
    return NULL;
  }
  view->dev = am_device_open (device, 0, error);
  if (!view->dev)
    return NULL;
  if (!build (view, &status)) {
    g_autofree char *what = g_strdup_printf ("drawing on device \"%s\"", device ? device : "auto");

    am_error_from_status (status, what, error);
    return NULL;
  }
  return g_steal_pointer (&view);
}

void
am_mesh_view_set_background (AmMeshView *view, uint32_t argb)
{
  view->background = argb;
}

/* Makes the plan fit the picture and the poser (may be NULL). */
static AkStatus
record (AmMeshView *view, AmPoser *poser, const AmPicture *picture)
{
  const guint number = poser ? am_poser_number (poser) : 0;
  const float *vertices = view->vertices;
  AkPicture *p = &view->picture;
  AkStatus status;

  if (view->plan && view->poser == number && (int) p->pixels == (int) picture->pixels &&
      p->width == picture->width && p->height == picture->height &&
      p->on_device == picture->on_device && p->pinned == picture->pinned)
    return AK_OK;
  g_clear_pointer (&view->plan, ak_plan_free);
  p->pixels = (AkPixels) picture->pixels;
  p->on_device = picture->on_device;
  p->pinned = picture->pinned;
  p->width = picture->width;
  p->height = picture->height;
  view->poser = number;
  view->plan = ak_plan_new (view->dev);
  if (!view->plan)
    return AK_ERR_MEMORY;
  if (poser)
    vertices = am_poser_record (poser, view->plan);
  if (view->colored)
    ak_mesh_draw (view->plan, view->mesh, vertices, view->scale, p, &view->style);
  else
    ak_mesh_draw_published (view->plan, view->mesh, vertices, view->scale, p);
  status = ak_plan_finish (view->plan);
  if (status != AK_OK)
    g_clear_pointer (&view->plan, ak_plan_free);
  return status;
}

/* What is read at each run. */
static void
prepare (AmMeshView *view, const AmPicture *picture)
{
  view->picture.alpha = picture->alpha;
  /* alpha is the coverage of the head: what is behind it is then up to who composes */
  view->style.background = picture->alpha ? 0 : view->background | 0xff000000u;
  view->picture.bt709 = picture->bt709;
  memcpy (view->picture.plane, picture->plane, sizeof view->picture.plane);
  memcpy (view->picture.stride, picture->stride, sizeof view->picture.stride);
}

static gboolean
run (AmMeshView *view, AkStatus status, GError **error)
{
  if (status == AK_OK)
    status = ak_plan_run (view->plan, view->queue, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (view->queue);
  return am_error_from_status (status, "drawing", error);
}

gboolean
am_mesh_view_draw (
    AmMeshView *view, const float *vertices, const AmPicture *picture, GError **error)
{
  size_t bytes = 3 * sizeof (float) * am_head_info (view->head)->vertices;
  AkStatus status = record (view, NULL, picture);

  prepare (view, picture);
  if (status == AK_OK)
    status = ak_upload (view->queue, view->vertices, vertices, bytes);
  return run (view, status, error);
}

gboolean
am_mesh_view_draw_motion (
    AmMeshView *view, AmPoser *poser, const float *motion, const AmPicture *picture, GError **error)
{
  AkStatus status;

  if (am_poser_device (poser) != view->dev) {
    g_set_error (error, AM_ERROR, AM_ERROR_DEVICE,
        "mesh view: the head is posed on another device than it is drawn on");
    return FALSE;
  }
  status = record (view, poser, picture);
  prepare (view, picture);
  if (status == AK_OK)
    status = am_poser_upload (poser, motion, view->queue);
  return run (view, status, error);
}
