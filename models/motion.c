/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model_priv.h"

#include <math.h>
#include <string.h>

#include "bsq.h"
#include "paths.h"

/* The past of a stream lies in device memory that outlives the plans. */
struct _AmMotion
{
  AmModel *model;
  const AmMotionNetworks *net;
  AkQueue *queue;
  AkPlan *start; /* encoded zero motion as the past */
  AkPlan *chunk;
  AkPlan *style; /* the last style's, NULL for none */
  AmTaps *style_taps;
  gboolean started;
  float *features;    /* [steps][W] */
  float *frames;      /* [T][motion_dim] */
  float *cond;        /* [A] */
  float *clip;        /* [AM_STYLE_FRAMES][motion_dim] */
  float *prev_feat;   /* [R * L][A], oldest chunk first */
  float *prev_sum;    /* [T][K], the quantised feature of prev_bits */
  uint8_t *prev_bits; /* [L][K] */
  void *memory[7];
  unsigned n_memory;
};

static void *
stream_memory (AmMotion *m, size_t bytes)
{
  return m->memory[m->n_memory++] = ak_alloc (am_model_device (m->model), bytes);
}

/* Records what follows once m->frames are known: they are encoded to prev_bits, and the tokens of the
 * past are made of them, in slots `slot` … of prev_feat. */
static void
record_past (AmMotion *m, AkPlan *plan, unsigned slot, AmTaps *taps)
{
  const AmConfig *c = am_model_config (m->model);
  size_t a = c->ar_width, k = c->code_dim, l = c->tokens, t = c->frames, own = l - c->scales[0];
  AkRows enc = ak_dense (ak_plan_memory (plan, t * k * sizeof (float)), t, k);
  AkRows feats = ak_dense (ak_plan_memory (plan, MAX (own, 1) * k * sizeof (float)), own, k);
  AkRows sum = ak_dense (m->prev_sum, t, k), past = ak_dense (m->prev_feat, c->prev_ratio * l, a);
  AkRows first = ak_from (past, slot * l, 0);
  AkBits bits = { m->prev_bits, k, l * k };

  am_codec_encode (m->net->codec, plan, enc, ak_dense (m->frames, t, c->motion_dim), 1, taps);
  am_bsq_encode (plan, c, bits, enc, 1, taps);
  am_tap_bits (taps, plan, bits, l, k, "prev_bits");
  am_bsq_sum (plan, c, sum, feats, bits, 1);
  ak_copy (plan, first, ak_same (m->cond), 1, c->scales[0], a);
  am_transformer_embed (m->net->transformer, plan, ak_from (first, c->scales[0], 0), feats, 1, own);
  for (unsigned r = slot + 1; r < c->prev_ratio; r++)
    ak_copy (plan, ak_from (past, r * l, 0), first, 1, l, a);
  am_tap (taps, plan, past, c->prev_ratio * l, a, "prev_feat");
}

static void
record_chunk (AmMotion *m, AkPlan *plan, AmTaps *taps)
{
  const AmConfig *c = am_model_config (m->model);
  const AmModelInfo *info = am_model_info (m->model);
  size_t a = c->ar_width, k = c->code_dim, l = c->tokens, t = c->frames;
  AkRows past = ak_dense (m->prev_feat, c->prev_ratio * l, a);
  AmChunk chunk = {
    .features = ak_dense (m->features, info->steps, info->channels),
    .steps = info->steps,
    .cond = ak_dense (m->cond, 1, a),
    .prev_feat = past,
    .bits = { ak_plan_memory (plan, l * k), k, l * k },
    .sum = ak_dense (ak_plan_memory (plan, t * k * sizeof (float)), t, k),
    .batch = 1,
  };

  am_transformer_record (m->net->transformer, plan, &chunk, taps);
  am_codec_decode (m->net->codec, plan, ak_dense (m->frames, t, c->motion_dim),
      ak_dense (m->prev_sum, t, k), chunk.sum, 1, taps);
  for (unsigned r = 0; r + 1 < c->prev_ratio; r++)
    ak_copy (plan, ak_from (past, r * l, 0), ak_from (past, (r + 1) * l, 0), 1, l, a);
  /* the decoded motion is encoded again: the past is not the bits just predicted */
  record_past (m, plan, c->prev_ratio - 1, taps);
}

