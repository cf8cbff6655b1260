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
 * Frames that would come too late for the sink are left out.
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

#include <gst/video/gstvideometa.h>
#include <gst/video/gstvideopool.h>
#include <gst/video/video.h>

#include "gst/gstartalkcaps.h"
#include "gst/gstartalkmessage.h"
#include "gst/gstartalkprecision.h"
#include "gstflamemeshcaps.h"

GST_DEBUG_CATEGORY_STATIC (flamemesh_debug);
#define GST_CAT_DEFAULT flamemesh_debug

#define DEFAULT_BACKGROUND 0xffffffffu
#define HEAD_ADVICE                                                                                \
  "Set head= to a FLAME file (.pt or .safetensors), or leave it out for the built-in head."

enum {
  PROP_0,
  PROP_HEAD,
  PROP_SHAPE,
  PROP_SHAPE_FILE,
  PROP_SCALE,
  PROP_LOOK,
  PROP_ANTIALIAS,
  PROP_BACKGROUND,
  PROP_DEVICE,
};

struct _GstFlameMesh
{
  GstBaseTransform parent;

  /* object lock */
  char *path; /* of the head; NULL: the built-in one */
  char *device;
  GArray *shape; /* float */
  char *shape_path;
  double scale;
  AmLook look;
  gboolean antialias;
  guint background;
  gboolean changed; /* poser and view are to be made anew */

  /* streaming thread, from start() to stop() */
  AmHead *head; /* written under the object lock */
  AmPoser *poser;
  AmMeshView *view;
  float *vertices;  /* [V][3] */
  guint expression; /* of the caps */
  gboolean is_mesh; /* vertices go out, not pictures */
  gboolean told;    /* the topology went out since the last caps */
  gboolean refused; /* the last caps were refused, and that was said */
  GstVideoInfo info;
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_FLAME_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC,
    GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_FLAME_MESH_VIDEO_CAPS "; " GST_ARTALK_MESH_CAPS));

G_DEFINE_FINAL_TYPE (GstFlameMesh, gst_flame_mesh, GST_TYPE_BASE_TRANSFORM)
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
refresh (GstFlameMesh *self, GError **error)
{
  g_autoptr (GArray) shape = g_array_new (FALSE, FALSE, sizeof (float));
  g_autoptr (AmPoser) poser = NULL;
  g_autofree char *device = NULL, *shape_path = NULL;
  AmMeshView *view;
  gboolean antialias;
  guint background;
  double scale;
  AmLook look;

  GST_OBJECT_LOCK (self);
  if (self->shape->len)
    g_array_append_vals (shape, self->shape->data, self->shape->len);
  shape_path = g_strdup (self->shape_path);
  device = g_strdup (self->device);
  scale = self->scale;
  look = self->look;
  antialias = self->antialias;
  background = self->background;
  self->changed = FALSE;
  GST_OBJECT_UNLOCK (self);

  if (shape->len == 0 && shape_path) {
    size_t n;
    g_autofree float *loaded = am_shape_load (shape_path, &n, error);

    if (!loaded)
      return FALSE;
    g_array_append_vals (shape, loaded, (guint) n);
  }
  poser = am_poser_new (self->head, device, (const float *) shape->data, shape->len, scale, error);
  if (!poser)
    return FALSE;
  view = am_mesh_view_new (self->head, device, look, antialias, scale, error);
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
  if (changed && !refresh (self, &error))
    gst_artalk_post_warning (GST_ELEMENT (self), error, "The head is drawn as before", NULL);
}

static gboolean
draw (GstFlameMesh *self, GstBuffer *out, GError **error)
{
  AmPicture picture = { 0 };
  GstVideoFrame frame;
  gboolean ok;

  if (!gst_video_frame_map (&frame, &self->info, out, GST_MAP_WRITE)) {
    g_set_error (
        error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE, "cannot write to the video buffer");
    return FALSE;
  }
  gst_flame_mesh_picture (&self->info, &picture);
  for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES (&frame); i++) {
    picture.plane[i] = GST_VIDEO_FRAME_PLANE_DATA (&frame, i);
    picture.stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE (&frame, i);
  }
  ok = am_mesh_view_draw (self->view, self->vertices, &picture, error);
  gst_video_frame_unmap (&frame);
  return ok;
}

