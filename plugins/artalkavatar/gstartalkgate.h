/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A gate behind a queue. An interruption shuts it: what is in the queue is dropped as it comes out, until the mark of
 * the interruption (gst/gstartalkinterrupt.h) comes out. Nothing waits, and nothing is flushed. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;
  guint32 awaited;  /* seqnum of the mark that opens it; GST_SEQNUM_INVALID: it is open */
  GstClockTime end; /* running time at which ends what went out; NONE: nothing did */
} GstArtalkGate;

void gst_artalk_gate_init (GstArtalkGate *gate);
void gst_artalk_gate_clear (GstArtalkGate *gate);

/* Puts `gate`, which has to live longer, behind `queue`. */
void gst_artalk_gate_watch (GstArtalkGate *gate, GstElement *queue);

/* Drops what comes before the mark `seqnum`; returns where what went out ends. Any thread. */
GstClockTime gst_artalk_gate_shut (GstArtalkGate *gate, guint32 seqnum);

/* In READY: opens it, and nothing went out yet. */
void gst_artalk_gate_reset (GstArtalkGate *gate);

G_END_DECLS
