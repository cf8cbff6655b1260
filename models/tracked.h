/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of tracked people (tracked.pt): a picture, a camera and an identity under each name. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One person. */
typedef struct
{
  char *name;
  size_t height, width;
  float *image;        /* [height][width][3], 0..1 */
  float transform[12]; /* [3][4] R | T of row vectors: view = x · R + T, R a rotation */
  size_t n_shape;
  float *shape; /* [n_shape], of the head's identity directions */
} AmPerson;

typedef struct _AmTracked AmTracked;

/* am_tracked_open:
 * @path: a .pt file (a dict: name -> dict with `image`, `transform_matrix`, `shapecode`: tensors, NumPy
 *   arrays or, but for the image, lists), a .safetensors file with the tensors NAME.image,
 *   NAME.transform_matrix and NAME.shapecode, or a folder of such files. A file that holds the three
 *   themselves is one person, called like the file. Of two persons of one name the first counts, files
 *   in the order of their names.
 *
 * Returns: (transfer full): what they hold, not yet checked; NULL with @error naming file and reason. */
AmTracked *am_tracked_open (const char *path, GError **error);
void am_tracked_free (AmTracked *tracked);

/* am_tracked_names:
 * Returns: (transfer none): all names, NULL-terminated, in the order of the files. At least one. */
const char *const *am_tracked_names (const AmTracked *tracked);

/* am_tracked_person:
 * @name: (nullable): one of the names, or one without its extension ("anna" for "anna.jpg"); NULL stands
 *   for the only one
 *
 * Returns: (transfer full): the person, checked: an image [3,H,W] of bytes or of floats in 0..1, a rigid
 * transform, finite numbers everywhere. NULL with @error: file, name and reason; for an unknown name some
 * that are there. */
AmPerson *am_tracked_person (const AmTracked *tracked, const char *name, GError **error);
void am_person_free (AmPerson *person);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmTracked, am_tracked_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmPerson, am_person_free)

G_END_DECLS
