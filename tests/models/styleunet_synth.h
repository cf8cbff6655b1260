/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* StyleUNets of any sizes with random weights. */
#pragma once

#include "models/weights.h"

G_BEGIN_DECLS

typedef struct
{
  size_t levels;
  size_t width[9]; /* of the U-Net at 4, 8, 16 … pixels; the decoder's are twice these */
  size_t features, style;
  const char *left_out; /* a tensor that is not there, or NULL */
  const char *grown;    /* one whose axis `axis` is too long, or NULL */
  unsigned axis;
} StyleunetSizes;

extern const StyleunetSizes styleunet_published;

/* Returns: (transfer full): the tensors, without a prefix, or NULL with @error */
AmWeights *styleunet_synth (const StyleunetSizes *sizes, GError **error);

G_END_DECLS
