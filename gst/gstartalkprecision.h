/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The `device` and `precision` properties that every element with a network has. */
#pragma once

#include <gst/gst.h>
#include "kernels/device.h"

G_BEGIN_DECLS

typedef enum {
  GST_ARTALK_PRECISION_AUTO,
  GST_ARTALK_PRECISION_F32,
  GST_ARTALK_PRECISION_BF16,
  GST_ARTALK_PRECISION_INT8,
} GstArtalkPrecision;

#define GST_TYPE_ARTALK_PRECISION (gst_artalk_precision_get_type ())
GType gst_artalk_precision_get_type (void);

/* The precision to open a model with; FALSE with `error` set if there is no such arithmetic. */
gboolean gst_artalk_precision_resolve (
    GstArtalkPrecision precision, AkPrecision *out, GError **error);

/* The `device` property: "auto", "cpu", "cuda" or "cuda:N". (transfer full) */
GParamSpec *gst_artalk_device_param_spec (void);

/* Where that property is "auto": one line of level INFO that says what it stands for, and why. */
void gst_artalk_device_log (GstElement *element, const char *device);

G_END_DECLS
