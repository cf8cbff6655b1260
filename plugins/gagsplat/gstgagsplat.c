/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-gagsplat
 * @title: gagsplat
 * @see_also: artalkmotion, artalkavatar, flamemesh
 *
 * Moves a Gaussian avatar with each frame of motion: splats follow the posed head, a network makes a picture of
 * them. Video of the size and format that downstream asks for (512x512 if any will do; with transparency only where
 * nothing else is accepted).
 *
 * The built-in avatar needs nothing else. With `model` set to GAGAvatar.pt, `head` to FLAME_with_eye.pt and `avatars`
 * to a file of tracked people, it shows the person called `avatar`. A person is prepared in a thread of its own,
 * once; the result is kept in the user's cache folder. When `avatar` changes while playing, the old one is shown
 * until the new one is ready.
 *
 * Frames that would come too late for the sink are left out.
 *
 * On an NVIDIA card (`device`) pictures stay in its memory for elements that ask for `memory:CUDAMemory`, such as nvh264enc.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! queue ! gagsplat ! videoconvert ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=motion.gdp ! gdpdepay ! gagsplat model=GAGAvatar.pt head=FLAME_with_eye.pt avatars=tracked.pt avatar=anna.jpg ! videoconvert ! autovideosink
 * ]| Draws motion in the basis "flame", recorded with gdppay, on a tracked person.
 */
#include "gstgagsplat.h"

#include <gdk-pixbuf/gdk-pixbuf.h>

#include "gst/gstartalkmessage.h"
#include "gst/gstartalkprecision.h"
#include "gst/gstartalkvideo.h"
#include "gstgagsplatloader.h"
#include "models/device.h"
#include "models/error.h"

GST_DEBUG_CATEGORY_STATIC (gagsplat_debug);
#define GST_CAT_DEFAULT gagsplat_debug

#define DEFAULT_BACKGROUND 0xff000000u
#define MAX_WATERMARK 16384 /* pixels along a side */
#define ADVICE                                                                                     \
  "Leave out model= for the built-in avatar, or set model=, head=, avatars= and avatar= to files " \
  "and names that belong together."

enum {
  PROP_0,
  PROP_MODEL,
  PROP_AVATARS,
  PROP_AVATAR,
  PROP_BACKGROUND,
  PROP_WATERMARK,
  PROP_NOISE,
  PROP_PRECISION,
};

struct _GstGagSplat
{
  GstArtalkRenderer parent;

  /* object lock */
  char *model_path, *avatars, *avatar, *watermark;
  AmNoise noise;
  GstArtalkPrecision precision;
  guint background;

  GMutex lock; /* of the pointer below where others than the streaming thread use it */
  GstGagSplatLoader *loader;

  int tenths; /* of the preparation, last told of; the loader's thread */

  GstGagSplatLoader *ended; /* the one before, which still gives back memory; open() and later */

  /* streaming thread, from open() to close() */
  GdkPixbuf *mark; /* until there is a view */
  AmAvatar *first; /* likewise */
  AmAvatarView *view;
};

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_ARTALK_VIDEO_TEMPLATE_CAPS));

G_DEFINE_FINAL_TYPE (GstGagSplat, gst_gag_splat, GST_TYPE_ARTALK_RENDERER)
GST_ELEMENT_REGISTER_DEFINE (gagsplat, "gagsplat", GST_RANK_NONE, GST_TYPE_GAG_SPLAT)

#define TYPE_NOISE (noise_get_type ())
static GType
noise_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { AM_NOISE_FIXED, "The noise that is in the model's file: equal runs give equal pictures",
        "fixed" },
    { AM_NOISE_NONE, "None", "none" },
    { AM_NOISE_RANDOM, "New for every frame, as published", "random" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstGagSplatNoise", values));
  return type;
}

/* Drawing */

static AmAvatarView *
make_view (GstGagSplat *self, AmAvatar *avatar, const atomic_int *cancel, GError **error)
{
  AmHead *head = gst_artalk_renderer_head (GST_ARTALK_RENDERER (self));
  g_autoptr (GBytes) pixels = NULL;
  AmAvatarOptions options = { .cancel = cancel };

  GST_OBJECT_LOCK (self);
  options.noise = self->noise;
  GST_OBJECT_UNLOCK (self);
  if (self->mark) {
    pixels = gdk_pixbuf_read_pixel_bytes (self->mark);
    options.watermark = g_bytes_get_data (pixels, NULL);
    options.watermark_width = (unsigned) gdk_pixbuf_get_width (self->mark);
    options.watermark_height = (unsigned) gdk_pixbuf_get_height (self->mark);
  }
  return am_avatar_view_new (avatar, head, &options, error);
}

