/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-flamemesh
 * @title: flamemesh
 * @see_also: artalkmotion, artalkavatar
 *
 * Poses a head with each frame of motion and draws it as shaded video, in the size and format that
 * downstream asks for (512x512 if any will do; with transparency only where nothing else is accepted).
 * Where downstream wants model/x-mesh it hands on the vertices instead, in metres, after a sticky event
 * `artalk-topology` whose field `data` is a buffer with a safetensors file: `faces` and `region.*`.
 *
 * In the coloured look the opening of the lips lights teeth and tongue, where the head names the regions `inner_lip_upper` and
 * `inner_lip_lower`.
 *
 * Frames that would come too late for the sink are left out.
 *
 * On an NVIDIA card (`device`) pictures stay in its memory for elements that ask for `memory:CUDAMemory`, such as nvh264enc.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! queue ! flamemesh background=0xff203040 ! video/x-raw,width=720,height=720 ! videoconvert ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=motion.gdp ! gdpdepay ! flamemesh ! videoconvert ! autovideosink
 * ]| Draws motion that was recorded with gdppay.
 */
#include "gstflamemesh.h"

#include "gst/gstartalkcaps.h"
#include "gst/gstartalkmessage.h"
#include "gst/gstartalkprecision.h"
#include "gst/gstartalkvideo.h"
#include "gstflamemeshcaps.h"

GST_DEBUG_CATEGORY_STATIC (flamemesh_debug);
#define GST_CAT_DEFAULT flamemesh_debug

#define DEFAULT_BACKGROUND 0xffe8eaeeu /* a pale wall; the same in RGB and in both YUV matrices */

enum {
  PROP_0,
  PROP_SHAPE,
  PROP_SHAPE_FILE,
  PROP_SCALE,
  PROP_LOOK,
  PROP_ANTIALIAS,
  PROP_BACKGROUND,
};

struct _GstFlameMesh
{
  GstArtalkRenderer parent;

  /* object lock */
  GArray *shape; /* float */
  char *shape_path;
  double scale;
  AmLook look;
  gboolean antialias;
  guint background;
  gboolean changed; /* poser and view are to be made anew */

  /* streaming thread, from open() to close() */
  AmPoser *poser;
  AmMeshView *view;
  float *vertices; /* [V][3] */
  gboolean told;   /* the topology went out since the last caps */
};

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC,
    GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_VIDEO_TEMPLATE_CAPS "; " GST_ARTALK_MESH_CAPS));

G_DEFINE_FINAL_TYPE (GstFlameMesh, gst_flame_mesh, GST_TYPE_ARTALK_RENDERER)
GST_ELEMENT_REGISTER_DEFINE (flamemesh, "flamemesh", GST_RANK_NONE, GST_TYPE_FLAME_MESH)

#define TYPE_LOOK (look_get_type ())
static GType
look_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { AM_LOOK_AUTO, "Coloured if the head has colours, else as published", "auto" },
    { AM_LOOK_COLOR, "Colours of the head, smooth shading, anti-aliased edges", "color" },
    { AM_LOOK_PUBLISHED, "The published flat blue-grey on white, exactly", "published" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstFlameMeshLook", values));
  return type;
}

/* Drawing */

/* Makes poser and view for the properties as they are now, keeping the old ones if that fails. */
static gboolean
refresh (GstFlameMesh *self, AmHead *head, GError **error)
{
  g_autoptr (GArray) shape = g_array_new (FALSE, FALSE, sizeof (float));
  g_autoptr (AmPoser) poser = NULL;
  g_autofree char *device = gst_artalk_renderer_device (GST_ARTALK_RENDERER (self));
  g_autofree char *shape_path = NULL;
  AmMeshView *view;
  gboolean antialias;
  guint background;
  double scale;
  AmLook look;

  GST_OBJECT_LOCK (self);
  if (self->shape->len)
    g_array_append_vals (shape, self->shape->data, self->shape->len);
  shape_path = g_strdup (self->shape_path);
  scale = self->scale;
  look = self->look;
  antialias = self->antialias;
  background = self->background;
  self->changed = FALSE;
  GST_OBJECT_UNLOCK (self);

  if (shape->len == 0 && shape_path) {
    size_t n;
    g_autofree float *loaded = am_shape_load (shape_path, &n, error);

    if (!loaded) {
      g_prefix_error (error, "shape-file ");
      return FALSE;
    }
    g_array_append_vals (shape, loaded, (guint) n);
  }
  poser = am_poser_new (head, device, (const float *) shape->data, shape->len, scale, error);
  if (!poser)
    return FALSE;
  view = am_mesh_view_new (head, device, look, antialias, scale, error);
  if (!view)
    return FALSE;
  am_mesh_view_set_background (view, background);
  g_clear_pointer (&self->poser, am_poser_free);
  g_clear_pointer (&self->view, am_mesh_view_free);
  self->poser = g_steal_pointer (&poser);
  self->view = view;
  return TRUE;
}

