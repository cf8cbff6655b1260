/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-artalkidle
 * @title: artalkidle
 * @see_also: artalksmooth, flamemesh
 *
 * Keeps a face alive while nobody speaks: it breathes, sways, looks around and blinks with its mouth shut. Whether
 * somebody speaks is told from the motion; in speech all frames pass unchanged, and the change between both is eased.
 * In the basis "flame", whose expressions have no lids and eyes of their own, only head and jaw rest in this way.
 *
 * Frames that are missing are made: for the time of a GAP event at once, for a hole between two buffers (up to
 * #GstArtalkIdle:max-fill) when the second comes. In a live pipeline they are made on time: a frame that has not come
 * by the latency that upstream promises is not waited for, however long nothing comes, and dropped if it comes later.
 * Where one stream follows another without a flush, the face lives on.
 *
 * After an interruption (an event `artalk-interrupt`) the mouth is shut within two frames and life goes on, on time
 * also in a pipeline that is not live, until something new comes.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! artalkidle seed=7 ! queue ! flamemesh ! videoconvert ! autovideosink
 * ]|
 */
#include "gstartalkidle.h"

#include "gst/gstartalkcaps.h"
#include "models/idle.h"

GST_DEBUG_CATEGORY_STATIC (artalkidle_debug);
#define GST_CAT_DEFAULT artalkidle_debug

#define DEFAULT_STRENGTH 1.0
#define DEFAULT_SEED 0
#define DEFAULT_MAX_FILL (10 * GST_SECOND)
#define GAP_FRAMES 15000 /* ten minutes: no GAP event makes more */
#define HALF (GST_ARTALK_FRAME_TIME / 2)

enum {
  PROP_0,
  PROP_STRENGTH,
  PROP_SEED,
  PROP_MAX_FILL,
};

struct _GstArtalkIdle
{
  GstArtalkFilter parent;

  GMutex starting; /* held while the timer is started; goes before the object lock */

  /* object lock */
  gfloat strength;
  guint seed;
  GstClockTime max_fill;
  gboolean playing, live;
  GstClockTime latency; /* that upstream promises */
  GstClockID wait;      /* what the timer waits for, or NULL */
  gboolean resting;     /* the timer waits for nothing */
  gboolean woken;       /* it is to look at things anew */

  /* streaming thread; the timer holds the stream lock of the sink pad as well */
  AmIdle *idle;        /* from the caps event on */
  float *frame;        /* [dim], the frame in work */
  GstClockTime next;   /* when the next frame is due; NONE: any time */
  GstClockTime resume; /* if that is NONE: when life goes on, as running time, or NONE */
  guint64 offset;      /* its number; NONE: that of the next buffer */
  gboolean filled;     /* the frame before was made here */
  gboolean ahead;      /* of the input: what comes for a time before `next` is too late */
  gboolean cut;        /* interrupted, and nothing new has come since */
  gboolean ended;      /* by EOS */
  gboolean waited;     /* for a first frame, since the pipeline began to play */
};

G_DEFINE_FINAL_TYPE (GstArtalkIdle, gst_artalk_idle, GST_TYPE_ARTALK_FILTER)
GST_ELEMENT_REGISTER_DEFINE (artalkidle, "artalkidle", GST_RANK_NONE, GST_TYPE_ARTALK_IDLE)

static gfloat
strength (GstArtalkIdle *self)
{
  gfloat value;

  GST_OBJECT_LOCK (self);
  value = self->strength;
  GST_OBJECT_UNLOCK (self);
  return value;
}

/* The next frame begins another time line; the face lives on. */
static void
retime (GstArtalkIdle *self)
{
  self->next = self->resume = GST_CLOCK_TIME_NONE;
  self->offset = GST_BUFFER_OFFSET_NONE;
  self->filled = self->ahead = FALSE;
}

