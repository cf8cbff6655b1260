/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer: any bytes are a .pt file. What opens is read from end to end. */
#include <stdint.h>
#include <string.h>

#include "models/pickle.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* touch: reads @v and what is below, to a depth */
static unsigned
touch (const AmValue *v, unsigned depth, unsigned *steps)
{
  unsigned sum = am_value_kind (v);
  const guint8 *bytes = am_value_bytes (v);

  for (size_t i = 0; bytes && i < am_value_size (v); i++)
    sum += bytes[i];
  for (size_t i = 0; depth < 8 && am_value_item (v, i) && *steps < 1000; i++) {
    ++*steps;
    sum += touch (am_value_item (v, i), depth + 1, steps);
  }
  (void) am_value_get (v, "model");
  return sum;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (AmWeights) w = am_weights_open_bytes ("fuzz", bytes, &error);
  unsigned steps = 0;

  g_assert ((w == NULL) == (error != NULL));
  if (w == NULL) {
    g_assert (strchr (error->message, '\n') == NULL);
    return 0;
  }
  for (size_t i = 0; i < am_weights_count (w); i++) {
    const AmTensor *t = am_weights_nth (w, i);

    g_assert (am_weights_find (w, t->name) == t);
    g_free (am_tensor_to_f32 (t));
    g_free (am_tensor_to_i64 (t));
  }
  if (am_weights_root (w))
    (void) touch (am_weights_root (w), 0, &steps);
  return 0;
}