static void
refresh_if_changed (GstFlameMesh *self)
{
  g_autoptr (GError) error = NULL;
  gboolean changed;

  GST_OBJECT_LOCK (self);
  changed = self->changed;
  GST_OBJECT_UNLOCK (self);
  if (changed && !refresh (self, gst_artalk_renderer_head (GST_ARTALK_RENDERER (self)), &error))
    gst_artalk_post_warning (GST_ELEMENT (self), error, "The head is drawn as before", NULL);
}

static gboolean
draw (GstArtalkRenderer *renderer, const float *motion, const AmPicture *picture, GError **error)
{
  GstFlameMesh *self = GST_FLAME_MESH (renderer);

  refresh_if_changed (self);
  return am_mesh_view_draw_motion (self->view, self->poser, motion, picture, error);
}

static gsize
vertices_size (GstArtalkRenderer *renderer)
{
  AmHead *head = gst_artalk_renderer_head (renderer);

  return (gsize) am_head_info (head)->vertices * 3 * sizeof (float);
}

/* Once per caps, before the first frame. */
static gboolean
tell_topology (GstFlameMesh *self, GError **error)
{
  GstEvent *event;

  if (self->told)
    return TRUE;
  event = gst_flame_mesh_topology (gst_artalk_renderer_head (GST_ARTALK_RENDERER (self)), error);
  if (!event)
    return FALSE;
  self->told = TRUE;
  gst_pad_push_event (GST_BASE_TRANSFORM_SRC_PAD (self), event);
  return TRUE;
}

static gboolean
fill (GstArtalkRenderer *renderer, const float *motion, GstBuffer *out, GError **error)
{
  GstFlameMesh *self = GST_FLAME_MESH (renderer);

  refresh_if_changed (self);
  if (!tell_topology (self, error) || !am_poser_run (self->poser, motion, self->vertices, error))
    return FALSE;
  gst_buffer_fill (out, 0, self->vertices, vertices_size (renderer));
  return TRUE;
}

/* Negotiation */

static GstCaps *
output_caps (GstArtalkRenderer *renderer, const AmHeadInfo *info)
{
  GstCaps *caps = gst_artalk_video_caps ();

  gst_caps_append (caps, gst_flame_mesh_vertex_caps (info ? info->vertices : 0));
  return caps;
}

static gboolean
set_caps (GstBaseTransform *base, GstCaps *incaps, GstCaps *outcaps)
{
  GST_FLAME_MESH (base)->told = FALSE;
  return GST_BASE_TRANSFORM_CLASS (gst_flame_mesh_parent_class)->set_caps (base, incaps, outcaps);
}

static gboolean
transform_size (GstBaseTransform *base, GstPadDirection direction, GstCaps *caps, gsize size,
    GstCaps *othercaps, gsize *othersize)
{
  GstArtalkRenderer *renderer = GST_ARTALK_RENDERER (base);

  if (direction != GST_PAD_SINK || !gst_artalk_renderer_head (renderer))
    return FALSE;
  if (!gst_structure_has_name (gst_caps_get_structure (othercaps, 0), "model/x-mesh"))
    return GST_BASE_TRANSFORM_CLASS (gst_flame_mesh_parent_class)
        ->transform_size (base, direction, caps, size, othercaps, othersize);
  *othersize = vertices_size (renderer);
  return TRUE;
}

/* Loading */

static void
unload (GstArtalkRenderer *renderer)
{
  GstFlameMesh *self = GST_FLAME_MESH (renderer);

  g_clear_pointer (&self->poser, am_poser_free);
  g_clear_pointer (&self->view, am_mesh_view_free);
  g_clear_pointer (&self->vertices, g_free);
  self->told = FALSE;
}

static gboolean
load (GstArtalkRenderer *renderer, AmHead *head, GError **error)
{
  GstFlameMesh *self = GST_FLAME_MESH (renderer);
  g_autofree char *device = gst_artalk_renderer_device (renderer);

  gst_artalk_device_log (GST_ELEMENT (self), device);
  if (!refresh (self, head, error))
    return FALSE;
  self->vertices = g_new (float, (gsize) am_head_info (head)->vertices * 3);
  return TRUE;
}

/* The class */

static void
set_shape (GstFlameMesh *self, const GValue *value)
{
  g_array_set_size (self->shape, 0);
  for (guint i = 0; i < gst_value_array_get_size (value); i++) {
    float x = g_value_get_float (gst_value_array_get_value (value, i));

    g_array_append_val (self->shape, x);
  }
}

