/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model_priv.h"

#include <math.h>
#include <string.h>

#include "bsq.h"
#include "paths.h"

/* A stream's memory on the device; it outlives the plans. */
enum {
  FEATURES, /* [steps][W] */
  FRAMES,   /* [T][motion_dim] */
  COND,     /* [A] */
  PAST,     /* [R * L][A], oldest chunk first */
  SUM,      /* [T][K], the quantised feature of the newest chunk's bits */
  CLIP,     /* [AM_STYLE_FRAMES][motion_dim] */
  N_PLACES
};

/* Programs: PAST_FROM + r makes frames, at rest or given out, chunk r of the past, the first one all of it (the others are for
 * windows that overlap); then come a chunk, features and past to frames, and what makes those frames the newest past. */
#define PAST_FROM 0
#define CHUNK(c) ((c)->prev_ratio)
#define NEXT(c) ((c)->prev_ratio + 1)
#define BIT(program) ((guint32) 1 << (program))

#define STYLES "styles" /* the folder of built-in ones */

struct _AmMotion
{
  AmModel *model;
  const AmMotionNetworks *net;
  AmRunner *runner;
  AkQueue *queue; /* the runner's */
  AkPlan *style;  /* the last style's, for its taps, or NULL */
  AmTaps *style_taps;
  gboolean started;

  /* windows that overlap */
  float *
      given; /* [prev_ratio * T + T][motion_dim], what was given out; frame 0 of the window is row R * T */
  float *seam;       /* [motion_dim], how far the last frame given out was from its window's */
  float *window;     /* [T][motion_dim], the window's own */
  guint64 at;        /* the window's first frame in the stream */
  guint64 given_end; /* one past the last frame given out */
};

/* What is written down on the way, for tests; of a stream alone. */
typedef struct
{
  AmTaps *chunk, *start;
} Taps;

/* Records what follows once the frames are known: they are encoded to bits, and the tokens of the past are made of them, in
 * slots `slot` to `end` of the past. */
static void
record_past (AmModel *model, AkPlan *plan, float *const *places, size_t batch, unsigned slot,
    unsigned end, AmTaps *taps)
{
  const AmConfig *c = am_model_config (model);
  const AmMotionNetworks *net = am_model_motion (model, NULL);
  size_t a = c->ar_width, k = c->code_dim, l = c->tokens, t = c->frames, own = l - c->scales[0];
  AkRows enc = ak_dense (ak_plan_memory (plan, batch * t * k * sizeof (float)), t, k);
  AkRows feats =
      ak_dense (ak_plan_memory (plan, batch * MAX (own, 1) * k * sizeof (float)), own, k);
  AkRows sum = ak_dense (places[SUM], t, k), past = ak_dense (places[PAST], c->prev_ratio * l, a);
  AkRows first = ak_from (past, slot * l, 0), cond = { places[COND], 0, a };
  AkBits bits = { ak_plan_memory (plan, batch * l * k), k, l * k };

  am_codec_encode (net->codec, plan, enc, ak_dense (places[FRAMES], t, c->motion_dim), batch, taps);
  am_bsq_encode (plan, c, bits, enc, batch, taps);
  am_tap_bits (taps, plan, bits, l, k, "prev_bits");
  am_bsq_sum (plan, c, sum, feats, bits, batch);
  ak_copy (plan, first, cond, batch, c->scales[0], a);
  am_transformer_embed (
      net->transformer, plan, ak_from (first, c->scales[0], 0), feats, batch, own);
  for (unsigned r = slot + 1; r < end; r++)
    ak_copy (plan, ak_from (past, r * l, 0), first, batch, l, a);
  am_tap (taps, plan, past, c->prev_ratio * l, a, "prev_feat");
}

static void
record_chunk (AmModel *model, AkPlan *plan, float *const *places, size_t batch, AmTaps *taps)
{
  const AmConfig *c = am_model_config (model);
  const AmModelInfo *info = am_model_info (model);
  const AmMotionNetworks *net = am_model_motion (model, NULL);
  size_t a = c->ar_width, k = c->code_dim, l = c->tokens, t = c->frames;
  AmChunk chunk = {
    .features = ak_dense (places[FEATURES], info->steps, info->channels),
    .steps = info->steps,
    .cond = ak_dense (places[COND], 1, a),
    .prev_feat = ak_dense (places[PAST], c->prev_ratio * l, a),
    .bits = { ak_plan_memory (plan, batch * l * k), k, l * k },
    .sum = ak_dense (ak_plan_memory (plan, batch * t * k * sizeof (float)), t, k),
    .batch = batch,
  };

  am_transformer_record (net->transformer, plan, &chunk, taps);
  am_codec_decode (net->codec, plan, ak_dense (places[FRAMES], t, c->motion_dim),
      ak_dense (places[SUM], t, k), chunk.sum, batch, taps);
}

