/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container.h"

#include <gst/audio/audio.h>

/* No B frames: their reordering would delay the picture in players that ignore edit lists. */
static const Encoder h264[] = {
  { "x264enc",
      "x264enc speed-preset=veryfast pass=quant quantizer=21 bframes=0 key-int-max=125 ! "
      "video/x-h264,profile=high ! h264parse",
      0 },
  { "openh264enc",
      "openh264enc rate-control=quality bitrate=2000000 gop-size=125 complexity=low ! h264parse",
      0 },
  { NULL },
};
/* With frames in its hands (lag-in-frames) vp9enc loses some at the end of quiet, small videos. */
static const Encoder vpx[] = {
  { "vp9enc",
      "vp9enc deadline=1 cpu-used=8 lag-in-frames=0 end-usage=cq cq-level=32 "
      "target-bitrate=2000000 threads=4 row-mt=true keyframe-max-dist=125",
      0 },
  { "vp8enc", "vp8enc deadline=1 cpu-used=8 target-bitrate=1500000 threads=4 keyframe-max-dist=125",
      0 },
  { NULL },
};
static const Encoder aac[] = {
  { "avenc_aac", "avenc_aac name=sound_encoder bitrate=128000 ! aacparse", 1024 },
  { "voaacenc", "voaacenc name=sound_encoder bitrate=128000 ! aacparse", 1600 },
  { NULL },
};
static const Encoder opus[] = {
  { "opusenc", "opusenc name=sound_encoder bitrate=96000", 0 }, /* the muxer tells the decoder */
  { "vorbisenc", "vorbisenc name=sound_encoder", 0 },
  { NULL },
};

static const Container containers[] = {
  { ".mp4", "mp4mux", h264, aac },
  { ".m4v", "mp4mux", h264, aac },
  { ".mov", "qtmux", h264, aac },
  { ".mkv", "matroskamux", h264, aac },
  { ".webm", "webmmux", vpx, opus },
};

const Container *
container_for (const char *path, GError **error)
{
  g_autofree char *lower = g_ascii_strdown (path, -1);

  for (gsize i = 0; i < G_N_ELEMENTS (containers); i++) {
    if (g_str_has_suffix (lower, containers[i].suffix))
      return &containers[i];
  }
  g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_NOT_IMPLEMENTED,
      "%s: the name must end with .mp4, .m4v, .mov, .mkv or .webm", path);
  return NULL;
}

const Encoder *
encoder_choose (const Encoder *encoders, GError **error)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (const Encoder *e = encoders; e->element != NULL; e++) {
    g_autoptr (GstElementFactory) factory = gst_element_factory_find (e->element);
    if (factory != NULL)
      return e;
    g_string_append_printf (names, "%s%s", e == encoders ? "" : " or ", e->element);
  }
  g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
      "the GStreamer element %s is needed and not installed", names->str);
  return NULL;
}

typedef struct
{
  unsigned priming;   /* samples to be earlier */
  unsigned to_drop;   /* samples still to be dropped */
  gboolean pushed;    /* something was let through */
  GstClockTime first; /* of the first buffer */
} Shift;

/* Sends `samples` of silence into `pad`, for a sound that is shorter than what is dropped. */
static void
push_silence (GstPad *pad, const GstAudioInfo *info, guint samples, GstClockTime time)
{
  GstBuffer *buffer =
      gst_buffer_new_allocate (NULL, (gsize) samples * GST_AUDIO_INFO_BPF (info), NULL);

  gst_buffer_memset (buffer, 0, 0, gst_buffer_get_size (buffer));
  GST_BUFFER_PTS (buffer) = time;
  gst_pad_chain (pad, buffer);
}

static GstPadProbeReturn
shift_probe (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Shift *shift = data;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstAudioInfo info;
  GstClockTime time;
  GstBuffer *buffer;
  guint64 samples;
  gsize skip = 0;

  if (caps == NULL || !gst_audio_info_from_caps (&info, caps))
    return GST_PAD_PROBE_OK;
  if (probe->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
    if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (probe)) == GST_EVENT_EOS && !shift->pushed) {
      shift->pushed = TRUE;
      shift->to_drop = shift->priming = 0;
      push_silence (pad, &info, 1024, shift->first);
    }
    return GST_PAD_PROBE_OK;
  }
  buffer = GST_PAD_PROBE_INFO_BUFFER (probe);
  samples = gst_buffer_get_size (buffer) / GST_AUDIO_INFO_BPF (&info);
  if (shift->to_drop == shift->priming)
    shift->first = GST_BUFFER_PTS (buffer);
  if (samples <= shift->to_drop && shift->to_drop > 0) {
    shift->to_drop -= (unsigned) samples;
    return GST_PAD_PROBE_DROP;
  }
  time = GST_BUFFER_PTS (buffer);
  if (shift->to_drop > 0) {
    skip = (gsize) shift->to_drop * GST_AUDIO_INFO_BPF (&info);
    time +=
        gst_util_uint64_scale (shift->to_drop, GST_SECOND, (guint64) GST_AUDIO_INFO_RATE (&info));
    GST_PAD_PROBE_INFO_DATA (probe) = gst_buffer_copy_region (
        buffer, GST_BUFFER_COPY_ALL, skip, gst_buffer_get_size (buffer) - skip);
    gst_buffer_unref (buffer);
    buffer = GST_PAD_PROBE_INFO_BUFFER (probe);
    GST_BUFFER_DURATION (buffer) = gst_util_uint64_scale (
        samples - shift->to_drop, GST_SECOND, (guint64) GST_AUDIO_INFO_RATE (&info));
    shift->to_drop = 0;
  } else {
    buffer = gst_buffer_make_writable (buffer);
    GST_PAD_PROBE_INFO_DATA (probe) = buffer;
  }
  GST_BUFFER_PTS (buffer) = time - gst_util_uint64_scale (shift->priming, GST_SECOND,
                                       (guint64) GST_AUDIO_INFO_RATE (&info));
  GST_BUFFER_OFFSET (buffer) = GST_BUFFER_OFFSET_END (buffer) = GST_BUFFER_OFFSET_NONE;
  shift->pushed = TRUE;
  return GST_PAD_PROBE_OK;
}

void
encoder_compensate (GstPad *pad, unsigned priming)
{
  Shift *shift;

  if (priming == 0)
    return;
  shift = g_new0 (Shift, 1);
  shift->priming = shift->to_drop = priming;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      shift_probe, shift, g_free);
}
