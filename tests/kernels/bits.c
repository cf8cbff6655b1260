/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include "kernels/bits.h"

typedef struct
{
  Pair x, y, bits; /* the bits' memory is that of floats, large enough for bytes */
} Case;

static void
record (AkPlan *plan, int plain, void *data)
{
  const Case *c = data;
  AkBits bits = { (uint8_t *) AT (c->bits), 9, 9 * 6 };
  AkRows y = ak_dense (AT (c->y), 12, 9);

  ak_bits_from_pairs (plan, bits, ak_dense (AT (c->x), 6, 18), 2, 6, 9);
  ak_bits_values (plan, y, bits, 0.25f, 2, 6, 9);
  ak_bits_from_signs (plan, bits, ak_dense (AT (c->x), 6, 18), 2, 6, 9);
  ak_bits_values (plan, ak_from (y, 6, 0), bits, 0.5f, 2, 6, 9);
}

void
check_bits (Check *t)
{
  Case c;

  c.x = check_pair (t, 2 * 6 * 18, 1);
  c.y = check_pair (t, 2 * 12 * 9, 1);
  c.bits = check_pair (t, 2 * 6 * 9, 1);
  check_run (t, "bits", record, &c);
  check_close (t, "bits", c.y, 0);
  check_free (t);
}
