/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices by the names that users give: those of ak_device_open(), and "auto". */
#pragma once

#include <glib.h>
#include "kernels/device.h"

G_BEGIN_DECLS

/* What `device` (NULL is "auto") stands for: "auto" is "cuda" where there is a card that
 * am_device_works(), else "cpu"; other names
 * stand for themselves. A card is looked for once in a process. `*why` (may be NULL) gets why "auto" is not a card, or
 * NULL. Thread safe. */
const char *am_device_resolve (const char *device, const char **why);

/* Whether the device computes a small transformer block as the processor does (within 0.1 %), twice. */
gboolean am_device_works (AkDevice *dev);

/* Opens what `device` stands for. NULL with `error` set, which says what is missing. */
AkDevice *am_device_open (const char *device, unsigned threads, GError **error);

G_END_DECLS
