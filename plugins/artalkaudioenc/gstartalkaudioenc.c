/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-artalkaudioenc
 * @title: artalkaudioenc
 * @see_also: artalkmotion, artalkavatar
 *
 * Cuts speech into windows and computes what an audio encoder (wav2vec 2.0 or Mimi) hears in each: one
 * buffer of application/x-speech-features per window, for #element-artalkmotion.
 *
 * A window is sent as soon as its samples, and the few that the model wants to hear after it, are there; the
 * last one of a stream is filled up with silence. A buffer's PTS and duration are those of the new audio
 * in it; its offsets count the samples since the stream began or was last interrupted.
 *
 * For live use #GstArtalkAudioEnc:hop makes windows overlap: one is computed for each hop of new audio, at window / hop
 * times the cost, and artalkmotion gives out the frames of the new audio only.
 *
 * A hole in the audio that is shorter than a window becomes silence, audio that comes twice is dropped,
 * and a longer jump in time starts the stream anew, with a DISCONT buffer of offset 0.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! queue ! flamemesh ! videoconvert ! autovideosink
 * ]|
 */
#include "gstartalkaudioenc.h"

#include <gst/audio/audio.h>
#include <gst/base/gstadapter.h>
#include <math.h>
#include <string.h>

#include "gst/gstartalkcaps.h"
#include "gst/gstartalkpromise.h"
#include "gst/gstartalkstream.h"
#include "models/audioenc.h"

GST_DEBUG_CATEGORY_STATIC (artalkaudioenc_debug);
#define GST_CAT_DEFAULT artalkaudioenc_debug

#define ALIGNMENT_THRESHOLD (40 * GST_MSECOND)
#define WHOLE_WINDOW 0
#define SHORT G_MAXUINT64   /* of `hop`: one that suits live use */
#define SHORT_HOP 2         /* frames, for windows of up to … */
#define MAX_SHORT_WINDOW 25 /* … so many; a quarter of longer ones */
#define MODEL_S_OWN G_MAXUINT64

enum {
  PROP_0,
  PROP_HOP,
  PROP_LOOKAHEAD,
};

/* A serialised event that waits for the audio before it. */
typedef struct
{
  guint64 at; /* samples received before it */
  GstEvent *event;
} Waiting;

struct _GstArtalkAudioEnc
{
  GstArtalkBase parent;

  /* streaming thread */
  AmAudioEncoder *encoder;
  const AmModelInfo *info; /* of the loaded model */
  GstArtalkHop hop;        /* in use */
  float *samples;          /* [before + window + ahead], what the encoder is given */
  GstAdapter *adapter;     /* begins `before` samples ahead of the next window */
  GQueue waiting;          /* of Waiting, oldest first */
  GstAudioStreamAlign *align;
  GstSegment segment; /* of the input */
  gboolean have_caps;
  gboolean warned; /* of samples that are not numbers */

  /* since the last restart; `base` is NONE before its first sample */
  GstClockTime base; /* PTS of the first sample */
  guint64 received;  /* samples put into the adapter */
  guint64 sent;      /* samples whose windows were pushed: where the next one's new sound begins */
  guint64 expected;  /* position of the next sample on the input's time line */
  guint64 aligned;   /* and where `align` believes that it is */

  gboolean interrupted; /* no sample has come since */
  GstClockTime resume;  /* and the running time at which that was, or NONE */

  /* object lock */
  guint64 wanted_hop, wanted_lookahead;
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_AUDIO_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FEATURES_CAPS));

G_DEFINE_FINAL_TYPE (GstArtalkAudioEnc, gst_artalk_audio_enc, GST_TYPE_ARTALK_BASE)
GST_ELEMENT_REGISTER_DEFINE (
    artalkaudioenc, "artalkaudioenc", GST_RANK_NONE, GST_TYPE_ARTALK_AUDIO_ENC)

/* The stream */

static guint
span_samples (const AmModelInfo *info)
{
  return info->before_samples + info->window_samples + info->ahead_samples;
}

static void
push_silence (GstArtalkAudioEnc *self, guint n)
{
  if (n > 0)
    gst_adapter_push (
        self->adapter, gst_buffer_new_wrapped (g_malloc0 (n * sizeof (float)), n * sizeof (float)));
}

/* Pushes the events that belong before sample `end`. */
static void
push_events (GstArtalkAudioEnc *self, guint64 end)
{
  Waiting *first;

  while ((first = g_queue_peek_head (&self->waiting)) && first->at <= end) {
    g_queue_pop_head (&self->waiting);
    gst_pad_push_event (gst_artalk_base_src_pad (GST_ARTALK_BASE (self)), first->event);
    g_free (first);
  }
}