/* All begins anew. */
static void
restart (GstArtalkIdle *self)
{
  guint seed;

  GST_OBJECT_LOCK (self);
  seed = self->seed;
  GST_OBJECT_UNLOCK (self);
  if (self->idle)
    am_idle_reset (self->idle, seed);
  retime (self);
  self->cut = FALSE;
}

/* Makes and pushes `n` frames from the time self->next on. */
static GstFlowReturn
fill (GstArtalkIdle *self, guint64 n)
{
  GstArtalkFilter *filter = GST_ARTALK_FILTER (self);
  GstFlowReturn flow = GST_FLOW_OK;

  GST_DEBUG_OBJECT (self, "filling %" G_GUINT64_FORMAT " frames from %" GST_TIME_FORMAT, n,
      GST_TIME_ARGS (self->next));
  for (; n > 0 && flow == GST_FLOW_OK; n--) {
    GstBuffer *buffer;

    am_idle_push (self->idle, NULL, strength (self), self->frame);
    buffer = gst_artalk_filter_new_frame (filter, self->frame);
    if (self->offset == GST_BUFFER_OFFSET_NONE) {
      self->offset = 0;
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
    }
    GST_BUFFER_PTS (buffer) = self->next;
    GST_BUFFER_DURATION (buffer) = GST_ARTALK_FRAME_TIME;
    GST_BUFFER_OFFSET (buffer) = self->offset++;
    GST_BUFFER_OFFSET_END (buffer) = self->offset;
    self->next += GST_ARTALK_FRAME_TIME;
    self->filled = TRUE;
    flow = gst_pad_push (gst_artalk_filter_src_pad (filter), buffer);
  }
  return flow;
}

/* Whether the hole from the next frame that is due to `time` is to be filled; if not, and if time went back,
 * what comes at `time` begins anew. */
static gboolean
bridges (GstArtalkIdle *self, GstClockTime time)
{
  GstClockTime max_fill;

  if (!GST_CLOCK_TIME_IS_VALID (self->next))
    return FALSE;
  GST_OBJECT_LOCK (self);
  max_fill = self->strength > 0 ? self->max_fill : 0;
  GST_OBJECT_UNLOCK (self);
  if (time >= self->next ? time - self->next <= MAX (max_fill, HALF) : self->next - time <= HALF)
    return TRUE;
  GST_DEBUG_OBJECT (self, "restart at %" GST_TIME_FORMAT ", due was %" GST_TIME_FORMAT,
      GST_TIME_ARGS (time), GST_TIME_ARGS (self->next));
  restart (self);
  return FALSE;
}

/* The timer: in a live pipeline, and after an interruption in any, no frame is waited for that does not come in time. */

static GstClockTime
running_time (GstArtalkIdle *self, GstClockTime position)
{
  const GstSegment *segment = gst_artalk_filter_segment (GST_ARTALK_FILTER (self));

  return segment->format == GST_FORMAT_TIME
             ? gst_segment_to_running_time (segment, GST_FORMAT_TIME, position)
             : GST_CLOCK_TIME_NONE;
}

/* Life goes on at the running time `time` if it can. */
static void
resume_at (GstArtalkIdle *self, GstClockTime time)
{
  const GstSegment *segment = gst_artalk_filter_segment (GST_ARTALK_FILTER (self));
  GstClockTime position = GST_CLOCK_TIME_NONE;

  if (GST_CLOCK_TIME_IS_VALID (time) && segment->format == GST_FORMAT_TIME)
    position = gst_segment_position_from_running_time (segment, GST_FORMAT_TIME, time);
  if (!GST_CLOCK_TIME_IS_VALID (position))
    return;
  if (GST_CLOCK_TIME_IS_VALID (self->next) && self->offset != GST_BUFFER_OFFSET_NONE &&
      position <
          self->next) { /* frames that were sent are not shown: their numbers are used again */
    const guint64 unseen = (self->next - position + HALF) / GST_ARTALK_FRAME_TIME;

    self->offset -= MIN (unseen, self->offset);
  }
  self->next = position;
  self->resume = GST_CLOCK_TIME_NONE;
  self->ahead = TRUE;
}

