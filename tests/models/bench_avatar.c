/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times frames of an avatar: avatar-bench [--device=NAME] [--threads=N] [--frames=N] [--bf16] [MODEL [TRACKED NAME HEAD]]. Processor time, so
 * that other programs disturb it little; with one thread that is the time a frame takes. */
#include "models/avatar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

static AmAvatar *
prepare (AmAvatarModel *model, char **rest, GError **error)
{
  g_autoptr (AmTracked) tracked = NULL;
  g_autoptr (AmPerson) person = NULL;
  double start;
  AmAvatar *avatar;

  if (am_avatar_model_info (model)->needs_person) {
    if (!rest || g_strv_length (rest) < 4) {
      g_set_error (error, AM_ERROR, AM_ERROR_MISSING, "this model needs TRACKED, NAME and HEAD");
      return NULL;
    }
    tracked = am_tracked_open (rest[1], error);
    person = tracked ? am_tracked_person (tracked, rest[2], error) : NULL;
    if (!person)
      return NULL;
  }
  start = measure_processor ();
  avatar = am_avatar_prepare (model, person, NULL, NULL, NULL, error);
  printf ("prepared in %.2f s of processor time\n", measure_processor () - start);
  return avatar;
}

int
main (int argc, char **argv)
{
  g_autofree char *device = NULL;
  g_auto (GStrv) rest = NULL;
  int threads = 1, frames = 10;
  gboolean bf16 = FALSE;
  const GOptionEntry entries[] = {
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "device to compute on", "NAME" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &threads, "threads", "N" },
    { "frames", 'f', 0, G_OPTION_ARG_INT, &frames, "frames to time", "N" },
    { "bf16", 'b', 0, G_OPTION_ARG_NONE, &bf16, "weights as bfloat16", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("[MODEL [TRACKED NAME HEAD]]");
  g_autoptr (GError) error = NULL;
  g_autoptr (AmAvatarModel) model = NULL;
  g_autoptr (AmHead) head = NULL;
  g_autoptr (AmAvatar) avatar = NULL;
  g_autoptr (AmAvatarView) view = NULL;
  g_autofree float *motion = NULL;
  g_autofree uint8_t *bytes = NULL;
  g_autofree double *times = NULL;
  AmPicture picture = { .pixels = AM_PIXELS_RGBA };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || frames < 1 || threads < 0)
    return 2;
  model = am_avatar_model_open (
      rest ? rest[0] : NULL, device, bf16 ? AK_BF16 : AK_F32, (unsigned) threads, &error);
  if (!model) {
    printf ("SKIPPED: %s\n", error->message);
    return 77;
  }
  head = am_head_open (rest && g_strv_length (rest) >= 4 ? rest[3] : NULL, &error);
  avatar = head ? prepare (model, rest, &error) : NULL;
  view = avatar ? am_avatar_view_new (avatar, head, NULL, &error) : NULL;
  if (!view) {
    printf ("%s\n", error->message);
    return 1;
  }
  picture.width = picture.height = am_avatar_model_info (model)->side;
  bytes = g_malloc (4 * (size_t) picture.width * picture.height);
  picture.plane[0] = bytes;
  picture.stride[0] = 4 * (ptrdiff_t) picture.width;
  motion = g_new0 (float, am_head_info (head)->expressions + 6);
  times = g_new (double, frames);
  for (int i = -1; i < frames && !error; i++) { /* one to warm up */
    double start = measure_processor ();

    motion[0] = 0.3f * sinf ((float) i);
    motion[am_head_info (head)->expressions + 3] = 0.1f + 0.1f * cosf ((float) i);
    am_avatar_view_draw (view, motion, &picture, NULL, &error);
    if (i >= 0)
      times[i] = measure_processor () - start;
  }
  measure_sort (times, (size_t) frames);
  printf ("a frame of %ux%u: %.1f ms of processor time (median; best %.1f)\n", picture.width,
      picture.height, 1e3 * times[frames / 2], 1e3 * times[0]);
  return error != NULL;
}
