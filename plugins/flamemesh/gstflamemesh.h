/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gst/gstartalkrenderer.h"
G_BEGIN_DECLS

#define GST_TYPE_FLAME_MESH (gst_flame_mesh_get_type ())
G_DECLARE_FINAL_TYPE (GstFlameMesh, gst_flame_mesh, GST, FLAME_MESH, GstArtalkRenderer)

GST_ELEMENT_REGISTER_DECLARE (flamemesh);

G_END_DECLS
