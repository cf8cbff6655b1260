/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling where one stream ends and the next begins. Called by event functions, before the event is
 * stored in the pad. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Whether `event` (STREAM_START) begins another stream than the one that `pad` had so far. */
gboolean gst_artalk_is_new_stream (GstPad *pad, GstEvent *event);

/* Whether timestamps mean another time after `event` (SEGMENT) than they did so far on `pad`; a segment that only
 * ends elsewhere goes on. */
gboolean gst_artalk_is_new_timeline (GstPad *pad, GstEvent *event);

/* Whether `event` (any) is a seek that would play backwards, which networks with a past cannot; says so in the log
 * of `object`. */
gboolean gst_artalk_is_backward_seek (GstObject *object, GstEvent *event);

G_END_DECLS
