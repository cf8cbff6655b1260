/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model_priv.h"

#include "kernels/level.h"

/* How fast the running level follows louder and quieter windows (docs/numerics.md). */
#define LEVEL_UP 0.5f
#define LEVEL_DOWN 0.05f

struct _AmAudioEncoder
{
  AmModel *model;
  AkQueue *queue;
  AkPlan *plan;
  size_t samples;  /* before + window + ahead */
  size_t features; /* steps * channels */
  float *in, *level, *out;
};

AmAudioEncoder *
am_audio_encoder_new_tapped (AmModel *model, AmTaps *taps, GError **error)
{
  const AmModelInfo *info = am_model_info (model);
  const AmConfig *c = am_model_config (model);
  const AmEncoderNetworks *networks = am_model_encoder (model, error);
  AkDevice *dev = am_model_device (model);
  AmAudioEncoder *enc;
  AkRows in, out;
  float *x;

  if (!networks)
    return NULL;
  enc = g_new0 (AmAudioEncoder, 1);
  enc->model = am_model_ref (model);
  enc->samples = (size_t) info->before_samples + info->window_samples + info->ahead_samples;
  enc->features = (size_t) info->steps * info->channels;
  enc->queue = ak_queue_new (dev);
  enc->plan = ak_plan_new (dev);
  if (!enc->queue || !enc->plan) {
    am_error_from_status (AK_ERR_MEMORY, "audio encoder", error);
    goto failed;
  }
  enc->in = ak_plan_memory (enc->plan, enc->samples * sizeof (float));
  enc->level = ak_plan_memory (enc->plan, sizeof (float));
  enc->out = ak_plan_memory (enc->plan, enc->features * sizeof (float));
  x = ak_plan_memory (enc->plan, enc->samples * sizeof (float));
  in = ak_dense (x, 1, enc->samples);
  out = ak_dense (enc->out, info->steps, info->channels);
  ak_finite (enc->plan, in, ak_dense (enc->in, 1, enc->samples), 1, 1, enc->samples);
  if (c->audio_norm == AM_AUDIO_NORM_WINDOW)
    ak_level_window (enc->plan, x, x, 1, enc->samples);
  else if (c->audio_norm == AM_AUDIO_NORM_RUNNING)
    ak_level_running (enc->plan, &(AkLevelRunning){ .y = x,
                                     .x = x,
                                     .level = enc->level,
                                     .batch = 1,
                                     .n = enc->samples,
                                     .first = info->before_samples,
                                     .count = info->window_samples,
                                     .up = LEVEL_UP,
                                     .down = LEVEL_DOWN });
  am_tap (taps, enc->plan, ak_dense (x, enc->samples, 1), enc->samples, 1, "norm");
  if (networks->mimi)
    am_mimi_record (networks->mimi, enc->plan, out, x, 1, enc->samples, taps);
  else
    am_wav2vec_record (networks->wav2vec, enc->plan, out, x, 1, enc->samples,
        info->before_samples / am_config_wav2vec_hop (&c->wav2vec), info->steps, taps);
  if (!am_error_from_status (ak_plan_finish (enc->plan), "audio encoder", error))
    goto failed;
  return enc;

failed:
  am_audio_encoder_free (enc);
  return NULL;
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
  ak_plan_free (enc->plan);
  ak_queue_free (enc->queue);
  am_model_unref (enc->model);
  g_free (enc);
}

void
am_audio_encoder_reset (AmAudioEncoder *enc)
{
  static const float silence = 0;

  ak_upload (enc->queue, enc->level, &silence, sizeof silence);
}

gboolean
am_audio_encoder_run (AmAudioEncoder *enc, const float *samples, float *features,
    const atomic_int *cancel, GError **error)
{
  AkStatus status;

  ak_upload (enc->queue, enc->in, samples, enc->samples * sizeof *samples);
  status = ak_plan_run (enc->plan, enc->queue, cancel);
  ak_download (enc->queue, features, enc->out, enc->features * sizeof *features);
  if (status == AK_OK)
    status = ak_queue_sync (enc->queue);
  return am_error_from_status (status, "audio encoder", error);
}
