/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening checkpoints, and the process's cache of them. */
#include "model_priv.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "device.h"
#include "paths.h"

struct _AmModel
{
  gatomicrefcount refs;
  /* what it was opened by */
  char *path;
  guint64 dev, ino, size;
  gint64 changed_ns;
  char *device_name;
  AkPrecision precision;
  unsigned threads;

  AmWeights *weights;
  AmConfig config;
  AmModelInfo info;
  char checkpoint[17];
  AkDevice *device;

  GMutex lock; /* of the lazily loaded parts, and of what follows them */
  AmPart *encoder_part, *motion_part;
  AmEncoderNetworks encoder;
  AmMotionNetworks motion;
  AmBatcher *batchers[AM_N_NETWORKS]; /* NULL until needed */
};

static GMutex cache_lock;
static GList *cache; /* of AmModel, without a reference */

/* The checkpoint's file in a folder: a known name, else the only file that may be one. */
static char *
find_in_folder (const char *folder, GError **error)
{
  static const char *const known[] = { "ARTalk_wav2vec.pt", "ARTalk_mimi.pt", "artalk.safetensors",
    "weights.safetensors" };
  static const char *const others[] = { "FLAME_with_eye.pt", "GAGAvatar.pt", "tracked.pt", NULL };
  g_autoptr (GDir) dir = NULL;
  g_autoptr (GError) dir_error = NULL;
  g_autofree char *found = NULL;
  const char *name;
  unsigned n = 0;

  for (unsigned i = 0; i < G_N_ELEMENTS (known); i++) {
    g_autofree char *path = g_build_filename (folder, known[i], NULL);

    if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
      return g_steal_pointer (&path);
  }
  dir = g_dir_open (folder, 0, &dir_error);
  if (!dir) {
    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", folder, dir_error->message);
    return NULL;
  }
  while ((name = g_dir_read_name (dir)))
    if ((g_str_has_suffix (name, ".safetensors") || g_str_has_suffix (name, ".pt")) &&
        !g_strv_contains (others, name)) {
      g_free (found);
      found = g_build_filename (folder, name, NULL);
      n++;
    }
  if (n == 1)
    return g_steal_pointer (&found);
  g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", folder,
      n ? "several files could be the model: name one of them"
        : "the folder holds no model (ARTalk_wav2vec.pt, ARTalk_mimi.pt or a .safetensors file)");
  return NULL;
}

