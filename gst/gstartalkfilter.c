/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkfilter.h"

#include "gstartalkcaps.h"
#include "gstartalkstream.h"

GST_DEBUG_CATEGORY_STATIC (artalkfilter_debug);
#define GST_CAT_DEFAULT artalkfilter_debug

typedef struct
{
  GstPad *sinkpad, *srcpad;
  GstArtalkInterrupt interrupt;

  /* streaming thread */
  guint dim;    /* numbers per frame; 0: no caps yet */
  char *basis;  /* what they mean */
  float *frame; /* [dim], the frame in work */
  GstSegment segment;
  gboolean began; /* `segment` is our own */
} GstArtalkFilterPrivate;

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (GstArtalkFilter, gst_artalk_filter, GST_TYPE_ELEMENT)
#define PRIV(f) ((GstArtalkFilterPrivate *) gst_artalk_filter_get_instance_private (f))
#define CLASS(f) (GST_ARTALK_FILTER_GET_CLASS (f))

GstPad *
gst_artalk_filter_sink_pad (GstArtalkFilter *self)
{
  return PRIV (self)->sinkpad;
}

GstPad *
gst_artalk_filter_src_pad (GstArtalkFilter *self)
{
  return PRIV (self)->srcpad;
}

guint
gst_artalk_filter_dim (GstArtalkFilter *self)
{
  return PRIV (self)->dim;
}

const GstSegment *
gst_artalk_filter_segment (GstArtalkFilter *self)
{
  return &PRIV (self)->segment;
}

GstBuffer *
gst_artalk_filter_new_frame (GstArtalkFilter *self, const float *numbers)
{
  return gst_buffer_new_memdup (numbers, PRIV (self)->dim * sizeof (float));
}

void
gst_artalk_filter_settle (GstArtalkFilter *self)
{
  gst_artalk_interrupt_settle (&PRIV (self)->interrupt);
}

static void
notice (GstElement *element)
{
  GstArtalkFilter *self = GST_ARTALK_FILTER (element);

  if (CLASS (self)->notice)
    CLASS (self)->notice (self);
}

static void
forget (GstElement *element, GstClockTime time)
{
  GstArtalkFilter *self = GST_ARTALK_FILTER (element);

  CLASS (self)->interrupt (self, time);
}

/* Data */

static GstFlowReturn
chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstArtalkFilter *self = GST_ARTALK_FILTER (parent);
  GstArtalkFilterPrivate *priv = PRIV (self);
  const gsize bytes = priv->dim * sizeof (float);

  if (!gst_artalk_interrupt_take (&priv->interrupt)) {
    gst_buffer_unref (buffer);
    return GST_FLOW_OK;
  }
  if (priv->dim == 0) {
    gst_buffer_unref (buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  if (gst_buffer_get_size (buffer) != bytes ||
      gst_buffer_extract (buffer, 0, priv->frame, bytes) != bytes) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("A buffer of motion must be one frame of %u numbers.", priv->dim),
        ("it has %" G_GSIZE_FORMAT " bytes", gst_buffer_get_size (buffer)));
    gst_buffer_unref (buffer);
    return GST_FLOW_ERROR;
  }
  return CLASS (self)->frame (self, priv->frame, buffer);
}

/* Events and queries */

static gboolean
take_caps (GstArtalkFilter *self, const GstCaps *caps)
{
  GstArtalkFilterPrivate *priv = PRIV (self);
  const char *basis;
  guint expression;

  if (!gst_artalk_flame_parse (caps, &expression, &basis))
    return FALSE;
  if (priv->dim == expression + GST_ARTALK_POSE && g_str_equal (priv->basis, basis))
    return TRUE;
  CLASS (self)->set_format (self, expression + GST_ARTALK_POSE, basis);
  priv->dim = expression + GST_ARTALK_POSE;
  g_free (priv->basis);
  priv->basis = g_strdup (basis);
  g_free (priv->frame);
  priv->frame = g_new (float, priv->dim);
  return TRUE;
}