/* Takes the avatar that has become ready, if one has; waits only for the first. */
static gboolean
update_avatar (GstGagSplat *self, const atomic_int *cancel, GError **error)
{
  g_autoptr (AmAvatar) avatar = NULL;
  g_autoptr (GError) failure = NULL;
  gboolean taken;

  if (!self->view && !self->first && !gst_gag_splat_loader_wait (self->loader, cancel)) {
    g_set_error (error, AM_ERROR, AM_ERROR_CANCELLED, "cancelled");
    return FALSE;
  }
  taken = gst_gag_splat_loader_take (self->loader, &avatar, &failure);
  if (!self->view) {
    if (avatar) {
      g_clear_pointer (&self->first, am_avatar_unref);
      self->first = g_steal_pointer (&avatar);
    } else if (!self->first) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
    self->view = make_view (self, self->first, cancel, error);
    if (self->view)
      g_clear_pointer (&self->first, am_avatar_unref);
    return self->view != NULL;
  }
  if (!taken)
    return TRUE;
  if (!avatar || !am_avatar_view_set_avatar (self->view, avatar, &failure))
    gst_artalk_post_warning (GST_ELEMENT (self), failure, "The avatar stays as it was", NULL);
  return TRUE;
}

static gboolean
draw (GstArtalkRenderer *renderer, const float *motion, const AmPicture *picture, GError **error)
{
  GstGagSplat *self = GST_GAG_SPLAT (renderer);
  const atomic_int *cancel = gst_artalk_renderer_cancel (renderer);
  guint background;

  if (!update_avatar (self, cancel, error))
    return FALSE;
  GST_OBJECT_LOCK (self);
  background = self->background;
  GST_OBJECT_UNLOCK (self);
  am_avatar_view_set_background (self->view, background);
  return am_avatar_view_draw (self->view, motion, picture, cancel, error);
}

static void
reset (GstArtalkRenderer *renderer)
{
  GstGagSplat *self = GST_GAG_SPLAT (renderer);

  if (self->view)
    am_avatar_view_reset (self->view);
}

static void
interrupt (GstArtalkRenderer *renderer)
{
  GstGagSplat *self = GST_GAG_SPLAT (renderer);

  g_mutex_lock (&self->lock);
  if (self->loader)
    gst_gag_splat_loader_wake (self->loader);
  g_mutex_unlock (&self->lock);
}

/* Loading */

static void
tell_progress (const char *name, double done, gpointer data)
{
  GstGagSplat *self = data;
  g_autofree char *text = NULL;
  GstProgressType type;
  const int tenths = (int) (done * 10);

  if (done > 0 && done < 1 && tenths == self->tenths)
    return;
  self->tenths = tenths;
  if (done < 0) {
    type = GST_PROGRESS_TYPE_CANCELED;
    text = g_strdup_printf ("The avatar %s is not prepared", name);
  } else if (done >= 1) {
    type = GST_PROGRESS_TYPE_COMPLETE;
    text = g_strdup_printf ("The avatar %s is ready", name);
  } else {
    type = done > 0 ? GST_PROGRESS_TYPE_CONTINUE : GST_PROGRESS_TYPE_START;
    text = g_strdup_printf ("Preparing the avatar %s: %d %%", name, 10 * tenths);
  }
  gst_artalk_post_progress (GST_ELEMENT (self), type, text);
}

/* RGBA in dense rows, or NULL with `error`. */
static GdkPixbuf *
read_watermark (const char *path, GError **error)
{
  g_autoptr (GdkPixbuf) picture = NULL, dense = NULL;
  int width = 0, height = 0;

  if (gdk_pixbuf_get_file_info (path, &width, &height) &&
      (width > MAX_WATERMARK || height > MAX_WATERMARK)) {
    g_set_error (error, AM_ERROR, AM_ERROR_LIMIT, "watermark %s: %d x %d pixels, at most %d", path,
        width, height, MAX_WATERMARK);
    return NULL;
  }
  picture = gdk_pixbuf_new_from_file (path, error);
  if (!picture) {
    g_prefix_error (error, "watermark %s: ", path);
    return NULL;
  }
  dense = gdk_pixbuf_add_alpha (picture, FALSE, 0, 0, 0);
  width = gdk_pixbuf_get_width (dense);
  height = gdk_pixbuf_get_height (dense);
  if (gdk_pixbuf_get_rowstride (dense) != 4 * width) {
    g_set_error (error, AM_ERROR, AM_ERROR_FORMAT, "watermark %s: rows are not dense", path);
    return NULL;
  }
  return g_steal_pointer (&dense);
}

