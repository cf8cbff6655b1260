/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer: any bytes are a safetensors file. What opens must survive being written again. */
#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "models/safetensors.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
same (const AmTensor *a, const AmTensor *b)
{
  g_assert (b != NULL && a->dtype == b->dtype && a->n_dims == b->n_dims && a->n == b->n);
  g_assert (memcmp (a->shape, b->shape, a->n_dims * sizeof *a->shape) == 0);
  g_assert (a->n == 0 || memcmp (a->data, b->data, a->bytes) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static char *path; /* for the life of the program */
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (AmWeights) w = am_weights_open_bytes ("fuzz", bytes, &error);
  g_autoptr (AmWeights) again = NULL;
  g_autoptr (GArray) tensors = NULL;

  g_assert ((w == NULL) == (error != NULL));
  g_assert (error == NULL || strchr (error->message, '\n') == NULL);
  if (w == NULL || am_weights_root (w))
    return 0;
  if (path == NULL)
    path = g_strdup_printf ("%s/artalk-fuzz-%d", g_get_tmp_dir (), (int) getpid ());
  tensors = g_array_new (FALSE, FALSE, sizeof (AmTensor));
  for (size_t i = 0; i < am_weights_count (w); i++)
    g_array_append_vals (tensors, am_weights_nth (w, i), 1);
  g_assert (
      am_safetensors_write (path, (const AmTensor *) tensors->data, tensors->len, NULL, NULL));
  again = am_weights_open (path, NULL);
  g_unlink (path);
  g_assert (again != NULL && am_weights_count (again) == tensors->len);
  for (size_t i = 0; i < tensors->len; i++)
    same (am_weights_nth (w, i), am_weights_find (again, am_weights_nth (w, i)->name));
  return 0;
}