/* The running time on the clock at which the next frame is to be made if it has not come; NONE: never. `now`: that it is. */
static GstClockTime
due (GstArtalkIdle *self, GstClockTime now)
{
  GstClockTime time, latency;
  gboolean live, off;

  GST_OBJECT_LOCK (self);
  live = self->live;
  latency = self->latency;
  off = self->strength <= 0 || self->max_fill == 0;
  GST_OBJECT_UNLOCK (self);
  if (off || self->ended || !(live || self->cut))
    return GST_CLOCK_TIME_NONE;
  if (gst_artalk_filter_segment (GST_ARTALK_FILTER (self))->format == GST_FORMAT_UNDEFINED) {
    if (now < latency) {
      self->waited = TRUE;
      return latency;
    }
    if (!live || !gst_artalk_filter_begin (GST_ARTALK_FILTER (self)))
      return GST_CLOCK_TIME_NONE;
    self->resume =
        self->waited ? 0 : (now - latency) / GST_ARTALK_FRAME_TIME * GST_ARTALK_FRAME_TIME;
  }
  if (!GST_CLOCK_TIME_IS_VALID (self->next))
    resume_at (self, self->resume);
  if (!GST_CLOCK_TIME_IS_VALID (self->next))
    return GST_CLOCK_TIME_NONE;
  time = self->idle ? running_time (self, self->next) : GST_CLOCK_TIME_NONE;
  if (!GST_CLOCK_TIME_IS_VALID (time))
    return time;
  if (!live)
    return time - MIN (time, GST_ARTALK_FRAME_TIME);
  /* computing that takes a little longer than was promised is no reason to interfere */
  return time + latency + (self->ahead ? 0 : HALF);
}

static void timer (gpointer data);

/* Starts the timer, or makes it look at things anew. Any thread. */
static void
wake (GstArtalkIdle *self)
{
  gboolean start;

  g_mutex_lock (&self->starting);
  GST_OBJECT_LOCK (self);
  self->woken = TRUE;
  start = self->playing && self->resting;
  if (start)
    self->resting = FALSE;
  if (self->wait)
    gst_clock_id_unschedule (self->wait);
  GST_OBJECT_UNLOCK (self);
  if (start)
    gst_pad_start_task (gst_artalk_filter_src_pad (GST_ARTALK_FILTER (self)), timer, self, NULL);
  g_mutex_unlock (&self->starting);
}

/* The clock and its reading as running time, or NULL. (transfer full) */
static GstClock *
read_clock (GstArtalkIdle *self, GstClockTime *now)
{
  GstClock *clock = gst_element_get_clock (GST_ELEMENT (self));
  GstClockTime base, time;

  if (!clock)
    return NULL;
  base = gst_element_get_base_time (GST_ELEMENT (self));
  time = gst_clock_get_time (clock);
  *now = time - MIN (base, time);
  return clock;
}

/* Waits until `clock` reads the running time `time`, or until woken. */
static void
wait_for (GstArtalkIdle *self, GstClock *clock, GstClockTime time)
{
  GstClockID id = NULL;

  GST_OBJECT_LOCK (self);
  if (!self->playing || (!self->woken && (!clock || !GST_CLOCK_TIME_IS_VALID (time)))) {
    self->resting = TRUE;
    gst_pad_pause_task (gst_artalk_filter_src_pad (GST_ARTALK_FILTER (self)));
  } else if (!self->woken) {
    id = gst_clock_new_single_shot_id (clock, GST_ELEMENT_CAST (self)->base_time + time);
    self->wait = id;
  }
  self->woken = FALSE;
  GST_OBJECT_UNLOCK (self);
  if (!id)
    return;
  gst_clock_id_wait (id, NULL);
  GST_OBJECT_LOCK (self);
  self->wait = NULL;
  GST_OBJECT_UNLOCK (self);
  gst_clock_id_unref (id);
}