/* Once per caps, before the first frame. */
static gboolean
tell_topology (GstFlameMesh *self, GError **error)
{
  GstEvent *event;

  if (!self->is_mesh || self->told)
    return TRUE;
  event = gst_flame_mesh_topology (self->head, error);
  if (!event)
    return FALSE;
  self->told = TRUE;
  gst_pad_push_event (GST_BASE_TRANSFORM_SRC_PAD (self), event);
  return TRUE;
}

static gboolean
pose (GstFlameMesh *self, const float *motion, GstBuffer *out, GError **error)
{
  refresh_if_changed (self);
  if (!tell_topology (self, error) || !am_poser_run (self->poser, motion, self->vertices, error))
    return FALSE;
  if (!self->is_mesh)
    return draw (self, out, error);
  gst_buffer_fill (
      out, 0, self->vertices, (gsize) am_head_info (self->head)->vertices * 3 * sizeof (float));
  return TRUE;
}

static GstFlowReturn
transform (GstBaseTransform *base, GstBuffer *in, GstBuffer *out)
{
  GstFlameMesh *self = GST_FLAME_MESH (base);
  const gsize wanted = (self->expression + GST_ARTALK_POSE) * sizeof (float);
  g_autoptr (GError) error = NULL;
  GstMapInfo map;
  gboolean ok;

  if (gst_buffer_get_size (in) != wanted || !gst_buffer_map (in, &map, GST_MAP_READ)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("A buffer of motion must be one frame of %u numbers.", self->expression + GST_ARTALK_POSE),
        ("it has %" G_GSIZE_FORMAT " bytes", gst_buffer_get_size (in)));
    return GST_FLOW_ERROR;
  }
  ok = pose (self, (const float *) map.data, out, &error);
  gst_buffer_unmap (in, &map);
  if (!ok) {
    gst_artalk_post_error (GST_ELEMENT (self), error, "Cannot draw the head", NULL);
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

/* Negotiation */

static GstCaps *
transform_caps (GstBaseTransform *base, GstPadDirection direction, GstCaps *caps, GstCaps *filter)
{
  GstFlameMesh *self = GST_FLAME_MESH (base);
  GstCaps *result, *narrow;

  if (direction == GST_PAD_SINK) {
    guint vertices;

    GST_OBJECT_LOCK (self);
    vertices = self->head ? am_head_info (self->head)->vertices : 0;
    GST_OBJECT_UNLOCK (self);
    result = gst_flame_mesh_output_caps (vertices);
  } else {
    result = gst_static_pad_template_get_caps (&sink_template);
  }
  if (filter) {
    narrow = gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (result);
    result = narrow;
  }
  return result;
}

static GstCaps *
fixate_caps (GstBaseTransform *base, GstPadDirection direction, GstCaps *caps, GstCaps *othercaps)
{
  return direction == GST_PAD_SINK ? gst_flame_mesh_fixate (othercaps)
                                   : gst_caps_fixate (othercaps);
}

/* Why the head cannot be moved by motion of these caps and what to change, or NULL. (transfer full) */
static char *
misfit (const AmHeadInfo *info, const char *basis, guint expression)
{
  if (info->expressions == 0)
    return g_strdup (
        "This head has no expressions, so it cannot speak: choose head= with expression "
        "directions.");
  if (g_strcmp0 (basis, info->basis) != 0)
    return g_strdup_printf ("This head understands basis %s, the motion is %s: choose head= or "
                            "model= so that both are the same.",
        info->basis, basis);
  if (expression != info->expressions)
    return g_strdup_printf ("This head has %u expressions, the motion has %u: choose head= or "
                            "model= so that both are the same.",
        info->expressions, expression);
  return NULL;
}

/* Upstream tries the same caps again with each buffer: one error is enough. */
static gboolean
check_motion (GstFlameMesh *self, const GstCaps *caps)
{
  g_autofree char *reason = NULL;
  const char *basis;

  if (!gst_artalk_flame_parse (caps, &self->expression, &basis))
    return FALSE;
  reason = misfit (am_head_info (self->head), basis, self->expression);
  if (reason && !self->refused)
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE, ("%s", reason), ("%" GST_PTR_FORMAT, caps));
  self->refused = reason != NULL;
  return reason == NULL;
}

