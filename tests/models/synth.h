/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reproducible pseudo-random weights from a short list, so that tests of whole networks need no large
 * files. The list (manifest) is JSON:
 *
 *   {"format": "synth-weights-1", "salt": 0, "tensors": [
 *     {"name": "w", "dtype": "F32", "shape": [2,3], "rule": "uniform", "base": 0, "scale": 0.5}, ...]}
 *
 * dtype is F32 or I64. Rules:
 *   uniform      base, scale: see synth_uniform()
 *   constant     value
 *   level_index  patch_nums: level k, patch_nums[k] times, for all k
 *   level_mask   patch_nums, prev: [1,1,L,prev+L]: 0 in the first prev columns and where the level of
 *                the row is at least that of the column, else -inf
 *   half_mask    n: [1,1,2n,2n]: 0, but -inf for the first n rows in the last n columns
 *   sinusoid     width: [1,N,width]: sin (p f), cos (p f) alternating, f = 10000^(-2k/width)
 */
#pragma once

#include "models/weights.h"

G_BEGIN_DECLS

/* synth_uniform:
 * Elements @first .. @first + @count - 1 of the tensor @name: base + scale * u, rounded once to float.
 * u in [-1, 1) has 24 bits and comes from SplitMix64, seeded with the FNV-1a hash of "SALT:NAME".
 * @out: [count] */
void synth_uniform (float *out, size_t first, size_t count, guint64 salt, const char *name,
    float base, float scale);

/* synth_write:
 * @manifest: path of the list
 * @salt: another set of weights from the same list; negative: the list's own
 * @out: the safetensors file to make; written block by block, whatever its size
 * @metadata: (nullable): key, value, ..., NULL
 *
 * Returns: FALSE with @error */
gboolean synth_write (const char *manifest, gint64 salt, const char *out,
    const char *const *metadata, GError **error);

/* synth_open:
 * As synth_write() to a file that is gone as soon as it is open.
 * Returns: (transfer full): the tensors, or NULL with @error */
AmWeights *synth_open (
    const char *manifest, gint64 salt, const char *const *metadata, GError **error);

G_END_DECLS
