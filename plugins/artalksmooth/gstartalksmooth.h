/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gst/gstartalkfilter.h"

G_BEGIN_DECLS

#define GST_TYPE_ARTALK_SMOOTH (gst_artalk_smooth_get_type ())
G_DECLARE_FINAL_TYPE (GstArtalkSmooth, gst_artalk_smooth, GST, ARTALK_SMOOTH, GstArtalkFilter)

GST_ELEMENT_REGISTER_DECLARE (artalksmooth);

G_END_DECLS
