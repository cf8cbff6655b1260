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
 * #GstArtalkIdle:max-fill) when the second comes. Where one stream follows another without a flush, the face lives on.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! artalkidle seed=7 ! queue ! flamemesh ! videoconvert ! autovideosink
 * ]|
 */
#include "gstartalkidle.h"

#include "gst/gstartalkcaps.h"
#include "gst/gstartalkstream.h"
#include "models/idle.h"

GST_DEBUG_CATEGORY_STATIC (artalkidle_debug);
#define GST_CAT_DEFAULT artalkidle_debug

#define DEFAULT_STRENGTH 1.0
#define DEFAULT_SEED 0
#define DEFAULT_MAX_FILL (10 * GST_SECOND)
#define GAP_FRAMES 15000 /* ten minutes: no GAP event makes more */

enum {
  PROP_0,
  PROP_STRENGTH,
  PROP_SEED,
  PROP_MAX_FILL,
};

struct _GstArtalkIdle
{
  GstElement parent;
  GstPad *sinkpad, *srcpad;

  /* object lock */
  gfloat strength;
  guint seed;
  GstClockTime max_fill;

  /* streaming thread */
  AmIdle *idle;      /* from the caps event on */
  guint dim;         /* numbers per frame */
  char *basis;       /* what they mean */
  float *frame;      /* [dim], the frame in work */
  GstClockTime next; /* when the next frame is due; NONE: any time */
  guint64 offset;    /* its number; NONE: that of the next buffer */
  gboolean filled;   /* the frame before was made here */
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));

G_DEFINE_FINAL_TYPE (GstArtalkIdle, gst_artalk_idle, GST_TYPE_ELEMENT)
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
  self->next = GST_CLOCK_TIME_NONE;
  self->offset = GST_BUFFER_OFFSET_NONE;
  self->filled = FALSE;
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
}

/* Makes and pushes `n` frames from the time self->next on. */
static GstFlowReturn
fill (GstArtalkIdle *self, guint64 n)
{
  GstFlowReturn flow = GST_FLOW_OK;

  GST_DEBUG_OBJECT (self, "filling %" G_GUINT64_FORMAT " frames from %" GST_TIME_FORMAT, n,
      GST_TIME_ARGS (self->next));
  for (; n > 0 && flow == GST_FLOW_OK; n--) {
    GstBuffer *buffer;

    am_idle_push (self->idle, NULL, strength (self), self->frame);
    buffer = gst_buffer_new_memdup (self->frame, self->dim * sizeof (float));
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
    flow = gst_pad_push (self->srcpad, buffer);
  }
  return flow;
}

/* Whether the hole from the next frame that is due to `time` is to be filled; if not, and if time went back,
 * what comes at `time` begins anew. */
static gboolean
bridges (GstArtalkIdle *self, GstClockTime time)
{
  const GstClockTime half = GST_ARTALK_FRAME_TIME / 2;
  GstClockTime max_fill;

  if (!GST_CLOCK_TIME_IS_VALID (self->next))
    return FALSE;
  GST_OBJECT_LOCK (self);
  max_fill = self->strength > 0 ? self->max_fill : 0;
  GST_OBJECT_UNLOCK (self);
  if (time >= self->next ? time - self->next <= MAX (max_fill, half) : self->next - time <= half)
    return TRUE;
  GST_DEBUG_OBJECT (self, "restart at %" GST_TIME_FORMAT ", due was %" GST_TIME_FORMAT,
      GST_TIME_ARGS (time), GST_TIME_ARGS (self->next));
  restart (self);
  return FALSE;
}