/* After a flush: sticky events stay on the pad, others are lost like the audio they came with. */
static void
drop_events (GstArtalkAudioEnc *self)
{
  Waiting *first;

  while ((first = g_queue_pop_head (&self->waiting))) {
    if (GST_EVENT_IS_STICKY (first->event))
      gst_pad_store_sticky_event (gst_artalk_base_src_pad (GST_ARTALK_BASE (self)), first->event);
    gst_event_unref (first->event);
    g_free (first);
  }
}

/* What came before is forgotten; the next sample is the first. */
static void
restart (GstArtalkAudioEnc *self)
{
  push_events (self, G_MAXUINT64);
  gst_adapter_clear (self->adapter);
  self->base = GST_CLOCK_TIME_NONE;
  self->received = self->sent = 0;
  if (self->encoder) {
    am_audio_encoder_reset (self->encoder);
    push_silence (self, self->info->before_samples);
  }
}

static void
reset (GstArtalkBase *base)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (base);

  drop_events (self);
  restart (self);
  gst_audio_stream_align_mark_discont (self->align);
  gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
  self->interrupted = FALSE;
}

static void
interrupt (GstArtalkBase *base, GstClockTime time)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (base);

  restart (self);
  gst_audio_stream_align_mark_discont (self->align);
  self->interrupted = TRUE;
  self->resume = time;
}

/* Sets samples that are not numbers to silence, as the encoder does, and says so once. */
static void
check_samples (GstArtalkAudioEnc *self, guint n)
{
  gboolean bad = FALSE;

  for (guint i = 0; i < n; i++) {
    if (!isfinite (self->samples[i])) {
      self->samples[i] = 0;
      bad = TRUE;
    }
  }
  if (!bad || self->warned)
    return;
  self->warned = TRUE;
  GST_ELEMENT_WARNING (self, STREAM, DECODE,
      ("The audio holds samples that are not numbers (NaN or infinite); they are taken as "
       "silence."),
      ("first seen in the window at %" GST_TIME_FORMAT,
          GST_TIME_ARGS (self->base + gst_artalk_samples_to_time (self->sent))));
}

/* The place of the next window, and how many samples at the head of the adapter it takes. */
static gsize
next_window (GstArtalkAudioEnc *self, guint64 *start, guint64 *end)
{
  const AmModelInfo *info = self->info;

  gst_artalk_place_window (info, &self->hop, self->sent, start, end);
  return info->before_samples +
         MIN (*end + self->hop.lookahead - *start, info->window_samples + info->ahead_samples);
}

/* Encodes and pushes the window at the head of the adapter, which holds it all. */
static GstFlowReturn
push_window (GstArtalkAudioEnc *self)
{
  GstArtalkBase *base = GST_ARTALK_BASE (self);
  const AmModelInfo *info = self->info;
  guint64 start, end, after;
  const gsize n = next_window (self, &start, &end);
  g_autoptr (GError) error = NULL;
  GstBuffer *out;
  GstMapInfo map;
  gint64 begun;
  GstFlowReturn flow;
  gboolean ok;

  gst_adapter_copy (self->adapter, self->samples, 0, n * sizeof (float));
  memset (self->samples + n, 0, (span_samples (info) - n) * sizeof (float));
  check_samples (self, n);
  out = gst_buffer_new_allocate (NULL, (gsize) info->steps * info->channels * sizeof (float), NULL);
  if (!gst_buffer_map (out, &map, GST_MAP_WRITE)) {
    gst_buffer_unref (out);
    GST_ELEMENT_ERROR (
        self, RESOURCE, FAILED, ("There is no memory for a window of features."), (NULL));
    return GST_FLOW_ERROR;
  }
  begun = gst_artalk_base_begin (base);
  ok = am_audio_encoder_run (
      self->encoder, self->samples, (float *) map.data, gst_artalk_base_cancel (base), &error);
  gst_artalk_base_end (base, begun, GST_CLOCK_TIME_NONE, 0);
  gst_buffer_unmap (out, &map);
  if (!ok) {
    gst_buffer_unref (out);
    return gst_artalk_base_failed (base, error, "Cannot encode the audio", NULL);
  }
  GST_BUFFER_OFFSET (out) = self->sent;
  GST_BUFFER_OFFSET_END (out) = MIN (end, self->received);
  GST_BUFFER_PTS (out) = self->base + gst_artalk_samples_to_time (self->sent);
  GST_BUFFER_DURATION (out) =
      self->base + gst_artalk_samples_to_time (GST_BUFFER_OFFSET_END (out)) - GST_BUFFER_PTS (out);
  if (self->sent == 0)
    GST_BUFFER_FLAG_SET (out, GST_BUFFER_FLAG_DISCONT);
  self->sent = end;
  next_window (self, &after, &end);
  gst_adapter_flush (self->adapter, (after - start) * sizeof (float));
  flow = gst_pad_push (gst_artalk_base_src_pad (base), out);
  push_events (self, self->sent);
  return flow;
}