static void
get_shape (GstFlameMesh *self, GValue *value)
{
  for (guint i = 0; i < self->shape->len; i++) {
    GValue x = G_VALUE_INIT;

    g_value_init (&x, G_TYPE_FLOAT);
    g_value_set_float (&x, g_array_index (self->shape, float, i));
    gst_value_array_append_and_take_value (value, &x);
  }
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstFlameMesh *self = GST_FLAME_MESH (object);
  const char *text;

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SHAPE:
      set_shape (self, value);
      break;
    case PROP_SHAPE_FILE:
      text = g_value_get_string (value);
      g_free (self->shape_path);
      self->shape_path = text && *text ? g_strdup (text) : NULL;
      break;
    case PROP_SCALE:
      self->scale = g_value_get_double (value);
      break;
    case PROP_LOOK:
      self->look = g_value_get_enum (value);
      break;
    case PROP_ANTIALIAS:
      self->antialias = g_value_get_boolean (value);
      break;
    case PROP_BACKGROUND:
      self->background = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  self->changed = TRUE;
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstFlameMesh *self = GST_FLAME_MESH (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_SHAPE:
      get_shape (self, value);
      break;
    case PROP_SHAPE_FILE:
      g_value_set_string (value, self->shape_path);
      break;
    case PROP_SCALE:
      g_value_set_double (value, self->scale);
      break;
    case PROP_LOOK:
      g_value_set_enum (value, self->look);
      break;
    case PROP_ANTIALIAS:
      g_value_set_boolean (value, self->antialias);
      break;
    case PROP_BACKGROUND:
      g_value_set_uint (value, self->background);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_flame_mesh_finalize (GObject *object)
{
  GstFlameMesh *self = GST_FLAME_MESH (object);

  g_free (self->shape_path);
  g_array_unref (self->shape);
  G_OBJECT_CLASS (gst_flame_mesh_parent_class)->finalize (object);
}

static void
gst_flame_mesh_init (GstFlameMesh *self)
{
  self->shape = g_array_new (FALSE, FALSE, sizeof (float));
  self->scale = 1;
  self->look = AM_LOOK_AUTO;
  self->antialias = TRUE;
  self->background = DEFAULT_BACKGROUND;
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  g_object_class_install_property (object_class, PROP_SHAPE,
      gst_param_spec_array ("shape", "Shape",
          "Identity of the head: coefficients of its shape directions, the missing ones are 0",
          g_param_spec_float ("coefficient", "Coefficient", "One coefficient", -100, 100, 0,
              G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS),
          playing));
  g_object_class_install_property (object_class, PROP_SHAPE_FILE,
      g_param_spec_string ("shape-file", "Shape file",
          "The same from a file (.pt or .safetensors) with one tensor, or one called shape; used "
          "while shape is empty",
          NULL, playing));
  g_object_class_install_property (object_class, PROP_SCALE,
      g_param_spec_double ("scale", "Scale",
          "Factor on the vertices; the camera moves back by the same", 0.01, 100, 1, playing));
  g_object_class_install_property (object_class, PROP_LOOK,
      g_param_spec_enum (
          "look", "Look", "How the head is drawn", TYPE_LOOK, AM_LOOK_AUTO, playing));
  g_object_class_install_property (object_class, PROP_ANTIALIAS,
      g_param_spec_boolean (
          "antialias", "Anti-aliasing", "Smooth edges (not in the published look)", TRUE, playing));
  g_object_class_install_property (object_class, PROP_BACKGROUND,
      gst_artalk_renderer_background_spec (DEFAULT_BACKGROUND,
          "Colour behind the head, 0xAARRGGBB (not in the published look, nor where the video has "
          "alpha)"));
}

static void
gst_flame_mesh_class_init (GstFlameMeshClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base_class = GST_BASE_TRANSFORM_CLASS (klass);
  GstArtalkRendererClass *renderer_class = GST_ARTALK_RENDERER_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (flamemesh_debug, "flamemesh", 0, "motion to pictures of a mesh");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_flame_mesh_finalize;
  base_class->set_caps = set_caps;
  base_class->transform_size = transform_size;
  renderer_class->thing = "head";
  renderer_class->open = load;
  renderer_class->close = unload;
  renderer_class->draw = draw;
  renderer_class->output_caps = output_caps;
  renderer_class->fill = fill;

  install_properties (object_class);
  gst_type_mark_as_plugin_api (TYPE_LOOK, 0);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Head mesh renderer",
      "Filter/Converter/Video",
      "Poses a head with each frame of motion and draws it, or hands on its vertices",
      "The ARTalk elements authors");
}
