/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gst/gstartalkrenderer.h"

G_BEGIN_DECLS

#define GST_TYPE_GAG_SPLAT (gst_gag_splat_get_type ())
G_DECLARE_FINAL_TYPE (GstGagSplat, gst_gag_splat, GST, GAG_SPLAT, GstArtalkRenderer)

GST_ELEMENT_REGISTER_DECLARE (gagsplat);

G_END_DECLS
