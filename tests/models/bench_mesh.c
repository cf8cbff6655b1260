/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames per second of posing and drawing the built-in head on one processor, against how often the
 * frame's bytes could be written in the same run. It is processor time, so that other programs
 * disturb it little.
 *
 * mesh-bench [--device=NAME] [--size=N] [--frames=N] [HEAD] */
#include "models/meshview.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure.h"

/* A talking head: some 30 channels at work, jaw and neck too. */
static void
move (float *motion, const AmHeadInfo *info, int frame)
{
  unsigned named = 0;

  while (info->channels[named])
    named++;
  for (unsigned k = 0; k < info->expressions; k++)
    motion[k] = named == 0 || (k < named && k % 2)
                    ? 0.15f * (1 + sinf (0.3f * (float) frame + (float) k))
                    : 0;
  for (unsigned k = 0; k < 6; k++)
    motion[info->expressions + k] = 0.1f * sinf (0.11f * (float) frame + (float) k);
  motion[info->expressions + 3] = 0.1f + 0.1f * sinf (0.7f * (float) frame);
}

typedef struct
{
  AmPoser *poser;
  AmMeshView *view;
  const AmHeadInfo *info;
  float *motion, *vertices;
  AmPicture picture;
  size_t bytes;
  uint8_t *frame;
} Bench;

enum { POSE = 1, DRAW = 2, FILL = 4 };

/* Median frames per second. */
static double
speed (Bench *b, int what, int frames)
{
  double times[20];

  for (int block = 0; block < 20; block++) {
    double start = measure_processor ();

    for (int i = 0; i < frames; i++) {
      move (b->motion, b->info, i);
      if (what & POSE)
        am_poser_run (b->poser, b->motion, b->vertices, NULL);
      if (what & DRAW)
        am_mesh_view_draw (b->view, b->vertices, &b->picture, NULL);
      if (what & FILL)
        memset (b->frame, i, b->bytes);
    }
    times[block] = measure_processor () - start;
  }
  measure_sort (times, 20);
  return frames / times[10];
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    AmLook look;
    gboolean antialias;
    AmPixels pixels;
  } cases[] = {
    { "pose and draw, I420, smooth edges", AM_LOOK_AUTO, TRUE, AM_PIXELS_I420 },
    { "pose and draw, I420", AM_LOOK_AUTO, FALSE, AM_PIXELS_I420 },
    { "pose and draw, RGBA, smooth edges", AM_LOOK_AUTO, TRUE, AM_PIXELS_RGBA },
    { "pose and draw, RGBA", AM_LOOK_AUTO, FALSE, AM_PIXELS_RGBA },
    { "pose and draw, RGBA, published look", AM_LOOK_PUBLISHED, FALSE, AM_PIXELS_RGBA },
  };
  g_autofree char *device = NULL;
  g_auto (GStrv) rest = NULL;
  int size = 512, frames = 20;
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "device to compute on", "NAME" },
    { "size", 's', 0, G_OPTION_ARG_INT, &size, "width and height", "N" },
    { "frames", 'f', 0, G_OPTION_ARG_INT, &frames, "frames of each of 20 measurements", "N" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("[HEAD]");
  g_autoptr (GError) error = NULL;
  g_autoptr (AmHead) head = NULL;
  size_t pixels;
  Bench b;
  double fill;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || size < 1 || size > 16384)
    return 2;
  head = am_head_open (rest ? rest[0] : NULL, &error);
  if (!head) {
    printf ("SKIPPED: %s\n", error->message);
    return 77;
  }
  pixels = (size_t) size * (size_t) size;
  b = (Bench){ .info = am_head_info (head), .frame = g_malloc (4 * pixels + 65536) };
  b.motion = g_new (float, b.info->expressions + 6);
  b.vertices = g_new (float, 3 * (size_t) b.info->vertices);
  b.poser = am_poser_new (head, device, NULL, 0, 1, &error);
  b.bytes = 4 * pixels;
  fill = speed (&b, FILL, frames);
  printf ("fill a frame of %zu bytes: %.0f frames/s\n", b.bytes, fill);
  if (b.poser)
    printf ("pose %u vertices: %.0f frames/s (%.2f of filling)\n", b.info->vertices,
        speed (&b, POSE, frames), speed (&b, POSE, frames) / fill);
  for (size_t i = 0; i < G_N_ELEMENTS (cases) && b.poser; i++) {
    gboolean planes = cases[i].pixels == AM_PIXELS_I420;
    int half = (size + 1) / 2;
    double s;

    b.view = am_mesh_view_new (head, device, cases[i].look, cases[i].antialias, 1, &error);
    if (!b.view)
      break;
    b.picture = (AmPicture){ .pixels = cases[i].pixels,
      .width = (unsigned) size,
      .height = (unsigned) size,
      .plane = { b.frame, b.frame + pixels, b.frame + pixels + (size_t) half * (size_t) half },
      .stride = { planes ? size : 4 * size, half, half } };
    s = speed (&b, POSE | DRAW, frames);
    printf ("%s: %.0f frames/s (%.3f of filling)\n", cases[i].name, s, s / fill);
    am_mesh_view_free (b.view);
  }
  if (error)
    printf ("%s\n", error->message);
  am_poser_free (b.poser);
  g_free (b.motion);
  g_free (b.vertices);
  g_free (b.frame);
  return error != NULL;
}
