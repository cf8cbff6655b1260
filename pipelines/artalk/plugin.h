/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The elements that the program is made of. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Makes sure that GStreamer knows them: where it does not look into the folder that they were installed into with the
 * program, that is looked into. */
gboolean plugin_find (GError **error);

G_END_DECLS
