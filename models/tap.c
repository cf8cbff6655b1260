/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tap.h"

struct _AmTaps
{
  GArray *list;
};

static void
tap_clear (gpointer tap)
{
  g_free (((AmTap *) tap)->name);
}

AmTaps *
am_taps_new (void)
{
  AmTaps *taps = g_new0 (AmTaps, 1);

  taps->list = g_array_new (FALSE, TRUE, sizeof (AmTap));
  g_array_set_clear_func (taps->list, tap_clear);
  return taps;
}

void
am_taps_free (AmTaps *taps)
{
  if (!taps)
    return;
  g_array_unref (taps->list);
  g_free (taps);
}

size_t
am_taps_count (const AmTaps *taps)
{
  return taps->list->len;
}

const AmTap *
am_taps_nth (const AmTaps *taps, size_t i)
{
  return &g_array_index (taps->list, AmTap, i);
}

/* Takes `name`. */
static AkRows
add (AmTaps *taps, AkPlan *plan, size_t rows, size_t cols, char *name)
{
  AmTap tap = { name, ak_plan_memory (plan, MAX (rows * cols, 1) * sizeof (float)), rows, cols };

  g_array_append_val (taps->list, tap);
  return ak_dense (tap.data, rows, cols);
}

AkRows
am_tap_new (AmTaps *taps, AkPlan *plan, size_t rows, size_t cols, const char *format, ...)
{
  va_list args;
  char *name;

  if (!taps)
    return (AkRows){ 0 };
  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  return add (taps, plan, rows, cols, name);
}

void
am_tap_rows (AkPlan *plan, AkRows tap, size_t first, AkRows from, size_t rows, size_t cols)
{
  if (tap.data)
    ak_copy (plan, ak_from (tap, first, 0), from, 1, rows, cols);
}

void
am_tap (AmTaps *taps, AkPlan *plan, AkRows from, size_t rows, size_t cols, const char *format, ...)
{
  va_list args;
  char *name;

  if (!taps)
    return;
  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  am_tap_rows (plan, add (taps, plan, rows, cols, name), 0, from, rows, cols);
}

void
am_tap_bits (AmTaps *taps, AkPlan *plan, AkBits from, size_t rows, size_t cols, const char *name)
{
  if (taps)
    ak_bits_values (plan, add (taps, plan, rows, cols, g_strdup (name)), from, 1, 1, rows, cols);
}
