/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device.h"
#include "error.h"

#include <string.h>

typedef struct
{
  AkDevice *card; /* kept, so that the streams to come open it at once */
  char *problem;
} Found;

static gpointer
look_for_card (gpointer data)
{
  Found *found = g_new0 (Found, 1);

  found->card = ak_device_open ("cuda", 0, NULL);
  if (!found->card) {
    found->problem = g_strdup (ak_device_problem ());
  } else if (!am_device_works (found->card)) {
    found->problem = g_strdup ("the card does not compute what the processor does");
    ak_device_unref (found->card);
    found->card = NULL;
  }
  return found;
}

const char *
am_device_resolve (const char *device, const char **why)
{
  static GOnce once = G_ONCE_INIT;
  const Found *found;

  if (why)
    *why = NULL;
  if (device && strcmp (device, "auto") != 0)
    return device;
  found = g_once (&once, look_for_card, NULL);
  if (why)
    *why = found->problem;
  return found->card ? "cuda" : "cpu";
}

AkDevice *
am_device_open (const char *device, unsigned threads, GError **error)
{
  const char *name = am_device_resolve (device, NULL);
  AkStatus status;
  AkDevice *dev = ak_device_open (name, threads, &status);

  if (!dev)
    g_set_error (error, AM_ERROR, status == AK_ERR_MEMORY ? AM_ERROR_MEMORY : AM_ERROR_DEVICE,
        "device \"%s\": %s", name, ak_device_problem ());
  return dev;
}
