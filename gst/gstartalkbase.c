/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkbase.h"

#include <gst/base/gstbasesrc.h>

#include "gstartalkmessage.h"
#include "gstartalkpromise.h"
#include "models/error.h"

GST_DEBUG_CATEGORY_STATIC (artalkbase_debug);
#define GST_CAT_DEFAULT artalkbase_debug

#define BATCH_DEADLINE (2 * GST_MSECOND)
#define MOST_BATCH_DEADLINE (10 * GST_SECOND)

enum { CANCEL_FLUSH = 1, CANCEL_STOP = 2, CANCEL_INTERRUPT = 4 };

enum {
  PROP_0,
  PROP_MODEL,
  PROP_DEVICE,
  PROP_PRECISION,
  PROP_THREADS,
  PROP_DEADLINE,
  PROP_LATENCY,
  PROP_BATCH,
  PROP_BATCH_DEADLINE,
};

struct _GstArtalkBasePrivate
{
  GstPad *sinkpad, *srcpad;
  atomic_int cancel;
  GstArtalkInterrupt interrupt;
  AmModel *model; /* written under the object lock, read there or in the streaming thread */

  /* object lock */
  char *path; /* NULL: the built-in model */
  char *device;
  GstArtalkPrecision precision;
  guint threads;
  guint batch;                 /* 0: as suits the device */
  GstClockTime batch_deadline; /* of use where more than one is computed together */
  GstArtalkPromise promise;    /* processing-deadline */
  GstClockTime delay;          /* of the loaded model; NONE: not loaded */
};

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (GstArtalkBase, gst_artalk_base, GST_TYPE_ELEMENT)
#define PRIV(base) ((GstArtalkBasePrivate *) gst_artalk_base_get_instance_private (base))

GstPad *
gst_artalk_base_sink_pad (GstArtalkBase *base)
{
  return PRIV (base)->sinkpad;
}

GstPad *
gst_artalk_base_src_pad (GstArtalkBase *base)
{
  return PRIV (base)->srcpad;
}

AmModel *
gst_artalk_base_model (GstArtalkBase *base)
{
  return PRIV (base)->model;
}

const atomic_int *
gst_artalk_base_cancel (GstArtalkBase *base)
{
  return &PRIV (base)->cancel;
}

gboolean
gst_artalk_base_has_path (GstArtalkBase *base)
{
  gboolean has;

  GST_OBJECT_LOCK (base);
  has = PRIV (base)->path != NULL;
  GST_OBJECT_UNLOCK (base);
  return has;
}

void
gst_artalk_base_batching (GstArtalkBase *base, AmBatching *batching)
{
  GST_OBJECT_LOCK (base);
  *batching = (AmBatching){ .most = PRIV (base)->batch,
    .wait = (gint64) (PRIV (base)->batch_deadline / GST_USECOND) };
  GST_OBJECT_UNLOCK (base);
}

GstFlowReturn
gst_artalk_base_failed (
    GstArtalkBase *base, const GError *error, const char *what, const char *advice)
{
  if (g_error_matches (error, AM_ERROR, AM_ERROR_CANCELLED) ||
      atomic_load (&PRIV (base)->cancel) != 0)
    return GST_FLOW_FLUSHING;
  gst_artalk_post_error (GST_ELEMENT (base), error, what, advice);
  return GST_FLOW_ERROR;
}

/* The model */

static AmModel *
open_default (GstArtalkBase *base, const char *path, const char *device, AkPrecision precision,
    unsigned threads, GError **error)
{
  return am_model_open (path, device, precision, threads, error);
}

/* Puts `model` (transfer full, may be NULL) in place of the one there is. */
static void
set_model (GstArtalkBase *base, AmModel *model, GstClockTime delay)
{
  GstArtalkBasePrivate *priv = PRIV (base);
  AmModel *old;

  GST_OBJECT_LOCK (base);
  old = priv->model;
  priv->model = model;
  priv->delay = delay;
  GST_OBJECT_UNLOCK (base);
  g_clear_pointer (&old, am_model_unref);
}

