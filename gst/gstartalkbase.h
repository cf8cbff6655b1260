/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the elements that run a network window by window share: the model and its properties, loading,
 * cancelling, and the answer to LATENCY queries. */
#pragma once

#include <stdatomic.h>

#include "gstartalkinterrupt.h"
#include "gstartalkprecision.h"
#include "models/model.h"

G_BEGIN_DECLS

#define GST_TYPE_ARTALK_BASE (gst_artalk_base_get_type ())
G_DECLARE_DERIVABLE_TYPE (GstArtalkBase, gst_artalk_base, GST, ARTALK_BASE, GstElement)

typedef struct _GstArtalkBasePrivate GstArtalkBasePrivate;

struct _GstArtalkBaseClass
{
  GstElementClass parent_class;

  /* Opens the model that the properties name; NULL with `error` set. Default: am_model_open(). An
   * element overrides it to follow its neighbour where `path` is NULL. */
  AmModel *(*open) (GstArtalkBase *base, const char *path, const char *device,
      AkPrecision precision, unsigned threads, GError **error);
  /* Makes the stream's state for `model`. READY to PAUSED, before any data, or from the streaming thread
   * when the model is changed. FALSE with `error` unset: the element has posted a message that says why. */
  gboolean (*start) (GstArtalkBase *base, AmModel *model, GError **error);
  /* Frees it. No data flows. May be called without start(). */
  void (*stop) (GstArtalkBase *base);
  /* Forgets everything heard so far. Streaming thread. */
  void (*reset) (GstArtalkBase *base);
  /* The same after an interruption: caps and segment stay, and what comes without a time belongs to the running time
   * `time` (may be NONE) or later. Default: reset(). */
  void (*interrupt) (GstArtalkBase *base, GstClockTime time);
  /* How long data wait in this element, computing aside. */
  GstClockTime (*delay) (GstArtalkBase *base, const AmModelInfo *info);
  /* Wall-clock time in ns of one window on a state of its own, or 0 if it failed. Any thread. */
  GstClockTime (*measure) (AmModel *model, const AmBatching *batching, const atomic_int *cancel);
  GstFlowReturn (*chain) (GstArtalkBase *base, GstBuffer *buffer);
  /* Serialised and other downstream events; takes `event`. Default: gst_pad_event_default(). */
  gboolean (*sink_event) (GstArtalkBase *base, GstEvent *event);
};

/* Streaming thread, or states in which no data flow. */
GstPad *gst_artalk_base_sink_pad (GstArtalkBase *base);
GstPad *gst_artalk_base_src_pad (GstArtalkBase *base);
AmModel *gst_artalk_base_model (GstArtalkBase *base);

/* Whether the `model` property names one. */
gboolean gst_artalk_base_has_path (GstArtalkBase *base);

/* Loads the model again (open(), start()); posts an error and returns FALSE if that fails. */
gboolean gst_artalk_base_reload (GstArtalkBase *base);

/* How the stream's windows are to be computed with others: `batch` and `batch-deadline`. Any thread. */
void gst_artalk_base_batching (GstArtalkBase *base, AmBatching *batching);

/* The flag for the model functions: not 0 from FLUSH_START to FLUSH_STOP, while stopping, and when interrupted. */
const atomic_int *gst_artalk_base_cancel (GstArtalkBase *base);

/* Call around each window's work, with the time of gst_artalk_base_begin(): raises the promised latency of a
 * live stream if the work took longer than `processing-deadline`. The element that ends the work on a window also says
 * which times it held, `pts` (else NONE) and `duration`: it judges the work of all on the window together, and whether
 * that falls behind the stream. */
gint64 gst_artalk_base_begin (GstArtalkBase *base);
void gst_artalk_base_end (
    GstArtalkBase *base, gint64 begun, GstClockTime pts, GstClockTime duration);

/* For the sink pad of an element that ends the work on windows. */
gboolean gst_artalk_base_sink_query (GstPad *pad, GstObject *parent, GstQuery *query);

/* What chain returns after a model function has set `error`: FLUSHING if it was cancelled, else ERROR after
 * posting it. */
GstFlowReturn gst_artalk_base_failed (
    GstArtalkBase *base, const GError *error, const char *what, const char *advice);

G_END_DECLS
