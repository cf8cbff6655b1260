/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "testavatar.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <unistd.h>

#include "models/safetensors.h"
#include "testharness.h"

/* Nothing is written into the user's cache. Before GLib has looked where that is. */
static void __attribute__ ((constructor)) own_cache (void)
{
  g_autofree char *name = g_strdup_printf ("artalk-test-cache-%d", (int) getpid ());
  g_autofree char *cache = g_build_filename (g_get_tmp_dir (), name, NULL);

  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
}

void
test_remove_cache (void)
{
  g_autofree char *outer = g_build_filename (g_get_user_cache_dir (), "artalk", NULL);
  g_autofree char *folder = g_build_filename (outer, "avatars", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    g_unlink (path);
  }
  g_rmdir (folder);
  g_rmdir (outer);
  g_rmdir (g_get_user_cache_dir ());
}

/* All tensors of `from` and one more in a safetensors file `name`. (transfer full) */
static char *
copy_tensors (const char *from, const char *name, const AmTensor *more, const char *const *metadata)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmWeights) weights = am_weights_open (from, &error);
  g_autoptr (GArray) tensors = g_array_new (FALSE, FALSE, sizeof (AmTensor));
  char *path = test_path (name);

  g_assert_no_error (error);
  for (size_t i = 0; i < am_weights_count (weights); i++)
    g_array_append_val (tensors, *am_weights_nth (weights, i));
  if (more)
    g_array_append_val (tensors, *more);
  am_safetensors_write (path, (const AmTensor *) tensors->data, tensors->len, metadata, &error);
  g_assert_no_error (error);
  return path;
}

/* The head with the vertices that this avatar's forehead has. */
static char *
head_with_forehead (JsonObject *config, const char *flame)
{
  JsonArray *list = json_object_get_array_member (config, "forehead");
  const guint n = json_array_get_length (list);
  g_autofree guint32 *indices = g_new (guint32, n);
  const AmTensor region = { .name = "region.forehead",
    .dtype = AM_U32,
    .n_dims = 1,
    .shape = { n },
    .n = n,
    .data = indices,
    .bytes = n * sizeof *indices };

  for (guint i = 0; i < n; i++)
    indices[i] = (guint32) json_array_get_int_element (list, i);
  return copy_tensors (flame, "head.safetensors", &region, NULL);
}

gboolean
test_avatar_open (TestAvatar *t)
{
  const char *golden = g_getenv ("ARTALK_GOLDEN_DIR");
  g_autofree char *dir = g_build_filename (golden ? golden : "-", "avatar", "avatar", NULL);
  g_autofree char *config = g_build_filename (dir, "config.json", NULL);
  g_autofree char *published = g_build_filename (dir, "GAGAvatar_tiny.pt", NULL);
  g_autofree char *flame = g_build_filename (dir, "..", "flame", "flame_synth.pt", NULL);
  g_autofree char *io_path = g_build_filename (dir, "io.safetensors", NULL), *heads = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (AmWeights) io = NULL;
  const char *metadata[] = { "heads", NULL, NULL };
  JsonObject *object;

  test_remove_cache (); /* of a test that failed */
  if (!g_file_test (published, G_FILE_TEST_EXISTS)) {
    g_printerr ("SKIPPED: %s is missing (set ARTALK_GOLDEN_DIR)\n", published);
    return FALSE;
  }
  fail_unless (json_parser_load_from_file (parser, config, NULL));
  object = json_node_get_object (json_parser_get_root (parser));
  heads = g_strdup_printf ("%d", (int) json_object_get_int_member (object, "heads"));
  metadata[1] = heads;
  t->model = copy_tensors (published, "GAGAvatar.safetensors", NULL, metadata);
  t->head = head_with_forehead (object, flame);
  t->people = g_build_filename (dir, "tracked.pt", NULL);
  t->mark = g_build_filename (dir, "watermark.png", NULL);
  io = am_weights_open (io_path, NULL);
  t->motion = am_tensor_to_f32 (am_weights_find (io, "motion"));
  t->dir = g_steal_pointer (&dir);
  return TRUE;
}

void
test_avatar_clear (TestAvatar *t)
{
  test_remove_cache ();
  g_free (t->dir);
  g_free (t->model);
  g_free (t->head);
  g_free (t->people);
  g_free (t->mark);
  g_free (t->motion);
}