/* The people of `avatars`, or those beside the model in its folder. */
static AmTracked *
open_people (const char *model, const char *avatars, GError **error)
{
  g_autofree char *beside = NULL;

  if (!avatars && model && g_file_test (model, G_FILE_TEST_IS_DIR)) {
    beside = g_build_filename (model, "tracked.pt", NULL);
    if (g_file_test (beside, G_FILE_TEST_EXISTS))
      avatars = beside;
  }
  if (!avatars) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISSING,
        "this avatar model shows tracked people, and none are named: set avatars= to tracked.pt");
    return NULL;
  }
  return am_tracked_open (avatars, error);
}

/* Returns the one before. */
static GstGagSplatLoader *
set_loader (GstGagSplat *self, GstGagSplatLoader *loader)
{
  GstGagSplatLoader *old;

  g_mutex_lock (&self->lock);
  old = self->loader;
  self->loader = loader;
  g_mutex_unlock (&self->lock);
  return old;
}

static void
unload (GstArtalkRenderer *renderer)
{
  GstGagSplat *self = GST_GAG_SPLAT (renderer);
  GstGagSplatLoader *loader = set_loader (self, NULL);

  g_clear_pointer (&self->first, am_avatar_unref);
  if (loader) { /* else there is no view either */
    gst_gag_splat_loader_end (loader, g_steal_pointer (&self->view));
    self->ended = loader;
  }
  g_clear_object (&self->mark);
}

static gboolean
load (GstArtalkRenderer *renderer, AmHead *head, GError **error)
{
  GstGagSplat *self = GST_GAG_SPLAT (renderer);
  g_autofree char *device = gst_artalk_renderer_device (renderer);
  g_autofree char *path = NULL, *avatars = NULL, *avatar = NULL, *watermark = NULL;
  g_autoptr (AmAvatarModel) model = NULL;
  AmTracked *people = NULL;
  GstArtalkPrecision wanted;
  AkPrecision precision;

  GST_OBJECT_LOCK (self);
  wanted = self->precision;
  path = g_strdup (self->model_path);
  avatars = g_strdup (self->avatars);
  avatar = g_strdup (self->avatar);
  watermark = g_strdup (self->watermark);
  GST_OBJECT_UNLOCK (self);
  g_clear_pointer (&self->ended, gst_gag_splat_loader_free); /* not twice the memory */
  gst_artalk_device_log (GST_ELEMENT (self), device);
  if (!gst_artalk_precision_resolve (wanted, &precision, error))
    return FALSE;
  model = am_avatar_model_open (path, device, precision, 0, error);
  if (!model || !am_avatar_model_check_head (model, head, error))
    return FALSE;
  if (am_avatar_model_info (model)->needs_person) {
    people = open_people (path, avatars, error);
    if (!people)
      return FALSE;
  } else if (avatars) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: tracked people need another avatar model than this one: set model= to GAGAvatar.pt",
        avatars);
    return FALSE;
  }
  if (watermark && !(self->mark = read_watermark (watermark, error))) {
    am_tracked_free (people);
    return FALSE;
  }
  set_loader (self, gst_gag_splat_loader_new (model, people, tell_progress, self));
  return gst_gag_splat_loader_ask (self->loader, avatar, error);
}

/* Called without locks. Where nothing is loaded yet, open() will judge the name. */
static void
change_avatar (GstGagSplat *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  GST_OBJECT_LOCK (self);
  name = g_strdup (self->avatar);
  GST_OBJECT_UNLOCK (self);
  g_mutex_lock (&self->lock);
  if (self->loader)
    gst_gag_splat_loader_ask (self->loader, name, &error);
  g_mutex_unlock (&self->lock);
  if (error)
    gst_artalk_post_warning (GST_ELEMENT (self), error, "The avatar stays as it was",
        "Set avatar= to one of the names.");
}

/* The class */