static gboolean
allocate (AmMotion *m)
{
  const AmConfig *c = am_model_config (m->model);
  const AmModelInfo *info = am_model_info (m->model);
  size_t f = sizeof (float), l = c->tokens;

  m->features = stream_memory (m, (size_t) info->steps * info->channels * f);
  m->frames = stream_memory (m, (size_t) c->frames * c->motion_dim * f);
  m->cond = stream_memory (m, c->ar_width * f);
  m->clip = stream_memory (m, (size_t) AM_STYLE_FRAMES * c->motion_dim * f);
  m->prev_feat = stream_memory (m, c->prev_ratio * l * c->ar_width * f);
  m->prev_sum = stream_memory (m, (size_t) c->frames * c->code_dim * f);
  m->prev_bits = stream_memory (m, l * c->code_dim);
  for (unsigned i = 0; i < m->n_memory; i++)
    if (!m->memory[i])
      return FALSE;
  return TRUE;
}

AmMotion *
am_motion_new_tapped (AmModel *model, AmTaps *taps, AmTaps *start, AmTaps *style, GError **error)
{
  const AmMotionNetworks *net = am_model_motion (model, error);
  AkDevice *dev = am_model_device (model);
  AmMotion *m;

  if (!net)
    return NULL;
  m = g_new0 (AmMotion, 1);
  m->model = am_model_ref (model);
  m->net = net;
  m->style_taps = style;
  m->queue = ak_queue_new (dev);
  m->start = ak_plan_new (dev);
  m->chunk = ak_plan_new (dev);
  if (!m->queue || !m->start || !m->chunk || !allocate (m)) {
    am_error_from_status (AK_ERR_MEMORY, "motion model", error);
    goto failed;
  }
  record_past (m, m->start, 0, start);
  record_chunk (m, m->chunk, taps);
  if (!am_error_from_status (ak_plan_finish (m->start), "motion model", error) ||
      !am_error_from_status (ak_plan_finish (m->chunk), "motion model", error) ||
      !am_motion_set_style (m, NULL, 1, error))
    goto failed;
  return m;

failed:
  am_motion_free (m);
  return NULL;
}

AmMotion *
am_motion_new (AmModel *model, GError **error)
{
  return am_motion_new_tapped (model, NULL, NULL, NULL, error);
}

void
am_motion_free (AmMotion *m)
{
  if (!m)
    return;
  ak_plan_free (m->start);
  ak_plan_free (m->chunk);
  ak_plan_free (m->style);
  for (unsigned i = 0; i < m->n_memory; i++)
    ak_free (am_model_device (m->model), m->memory[i]);
  ak_queue_free (m->queue);
  am_model_unref (m->model);
  g_free (m);
}

void
am_motion_reset (AmMotion *m)
{
  m->started = FALSE; /* the start runs with the style that is set when the first window comes */
}

