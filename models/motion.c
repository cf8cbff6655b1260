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
  AkPlan *start; /* a chunk of motion, at rest or given out, as the whole past */
  AkPlan **more; /* [prev_ratio - 1], each a later chunk of the past, for windows that overlap */
  AkPlan *chunk; /* features and past to frames */
  AkPlan *next;  /* those frames as the newest past */
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

  /* windows that overlap */
  float *
      given; /* [prev_ratio * T + T][motion_dim], what was given out; frame 0 of the window is row R * T */
  float *seam;       /* [motion_dim], how far the last frame given out was from its window's */
  float *window;     /* [T][motion_dim], the window's own */
  guint64 at;        /* the window's first frame in the stream */
  guint64 given_end; /* one past the last frame given out */
};

static void *
stream_memory (AmMotion *m, size_t bytes)
{
  return m->memory[m->n_memory++] = ak_alloc (am_model_device (m->model), bytes);
}

/* Records what follows once m->frames are known: they are encoded to prev_bits, and the tokens of the
 * past are made of them, in slots `slot` to `end` of prev_feat. */
static void
record_past (AmMotion *m, AkPlan *plan, unsigned slot, unsigned end, AmTaps *taps)
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
  for (unsigned r = slot + 1; r < end; r++)
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
}

static void
record_next (AmMotion *m, AkPlan *plan, AmTaps *taps)
{
  const AmConfig *c = am_model_config (m->model);
  size_t a = c->ar_width, l = c->tokens;
  AkRows past = ak_dense (m->prev_feat, c->prev_ratio * l, a);

  for (unsigned r = 0; r + 1 < c->prev_ratio; r++)
    ak_copy (plan, ak_from (past, r * l, 0), ak_from (past, (r + 1) * l, 0), 1, l, a);
  /* the decoded motion is encoded again: the past is not the bits just predicted */
  record_past (m, plan, c->prev_ratio - 1, c->prev_ratio, taps);
}

/* Makes the plans; FALSE with `error` set. */
static gboolean
record (AmMotion *m, AmTaps *taps, AmTaps *start, GError **error)
{
  const unsigned past = am_model_config (m->model)->prev_ratio;

  record_past (m, m->start, 0, past, start);
  record_chunk (m, m->chunk, taps);
  record_next (m, m->next, taps);
  for (unsigned r = 1; r < past; r++) {
    m->more[r - 1] = ak_plan_new (am_model_device (m->model));
    if (!m->more[r - 1])
      return am_error_from_status (AK_ERR_MEMORY, "motion model", error);
    record_past (m, m->more[r - 1], r, r + 1, NULL);
    if (!am_error_from_status (ak_plan_finish (m->more[r - 1]), "motion model", error))
      return FALSE;
  }
  return am_error_from_status (ak_plan_finish (m->start), "motion model", error) &&
         am_error_from_status (ak_plan_finish (m->chunk), "motion model", error) &&
         am_error_from_status (ak_plan_finish (m->next), "motion model", error);
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
  m->given = g_new0 (float, ((size_t) c->prev_ratio + 1) * c->frames * c->motion_dim);
  m->seam = g_new0 (float, c->motion_dim);
  m->window = g_new (float, (size_t) c->frames * c->motion_dim);
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
  m->next = ak_plan_new (dev);
  m->more = g_new0 (AkPlan *, am_model_config (model)->prev_ratio);
  if (!m->queue || !m->start || !m->chunk || !m->next || !allocate (m)) {
    am_error_from_status (AK_ERR_MEMORY, "motion model", error);
    goto failed;
  }
  if (!record (m, taps, start, error) || !am_motion_set_style (m, NULL, 1, error))
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
  ak_plan_free (m->next);
  for (unsigned r = 0; r + 1 < am_model_config (m->model)->prev_ratio; r++)
    ak_plan_free (m->more[r]);
  ak_plan_free (m->style);
  for (unsigned i = 0; i < m->n_memory; i++)
    ak_free (am_model_device (m->model), m->memory[i]);
  ak_queue_free (m->queue);
  am_model_unref (m->model);
  g_free (m->more);
  g_free (m->given);
  g_free (m->seam);
  g_free (m->window);
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
  if (status == AK_OK)
    status = ak_plan_run (m->next, m->queue, cancel);
  ak_download (m->queue, frames, m->frames, bytes);
  if (status == AK_OK)
    status = ak_queue_sync (m->queue);
  m->started = status == AK_OK;
  return am_error_from_status (status, "motion model", error);
}

