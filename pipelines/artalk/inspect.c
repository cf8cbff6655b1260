/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "inspect.h"

#include <stdio.h>

#include "models/head.h"
#include "models/known.h"
#include "models/motion.h"
#include "models/paths.h"
#include "models/weights.h"
#include "options.h"

static char *
shape_text (const AmTensor *t)
{
  GString *text = g_string_new ("[");

  for (unsigned i = 0; i < t->n_dims; i++)
    g_string_append_printf (text, "%s%" G_GSIZE_FORMAT, i > 0 ? "," : "", t->shape[i]);
  return g_string_free (g_string_append_c (text, ']'), FALSE);
}

int
inspect_file (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) weights = am_weights_open (path, &error);
  guint64 bytes = 0;

  if (weights == NULL) {
    complain ("%s", error->message);
    return STATUS_FAILURE;
  }
  for (size_t i = 0; i < am_weights_count (weights); i++) {
    const AmTensor *t = am_weights_nth (weights, i);
    g_autofree char *name = g_strescape (t->name, NULL), *shape = shape_text (t);
    printf ("%s %s %s\n", name, am_dtype_name (t->dtype), shape);
    bytes += t->bytes;
  }
  printf ("%" G_GSIZE_FORMAT " tensors, %" G_GUINT64_FORMAT " bytes\n", am_weights_count (weights),
      bytes);
  return STATUS_OK;
}

int
inspect_verify (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sha256 = NULL;
  size_t n;
  const AmKnownFile *files = am_known_files (&n);
  const AmKnownFile *found = am_known_verify (path, files, n, &sha256, &error);

  if (found == NULL) {
    complain ("%s", error->message);
    return STATUS_FAILURE;
  }
  printf ("%s: %s as published, %" G_GUINT64_FORMAT " bytes, SHA-256 %s\n", path, found->name,
      found->size, sha256);
  return STATUS_OK;
}

int
inspect_styles (void)
{
  g_auto (GStrv) names = am_style_list ();

  for (char **name = names; *name != NULL; name++)
    printf ("%s\n", *name);
  return STATUS_OK;
}

int
inspect_heads (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmHead) head = am_head_open (NULL, &error);
  g_autofree char *path = am_data_path ("head.safetensors");
  g_auto (GStrv) faces = am_face_list ();
  const AmHeadInfo *info;
  size_t named = 0;

  if (head == NULL) {
    complain ("%s", error->message);
    return STATUS_FAILURE;
  }
  info = am_head_info (head);
  while (info->channels[named] != NULL)
    named++;
  printf ("built-in: %u vertices, %u faces, %u expression channels (%" G_GSIZE_FORMAT
          " named), %u identity directions, basis %s, %s\n",
      info->vertices, info->faces, info->expressions, named, info->shapes, info->basis, path);
  for (char **name = faces; *name != NULL; name++) {
    g_autofree char *text = am_face_describe (*name, &error);

    if (text == NULL) {
      complain ("%s", error->message);
      return STATUS_FAILURE;
    }
    printf ("%s: %s\n", *name, text);
  }
  return STATUS_OK;
}