gboolean
am_motion_set_style (AmMotion *m, const float *clip, float guidance, GError **error)
{
  const AmConfig *c = am_model_config (m->model);
  size_t n = (size_t) AM_STYLE_FRAMES * c->motion_dim, a = c->ar_width;
  AkPlan *plan = ak_plan_new (am_model_device (m->model));
  AkRows cond = ak_dense (m->cond, 1, a), style;
  AkStatus status = AK_ERR_MEMORY;

  if (!plan)
    goto out;
  if (clip) {
    ak_upload (m->queue, m->clip, clip, n * sizeof *clip);
    style = ak_dense (ak_plan_memory (plan, a * sizeof (float)), 1, a);
    am_style_network_record (m->net->style, plan, style,
        ak_dense (m->clip, AM_STYLE_FRAMES, c->motion_dim), 1, AM_STYLE_FRAMES, m->style_taps);
    ak_blend (plan, &(AkBlend){ .y = cond,
                        .a = style,
                        .b = ak_same (m->net->null_cond),
                        .alpha = guidance,
                        .beta = 1 - guidance,
                        .batch = 1,
                        .rows = 1,
                        .cols = a });
  } else {
    ak_copy (plan, cond, ak_same (m->net->null_cond), 1, 1, a);
  }
  status = ak_plan_finish (plan);
  if (status == AK_OK)
    status = ak_plan_run (plan, m->queue, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (m->queue);
out:
  ak_plan_free (m->style);
  m->style = plan; /* kept for its taps */
  return am_error_from_status (status, "style", error);
}

gboolean
am_motion_run (
    AmMotion *m, const float *features, float *frames, const atomic_int *cancel, GError **error)
{
  const AmConfig *c = am_model_config (m->model);
  const AmModelInfo *info = am_model_info (m->model);
  size_t bytes = (size_t) c->frames * c->motion_dim * sizeof *frames;
  AkStatus status = AK_OK;

  if (!m->started) {
    memset (frames, 0, bytes); /* rest: zeros before normalisation */
    ak_upload (m->queue, m->frames, frames, bytes);
    status = ak_plan_run (m->start, m->queue, cancel);
  }
  ak_upload (
      m->queue, m->features, features, (size_t) info->steps * info->channels * sizeof *features);
  if (status == AK_OK)
    status = ak_plan_run (m->chunk, m->queue, cancel);
  ak_download (m->queue, frames, m->frames, bytes);
  if (status == AK_OK)
    status = ak_queue_sync (m->queue);
  m->started = status == AK_OK;
  return am_error_from_status (status, "motion model", error);
}

static const char *
clip_basis (const AmWeights *w)
{
  const char *basis = am_weights_metadata (w, "basis");

  if (!basis)
    basis = am_weights_metadata (w, "BASIS");
  return basis && *basis ? basis : "flame";
}

float *
am_style_load (const char *name_or_path, unsigned motion_dim, const char *basis, GError **error)
{
  g_autofree char *file = g_strconcat (name_or_path, ".safetensors", NULL);
  g_autofree char *path = g_build_filename ("styles", file, NULL);
  g_autofree char *builtin = am_data_path (path);
  gboolean is_name =
      !strchr (name_or_path, G_DIR_SEPARATOR) && g_file_test (builtin, G_FILE_TEST_EXISTS);
  g_autoptr (AmWeights) w = NULL;
  g_autofree float *clip = NULL;
  const AmTensor *t;

  if (!is_name && !g_file_test (name_or_path, G_FILE_TEST_EXISTS)) {
    g_auto (GStrv) names = am_style_list ();
    g_autofree char *list = g_strjoinv (", ", names);

    g_set_error (error, AM_ERROR, AM_ERROR_OPEN, "%s: neither a file nor a built-in style (%s)",
        name_or_path, *list ? list : "there are none");
    return NULL;
  }
  w = am_weights_open (is_name ? builtin : name_or_path, error);
  if (!w)
    return NULL;
  t = am_weights_count (w) == 1 ? am_weights_nth (w, 0) : NULL;
  if (!t || t->n_dims != 2 || t->shape[0] != AM_STYLE_FRAMES || t->shape[1] != motion_dim) {
    g_autofree char *found =
        t ? am_tensor_shape_string (t) : g_strdup_printf ("%zu tensors", am_weights_count (w));

    g_set_error (error, AM_ERROR, AM_ERROR_SHAPE,
        "%s: a style clip for this model is one tensor [%d,%u], this file holds %s: \"artalk "
        "style\" "
        "makes one out of motion",
        am_weights_path (w), AM_STYLE_FRAMES, motion_dim, found);
    return NULL;
  }
  if (strcmp (clip_basis (w), basis) != 0) {
    g_set_error (error, AM_ERROR, AM_ERROR_MISMATCH,
        "%s: this style clip is in basis %s, the model moves in %s: choose a style made for it, or "
        "make one out of its own motion (artalk style)",
        am_weights_path (w), clip_basis (w), basis);
    return NULL;
  }
  clip = am_tensor_to_f32 (t);
  for (size_t i = 0; i < t->n; i++)
    if (!isfinite (clip[i])) {
      g_set_error (error, AM_ERROR, AM_ERROR_FORMAT,
          "%s: frame %zu of the style clip is not finite", am_weights_path (w), i / motion_dim);
      return NULL;
    }
  return g_steal_pointer (&clip);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

char **
am_style_list (void)
{
  g_autofree char *path = am_data_path ("styles");
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  GPtrArray *names = g_ptr_array_new ();
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ".safetensors"))
      g_ptr_array_add (names, g_strndup (name, strlen (name) - strlen (".safetensors")));
  g_ptr_array_sort (names, compare_strings);
  g_ptr_array_add (names, NULL);
  return (char **) g_ptr_array_free (names, FALSE);
}
