/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames per second by the clock, beside the goals for one card: of the mesh, and of an avatar as large as the published
 * one with pseudo-random numbers; one stream alone, and several at once, each with a thread of its own.
 *
 * frames-bench [--device=NAME] [--precision=f32|bf16] [--mesh] [--small] [--side=N] [--frames=N] [--streams=N]
 *     [--compare]
 *
 * --mesh: the built-in head in 512x512 instead of the avatar. --small: sizes for trying it out. --side: a picture of
 * 8, 16 … 512 (otherwise 512) with the published numbers of channels. --compare: only how far the
 * avatar's pictures, 3 or N, are from those in float32 on the processor. */
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure.h"
#include "models/meshview.h"
#include "published_avatar.h"

#define WARM 3 /* frames before: the second makes the graph */
#define GOAL_MESH 20000
#define GOAL_ALONE 400
#define GOAL_AT_ONCE 800 /* and 1500 as a stretch */

typedef struct
{
  const char *device;
  AkDevice *opened; /* where pictures are page-locked, as the elements' own are; NULL: nowhere */
  AkPrecision precision;
  unsigned side;
  AmLook look;
  AmPixels pixels;
  AmHead *head;
  AmAvatar *avatar; /* NULL: the mesh */
} Subject;

typedef struct
{
  const Subject *subject;
  unsigned frames;
  MeasureStreams *all;
  GError *error;
} Stream;

static void
move (float *motion, const AmHeadInfo *info, unsigned frame)
{
  for (unsigned k = 0; k < 8; k++)
    motion[k] = 0.15f * (1 + sinf (0.3f * (float) frame + (float) k));
  for (unsigned k = 0; k < 3; k++)
    motion[info->expressions + k] = 0.1f * sinf (0.11f * (float) frame + (float) k);
  motion[info->expressions + 3] = 0.1f + 0.1f * sinf (0.7f * (float) frame);
}

static AmPicture
picture_new (const Subject *s)
{
  const size_t pixels = (size_t) s->side * s->side, half = (s->side + 1) / 2;
  const gboolean planes = s->pixels == AM_PIXELS_I420;
  uint8_t *bytes = s->opened ? ak_pin (s->opened, 4 * pixels) : g_malloc0 (4 * pixels);

  return (AmPicture){ .pixels = s->pixels,
    .pinned = s->opened != NULL,
    .width = s->side,
    .height = s->side,
    .plane = { bytes, bytes + pixels, bytes + pixels + half * half },
    .stride = { planes ? s->side : 4 * (ptrdiff_t) s->side, (ptrdiff_t) half, (ptrdiff_t) half } };
}

static void
picture_free (const Subject *s, AmPicture *picture)
{
  if (s->opened)
    ak_unpin (s->opened, picture->plane[0]);
  else
    g_free (picture->plane[0]);
}

/* What draws frames of one stream. */
typedef struct
{
  AmAvatarView *avatar;
  AmPoser *poser;
  AmMeshView *mesh;
  float *motion;
  const AmHeadInfo *info;
} Drawer;

static gboolean
drawer_open (Drawer *d, const Subject *s, GError **error)
{
  d->info = am_head_info (s->head);
  d->motion = g_new0 (float, d->info->expressions + 6);
  if (s->avatar) {
    d->avatar = am_avatar_view_new (s->avatar, s->head, NULL, error);
    return d->avatar != NULL;
  }
  d->poser = am_poser_new (s->head, s->device, NULL, 0, 1, error);
  d->mesh = d->poser ? am_mesh_view_new (s->head, s->device, s->look, TRUE, 1, error) : NULL;
  return d->mesh != NULL;
}

static gboolean
drawer_draw (Drawer *d, unsigned frame, const AmPicture *picture, GError **error)
{
  move (d->motion, d->info, frame);
  if (d->avatar)
    return am_avatar_view_draw (d->avatar, d->motion, picture, NULL, error);
  return am_mesh_view_draw_motion (d->mesh, d->poser, d->motion, picture, error);
}

static void
drawer_close (Drawer *d)
{
  g_clear_pointer (&d->avatar, am_avatar_view_free);
  g_clear_pointer (&d->mesh, am_mesh_view_free);
  g_clear_pointer (&d->poser, am_poser_free);
  g_free (d->motion);
}