/* Whether the adapter holds the next window; if not, *`missing` samples are. */
static gboolean
is_complete (GstArtalkAudioEnc *self, gsize *missing)
{
  const gsize have = gst_adapter_available (self->adapter) / sizeof (float);
  guint64 start, end;
  const gsize wants = next_window (self, &start, &end);

  *missing = wants > have ? wants - have : 0;
  return *missing == 0;
}

/* Pushes the windows that are complete. */
static GstFlowReturn
push_windows (GstArtalkAudioEnc *self)
{
  GstFlowReturn flow = GST_FLOW_OK;
  gsize missing;

  while (flow == GST_FLOW_OK && is_complete (self, &missing))
    flow = push_window (self);
  return flow;
}

/* Pushes what is left, filled up with silence, and begins anew with what comes next, wherever it is. */
static GstFlowReturn
drain (GstArtalkAudioEnc *self)
{
  GstFlowReturn flow = GST_FLOW_OK;

  while (flow == GST_FLOW_OK && self->encoder && self->sent < self->received) {
    gsize missing;

    if (!is_complete (self, &missing))
      push_silence (self, missing);
    flow = push_window (self);
  }
  restart (self);
  return flow;
}

/* Takes `n` samples of silence, a window at a time. */
static GstFlowReturn
take_silence (GstArtalkAudioEnc *self, guint64 n)
{
  GstFlowReturn flow = GST_FLOW_OK;

  while (n > 0 && flow == GST_FLOW_OK) {
    const guint piece = MIN (n, self->info->window_samples);

    push_silence (self, piece);
    self->received += piece;
    self->expected += piece;
    n -= piece;
    flow = push_windows (self);
  }
  return flow;
}

/* Finds the place of `n` samples that claim the time `pts` (NONE: right after the last ones): sends what
 * goes before and says how many of them are to be `*skip`ped because they were heard already. */
static GstFlowReturn
place (GstArtalkAudioEnc *self, GstClockTime pts, guint64 n, guint64 *skip)
{
  const guint64 window = self->info->window_samples;
  GstFlowReturn flow = GST_FLOW_OK;
  guint64 position;

  *skip = 0;
  if (pts == GST_CLOCK_TIME_NONE) {
    if (self->base != GST_CLOCK_TIME_NONE)
      pts = gst_artalk_samples_to_time (self->expected);
    else if (self->interrupted)
      pts = gst_artalk_interrupt_place (
          gst_artalk_base_sink_pad (GST_ARTALK_BASE (self)), &self->segment, self->resume);
    if (pts == GST_CLOCK_TIME_NONE)
      pts = self->segment.format == GST_FORMAT_TIME ? self->segment.start : 0;
  }
  self->interrupted = FALSE;
  if (gst_audio_stream_align_process (
          self->align, FALSE, pts, MIN (n, G_MAXUINT), NULL, NULL, NULL))
    position = gst_util_uint64_scale (pts, GST_ARTALK_RATE, GST_SECOND);
  else
    position = self->aligned;
  self->aligned = position + n;

  if (self->base != GST_CLOCK_TIME_NONE) {
    if (position >= self->expected + window || position + window <= self->expected) {
      GST_INFO_OBJECT (self, "jump from sample %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
          self->expected, position);
      flow = drain (self);
    } else if (position > self->expected) {
      GST_DEBUG_OBJECT (self, "hole of %" G_GUINT64_FORMAT " samples", position - self->expected);
      flow = take_silence (self, position - self->expected);
    } else if (position < self->expected) {
      *skip = MIN (self->expected - position, n);
      GST_DEBUG_OBJECT (self, "dropping %" G_GUINT64_FORMAT " samples heard already", *skip);
    }
  }
  if (self->base == GST_CLOCK_TIME_NONE) {
    self->base = pts;
    self->expected = position;
  }
  return flow;
}