static void
replace (char **where, const GValue *value)
{
  const char *text = g_value_get_string (value);

  g_free (*where);
  *where = text && *text ? g_strdup (text) : NULL;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstGagSplat *self = GST_GAG_SPLAT (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_MODEL:
      replace (&self->model_path, value);
      break;
    case PROP_AVATARS:
      replace (&self->avatars, value);
      break;
    case PROP_AVATAR:
      replace (&self->avatar, value);
      break;
    case PROP_BACKGROUND:
      self->background = g_value_get_uint (value);
      break;
    case PROP_WATERMARK:
      replace (&self->watermark, value);
      break;
    case PROP_NOISE:
      self->noise = g_value_get_enum (value);
      break;
    case PROP_PRECISION:
      self->precision = g_value_get_enum (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
  if (id == PROP_AVATAR)
    change_avatar (self);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstGagSplat *self = GST_GAG_SPLAT (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_MODEL:
      g_value_set_string (value, self->model_path);
      break;
    case PROP_AVATARS:
      g_value_set_string (value, self->avatars);
      break;
    case PROP_AVATAR:
      g_value_set_string (value, self->avatar);
      break;
    case PROP_BACKGROUND:
      g_value_set_uint (value, self->background);
      break;
    case PROP_WATERMARK:
      g_value_set_string (value, self->watermark);
      break;
    case PROP_NOISE:
      g_value_set_enum (value, self->noise);
      break;
    case PROP_PRECISION:
      g_value_set_enum (value, self->precision);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_gag_splat_finalize (GObject *object)
{
  GstGagSplat *self = GST_GAG_SPLAT (object);

  g_clear_pointer (&self->ended, gst_gag_splat_loader_free);
  g_free (self->model_path);
  g_free (self->avatars);
  g_free (self->avatar);
  g_free (self->watermark);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gst_gag_splat_parent_class)->finalize (object);
}

static void
gst_gag_splat_init (GstGagSplat *self)
{
  self->noise = AM_NOISE_FIXED;
  self->background = DEFAULT_BACKGROUND;
  g_mutex_init (&self->lock);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  g_object_class_install_property (object_class, PROP_MODEL,
      g_param_spec_string ("model", "Model",
          "Avatar model: GAGAvatar.pt, a .safetensors file, or a folder with one (NULL: the "
          "built-in avatar)",
          NULL, ready));
  g_object_class_install_property (object_class, PROP_AVATARS,
      g_param_spec_string ("avatars", "Avatars",
          "Tracked people: tracked.pt, a .safetensors file, or a folder of such files (NULL: "
          "tracked.pt in the model's folder)",
          NULL, ready));
  g_object_class_install_property (object_class, PROP_AVATAR,
      g_param_spec_string ("avatar", "Avatar",
          "Name of the tracked person to show, as soon as it is prepared (NULL: the only one)",
          NULL, playing));
  g_object_class_install_property (object_class, PROP_BACKGROUND,
      gst_artalk_renderer_background_spec (DEFAULT_BACKGROUND,
          "Colour behind the avatar, 0xAARRGGBB (not where the video has alpha; published models "
          "draw their own, and it shows only beside their square)"));
  g_object_class_install_property (object_class, PROP_WATERMARK,
      g_param_spec_string ("watermark", "Watermark",
          "PNG file to draw into the bottom right corner, half as wide as the picture (NULL: none)",
          NULL, ready));
  g_object_class_install_property (object_class, PROP_NOISE,
      g_param_spec_enum ("noise", "Noise", "Noise that the network adds to its picture", TYPE_NOISE,
          AM_NOISE_FIXED, ready));
  g_object_class_install_property (object_class, PROP_PRECISION,
      g_param_spec_enum ("precision", "Precision",
          "Arithmetic of the network that refines every picture", GST_TYPE_ARTALK_PRECISION,
          GST_ARTALK_PRECISION_AUTO, ready));
}

static void
gst_gag_splat_class_init (GstGagSplatClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstArtalkRendererClass *renderer_class = GST_ARTALK_RENDERER_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      gagsplat_debug, "gagsplat", 0, "motion to pictures of a Gaussian avatar");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_gag_splat_finalize;
  renderer_class->thing = "avatar";
  renderer_class->advice = ADVICE;
  renderer_class->open = load;
  renderer_class->close = unload;
  renderer_class->draw = draw;
  renderer_class->reset = reset;
  renderer_class->interrupt = interrupt;

  install_properties (object_class);
  gst_type_mark_as_plugin_api (TYPE_NOISE, 0);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Gaussian avatar renderer",
      "Filter/Converter/Video", "Moves a Gaussian avatar with each frame of motion and draws it",
      "The ARTalk elements authors");
}
