/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in a media file, found by decoding all of it:
 *   probe FILE
 * prints one line per stream, "KIND key=value ...". Times are in milliseconds. For sound: `clicks` are the
 * times at which it rises above a fifth of full scale after a quarter of a second below that. For
 * pictures: `moving` is the mean absolute difference of brightness between neighbouring frames, `spread`
 * the mean standard deviation of brightness in a frame. */
#include <gst/audio/audio.h>
#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>
#include <math.h>
#include <stdlib.h>

#define LOUD 0.2f

typedef struct
{
  gboolean video;
  GstVideoInfo vinfo;
  GstAudioInfo ainfo;
  guint64 buffers;          /* decoded frames of video */
  guint64 samples;          /* of sound, per channel */
  GstClockTime first, last; /* running times: start of the first buffer, end of the last */
  GstClockTime quiet_since;
  GstSegment segment;
  GString *clicks;
  guint8 *previous; /* brightness of the last frame */
  double difference, spread;
} Stream;

static Stream streams[2]; /* sound, video */
static gint bad;

static void
look_at_sound (Stream *s, GstBuffer *buffer, GstClockTime start)
{
  GstMapInfo map;
  const float *x;
  gsize n;

  gst_buffer_map (buffer, &map, GST_MAP_READ);
  x = (const float *) (gconstpointer) map.data;
  n = map.size / sizeof (float);
  for (gsize i = 0; i < n; i++) {
    GstClockTime t = start + gst_util_uint64_scale (i, GST_SECOND, (guint64) s->ainfo.rate);
    if (fabsf (x[i]) <= LOUD)
      continue;
    if (t - s->quiet_since > GST_SECOND / 4)
      g_string_append_printf (s->clicks, "%s%.3f", s->clicks->len > 0 ? "," : "", (double) t / 1e6);
    s->quiet_since = t;
  }
  s->samples += n;
  gst_buffer_unmap (buffer, &map);
}

static void
look_at_frame (Stream *s, GstBuffer *buffer)
{
  gsize width = (gsize) s->vinfo.width, height = (gsize) s->vinfo.height, n = width * height;
  GstVideoFrame frame;
  double sum = 0, squares = 0, difference = 0;

  if (!gst_video_frame_map (&frame, &s->vinfo, buffer, GST_MAP_READ))
    return;
  if (s->previous == NULL)
    s->previous = g_malloc0 (n);
  for (gsize y = 0; y < height; y++) {
    const guint8 *row = (guint8 *) GST_VIDEO_FRAME_COMP_DATA (&frame, 0) +
                        (gssize) y * GST_VIDEO_FRAME_COMP_STRIDE (&frame, 0);
    for (gsize x = 0; x < width; x++) {
      difference += abs (row[x] - s->previous[y * width + x]);
      sum += row[x];
      squares += (double) row[x] * row[x];
      s->previous[y * width + x] = row[x];
    }
  }
  if (s->buffers > 0)
    s->difference += difference / (double) n;
  s->spread += sqrt (fmax (0, squares / (double) n - sum / (double) n * sum / (double) n));
  gst_video_frame_unmap (&frame);
}

static GstPadProbeReturn
on_data (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Stream *s = data;
  GstClockTime start, duration;
  GstBuffer *buffer;
  GstCaps *caps;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
    if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
      gst_event_parse_caps (event, &caps);
      if (s->video)
        gst_video_info_from_caps (&s->vinfo, caps);
      else
        gst_audio_info_from_caps (&s->ainfo, caps);
    } else if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
      gst_event_copy_segment (event, &s->segment);
    }
    return GST_PAD_PROBE_OK;
  }
  buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  start = gst_segment_to_running_time (&s->segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  duration = GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) : 0;
  if (s->buffers == 0)
    s->first = start;
  s->last = start + duration;
  if (s->video)
    look_at_frame (s, buffer);
  else
    look_at_sound (s, buffer, start);
  s->buffers++;
  return GST_PAD_PROBE_OK;
}

static void
on_pad_added (GstElement *decoder, GstPad *pad, gpointer data)
{
  GstElement *pipeline = data, *tail;
  g_autoptr (GstCaps) caps = gst_pad_query_caps (pad, NULL);
  gboolean video =
      g_str_has_prefix (gst_structure_get_name (gst_caps_get_structure (caps, 0)), "video/");
  g_autoptr (GstPad) head = NULL;
  g_autoptr (GstPad) end = NULL;
  g_autoptr (GstElement) sink = NULL;
  Stream *s = &streams[video ? 1 : 0];

  tail = gst_parse_bin_from_description (
      video ? "videoconvert ! video/x-raw,format=I420 ! fakesink name=sink sync=false"
            : "audioconvert ! audio/x-raw,format=F32LE,channels=1 ! fakesink name=sink sync=false",
      FALSE, NULL);
  sink = gst_bin_get_by_name (GST_BIN (tail), "sink");
  end = gst_element_get_static_pad (sink, "sink");
  s->video = video;
  gst_pad_add_probe (
      end, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_data, s, NULL);
  head = gst_bin_find_unlinked_pad (GST_BIN (tail), GST_PAD_SINK);
  gst_element_add_pad (tail, gst_ghost_pad_new ("sink", head));
  gst_bin_add (GST_BIN (pipeline), tail);
  gst_element_sync_state_with_parent (tail);
  if (!gst_element_link_pads (decoder, GST_PAD_NAME (pad), tail, "sink"))
    g_atomic_int_set (&bad, 1);
}