static GstFlowReturn
take_buffer (GstArtalkAudioEnc *self, GstBuffer *buffer)
{
  const gsize whole = gst_buffer_get_size (buffer) / sizeof (float) * sizeof (float);
  GstFlowReturn flow;
  guint64 n, skip;

  if (whole != gst_buffer_get_size (buffer)) {
    buffer = gst_buffer_make_writable (buffer);
    gst_buffer_set_size (buffer, whole);
  }
  if (GST_BUFFER_PTS_IS_VALID (buffer) && self->segment.format == GST_FORMAT_TIME) {
    buffer = gst_audio_buffer_clip (buffer, &self->segment, GST_ARTALK_RATE, sizeof (float));
    if (!buffer)
      return GST_FLOW_OK;
  }
  n = gst_buffer_get_size (buffer) / sizeof (float);
  if (n == 0) {
    gst_buffer_unref (buffer);
    return GST_FLOW_OK;
  }
  flow = place (self,
      self->segment.format == GST_FORMAT_TIME ? GST_BUFFER_PTS (buffer) : GST_CLOCK_TIME_NONE, n,
      &skip);
  if (flow != GST_FLOW_OK || skip >= n) {
    gst_buffer_unref (buffer);
    return flow;
  }
  if (skip > 0) {
    GstBuffer *part = gst_buffer_copy_region (
        buffer, GST_BUFFER_COPY_MEMORY, skip * sizeof (float), (n - skip) * sizeof (float));

    gst_buffer_unref (buffer);
    buffer = part;
  }
  gst_adapter_push (self->adapter, buffer);
  self->received += n - skip;
  self->expected += n - skip;
  return push_windows (self);
}

static GstFlowReturn
chain (GstArtalkBase *base, GstBuffer *buffer)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (base);

  if (!self->have_caps || !self->encoder) {
    gst_buffer_unref (buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  return take_buffer (self, buffer);
}

/* Events */

/* The checkpoint that an element downstream asks for, or NULL. (transfer full) */
static char *
downstream_checkpoint (GstArtalkBase *base)
{
  g_autoptr (GstCaps) caps = gst_pad_peer_query_caps (gst_artalk_base_src_pad (base), NULL);

  for (guint i = 0; caps && !gst_caps_is_any (caps) && i < gst_caps_get_size (caps); i++) {
    const char *id = gst_structure_get_string (gst_caps_get_structure (caps, i), "checkpoint");

    if (id)
      return g_strdup (id);
  }
  return NULL;
}

static gboolean
handle_caps (GstArtalkAudioEnc *self)
{
  GstArtalkBase *base = GST_ARTALK_BASE (self);
  GstPad *srcpad = gst_artalk_base_src_pad (base);
  g_autoptr (GstCaps) caps = NULL;
  g_autofree char *wanted = NULL;

  /* The neighbour may have opened its model after this element did. */
  if (!gst_artalk_base_has_path (base))
    wanted = downstream_checkpoint (base);
  if (wanted && g_strcmp0 (wanted, self->info ? self->info->checkpoint : NULL) != 0 &&
      !gst_artalk_base_reload (base))
    return FALSE;
  if (!self->info)
    return FALSE;
  self->have_caps = TRUE;
  caps = gst_artalk_features_caps (self->info, &self->hop);
  return gst_pad_set_caps (srcpad, caps);
}

static gboolean
handle_segment (GstArtalkAudioEnc *self, GstEvent *event)
{
  GstPad *sinkpad = gst_artalk_base_sink_pad (GST_ARTALK_BASE (self));
  GstPad *srcpad = gst_artalk_base_src_pad (GST_ARTALK_BASE (self));
  GstSegment segment, out;
  guint32 seqnum = gst_event_get_seqnum (event);

  gst_event_copy_segment (event, &segment);
  if (segment.rate < 0) {
    gst_event_unref (event);
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("Speech cannot be played backwards: seek with a positive rate."),
        ("segment with rate %f", segment.rate));
    return FALSE;
  }
  if (gst_artalk_is_new_timeline (sinkpad, event))
    drain (self);
  self->segment = segment;
  if (segment.format == GST_FORMAT_TIME)
    return gst_pad_push_event (srcpad, event);
  gst_event_unref (event);
  gst_segment_init (&out, GST_FORMAT_TIME);
  event = gst_event_new_segment (&out);
  gst_event_set_seqnum (event, seqnum);
  return gst_pad_push_event (srcpad, event);
}