static gboolean
set_caps (GstBaseTransform *base, GstCaps *incaps, GstCaps *outcaps)
{
  GstFlameMesh *self = GST_FLAME_MESH (base);

  if (!self->head || !check_motion (self, incaps))
    return FALSE;
  self->told = FALSE;
  self->is_mesh = gst_structure_has_name (gst_caps_get_structure (outcaps, 0), "model/x-mesh");
  return self->is_mesh || gst_video_info_from_caps (&self->info, outcaps);
}

/* A buffer of motion is one picture, however many bytes either has. */
static gboolean
transform_size (GstBaseTransform *base, GstPadDirection direction, GstCaps *caps, gsize size,
    GstCaps *othercaps, gsize *othersize)
{
  GstFlameMesh *self = GST_FLAME_MESH (base);
  GstVideoInfo info;

  if (direction != GST_PAD_SINK || !self->head)
    return FALSE;
  if (gst_structure_has_name (gst_caps_get_structure (othercaps, 0), "model/x-mesh")) {
    *othersize = (gsize) am_head_info (self->head)->vertices * 3 * sizeof (float);
    return TRUE;
  }
  if (!gst_video_info_from_caps (&info, othercaps))
    return FALSE;
  *othersize = GST_VIDEO_INFO_SIZE (&info);
  return TRUE;
}

static gboolean
decide_allocation (GstBaseTransform *base, GstQuery *query)
{
  GstFlameMesh *self = GST_FLAME_MESH (base);
  g_autoptr (GstBufferPool) pool = NULL;
  guint size, min = 0, max = 0;
  GstStructure *config;
  gboolean offered;
  GstCaps *caps;

  gst_query_parse_allocation (query, &caps, NULL);
  if (self->is_mesh || !caps)
    return GST_BASE_TRANSFORM_CLASS (gst_flame_mesh_parent_class)->decide_allocation (base, query);

  size = GST_VIDEO_INFO_SIZE (&self->info);
  offered = gst_query_get_n_allocation_pools (query) > 0;
  if (offered) {
    gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
    size = MAX (size, GST_VIDEO_INFO_SIZE (&self->info));
  }
  if (!pool)
    pool = gst_video_buffer_pool_new ();
  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, size, min, max);
  if (gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL))
    gst_buffer_pool_config_add_option (config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  gst_buffer_pool_set_config (pool, config);
  if (offered)
    gst_query_set_nth_allocation_pool (query, 0, pool, size, min, max);
  else
    gst_query_add_allocation_pool (query, pool, size, min, max);
  return GST_BASE_TRANSFORM_CLASS (gst_flame_mesh_parent_class)->decide_allocation (base, query);
}

static gboolean
src_event (GstBaseTransform *base, GstEvent *event)
{
  gdouble rate;

  if (GST_EVENT_TYPE (event) == GST_EVENT_SEEK) {
    gst_event_parse_seek (event, &rate, NULL, NULL, NULL, NULL, NULL, NULL);
    if (rate < 0) {
      GST_INFO_OBJECT (base, "refusing to play backwards");
      gst_event_unref (event);
      return FALSE;
    }
  }
  return GST_BASE_TRANSFORM_CLASS (gst_flame_mesh_parent_class)->src_event (base, event);
}

/* Loading */

static void
set_head (GstFlameMesh *self, AmHead *head)
{
  AmHead *old;

  GST_OBJECT_LOCK (self);
  old = self->head;
  self->head = head;
  GST_OBJECT_UNLOCK (self);
  g_clear_pointer (&old, am_head_unref);
}

