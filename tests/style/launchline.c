/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds the pipeline of one gst-launch-1.0 command line and throws it away: are all its elements,
 * properties and links possible? */
#include <gst/gst.h>
#include <string.h>

/* GStreamer has this encoder only where there is a card; elsewhere another one of H.264 stands in. */
static void
stand_in (char **words)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find ("nvh264enc");

  for (; *words != NULL && factory == NULL; words++) {
    if (strcmp (*words, "nvh264enc") == 0) {
      g_free (*words);
      *words = g_strdup ("x264enc");
    }
  }
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) words = NULL;
  GstElement *pipeline;
  int first = 1;

  gst_init (NULL, NULL);
  if (argc != 2 || !g_shell_parse_argv (argv[1], NULL, &words, &error)) {
    g_printerr (
        "usage: launchline 'gst-launch-1.0 …' (%s)\n", error ? error->message : "one argument");
    return 2;
  }
  while (words[first] != NULL && words[first][0] == '-')
    first++;
  stand_in (words);
  pipeline = gst_parse_launchv_full (
      (const gchar **) words + first, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (pipeline == NULL) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  gst_object_unref (pipeline);
  return 0;
}
