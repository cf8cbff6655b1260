/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DINOv2 and the fusion of its levels (model spec, section 10): a picture to a map of features. */
#pragma once

#include "load.h"
#include "tap.h"

G_BEGIN_DECLS

typedef struct _AmDino AmDino; /* weights, owned by their part */

/* All from the tensors' shapes; `base_model.*` of the part. `heads`: of the attention, 0 for width / 64. */
AmDino *am_dino_load (AmPart *part, unsigned heads);
void am_dino_free (AmDino *w);

size_t am_dino_width (const AmDino *w);         /* of the global feature */
size_t am_dino_features (const AmDino *w);      /* channels of the map */
size_t am_dino_features_side (const AmDino *w); /* of the square map */

/* One picture on its way. */
typedef struct _AmDinoRun AmDinoRun;

/* `image`: [height][width][3], 0..1; results: `features` [side · side] rows, `global` one row. All device
 * memory; scratch comes from `room`, a plan that lives as long as the run (NULL after an error of it).
 * Taps as in golden/avatar/README.md, without "base.", channels last. */
AmDinoRun *am_dino_run_new (const AmDino *w, AkPlan *room, float *image, size_t height,
    size_t width, AkRows features, AkRows global, AmTaps *taps);
void am_dino_run_free (AmDinoRun *run);

/* The work is cut into stages, so that whoever runs them one after the other can say how far it is:
 * records number `stage` < am_dino_stages() of them. */
unsigned am_dino_stages (const AmDino *w);
void am_dino_record (AmDinoRun *run, AkPlan *plan, unsigned stage);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmDino, am_dino_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AmDinoRun, am_dino_run_free)

G_END_DECLS