static void
unload (GstArtalkBase *base)
{
  GST_ARTALK_BASE_GET_CLASS (base)->stop (base);
  set_model (base, NULL, GST_CLOCK_TIME_NONE);
}

static AmModel *
open_and_start (GstArtalkBase *base, GError **error)
{
  GstArtalkBaseClass *klass = GST_ARTALK_BASE_GET_CLASS (base);
  GstArtalkBasePrivate *priv = PRIV (base);
  g_autofree char *path = NULL, *device = NULL;
  g_autoptr (AmModel) model = NULL;
  GstArtalkPrecision wanted;
  AkPrecision precision;
  unsigned threads;

  GST_OBJECT_LOCK (base);
  path = g_strdup (priv->path);
  device = g_strdup (priv->device ? priv->device : "auto");
  wanted = priv->precision;
  threads = priv->threads;
  GST_OBJECT_UNLOCK (base);
  if (!gst_artalk_precision_resolve (wanted, &precision, error))
    return NULL;
  gst_artalk_device_log (GST_ELEMENT (base), device);
  model = klass->open (base, path, device, precision, threads, error);
  if (!model || !klass->start (base, model, error))
    return NULL;
  return g_steal_pointer (&model);
}

gboolean
gst_artalk_base_reload (GstArtalkBase *base)
{
  g_autoptr (GError) error = NULL;
  AmModel *model;

  unload (base);
  gst_artalk_post_progress (GST_ELEMENT (base), GST_PROGRESS_TYPE_START, "Loading the model");
  model = open_and_start (base, &error);
  if (!model) {
    GST_ARTALK_BASE_GET_CLASS (base)->stop (base);
    gst_artalk_post_progress (
        GST_ELEMENT (base), GST_PROGRESS_TYPE_ERROR, "The model cannot be loaded");
    if (!error)
      GST_DEBUG_OBJECT (base, "the element has posted what is wrong");
    else if (g_error_matches (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS))
      GST_ELEMENT_ERROR (base, LIBRARY, SETTINGS, ("%s", error->message), (NULL));
    else
      gst_artalk_post_error (GST_ELEMENT (base), error, "Cannot load the model",
          "Set model= to a checkpoint (.safetensors, .pt or a folder), or leave it out for the "
          "built-in one.");
    return FALSE;
  }
  set_model (base, model, GST_ARTALK_BASE_GET_CLASS (base)->delay (base, am_model_info (model)));
  gst_artalk_post_progress (GST_ELEMENT (base), GST_PROGRESS_TYPE_COMPLETE, "The model is loaded");
  return TRUE;
}

/* Latency */

/* The time promised for computing; of a live stream it is measured now if it is not known. */
static GstClockTime
get_deadline (GstArtalkBase *base, gboolean live)
{
  GstArtalkBasePrivate *priv = PRIV (base);
  GstArtalkPromise *promise = &priv->promise;
  g_autoptr (AmModel) model = NULL;
  GstClockTime deadline, took, wait;
  AmBatching batching;

  GST_OBJECT_LOCK (base);
  promise->live = live;
  deadline = promise->time;
  if (live && deadline == GST_CLOCK_TIME_NONE && priv->model)
    model = am_model_ref (priv->model);
  GST_OBJECT_UNLOCK (base);
  if (!model)
    return deadline == GST_CLOCK_TIME_NONE ? 0 : deadline;

  gst_artalk_base_batching (base, &batching);
  took = GST_ARTALK_BASE_GET_CLASS (base)->measure (model, &batching, &priv->cancel);
  GST_OBJECT_LOCK (base);
  wait = am_batch_most (model, priv->batch) > 1 ? priv->batch_deadline : 0;
  if (took)
    gst_artalk_promise_make (promise, took, wait, priv->delay);
  deadline = promise->time == GST_CLOCK_TIME_NONE ? 0 : promise->time;
  GST_OBJECT_UNLOCK (base);
  GST_INFO_OBJECT (base, "a window takes %" GST_TIME_FORMAT ", promising %" GST_TIME_FORMAT,
      GST_TIME_ARGS (took), GST_TIME_ARGS (deadline));
  return deadline;
}