/* One turn of the timer's thread. */
static void
timer (gpointer data)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (data);
  GstPad *sinkpad = gst_artalk_filter_sink_pad (GST_ARTALK_FILTER (self));
  GstClockTime time, now = 0;
  g_autoptr (GstClock) clock = read_clock (self, &now);
  gboolean playing;

  GST_PAD_STREAM_LOCK (sinkpad);
  GST_OBJECT_LOCK (self);
  playing = self->playing;
  GST_OBJECT_UNLOCK (self);
  if (playing)
    gst_artalk_filter_settle (GST_ARTALK_FILTER (self));
  time = playing && clock ? due (self, now) : GST_CLOCK_TIME_NONE;
  if (GST_CLOCK_TIME_IS_VALID (time) && now >= time) {
    self->ahead = TRUE;
    time = fill (self, 1) == GST_FLOW_OK ? due (self, now) : GST_CLOCK_TIME_NONE;
  }
  GST_PAD_STREAM_UNLOCK (sinkpad);
  wait_for (self, clock, time);
}

static void
notice (GstArtalkFilter *filter)
{
  wake (GST_ARTALK_IDLE (filter));
}

static void
note_latency (GstArtalkFilter *filter, gboolean live, GstClockTime latency)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);
  gboolean changed;

  GST_OBJECT_LOCK (self);
  changed = self->live != live || self->latency != latency;
  self->live = live;
  self->latency = latency;
  GST_OBJECT_UNLOCK (self);
  if (changed && live)
    wake (self);
}

/* Sinks ask once they have something to show; but before that is what a live face that hears nothing yet must know. */
static void
ask_latency (GstArtalkIdle *self)
{
  GstQuery *query = gst_query_new_latency ();

  gst_pad_query (gst_artalk_filter_src_pad (GST_ARTALK_FILTER (self)), query);
  gst_query_unref (query);
}

/* After the streaming thread has changed what the timer goes by. */
static void
wake_if_resting (GstArtalkIdle *self)
{
  gboolean rests;

  GST_OBJECT_LOCK (self);
  rests = self->resting && self->live;
  GST_OBJECT_UNLOCK (self);
  if (rests)
    wake (self);
}

/* Data */

/* Gives `buffer` its number, and the frame in work if that is not what it holds. */
static GstBuffer *
finish (GstArtalkIdle *self, GstBuffer *buffer, gboolean changed)
{
  if (self->offset == GST_BUFFER_OFFSET_NONE)
    self->offset = GST_BUFFER_OFFSET_IS_VALID (buffer) ? GST_BUFFER_OFFSET (buffer) : 0;
  if (changed) {
    GstBuffer *out = gst_artalk_filter_new_frame (GST_ARTALK_FILTER (self), self->frame);

    gst_buffer_copy_into (out, buffer, GST_BUFFER_COPY_METADATA, 0, -1);
    gst_buffer_unref (buffer);
    buffer = out;
  }
  if (GST_BUFFER_OFFSET (buffer) != self->offset || self->filled) {
    buffer = gst_buffer_make_writable (buffer);
    GST_BUFFER_OFFSET (buffer) = self->offset;
    GST_BUFFER_OFFSET_END (buffer) = self->offset + 1;
    if (self->filled)
      GST_BUFFER_FLAG_UNSET (buffer, GST_BUFFER_FLAG_DISCONT); /* it follows what was filled */
  }
  self->offset++;
  self->filled = FALSE;
  return buffer;
}

/* Whether a frame for the time `pts` comes too late: another one was sent for it. */
static gboolean
is_late (GstArtalkIdle *self, GstClockTime pts)
{
  if (!self->ahead)
    return FALSE;
  if (GST_CLOCK_TIME_IS_VALID (self->next) && pts + HALF < self->next)
    return TRUE;
  self->ahead = FALSE;
  return FALSE;
}

