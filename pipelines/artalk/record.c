/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record.h"

#include <string.h>

#include "models/head.h"
#include "models/safetensors.h"

#define MAX_WIDTH (1 << 24) /* numbers per frame */

struct _Record
{
  GstElement *pipeline; /* not owned */
  char *path, *head;
  gboolean mesh;
  AmWeights *topology; /* mesh: what the event held */
  gsize width;         /* numbers per frame, 0 before the caps */
  char *basis, *framerate;
  AmSafetensorsWriter *writer; /* opened with the first frame */
};

/* Names of all motion channels, separated by commas (g_free). */
static char *
channel_names (const char *head_path, gsize width)
{
  static const char *const pose[] = { "globalX", "globalY", "globalZ", "jawX", "jawY", "jawZ" };
  g_autoptr (AmHead) head = am_head_open (head_path, NULL);
  const char *const *names = head != NULL ? am_head_info (head)->channels : NULL;
  GString *text = g_string_new (NULL);
  gsize n_pose = MIN (width, G_N_ELEMENTS (pose)), n_names = 0;

  while (names != NULL && names[n_names] != NULL)
    n_names++;
  for (gsize i = 0; i < width - n_pose; i++) {
    if (i < n_names && names[i][0] != '\0')
      g_string_append_printf (text, "%s,", names[i]);
    else
      g_string_append_printf (text, "expression%" G_GSIZE_FORMAT ",", i);
  }
  for (gsize i = 0; i < n_pose; i++)
    g_string_append_printf (text, "%s%s", pose[i], i + 1 < n_pose ? "," : "");
  return g_string_free (text, FALSE);
}

static gboolean
open_writer (Record *r, GError **error)
{
  g_autoptr (GArray) fixed = g_array_new (FALSE, FALSE, sizeof (AmTensor));

  if (!r->mesh) {
    g_autofree char *channels = channel_names (r->head, r->width);
    const char *metadata[] = { "channels", channels, "basis", r->basis, "framerate", r->framerate,
      NULL };
    const size_t shape[] = { 0, r->width };
    r->writer =
        am_safetensors_writer_open (r->path, NULL, 0, "motion", AM_F32, 2, shape, metadata, error);
  } else {
    const char *metadata[] = { "framerate", r->framerate, "unit", "metre", NULL };
    const size_t shape[] = { 0, r->width / 3, 3 };
    if (r->topology == NULL) {
      g_set_error (
          error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "the mesh came without its topology");
      return FALSE;
    }
    for (size_t i = 0; i < am_weights_count (r->topology); i++)
      g_array_append_val (fixed, *am_weights_nth (r->topology, i));
    r->writer = am_safetensors_writer_open (r->path, (const AmTensor *) (gpointer) fixed->data,
        fixed->len, "vertices", AM_F32, 3, shape, metadata, error);
  }
  return r->writer != NULL;
}

static void
take_caps (Record *r, GstCaps *caps)
{
  const GstStructure *s = gst_caps_get_structure (caps, 0);
  int a = 0, b = 0, n = 25, d = 1;
  const char *basis = gst_structure_get_string (s, "basis");

  gst_structure_get_fraction (s, "framerate", &n, &d);
  if (r->mesh) {
    gst_structure_get_int (s, "vertices", &a);
    r->width = a > 0 && a < MAX_WIDTH / 3 ? (gsize) a * 3 : 0;
  } else {
    gst_structure_get_int (s, "expression", &a);
    gst_structure_get_int (s, "pose", &b);
    r->width =
        a >= 0 && b >= 0 && a < MAX_WIDTH / 2 && b < MAX_WIDTH / 2 ? (gsize) a + (gsize) b : 0;
  }
  g_free (r->basis);
  g_free (r->framerate);
  r->basis = g_strdup (basis != NULL ? basis : "");
  r->framerate = g_strdup_printf ("%d/%d", n, d);
}

static void
take_topology (Record *r, const GstStructure *s, GError **error)
{
  g_autoptr (GstBuffer) buffer = NULL;
  g_autoptr (GBytes) bytes = NULL;
  gpointer data = NULL;
  gsize size = 0;

  if (!gst_structure_get (s, "data", GST_TYPE_BUFFER, &buffer, NULL) || buffer == NULL)
    return;
  gst_buffer_extract_dup (buffer, 0, gst_buffer_get_size (buffer), &data, &size);
  bytes = g_bytes_new_take (data, size);
  g_clear_pointer (&r->topology, am_weights_unref);
  r->topology = am_weights_open_bytes ("topology", bytes, error);
}

static gboolean
take_frame (Record *r, GstBuffer *buffer, GError **error)
{
  GstMapInfo map;
  gboolean ok = FALSE;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ)) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED, "a frame cannot be read");
    return FALSE;
  }
  if (r->width == 0 || map.size != r->width * sizeof (float))
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "a frame has %" G_GSIZE_FORMAT " bytes, not %" G_GSIZE_FORMAT, map.size,
        r->width * sizeof (float));
  else if (r->writer != NULL || open_writer (r, error))
    ok = am_safetensors_writer_append (r->writer, map.data, 1, error);
  gst_buffer_unmap (buffer, &map);
  return ok;
}

static GstPadProbeReturn
record_probe (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Record *r = data;
  g_autoptr (GError) error = NULL;
  GstCaps *caps;
  GstEvent *event;

  if (probe->type & GST_PAD_PROBE_TYPE_BUFFER) {
    take_frame (r, GST_PAD_PROBE_INFO_BUFFER (probe), &error);
  } else {
    event = GST_PAD_PROBE_INFO_EVENT (probe);
    if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
      gst_event_parse_caps (event, &caps);
      take_caps (r, caps);
    } else if (r->mesh && gst_event_has_name (event, "artalk-topology")) {
      take_topology (r, gst_event_get_structure (event), &error);
    }
  }
  if (error == NULL)
    return GST_PAD_PROBE_OK;
  GST_ELEMENT_ERROR (
      r->pipeline, RESOURCE, WRITE, ("%s", error->message), ("recording to %s", r->path));
  return GST_PAD_PROBE_REMOVE;
}

static Record *
record_new (GstPad *pad, GstElement *pipeline, const char *path, const char *head, gboolean mesh)
{
  Record *r = g_new0 (Record, 1);

  r->pipeline = pipeline;
  r->path = g_strdup (path);
  r->head = g_strdup (head);
  r->mesh = mesh;
  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, record_probe, r, NULL);
  return r;
}

Record *
record_motion (GstPad *pad, GstElement *pipeline, const char *path, const char *head)
{
  return record_new (pad, pipeline, path, head, FALSE);
}

Record *
record_mesh (GstPad *pad, GstElement *pipeline, const char *path)
{
  return record_new (pad, pipeline, path, NULL, TRUE);
}

gboolean
record_close (Record *r, gboolean keep, GError **error)
{
  gboolean ok = TRUE;

  if (r == NULL)
    return TRUE;
  if (keep && r->writer == NULL) {
    g_set_error (
        error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED, "%s: there were no frames", r->path);
    ok = FALSE;
  } else if (keep) {
    ok = am_safetensors_writer_close (g_steal_pointer (&r->writer), error);
  }
  am_safetensors_writer_free (r->writer);
  g_clear_pointer (&r->topology, am_weights_unref);
  g_free (r->path);
  g_free (r->head);
  g_free (r->basis);
  g_free (r->framerate);
  g_free (r);
  return ok;
}