gint64
gst_artalk_base_begin (GstArtalkBase *base)
{
  return g_get_monotonic_time ();
}

/* The time since the running time of `pts`, or NONE where nobody can tell. */
static GstClockTimeDiff
age_of (GstArtalkBase *base, GstClockTime pts)
{
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (PRIV (base)->sinkpad, GST_EVENT_SEGMENT, 0);
  g_autoptr (GstClock) clock = gst_element_get_clock (GST_ELEMENT (base));
  const GstSegment *segment;
  guint64 time;

  if (!event || !clock || pts == GST_CLOCK_TIME_NONE)
    return GST_CLOCK_STIME_NONE;
  gst_event_parse_segment (event, &segment);
  time = gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts);
  if (time == GST_CLOCK_TIME_NONE)
    return GST_CLOCK_STIME_NONE;
  return GST_CLOCK_DIFF (
      time + gst_element_get_base_time (GST_ELEMENT (base)), gst_clock_get_time (clock));
}

/* Hands on that the next window took `over` longer than promised; FALSE if no element downstream wants to know. */
static gboolean
hand_on (GstArtalkBase *base, GstClockTimeDiff over)
{
  GstQuery *query = gst_artalk_promise_query_new (over);
  gboolean taken = gst_pad_peer_query (PRIV (base)->srcpad, query);

  gst_query_unref (query);
  return taken;
}

void
gst_artalk_base_end (GstArtalkBase *base, gint64 begun, GstClockTime pts, GstClockTime duration)
{
  GstArtalkBasePrivate *priv = PRIV (base);
  const gint64 now = g_get_monotonic_time ();
  const GstArtalkWindow window = {
    .now = now, .took = (now - begun) * GST_USECOND, .duration = duration, .age = age_of (base, pts)
  };
  g_autofree char *warning = NULL;
  GstClockTimeDiff over;
  gboolean live;

  if (atomic_load (&priv->cancel) != 0)
    return; /* it was interrupted */
  GST_LOG_OBJECT (base, "window took %" GST_TIME_FORMAT, GST_TIME_ARGS (window.took));
  GST_OBJECT_LOCK (base);
  live = priv->promise.live;
  over = gst_artalk_promise_over (&priv->promise, window.took);
  GST_OBJECT_UNLOCK (base);
  if (!live || (pts == GST_CLOCK_TIME_NONE && hand_on (base, over)))
    return;
  GST_OBJECT_LOCK (base);
  warning = gst_artalk_promise_judge (&priv->promise, &window);
  GST_OBJECT_UNLOCK (base);
  if (!warning)
    return;
  GST_ELEMENT_WARNING (base, CORE, CLOCK, ("%s", warning), (NULL));
  gst_element_post_message (GST_ELEMENT (base), gst_message_new_latency (GST_OBJECT (base)));
}

gboolean
gst_artalk_base_sink_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstArtalkBase *base = GST_ARTALK_BASE (parent);
  GstClockTimeDiff over;

  if (!gst_artalk_promise_parse_query (query, &over))
    return gst_pad_query_default (pad, parent, query);
  GST_OBJECT_LOCK (base);
  PRIV (base)->promise.over = over;
  GST_OBJECT_UNLOCK (base);
  return TRUE;
}

static gboolean
query_latency (GstArtalkBase *base, GstQuery *query)
{
  GstArtalkBasePrivate *priv = PRIV (base);
  GstClockTime min, max, delay;
  gboolean live;

  GST_OBJECT_LOCK (base);
  delay = priv->delay;
  GST_OBJECT_UNLOCK (base);
  if (delay == GST_CLOCK_TIME_NONE || !gst_pad_peer_query (priv->sinkpad, query))
    return FALSE;
  gst_query_parse_latency (query, &live, &min, &max);
  delay += get_deadline (base, live);
  min += delay;
  if (max != GST_CLOCK_TIME_NONE)
    max += delay;
  gst_query_set_latency (query, live, min, max);
  GST_OBJECT_LOCK (base);
  priv->promise.latency = live ? min : GST_CLOCK_TIME_NONE;
  GST_OBJECT_UNLOCK (base);
  return TRUE;
}

