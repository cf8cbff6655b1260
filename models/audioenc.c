/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model_priv.h"

#include "kernels/level.h"

/* How fast the running level follows louder and quieter windows (docs/numerics.md). */
#define LEVEL_UP 0.5f
#define LEVEL_DOWN 0.05f

enum { IN, LEVEL, OUT, N_PLACES };

struct _AmAudioEncoder
{
  AmModel *model;
  AmRunner *runner;
  gboolean fresh;  /* nothing was heard yet */
  size_t samples;  /* before + window + ahead */
  size_t features; /* steps * channels */
};

static size_t
span_samples (const AmModelInfo *info)
{
  return (size_t) info->before_samples + info->window_samples + info->ahead_samples;
}

/* `taps` may be NULL. */
static void
record (AmModel *model, AkPlan *plan, unsigned program, float *const *places, size_t batch,
    gpointer taps)
{
  const AmModelInfo *info = am_model_info (model);
  const AmConfig *c = am_model_config (model);
  const AmEncoderNetworks *networks = am_model_encoder (model, NULL);
  const size_t n = span_samples (info);
  float *x = ak_plan_memory (plan, batch * n * sizeof *x);
  AkRows out = ak_dense (places[OUT], info->steps, info->channels);

  ak_finite (plan, ak_dense (x, 1, n), ak_dense (places[IN], 1, n), batch, 1, n);
  if (c->audio_norm == AM_AUDIO_NORM_WINDOW)
    ak_level_window (plan, x, x, batch, n);
  else if (c->audio_norm == AM_AUDIO_NORM_RUNNING)
    ak_level_running (plan, &(AkLevelRunning){ .y = x,
                                .x = x,
                                .level = places[LEVEL],
                                .batch = batch,
                                .n = n,
                                .first = info->before_samples,
                                .count = info->window_samples,
                                .up = LEVEL_UP,
                                .down = LEVEL_DOWN });
  am_tap (taps, plan, ak_dense (x, n, 1), n, 1, "norm");
  if (networks->mimi)
    am_mimi_record (networks->mimi, plan, out, x, batch, n, taps);
  else
    am_wav2vec_record (networks->wav2vec, plan, out, x, batch, n,
        info->before_samples / am_config_wav2vec_hop (&c->wav2vec), info->steps, taps);
}

static AmAudioEncoder *
encoder_new (AmModel *model, const AmBatching *batching, AmTaps *taps, GError **error)
{
  const AmModelInfo *info = am_model_info (model);
  const AmNetwork network = { .name = "audio encoder",
    .which = AM_NETWORK_ENCODER,
    .n_places = N_PLACES,
    .n_programs = 1,
    .numbers = { span_samples (info), 1, (size_t) info->steps * info->channels },
    .reads = { 1 << IN | 1 << LEVEL },
    .writes = { 1 << LEVEL | 1 << OUT },
    .record = record };
  AmAudioEncoder *enc;

  if (!am_model_encoder (model, error))
    return NULL;
  enc = g_new0 (AmAudioEncoder, 1);
  enc->model = am_model_ref (model);
  enc->samples = network.numbers[IN];
  enc->features = network.numbers[OUT];
  enc->fresh = TRUE;
  enc->runner = am_runner_new (model, &network, batching, taps, error);
  if (enc->runner)
    return enc;
  am_audio_encoder_free (enc);
  return NULL;
}

AmAudioEncoder *
am_audio_encoder_new_tapped (AmModel *model, AmTaps *taps, GError **error)
{
  return encoder_new (model, &(AmBatching){ .most = 1 }, taps, error);
}

AmAudioEncoder *
am_audio_encoder_new_batched (AmModel *model, const AmBatching *batching, GError **error)
{
  return encoder_new (model, batching, NULL, error);
}

AmAudioEncoder *
am_audio_encoder_new (AmModel *model, GError **error)
{
  return am_audio_encoder_new_tapped (model, NULL, error);
}

void
am_audio_encoder_free (AmAudioEncoder *enc)
{
  if (!enc)
    return;
  am_runner_free (enc->runner);
  am_model_unref (enc->model);
  g_free (enc);
}

void
am_audio_encoder_reset (AmAudioEncoder *enc)
{
  enc->fresh = TRUE;
}

gboolean
am_audio_encoder_run (AmAudioEncoder *enc, const float *samples, float *features,
    const atomic_int *cancel, GError **error)
{
  static const float silence = 0;
  AkQueue *queue = am_runner_queue (enc->runner);
  AkStatus status = am_runner_settle (enc->runner, cancel);

  if (status == AK_OK && enc->fresh)
    status = ak_upload (queue, am_runner_place (enc->runner, LEVEL), &silence, sizeof silence);
  if (status == AK_OK)
    status = ak_upload (
        queue, am_runner_place (enc->runner, IN), samples, enc->samples * sizeof *samples);
  if (status == AK_OK)
    status = am_runner_run (enc->runner, 1, cancel);
  if (status == AK_OK)
    status = ak_download (
        queue, features, am_runner_place (enc->runner, OUT), enc->features * sizeof *features);
  if (status == AK_OK)
    status = ak_queue_sync (queue);
  enc->fresh = enc->fresh && status != AK_OK;
  return am_error_from_status (status, "audio encoder", error);
}
