/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "render.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <gst/audio/audio.h>
#include <gst/gst.h>
#include <gst/pbutils/missing-plugins.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "container.h"
#include "plugin.h"
#include "progress.h"
#include "record.h"

#define FRAME_TIME (40 * GST_MSECOND)
#define NO_SOUND "%s: there is no sound in it that can be decoded"
#define SHOW_EVERY 100 /* milliseconds */
#define MANY_EMPTY 1000

/* The sound waits in the last queue until the picture of the same time is there: a window of speech and
 * what the video encoder holds back. It is compressed, a minute of it is small. */
#define SOUND_QUEUE "queue max-size-time=60000000000 max-size-bytes=0 max-size-buffers=0"

typedef struct
{
  const Options *options;
  GstElement *pipeline, *source, *sound; /* sound: the tee that the decoder feeds */
  Progress *progress;
  GMainLoop *loop;
  char *part; /* the video while it is not complete, NULL if there is none */
  Record *motion, *mesh;
  char *wrong;    /* first error, NULL if there is none */
  int signal;     /* that ended the work, 0 if none did */
  gint frames;    /* finished, atomic */
  unsigned empty; /* buffers without sound, one after the other; streaming thread of the decoder */
  gboolean clipped;      /* the clip length was reached; streaming thread of the decoder */
  GstSegment clip;       /* of the sound, in the format of its buffers; likewise */
  gboolean clip_started; /* likewise */
} Render;

static void G_GNUC_PRINTF (2, 3) fail (Render *r, const char *format, ...)
{
  va_list args;

  if (r->wrong != NULL)
    return;
  va_start (args, format);
  r->wrong = g_strdup_vprintf (format, args);
  va_end (args);
}

/* Sets `property` of the pipeline's element `name`, where it is there; `value` NULL leaves the default. */
static gboolean
set (Render *r, const char *name, const char *property, const char *value)
{
  g_autoptr (GstElement) element = gst_bin_get_by_name (GST_BIN (r->pipeline), name);
  GParamSpec *spec;

  if (value == NULL || element == NULL)
    return TRUE;
  spec = g_object_class_find_property (G_OBJECT_GET_CLASS (element), property);
  if (spec == NULL ||
      (G_IS_PARAM_SPEC_ENUM (spec) &&
          g_enum_get_value_by_nick (G_PARAM_SPEC_ENUM (spec)->enum_class, value) == NULL)) {
    fail (r, "--%s: there is no \"%s\"", property, value);
    return FALSE;
  }
  gst_util_set_object_arg (G_OBJECT (element), property, value);
  return TRUE;
}

/* The launch line of everything behind the decoder. NULL with `error` if an encoder is missing. */
static char *
describe (const Options *o, const Encoder **sound_encoder, GError **error)
{
  GString *text =
      g_string_new ("tee name=sound "
                    "sound. ! queue ! audioconvert ! audioresample ! artalkaudioenc name=encoder ! "
                    "artalkmotion name=motion ! artalksmooth name=smooth ! tee name=frames ");
  const gboolean splat = g_str_equal (o->renderer, "splat");
  const Container *container;
  const Encoder *video;

  if (o->output == NULL && o->mesh == NULL)
    g_string_append (text, "frames. ! fakesink sync=false ");
  if (o->mesh != NULL)
    g_string_append (text, "frames. ! queue ! flamemesh name=poser ! model/x-mesh ! "
                           "fakesink name=mesh_sink sync=false ");
  if (o->output != NULL) {
    container = container_for (o->output, error);
    video = container != NULL ? encoder_choose (container->video, error) : NULL;
    *sound_encoder = video != NULL ? encoder_choose (container->audio, error) : NULL;
    if (*sound_encoder == NULL) {
      g_string_free (text, TRUE);
      return NULL;
    }
    g_string_append_printf (text,
        "frames. ! queue ! %s name=picture ! video/x-raw,width=%u,height=%u ! "
        "queue max-size-buffers=4 max-size-bytes=0 max-size-time=0 ! videoconvert ! "
        "video/x-raw,format=I420 ! %s ! queue ! %s name=mux ! filesink name=file "
        "sound. ! queue ! audioconvert ! audioresample ! audiorate skip-to-first=true ! "
        "audio/x-raw,rate=48000,channels=[1,2] ! %s ! " SOUND_QUEUE " ! mux. ",
        splat ? "gagsplat" : "flamemesh", o->width, o->height, video->launch, container->mux,
        (*sound_encoder)->launch);
  }
  return g_string_free (text, FALSE);
}