gboolean
gst_artalk_filter_begin (GstArtalkFilter *self)
{
  GstArtalkFilterPrivate *priv = PRIV (self);
  g_autoptr (GstEvent) started = gst_pad_get_sticky_event (priv->srcpad, GST_EVENT_STREAM_START, 0);
  g_autoptr (GstCaps) wanted = gst_static_pad_template_get_caps (&sink_template);
  g_autoptr (GstCaps) caps = NULL;

  if (priv->segment.format != GST_FORMAT_UNDEFINED)
    return TRUE;
  if (!started) {
    g_autofree char *id = gst_pad_create_stream_id (priv->srcpad, GST_ELEMENT (self), "silence");

    gst_pad_push_event (priv->srcpad, gst_event_new_stream_start (id));
  }
  if (priv->dim == 0) {
    caps = gst_pad_peer_query_caps (priv->sinkpad, wanted);
    if (!gst_caps_is_fixed (caps) || !take_caps (self, caps))
      return FALSE;
    gst_pad_push_event (priv->srcpad, gst_event_new_caps (caps));
  }
  gst_segment_init (&priv->segment, GST_FORMAT_TIME);
  priv->began = TRUE;
  return gst_pad_push_event (priv->srcpad, gst_event_new_segment (&priv->segment));
}

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstArtalkFilter *self = GST_ARTALK_FILTER (parent);
  GstArtalkFilterPrivate *priv = PRIV (self);
  gboolean is_new = TRUE;
  GstCaps *caps;

  if (gst_artalk_interrupt_event (&priv->interrupt, event))
    return TRUE;
  if (GST_EVENT_IS_SERIALIZED (event) && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP)
    is_new = gst_artalk_interrupt_take (&priv->interrupt);
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps (event, &caps);
      if (!take_caps (self, caps)) {
        gst_event_unref (event);
        return FALSE;
      }
      break;
    case GST_EVENT_STREAM_START:
      if (gst_artalk_is_new_stream (pad, event))
        CLASS (self)->boundary (self, event);
      break;
    case GST_EVENT_SEGMENT:
      if (priv->began || gst_artalk_is_new_timeline (pad, event))
        CLASS (self)->boundary (self, event);
      priv->began = FALSE;
      gst_event_copy_segment (event, &priv->segment);
      break;
    case GST_EVENT_EOS:
      CLASS (self)->boundary (self, event);
      break;
    case GST_EVENT_GAP:
      if (is_new)
        return CLASS (self)->gap (self, event);
      gst_event_unref (event);
      return TRUE;
    case GST_EVENT_FLUSH_STOP:
      gst_artalk_interrupt_clear (&priv->interrupt);
      gst_segment_init (&priv->segment, GST_FORMAT_UNDEFINED);
      priv->began = FALSE;
      CLASS (self)->reset (self);
      break;
    default:
      if (GST_EVENT_IS_SERIALIZED (event) && CLASS (self)->keep && CLASS (self)->keep (self, event))
        return TRUE;
      break;
  }
  return gst_pad_event_default (pad, parent, event);
}

static gboolean
src_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  return gst_artalk_interrupt_src_event (
      &PRIV (GST_ARTALK_FILTER (parent))->interrupt, pad, parent, event);
}

static gboolean
src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstArtalkFilter *self = GST_ARTALK_FILTER (parent);
  const GstClockTime delay = CLASS (self)->delay ? CLASS (self)->delay (self) : 0;
  GstClockTime min, max;
  gboolean live;

  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return gst_pad_query_default (pad, parent, query);
  if (!gst_pad_peer_query (PRIV (self)->sinkpad, query))
    return FALSE;
  gst_query_parse_latency (query, &live, &min, &max);
  gst_query_set_latency (query, live, min + delay, max == GST_CLOCK_TIME_NONE ? max : max + delay);
  if (CLASS (self)->latency)
    CLASS (self)->latency (self, live, min + delay);
  return TRUE;
}

/* The class */

static void
stop (GstArtalkFilter *self)
{
  GstArtalkFilterPrivate *priv = PRIV (self);

  CLASS (self)->stop (self);
  gst_artalk_interrupt_clear (&priv->interrupt);
  gst_segment_init (&priv->segment, GST_FORMAT_UNDEFINED);
  priv->dim = 0;
  priv->began = FALSE;
  g_clear_pointer (&priv->basis, g_free);
  g_clear_pointer (&priv->frame, g_free);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstStateChangeReturn ret;

  ret = GST_ELEMENT_CLASS (gst_artalk_filter_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    stop (GST_ARTALK_FILTER (element));
  return ret;
}

static void
finalize (GObject *object)
{
  stop (GST_ARTALK_FILTER (object));
  G_OBJECT_CLASS (gst_artalk_filter_parent_class)->finalize (object);
}

static void
gst_artalk_filter_init (GstArtalkFilter *self)
{
  GstArtalkFilterPrivate *priv = PRIV (self);
  GstElement *element = GST_ELEMENT (self);

  gst_segment_init (&priv->segment, GST_FORMAT_UNDEFINED);
  priv->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (priv->sinkpad, chain);
  gst_pad_set_event_function (priv->sinkpad, sink_event);
  GST_PAD_SET_PROXY_CAPS (priv->sinkpad);
  gst_element_add_pad (element, priv->sinkpad);

  priv->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_event_function (priv->srcpad, src_event);
  gst_pad_set_query_function (priv->srcpad, src_query);
  GST_PAD_SET_PROXY_CAPS (priv->srcpad);
  gst_element_add_pad (element, priv->srcpad);
  priv->interrupt = (GstArtalkInterrupt){ .element = element,
    .sinkpad = priv->sinkpad,
    .srcpad = priv->srcpad,
    .notice = notice,
    .forget = forget };
}

static void
gst_artalk_filter_class_init (GstArtalkFilterClass *klass)
{
  GST_DEBUG_CATEGORY_INIT (artalkfilter_debug, "artalkfilter", 0, "motion in, motion out");
  G_OBJECT_CLASS (klass)->finalize = finalize;
  GST_ELEMENT_CLASS (klass)->change_state = change_state;
  gst_type_mark_as_plugin_api (GST_TYPE_ARTALK_FILTER, 0);
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass), &sink_template);
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass), &src_template);
}
