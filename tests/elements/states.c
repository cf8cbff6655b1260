/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every element of the plugin goes up and down twice, and takes each property twice. */
#include <gst/base/gstbasetransform.h>

#include "testharness.h"

/* Some value other than the default, and then the default again. */
static void
set_twice (GObject *object, GParamSpec *pspec)
{
  GValue value = G_VALUE_INIT, array = G_VALUE_INIT;

  g_value_init (&value, pspec->value_type);
  for (guint i = 0; i < 4; i++) {
    const gboolean other = i % 2 == 0;

    if (G_IS_PARAM_SPEC_STRING (pspec)) {
      g_value_set_string (&value, other ? "something" : G_PARAM_SPEC_STRING (pspec)->default_value);
    } else if (GST_IS_PARAM_SPEC_ARRAY_LIST (pspec)) {
      g_value_init (&array, G_TYPE_FLOAT);
      g_value_set_float (&array, 0.5);
      if (other)
        gst_value_array_append_value (&value, &array);
      else
        g_value_reset (&value);
      g_value_unset (&array);
    } else if (G_IS_PARAM_SPEC_BOOLEAN (pspec)) {
      g_value_set_boolean (&value, other != G_PARAM_SPEC_BOOLEAN (pspec)->default_value);
    } else if (G_IS_PARAM_SPEC_ENUM (pspec)) {
      g_value_set_enum (&value, other ? G_PARAM_SPEC_ENUM (pspec)->enum_class->maximum
                                      : G_PARAM_SPEC_ENUM (pspec)->default_value);
    } else if (G_IS_PARAM_SPEC_FLOAT (pspec)) {
      g_value_set_float (&value,
          other ? G_PARAM_SPEC_FLOAT (pspec)->minimum : G_PARAM_SPEC_FLOAT (pspec)->default_value);
    } else {
      GValue number = G_VALUE_INIT;

      g_value_init (&number, G_TYPE_INT);
      g_value_set_int (&number, 3);
      if (!other || !g_value_transform (&number, &value))
        g_param_value_set_default (pspec, &value);
      g_value_unset (&number);
    }
    g_object_set_property (object, pspec->name, &value);
  }
  g_value_unset (&value);
}

static void
check_element (const char *name)
{
  GstElement *element = gst_object_ref_sink (gst_element_factory_make (name, NULL));
  g_autofree GParamSpec **specs = NULL;
  g_autoptr (GstBus) bus = gst_bus_new ();
  guint n;

  gst_element_set_bus (element, bus);
  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
  for (guint i = 0; i < n; i++) {
    GParamSpec *s = specs[i];

    if (s->owner_type == GST_TYPE_OBJECT || s->owner_type == GST_TYPE_BIN ||
        !(s->flags & G_PARAM_WRITABLE))
      continue;
    set_twice (G_OBJECT (element), s);
    fail_unless (s->flags & (GST_PARAM_MUTABLE_READY | GST_PARAM_MUTABLE_PLAYING) ||
                     g_type_is_a (GST_TYPE_BASE_TRANSFORM, s->owner_type),
        "%s: when may %s be set?", name, s->name);
    fail_unless (g_param_spec_get_blurb (s) != NULL);
  }
  for (guint i = 0; i < 2; i++) {
    static const GstState states[] = { GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING,
      GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_NULL };

    for (guint k = 0; k < G_N_ELEMENTS (states); k++)
      fail_unless (gst_element_set_state (element, states[k]) != GST_STATE_CHANGE_FAILURE,
          "%s cannot be in %s", name, gst_element_state_get_name (states[k]));
  }
  gst_element_set_bus (element, NULL);
  gst_bus_set_flushing (bus, TRUE); /* messages hold references */
  ASSERT_OBJECT_REFCOUNT (element, name, 1);
  gst_object_unref (element);
}

GST_START_TEST (test_all)
{
  GList *features = gst_registry_get_feature_list_by_plugin (gst_registry_get (), "artalk");
  guint n = 0;

  for (GList *f = features; f; f = f->next) {
    if (GST_IS_ELEMENT_FACTORY (f->data)) {
      check_element (GST_OBJECT_NAME (f->data));
      n++;
    }
  }
  fail_unless (n >= 5, "only %u elements", n);
  gst_plugin_feature_list_free (features);
}
GST_END_TEST

static Suite *
states_suite (void)
{
  Suite *s = suite_create ("states");
  TCase *c = tcase_create ("general");

  suite_add_tcase (s, c);
  tcase_add_test (c, test_all);
  return s;
}

GST_CHECK_MAIN (states)