static void
record_next (AmModel *model, AkPlan *plan, float *const *places, size_t batch, AmTaps *taps)
{
  const AmConfig *c = am_model_config (model);
  size_t a = c->ar_width, l = c->tokens;
  AkRows past = ak_dense (places[PAST], c->prev_ratio * l, a);

  for (unsigned r = 0; r + 1 < c->prev_ratio; r++)
    ak_copy (plan, ak_from (past, r * l, 0), ak_from (past, (r + 1) * l, 0), batch, l, a);
  /* the decoded motion is encoded again: the past is not the bits just predicted */
  record_past (model, plan, places, batch, c->prev_ratio - 1, c->prev_ratio, taps);
}

static void
record (AmModel *model, AkPlan *plan, unsigned program, float *const *places, size_t batch,
    gpointer data)
{
  const AmConfig *c = am_model_config (model);
  const Taps none = { NULL, NULL }, *taps = data ? data : &none;

  if (program == CHUNK (c))
    record_chunk (model, plan, places, batch, taps->chunk);
  else if (program == NEXT (c))
    record_next (model, plan, places, batch, taps->chunk);
  else if (program == PAST_FROM)
    record_past (model, plan, places, batch, 0, c->prev_ratio, taps->start);
  else
    record_past (model, plan, places, batch, program - PAST_FROM, program - PAST_FROM + 1, NULL);
}

static AmNetwork
describe (const AmModel *model)
{
  const AmConfig *c = am_model_config (model);
  const AmModelInfo *info = am_model_info (model);
  const guint32 past = BIT (PAST) | BIT (SUM);
  AmNetwork n = { .name = "motion model",
    .which = AM_NETWORK_MOTION,
    .n_places = N_PLACES,
    .n_programs = c->prev_ratio + 2,
    .record = record };

  n.numbers[FEATURES] = (size_t) info->steps * info->channels;
  n.numbers[FRAMES] = (size_t) c->frames * c->motion_dim;
  n.numbers[COND] = c->ar_width;
  n.numbers[PAST] = (size_t) c->prev_ratio * c->tokens * c->ar_width;
  n.numbers[SUM] = (size_t) c->frames * c->code_dim;
  n.numbers[CLIP] = (size_t) AM_STYLE_FRAMES * c->motion_dim;
  for (unsigned p = 0; p < n.n_programs; p++) {
    n.reads[p] = BIT (FRAMES) | BIT (COND) | (p == PAST_FROM ? 0 : BIT (PAST));
    n.writes[p] = past;
  }
  n.reads[CHUNK (c)] = BIT (FEATURES) | BIT (COND) | past;
  n.writes[CHUNK (c)] = BIT (FRAMES);
  return n;
}

static AmMotion *
motion_new (
    AmModel *model, const AmBatching *batching, Taps *taps, AmTaps *style_taps, GError **error)
{
  const AmConfig *c = am_model_config (model);
  const AmMotionNetworks *net = am_model_motion (model, error);
  AmNetwork network;
  AmMotion *m;

  if (!net)
    return NULL;
  network = describe (model);
  m = g_new0 (AmMotion, 1);
  m->model = am_model_ref (model);
  m->net = net;
  m->style_taps = style_taps;
  m->given = g_new0 (float, ((size_t) c->prev_ratio + 1) * c->frames * c->motion_dim);
  m->seam = g_new0 (float, c->motion_dim);
  m->window = g_new (float, (size_t) c->frames * c->motion_dim);
  m->runner = am_runner_new (model, &network, batching, taps, error);
  if (m->runner) {
    m->queue = am_runner_queue (m->runner);
    if (am_motion_set_style (m, NULL, 1, error))
      return m;
  }
  am_motion_free (m);
  return NULL;
}

AmMotion *
am_motion_new_tapped (AmModel *model, AmTaps *taps, AmTaps *start, AmTaps *style, GError **error)
{
  Taps all = { taps, start };

  return motion_new (model, &(AmBatching){ .most = 1 }, &all, style, error);
}

