/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-artalkavatar
 * @title: artalkavatar
 * @see_also: artalkaudioenc, artalkmotion, artalksmooth, artalkidle, flamemesh, gagsplat
 *
 * Speech in, talking head out: all elements in a row, with the queues between them that keep capture from
 * waiting for the networks and pictures from waiting for the next window. The children are called
 * `audioenc`, `motion`, `smooth`, `idle` and `renderer`; their properties are set as in
 * `artalkavatar smooth::fix-pose=true`. The renderer is flamemesh or, with `renderer=splat` or where an avatar is
 * named, gagsplat; set that before the renderer's own properties.
 *
 * While nobody speaks the face lives on (#GstArtalkAvatar:idle); in a live pipeline pictures come on time also while
 * no sound does. A custom event `artalk-interrupt`, out of band at the sink pad or upstream at a source pad, ends
 * what is being said at once: what waits in the queues is dropped, sound and pictures together, and an element message
 * `artalk-interrupted` tells how much was heard.
 *
 * The request pad `audio_src` gives the input audio, cut to the segment and queued as long as the video
 * takes, so that it can go to the same muxer or player.
 *
 * Any format, rate and number of channels will do; more than two channels must say where they stand (`channel-mask`),
 * for else nobody, audioconvert included, knows how to mix them.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! artalkavatar name=a ! videoconvert ! autovideosink a.audio_src ! audioconvert ! autoaudiosink
 * ]|
 * |[
 * gst-launch-1.0 autoaudiosrc ! artalkavatar style=lively ! videoconvert ! autovideosink
 * ]| Speaks after you.
 * |[
 * gst-launch-1.0 autoaudiosrc ! artalkavatar latency-mode=low ! videoconvert ! autovideosink
 * ]| The same, sooner: windows overlap, for which more is computed.
 * |[
 * gst-launch-1.0 filesrc location=speech.wav ! decodebin ! artalkavatar renderer=splat ! videoconvert ! autovideosink
 * ]| The built-in Gaussian avatar.
 * |[
 * gst-launch-1.0 playbin uri=file:///speech.ogg flags=audio+vis vis-plugin=artalkavatar
 * ]|
 */
#include "gstartalkavatar.h"

#include <gst/audio/audio.h>

#include "gst/gstartalkcuda.h"
#include "gstartalkcut.h"

GST_DEBUG_CATEGORY_STATIC (artalkavatar_debug);
#define GST_CAT_DEFAULT artalkavatar_debug

/* The video that an encoder after this bin may hold back (x264enc: look-ahead, B-frames and one frame
 * per thread), during which audio has to wait. */
#define ENCODER_DELAY (8 * GST_SECOND)
#define MIN_INPUT_TIME (1 * GST_SECOND)
#define NORMAL_DELAY 4 /* frames that artalksmooth waits for */
#define LOW_DELAY 2

typedef enum {
  RENDERER_AUTO,
  RENDERER_MESH,
  RENDERER_SPLAT,
} Renderer;

typedef enum {
  LATENCY_NORMAL,
  LATENCY_LOW,
} LatencyMode;

enum {
  PROP_0,
  PROP_MODEL,
  PROP_AVATAR_MODEL,
  PROP_AVATARS,
  PROP_AVATAR,
  PROP_HEAD,
  PROP_STYLE,
  PROP_RENDERER,
  PROP_LATENCY_MODE,
  PROP_IDLE,
  PROP_SEED,
};

struct _GstArtalkAvatar
{
  GstBin parent;

  /* children; NULL if the element is not installed */
  GstElement *tee, *input, *convert, *resample;
  GstElement *audioenc, *motion, *smooth, *idle, *frames, *renderer;
  GstElement *audio; /* queue of audio_src, while that is requested; a weak pointer */
  GstPad *srcpad;
  GstArtalkCut cut;
  const char *missing; /* a factory that is not there, or NULL */
  const char *drawing; /* the renderer's factory */

  /* object lock */
  Renderer wanted;
  LatencyMode latency_mode;
  char *model, *avatar_model, *avatars, *avatar, *head;
};

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS ("audio/x-raw"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
        GST_STATIC_CAPS ("video/x-raw" GST_ARTALK_CUDA_ONLY (
            "; video/x-raw(" GST_ARTALK_CUDA_FEATURE ")") "; model/x-mesh"));
