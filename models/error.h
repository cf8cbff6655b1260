/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error domain of models/. Messages are one line and say which file or tensor, and why. */
#pragma once

#include <glib.h>
#include "kernels/device.h"

G_BEGIN_DECLS

#define AM_ERROR (am_error_quark ())
GQuark am_error_quark (void);

typedef enum {
  AM_ERROR_OPEN,   /* the file cannot be opened or read */
  AM_ERROR_FORMAT, /* the file is damaged or of another kind */
  AM_ERROR_REFUSED, /* the file asks for something that is never done (runs code, leaves the archive) */
  AM_ERROR_MISSING, /* a tensor or a key that is needed is not there */
  AM_ERROR_SHAPE,   /* a tensor or setting has an unexpected size or type */
  AM_ERROR_DEVICE,  /* the device is not there, or failed */
  AM_ERROR_MEMORY,
  AM_ERROR_CANCELLED, /* the cancel flag was seen */
  AM_ERROR_WRITE,     /* a file cannot be written */
  AM_ERROR_LIMIT,     /* larger or deeper than this program's stated limits */
  AM_ERROR_CONFIG,    /* a value in a configuration is absent, of the wrong kind or out of range */
  AM_ERROR_MISMATCH,  /* two good things that do not belong together */
} AmError;

/* Turns `status` into an error of this domain ("WHAT: phrase"); returns TRUE if there was none. */
gboolean am_error_from_status (AkStatus status, const char *what, GError **error);

/* At most 80 bytes of s (n of them) in quotes, on one line and harmless in a terminal; transfer full. */
char *am_text_for_message (const char *s, size_t n);

G_END_DECLS
