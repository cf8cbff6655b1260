/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libFuzzer: any bytes are a config.json. What is accepted keeps what networks rely on; what is refused says
 * why in one line. */
#include <stdint.h>
#include <string.h>

#include "models/config.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_accepted (const AmConfig *c)
{
  unsigned sum = 0;

  g_assert (c->motion_dim >= 7 && c->code_dim >= 1 && c->prev_ratio >= 1);
  g_assert (c->n_scales >= 1 && c->n_scales <= AM_MAX_SCALES);
  for (unsigned i = 0; i < c->n_scales; i++) {
    g_assert (c->scales[i] >= 1 && (i == 0 || c->scales[i] >= c->scales[i - 1]));
    sum += c->scales[i];
  }
  g_assert (c->tokens == sum && c->frames == c->scales[c->n_scales - 1]);
  g_assert (c->codec_depth >= 1 && c->codec_width % c->codec_heads == 0);
  g_assert (c->ar_depth >= 1 && c->ar_width % c->ar_heads == 0);
  g_assert (c->style_layers >= 1 && c->style_width % c->style_heads == 0);
  g_assert (*c->basis && memchr (c->basis, 0, sizeof c->basis));
  if (c->encoder == AM_ENCODER_WAV2VEC2) {
    const AmWav2vecConfig *w = &c->wav2vec;
    size_t samples = (size_t) c->frames * AM_SAMPLES_PER_FRAME + c->before + c->ahead;

    g_assert (w->n_convs >= 1 && w->n_convs <= AM_MAX_CONVS && w->hidden == c->audio_width);
    g_assert (w->hidden % w->heads == 0 && w->hidden % w->pos_groups == 0);
    g_assert (am_config_wav2vec_hop (w) >= 1);
    g_assert (am_config_wav2vec_steps (w, samples) > c->before / am_config_wav2vec_hop (w));
  } else {
    g_assert (c->mimi.n_ratios <= AM_MAX_CONVS && c->mimi.semantic <= c->mimi.quantizers);
    g_assert (c->mimi.hidden == c->audio_width && c->before == 0 && c->ahead == 0);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  AmConfig config;

  if (am_config_parse ("fuzz", (const char *) data, (gssize) size, &config, &error))
    check_accepted (&config);
  else
    g_assert (error != NULL && strchr (error->message, '\n') == NULL);
  return 0;
}
