/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstartalkprecision.h"
#include "models/device.h"
#include "models/error.h"

#include <string.h>

GType
gst_artalk_precision_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_ARTALK_PRECISION_AUTO, "The best that costs nothing that can be seen", "auto" },
    { GST_ARTALK_PRECISION_F32, "32-bit floating point", "f32" },
    { GST_ARTALK_PRECISION_BF16,
        "bfloat16 weights, half the memory; products too where the processor has them", "bf16" },
    { GST_ARTALK_PRECISION_INT8, "Refused: no network here has it", "int8" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstArtalkPrecision", values));
  return type;
}

gboolean
gst_artalk_precision_resolve (GstArtalkPrecision precision, AkPrecision *out, GError **error)
{
  switch (precision) {
    case GST_ARTALK_PRECISION_INT8:
      g_set_error (error, AM_ERROR, AM_ERROR_DEVICE,
          "precision int8 is not supported: choose auto, f32 or bf16");
      return FALSE;
    case GST_ARTALK_PRECISION_BF16:
      *out = AK_BF16;
      return TRUE;
    default:
      *out = AK_F32;
      return TRUE;
  }
}

GParamSpec *
gst_artalk_device_param_spec (void)
{
  return g_param_spec_string ("device", "Device",
      "Where to compute: auto, cpu, cuda or cuda:N (auto takes a GPU if there is one that works)",
      "auto", G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
}

void
gst_artalk_device_log (GstElement *element, const char *device)
{
  const char *why, *name;

  if (strcmp (device, "auto") != 0)
    return;
  name = am_device_resolve (device, &why);
  if (why)
    GST_INFO_OBJECT (element, "device=auto is %s: %s", name, why);
  else
    GST_INFO_OBJECT (element, "device=auto is %s", name);
}
