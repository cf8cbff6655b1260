/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening avatar models, the process's cache of them, and prepared avatars in memory. */
#include "avatar_priv.h"

#include <math.h>
#include <string.h>

#include "checkpoint.h"
#include "device.h"
#include "paths.h"

#define MAX_LEVELS 8 /* of the network: pictures of at most 1024 */

/* Open models: key -> AmAvatarModel, without a reference. */
static GMutex models_lock;
static GHashTable *models;

static void
model_free (AmAvatarModel *model)
{
  am_styleunet_free (model->upsampler);
  am_part_free (model->part);
  if (model->weights)
    am_weights_unref (model->weights);
  ak_device_unref (model->device);
  g_mutex_clear (&model->lock);
  g_free (model->basis);
  g_free (model->bound_faces);
  g_free (model->key);
  g_free (model);
}

/* Size `axis` of the tensor NAME; 0 if it is missing or has other than `n_dims` axes. */
static size_t
size_of (const AmAvatarModel *model, const char *name, unsigned n_dims, unsigned axis)
{
  g_autofree char *full = g_strconcat (model->prefix, name, NULL);
  const AmTensor *t = am_weights_find (model->weights, full);

  return t && t->n_dims == n_dims && t->n > 0 ? t->shape[axis] : 0;
}

static gboolean
published_open (AmAvatarModel *model, GError **error)
{
  AmAvatarModelInfo *info = &model->info;
  unsigned levels = 0;
  size_t vertices, channels;

  model->prefix = am_weights_find (model->weights, "model.head_base") ? "model." : "";
  for (; levels <= MAX_LEVELS; levels++) {
    g_autofree char *name = g_strdup_printf ("upsampler.conv_body_down.%u.conv1.weight", levels);

    if (!size_of (model, name, 4, 0))
      break;
  }
  vertices = size_of (model, "head_base", 2, 0);
  channels = size_of (model, "gs_generator_g.color_layers.2.weight", 2, 0);
  if (!vertices || !channels || levels < 1 || levels > MAX_LEVELS || vertices > 1 << 20 ||
      channels > 256) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISSING,
        "%s: not an avatar model: it needs head_base, gs_generator_g.*, upsampler.* (GAGAvatar.pt) "
        "or the built-in avatar's format",
        am_weights_path (model->weights));
    return FALSE;
  }
  info->side = 4u << levels;
  info->vertices = (unsigned) vertices;
  info->channels = (unsigned) channels;
  info->needs_person = TRUE;
  model->basis = g_strdup ("flame");
  return TRUE;
}

/* Of a vision transformer whose heads are not 64 wide; 0 if the file says nothing. */
static unsigned
named_heads (const AmWeights *weights)
{
  const char *text = am_weights_metadata (weights, "heads");
  guint64 heads = 0;

  return text && g_ascii_string_to_unsigned (text, 10, 1, 4096, &heads, NULL) ? (unsigned) heads
                                                                              : 0;
}

static AmAvatarModel *
model_new (const char *path, const char *device, AkPrecision precision, unsigned threads,
    unsigned heads, GError **error)
{
  AmAvatarModel *model = g_new0 (AmAvatarModel, 1);
  gboolean ok = FALSE;

  model->refs = 1;
  model->prefix = "";
  model->precision = precision;
  model->heads = heads;
  g_mutex_init (&model->lock);
  model->device = am_device_open (device, threads, error);
  if (model->device)
    model->weights = am_weights_open (path, error);
  if (model->weights) {
    if (!heads)
      model->heads = named_heads (model->weights);
    ok = am_weights_metadata (model->weights, "format") ? am_avatar_bound_open (model, error)
                                                        : published_open (model, error);
    am_checkpoint_hash (model->weights, model->checkpoint);
    model->info.basis = model->basis;
    model->info.checkpoint = model->checkpoint;
  }
  if (ok)
    return model;
  model_free (model);
  return NULL;
}

AmAvatarModel *
am_avatar_model_open_heads (
    const char *path, const char *device, unsigned threads, unsigned heads, GError **error)
{
  return model_new (path, device, AK_F32, threads, heads, error);
}

