/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bsq.h"

#include <math.h>

#include "kernels/norm.h"
#include "kernels/resize.h"

size_t
am_bsq_first (const AmConfig *config, unsigned s)
{
  size_t first = 0;

  while (s--)
    first += config->scales[s];
  return first;
}

static AkBits
bits_from (AkBits bits, size_t row)
{
  bits.data += row * bits.row;
  return bits;
}

static AkRows
tokens (AkPlan *plan, const AmConfig *c, size_t batch, size_t rows)
{
  return ak_dense (
      ak_plan_memory (plan, batch * rows * c->code_dim * sizeof (float)), rows, c->code_dim);
}

/* `values`: [batch][scales[s]][K]; f = [f +] factor * linear (values, T). */
static void
add_values (AkPlan *plan, const AmConfig *c, AkRows f, AkRows values, unsigned s, float factor,
    gboolean accumulate, size_t batch)
{
  ak_resize (plan, &(AkResize){ .y = f,
                       .x = values,
                       .mode = AK_RESIZE_LINEAR,
                       .batch = batch,
                       .in_rows = c->scales[s],
                       .out_rows = c->frames,
                       .cols = c->code_dim,
                       .factor = factor,
                       .accumulate = accumulate });
}

void
am_bsq_encode (AkPlan *plan, const AmConfig *c, AkBits bits, AkRows r, size_t batch, AmTaps *taps)
{
  AkRows z = tokens (plan, c, batch, c->frames),
         tap = am_tap_new (taps, plan, c->tokens, c->code_dim, "z");
  float value = (float) (1 / sqrt (c->code_dim));

  for (unsigned s = 0; s < c->n_scales; s++) {
    size_t n = c->scales[s], first = am_bsq_first (c, s);
    AkRows zs = ak_dense (z.data, n, c->code_dim);

    ak_resize (plan, &(AkResize){ .y = zs,
                         .x = r,
                         .mode = AK_RESIZE_AREA,
                         .batch = batch,
                         .in_rows = c->frames,
                         .out_rows = n,
                         .cols = c->code_dim,
                         .factor = 1 });
    ak_unit_norm (
        plan, &(AkUnitNorm){
                  .y = zs, .x = zs, .batch = batch, .rows = n, .heads = 1, .dim = c->code_dim });
    am_tap_rows (plan, tap, first, zs, n, c->code_dim);
    ak_bits_from_signs (plan, bits_from (bits, first), zs, batch, n, c->code_dim);
    if (s + 1 == c->n_scales)
      break; /* what is left over is not used */
    ak_bits_values (plan, zs, bits_from (bits, first), value, batch, n, c->code_dim);
    add_values (plan, c, r, zs, s, -1, TRUE, batch);
  }
}

void
am_bsq_add (AkPlan *plan, const AmConfig *c, AkRows f, AkBits bits, unsigned s, size_t batch)
{
  AkRows values = tokens (plan, c, batch, c->scales[s]);

  ak_bits_values (plan, values, bits_from (bits, am_bsq_first (c, s)),
      (float) (1 / sqrt (c->code_dim)), batch, c->scales[s], c->code_dim);
  add_values (plan, c, f, values, s, 1, s > 0, batch);
}

void
am_bsq_sum (AkPlan *plan, const AmConfig *c, AkRows f, AkRows feats, AkBits bits, size_t batch)
{
  for (unsigned s = 0; s < c->n_scales; s++) {
    am_bsq_add (plan, c, f, bits, s, batch);
    if (feats.data && s + 1 < c->n_scales)
      ak_resize (plan, &(AkResize){ .y = ak_from (feats, am_bsq_first (c, s + 1) - c->scales[0], 0),
                           .x = f,
                           .mode = AK_RESIZE_AREA,
                           .batch = batch,
                           .in_rows = c->frames,
                           .out_rows = c->scales[s + 1],
                           .cols = c->code_dim,
                           .factor = 1 });
  }
}
