/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkmessage.h"
#include "models/error.h"

static int
resource_code (const GError *error)
{
  if (error->domain != AM_ERROR)
    return GST_RESOURCE_ERROR_FAILED;
  switch ((AmError) error->code) {
    case AM_ERROR_OPEN:
      return GST_RESOURCE_ERROR_OPEN_READ;
    case AM_ERROR_FORMAT:
    case AM_ERROR_REFUSED:
    case AM_ERROR_MISSING:
    case AM_ERROR_SHAPE:
      return GST_RESOURCE_ERROR_READ;
    case AM_ERROR_DEVICE:
      return GST_RESOURCE_ERROR_NOT_FOUND;
    case AM_ERROR_MEMORY:
      return GST_RESOURCE_ERROR_NO_SPACE_LEFT;
    case AM_ERROR_WRITE:
      return GST_RESOURCE_ERROR_WRITE;
    default:
      return GST_RESOURCE_ERROR_FAILED;
  }
}

static void
post (GstElement *element, GstMessageType type, const GError *error, const char *what,
    const char *advice)
{
  if (g_error_matches (error, AM_ERROR, AM_ERROR_DEVICE))
    advice = NULL; /* it is about other properties than the one at fault, which the error names */
  gst_element_message_full (element, type, GST_RESOURCE_ERROR, resource_code (error),
      g_strdup_printf (
          "%s: %s.%s%s", what, error->message, advice ? " " : "", advice ? advice : ""),
      g_strdup_printf ("%s %d: %s", g_quark_to_string (error->domain), error->code, error->message),
      __FILE__, G_STRFUNC, __LINE__);
}

void
gst_artalk_post_error (
    GstElement *element, const GError *error, const char *what, const char *advice)
{
  post (element, GST_MESSAGE_ERROR, error, what, advice);
}

void
gst_artalk_post_warning (
    GstElement *element, const GError *error, const char *what, const char *advice)
{
  post (element, GST_MESSAGE_WARNING, error, what, advice);
}

void
gst_artalk_post_progress (GstElement *element, GstProgressType type, const char *text)
{
  gst_element_post_message (
      element, gst_message_new_progress (GST_OBJECT (element), type, "load", text));
}
