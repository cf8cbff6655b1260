/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How artalkavatar is interrupted: its three queues are cut at once, sound and pictures together, and the application
 * is told how much was heard. */
#pragma once

#include "gstartalkgate.h"

G_BEGIN_DECLS

typedef struct
{
  GstElement *bin;
  GstPad *input; /* where sound comes in; belongs to the bin */
  GstArtalkGate sound, frames,
      audio; /* behind the queues before the networks, before the renderer, of audio_src */

  GMutex lock;
  guint32 seqnum;           /* of the last interruption */
  GstEvent *mark;           /* goes before the next data, or NULL */
  GstClockTime at;          /* running time of the last interruption, or NONE */
  GstClockTime from, until; /* running times of the sound since; NONE: none came */
  GstClockTime latency;     /* of the pipeline */
  int rate;                 /* of the sound; 0: not known yet */
  gboolean stamps;          /* there was an interruption: sound without times is given some */
  GstClockTime next;        /* that of the next sound without one; NONE: it is the first */
} GstArtalkCut;

/* `input` belongs to `bin`, and both live longer. */
void gst_artalk_cut_init (GstArtalkCut *cut, GstElement *bin);
void gst_artalk_cut_clear (GstArtalkCut *cut);
/* Watches sound come in at `input`, a sink pad that belongs to the bin. */
void gst_artalk_cut_watch_input (GstArtalkCut *cut, GstPad *input);
/* Listens for interruptions at a pad of the bin. */
void gst_artalk_cut_listen (GstArtalkCut *cut, GstPad *pad);

/* Takes `event` and returns TRUE if it is an interruption. Any thread. */
gboolean gst_artalk_cut_event (GstArtalkCut *cut, GstEvent *event);

/* In READY: nothing was heard and nothing interrupted. */
void gst_artalk_cut_reset (GstArtalkCut *cut);

G_END_DECLS