static GstStaticPadTemplate audio_src_template = GST_STATIC_PAD_TEMPLATE (
    "audio_src", GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS ("audio/x-raw"));

G_DEFINE_FINAL_TYPE (GstArtalkAvatar, gst_artalk_avatar, GST_TYPE_BIN)
GST_ELEMENT_REGISTER_DEFINE (artalkavatar, "artalkavatar", GST_RANK_NONE, GST_TYPE_ARTALK_AVATAR)

#define TYPE_RENDERER (renderer_get_type ())
static GType
renderer_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { RENDERER_AUTO, "splat if avatar-model, avatars or avatar is set, else mesh", "auto" },
    { RENDERER_MESH, "Shaded mesh (flamemesh)", "mesh" },
    { RENDERER_SPLAT, "Gaussian splats (gagsplat)", "splat" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstArtalkAvatarRenderer", values));
  return type;
}

#define TYPE_LATENCY_MODE (latency_mode_get_type ())
static GType
latency_mode_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { LATENCY_NORMAL, "Whole windows, smoothed as published", "normal" },
    { LATENCY_LOW, "Windows that overlap, smoothed with what is there: sooner, for more computing",
        "low" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstArtalkAvatarLatencyMode", values));
  return type;
}

/* Children */

static GstElement *
add (GstArtalkAvatar *self, const char *factory, const char *name)
{
  GstElement *child = gst_element_factory_make (factory, name);

  if (child)
    gst_bin_add (GST_BIN (self), child);
  else
    self->missing = factory;
  return child;
}

/* A queue that is limited by time only. */
static GstElement *
add_queue (GstArtalkAvatar *self, const char *name, GstClockTime time)
{
  GstElement *queue = add (self, "queue", name);

  if (queue)
    g_object_set (queue, "max-size-buffers", 0, "max-size-bytes", 0, "max-size-time", time, NULL);
  return queue;
}

static void
set_if_there (GstElement *child, const char *property, const char *value)
{
  if (child && g_object_class_find_property (G_OBJECT_GET_CLASS (child), property))
    g_object_set (child, property, value, NULL);
}

/* What the mode means for the children. */
static void
set_latency_mode (GstArtalkAvatar *self, LatencyMode mode)
{
  GST_OBJECT_LOCK (self);
  self->latency_mode = mode;
  GST_OBJECT_UNLOCK (self);
  if (self->missing)
    return;
  g_object_set (
      self->audioenc, "hop", mode == LATENCY_LOW ? G_MAXUINT64 : G_GUINT64_CONSTANT (0), NULL);
  g_object_set (self->smooth, "delay", mode == LATENCY_LOW ? LOW_DELAY : NORMAL_DELAY, NULL);
}

/* Tells a new renderer the properties that are meant for it. */
static void
configure_renderer (GstArtalkAvatar *self)
{
  g_autofree char *head = NULL, *model = NULL, *avatars = NULL, *avatar = NULL;

  GST_OBJECT_LOCK (self);
  head = g_strdup (self->head);
  model = g_strdup (self->avatar_model);
  avatars = g_strdup (self->avatars);
  avatar = g_strdup (self->avatar);
  GST_OBJECT_UNLOCK (self);
  set_if_there (self->renderer, "head", head);
  set_if_there (self->renderer, "model", model);
  set_if_there (self->renderer, "avatars", avatars);
  set_if_there (self->renderer, "avatar", avatar);
}

static gboolean
link_renderer (GstArtalkAvatar *self)
{
  g_autoptr (GstPad) src = NULL;

  if (!gst_element_link (self->frames, self->renderer))
    return FALSE;
  src = gst_element_get_static_pad (self->renderer, "src");
  return gst_ghost_pad_set_target (GST_GHOST_PAD (self->srcpad), src);
}