/* States */

/* Whether a source of the whole pipeline is known to be live by now. A LATENCY query would fail yet: most sources
 * answer it once they have caps. */
static gboolean
has_live_source (GstElement *element)
{
  g_autoptr (GstObject) top = gst_object_ref (GST_OBJECT (element));
  GstIterator *all;
  GstIteratorResult result;
  gboolean live = FALSE;
  GValue item = G_VALUE_INIT;
  GstObject *parent;

  while ((parent = gst_object_get_parent (top))) {
    gst_object_unref (top);
    top = parent;
  }
  if (!GST_IS_BIN (top))
    return FALSE;
  all = gst_bin_iterate_recurse (GST_BIN (top));
  while (!live && ((result = gst_iterator_next (all, &item)) == GST_ITERATOR_OK ||
                      result == GST_ITERATOR_RESYNC)) {
    if (result == GST_ITERATOR_RESYNC) {
      gst_iterator_resync (all);
      continue;
    }
    live = GST_IS_BASE_SRC (g_value_get_object (&item)) &&
           gst_base_src_is_live (g_value_get_object (&item));
    g_value_reset (&item);
  }
  if (G_IS_VALUE (&item))
    g_value_unset (&item);
  gst_iterator_free (all);
  return live;
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstArtalkBase *base = GST_ARTALK_BASE (element);
  GstArtalkBasePrivate *priv = PRIV (base);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    atomic_store (&priv->cancel, 0);
    GST_OBJECT_LOCK (base);
    gst_artalk_promise_start (&priv->promise);
    GST_OBJECT_UNLOCK (base);
    if (!gst_artalk_base_reload (base))
      return GST_STATE_CHANGE_FAILURE;
    if (has_live_source (element))
      get_deadline (base, TRUE); /* later, time will run already */
  } else if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    atomic_fetch_or (&priv->cancel, CANCEL_STOP);
  }
  ret = GST_ELEMENT_CLASS (gst_artalk_base_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED && ret == GST_STATE_CHANGE_FAILURE)) {
    unload (base);
    GST_ARTALK_BASE_GET_CLASS (base)->reset (base);
    gst_artalk_interrupt_clear (&priv->interrupt);
  }
  return ret;
}

/* Pads */

static gboolean
src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_LATENCY)
    return query_latency (GST_ARTALK_BASE (parent), query);
  return gst_pad_query_default (pad, parent, query);
}

static gboolean
src_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  return gst_artalk_interrupt_src_event (
      &PRIV (GST_ARTALK_BASE (parent))->interrupt, pad, parent, event);
}

static gboolean
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstArtalkBase *base = GST_ARTALK_BASE (parent);
  GstArtalkBaseClass *klass = GST_ARTALK_BASE_GET_CLASS (base);
  GstArtalkBasePrivate *priv = PRIV (base);

  if (gst_artalk_interrupt_event (&priv->interrupt, event))
    return TRUE;
  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START) {
    atomic_fetch_or (&priv->cancel, CANCEL_FLUSH);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP) {
    gst_artalk_interrupt_clear (&priv->interrupt);
    klass->reset (base);
    atomic_fetch_and (&priv->cancel, ~CANCEL_FLUSH);
  } else if (GST_EVENT_IS_SERIALIZED (event)) {
    if (!gst_artalk_interrupt_take (&priv->interrupt) && GST_EVENT_TYPE (event) == GST_EVENT_GAP) {
      gst_event_unref (event);
      return TRUE;
    }
  }
  return klass->sink_event (base, event);
}

static gboolean
sink_event_default (GstArtalkBase *base, GstEvent *event)
{
  return gst_pad_event_default (PRIV (base)->sinkpad, GST_OBJECT (base), event);
}