/* The config in the file's metadata, else config.json beside it, else the released sizes. */
static gboolean
read_config (AmModel *model, const char *given, GError **error)
{
  const char *text = given ? given : am_weights_metadata (model->weights, "config");
  AmEncoderKind encoder = am_mimi_is_in (model->weights) ? AM_ENCODER_MIMI : AM_ENCODER_WAV2VEC2;
  g_autofree char *folder = g_path_get_dirname (model->path);
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  g_autofree char *contents = NULL;
  g_autoptr (GError) read_error = NULL;
  gsize length;

  if (text) {
    g_autofree char *name = g_strconcat (model->path, " (its config)", NULL);

    return am_config_parse_for (name, text, -1, encoder, &model->config, error);
  }
  if (g_file_get_contents (path, &contents, &length, &read_error))
    return am_config_parse_for (path, contents, (gssize) length, encoder, &model->config, error);
  if (g_error_matches (read_error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return am_config_parse_for (path, "{}", -1, encoder, &model->config, error);
  g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: %s", path, read_error->message);
  return FALSE;
}

static void
fill_info (AmModel *model)
{
  const AmConfig *c = &model->config;
  AmModelInfo *info = &model->info;

  info->encoder = c->encoder;
  info->channels = c->audio_width;
  info->window_frames = c->frames;
  info->window_samples = c->frames * AM_SAMPLES_PER_FRAME;
  info->before_samples = c->before;
  info->ahead_samples = c->ahead;
  info->motion_dim = c->motion_dim;
  info->can_overlap = c->audio_norm != AM_AUDIO_NORM_RUNNING;
  info->basis = c->basis;
  info->checkpoint = model->checkpoint;
  if (c->encoder == AM_ENCODER_WAV2VEC2) {
    size_t hop = am_config_wav2vec_hop (&c->wav2vec), first = c->before / hop;
    size_t steps =
        am_config_wav2vec_steps (&c->wav2vec, info->window_samples + c->before + c->ahead);

    info->steps = (unsigned) MIN ((info->window_samples + hop - 1) / hop, steps - first);
  } else {
    info->steps = (unsigned) am_config_mimi_steps (&c->mimi, info->window_samples);
  }
}

static void
model_free (AmModel *model)
{
  for (unsigned i = 0; i < AM_N_NETWORKS; i++)
    am_batcher_free (model->batchers[i]);
  am_wav2vec_free (model->encoder.wav2vec);
  am_mimi_free (model->encoder.mimi);
  am_codec_free (model->motion.codec);
  am_style_network_free (model->motion.style);
  am_transformer_free (model->motion.transformer);
  am_part_free (model->encoder_part);
  am_part_free (model->motion_part);
  if (model->weights)
    am_weights_unref (model->weights);
  ak_device_unref (model->device);
  g_mutex_clear (&model->lock);
  g_free (model->path);
  g_free (model->device_name);
  g_free (model);
}

static gboolean
same_key (const AmModel *a, const AmModel *b)
{
  return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
         a->changed_ns == b->changed_ns && a->precision == b->precision &&
         a->threads == b->threads && strcmp (a->device_name, b->device_name) == 0;
}

static gboolean
model_load (AmModel *model, const char *config, GError **error)
{
  model->device = am_device_open (model->device_name, model->threads, error);
  if (!model->device)
    return FALSE;
  model->weights = am_weights_open_lazily (model->path, error);
  if (!model->weights || !read_config (model, config, error))
    return FALSE;
  am_checkpoint_hash (model->weights, model->checkpoint);
  fill_info (model);
  return TRUE;
}

static AmModel *
model_new (const char *path, const char *device, AkPrecision precision, unsigned threads)
{
  AmModel *model = g_new0 (AmModel, 1);

  g_atomic_ref_count_init (&model->refs);
  g_mutex_init (&model->lock);
  model->path = path ? g_strdup (path) : am_data_path ("artalk.safetensors");
  model->device_name = g_strdup (am_device_resolve (device, NULL));
  model->precision = precision;
  model->threads = threads;
  return model;
}

AmModel *
am_model_open_with_config (const char *path, const char *config, const char *device,
    AkPrecision precision, unsigned threads, GError **error)
{
  AmModel *model = model_new (path, device, precision, threads);

  if (model_load (model, config, error))
    return model;
  model_free (model);
  return NULL;
}

AmModel *
am_model_open (
    const char *path, const char *device, AkPrecision precision, unsigned threads, GError **error)
{
  AmModel *model = model_new (path, device, precision, threads), *found = NULL;
  struct stat st;

  if (g_file_test (model->path, G_FILE_TEST_IS_DIR)) {
    char *file = find_in_folder (model->path, error);

    if (!file) {
      model_free (model);
      return NULL;
    }
    g_free (model->path);
    model->path = file;
  }
  if (stat (model->path, &st) == 0) {
    model->dev = st.st_dev;
    model->ino = st.st_ino;
    model->size = (guint64) st.st_size;
    model->changed_ns = st.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000) + st.st_mtim.tv_nsec;
  }
  g_mutex_lock (&cache_lock); /* also while opening: two streams that start together share one */
  for (GList *l = cache; l && !found; l = l->next)
    if (same_key (l->data, model))
      found = am_model_ref (l->data);
  if (found || !model_load (model, NULL, error)) {
    model_free (model);
    model = found;
  } else {
    cache = g_list_prepend (cache, model);
  }
  g_mutex_unlock (&cache_lock);
  return model;
}

AmModel *
am_model_open_checkpoint (const char *checkpoint, const char *device, AkPrecision precision,
    unsigned threads, GError **error)
{
  g_autofree char *path = NULL;
  AmModel *model;

  g_mutex_lock (&cache_lock);
  for (GList *l = cache; l && !path; l = l->next) {
    model = l->data;
    if (strcmp (model->checkpoint, checkpoint) == 0)
      path = g_strdup (model->path);
  }
  g_mutex_unlock (&cache_lock);
  model = am_model_open (path, device, precision, threads, error);
  if (model && strcmp (model->checkpoint, checkpoint) != 0) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "no model with checkpoint %s is open, and the built-in one has %s: set the same model on "
        "both elements",
        checkpoint, model->checkpoint);
    am_model_unref (model);
    return NULL;
  }
  return model;
}