/* Puts the renderer that the properties ask for in the place of the one there is. */
static gboolean
choose_renderer (GstArtalkAvatar *self)
{
  const char *factory;
  GstElement *renderer;
  gboolean splat;

  GST_OBJECT_LOCK (self);
  splat = self->wanted == RENDERER_SPLAT ||
          (self->wanted == RENDERER_AUTO && (self->avatar_model || self->avatars || self->avatar));
  GST_OBJECT_UNLOCK (self);
  factory = splat ? "gagsplat" : "flamemesh";
  if (g_strcmp0 (self->drawing, factory) == 0)
    return TRUE;
  renderer = gst_element_factory_make (factory, NULL);
  if (!renderer) {
    GST_ELEMENT_ERROR (self, CORE, MISSING_PLUGIN,
        ("There is no element %s here: %s.", factory,
            splat ? "leave out avatar-model, avatars and avatar, and set renderer=mesh"
                  : "install it"),
        (NULL));
    return FALSE;
  }
  gst_ghost_pad_set_target (GST_GHOST_PAD (self->srcpad), NULL);
  gst_element_set_state (self->renderer, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (self), self->renderer);
  gst_object_set_name (GST_OBJECT (renderer), "renderer");
  gst_bin_add (GST_BIN (self), renderer);
  self->renderer = renderer;
  self->drawing = factory;
  configure_renderer (self);
  return link_renderer (self);
}

/* Queues */

static GstClockTime
latency_of (GstElement *child)
{
  guint64 latency = 0;

  g_object_get (child, "latency", &latency, NULL);
  return latency;
}

/* In playbin the queue that audio waits in belongs to playsink and holds a second, which may be less than
 * a window: audio would fill it, and neither sink would ever get a first buffer. */
static void
widen_player_queue (GstArtalkAvatar *self, GstClockTime time)
{
  GstObject *player = gst_object_get_parent (GST_OBJECT (self));
  GstElement *queue = NULL;
  guint64 has;

  while (player && g_strcmp0 (G_OBJECT_TYPE_NAME (player), "GstPlaySink") != 0) {
    GstObject *next = gst_object_get_parent (player);

    gst_object_unref (player);
    player = next;
  }
  if (player)
    queue = gst_bin_get_by_name (GST_BIN (player), "aqueue");
  if (queue) {
    g_object_get (queue, "max-size-time", &has, NULL);
    if (has < time)
      g_object_set (queue, "max-size-time", time, "max-size-buffers", 0, "max-size-bytes", 0, NULL);
    gst_object_unref (queue);
  }
  gst_clear_object (&player);
}

/* Once the model is loaded: every queue as long as its task needs. */
static void
size_queues (GstArtalkAvatar *self)
{
  const GstClockTime window = latency_of (self->audioenc); /* at least */
  const GstClockTime all = window + latency_of (self->motion);

  g_object_set (self->input, "max-size-time", MAX (window, MIN_INPUT_TIME), NULL);
  g_object_set (self->frames, "max-size-time", 2 * window, NULL);
  if (self->audio)
    g_object_set (self->audio, "max-size-time", 2 * all + ENCODER_DELAY, NULL);
  widen_player_queue (self, 2 * all + GST_SECOND);
}

static GstStateChangeReturn
change_state (GstElement *element, GstStateChange transition)
{
  GstArtalkAvatar *self = GST_ARTALK_AVATAR (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_NULL_TO_READY && self->missing) {
    GST_ELEMENT_ERROR (self, CORE, MISSING_PLUGIN,
        ("The element %s is not installed: artalkavatar needs it.", self->missing), (NULL));
    return GST_STATE_CHANGE_FAILURE;
  }
  if ((transition == GST_STATE_CHANGE_NULL_TO_READY ||
          transition == GST_STATE_CHANGE_READY_TO_PAUSED) &&
      !choose_renderer (self))
    return GST_STATE_CHANGE_FAILURE;
  ret = GST_ELEMENT_CLASS (gst_artalk_avatar_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && ret != GST_STATE_CHANGE_FAILURE)
    size_queues (self);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    gst_artalk_cut_reset (&self->cut);
  return ret;
}

/* Interruptions that are sent to the bin itself; the rest as in any bin. */
static gboolean
send_event (GstElement *element, GstEvent *event)
{
  if (gst_artalk_cut_event (&GST_ARTALK_AVATAR (element)->cut, event))
    return TRUE;
  return GST_ELEMENT_CLASS (gst_artalk_avatar_parent_class)->send_event (element, event);
}

/* audio_src */

