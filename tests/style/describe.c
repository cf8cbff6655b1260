/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the reference part of docs/elements.md: pads and properties of the elements named, as they are. */
#include <gst/gst.h>
#include <string.h>

/* Caps of a template, one structure a line. */
static void
print_caps (const GstCaps *caps)
{
  if (gst_caps_is_any (caps))
    g_print ("  - anything\n");
  for (guint i = 0; i < gst_caps_get_size (caps) && !gst_caps_is_any (caps); i++) {
    g_autoptr (GstCaps) one = gst_caps_copy_nth (caps, i);
    g_autofree char *text = gst_caps_to_string (one);
    g_print ("  - `%s`\n", text);
  }
}

static char *
value_text (const GValue *value)
{
  g_autofree char *text = NULL;

  if (G_VALUE_HOLDS_STRING (value))
    return g_strdup (g_value_get_string (value) != NULL ? g_value_get_string (value) : "none");
  if (G_VALUE_HOLDS_ENUM (value)) {
    GEnumClass *klass = g_type_class_peek (G_VALUE_TYPE (value));
    GEnumValue *entry = g_enum_get_value (klass, g_value_get_enum (value));
    return g_strdup (entry != NULL ? entry->value_nick : "?");
  }
  if (G_VALUE_HOLDS_UINT64 (value) && g_value_get_uint64 (value) == G_MAXUINT64)
    return g_strdup ("-1");
  if (GST_VALUE_HOLDS_ARRAY (value))
    return g_strdup ("none");
  if (G_VALUE_HOLDS_DOUBLE (value))
    return g_strdup_printf ("%g", g_value_get_double (value));
  if (G_VALUE_HOLDS_FLOAT (value))
    return g_strdup_printf ("%g", (double) g_value_get_float (value));
  text = gst_value_serialize (value);
  return g_strdup (text != NULL ? text : "none");
}

static char *
type_text (GParamSpec *spec)
{
  const struct
  {
    GType type;
    const char *word;
  } words[] = {
    { G_TYPE_STRING, "text" },
    { G_TYPE_BOOLEAN, "true, false" },
    { G_TYPE_UINT, "number" },
    { G_TYPE_UINT64, "number" },
    { GST_TYPE_ARRAY, "numbers" },
  };
  GString *text;

  if (G_IS_PARAM_SPEC_ENUM (spec)) {
    GEnumClass *klass = G_PARAM_SPEC_ENUM (spec)->enum_class;
    text = g_string_new (NULL);
    for (guint i = 0; i < klass->n_values; i++)
      g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", klass->values[i].value_nick);
    return g_string_free (text, FALSE);
  }
  if (G_IS_PARAM_SPEC_UINT (spec) && G_PARAM_SPEC_UINT (spec)->maximum != G_MAXUINT)
    return g_strdup_printf (
        "%u to %u", G_PARAM_SPEC_UINT (spec)->minimum, G_PARAM_SPEC_UINT (spec)->maximum);
  if (G_IS_PARAM_SPEC_INT (spec))
    return g_strdup_printf (
        "%d to %d", G_PARAM_SPEC_INT (spec)->minimum, G_PARAM_SPEC_INT (spec)->maximum);
  if (G_IS_PARAM_SPEC_DOUBLE (spec))
    return g_strdup_printf (
        "%g to %g", G_PARAM_SPEC_DOUBLE (spec)->minimum, G_PARAM_SPEC_DOUBLE (spec)->maximum);
  if (G_IS_PARAM_SPEC_FLOAT (spec))
    return g_strdup_printf ("%g to %g", (double) G_PARAM_SPEC_FLOAT (spec)->minimum,
        (double) G_PARAM_SPEC_FLOAT (spec)->maximum);
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++) {
    if (G_PARAM_SPEC_VALUE_TYPE (spec) == words[i].type)
      return g_strdup (words[i].word);
  }
  return g_strdup (g_type_name (G_PARAM_SPEC_VALUE_TYPE (spec)));
}

static const char *
when_text (GParamSpec *spec)
{
  if (!(spec->flags & G_PARAM_WRITABLE))
    return "read only";
  if (spec->flags & GST_PARAM_MUTABLE_PLAYING)
    return "any time";
  if (spec->flags & GST_PARAM_MUTABLE_READY)
    return "in READY";
  return "when made";
}

static void
print_properties (GObjectClass *klass)
{
  guint n;
  g_autofree GParamSpec **specs = g_object_class_list_properties (klass, &n);

  g_print ("\n| property | values | default | may change | |\n|---|---|---|---|---|\n");
  for (guint i = 0; i < n; i++) {
    const char *owner = g_type_name (specs[i]->owner_type);
    g_autofree char *type = NULL, *standard = NULL;
    if (strcmp (owner, "GstObject") == 0 || strcmp (owner, "GstBin") == 0 ||
        strcmp (owner, "GstBaseTransform") == 0)
      continue;
    type = type_text (specs[i]);
    standard = value_text (g_param_spec_get_default_value (specs[i]));
    if (strcmp (specs[i]->name, "background") == 0) {
      g_free (standard);
      standard =
          g_strdup_printf ("0x%08x", g_value_get_uint (g_param_spec_get_default_value (specs[i])));
    }
    g_print ("| `%s` | %s | %s | %s | %s |\n", specs[i]->name, type, standard, when_text (specs[i]),
        g_param_spec_get_blurb (specs[i]));
  }
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  for (int i = 1; i < argc; i++) {
    g_autoptr (GstElement) element = gst_element_factory_make (argv[i], NULL);
    GstElementClass *klass;
    if (element == NULL) {
      g_printerr ("no element %s\n", argv[i]);
      return 1;
    }
    gst_object_ref_sink (element);
    klass = GST_ELEMENT_GET_CLASS (element);
    g_print ("\n## %s\n\n%s. Klass: %s.\n\n", argv[i],
        gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_DESCRIPTION),
        gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_KLASS));
    for (GList *l = gst_element_class_get_pad_template_list (klass); l != NULL; l = l->next) {
      GstPadTemplate *t = l->data;
      g_autoptr (GstCaps) caps = gst_pad_template_get_caps (t);
      g_print ("- %s pad `%s`%s:\n", t->direction == GST_PAD_SINK ? "sink" : "source",
          t->name_template, t->presence == GST_PAD_REQUEST ? " (on request)" : "");
      print_caps (caps);
    }
    print_properties (G_OBJECT_GET_CLASS (element));
  }
  return 0;
}
