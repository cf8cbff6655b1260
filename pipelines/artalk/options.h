/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of `artalk`. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Exit statuses. After SIGINT or SIGTERM it is 128 plus the signal's number. */
enum {
  STATUS_OK = 0,
  STATUS_FAILURE = 1,
  STATUS_USAGE = 2,
};

/* What to render. Strings are owned; NULL where the option was not given. */
typedef struct
{
  char *input;  /* path or URI */
  char *output; /* video file */
  char *motion; /* safetensors file for motion */
  char *mesh;   /* safetensors file for vertices */
  char *style, *model, *head, *shape, *device, *precision;
  char *renderer; /* "mesh" or "splat" after options_parse() */
  char *avatar_model, *avatars, *avatar;
  unsigned width, height;
  unsigned threads;     /* 0: the elements' default */
  unsigned clip_length; /* frames; 0: all */
  gboolean has_background;
  guint32 background; /* 0xAARRGGBB */
  gboolean fix_pose, quiet;
} Options;

/* Reads the command line of a rendering. Returns TRUE if there is something to render; else *status
 * is what to exit with and everything has been said. */
gboolean options_parse (Options *options, int argc, char **argv, int *status);
void options_clear (Options *options);

/* Prints "artalk: MESSAGE" as one line to standard error. */
void complain (const char *format, ...) G_GNUC_PRINTF (1, 2);

G_END_DECLS