/* While somebody takes the audio, the networks, which hear 16 kHz, must not choose its rate. */
static GstPadProbeReturn
leave_rate_open (GstPad *pad, GstPadProbeInfo *probe, gpointer user_data)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (probe);
  g_autoptr (GstCaps) caps = NULL;
  GstCaps *filter;

  if (GST_QUERY_TYPE (query) != GST_QUERY_CAPS || !GST_ARTALK_AVATAR (user_data)->audio)
    return GST_PAD_PROBE_OK;
  gst_query_parse_caps (query, &filter);
  caps = gst_static_pad_template_get_caps (&sink_template);
  if (filter) {
    GstCaps *narrow = gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST);

    gst_caps_unref (caps);
    caps = narrow;
  }
  gst_query_set_caps_result (query, caps);
  return GST_PAD_PROBE_HANDLED;
}

/* Cuts audio to its segment, so that it begins and ends where the video does. */
static GstPadProbeReturn
clip_audio (GstPad *pad, GstPadProbeInfo *probe, gpointer unused)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  g_autoptr (GstEvent) event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  GstAudioInfo info;
  GstBuffer *buffer;

  if (!caps || !event || !gst_audio_info_from_caps (&info, caps))
    return GST_PAD_PROBE_OK;
  gst_event_parse_segment (event, &segment);
  if (segment->format != GST_FORMAT_TIME ||
      !GST_BUFFER_PTS_IS_VALID (GST_PAD_PROBE_INFO_BUFFER (probe)))
    return GST_PAD_PROBE_OK;
  buffer = gst_audio_buffer_clip (GST_PAD_PROBE_INFO_BUFFER (probe), segment, info.rate, info.bpf);
  GST_PAD_PROBE_INFO_DATA (probe) = buffer;
  return buffer ? GST_PAD_PROBE_OK : GST_PAD_PROBE_HANDLED;
}

static GstPad *
request_new_pad (
    GstElement *element, GstPadTemplate *template, const char *name, const GstCaps *caps)
{
  GstArtalkAvatar *self = GST_ARTALK_AVATAR (element);
  g_autoptr (GstPad) target = NULL;
  GstPad *pad;

  if (self->audio || !self->tee)
    return NULL;
  g_set_weak_pointer (&self->audio, add_queue (self, "audio", ENCODER_DELAY));
  if (!self->audio)
    return NULL;
  target = gst_element_get_static_pad (self->audio, "src");
  gst_artalk_gate_watch (&self->cut.audio, self->audio);
  gst_pad_add_probe (target, GST_PAD_PROBE_TYPE_BUFFER, clip_audio, NULL, NULL);
  pad = gst_ghost_pad_new_from_template ("audio_src", target, template);
  gst_artalk_cut_listen (&self->cut, pad);
  gst_pad_set_active (pad, TRUE);
  gst_element_add_pad (element, pad);
  gst_element_sync_state_with_parent (self->audio);
  gst_element_link (self->tee, self->audio);
  if (GST_STATE (element) >= GST_STATE_PAUSED)
    size_queues (self);
  return pad;
}

static void
release_pad (GstElement *element, GstPad *pad)
{
  GstArtalkAvatar *self = GST_ARTALK_AVATAR (element);
  g_autoptr (GstPad) sink = NULL, branch = NULL;

  gst_pad_set_active (pad, FALSE);
  gst_ghost_pad_set_target (GST_GHOST_PAD (pad), NULL);
  gst_element_remove_pad (element, pad);
  if (!self->audio)
    return; /* the bin is being taken apart */
  sink = gst_element_get_static_pad (self->audio, "sink");
  branch = gst_pad_get_peer (sink);
  if (branch) {
    gst_pad_unlink (branch, sink);
    gst_element_release_request_pad (self->tee, branch);
  }
  gst_element_set_state (self->audio, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (self), self->audio);
  g_clear_weak_pointer (&self->audio);
}

/* The class */

/* A property that says who draws: at once where nothing plays, so that the new child's own properties can be set. */
static void
renderer_changed (GstArtalkAvatar *self)
{
  if (!self->missing && GST_STATE (self) <= GST_STATE_READY)
    choose_renderer (self);
}