static gboolean
decode (const char *uri)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *decoder = gst_element_factory_make ("uridecodebin", NULL);
  g_autoptr (GstBus) bus = gst_pipeline_get_bus (GST_PIPELINE (pipeline));
  g_autoptr (GstMessage) message = NULL;
  gboolean ok;

  g_object_set (decoder, "uri", uri, NULL);
  gst_bin_add (GST_BIN (pipeline), decoder);
  g_signal_connect (decoder, "pad-added", G_CALLBACK (on_pad_added), pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 300 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  ok = message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS && !g_atomic_int_get (&bad);
  if (!ok)
    g_printerr ("probe: %s cannot be decoded to its end\n", uri);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return ok;
}

static const char *
field (GstDiscovererStreamInfo *info, const char *name, char **owned)
{
  g_autoptr (GstCaps) caps = gst_discoverer_stream_info_get_caps (info);
  const GValue *value = gst_structure_get_value (gst_caps_get_structure (caps, 0), name);

  g_free (*owned);
  *owned =
      value != NULL && G_VALUE_HOLDS_STRING (value) ? g_value_dup_string (value) : g_strdup ("-");
  return *owned;
}

static void
print_streams (GstDiscovererInfo *info)
{
  GList *list = gst_discoverer_info_get_stream_list (info);
  g_autofree char *a = NULL, *b = NULL;

  for (GList *l = list; l != NULL; l = l->next) {
    g_autoptr (GstCaps) caps = gst_discoverer_stream_info_get_caps (l->data);
    const char *codec = gst_structure_get_name (gst_caps_get_structure (caps, 0));
    Stream *s;
    if (GST_IS_DISCOVERER_VIDEO_INFO (l->data)) {
      s = &streams[1];
      g_print ("video codec=%s profile=%s chroma=%s width=%u height=%u fps=%u/%u "
               "frames=%" G_GUINT64_FORMAT " first=%.3f last=%.3f moving=%.3f spread=%.3f\n",
          codec, field (l->data, "profile", &a), field (l->data, "chroma-format", &b),
          gst_discoverer_video_info_get_width (l->data),
          gst_discoverer_video_info_get_height (l->data),
          gst_discoverer_video_info_get_framerate_num (l->data),
          gst_discoverer_video_info_get_framerate_denom (l->data), s->buffers,
          (double) s->first / 1e6, (double) s->last / 1e6,
          s->buffers > 1 ? s->difference / (double) (s->buffers - 1) : 0,
          s->buffers > 0 ? s->spread / (double) s->buffers : 0);
    } else if (GST_IS_DISCOVERER_AUDIO_INFO (l->data)) {
      s = &streams[0];
      g_print ("audio codec=%s rate=%u channels=%u samples=%" G_GUINT64_FORMAT
               " first=%.3f last=%.3f clicks=%s\n",
          codec, gst_discoverer_audio_info_get_sample_rate (l->data),
          gst_discoverer_audio_info_get_channels (l->data), s->samples, (double) s->first / 1e6,
          (double) s->last / 1e6, s->clicks->str);
    }
  }
  gst_discoverer_stream_info_list_free (list);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstDiscoverer) discoverer = NULL;
  g_autoptr (GstDiscovererInfo) info = NULL;
  g_autofree char *uri = NULL;

  gst_init (&argc, &argv);
  if (argc != 2) {
    g_printerr ("usage: probe FILE\n");
    return 2;
  }
  uri = gst_filename_to_uri (argv[1], NULL);
  discoverer = gst_discoverer_new (60 * GST_SECOND, &error);
  info = discoverer != NULL ? gst_discoverer_discover_uri (discoverer, uri, &error) : NULL;
  if (info == NULL || gst_discoverer_info_get_result (info) != GST_DISCOVERER_OK) {
    g_printerr ("probe: %s: %s\n", argv[1], error != NULL ? error->message : "not a media file");
    return 1;
  }
  streams[0].clicks = g_string_new (NULL);
  if (!decode (uri))
    return 1;
  g_print ("file duration=%.3f\n", (double) gst_discoverer_info_get_duration (info) / 1e6);
  print_streams (info);
  g_string_free (streams[0].clicks, TRUE);
  g_free (streams[1].previous);
  return 0;
}