static gboolean
stop (GstBaseTransform *base)
{
  GstFlameMesh *self = GST_FLAME_MESH (base);

  g_clear_pointer (&self->poser, am_poser_free);
  g_clear_pointer (&self->view, am_mesh_view_free);
  g_clear_pointer (&self->vertices, g_free);
  set_head (self, NULL);
  self->told = self->refused = FALSE;
  return TRUE;
}

static gboolean
start (GstBaseTransform *base)
{
  GstFlameMesh *self = GST_FLAME_MESH (base);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;

  GST_OBJECT_LOCK (self);
  path = g_strdup (self->path);
  GST_OBJECT_UNLOCK (self);
  gst_artalk_post_progress (GST_ELEMENT (self), GST_PROGRESS_TYPE_START, "Loading the head");
  set_head (self, am_head_open (path, &error));
  if (!self->head || !refresh (self, &error)) {
    const char *advice = self->head ? NULL : HEAD_ADVICE;

    stop (base);
    gst_artalk_post_progress (
        GST_ELEMENT (self), GST_PROGRESS_TYPE_ERROR, "The head cannot be loaded");
    gst_artalk_post_error (GST_ELEMENT (self), error, "Cannot load the head", advice);
    return FALSE;
  }
  self->vertices = g_new (float, (gsize) am_head_info (self->head)->vertices * 3);
  gst_artalk_post_progress (GST_ELEMENT (self), GST_PROGRESS_TYPE_COMPLETE, "The head is loaded");
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
    case PROP_HEAD:
      text = g_value_get_string (value);
      g_free (self->path);
      self->path = text && *text ? g_strdup (text) : NULL;
      break;
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
    case PROP_DEVICE:
      text = g_value_get_string (value);
      g_free (self->device);
      self->device = g_strdup (text && *text ? text : "auto");
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  if (id != PROP_HEAD && id != PROP_DEVICE)
    self->changed = TRUE;
  GST_OBJECT_UNLOCK (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstFlameMesh *self = GST_FLAME_MESH (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_HEAD:
      g_value_set_string (value, self->path);
      break;
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
    case PROP_DEVICE:
      g_value_set_string (value, self->device);
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

  g_free (self->path);
  g_free (self->shape_path);
  g_free (self->device);
  g_array_unref (self->shape);
  G_OBJECT_CLASS (gst_flame_mesh_parent_class)->finalize (object);
}

static void
gst_flame_mesh_init (GstFlameMesh *self)
{
  self->device = g_strdup ("auto");
  self->shape = g_array_new (FALSE, FALSE, sizeof (float));
  self->scale = 1;
  self->look = AM_LOOK_AUTO;
  self->antialias = TRUE;
  self->background = DEFAULT_BACKGROUND;
  gst_video_info_init (&self->info);
  gst_base_transform_set_qos_enabled (GST_BASE_TRANSFORM (self), TRUE);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  g_object_class_install_property (object_class, PROP_HEAD,
      g_param_spec_string ("head", "Head",
          "Head to pose: a FLAME file, .pt or .safetensors (NULL: the built-in head)", NULL,
          ready));
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
      g_param_spec_uint ("background", "Background",
          "Colour behind the head, 0xAARRGGBB (not in the published look, nor where the video has "
          "alpha)",
          0, G_MAXUINT32, DEFAULT_BACKGROUND, playing));
  g_object_class_install_property (object_class, PROP_DEVICE, gst_artalk_device_param_spec ());
}

static void
gst_flame_mesh_class_init (GstFlameMeshClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *base_class = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (flamemesh_debug, "flamemesh", 0, "motion to pictures of a mesh");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_flame_mesh_finalize;
  base_class->transform = transform;
  base_class->transform_caps = transform_caps;
  base_class->fixate_caps = fixate_caps;
  base_class->set_caps = set_caps;
  base_class->transform_size = transform_size;
  base_class->decide_allocation = decide_allocation;
  base_class->src_event = src_event;
  base_class->start = start;
  base_class->stop = stop;

  install_properties (object_class);
  gst_type_mark_as_plugin_api (TYPE_LOOK, 0);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Head mesh renderer",
      "Filter/Converter/Video",
      "Poses a head with each frame of motion and draws it, or hands on its vertices",
      "The ARTalk elements authors");
}
