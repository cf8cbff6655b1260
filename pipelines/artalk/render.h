/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the pipeline from a speech file to the files that the options name. */
#pragma once

#include "options.h"

G_BEGIN_DECLS

/* Returns an exit status; everything has been said by then. */
int render (const Options *options);

G_END_DECLS