AmMotion *
am_motion_new_batched (AmModel *model, const AmBatching *batching, GError **error)
{
  return motion_new (model, batching, NULL, NULL, error);
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
  ak_plan_free (m->style);
  am_runner_free (m->runner);
  am_model_unref (m->model);
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
  float *place = am_runner_place (m->runner, CLIP);
  AkRows cond = ak_dense (am_runner_place (m->runner, COND), 1, a), style;
  AkStatus status = AK_ERR_MEMORY;

  if (!plan)
    goto out;
  if (clip) {
    style = ak_dense (ak_plan_memory (plan, a * sizeof (float)), 1, a);
    am_style_network_record (m->net->style, plan, style,
        ak_dense (place, AM_STYLE_FRAMES, c->motion_dim), 1, AM_STYLE_FRAMES, m->style_taps);
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
    status = am_runner_settle (m->runner, NULL);
  if (status == AK_OK && clip)
    status = ak_upload (m->queue, place, clip, n * sizeof *clip);
  if (status == AK_OK)
    status = ak_plan_run (plan, m->queue, NULL);
  if (status == AK_OK)
    status = ak_queue_sync (m->queue);
out:
  ak_plan_free (m->style);
  m->style = plan;
  if (!m->style_taps)
    g_clear_pointer (&m->style, ak_plan_free);
  return am_error_from_status (status, "style", error);
}

static AkStatus
put_frames (AmMotion *m, const float *frames)
{
  const AmConfig *c = am_model_config (m->model);

  return ak_upload (m->queue, am_runner_place (m->runner, FRAMES), frames,
      (size_t) c->frames * c->motion_dim * sizeof *frames);
}

/* Runs programs on `features`, and takes the window's frames. */
static AkStatus
run (AmMotion *m, guint32 programs, const float *features, float *frames, const atomic_int *cancel)
{
  const AmConfig *c = am_model_config (m->model);
  const AmModelInfo *info = am_model_info (m->model);
  AkStatus status = ak_upload (m->queue, am_runner_place (m->runner, FEATURES), features,
      (size_t) info->steps * info->channels * sizeof *features);

  if (status == AK_OK)
    status = am_runner_run (m->runner, programs, cancel);
  if (status == AK_OK)
    status = ak_download (m->queue, frames, am_runner_place (m->runner, FRAMES),
        (size_t) c->frames * c->motion_dim * sizeof *frames);
  return status == AK_OK ? ak_queue_sync (m->queue) : status;
}

gboolean
am_motion_run (
    AmMotion *m, const float *features, float *frames, const atomic_int *cancel, GError **error)
{
  const AmConfig *c = am_model_config (m->model);
  guint32 programs = BIT (CHUNK (c)) | BIT (NEXT (c));
  AkStatus status = am_runner_settle (m->runner, cancel);

  if (status == AK_OK && !m->started) {
    /* rest: zeros before normalisation */
    memset (frames, 0, (size_t) c->frames * c->motion_dim * sizeof *frames);
    status = put_frames (m, frames);
    programs |= BIT (PAST_FROM);
  }
  if (status == AK_OK)
    status = run (m, programs, features, frames, cancel);
  m->started = status == AK_OK;
  return am_error_from_status (status, "motion model", error);
}

/* Moves `given` on so that the window begins at frame `start`, and makes the past of what lies before it; the newest chunk of
 * it with the programs to come, among which it is put. */
static AkStatus
move_to (AmMotion *m, guint64 start, guint32 *programs, const atomic_int *cancel)
{
  const AmConfig *c = am_model_config (m->model);
  const size_t rows = ((size_t) c->prev_ratio + 1) * c->frames, d = c->motion_dim;
  const size_t by = m->started ? (size_t) MIN (start - m->at, rows) : rows;
  AkStatus status = AK_OK;

  memmove (m->given, m->given + by * d, (rows - by) * d * sizeof (float));
  memset (m->given + (rows - by) * d, 0, by * d * sizeof (float));
  if (!m->started)
    m->given_end = start;
  m->at = start;
  for (unsigned r = 0; r < c->prev_ratio && status == AK_OK; r++) {
    status = put_frames (m, m->given + (size_t) r * c->frames * d);
    if (r + 1 == c->prev_ratio)
      *programs |= BIT (PAST_FROM + r);
    else if (status == AK_OK)
      status = am_runner_run (m->runner, BIT (PAST_FROM + r), cancel);
  }
  return status;
}

/* Over a seam. What the last frame given out has and its window has not is there in the next frame too, and gone in
 * the last of those that are given out together or the fifth, so that seams do not add up; and a part of the step to the
 * next frame is put off, more where a window begins, which does not know the frame before. */
#define SEAM_FRAMES 5
#define PUT_OFF 0.1f
#define PUT_OFF_FIRST 0.4f

/* How much of the seam is in frame `i` of `n`. */
static float
seam_share (unsigned i, unsigned n)
{
  const unsigned last = MIN (n, SEAM_FRAMES) - 1;

  if (last == 0)
    return 0.5f;
  return i < last ? 1 - (float) i / (float) last : 0;
}

/* Gives out frames `first` to `first + n` of the window. */
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
  for (unsigned i = 0; i < n; i++) {
    const float share = seam_share (i, n);
    const size_t at = (first + i) * d;

    for (size_t k = 0; k < d; k++)
      given[at + k] = m->window[at + k] + share * m->seam[k];
  }
  m->given_end = begin + n;
}

gboolean
am_motion_run_part (AmMotion *m, const float *features, guint64 start, unsigned first, unsigned n,
    float *frames, const atomic_int *cancel, GError **error)
{
  const AmConfig *c = am_model_config (m->model);
  const size_t row = c->motion_dim * sizeof *frames;
  guint32 programs = BIT (CHUNK (c));
  AkStatus status = am_runner_settle (m->runner, cancel);

  if (status == AK_OK && (!m->started || start != m->at))
    status = move_to (m, start, &programs, cancel);
  if (status == AK_OK)
    status = run (m, programs, features, m->window, cancel);
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
  g_autofree char *path = am_data_find (STYLES, "style", name_or_path, error);
  g_autoptr (AmWeights) w = path ? am_weights_open (path, error) : NULL;
  g_autofree float *clip = NULL;
  const AmTensor *t;

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

char **
am_style_list (void)
{
  return am_data_names (STYLES);
}
