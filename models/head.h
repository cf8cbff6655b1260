/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads in FLAME's format and their posing (model spec, section 8). */
#pragma once

#include <glib.h>
#include <stdint.h>
#include "kernels/device.h"

G_BEGIN_DECLS

typedef struct _AmHead AmHead;

typedef struct
{
  unsigned vertices, faces;
  unsigned expressions; /* 100 */
  unsigned shapes;      /* identity directions */
  const char *basis;    /* "flame" for the published file, else the file's metadata */
  const char *const *
      channels; /* names of the expression channels, NULL-terminated; empty if the file names none */
  const char *const *identity; /* names of identity directions likewise */
  gboolean has_colors;         /* vertex colours, so that the coloured look can be drawn */
} AmHeadInfo;

/* Opens a head: FLAME_with_eye.pt, or a .safetensors with the same names; NULL is the built-in head, and the name of a
 * built-in face, or a file with one, that head with another identity, hair and colours: the head's own numbers, of
 * faces and directions too, so motion, avatars and shapes fit all of them. A shape is added to the face's.
 * Shared per process like models. NULL with `error` set, naming file and tensor. */
AmHead *am_head_open (const char *path, GError **error);
AmHead *am_head_ref (AmHead *head);
void am_head_unref (AmHead *head);
const AmHeadInfo *am_head_info (const AmHead *head);

/* Names of the built-in faces, sorted, NULL-terminated (g_strfreev). */
char **am_face_list (void);
/* What the built-in face `name` shows, in a few words. (transfer full) NULL with `error` set. */
char *am_face_describe (const char *name, GError **error);

/* [faces][3] vertex numbers; lives as long as the head. */
const uint32_t *am_head_faces (const AmHead *head);

/* The index tensor `region` ("inner_lip_upper", …) with its length, or NULL. */
const uint32_t *am_head_region (const AmHead *head, const char *region, size_t *n);
/* Names of all regions, NULL-terminated; owned by the head. */
const char *const *am_head_region_names (const AmHead *head);

/* Colours of the vertices, [V][3] sRGB 0..1, and their AmMaterial, [V]; NULL where the file has none. */
const float *am_head_colors (const AmHead *head);
const uint8_t *am_head_materials (const AmHead *head);

/* What a vertex is made of, as in the file; unknown numbers are treated as skin. */
typedef enum {
  AM_MATERIAL_SKIN,
  AM_MATERIAL_LIPS,
  AM_MATERIAL_EYE,
  AM_MATERIAL_TEETH,
  AM_MATERIAL_MOUTH, /* gums, tongue, the inside of the cheeks */
  AM_MATERIAL_HAIR,
  AM_MATERIAL_CLOTH,
  AM_MATERIAL_LASH, /* brows and lashes */
  AM_N_MATERIALS
} AmMaterial;

/* Reads identity coefficients from a file (.pt or .safetensors): its only tensor, or one called "shape", of
 * whatever axes. Returns [*n] floats (g_free), 4096 at most, or NULL with `error` set. */
float *am_shape_load (const char *path, size_t *n, GError **error);

/* Posing of one stream. */
typedef struct _AmPoser AmPoser;

/* `shape`: identity coefficients, `n_shape` of them (missing ones are 0), or NULL. `scale`: 1 for the
 * mesh path, 5 for the splat path. */
AmPoser *am_poser_new (AmHead *head, const char *device, const float *shape, size_t n_shape,
    float scale, GError **error);
void am_poser_free (AmPoser *poser);

/* The frame's numbers: `expressions` + 6. */
size_t am_poser_motion_dim (const AmPoser *poser);

/* Poses one frame: `motion` [expressions + 6]: expression, global rotation, jaw. Non-finite numbers
 * count as 0. `vertices`: [V][3] in metres times scale, filled. */
gboolean am_poser_run (AmPoser *poser, const float *motion, float *vertices, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmHead, am_head_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmPoser, am_poser_free)

G_END_DECLS
