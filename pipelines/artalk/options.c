/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <gst/gst.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE 8192

static const char summary[] =
    "Turns speech into a talking head: reads any audio file GStreamer can decode, writes a video\n"
    "(.mp4, .mkv, .webm) with the sound.\n"
    "\n"
    "Other commands:\n"
    "  artalk inspect FILE            lists the tensors of a checkpoint, head or style file\n"
    "  artalk inspect --verify FILE   checks a published file by its SHA-256\n"
    "  artalk style MOTION -o STYLE   makes a style clip out of recorded motion\n"
    "  artalk styles                  lists the built-in styles\n"
    "  artalk heads                   describes the built-in head and lists its faces\n"
    "  artalk avatars FILE [SHEET.png]\n"
    "                                 lists the people of a tracked.pt, and draws them";

static const struct
{
  const char *name;
  guint32 argb;
} colors[] = {
  { "black", 0xff000000 },
  { "blue", 0xff0000ff },
  { "gray", 0xff808080 },
  { "green", 0xff00ff00 },
  { "white", 0xffffffff },
};

void
complain (const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);
  g_strdelimit (g_strchomp (message), "\n\r", ' ');
  fprintf (stderr, "artalk: %s\n", message);
}

/* "#RRGGBB", "0xAARRGGBB" or a name */
static gboolean
parse_color (const char *text, guint32 *argb)
{
  char *end = NULL;
  guint64 value;

  for (gsize i = 0; i < G_N_ELEMENTS (colors); i++) {
    if (g_ascii_strcasecmp (text, colors[i].name) == 0) {
      *argb = colors[i].argb;
      return TRUE;
    }
  }
  if (text[0] == '#' && strlen (text) == 7 && g_ascii_isxdigit (text[1])) {
    value = 0xff000000 | g_ascii_strtoull (text + 1, &end, 16);
  } else if (g_str_has_prefix (text, "0x") && strlen (text) == 10 && g_ascii_isxdigit (text[2])) {
    value = g_ascii_strtoull (text + 2, &end, 16);
  } else {
    return FALSE;
  }
  *argb = (guint32) value;
  return *end == '\0';
}

static gboolean
parse_size (const char *text, unsigned *width, unsigned *height)
{
  guint64 w, h;
  char *end;

  if (!g_ascii_isdigit (text[0]))
    return FALSE;
  w = g_ascii_strtoull (text, &end, 10);
  if (*end != 'x' || !g_ascii_isdigit (end[1]))
    return FALSE;
  h = g_ascii_strtoull (end + 1, &end, 10);
  if (*end != '\0' || w < 16 || h < 16 || w > MAX_SIZE || h > MAX_SIZE || w % 2 || h % 2)
    return FALSE;
  *width = (unsigned) w;
  *height = (unsigned) h;
  return TRUE;
}

/* Who draws: what was asked for, else splats where an avatar is named. FALSE if the options contradict. */
static gboolean
choose_renderer (Options *o)
{
  const gboolean named = o->avatar_model != NULL || o->avatars != NULL || o->avatar != NULL;

  if (o->renderer == NULL)
    o->renderer = g_strdup (named ? "splat" : "mesh");
  return g_str_equal (o->renderer, "splat") || (g_str_equal (o->renderer, "mesh") && !named);
}

static gboolean
is_precision (const char *text)
{
  static const char *const known[] = { "auto", "f32", "bf16", NULL };

  return g_strv_contains (known, text);
}

/* The file that is to be written twice, or NULL. */
static const char *
written_twice (const Options *o)
{
  if (o->motion != NULL && g_strcmp0 (o->motion, o->output) == 0)
    return o->motion;
  if (o->mesh != NULL &&
      (g_strcmp0 (o->mesh, o->output) == 0 || g_strcmp0 (o->mesh, o->motion) == 0))
    return o->mesh;
  return NULL;
}

/* What GOption cannot judge. Returns NULL if all is well, else what is wrong (g_free). */
static char *
judge (Options *o, const char *size, const char *background, int clip_length, int threads)
{
  if (o->input == NULL)
    return g_strdup ("no input file is named");
  if (o->output == NULL && o->motion == NULL && o->mesh == NULL)
    return g_strdup ("nothing to write: name a video with -o, or --motion or --mesh");
  if (written_twice (o) != NULL)
    return g_strdup_printf ("%s: named for two of -o, --motion and --mesh", written_twice (o));
  if (size != NULL && !parse_size (size, &o->width, &o->height))
    return g_strdup_printf (
        "--size %s: not WIDTHxHEIGHT with even numbers from 16 to %d", size, MAX_SIZE);
  if (background != NULL && !parse_color (background, &o->background))
    return g_strdup_printf ("--background %s: not a name, #RRGGBB or 0xAARRGGBB", background);
  o->has_background = background != NULL;
  if (!choose_renderer (o))
    return g_strdup_printf (
        "--renderer %s: not mesh (without avatar options) or splat", o->renderer);
  if (clip_length < 0)
    return g_strdup_printf ("--clip-length %d: not a number of frames", clip_length);
  if (threads < 0 || threads > 1024)
    return g_strdup_printf ("--threads %d: not a number of threads", threads);
  if (o->precision != NULL && !is_precision (o->precision))
    return g_strdup_printf ("--precision %s: not auto, f32 or bf16", o->precision);
  o->clip_length = (unsigned) clip_length;
  o->threads = (unsigned) threads;
  return NULL;
}