/* Gives `buffer` its number, and the frame in work if that is not what it holds. */
static GstBuffer *
finish (GstArtalkIdle *self, GstBuffer *buffer, gboolean changed)
{
  if (self->offset == GST_BUFFER_OFFSET_NONE)
    self->offset = GST_BUFFER_OFFSET_IS_VALID (buffer) ? GST_BUFFER_OFFSET (buffer) : 0;
  if (changed) {
    GstBuffer *out = gst_buffer_new_memdup (self->frame, self->dim * sizeof (float));

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

static GstFlowReturn
chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (parent);
  const GstClockTime pts = GST_BUFFER_PTS (buffer);
  GstFlowReturn flow = GST_FLOW_OK;
  GstMapInfo map;
  gboolean changed;

  if (!self->idle) {
    gst_buffer_unref (buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  if (!gst_buffer_map (buffer, &map, GST_MAP_READ) || map.size != self->dim * sizeof (float)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("A buffer of motion must be one frame of %u numbers.", self->dim),
        ("it has %" G_GSIZE_FORMAT " bytes", gst_buffer_get_size (buffer)));
    if (map.data)
      gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
    return GST_FLOW_ERROR;
  }
  if (GST_CLOCK_TIME_IS_VALID (pts)) {
    if (bridges (self, pts) && pts > self->next)
      flow = fill (self, (pts - self->next + GST_ARTALK_FRAME_TIME / 2) / GST_ARTALK_FRAME_TIME);
    self->next = pts + GST_ARTALK_FRAME_TIME;
  } else if (GST_CLOCK_TIME_IS_VALID (self->next)) {
    self->next += GST_ARTALK_FRAME_TIME;
  }
  if (flow != GST_FLOW_OK) {
    gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
    return flow;
  }
  changed = am_idle_push (self->idle, (const float *) map.data, strength (self), self->frame);
  gst_buffer_unmap (buffer, &map);
  return gst_pad_push (self->srcpad, finish (self, buffer, changed));
}

/* Takes a GAP event: frames for its time, as far as it is not covered. What is less than a frame is left to what follows. */
static gboolean
handle_gap (GstArtalkIdle *self, GstPad *pad, GstEvent *event)
{
  GstClockTime time, duration, end;
  GstFlowReturn flow = GST_FLOW_OK;

  gst_event_parse_gap (event, &time, &duration);
  if (!self->idle || time > G_MAXINT64 || !GST_CLOCK_TIME_IS_VALID (duration) ||
      strength (self) <= 0)
    return gst_pad_event_default (pad, GST_OBJECT (self), event);
  gst_event_unref (event);
  end = time + MIN (duration, GAP_FRAMES * GST_ARTALK_FRAME_TIME);
  if (GST_CLOCK_TIME_IS_VALID (self->next) && end <= self->next)
    return TRUE; /* its time was filled already */
  if (!bridges (self, MAX (time, GST_CLOCK_TIME_IS_VALID (self->next) ? self->next : 0)))
    self->next = time;
  flow = fill (self, (end - self->next) / GST_ARTALK_FRAME_TIME);
  return flow == GST_FLOW_OK;
}

static gboolean
handle_caps (GstArtalkIdle *self, GstEvent *event)
{
  const char *basis;
  guint expression;
  GstCaps *caps;

  gst_event_parse_caps (event, &caps);
  if (!gst_artalk_flame_parse (caps, &expression, &basis))
    return FALSE;
  if (!self->idle || self->dim != expression + GST_ARTALK_POSE ||
      !g_str_equal (self->basis, basis)) {
    am_idle_free (self->idle);
    g_free (self->basis);
    g_free (self->frame);
    self->dim = expression + GST_ARTALK_POSE;
    self->basis = g_strdup (basis);
    self->frame = g_new (float, self->dim);
    self->idle = am_idle_new (self->dim, basis, 0);
    restart (self);
  }
  return TRUE;
}

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (parent);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      if (!handle_caps (self, event)) {
        gst_event_unref (event);
        return FALSE;
      }
      break;
    case GST_EVENT_STREAM_START:
      if (gst_artalk_is_new_stream (pad, event))
        retime (self);
      break;
    case GST_EVENT_SEGMENT:
      if (gst_artalk_is_new_timeline (pad, event))
        retime (self);
      break;
    case GST_EVENT_GAP:
      return handle_gap (self, pad, event);
    case GST_EVENT_EOS:
      retime (self);
      break;
    case GST_EVENT_FLUSH_STOP:
      restart (self);
      break;
    default:
      break;
  }
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
src_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (gst_artalk_is_backward_seek (parent, event)) {
    gst_event_unref (event);
    return FALSE;
  }
  return gst_pad_event_default (pad, parent, event);
}

static void
forget (GstArtalkIdle *self)
{
  g_clear_pointer (&self->idle, am_idle_free);
  g_clear_pointer (&self->frame, g_free);
  g_clear_pointer (&self->basis, g_free);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstArtalkIdle *self = GST_ARTALK_IDLE (element);
  GstStateChangeReturn ret;

  ret = GST_ELEMENT_CLASS (gst_artalk_idle_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    forget (self);
    restart (self);
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
  forget (GST_ARTALK_IDLE (object));
  G_OBJECT_CLASS (gst_artalk_idle_parent_class)->finalize (object);
}

static void
gst_artalk_idle_init (GstArtalkIdle *self)
{
  self->strength = DEFAULT_STRENGTH;
  self->seed = DEFAULT_SEED;
  self->max_fill = DEFAULT_MAX_FILL;
  restart (self);

  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, chain);
  gst_pad_set_event_function (self->sinkpad, sink_event);
  GST_PAD_SET_PROXY_CAPS (self->sinkpad);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_event_function (self->srcpad, src_event);
  GST_PAD_SET_PROXY_CAPS (self->srcpad);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}

static void
gst_artalk_idle_class_init (GstArtalkIdleClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (artalkidle_debug, "artalkidle", 0, "life in silence");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_artalk_idle_finalize;
  element_class->change_state = change_state;

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
          "Longest hole between buffers to fill, in nanoseconds; a longer one restarts (0: fill "
          "none)",
          0, G_MAXINT64, DEFAULT_MAX_FILL, flags));
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Idle motion of a head", "Filter/Effect",
      "Keeps a face alive while nobody speaks, and fills gaps in its motion",
      "The ARTalk elements authors");
}