static void
handle_gap (GstArtalkAudioEnc *self, GstEvent *event)
{
  GstClockTime start, duration;
  guint64 from, to, skip;

  gst_event_parse_gap (event, &start, &duration);
  gst_event_unref (event);
  if (start == GST_CLOCK_TIME_NONE || duration == GST_CLOCK_TIME_NONE || !self->have_caps ||
      !self->encoder)
    return;
  if (self->segment.format == GST_FORMAT_TIME) {
    guint64 first, last;

    if (!gst_segment_clip (&self->segment, GST_FORMAT_TIME, start, start + duration, &first, &last))
      return;
    start = first;
    duration = last - first;
  }
  from = gst_util_uint64_scale_round (start, GST_ARTALK_RATE, GST_SECOND);
  to = gst_util_uint64_scale_round (start + duration, GST_ARTALK_RATE, GST_SECOND);
  if (to <= from)
    return;
  if (place (self, self->segment.format == GST_FORMAT_TIME ? start : GST_CLOCK_TIME_NONE, to - from,
          &skip) == GST_FLOW_OK)
    take_silence (self, to - from - skip);
}

static gboolean
sink_event (GstArtalkBase *base, GstEvent *event)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (base);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      gst_event_unref (event);
      return handle_caps (self);
    case GST_EVENT_SEGMENT:
      return handle_segment (self, event);
    case GST_EVENT_GAP:
      handle_gap (self, event);
      return TRUE;
    case GST_EVENT_STREAM_START:
      if (gst_artalk_is_new_stream (gst_artalk_base_sink_pad (base), event))
        drain (self);
      break;
    case GST_EVENT_EOS:
      drain (self);
      break;
    default:
      if (GST_EVENT_IS_SERIALIZED (event) && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP &&
          self->sent < self->received) {
        Waiting *last = g_new (Waiting, 1);

        *last = (Waiting){ self->received, event };
        g_queue_push_tail (&self->waiting, last);
        return TRUE;
      }
      break;
  }
  return GST_ARTALK_BASE_CLASS (gst_artalk_audio_enc_parent_class)->sink_event (base, event);
}

/* The model */

static AmModel *
open_model (GstArtalkBase *base, const char *path, const char *device, AkPrecision precision,
    unsigned threads, GError **error)
{
  g_autofree char *checkpoint = path ? NULL : downstream_checkpoint (base);

  if (checkpoint)
    return am_model_open_checkpoint (checkpoint, device, precision, threads, error);
  return am_model_open (path, device, precision, threads, error);
}

/* What `hop` and `lookahead` mean for a model. */
static gboolean
choose_hop (GstArtalkAudioEnc *self, const AmModelInfo *info, GError **error)
{
  const GstClockTime window = gst_artalk_samples_to_time (info->window_samples),
                     ahead = gst_artalk_samples_to_time (info->ahead_samples);
  GstClockTime hop, lookahead;

  GST_OBJECT_LOCK (self);
  hop = self->wanted_hop;
  lookahead = self->wanted_lookahead;
  GST_OBJECT_UNLOCK (self);
  if (hop == SHORT)
    hop = !info->can_overlap ? window
          : info->window_frames <= MAX_SHORT_WINDOW
              ? MIN (window, SHORT_HOP * GST_ARTALK_FRAME_TIME)
              : info->window_frames / 4 * GST_ARTALK_FRAME_TIME;
  else if (hop == WHOLE_WINDOW)
    hop = window;
  if (lookahead == MODEL_S_OWN)
    lookahead = ahead;
  if (hop % GST_ARTALK_FRAME_TIME != 0 || hop > window || lookahead > window + ahead - hop) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "A hop of %g ms with a look-ahead of %g ms is not possible with this model: hop must be a "
        "multiple of %d ms "
        "and at most %g ms, hop and look-ahead together at most %g ms.",
        hop / 1e6, lookahead / 1e6, (int) (GST_ARTALK_FRAME_TIME / GST_MSECOND), window / 1e6,
        (window + ahead) / 1e6);
    return FALSE;
  }
  if (hop != window && !info->can_overlap) {
    g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
        "This model follows loudness from window to window (AUDIO_NORM running), so its windows "
        "cannot overlap: leave "
        "out hop.");
    return FALSE;
  }
  self->hop.hop = (guint) (hop / GST_ARTALK_FRAME_TIME * GST_ARTALK_FRAME_SAMPLES);
  self->hop.lookahead = (guint) gst_util_uint64_scale (lookahead, GST_ARTALK_RATE, GST_SECOND);
  return TRUE;
}

