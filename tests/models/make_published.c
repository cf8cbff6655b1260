/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make-published OUT.pt [CONFIG.json]: a checkpoint of the published size, or the configured one, with
 * pseudo-random weights. */
#include <stdio.h>

#include "published.h"

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *config = NULL;
  guint64 bytes;

  if (argc < 2 || argc > 3) {
    fprintf (stderr, "usage: make-published OUT.pt [CONFIG.json]\n");
    return 2;
  }
  if ((argc == 3 && !g_file_get_contents (argv[2], &config, NULL, &error)) ||
      !published_write (argv[1], config ? config : "{}", &bytes, &error)) {
    fprintf (stderr, "make-published: %s\n", error->message);
    return 1;
  }
  printf ("%" G_GUINT64_FORMAT " bytes of tensors\n", bytes);
  return 0;
}
