/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "clip.h"

#include <gst/app/app.h>
#include <gst/gst.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/motion.h"
#include "models/safetensors.h"
#include "options.h"

#define RATE 25
#define MAX_FRAMES (1u << 24)

/* Motion as it was recorded. */
typedef struct
{
  GArray *values; /* float, [frames][channels] */
  size_t channels;
  char *basis; /* NULL where the file does not say */
} Motion;

/* `artalk --motion`'s files, and any other with a tensor [frames,channels] called motion. */
static gboolean
read_tensor (const AmWeights *w, Motion *m, GError **error)
{
  const AmTensor *t;

  if (!am_weights_check (w, "motion", &t, error, 2, 0, 0))
    return FALSE;
  if (t->n > MAX_FRAMES) {
    g_set_error (error, AM_ERROR, AM_ERROR_LIMIT, "%s: more motion than fits", am_weights_path (w));
    return FALSE;
  }
  m->channels = t->shape[1];
  m->basis = g_strdup (am_weights_metadata (w, "basis"));
  g_array_set_size (m->values, (guint) t->n);
  am_tensor_read_f32 (t, 0, t->n, (float *) (void *) m->values->data);
  return TRUE;
}

static gboolean
take_sample (GstSample *sample, Motion *m)
{
  const GstStructure *s = gst_caps_get_structure (gst_sample_get_caps (sample), 0);
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  int expression, pose;
  GstMapInfo map;
  gboolean ok;

  if (!gst_structure_get_int (s, "expression", &expression) ||
      !gst_structure_get_int (s, "pose", &pose) || expression < 0 || pose < 0)
    return FALSE;
  if (m->channels == 0) {
    m->channels = (size_t) expression + (size_t) pose;
    m->basis = g_strdup (gst_structure_get_string (s, "basis"));
  }
  if (m->channels != (size_t) expression + (size_t) pose ||
      !gst_buffer_map (buffer, &map, GST_MAP_READ))
    return FALSE;
  ok = map.size == m->channels * sizeof (float) && m->values->len < MAX_FRAMES;
  if (ok)
    g_array_append_vals (m->values, map.data, (guint) m->channels);
  gst_buffer_unmap (buffer, &map);
  return ok;
}

/* A recording of motion/x-flame by gdppay. */
static gboolean
read_recording (const char *path, Motion *m, GError **error)
{
  g_autoptr (GstElement) pipeline = gst_parse_launch_full (
      "filesrc name=file ! gdpdepay ! motion/x-flame,format=F32LE ! appsink name=sink sync=false",
      NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  g_autoptr (GstElement) file = NULL, sink = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) cause = NULL;
  GstSample *sample;
  gboolean ok = TRUE;

  if (pipeline == NULL)
    return FALSE;
  file = gst_bin_get_by_name (GST_BIN (pipeline), "file");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  bus = gst_pipeline_get_bus (GST_PIPELINE (pipeline));
  g_object_set (file, "location", path, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (ok && (sample = gst_app_sink_pull_sample (GST_APP_SINK (sink)))) {
    ok = take_sample (sample, m);
    gst_sample_unref (sample);
  }
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (message != NULL)
    gst_message_parse_error (message, &cause, NULL);
  if (ok && message == NULL)
    return TRUE;
  g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: not a recording of motion/x-flame%s%s", path,
      cause ? ": " : "", cause ? cause->message : "");
  return FALSE;
}

static gboolean
read_motion (const char *path, Motion *m, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autoptr (AmWeights) w = am_weights_open (path, &cause);
  guint8 start[2] = { 0 };
  FILE *file;

  if (w != NULL)
    return read_tensor (w, m, error);
  file = fopen (path, "rbe");
  if (file != NULL) {
    if (fread (start, 1, sizeof start, file) != sizeof start)
      start[0] = 0;
    fclose (file);
  }
  if (start[0] == 1 && start[1] == 0) /* version 1.0 of the data protocol */
    return read_recording (path, m, error);
  g_propagate_error (error, g_steal_pointer (&cause));
  return FALSE;
}

/* Checks and writes AM_STYLE_FRAMES frames from `start` on. */
static gboolean
write_clip (const char *in, const Motion *m, size_t start, const char *out, GError **error)
{
  size_t frames = m->channels ? m->values->len / m->channels : 0;
  const char *metadata[] = { "basis", m->basis, NULL };
  AmTensor clip = { .name = "motion", .n_dims = 2, .shape = { AM_STYLE_FRAMES, m->channels } };

  if (frames < AM_STYLE_FRAMES || start > frames - AM_STYLE_FRAMES) {
    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
        "%s: too short: it has %zu frames (%.2f s), a style needs %d (%.2f s) from frame %zu on",
        in, frames, (double) frames / RATE, AM_STYLE_FRAMES, (double) AM_STYLE_FRAMES / RATE,
        start);
    return FALSE;
  }
  clip.data = &g_array_index (m->values, float, start * m->channels);
  for (size_t i = 0; i < AM_STYLE_FRAMES * m->channels; i++)
    if (!isfinite (((const float *) clip.data)[i])) {
      g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "%s: frame %zu is not finite", in,
          start + i / m->channels);
      return FALSE;
    }
  return am_safetensors_write (out, &clip, 1, m->basis && *m->basis ? metadata : NULL, error);
}

static const char summary[] =
    "Makes a style clip, two seconds of motion that --style takes, out of motion that was "
    "recorded:\n"
    "a safetensors file as artalk --motion writes, or a recording by gdppay.";

int
make_style (int argc, char **argv)
{
  g_autofree char *out = NULL;
  g_auto (GStrv) rest = NULL;
  int frame = -1, status = STATUS_USAGE;
  double time = -1;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &out, "Style clip to write", "OUT.safetensors" },
    { "start-frame", 0, 0, G_OPTION_ARG_INT, &frame, "First frame to take (0)", "FRAME" },
    { "start", 0, 0, G_OPTION_ARG_DOUBLE, &time, "The same as a time (25 frames a second)",
        "SECONDS" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("style MOTION - make a style clip");
  g_autoptr (GError) error = NULL;
  Motion m = { .values = g_array_new (FALSE, FALSE, sizeof (float)) };
  size_t start;

  argv[1] = argv[0]; /* the command's own name is no argument */
  argv++;
  argc--;
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  g_option_context_set_summary (context, summary);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    complain ("%s (see artalk style --help)", error->message);
  else if (rest == NULL || rest[0] == NULL || rest[1] != NULL)
    complain ("style wants one file of motion (see artalk style --help)");
  else if (out == NULL)
    complain ("nothing to write: name the style clip with -o (see artalk style --help)");
  else if ((frame >= 0 && time >= 0) || frame < -1 || (time != -1 && !(time >= 0 && time < 1e6)))
    complain ("the start is one frame or one time, 0 or later (see artalk style --help)");
  else
    status = STATUS_OK;
  if (status == STATUS_OK) {
    start = time >= 0 ? (size_t) lround (time * RATE) : (size_t) MAX (frame, 0);
    if (!read_motion (rest[0], &m, &error) || !write_clip (rest[0], &m, start, out, &error)) {
      complain ("%s", error->message);
      status = STATUS_FAILURE;
    }
  }
  g_array_unref (m.values);
  g_free (m.basis);
  return status;
}
