/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gst/gstartalkfilter.h"

G_BEGIN_DECLS

#define GST_TYPE_ARTALK_IDLE (gst_artalk_idle_get_type ())
G_DECLARE_FINAL_TYPE (GstArtalkIdle, gst_artalk_idle, GST, ARTALK_IDLE, GstArtalkFilter)

GST_ELEMENT_REGISTER_DECLARE (artalkidle);

G_END_DECLS
