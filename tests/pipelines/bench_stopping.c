/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long gagsplat takes from PAUSED to READY while it prepares somebody with networks of the published size:
 *   bench-stopping MANIFEST PYTHON SYNTH_FLAME
 * makes weights from the list of tensors (678 MB, removed again), a head with that program and a person; stops
 * at several moments and prints the longest stop. */
#include <glib/gstdio.h>
#include <gst/app/app.h>
#include <gst/gst.h>
#include <sys/statvfs.h>

#include "models/safetensors.h"
#include "tests/models/synth.h"

#define LIMIT_MS 50
#define ROOM (1ull << 30)
#define MOTION 106 /* numbers of a frame */
#define SIDE 128
#define SHAPE 300

/* A person of noise. */
static gboolean
write_people (const char *path, GError **error)
{
  static float image[3 * SIDE * SIDE], shape[SHAPE];
  static const float transform[12] = { -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 9.5f };
  const AmTensor tensors[] = {
    { .name = "anna.image",
        .dtype = AM_F32,
        .n_dims = 3,
        .shape = { 3, SIDE, SIDE },
        .n = G_N_ELEMENTS (image),
        .data = image,
        .bytes = sizeof image },
    { .name = "anna.transform_matrix",
        .dtype = AM_F32,
        .n_dims = 2,
        .shape = { 3, 4 },
        .n = 12,
        .data = transform,
        .bytes = sizeof transform },
    { .name = "anna.shapecode",
        .dtype = AM_F32,
        .n_dims = 1,
        .shape = { SHAPE },
        .n = SHAPE,
        .data = shape,
        .bytes = sizeof shape },
  };

  for (guint i = 0; i < G_N_ELEMENTS (image); i++)
    image[i] = (float) (i * 2654435761u >> 8 & 255) / 255;
  return am_safetensors_write (path, tensors, G_N_ELEMENTS (tensors), NULL, error);
}

static gboolean
write_head (const char *python, const char *program, const char *path, GError **error)
{
  const char *const argv[] = { python, program, path, NULL };
  int status;

  return g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL,
             NULL, NULL, NULL, NULL, &status, error) &&
         g_spawn_check_wait_status (status, error);
}

/* Milliseconds that a stop takes after `wait` milliseconds of preparing. */
static double
stop_after (guint wait, const char *model, const char *head, const char *people)
{
  g_autoptr (GstElement) pipeline = gst_parse_launch (
      "appsrc name=motion format=time "
      "caps=\"motion/x-flame,format=F32LE,expression=100,pose=6,basis=flame,framerate=25/1\" ! "
      "gagsplat name=splat avatar=anna ! fakesink sync=false",
      NULL);
  g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (pipeline), "motion");
  g_autoptr (GstElement) splat = gst_bin_get_by_name (GST_BIN (pipeline), "splat");
  GstBuffer *frame = gst_buffer_new_allocate (NULL, MOTION * sizeof (float), NULL);
  gint64 begun;

  g_object_set (splat, "model", model, "head", head, "avatars", people, NULL);
  if (gst_element_set_state (pipeline, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)
    g_error ("gagsplat does not start with these");
  gst_buffer_memset (frame, 0, 0, MOTION * sizeof (float));
  GST_BUFFER_PTS (frame) = 0;
  gst_app_src_push_buffer (GST_APP_SRC (source), frame);
  g_usleep (1000 * wait);
  begun = g_get_monotonic_time ();
  gst_element_set_state (pipeline, GST_STATE_READY);
  begun = g_get_monotonic_time () - begun;
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return (double) begun / 1000;
}

static int
report (const char *dir, const char *manifest, const char *python, const char *synth_flame)
{
  static const guint waits[] = { 100, 300, 600, 1000, 1500, 2000, 2500, 3000 };
  g_autofree char *model = g_build_filename (dir, "GAGAvatar.safetensors", NULL);
  g_autofree char *head = g_build_filename (dir, "FLAME.pt", NULL);
  g_autofree char *people = g_build_filename (dir, "tracked.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  double longest = 0;
  gboolean made = write_head (python, synth_flame, head, &error) && write_people (people, &error) &&
                  synth_write (manifest, -1, model, NULL, &error);

  for (guint i = 0; made && i < G_N_ELEMENTS (waits); i++)
    longest = MAX (longest, stop_after (waits[i], model, head, people));
  if (made)
    g_print (
        "PAUSED to READY while preparing, the longest of %u: %.1f ms (%.2f of the limit, %d)\n",
        (guint) G_N_ELEMENTS (waits), longest, longest / LIMIT_MS, LIMIT_MS);
  else
    g_print ("FAILED: %s\n", error->message);
  g_unlink (model);
  g_unlink (head);
  g_unlink (people);
  return made ? 0 : 1; /* time depends on what else the machine does */
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = NULL;
  g_autoptr (GError) error = NULL;
  struct statvfs room;
  int status;

  if (argc < 4 || !g_file_test (argv[1], G_FILE_TEST_EXISTS) ||
      !g_file_test (argv[3], G_FILE_TEST_EXISTS)) {
    g_print ("SKIPPED: the list of tensors or the program that makes a head is missing\n");
    return 77;
  }
  if (statvfs (g_get_tmp_dir (), &room) != 0 || room.f_bavail * room.f_frsize < ROOM) {
    g_print ("SKIPPED: %s has no room for 678 MB\n", g_get_tmp_dir ());
    return 77;
  }
  dir = g_dir_make_tmp (NULL, &error);
  if (!dir) {
    g_print ("FAILED: %s\n", error->message);
    return 1;
  }
  g_setenv ("XDG_CACHE_HOME", "/dev/null", TRUE); /* each time prepared anew */
  gst_init (NULL, NULL);
  status = report (dir, argv[1], argv[2], argv[3]);
  g_rmdir (dir);
  return status;
}
