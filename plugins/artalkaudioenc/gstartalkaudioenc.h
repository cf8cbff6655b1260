/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "gst/gstartalkbase.h"

G_BEGIN_DECLS

#define GST_TYPE_ARTALK_AUDIO_ENC (gst_artalk_audio_enc_get_type ())
G_DECLARE_FINAL_TYPE (GstArtalkAudioEnc, gst_artalk_audio_enc, GST, ARTALK_AUDIO_ENC, GstArtalkBase)

GST_ELEMENT_REGISTER_DECLARE (artalkaudioenc);

G_END_DECLS