/* Cuts the sound off after --clip-length frames, counted from its first sample. */
static GstPadProbeReturn
clip_probe (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Render *r = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (probe);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstAudioInfo info;

  if (caps == NULL || !gst_audio_info_from_caps (&info, caps) || !GST_BUFFER_PTS_IS_VALID (buffer))
    return GST_PAD_PROBE_OK;
  if (!r->clip_started) {
    gst_segment_init (&r->clip, GST_FORMAT_TIME);
    r->clip.start = GST_BUFFER_PTS (buffer);
    r->clip.stop = r->clip.start + r->options->clip_length * FRAME_TIME;
    r->clip_started = TRUE;
  }
  if (GST_BUFFER_PTS (buffer) < r->clip.stop)
    buffer = gst_audio_buffer_clip (
        buffer, &r->clip, GST_AUDIO_INFO_RATE (&info), GST_AUDIO_INFO_BPF (&info));
  else
    gst_clear_buffer (&buffer);
  GST_PAD_PROBE_INFO_DATA (probe) = buffer;
  if (buffer != NULL)
    return GST_PAD_PROBE_OK;
  GST_PAD_PROBE_INFO_FLOW_RETURN (probe) = GST_FLOW_EOS;
  if (!r->clipped) {
    r->clipped = TRUE;
    gst_pad_send_event (pad, gst_event_new_eos ());
  }
  return GST_PAD_PROBE_HANDLED;
}

/* Empty buffers are left out; of a wave file that ends with its header GStreamer 1.22 makes them for ever. */
static GstPadProbeReturn
empty_probe (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Render *r = data;

  if (gst_buffer_get_size (GST_PAD_PROBE_INFO_BUFFER (probe)) > 0) {
    r->empty = 0;
    return GST_PAD_PROBE_OK;
  }
  if (++r->empty == MANY_EMPTY)
    GST_ELEMENT_ERROR (
        r->pipeline, STREAM, WRONG_TYPE, ("There is no sound in it that can be decoded."), (NULL));
  return GST_PAD_PROBE_DROP;
}

/* Resampling may round up to one frame more than was asked for. */
static GstPadProbeReturn
limit_probe (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Render *r = data;
  guint64 number = GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (probe));

  return number != GST_BUFFER_OFFSET_NONE && number >= r->options->clip_length ? GST_PAD_PROBE_DROP
                                                                               : GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
count_probe (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Render *r = data;

  g_atomic_int_inc (&r->frames);
  return GST_PAD_PROBE_OK;
}

static GstPad *
pad_of (Render *r, const char *name, const char *pad)
{
  g_autoptr (GstElement) element = gst_bin_get_by_name (GST_BIN (r->pipeline), name);

  return element != NULL ? gst_element_get_static_pad (element, pad) : NULL;
}

/* A pad without a peer may keep the decoder from ending. */
static void
ignore_pad (Render *r, GstPad *pad)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  g_autoptr (GstPad) end = gst_element_get_static_pad (sink, "sink");

  g_object_set (sink, "sync", FALSE, "async", FALSE, NULL);
  gst_bin_add (GST_BIN (r->pipeline), sink);
  gst_pad_link (pad, end);
  gst_element_sync_state_with_parent (sink);
}

