/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plugin `artalk`: its elements, registered. */
#include <gst/gst.h>

#include "artalkaudioenc/gstartalkaudioenc.h"
#include "artalkavatar/gstartalkavatar.h"
#include "artalkidle/gstartalkidle.h"
#include "artalkmotion/gstartalkmotion.h"
#include "artalksmooth/gstartalksmooth.h"
#include "flamemesh/gstflamemesh.h"
#include "gagsplat/gstgagsplat.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  return GST_ELEMENT_REGISTER (artalkaudioenc, plugin) &&
         GST_ELEMENT_REGISTER (artalkmotion, plugin) &&
         GST_ELEMENT_REGISTER (artalksmooth, plugin) && GST_ELEMENT_REGISTER (artalkidle, plugin) &&
         GST_ELEMENT_REGISTER (flamemesh, plugin) && GST_ELEMENT_REGISTER (gagsplat, plugin) &&
         GST_ELEMENT_REGISTER (artalkavatar, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, artalk, "Talking heads from speech",
    plugin_init, PACKAGE_VERSION, "LGPL", "artalk", "Unknown package origin")
