/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lower precision changes:
 *   bench-precision SPEECH [MODEL]
 * runs the model (the built-in one) over the speech in float32 and in bfloat16, and prints how many of its bits
 * are equal and how far motion and lips are apart. Each run follows its own past, as a stream does; "from the
 * same past" is the first window alone. */
#include <gst/app/app.h>
#include <gst/gst.h>
#include <stdio.h>

#include "tests/models/spoken.h"

static GArray *
decode (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (
      "filesrc name=speech ! decodebin ! audioconvert ! audioresample ! "
      "audio/x-raw,format=F32LE,rate=16000,channels=1 ! appsink name=sink sync=false",
      &error);
  g_autoptr (GstElement) source = NULL, sink = NULL;
  GArray *samples = g_array_new (FALSE, FALSE, sizeof (float));
  GstSample *sample;

  if (error)
    g_error ("%s", error->message);
  source = gst_bin_get_by_name (GST_BIN (pipeline), "speech");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (source, "location", path, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_pull_sample (GST_APP_SINK (sink)))) {
    GstMapInfo map;

    gst_buffer_map (gst_sample_get_buffer (sample), &map, GST_MAP_READ);
    g_array_append_vals (samples, map.data, (guint) (map.size / sizeof (float)));
    gst_buffer_unmap (gst_sample_get_buffer (sample), &map);
    gst_sample_unref (sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return samples;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (AmModel) model = NULL, half = NULL;
  g_autoptr (GArray) samples = NULL;
  Spoken a = { 0 }, b = { 0 };
  double mean, worst;

  if (argc < 2 || argc > 3) {
    fprintf (stderr, "usage: bench-precision SPEECH [MODEL]\n");
    return 2;
  }
  gst_init (NULL, NULL);
  model = am_model_open (argv[2], "cpu", AK_F32, 0, &error);
  half = model ? am_model_open (argv[2], "cpu", AK_BF16, 0, &error) : NULL;
  if (!half) {
    printf ("SKIPPED: %s\n", error->message);
    return 77;
  }
  samples = decode (argv[1]);
  if (!spoken_run (&a, model, samples, &error) || !spoken_run (&b, half, samples, &error))
    g_error ("%s", error->message);
  printf ("bits equal, bf16, from the same past: %.2f %%\n", spoken_equal (&a, &b, a.each));
  printf ("bits equal, bf16, whole speech: %.2f %%\n", spoken_equal (&a, &b, a.bits->len));
  printf ("motion error, bf16: %.4f of its size\n", spoken_error (&a, &b));
  if (spoken_lips (am_model_info (model), &a, &b, &mean, &worst))
    printf ("lip error, bf16: %.3f mm mean (%.2f of the limit, %.1f), %.2f mm at most\n", mean,
        mean / SPOKEN_LIP_LIMIT, SPOKEN_LIP_LIMIT, worst);
  spoken_clear (&a);
  spoken_clear (&b);
  return 0;
}