static void
on_pad_added (GstElement *source, GstPad *pad, gpointer data)
{
  Render *r = data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (r->sound, "sink");
  g_autoptr (GstCaps) caps = gst_pad_query_caps (pad, NULL);

  if (gst_pad_is_linked (sink) || gst_caps_is_empty (caps) || gst_caps_is_any (caps) ||
      !g_str_equal (gst_structure_get_name (gst_caps_get_structure (caps, 0)), "audio/x-raw")) {
    ignore_pad (r, pad); /* the first sound track counts */
  } else if (GST_PAD_LINK_FAILED (gst_pad_link (pad, sink))) {
    GST_ELEMENT_ERROR (r->pipeline, STREAM, FORMAT, ("The sound cannot be used."), (NULL));
  }
}

static void
on_no_more_pads (GstElement *source, gpointer data)
{
  Render *r = data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (r->sound, "sink");

  if (!gst_pad_is_linked (sink))
    GST_ELEMENT_ERROR (
        r->pipeline, STREAM, WRONG_TYPE, ("There is no sound in it that can be decoded."), (NULL));
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Render *r = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  GstProgressType type;

  switch (GST_MESSAGE_TYPE (message)) {
    case GST_MESSAGE_ERROR:
      gst_message_parse_error (message, &error, NULL);
      if (g_error_matches (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN))
        fail (r, NO_SOUND,
            r->options->input); /* which plugin is missing was said before, if one is */
      else
        fail (r, "%s: %s", r->options->input, error->message);
      g_main_loop_quit (r->loop);
      break;
    case GST_MESSAGE_EOS:
      g_main_loop_quit (r->loop);
      break;
    case GST_MESSAGE_ELEMENT:
      if (gst_is_missing_plugin_message (message)) {
        text = gst_missing_plugin_message_get_description (message);
        fail (r, "%s: a GStreamer plugin is missing: %s", r->options->input, text);
      }
      break;
    case GST_MESSAGE_PROGRESS:
      gst_message_parse_progress (message, &type, NULL, &text);
      if (type == GST_PROGRESS_TYPE_START || type == GST_PROGRESS_TYPE_CONTINUE)
        progress_say (r->progress, text);
      break;
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency (GST_BIN (r->pipeline));
      break;
    default:
      break;
  }
  return G_SOURCE_CONTINUE;
}

/* Frames that there will be, 0 if nobody knows yet. */
static guint64
total_frames (Render *r)
{
  gint64 duration = 0;
  guint64 total = 0;

  if (gst_element_query_duration (r->source, GST_FORMAT_TIME, &duration) && duration > 0)
    total = ((guint64) duration + FRAME_TIME - 1) / FRAME_TIME;
  if (r->options->clip_length > 0)
    total = total > 0 ? MIN (total, r->options->clip_length) : r->options->clip_length;
  return total;
}

static gboolean
on_tick (gpointer data)
{
  Render *r = data;

  progress_show (r->progress, (guint64) g_atomic_int_get (&r->frames), total_frames (r));
  return G_SOURCE_CONTINUE;
}