static GstFlowReturn
take_frame (GstArtalkFilter *filter, const float *numbers, GstBuffer *buffer)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);
  const GstClockTime pts = GST_BUFFER_PTS (buffer);
  GstFlowReturn flow = GST_FLOW_OK;

  if (!GST_CLOCK_TIME_IS_VALID (self->next))
    resume_at (self, self->resume);
  if (GST_CLOCK_TIME_IS_VALID (pts)) {
    if (is_late (self, pts)) {
      GST_DEBUG_OBJECT (self, "too late for %" GST_TIME_FORMAT, GST_TIME_ARGS (pts));
      gst_buffer_unref (buffer);
      return GST_FLOW_OK;
    }
    if (bridges (self, pts) && pts > self->next)
      flow = fill (self, (pts - self->next + HALF) / GST_ARTALK_FRAME_TIME);
    self->next = pts + GST_ARTALK_FRAME_TIME;
  } else if (GST_CLOCK_TIME_IS_VALID (self->next)) {
    self->next += GST_ARTALK_FRAME_TIME;
  }
  self->cut = self->ended = FALSE;
  if (flow != GST_FLOW_OK) {
    gst_buffer_unref (buffer);
    return flow;
  }
  flow = gst_pad_push (gst_artalk_filter_src_pad (filter),
      finish (self, buffer, am_idle_push (self->idle, numbers, strength (self), self->frame)));
  wake_if_resting (self);
  return flow;
}

/* Takes a GAP event: frames for its time, as far as it is not covered. What is less than a frame is left to what follows. */
static gboolean
gap (GstArtalkFilter *filter, GstEvent *event)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);
  GstClockTime time, duration, end;
  GstFlowReturn flow = GST_FLOW_OK;

  gst_event_parse_gap (event, &time, &duration);
  if (!self->idle || time > G_MAXINT64 || !GST_CLOCK_TIME_IS_VALID (duration) ||
      strength (self) <= 0)
    return gst_pad_event_default (gst_artalk_filter_sink_pad (filter), GST_OBJECT (self), event);
  gst_event_unref (event);
  end = time + MIN (duration, GAP_FRAMES * GST_ARTALK_FRAME_TIME);
  if (GST_CLOCK_TIME_IS_VALID (self->next) && end <= self->next)
    return TRUE; /* its time was filled already */
  if (!bridges (self, MAX (time, GST_CLOCK_TIME_IS_VALID (self->next) ? self->next : 0)))
    self->next = time;
  flow = fill (self, (end - self->next) / GST_ARTALK_FRAME_TIME);
  wake_if_resting (self);
  return flow == GST_FLOW_OK;
}

/* Another time line follows. In a live pipeline running time goes on, and so does life. */
static void
boundary (GstArtalkFilter *filter, GstEvent *event)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);
  GstClockTime resume = self->resume;
  gboolean live;

  GST_OBJECT_LOCK (self);
  live = self->live;
  GST_OBJECT_UNLOCK (self);
  if (live && GST_CLOCK_TIME_IS_VALID (self->next))
    resume = running_time (self, self->next);
  retime (self);
  self->resume = resume;
  self->ended = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
}

static void
interrupt (GstArtalkFilter *filter, GstClockTime time)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);

  if (!self->idle)
    return;
  am_idle_interrupt (self->idle);
  resume_at (self, time);
  self->cut = self->filled = TRUE;
}

static void
reset (GstArtalkFilter *filter)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);

  restart (self);
  self->ended = self->waited = FALSE;
}

static void
stop (GstArtalkFilter *filter)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);

  g_clear_pointer (&self->idle, am_idle_free);
  g_clear_pointer (&self->frame, g_free);
  reset (filter);
}