static GstFlowReturn
chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstArtalkBase *base = GST_ARTALK_BASE (parent);
  GstArtalkBasePrivate *priv = PRIV (base);
  GstFlowReturn flow;

  if (!gst_artalk_interrupt_take (&priv->interrupt)) {
    gst_buffer_unref (buffer);
    return GST_FLOW_OK;
  }
  flow = GST_ARTALK_BASE_GET_CLASS (base)->chain (base, buffer);
  /* work that was interrupted ended as if by a flush, but data go on */
  if (gst_artalk_interrupt_settle (&priv->interrupt) && flow == GST_FLOW_FLUSHING &&
      atomic_load (&priv->cancel) == 0)
    flow = GST_FLOW_OK;
  return flow;
}

static void
forget (GstElement *element, GstClockTime time)
{
  GST_ARTALK_BASE_GET_CLASS (element)->interrupt (GST_ARTALK_BASE (element), time);
}

static void
interrupt_default (GstArtalkBase *base, GstClockTime time)
{
  GST_ARTALK_BASE_GET_CLASS (base)->reset (base);
}

/* Properties */

static void
replace_string (char **where, const GValue *value)
{
  const char *s = g_value_get_string (value);

  g_free (*where);
  *where = s && *s ? g_strdup (s) : NULL;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkBase *base = GST_ARTALK_BASE (object);
  GstArtalkBasePrivate *priv = PRIV (base);

  GST_OBJECT_LOCK (base);
  switch (id) {
    case PROP_MODEL:
      replace_string (&priv->path, value);
      break;
    case PROP_DEVICE:
      replace_string (&priv->device, value);
      break;
    case PROP_PRECISION:
      priv->precision = g_value_get_enum (value);
      break;
    case PROP_THREADS:
      priv->threads = g_value_get_uint (value);
      break;
    case PROP_DEADLINE:
      priv->promise.wanted = g_value_get_uint64 (value);
      break;
    case PROP_BATCH:
      priv->batch = g_value_get_uint (value);
      break;
    case PROP_BATCH_DEADLINE:
      priv->batch_deadline = g_value_get_uint64 (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (base);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkBase *base = GST_ARTALK_BASE (object);
  GstArtalkBasePrivate *priv = PRIV (base);

  GST_OBJECT_LOCK (base);
  switch (id) {
    case PROP_MODEL:
      g_value_set_string (value, priv->path);
      break;
    case PROP_DEVICE:
      g_value_set_string (value, priv->device ? priv->device : "auto");
      break;
    case PROP_PRECISION:
      g_value_set_enum (value, priv->precision);
      break;
    case PROP_THREADS:
      g_value_set_uint (value, priv->threads);
      break;
    case PROP_DEADLINE:
      g_value_set_uint64 (value, priv->model ? priv->promise.time : priv->promise.wanted);
      break;
    case PROP_BATCH:
      g_value_set_uint (value, priv->batch);
      break;
    case PROP_BATCH_DEADLINE:
      g_value_set_uint64 (value, priv->batch_deadline);
      break;
    case PROP_LATENCY:
      g_value_set_uint64 (value,
          priv->delay == GST_CLOCK_TIME_NONE
              ? 0
              : priv->delay + (priv->promise.time == GST_CLOCK_TIME_NONE ? 0 : priv->promise.time));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (base);
}

static void
finalize (GObject *object)
{
  GstArtalkBasePrivate *priv = PRIV (GST_ARTALK_BASE (object));

  g_free (priv->path);
  g_free (priv->device);
  G_OBJECT_CLASS (gst_artalk_base_parent_class)->finalize (object);
}

static GstPad *
add_pad (GstArtalkBase *base, gpointer klass, const char *name)
{
  GstPad *pad = gst_pad_new_from_template (
      gst_element_class_get_pad_template (GST_ELEMENT_CLASS (klass), name), name);

  gst_element_add_pad (GST_ELEMENT (base), pad);
  return pad;
}

/* GObject calls this with the class of the instance, so the subclass's pad templates are there. */
static void
gst_artalk_base_constructed (GObject *object)
{
  GstArtalkBase *base = GST_ARTALK_BASE (object);
  GstArtalkBasePrivate *priv = PRIV (base);

  G_OBJECT_CLASS (gst_artalk_base_parent_class)->constructed (object);
  priv->sinkpad = add_pad (base, G_OBJECT_GET_CLASS (object), "sink");
  gst_pad_set_chain_function (priv->sinkpad, chain);
  gst_pad_set_event_function (priv->sinkpad, sink_event);
  priv->srcpad = add_pad (base, G_OBJECT_GET_CLASS (object), "src");
  gst_pad_set_query_function (priv->srcpad, src_query);
  gst_pad_set_event_function (priv->srcpad, src_event);
  gst_pad_use_fixed_caps (priv->srcpad);
  priv->interrupt = (GstArtalkInterrupt){ .element = GST_ELEMENT (base),
    .sinkpad = priv->sinkpad,
    .srcpad = priv->srcpad,
    .forget = forget,
    .cancel = &priv->cancel,
    .bit = CANCEL_INTERRUPT };
}

static void
gst_artalk_base_init (GstArtalkBase *base)
{
  GstArtalkBasePrivate *priv = PRIV (base);

  priv->delay = GST_CLOCK_TIME_NONE;
  gst_artalk_promise_init (&priv->promise);
  priv->batch_deadline = BATCH_DEADLINE;
}

static void
gst_artalk_base_class_init (GstArtalkBaseClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  GST_DEBUG_CATEGORY_INIT (artalkbase_debug, "artalkbase", 0, "elements that run a network");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  object_class->constructed = gst_artalk_base_constructed;
  GST_ELEMENT_CLASS (klass)->change_state = change_state;
  klass->open = open_default;
  klass->sink_event = sink_event_default;
  klass->interrupt = interrupt_default;

  g_object_class_install_property (object_class, PROP_MODEL,
      g_param_spec_string ("model", "Model",
          "Checkpoint to use: a .safetensors or .pt file, or a folder with one and its config.json "
          "(NULL: the built-in model)",
          NULL, flags));
  g_object_class_install_property (object_class, PROP_DEVICE, gst_artalk_device_param_spec ());
  g_object_class_install_property (object_class, PROP_PRECISION,
      g_param_spec_enum ("precision", "Precision", "Arithmetic of the network",
          GST_TYPE_ARTALK_PRECISION, GST_ARTALK_PRECISION_AUTO, flags));
  g_object_class_install_property (object_class, PROP_THREADS,
      g_param_spec_uint ("threads", "Threads",
          "Processor threads that a product may use (0: all that are allowed to this process)", 0,
          1024, 0, flags));
  g_object_class_install_property (object_class, PROP_DEADLINE,
      g_param_spec_uint64 ("processing-deadline", "Processing deadline",
          "Time in nanoseconds that a live stream allows for computing a window, waiting for "
          "others "
          "included (-1: a little more than what a window is measured to take here)",
          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, flags));
  g_object_class_install_property (object_class, PROP_LATENCY,
      g_param_spec_uint64 ("latency", "Latency",
          "Time in nanoseconds by which this element delays its data (0: not loaded yet)", 0,
          G_MAXUINT64, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property (object_class, PROP_BATCH,
      g_param_spec_uint ("batch", "Batch",
          "Streams of this process with the same model that may be computed together, at most (1: "
          "alone, 0: 64 on a GPU, else alone)",
          0, AM_BATCH_LIMIT, 0, flags));
  g_object_class_install_property (object_class, PROP_BATCH_DEADLINE,
      g_param_spec_uint64 ("batch-deadline", "Batch deadline",
          "Time in nanoseconds that a window waits for those of other streams, if they are "
          "computed "
          "together (0: not at all, but windows that come while others are computed are computed "
          "together next)",
          0, MOST_BATCH_DEADLINE, BATCH_DEADLINE, flags));
  gst_type_mark_as_plugin_api (GST_TYPE_ARTALK_BASE, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_ARTALK_PRECISION, 0);
}