static gboolean
on_signal (Render *r, int number)
{
  if (r->signal != 0) { /* again: do not wait for the end of the file */
    fail (r, "stopped before the file was complete");
    g_main_loop_quit (r->loop);
  } else {
    r->signal = number;
    gst_element_send_event (r->pipeline, gst_event_new_eos ());
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt (gpointer data)
{
  return on_signal (data, SIGINT);
}

static gboolean
on_terminate (gpointer data)
{
  return on_signal (data, SIGTERM);
}

/* The input as a URI, or NULL after fail(). */
static char *
input_uri (Render *r)
{
  const char *input = r->options->input;
  g_autoptr (GError) error = NULL;
  char *uri;

  if (gst_uri_is_valid (input) && !g_file_test (input, G_FILE_TEST_EXISTS))
    return g_strdup (input);
  if (g_file_test (input, G_FILE_TEST_IS_DIR)) {
    fail (r, "%s: this is a folder", input);
    return NULL;
  }
  if (g_access (input, R_OK) != 0) {
    fail (r, "%s: %s", input, g_strerror (errno));
    return NULL;
  }
  uri = gst_filename_to_uri (input, &error);
  if (uri == NULL)
    fail (r, "%s: %s", input, error->message);
  return uri;
}

/* Whether nothing is going to be written over the recording. */
static gboolean
spares_input (Render *r)
{
  const char *paths[] = { r->options->output, r->options->motion, r->options->mesh };
  GStatBuf in, out;

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++) {
    if (paths[i] != NULL && g_stat (r->options->input, &in) == 0 && g_stat (paths[i], &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
      fail (r, "%s: input and output are the same file", paths[i]);
      return FALSE;
    }
  }
  return TRUE;
}

/* Makes sure that the video can be written, as PATH.part for now. */
static gboolean
open_part (Render *r)
{
  const char *path = r->options->output;
  g_autofree char *part = g_strconcat (path, ".part", NULL);
  int fd;

  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    fail (r, "%s: this is a folder", path);
    return FALSE;
  }
  fd = g_open (part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    fail (r, "%s: cannot be written: %s", path, g_strerror (errno));
    return FALSE;
  }
  close (fd);
  r->part = g_steal_pointer (&part);
  return TRUE;
}

static gboolean
apply_options (Render *r)
{
  const Options *o = r->options;
  g_autofree char *threads = o->threads > 0 ? g_strdup_printf ("%u", o->threads) : NULL;
  g_autofree char *background = o->has_background ? g_strdup_printf ("%u", o->background) : NULL;
  static const char *const networks[] = { "encoder", "motion" };
  static const char *const renderers[] = { "picture", "poser" };

  for (gsize i = 0; i < G_N_ELEMENTS (networks); i++) {
    if (!set (r, networks[i], "model", o->model) || !set (r, networks[i], "device", o->device) ||
        !set (r, networks[i], "precision", o->precision) ||
        !set (r, networks[i], "threads", threads))
      return FALSE;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (renderers); i++) {
    if (!set (r, renderers[i], "head", o->head) || !set (r, renderers[i], "shape-file", o->shape) ||
        !set (r, renderers[i], "device", o->device))
      return FALSE;
  }
  if (g_str_equal (o->renderer, "splat") &&
      (!set (r, "picture", "model", o->avatar_model) ||
          !set (r, "picture", "avatars", o->avatars) || !set (r, "picture", "avatar", o->avatar)))
    return FALSE;
  return set (r, "picture", "background", background) && set (r, "motion", "style", o->style) &&
         set (r, "smooth", "fix-pose", o->fix_pose ? "true" : NULL) &&
         set (r, "file", "location", r->part);
}

/* Probes on the pads of the finished pipeline. */
static void
watch_pads (Render *r, const Encoder *sound_encoder)
{
  const Options *o = r->options;
  g_autoptr (GstPad) sound = gst_element_get_static_pad (r->sound, "sink");
  g_autoptr (GstPad) smooth = pad_of (r, "smooth", "src");
  g_autoptr (GstPad) coded = pad_of (r, "sound_encoder", "sink");
  g_autoptr (GstPad) mesh = pad_of (r, "mesh_sink", "sink");
  g_autoptr (GstPad) last = o->output != NULL ? pad_of (r, "picture", "src")
                            : o->mesh != NULL ? pad_of (r, "poser", "src")
                                              : g_object_ref (smooth);

  gst_pad_add_probe (sound, GST_PAD_PROBE_TYPE_BUFFER, empty_probe, r, NULL);
  if (o->clip_length > 0) {
    gst_pad_add_probe (sound, GST_PAD_PROBE_TYPE_BUFFER, clip_probe, r, NULL);
    gst_pad_add_probe (smooth, GST_PAD_PROBE_TYPE_BUFFER, limit_probe, r, NULL);
  }
  gst_pad_add_probe (last, GST_PAD_PROBE_TYPE_BUFFER, count_probe, r, NULL);
  if (coded != NULL)
    encoder_compensate (coded, sound_encoder->priming);
  if (o->motion != NULL)
    r->motion = record_motion (smooth, r->pipeline, o->motion, o->head);
  if (o->mesh != NULL)
    r->mesh = record_mesh (mesh, r->pipeline, o->mesh);
}

static gboolean
build (Render *r)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *uri = NULL, *text = NULL;
  g_autoptr (GstCaps) raw = gst_caps_from_string ("audio/x-raw(ANY)");
  const Encoder *sound_encoder = NULL;

  uri = input_uri (r);
  text = uri != NULL && plugin_find (&error) ? describe (r->options, &sound_encoder, &error) : NULL;
  if (text != NULL)
    r->pipeline = gst_parse_launch_full (text, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (r->pipeline == NULL) {
    if (error != NULL)
      fail (r, "%s", error->message);
    return FALSE;
  }
  r->source = gst_element_factory_make ("uridecodebin", "source");
  if (r->source == NULL) {
    fail (r, "the GStreamer element uridecodebin is needed and not installed");
    return FALSE;
  }
  gst_bin_add (GST_BIN (r->pipeline), r->source);
  g_object_set (r->source, "uri", uri, "caps", raw, "expose-all-streams", FALSE, NULL);
  r->sound = gst_bin_get_by_name (GST_BIN (r->pipeline), "sound");
  g_signal_connect (r->source, "pad-added", G_CALLBACK (on_pad_added), r);
  g_signal_connect (r->source, "no-more-pads", G_CALLBACK (on_no_more_pads), r);
  if (!spares_input (r) || (r->options->output != NULL && !open_part (r)))
    return FALSE;
  if (!apply_options (r))
    return FALSE;
  watch_pads (r, sound_encoder);
  return TRUE;
}

static void
run (Render *r)
{
  g_autoptr (GstBus) bus = gst_pipeline_get_bus (GST_PIPELINE (r->pipeline));
  guint sources[] = {
    gst_bus_add_watch (bus, on_message, r),
    g_timeout_add (SHOW_EVERY, on_tick, r),
    g_unix_signal_add (SIGINT, on_interrupt, r),
    g_unix_signal_add (SIGTERM, on_terminate, r),
  };

  r->loop = g_main_loop_new (NULL, FALSE);
  gst_element_set_state (r->pipeline, GST_STATE_PLAYING); /* a failure posts an error message */
  g_main_loop_run (r->loop);
  gst_element_set_state (r->pipeline, GST_STATE_NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  g_main_loop_unref (r->loop);
  if (r->wrong == NULL && r->frames == 0)
    fail (r, r->signal != 0 ? "%s: stopped before the first frame" : NO_SOUND, r->options->input);
}

/* Puts the files where they were asked for, or takes away what there is of them. */
static void
finish (Render *r)
{
  g_autoptr (GError) error = NULL;

  if (!record_close (r->motion, r->wrong == NULL, &error) ||
      !record_close (r->mesh, r->wrong == NULL, &error))
    fail (r, "%s", error->message);
  if (r->part != NULL && r->wrong == NULL && g_rename (r->part, r->options->output) != 0)
    fail (r, "%s: %s", r->options->output, g_strerror (errno));
  if (r->part != NULL && r->wrong != NULL)
    g_unlink (r->part);
}

static void
say_result (Render *r)
{
  double elapsed = progress_elapsed (r->progress), seconds = r->frames / 25.0;
  const char *files[] = { r->options->output, r->options->motion, r->options->mesh };

  progress_clear (r->progress);
  if (r->options->quiet)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    if (files[i] != NULL)
      g_print ("%s: ", files[i]);
  }
  g_print ("%d frames, %.2f s of speech in %.2f s: %.1f times %s\n", r->frames, seconds, elapsed,
      seconds / elapsed, seconds < elapsed ? "real time" : "faster than real time");
}

int
render (const Options *options)
{
  Render r = { .options = options, .progress = progress_new (options->quiet) };

  if (build (&r))
    run (&r);
  finish (&r);
  progress_clear (r.progress);
  if (r.wrong != NULL)
    complain ("%s", r.wrong);
  else
    say_result (&r);
  gst_clear_object (&r.sound);
  gst_clear_object (&r.pipeline);
  progress_free (r.progress);
  g_free (r.part);
  if (r.wrong != NULL) {
    g_free (r.wrong);
    return r.signal != 0 ? 128 + r.signal : STATUS_FAILURE;
  }
  return r.signal != 0 ? 128 + r.signal : STATUS_OK;
}
