/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures of a posed head as a shaded mesh (model spec, section 9, and the coloured look). */
#pragma once

#include "head.h"

G_BEGIN_DECLS

typedef enum {
  AM_LOOK_AUTO,      /* coloured if the head has colours, else published */
  AM_LOOK_COLOR,     /* vertex colours, smooth shading, anti-aliased edges */
  AM_LOOK_PUBLISHED, /* the published flat blue-grey look, exact, no anti-aliasing, white background */
} AmLook;

typedef enum {
  AM_PIXELS_RGBA, /* also RGBx: alpha written as 255 unless `alpha` */
  AM_PIXELS_BGRA,
  AM_PIXELS_ARGB,
  AM_PIXELS_ABGR,
  AM_PIXELS_RGB,
  AM_PIXELS_BGR,
  AM_PIXELS_I420,
  AM_PIXELS_NV12,
} AmPixels;

/* Where a picture goes: planes and strides of a mapped video frame. */
typedef struct
{
  AmPixels pixels;
  gboolean on_device; /* the planes are memory of the device that draws, else of the host */
  gboolean pinned;    /* the planes are memory of ak_pin(), for that device */
  gboolean
      alpha; /* write coverage as straight alpha instead of blending the background (RGBA orders) */
  gboolean bt709; /* colour matrix for I420 and NV12: BT.709, else BT.601; limited range */
  unsigned width, height;
  uint8_t *plane[3];
  ptrdiff_t stride[3]; /* bytes */
} AmPicture;

typedef struct _AmMeshView AmMeshView;

/* A renderer of one stream for `head`. `antialias`: of edges, in the coloured look. */
AmMeshView *am_mesh_view_new (
    AmHead *head, const char *device, AmLook look, gboolean antialias, float scale, GError **error);
void am_mesh_view_free (AmMeshView *view);

/* Background colour, 0xAARRGGBB as in GStreamer's colour properties; where alpha is not asked for, A is ignored. */
void am_mesh_view_set_background (AmMeshView *view, uint32_t argb);

/* Draws `vertices` [V][3] (from am_poser_run()) into `picture`, any size from 1x1 up to 16384x16384. */
gboolean am_mesh_view_draw (
    AmMeshView *view, const float *vertices, const AmPicture *picture, GError **error);

/* Poses a frame (as am_poser_run()) and draws it, on the device of both, which must be one. */
gboolean am_mesh_view_draw_motion (AmMeshView *view, AmPoser *poser, const float *motion,
    const AmPicture *picture, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmMeshView, am_mesh_view_free)

G_END_DECLS
