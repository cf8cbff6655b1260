/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gst/gstartalkbase.h"

G_BEGIN_DECLS

#define GST_TYPE_ARTALK_MOTION (gst_artalk_motion_get_type ())
G_DECLARE_FINAL_TYPE (GstArtalkMotion, gst_artalk_motion, GST, ARTALK_MOTION, GstArtalkBase)

GST_ELEMENT_REGISTER_DECLARE (artalkmotion);

G_END_DECLS