/* Moves `given` on so that the window begins at frame `start`, and makes the past of what lies before it. */
static AkStatus
move_to (AmMotion *m, guint64 start, const atomic_int *cancel)
{
  const AmConfig *c = am_model_config (m->model);
  const size_t rows = ((size_t) c->prev_ratio + 1) * c->frames, d = c->motion_dim,
               bytes = (size_t) c->frames * d * sizeof (float);
  const size_t by = m->started ? (size_t) MIN (start - m->at, rows) : rows;
  AkStatus status = AK_OK;

  memmove (m->given, m->given + by * d, (rows - by) * d * sizeof (float));
  memset (m->given + (rows - by) * d, 0, by * d * sizeof (float));
  if (!m->started)
    m->given_end = start;
  m->at = start;
  for (unsigned r = 0; r < c->prev_ratio && status == AK_OK; r++) {
    ak_upload (m->queue, m->frames, m->given + (size_t) r * c->frames * d, bytes);
    status = ak_plan_run (r ? m->more[r - 1] : m->start, m->queue, cancel);
  }
  return status;
}

/* Over a seam. What the last frame given out has and its window has not is there in the next frame too and then
 * decays; and a part of the step to that frame is put off, more where a window begins, which does not know the
 * frame before. */
#define SEAM_DECAY 0.3f
#define PUT_OFF 0.1f
#define PUT_OFF_FIRST 0.4f

/* Gives out frames `first` to `first + n` of the window; what the last frame given out has and the window has not
 * decays over them. */
static void
give (AmMotion *m, unsigned first, unsigned n)
{
  const AmConfig *c = am_model_config (m->model);
  const size_t d = c->motion_dim;
  float *given = m->given + (size_t) c->prev_ratio * c->frames * d;
  const guint64 begin = m->at + first;

  if (m->given_end != begin || begin == 0) {
    /* the stream begins here: the window's own frames before stand for those that nobody saw */
    memcpy (given, m->window, (size_t) first * d * sizeof (float));
    memset (m->seam, 0, d * sizeof (float));
  } else {
    const float *last = given + first * d - d;
    const float *before = first > 0 ? m->window + first * d - d : last;
    const float off = first > 0 ? PUT_OFF : PUT_OFF_FIRST;

    for (size_t k = 0; k < d; k++)
      m->seam[k] = last[k] - before[k] - off * (m->window[first * d + k] - before[k]);
  }
  for (unsigned i = first; i < first + n; i++)
    for (size_t k = 0; k < d; k++) {
      given[i * d + k] = m->window[i * d + k] + m->seam[k];
      m->seam[k] *= SEAM_DECAY;
    }
  m->given_end = begin + n;
}

gboolean
am_motion_run_part (AmMotion *m, const float *features, guint64 start, unsigned first, unsigned n,
    float *frames, const atomic_int *cancel, GError **error)
{
  const AmConfig *c = am_model_config (m->model);
  const AmModelInfo *info = am_model_info (m->model);
  const size_t row = c->motion_dim * sizeof *frames;
  AkStatus status = AK_OK;

  if (!m->started || start != m->at)
    status = move_to (m, start, cancel);
  ak_upload (
      m->queue, m->features, features, (size_t) info->steps * info->channels * sizeof *features);
  if (status == AK_OK)
    status = ak_plan_run (m->chunk, m->queue, cancel);
  ak_download (m->queue, m->window, m->frames, c->frames * row);
  if (status == AK_OK)
    status = ak_queue_sync (m->queue);
  m->started = status == AK_OK;
  if (status == AK_OK) {
    give (m, first, n);
    memcpy (
        frames, m->given + ((size_t) c->prev_ratio * c->frames + first) * c->motion_dim, n * row);
  }
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