/* The file that `path` means: one in it if it is a folder, the built-in one if it is NULL. */
static char *
find_file (const char *path)
{
  static const char *const names[] = { "GAGAvatar.pt", "GAGAvatar.safetensors",
    "avatar.safetensors" };

  if (!path)
    return am_data_path ("avatar.safetensors");
  for (unsigned i = 0; g_file_test (path, G_FILE_TEST_IS_DIR) && i < G_N_ELEMENTS (names); i++) {
    g_autofree char *file = g_build_filename (path, names[i], NULL);

    if (g_file_test (file, G_FILE_TEST_EXISTS))
      return g_steal_pointer (&file);
  }
  return g_strdup (path);
}

AmAvatarModel *
am_avatar_model_open (
    const char *path, const char *device, AkPrecision precision, unsigned threads, GError **error)
{
  g_autofree char *file = find_file (path);
  g_autofree char *id = am_file_key (file);
  g_autofree char *key =
      g_strdup_printf ("%s|%s|%d|%u", id, device && *device ? device : "auto", precision, threads);
  AmAvatarModel *model;

  g_mutex_lock (&models_lock); /* also while opening: two streams that start together share one */
  if (!models)
    models = g_hash_table_new (g_str_hash, g_str_equal);
  model = g_hash_table_lookup (models, key);
  if (model) {
    model->refs++;
  } else {
    model = model_new (file, device, precision, threads, 0, error);
    if (model) {
      model->key = g_steal_pointer (&key);
      g_hash_table_insert (models, model->key, model);
    }
  }
  g_mutex_unlock (&models_lock);
  return model;
}

AmAvatarModel *
am_avatar_model_ref (AmAvatarModel *model)
{
  g_mutex_lock (&models_lock);
  model->refs++;
  g_mutex_unlock (&models_lock);
  return model;
}

void
am_avatar_model_unref (AmAvatarModel *model)
{
  gboolean last;

  if (!model)
    return;
  g_mutex_lock (&models_lock);
  last = --model->refs == 0;
  if (last && model->key)
    g_hash_table_remove (models, model->key);
  g_mutex_unlock (&models_lock);
  if (last)
    model_free (model);
}

const AmAvatarModelInfo *
am_avatar_model_info (const AmAvatarModel *model)
{
  return &model->info;
}

/* Does the network fit the splats? */
static void
check_upsampler (const AmAvatarModel *model, AmPart *part, const AmStyleunet *upsampler)
{
  const AmAvatarModelInfo *info = &model->info;
  size_t side = info->needs_person ? info->side : model->bound.network_side;
  const AmStyleunetInfo *have = am_part_ok (part) ? am_styleunet_info (upsampler) : NULL;

  if (have && (have->side != side || have->features != info->channels || have->colours != 3))
    am_part_fail (part,
        "the network upsampler.* makes %zu colours of %zux%zu from %zu channels, but must make 3 "
        "of %zux%zu from %u",
        have->colours, have->side, have->side, have->features, side, side, info->channels);
}

gboolean
am_avatar_model_load (AmAvatarModel *model, const atomic_int *cancel, GError **error)
{
  gboolean ok = TRUE;

  g_mutex_lock (&model->lock);
  if (!model->part) {
    AmPart *part = am_part_new (model->device, model->precision, model->weights);
    AmStyleunet *upsampler;

    am_part_set_prefix (part, model->prefix);
    am_part_set_cancel (part, cancel);
    upsampler = am_styleunet_load (part, "upsampler.");
    if (!model->info.needs_person)
      am_avatar_bound_load (model, part);
    check_upsampler (model, part, upsampler);
    ok = am_part_finish (part, error);
    if (ok) {
      model->part = part;
      model->upsampler = upsampler;
    } else {
      am_styleunet_free (upsampler);
      am_part_free (part);
    }
  }
  g_mutex_unlock (&model->lock);
  return ok;
}

AmAvatar *
am_avatar_ref (AmAvatar *avatar)
{
  g_atomic_ref_count_inc (&avatar->refs);
  return avatar;
}

void
am_avatar_unref (AmAvatar *avatar)
{
  AkDevice *dev;

  if (!avatar || !g_atomic_ref_count_dec (&avatar->refs))
    return;
  dev = avatar->model->device;
  ak_free (dev, avatar->means);
  ak_free (dev, avatar->scales);
  ak_free (dev, avatar->rotations);
  ak_free (dev, avatar->opacities);
  ak_free (dev, avatar->colors);
  am_avatar_model_unref (avatar->model);
  g_free (avatar->key);
  g_free (avatar->shape);
  g_free (avatar);
}