static void
replace (GstArtalkAvatar *self, char **where, const GValue *value)
{
  const char *text = g_value_get_string (value);

  GST_OBJECT_LOCK (self);
  g_free (*where);
  *where = text && *text ? g_strdup (text) : NULL;
  GST_OBJECT_UNLOCK (self);
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstArtalkAvatar *self = GST_ARTALK_AVATAR (object);

  switch (id) {
    case PROP_MODEL:
      replace (self, &self->model, value);
      set_if_there (self->audioenc, "model", g_value_get_string (value));
      set_if_there (self->motion, "model", g_value_get_string (value));
      break;
    case PROP_AVATAR_MODEL:
      replace (self, &self->avatar_model, value);
      renderer_changed (self);
      set_if_there (self->renderer, "model", g_value_get_string (value));
      break;
    case PROP_AVATARS:
      replace (self, &self->avatars, value);
      renderer_changed (self);
      set_if_there (self->renderer, "avatars", g_value_get_string (value));
      break;
    case PROP_AVATAR:
      replace (self, &self->avatar, value);
      renderer_changed (self);
      set_if_there (self->renderer, "avatar", g_value_get_string (value));
      break;
    case PROP_HEAD:
      replace (self, &self->head, value);
      set_if_there (self->renderer, "head", g_value_get_string (value));
      break;
    case PROP_STYLE:
      set_if_there (self->motion, "style", g_value_get_string (value));
      break;
    case PROP_RENDERER:
      GST_OBJECT_LOCK (self);
      self->wanted = g_value_get_enum (value);
      GST_OBJECT_UNLOCK (self);
      renderer_changed (self);
      break;
    case PROP_LATENCY_MODE:
      set_latency_mode (self, g_value_get_enum (value));
      break;
    case PROP_IDLE:
      if (self->idle)
        g_object_set_property (G_OBJECT (self->idle), "strength", value);
      break;
    case PROP_SEED:
      if (self->idle)
        g_object_set_property (G_OBJECT (self->idle), "seed", value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstArtalkAvatar *self = GST_ARTALK_AVATAR (object);

  if (id == PROP_STYLE || id == PROP_IDLE || id == PROP_SEED) {
    GstElement *child = id == PROP_STYLE ? self->motion : self->idle;

    if (child)
      g_object_get_property (G_OBJECT (child),
          id == PROP_STYLE  ? "style"
          : id == PROP_IDLE ? "strength"
                            : "seed",
          value);
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
    case PROP_MODEL:
      g_value_set_string (value, self->model);
      break;
    case PROP_AVATAR_MODEL:
      g_value_set_string (value, self->avatar_model);
      break;
    case PROP_AVATARS:
      g_value_set_string (value, self->avatars);
      break;
    case PROP_AVATAR:
      g_value_set_string (value, self->avatar);
      break;
    case PROP_HEAD:
      g_value_set_string (value, self->head);
      break;
    case PROP_RENDERER:
      g_value_set_enum (value, self->wanted);
      break;
    case PROP_LATENCY_MODE:
      g_value_set_enum (value, self->latency_mode);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_artalk_avatar_finalize (GObject *object)
{
  GstArtalkAvatar *self = GST_ARTALK_AVATAR (object);

  g_clear_weak_pointer (&self->audio);
  gst_artalk_cut_clear (&self->cut);
  g_free (self->model);
  g_free (self->avatar_model);
  g_free (self->avatars);
  g_free (self->avatar);
  g_free (self->head);
  G_OBJECT_CLASS (gst_artalk_avatar_parent_class)->finalize (object);
}

static void
gst_artalk_avatar_init (GstArtalkAvatar *self)
{
  g_autoptr (GstPad) sink = NULL, input = NULL;
  GstPad *ghost;

  self->tee = add (self, "tee", "tee");
  self->input = add_queue (self, "input", MIN_INPUT_TIME);
  self->convert = add (self, "audioconvert", "convert");
  self->resample = add (self, "audioresample", "resample");
  self->audioenc = add (self, "artalkaudioenc", "audioenc");
  self->motion = add (self, "artalkmotion", "motion");
  self->smooth = add (self, "artalksmooth", "smooth");
  self->idle = add (self, "artalkidle", "idle");
  self->frames = add_queue (self, "frames", MIN_INPUT_TIME);
  self->renderer = add (self, "flamemesh", "renderer");
  self->drawing = "flamemesh";

  ghost = gst_ghost_pad_new_no_target_from_template (
      "sink", gst_element_class_get_pad_template (GST_ELEMENT_GET_CLASS (self), "sink"));
  gst_element_add_pad (GST_ELEMENT (self), ghost);
  self->srcpad = gst_ghost_pad_new_no_target_from_template (
      "src", gst_element_class_get_pad_template (GST_ELEMENT_GET_CLASS (self), "src"));
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
  gst_artalk_cut_init (&self->cut, GST_ELEMENT (self));
  if (self->missing)
    return;
  input = gst_element_get_static_pad (self->input, "sink");
  gst_pad_add_probe (input, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, leave_rate_open, self, NULL);
  sink = gst_element_get_static_pad (self->tee, "sink");
  gst_ghost_pad_set_target (GST_GHOST_PAD (ghost), sink);
  gst_artalk_cut_watch_input (&self->cut, sink);
  gst_artalk_cut_listen (&self->cut, ghost);
  gst_artalk_cut_listen (&self->cut, self->srcpad);
  gst_artalk_gate_watch (&self->cut.sound, self->input);
  gst_artalk_gate_watch (&self->cut.frames, self->frames);
  if (!gst_element_link_many (self->tee, self->input, self->convert, self->resample, self->audioenc,
          self->motion, self->smooth, self->idle, self->frames, NULL) ||
      !link_renderer (self))
    GST_ERROR_OBJECT (self, "the children do not fit together");
}

static void
gst_artalk_avatar_class_init (GstArtalkAvatarClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  GST_DEBUG_CATEGORY_INIT (artalkavatar_debug, "artalkavatar", 0, "speech to talking head");
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = gst_artalk_avatar_finalize;
  element_class->change_state = change_state;
  element_class->send_event = send_event;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;

  g_object_class_install_property (object_class, PROP_MODEL,
      g_param_spec_string ("model", "Model",
          "Checkpoint that hears and moves: a .safetensors or .pt file, or a folder with one and "
          "its "
          "config.json (NULL: the built-in model)",
          NULL, ready));
  g_object_class_install_property (object_class, PROP_AVATAR_MODEL,
      g_param_spec_string ("avatar-model", "Avatar model",
          "Gaussian avatar's model, for renderer=splat: GAGAvatar.pt, a .safetensors file, or a "
          "folder with one (NULL: the built-in avatar)",
          NULL, ready));
  g_object_class_install_property (object_class, PROP_AVATARS,
      g_param_spec_string ("avatars", "Avatars",
          "Tracked people, for renderer=splat: tracked.pt, a .safetensors file, or a folder of "
          "such files",
          NULL, ready));
  g_object_class_install_property (object_class, PROP_AVATAR,
      g_param_spec_string ("avatar", "Avatar",
          "Name of the tracked person to show, for renderer=splat, as soon as it is prepared", NULL,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_HEAD,
      g_param_spec_string ("head", "Head",
          "Head to pose: a FLAME file, .pt or .safetensors, or the name of a built-in face (NULL: "
          "the built-in head)",
          NULL, ready));
  g_object_class_install_property (object_class, PROP_STYLE,
      g_param_spec_string ("style", "Style",
          "Manner of speaking, from the next window on: the name of a built-in style or a file "
          "with a "
          "clip of 50 frames (\"\": none; NULL: the model's own)",
          NULL, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_RENDERER,
      g_param_spec_enum (
          "renderer", "Renderer", "How the head is drawn", TYPE_RENDERER, RENDERER_AUTO, ready));
  g_object_class_install_property (object_class, PROP_LATENCY_MODE,
      g_param_spec_enum ("latency-mode", "Latency mode",
          "How soon lips follow the voice: chooses the hop of audioenc and the delay of smooth",
          TYPE_LATENCY_MODE, LATENCY_NORMAL, ready));
  g_object_class_install_property (object_class, PROP_IDLE,
      g_param_spec_float ("idle", "Idle life",
          "How far the head sways and the eyes look around in silence (0: off, and nothing is "
          "made while no sound comes)",
          0, 1, 1, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_SEED,
      g_param_spec_uint ("seed", "Seed", "Chooses among idle lives, each always the same", 0,
          G_MAXUINT, 0, ready));
  gst_type_mark_as_plugin_api (TYPE_RENDERER, 0);
  gst_type_mark_as_plugin_api (TYPE_LATENCY_MODE, 0);
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_add_static_pad_template (element_class, &audio_src_template);
  gst_element_class_set_static_metadata (element_class, "Talking head", "Visualization",
      "Shows a head that says what it hears", "The ARTalk elements authors");
}