static gpointer
stream_run (gpointer data)
{
  Stream *s = data;
  AmPicture picture = picture_new (s->subject);
  Drawer drawer = { 0 };
  gboolean good = drawer_open (&drawer, s->subject, &s->error);

  for (unsigned i = 0; i < WARM && good; i++)
    good = drawer_draw (&drawer, i, &picture, &s->error);
  measure_streams_ready (s->all);
  for (unsigned i = 0; i < s->frames && good; i++)
    good = drawer_draw (&drawer, WARM + i, &picture, &s->error);
  drawer_close (&drawer);
  picture_free (s->subject, &picture);
  return NULL;
}

/* Frames per second of all `n` streams; 0 after an error, which is printed. */
static double
speed (const Subject *subject, unsigned n, unsigned frames)
{
  g_autofree Stream *streams = g_new0 (Stream, n);
  gboolean good = TRUE;
  MeasureStreams all;
  double start;

  for (unsigned i = 0; i < n; i++)
    streams[i] = (Stream){ subject, frames, &all, NULL };
  measure_streams_begin (&all, n, stream_run, streams, sizeof *streams);
  start = measure_wall ();
  measure_streams_run (&all);
  start = measure_wall () - start;
  for (unsigned i = 0; i < n; i++)
    if (streams[i].error) {
      if (good)
        printf ("FAILED: %u streams: %s\n", n, streams[i].error->message);
      good = FALSE;
      g_clear_error (&streams[i].error);
    }
  return good ? n * frames / start : 0;
}

/* Lines for 1, 2, 4, … streams, all beside one goal or the first beside its own. */
static gboolean
print_speeds (const Subject *s, const char *name, unsigned most, unsigned frames, double alone,
    double at_once, const char *stretch)
{
  for (unsigned n = 1; n <= most; n *= 2) {
    const double goal = n == 1 ? alone : at_once, is = speed (s, n, frames);

    if (is == 0)
      return FALSE;
    printf ("| %s, %u at once | %.2f ms a frame, %.0f frames/s | goal %.0f%s, %.2f of it |\n", name,
        n, 1e3 * n / is, is, goal, n == 1 ? "" : stretch, is / goal);
    fflush (stdout);
  }
  return TRUE;
}

static gboolean
mesh (const Subject *base, unsigned most, unsigned frames, GError **error)
{
  static const struct
  {
    const char *name;
    AmLook look;
    AmPixels pixels;
  } looks[] = { { "flamemesh, I420", AM_LOOK_AUTO, AM_PIXELS_I420 },
    { "flamemesh, published look, RGBA", AM_LOOK_PUBLISHED, AM_PIXELS_RGBA } };
  Subject s = *base;
  gboolean good = TRUE;

  s.head = am_head_open (NULL, error);
  for (size_t i = 0; i < G_N_ELEMENTS (looks) && s.head && good; i++) {
    s.look = looks[i].look;
    s.pixels = looks[i].pixels;
    good = print_speeds (&s, looks[i].name, most, frames, GOAL_MESH, GOAL_MESH, "");
  }
  good = good && s.head;
  am_head_unref (s.head);
  return good;
}

/* The bytes of a few frames. */
static gboolean
draw_some (const Subject *s, unsigned frames, uint8_t *bytes, GError **error)
{
  const size_t size = 4 * (size_t) s->side * s->side;
  AmPicture picture = picture_new (s);
  Drawer drawer = { 0 };
  gboolean good = drawer_open (&drawer, s, error);

  for (unsigned i = 0; i < frames && good; i++) {
    good = drawer_draw (&drawer, i, &picture, error);
    memcpy (bytes + i * size, picture.plane[0], size);
  }
  drawer_close (&drawer);
  picture_free (s, &picture);
  return good;
}