/* Device memory with a copy of `values`; at least one number long. */
static float *
upload (AkQueue *queue, AkDevice *dev, const float *values, size_t n, AkStatus *status)
{
  float *to = ak_alloc (dev, MAX (n, 1) * sizeof *to);

  if (!to)
    *status = AK_ERR_MEMORY;
  else if (*status == AK_OK)
    *status = ak_upload (queue, to, values, n * sizeof *to);
  return to;
}

AmAvatar *
am_avatar_new (AmAvatarModel *model, const AmSplats *s, const float transform[12],
    const float *shape, size_t n_shape, const char *key, GError **error)
{
  g_autoptr (AmAvatar) avatar = g_new0 (AmAvatar, 1);
  AkDevice *dev = model->device;
  AkQueue *queue = ak_queue_new (dev);
  AkStatus status = queue ? AK_OK : AK_ERR_MEMORY;

  g_atomic_ref_count_init (&avatar->refs);
  avatar->model = am_avatar_model_ref (model);
  avatar->key = g_strdup (key);
  memcpy (avatar->transform, transform, sizeof avatar->transform);
  avatar->n_shape = n_shape;
  avatar->shape = g_memdup2 (shape, n_shape * sizeof *shape);
  if (s && queue) {
    avatar->n = s->n;
    avatar->followers = s->followers;
    avatar->means = upload (queue, dev, s->means, 3 * s->n, &status);
    avatar->scales = upload (queue, dev, s->scales, 3 * s->n, &status);
    avatar->rotations = upload (queue, dev, s->rotations, 4 * s->n, &status);
    avatar->opacities = upload (queue, dev, s->opacities, s->n, &status);
    avatar->colors = upload (queue, dev, s->colors, s->channels * s->n, &status);
  }
  if (status == AK_OK)
    status = ak_queue_sync (queue);
  ak_queue_free (queue);
  if (!am_error_from_status (status, "avatar", error))
    return NULL;
  return g_steal_pointer (&avatar);
}

AmSplats *
am_avatar_splats (AmAvatar *avatar, GError **error)
{
  size_t C = avatar->model->info.channels, n = avatar->n;
  g_autoptr (AmSplats) s = am_splats_new (n, C, avatar->followers);
  AkQueue *queue = ak_queue_new (avatar->model->device);
  AkStatus status = AK_ERR_MEMORY;

  if (queue) {
    ak_download (queue, s->means, avatar->means, 3 * n * sizeof (float));
    ak_download (queue, s->scales, avatar->scales, 3 * n * sizeof (float));
    ak_download (queue, s->rotations, avatar->rotations, 4 * n * sizeof (float));
    ak_download (queue, s->opacities, avatar->opacities, n * sizeof (float));
    ak_download (queue, s->colors, avatar->colors, C * n * sizeof (float));
    status = ak_queue_sync (queue);
  }
  ak_queue_free (queue);
  return am_error_from_status (status, "avatar", error) ? g_steal_pointer (&s) : NULL;
}

static void
digest_floats (GChecksum *sum, const float *values, size_t n)
{
  guint64 count = GUINT64_TO_LE (n);

  g_checksum_update (sum, (const guchar *) &count, sizeof count);
  g_checksum_update (sum, (const guchar *) values, (gssize) (n * sizeof *values));
}

char *
am_avatar_key (AmAvatarModel *model, const AmPerson *person)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint64 sizes[2];

  g_checksum_update (sum, (const guchar *) "artalk-splats-1", -1);
  g_checksum_update (sum, (const guchar *) model->checkpoint, -1);
  if (person) {
    sizes[0] = GUINT64_TO_LE (person->height);
    sizes[1] = GUINT64_TO_LE (person->width);
    g_checksum_update (sum, (const guchar *) sizes, sizeof sizes);
    digest_floats (sum, person->image, 3 * person->height * person->width);
    digest_floats (sum, person->transform, 12);
    digest_floats (sum, person->shape, person->n_shape);
  }
  return g_strdup (g_checksum_get_string (sum));
}
