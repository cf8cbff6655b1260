/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What flamemesh can make besides video: vertices. */
#pragma once

#include <gst/gst.h>

#include "models/head.h"

G_BEGIN_DECLS

/* model/x-mesh for a head of `vertices` (0: any). (transfer full) */
GstCaps *gst_flame_mesh_vertex_caps (guint vertices);

/* The sticky event `artalk-topology` of a head: its field `data` is a buffer that holds a safetensors
 * file with `faces` [F,3] and the index tensors `region.*`. NULL with `error` set. (transfer full) */
GstEvent *gst_flame_mesh_topology (const AmHead *head, GError **error);

G_END_DECLS
