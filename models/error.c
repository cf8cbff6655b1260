/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

G_DEFINE_QUARK (am_error, am_error)

gboolean
am_error_from_status (AkStatus status, const char *what, GError **error)
{
  AmError code = AM_ERROR_DEVICE;

  if (status == AK_OK)
    return TRUE;
  if (status == AK_ERR_MEMORY)
    code = AM_ERROR_MEMORY;
  else if (status == AK_CANCELLED)
    code = AM_ERROR_CANCELLED;
  else if (status == AK_ERR_ARG)
    code = AM_ERROR_SHAPE;
  g_set_error (error, AM_ERROR, code, "%s: %s", what, ak_status_text (status));
  return FALSE;
}

char *
am_text_for_message (const char *s, size_t n)
{
  GString *out = g_string_new ("\"");

  for (size_t i = 0; i < n; i++) {
    guchar c = (guchar) s[i];

    if (out->len > 80) {
      g_string_append (out, "...");
      break;
    }
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
      g_string_append_printf (out, "\\x%02x", c);
    else
      g_string_append_c (out, (char) c);
  }
  g_string_append_c (out, '"');
  return g_string_free (out, FALSE);
}
