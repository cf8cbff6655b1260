/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The style encoder (model spec, section 5): a clip of motion to a condition. */
#pragma once

#include "config.h"
#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmStyle AmStyle; /* weights, owned by their part */

AmStyle *am_style_network_load (AmPart *part, const AmConfig *config);
void am_style_network_free (AmStyle *w);

/* Records `clip` [batch][frames][motion_dim] to `y`, one row [AR width] per batch item: the embedded
 * style before guidance. Taps "style/encoded", "style/embedded". */
void am_style_network_record (const AmStyle *w, AkPlan *plan, AkRows y, AkRows clip, size_t batch,
    size_t frames, AmTaps *taps);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmStyle, am_style_network_free)

G_END_DECLS
