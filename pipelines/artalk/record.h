/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes what flows through a pad into a safetensors file, frame by frame. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _Record Record;

/* Records motion/x-flame: tensor "motion" [frames,106] float32; metadata "channels" (names, separated by
 * commas; expression channels without a name are called expression0, …), "basis" and "framerate".
 * `head`: the file that names the channels, NULL for the built-in one. Errors while streaming are posted
 * by `pipeline`. */
Record *record_motion (GstPad *pad, GstElement *pipeline, const char *path, const char *head);

/* Records model/x-mesh: "vertices" [frames,V,3] float32, and the tensors of its artalk-topology event. */
Record *record_mesh (GstPad *pad, GstElement *pipeline, const char *path);

/* Ends a recording and frees it; streaming must have stopped. With `keep` the file appears under its
 * name, else nothing is left. Returns FALSE with `error` set if it cannot be written or has no frames. */
gboolean record_close (Record *record, gboolean keep, GError **error);

G_END_DECLS
