/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make-published OUT.pt: a checkpoint of the published size with pseudo-random weights. */
#include <stdio.h>

#include "published.h"

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  guint64 bytes;

  if (argc != 2) {
    fprintf (stderr, "usage: make-published OUT.pt\n");
    return 2;
  }
  if (!published_write (argv[1], "{}", &bytes, &error)) {
    fprintf (stderr, "make-published: %s\n", error->message);
    return 1;
  }
  printf ("%" G_GUINT64_FORMAT " bytes of tensors\n", bytes);
  return 0;
}
