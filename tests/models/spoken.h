/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a model makes of speech, and how far two such results are apart: for what lower precision or another device
 * changes. */
#pragma once

#include "models/model.h"

G_BEGIN_DECLS

#define SPOKEN_LIP_LIMIT 0.1 /* mm, mean: what can be seen */

typedef struct
{
  GArray *bits;   /* float, of all windows */
  GArray *motion; /* float, [frames][motion_dim], smoothed */
  size_t each;    /* bits of a window */
} Spoken;

/* Runs the model over all `samples` (float). FALSE with `error` set; `r` is to be cleared in any case. */
gboolean spoken_run (Spoken *r, AmModel *model, const GArray *samples, GError **error);
void spoken_clear (Spoken *r);

/* Per cent of the first `n` bits that are equal. */
double spoken_equal (const Spoken *a, const Spoken *b, size_t n);

/* Root mean square of the difference of the motion, as a part of its size. */
double spoken_error (const Spoken *a, const Spoken *b);

/* Mean and largest distance of the lips' vertices in mm; FALSE where the built-in head does not fit the motion. */
gboolean spoken_lips (
    const AmModelInfo *info, const Spoken *a, const Spoken *b, double *mean, double *worst);

G_END_DECLS