gboolean
options_parse (Options *o, int argc, char **argv, int *status)
{
  g_autofree char *size = NULL, *background = NULL, *wrong = NULL;
  g_auto (GStrv) rest = NULL;
  int clip_length = 0, threads = 0;
  gboolean version = FALSE;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &o->output, "Video file to write", "OUT.mp4" },
    { "style", 's', 0, G_OPTION_ARG_STRING, &o->style,
        "Style of moving: a built-in name or a file with a [50,106] tensor", "NAME|FILE" },
    { "size", 0, 0, G_OPTION_ARG_STRING, &size, "Size of the picture (512x512)", "WIDTHxHEIGHT" },
    { "background", 0, 0, G_OPTION_ARG_STRING, &background,
        "Background: black, blue, gray, green, white, #RRGGBB or 0xAARRGGBB", "COLOUR" },
    { "fix-pose", 0, 0, G_OPTION_ARG_NONE, &o->fix_pose, "Keep the head still, only the face moves",
        NULL },
    { "clip-length", 0, 0, G_OPTION_ARG_INT, &clip_length,
        "Stop after so many frames (25 a second)", "FRAMES" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model,
        "Speech-to-motion checkpoint: a file or a folder (built-in)", "PATH" },
    { "head", 0, 0, G_OPTION_ARG_FILENAME, &o->head,
        "Head in FLAME's format, or the name of a built-in face (built-in)", "NAME|FILE" },
    { "shape", 0, 0, G_OPTION_ARG_FILENAME, &o->shape,
        "Identity of the head: a file with up to as many numbers as the head has directions",
        "FILE" },
    { "renderer", 0, 0, G_OPTION_ARG_STRING, &o->renderer,
        "Shaded mesh or Gaussian avatar (splat if an avatar is named, else mesh)", "mesh|splat" },
    { "avatar-model", 0, 0, G_OPTION_ARG_FILENAME, &o->avatar_model,
        "Gaussian avatar's model, GAGAvatar.pt or a folder with it (built-in)", "PATH" },
    { "avatars", 0, 0, G_OPTION_ARG_FILENAME, &o->avatars,
        "Tracked people: tracked.pt or a folder of such files", "PATH" },
    { "avatar", 0, 0, G_OPTION_ARG_STRING, &o->avatar, "Name of the tracked person to show",
        "NAME" },
    { "motion", 0, 0, G_OPTION_ARG_FILENAME, &o->motion,
        "Write the motion: tensor \"motion\" [frames,106]", "FILE.safetensors" },
    { "mesh", 0, 0, G_OPTION_ARG_FILENAME, &o->mesh,
        "Write the moving mesh: \"vertices\" [frames,V,3] in metres, \"faces\", \"region.*\"",
        "FILE.safetensors" },
    { "device", 0, 0, G_OPTION_ARG_STRING, &o->device, "auto, cpu, cuda or cuda:N", "DEVICE" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &o->precision, "auto, f32 or bf16", "PRECISION" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "Threads to compute with (0: all cores)", "N" },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "No progress, only errors", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("SPEECH - speech to talking head");
  g_autoptr (GError) error = NULL;

  memset (o, 0, sizeof *o);
  o->width = o->height = 512;
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  g_option_context_set_summary (context, summary);
  g_option_context_set_help_enabled (context, TRUE);
  *status = STATUS_USAGE;
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    complain ("%s (see artalk --help)", error->message);
    return FALSE;
  }
  if (version) {
    printf ("artalk %s\n", ARTALK_VERSION);
    *status = STATUS_OK;
    return FALSE;
  }
  if (rest != NULL && rest[0] != NULL) {
    o->input = g_strdup (rest[0]);
    if (rest[1] != NULL)
      wrong = g_strdup_printf ("one input file at a time; what is %s for?", rest[1]);
  }
  if (wrong == NULL)
    wrong = judge (o, size, background, clip_length, threads);
  if (wrong != NULL) {
    complain ("%s (see artalk --help)", wrong);
    return FALSE;
  }
  return TRUE;
}

void
options_clear (Options *o)
{
  g_free (o->input);
  g_free (o->output);
  g_free (o->motion);
  g_free (o->mesh);
  g_free (o->style);
  g_free (o->model);
  g_free (o->head);
  g_free (o->shape);
  g_free (o->device);
  g_free (o->precision);
  g_free (o->renderer);
  g_free (o->avatar_model);
  g_free (o->avatars);
  g_free (o->avatar);
  memset (o, 0, sizeof *o);
}
