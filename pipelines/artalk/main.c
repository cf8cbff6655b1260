/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program `artalk`: speech in, talking head out. */
#include <locale.h>
#include <string.h>

#include "avatars.h"
#include "clip.h"
#include "inspect.h"
#include "options.h"
#include "render.h"

/* Whether `argv` asks what a command is for; all but `style` are described with the rest. */
static gboolean
asks_for_help (int argc, char **argv)
{
  return argc == 3 && (strcmp (argv[2], "--help") == 0 || strcmp (argv[2], "-h") == 0);
}

int
main (int argc, char **argv)
{
  Options options;
  int status = STATUS_USAGE;

  setlocale (LC_ALL, "");
  setlocale (LC_NUMERIC, "C"); /* figures read the same everywhere */
  if (argc >= 2 && strcmp (argv[1], "inspect") == 0 && !asks_for_help (argc, argv)) {
    if (argc == 3 && strcmp (argv[2], "--verify") != 0)
      return inspect_file (argv[2]);
    if (argc == 4 && strcmp (argv[2], "--verify") == 0)
      return inspect_verify (argv[3]);
    complain ("inspect wants one file, after --verify to check it against what was published");
    return STATUS_USAGE;
  }
  if (argc >= 2 && strcmp (argv[1], "style") == 0)
    return make_style (argc, argv);
  if (argc >= 2 && strcmp (argv[1], "avatars") == 0 && !asks_for_help (argc, argv)) {
    if (argc == 3 || argc == 4)
      return avatars_list (argv[2], argc == 4 ? argv[3] : NULL);
    complain ("avatars wants one file or folder, and perhaps the name of a PNG file to write");
    return STATUS_USAGE;
  }
  if (argc == 2 && strcmp (argv[1], "styles") == 0)
    return inspect_styles ();
  if (argc == 2 && strcmp (argv[1], "heads") == 0)
    return inspect_heads ();
  if (options_parse (&options, argc, argv, &status))
    status = render (&options);
  options_clear (&options);
  return status;
}