static void
set_format (GstArtalkFilter *filter, guint dim, const char *basis)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (filter);

  am_idle_free (self->idle);
  g_free (self->frame);
  self->frame = g_new (float, dim);
  self->idle = am_idle_new (dim, basis, 0);
  restart (self);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (element);
  GstStateChangeReturn ret;
  gboolean live;

  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED) {
    g_mutex_lock (&self->starting);
    GST_OBJECT_LOCK (self);
    self->playing = FALSE; /* the thread may be held up downstream: it sees this later */
    if (self->wait)
      gst_clock_id_unschedule (self->wait);
    GST_OBJECT_UNLOCK (self);
    g_mutex_unlock (&self->starting);
  } else if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    gst_pad_stop_task (gst_artalk_filter_src_pad (GST_ARTALK_FILTER (self)));
  }
  ret = GST_ELEMENT_CLASS (gst_artalk_idle_parent_class)->change_state (element, transition);
  GST_OBJECT_LOCK (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING) {
    self->playing = TRUE;
  } else if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    self->live = FALSE;
    self->resting = TRUE;
  }
  live = self->live;
  GST_OBJECT_UNLOCK (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING) {
    if (live)
      wake (self);
    else
      ask_latency (self);
  }
  return ret;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_STRENGTH:
      self->strength = g_value_get_float (value);
      break;
    case PROP_SEED:
      self->seed = g_value_get_uint (value);
      break;
    case PROP_MAX_FILL:
      self->max_fill = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_STRENGTH:
      g_value_set_float (value, self->strength);
      break;
    case PROP_SEED:
      g_value_set_uint (value, self->seed);
      break;
    case PROP_MAX_FILL:
      g_value_set_uint64 (value, self->max_fill);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_artalk_idle_finalize (GObject *object)
{
  g_mutex_clear (&GST_ARTALK_IDLE (object)->starting);
  G_OBJECT_CLASS (gst_artalk_idle_parent_class)->finalize (object);
}

static void
gst_artalk_idle_init (GstArtalkIdle *self)
{
  self->strength = DEFAULT_STRENGTH;
  self->seed = DEFAULT_SEED;
  self->max_fill = DEFAULT_MAX_FILL;
  self->resting = TRUE;
  g_mutex_init (&self->starting);
  restart (self);
}

static void
gst_artalk_idle_class_init (GstArtalkIdleClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstArtalkFilterClass *filter_class = GST_ARTALK_FILTER_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (artalkidle_debug, "artalkidle", 0, "life in silence");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_artalk_idle_finalize;
  GST_ELEMENT_CLASS (klass)->change_state = change_state;
  filter_class->set_format = set_format;
  filter_class->frame = take_frame;
  filter_class->gap = gap;
  filter_class->boundary = boundary;
  filter_class->reset = reset;
  filter_class->interrupt = interrupt;
  filter_class->notice = notice;
  filter_class->latency = note_latency;
  filter_class->stop = stop;

  g_object_class_install_property (object_class, PROP_STRENGTH,
      g_param_spec_float ("strength", "Strength",
          "How far the head sways and the eyes look around in silence (0: off, nothing is filled)",
          0, 1, DEFAULT_STRENGTH, flags));
  g_object_class_install_property (object_class, PROP_SEED,
      g_param_spec_uint ("seed", "Seed",
          "Chooses among motions, each always the same; holds from the next start, flush or long "
          "hole on",
          0, G_MAXUINT, DEFAULT_SEED, flags));
  g_object_class_install_property (object_class, PROP_MAX_FILL,
      g_param_spec_uint64 ("max-fill", "Longest fill",
          "Longest hole between buffers to fill at once, in nanoseconds; a longer one restarts (0: "
          "fill none, also not in time)",
          0, G_MAXINT64, DEFAULT_MAX_FILL, flags));
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Idle motion of a head",
      "Filter/Effect", "Keeps a face alive while nobody speaks, and fills gaps in its motion",
      "The ARTalk elements authors");
}
