/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint.h"

#include <string.h>
#include <sys/stat.h>

static guint64
fnv1a (guint64 h, const void *data, size_t n)
{
  const guint8 *p = data;

  for (size_t i = 0; i < n; i++)
    h = (h ^ p[i]) * G_GUINT64_CONSTANT (1099511628211);
  return h;
}

static int
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const AmTensor *const *) a)->name, (*(const AmTensor *const *) b)->name);
}

/* By name, so that it does not matter which kind of file holds the tensors. */
void
am_checkpoint_hash (const AmWeights *w, char out[17])
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  guint64 h = G_GUINT64_CONSTANT (14695981039346656037);

  for (size_t i = 0; i < am_weights_count (w); i++)
    g_ptr_array_add (sorted, (void *) am_weights_nth (w, i));
  g_ptr_array_sort (sorted, by_name);
  for (guint i = 0; i < sorted->len; i++) {
    const AmTensor *t = sorted->pdata[i];

    h = fnv1a (h, t->name, strlen (t->name) + 1);
    for (unsigned d = 0; d < t->n_dims; d++) {
      guint64 size = GUINT64_TO_LE (t->shape[d]);

      h = fnv1a (h, &size, sizeof size);
    }
    for (unsigned k = 0; k < 4 && t->n; k++) {
      float value;
      guint32 bits;

      am_tensor_read_f32 (t, (t->n - 1) / 3 * k, 1, &value);
      memcpy (&bits, &value, sizeof bits);
      bits = GUINT32_TO_LE (bits);
      h = fnv1a (h, &bits, sizeof bits);
    }
    am_weights_drop (w, t); /* what came in around the values */
  }
  g_snprintf (out, 17, "%016" G_GINT64_MODIFIER "x", h);
}

char *
am_file_key (const char *path)
{
  g_autofree char *full = g_canonicalize_filename (path, NULL);
  struct stat st;

  if (stat (full, &st) != 0)
    return g_steal_pointer (&full);
  return g_strdup_printf ("%s|%lld|%lld|%lld.%ld", full, (long long) st.st_ino,
      (long long) st.st_size, (long long) st.st_mtim.tv_sec, (long) st.st_mtim.tv_nsec);
}
