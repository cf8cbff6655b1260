/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_ARTALK_AVATAR (gst_artalk_avatar_get_type ())
G_DECLARE_FINAL_TYPE (GstArtalkAvatar, gst_artalk_avatar, GST, ARTALK_AVATAR, GstBin)

GST_ELEMENT_REGISTER_DECLARE (artalkavatar);

G_END_DECLS