AmModel *
am_model_ref (AmModel *model)
{
  g_atomic_ref_count_inc (&model->refs);
  return model;
}

void
am_model_unref (AmModel *model)
{
  gboolean last;

  if (!model)
    return;
  g_mutex_lock (&cache_lock); /* so that nobody finds it in the cache while it goes */
  last = g_atomic_ref_count_dec (&model->refs);
  if (last)
    cache = g_list_remove (cache, model);
  g_mutex_unlock (&cache_lock);
  if (last)
    model_free (model);
}

const AmModelInfo *
am_model_info (const AmModel *model)
{
  return &model->info;
}

const AmConfig *
am_model_config (const AmModel *model)
{
  return &model->config;
}

AkDevice *
am_model_device (const AmModel *model)
{
  return model->device;
}

const AmEncoderNetworks *
am_model_encoder (AmModel *model, GError **error)
{
  AmEncoderNetworks n = { NULL, NULL };
  AmPart *part;

  g_mutex_lock (&model->lock);
  if (!model->encoder_part) {
    part = am_part_new (model->device, model->precision, model->weights);
    if (model->config.encoder == AM_ENCODER_MIMI)
      n.mimi = am_mimi_load (part, &model->config.mimi);
    else
      n.wav2vec = am_wav2vec_load (part, &model->config.wav2vec);
    if (am_part_finish (part, error)) {
      model->encoder = n;
      model->encoder_part = part;
    } else {
      am_wav2vec_free (n.wav2vec);
      am_mimi_free (n.mimi);
      am_part_free (part);
    }
  }
  g_mutex_unlock (&model->lock);
  return model->encoder_part ? &model->encoder : NULL;
}

const AmMotionNetworks *
am_model_motion (AmModel *model, GError **error)
{
  AmMotionNetworks n;
  AmPart *part;

  g_mutex_lock (&model->lock);
  if (!model->motion_part) {
    part = am_part_new (model->device, model->precision, model->weights);
    n.codec = am_codec_load (part, &model->config);
    n.style = am_style_network_load (part, &model->config);
    n.transformer = am_transformer_load (part, &model->config);
    n.null_cond = am_part_vector (part, model->config.ar_width, "null_style_cond");
    if (am_part_finish (part, error)) {
      model->motion = n;
      model->motion_part = part;
    } else {
      am_codec_free (n.codec);
      am_style_network_free (n.style);
      am_transformer_free (n.transformer);
      am_part_free (part);
    }
  }
  g_mutex_unlock (&model->lock);
  return model->motion_part ? &model->motion : NULL;
}

AmBatcher *
am_model_batcher (AmModel *model, const AmNetwork *network)
{
  AmBatcher **batcher = &model->batchers[network->which];

  g_mutex_lock (&model->lock);
  if (!*batcher)
    *batcher = am_batcher_new (model, network);
  g_mutex_unlock (&model->lock);
  return *batcher;
}

void
am_model_batch_counts (AmModel *model, unsigned which, guint64 *batches, guint64 *members)
{
  *batches = *members = 0;
  g_mutex_lock (&model->lock);
  if (model->batchers[which])
    am_batcher_counts (model->batchers[which], batches, members);
  g_mutex_unlock (&model->lock);
}

void
am_tap_read (AmModel *model, const AmTap *tap, float *out)
{
  AkQueue *queue = ak_queue_new (model->device);

  ak_download (queue, out, tap->data, tap->rows * tap->cols * sizeof *out);
  ak_queue_sync (queue);
  ak_queue_free (queue);
}
