/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the elements speak to applications: errors of models/ as element messages, and progress. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Posts `error` as the element's error message. The user reads "WHAT: the error. ADVICE"; `what` says what
 * was tried, `advice` (may be NULL) which property helps, unless the device or the precision is what is wrong.
 * Never call it under the object lock. */
void gst_artalk_post_error (
    GstElement *element, const GError *error, const char *what, const char *advice);

/* The same as a warning: the element goes on. */
void gst_artalk_post_warning (
    GstElement *element, const GError *error, const char *what, const char *advice);

/* Posts a progress message of kind `type` with code "load". */
void gst_artalk_post_progress (GstElement *element, GstProgressType type, const char *text);

G_END_DECLS
