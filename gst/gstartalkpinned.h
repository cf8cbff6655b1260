/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host memory for pictures that a card copies into by itself: while what follows reads one buffer, the card fills the
 * next, and no thread copies. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* An allocator of such memory for what `device`, a property, stands for; NULL where that is not a card. (transfer full) */
GstAllocator *gst_artalk_pinned_allocator_new (const char *device);

/* Whether `buffer` is one memory of this allocator, which may be NULL. */
gboolean gst_artalk_is_pinned (GstBuffer *buffer, GstAllocator *allocator);

G_END_DECLS