static gboolean
start (GstArtalkBase *base, AmModel *model, GError **error)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (base);
  AmBatching batching;

  if (!choose_hop (self, am_model_info (model), error))
    return FALSE;
  gst_artalk_base_batching (base, &batching);
  self->encoder = am_audio_encoder_new_batched (model, &batching, error);
  if (!self->encoder)
    return FALSE;
  self->info = am_model_info (model);
  self->samples = g_new (float, span_samples (self->info));
  self->warned = FALSE;
  restart (self);
  return TRUE;
}

static void
stop (GstArtalkBase *base)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (base);

  g_clear_pointer (&self->encoder, am_audio_encoder_free);
  g_clear_pointer (&self->samples, g_free);
  self->info = NULL;
  self->have_caps = FALSE;
}

static GstClockTime
delay (GstArtalkBase *base, const AmModelInfo *info)
{
  const GstArtalkHop *hop = &GST_ARTALK_AUDIO_ENC (base)->hop;

  return gst_artalk_samples_to_time ((guint64) hop->hop + hop->lookahead);
}

static gboolean
compute (gpointer encoder, const float *samples, float *features, const atomic_int *cancel)
{
  return am_audio_encoder_run (encoder, samples, features, cancel, NULL);
}

static GstClockTime
measure (AmModel *model, const AmBatching *batching, const atomic_int *cancel)
{
  const AmModelInfo *info = am_model_info (model);
  g_autoptr (AmAudioEncoder) encoder = am_audio_encoder_new_batched (model, batching, NULL);

  return gst_artalk_promise_measure (
      compute, encoder, span_samples (info), (gsize) info->steps * info->channels, cancel);
}

/* The class */

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (object);

  if (id != PROP_HOP && id != PROP_LOOKAHEAD) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  *(id == PROP_HOP ? &self->wanted_hop : &self->wanted_lookahead) = g_value_get_uint64 (value);
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (object);

  if (id != PROP_HOP && id != PROP_LOOKAHEAD) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_value_set_uint64 (value, id == PROP_HOP ? self->wanted_hop : self->wanted_lookahead);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_artalk_audio_enc_finalize (GObject *object)
{
  GstArtalkAudioEnc *self = GST_ARTALK_AUDIO_ENC (object);

  drop_events (self);
  g_object_unref (self->adapter);
  gst_audio_stream_align_free (self->align);
  G_OBJECT_CLASS (gst_artalk_audio_enc_parent_class)->finalize (object);
}

static void
gst_artalk_audio_enc_init (GstArtalkAudioEnc *self)
{
  self->adapter = gst_adapter_new ();
  self->align = gst_audio_stream_align_new (GST_ARTALK_RATE, ALIGNMENT_THRESHOLD, 0);
  self->base = GST_CLOCK_TIME_NONE;
  self->wanted_hop = WHOLE_WINDOW;
  self->wanted_lookahead = MODEL_S_OWN;
  g_queue_init (&self->waiting);
  gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
}

static void
gst_artalk_audio_enc_class_init (GstArtalkAudioEncClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstArtalkBaseClass *base_class = GST_ARTALK_BASE_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  GST_DEBUG_CATEGORY_INIT (artalkaudioenc_debug, "artalkaudioenc", 0, "speech to features");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_artalk_audio_enc_finalize;
  base_class->open = open_model;
  base_class->start = start;
  base_class->stop = stop;
  base_class->reset = reset;
  base_class->interrupt = interrupt;
  base_class->delay = delay;
  base_class->measure = measure;
  base_class->chain = chain;
  base_class->sink_event = sink_event;

  g_object_class_install_property (object_class, PROP_HOP,
      g_param_spec_uint64 ("hop", "Hop",
          "Time in nanoseconds of new audio that a window brings: whole frames of 40 ms; shorter "
          "ones come sooner and "
          "cost more (0: the model's window, so that windows do not overlap; -1: short enough for "
          "live use)",
          0, G_MAXUINT64, WHOLE_WINDOW, flags));
  g_object_class_install_property (object_class, PROP_LOOKAHEAD,
      g_param_spec_uint64 ("lookahead", "Look-ahead",
          "Time in nanoseconds of audio after the new audio of a window that is waited for (-1: "
          "what the model was "
          "trained with)",
          0, G_MAXUINT64, MODEL_S_OWN, flags));
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Speech encoder for talking heads",
      "Filter/Analyzer/Audio",
      "Cuts speech into windows and computes the features that artalkmotion reads",
      "The ARTalk elements authors");
}