/* How far the pictures are from float32's on the processor. */
static gboolean
compare (const Subject *s, const char *name, const char *folder, unsigned side, unsigned frames,
    GError **error)
{
  const size_t n = frames * 4 * (size_t) s->side * s->side;
  g_autofree uint8_t *a = g_malloc (n), *b = g_malloc (n);
  Subject exact = *s;
  double sum = 0, variance = 0, mean = 0;
  size_t differ = 0;
  int worst = 0;
  gboolean good;

  exact.opened = NULL;
  exact.avatar = published_avatar_new (folder, side, "cpu", AK_F32, &exact.head, error);
  good = exact.avatar && draw_some (s, frames, a, error) && draw_some (&exact, frames, b, error);
  am_avatar_unref (exact.avatar);
  am_head_unref (exact.head);
  if (!good)
    return FALSE;
  for (size_t i = 0; i < n; i++) {
    const int d = ABS (a[i] - b[i]);

    sum += (double) d * d;
    differ += d > 0;
    worst = MAX (worst, d);
    mean += b[i] / (double) n;
  }
  for (size_t i = 0; i < n; i++)
    variance += (b[i] - mean) * (b[i] - mean) / (double) n;
  printf ("| %s, against f32 on the processor | root mean square error %.3f of 255 levels, %d at "
          "most, %.2f %% of bytes differ | the pictures' own deviation is %.0f levels |\n",
      name, sqrt (sum / (double) n), worst, 100.0 * (double) differ / (double) n, sqrt (variance));
  if (sqrt (variance) < 5) {
    printf ("FAILED: there is nothing in the pictures\n");
    return FALSE;
  }
  return TRUE;
}

static gboolean
avatar (const Subject *base, const char *folder, unsigned side, unsigned most, unsigned frames,
    gboolean only_compare, GError **error)
{
  const char *by = g_getenv ("ARTALK_CONV2D");
  g_autofree char *name = g_strdup_printf ("gagsplat, %s, convolutions: %s",
      base->precision == AK_BF16 ? "bf16" : "f32", by ? by : "auto");
  Subject s = *base;
  gboolean good;

  s.avatar = published_avatar_new (folder, side, s.device, s.precision, &s.head, error);
  if (!s.avatar)
    return FALSE;
  s.side = am_avatar_model_info (s.avatar->model)->side;
  good = (only_compare ||
             print_speeds (&s, name, most, frames, GOAL_ALONE, GOAL_AT_ONCE, " (stretch 1500)")) &&
         compare (&s, name, folder, side, MIN (frames, 3), error);
  am_avatar_unref (s.avatar);
  am_head_unref (s.head);
  return good;
}

static void
remove_folder (const char *folder)
{
  static const char *const files[] = { "GAGAvatar.safetensors", "head.safetensors" };

  for (size_t i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = g_build_filename (folder, files[i], NULL);

    g_unlink (path);
  }
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  Subject s = { .device = "cuda", .side = 512, .pixels = AM_PIXELS_RGBA };
  unsigned frames = 100, most = 16;
  gboolean with_mesh = FALSE, small = FALSE, only_compare = FALSE, good;
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = NULL;
  AkDevice *device;
  AkStatus status;

  for (int i = 1; i < argc; i++) {
    if (g_str_has_prefix (argv[i], "--device="))
      s.device = argv[i] + 9;
    else if (g_str_has_prefix (argv[i], "--precision="))
      s.precision = strcmp (argv[i] + 12, "bf16") == 0 ? AK_BF16 : AK_F32;
    else if (g_str_has_prefix (argv[i], "--frames="))
      frames = (unsigned) MAX (atoi (argv[i] + 9), 1);
    else if (g_str_has_prefix (argv[i], "--streams="))
      most = (unsigned) MAX (atoi (argv[i] + 10), 1);
    else if (g_str_has_prefix (argv[i], "--side="))
      s.side = (unsigned) CLAMP (atoi (argv[i] + 7), 8, 512);
    else if (strcmp (argv[i], "--mesh") == 0)
      with_mesh = TRUE;
    else if (strcmp (argv[i], "--small") == 0)
      small = TRUE;
    else if (strcmp (argv[i], "--compare") == 0)
      only_compare = TRUE;
    else
      return 2;
  }
  device = ak_device_open (s.device, 0, &status);
  if (!device) {
    printf ("SKIPPED: %s\n", ak_device_problem ());
    return 77;
  }
  s.opened = device;
  if (small)
    s.side = 64;
  if (with_mesh) {
    good = mesh (&s, most, frames, &error);
  } else {
    folder = g_dir_make_tmp (NULL, &error);
    good = folder && avatar (&s, folder, small ? 0 : s.side, most, frames, only_compare, &error);
    if (folder)
      remove_folder (folder);
  }
  ak_device_unref (device);
  if (error)
    printf ("FAILED: %s\n", error->message);
  return good ? 0 : 1;
}
