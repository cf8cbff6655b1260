/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells how far the work is: one line that is redrawn on a terminal, a line now and then elsewhere. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _Progress Progress;

/* Draws nothing at all if `quiet`. */
Progress *progress_new (gboolean quiet);
void progress_free (Progress *progress);

/* What is being done before there are frames ("loading the model"). */
void progress_say (Progress *progress, const char *what);

/* `done` frames of `total` (0 if that is not known). Called several times a second. */
void progress_show (Progress *progress, guint64 done, guint64 total);

/* Takes the line off the terminal, so that something else can be printed. */
void progress_clear (Progress *progress);

/* Seconds since progress_new(). */
double progress_elapsed (const Progress *progress);

G_END_DECLS
