/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams that are computed together: when a batch starts, and that each gets what it would get alone, whoever else comes,
 * goes, begins anew or is cancelled meanwhile. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "models/model_priv.h"
#include "synth.h"

#define FOREVER G_TIME_SPAN_HOUR

static const char *const devices[] = { "cpu:plain", "cpu", "cuda:host", "cuda" };
static const char *const models[] = { "own-mimi", "own-past", "own-context" };

/* How much is done: "cuda:host" is slow. */
typedef struct
{
  unsigned models;   /* of the list, the first ones */
  unsigned speeches; /* that a stream may have, each with its own style */
  unsigned windows;  /* of a speech */
  unsigned steady;   /* streams in step */
  unsigned streams;
  unsigned turns;   /* speeches that each of them is heard out */
  unsigned cancels; /* of all together */
  unsigned times;   /* as long do they wait */
} Amount;
static const Amount much = { 3, 6, 3, 7, 8, 4, 40, 1 }, little = { 2, 3, 2, 3, 3, 1, 6, 20 };

/* A model, and what a stream alone makes of each speech. */
typedef struct
{
  AmModel *model;
  const Amount *amount;
  gboolean exact;     /* is_exact() */
  size_t speech;      /* numbers of motion of one */
  float *want;        /* [speeches][speech] */
  guint64 counted[2]; /* batches and their members so far */
} Case;

/* A stream: its encoder and its motion. */
typedef struct
{
  AmAudioEncoder *encoder;
  AmMotion *motion;
} Stream;

static Stream
stream_new (AmModel *model, const AmBatching *batching)
{
  g_autoptr (GError) error = NULL;
  Stream s = { am_audio_encoder_new_batched (model, batching, &error), NULL };

  g_assert_no_error (error);
  s.motion = am_motion_new_batched (model, batching, &error);
  g_assert_no_error (error);
  return s;
}

static void
stream_clear (Stream *s)
{
  am_audio_encoder_free (s->encoder);
  am_motion_free (s->motion);
}

/* Sound of window `w` of a speech through the encoder. */
static gboolean
hear (const AmModel *model, AmAudioEncoder *encoder, unsigned speech, unsigned w, float *features,
    const atomic_int *cancel, GError **error)
{
  const AmModelInfo *info = am_model_info (model);
  const size_t n = (size_t) info->before_samples + info->window_samples + info->ahead_samples;
  g_autofree float *samples = g_new (float, n);
  const float pitch = 0.04f + 0.007f * (float) speech, loudness = 0.1f * (float) (1 + speech + w);

  for (size_t i = 0; i < n; i++)
    samples[i] = loudness * sinf ((float) i * pitch) * sinf ((float) (i + w) * 0.0017f);
  return am_audio_encoder_run (encoder, samples, features, cancel, error);
}

static gboolean
choose_style (const AmModel *model, AmMotion *motion, unsigned speech, GError **error)
{
  const size_t n = (size_t) AM_STYLE_FRAMES * am_model_info (model)->motion_dim;
  g_autofree float *clip = g_new (float, n);

  for (size_t i = 0; i < n; i++)
    clip[i] = 0.2f * sinf ((float) (i * (speech + 1)) * 0.37f);
  return am_motion_set_style (
      motion, speech % 3 ? clip : NULL, 0.4f + 0.3f * (float) speech, error);
}

/* A whole speech, from anew, to `motion`: every other one in windows that overlap. */
static gboolean
speak (const Case *c, const Stream *s, unsigned speech, float *motion, const atomic_int *cancel,
    GError **error)
{
  const AmModel *model = c->model;
  const AmModelInfo *info = am_model_info (model);
  g_autofree float *features = g_new (float, (size_t) info->steps * info->channels);
  const unsigned hop = 2;

  am_audio_encoder_reset (s->encoder);
  am_motion_reset (s->motion);
  if (!choose_style (model, s->motion, speech, error))
    return FALSE;
  for (unsigned w = 0; w < c->amount->windows; w++) {
    const unsigned n = speech % 2 && w ? hop : info->window_frames;

    if (!hear (model, s->encoder, speech, w, features, cancel, error))
      return FALSE;
    if (speech % 2 ? !am_motion_run_part (s->motion, features, w * hop, info->window_frames - n, n,
                         motion, cancel, error)
                   : !am_motion_run (s->motion, features, motion, cancel, error))
      return FALSE;
    motion += (size_t) n * info->motion_dim;
  }
  return TRUE;
}

/* Whether the sums of a device's products do not follow the number of rows, so that a batch of any size gives equal bytes. */
static gboolean
is_exact (const char *device)
{
  return strcmp (device, "cpu:plain") == 0;
}

/* `n` numbers that two batches made of the same. */
static void
check_same (gboolean exact, const float *got, const float *want, size_t n)
{
  if (exact)
    g_assert_cmpmem (got, n * sizeof *got, want, n * sizeof *want);
  for (size_t i = 0; i < n; i++)
    if (!(fabsf (got[i] - want[i]) <= 1e-4f * (1 + fabsf (want[i]))))
      g_error ("number %zu: %g, not %g", i, (double) got[i], (double) want[i]);
}

/* The model of golden case `name` on a device; NULL where the device is not there. */
static AmModel *
open_model (const char *name, const char *device)
{
  AkDevice *dev = ak_device_open (device, 2, NULL);
  g_autofree char *manifest = g_build_filename (GOLDEN_DIR, "motion", name, "manifest.json", NULL);
  g_autofree char *config = g_build_filename (GOLDEN_DIR, "motion", name, "config.json", NULL);
  g_autofree char *path = NULL, *text = NULL;
  g_autoptr (GError) error = NULL;
  AmModel *model;
  int fd;

  if (!dev) {
    g_test_skip (ak_device_problem ());
    return NULL;
  }
  fd = g_file_open_tmp (NULL, &path, &error);
  g_assert_no_error (error);
  g_close (fd, NULL);
  g_file_get_contents (config, &text, NULL, &error);
  g_assert_no_error (error);
  synth_write (manifest, -1, path, NULL, &error);
  g_assert_no_error (error);
  model = am_model_open_with_config (path, text, device, AK_F32, 2, &error);
  g_unlink (path); /* it stays open */
  g_assert_no_error (error);
  ak_device_unref (dev);
  return model;
}

static const Amount *
amount_of (const char *device)
{
  return strcmp (device, "cuda:host") == 0 ? &little : &much;
}

static gboolean
case_set_up (Case *c, const char *name, const char *device)
{
  g_autoptr (GError) error = NULL;
  const AmModelInfo *info;
  Stream alone;

  c->model = open_model (name, device);
  if (!c->model)
    return FALSE;
  info = am_model_info (c->model);
  c->amount = amount_of (device);
  c->exact = is_exact (device);
  c->speech = (size_t) c->amount->windows * info->window_frames * info->motion_dim;
  c->want = g_new0 (float, c->amount->speeches * c->speech);
  alone = stream_new (c->model, &(AmBatching){ .most = 1 });
  for (unsigned i = 0; i < c->amount->speeches; i++) {
    speak (c, &alone, i, c->want + i * c->speech, NULL, &error);
    g_assert_no_error (error);
  }
  stream_clear (&alone);
  return TRUE;
}

static void
case_clear (Case *c)
{
  am_model_unref (c->model);
  g_free (c->want);
}

/* When a batch starts. A thread has a stream hand in one window; one that should not start yet would wait for an hour. */

typedef struct
{
  const Case *c;
  Stream stream;
  atomic_int cancel;
  GError *error;
  float *features;
  atomic_int done;
  GThread *thread;
} Hearing;

static gpointer
hearing_thread (gpointer data)
{
  Hearing *h = data;

  hear (h->c->model, h->stream.encoder, 1, 0, h->features, &h->cancel, &h->error);
  atomic_store (&h->done, 1);
  return NULL;
}

static void
hearing_init (Hearing *h, const Case *c, unsigned most, gint64 wait)
{
  const AmModelInfo *info = am_model_info (c->model);

  *h = (Hearing){ .c = c, .stream = stream_new (c->model, &(AmBatching){ most, wait }) };
  h->features = g_new (float, (size_t) info->steps * info->channels);
}

static void
hearing_start (Hearing *h)
{
  h->thread = g_thread_new ("hearing", hearing_thread, h);
}

static void
hearing_join (Hearing *h)
{
  g_thread_join (h->thread);
}

static void
hearing_clear (Hearing *h)
{
  stream_clear (&h->stream);
  g_free (h->features);
  g_clear_error (&h->error);
}

/* How many batches there were, and members of them, since the last call. */
static void
check_counts (Case *c, guint64 batches, guint64 members)
{
  guint64 now[2];

  am_model_batch_counts (c->model, AM_NETWORK_ENCODER, &now[0], &now[1]);
  g_assert_cmpuint (now[0] - c->counted[0], ==, batches);
  g_assert_cmpuint (now[1] - c->counted[1], ==, members);
  memcpy (c->counted, now, sizeof now);
}

static void
check_same_features (const Hearing *h, unsigned n)
{
  const AmModelInfo *info = am_model_info (h->c->model);

  for (unsigned i = 0; i < n; i++)
    g_assert_no_error (h[i].error);
  for (unsigned i = 1; i < n; i++)
    check_same (h[0].c->exact, h[i].features, h[0].features, (size_t) info->steps * info->channels);
}

/* Four of five: the batch is full. */
static void
start_when_full (Case *c)
{
  Hearing h[5];

  for (unsigned i = 0; i < 5; i++)
    hearing_init (&h[i], c, 4, FOREVER);
  for (unsigned i = 0; i < 4; i++)
    hearing_start (&h[i]);
  for (unsigned i = 0; i < 4; i++)
    hearing_join (&h[i]);
  check_counts (c, 1, 4);
  check_same_features (h, 4);
  for (unsigned i = 0; i < 5; i++)
    hearing_clear (&h[i]);
}

/* All three that there are; then two, as one has gone. */
static void
start_when_all_are_there (Case *c)
{
  Hearing h[3];

  for (unsigned i = 0; i < 3; i++)
    hearing_init (&h[i], c, 64, FOREVER);
  for (unsigned i = 0; i < 3; i++)
    hearing_start (&h[i]);
  for (unsigned i = 0; i < 3; i++)
    hearing_join (&h[i]);
  check_same_features (h, 3);
  hearing_start (&h[0]);
  hearing_start (&h[1]);
  hearing_clear (&h[2]);
  hearing_join (&h[0]);
  hearing_join (&h[1]);
  check_same_features (h, 2);
  check_counts (c, 2, 5);
  hearing_clear (&h[0]);
  hearing_clear (&h[1]);
}

/* One of two, which does not wait long; then the patient one with it, once it has handed in. */
static void
start_when_due (Case *c)
{
  Hearing h[2];

  hearing_init (&h[0], c, 16, 1000);
  hearing_init (&h[1], c, 16, FOREVER);
  hearing_start (&h[0]);
  hearing_join (&h[0]);
  check_counts (c, 1, 1);
  hearing_start (&h[1]);
  while (!atomic_load (&h[1].done)) {
    am_audio_encoder_reset (h[0].stream.encoder);
    hearing_start (&h[0]);
    hearing_join (&h[0]);
  }
  hearing_join (&h[1]);
  check_same_features (h, 2);
  hearing_clear (&h[0]);
  hearing_clear (&h[1]);
}

/* One that waits is cancelled, and is not there when the batch starts; afterwards it is as good as ever. */
static void
cancel_while_waiting (Case *c)
{
  Hearing h[3];

  for (unsigned i = 0; i < 3; i++)
    hearing_init (&h[i], c, 3, FOREVER);
  hearing_start (&h[0]);
  hearing_start (&h[1]);
  atomic_store (&h[0].cancel, 1);
  hearing_join (&h[0]);
  g_assert_error (h[0].error, AM_ERROR, AM_ERROR_CANCELLED);
  g_clear_error (&h[0].error);
  atomic_store (&h[0].cancel, 0);
  am_audio_encoder_reset (h[0].stream.encoder);
  hearing_start (&h[0]);
  hearing_start (&h[2]);
  for (unsigned i = 0; i < 3; i++)
    hearing_join (&h[i]);
  check_same_features (h, 3);
  check_counts (c, 1, 3);
  for (unsigned i = 0; i < 3; i++)
    hearing_clear (&h[i]);
}

static void
test_starts (gconstpointer data)
{
  Case c = { .model = open_model ("own-context", data), .exact = is_exact (data) };

  if (!c.model)
    return;
  start_when_full (&c);
  cancel_while_waiting (&c);
  start_when_due (&c);
  case_clear (&c);
}

static void
test_all_there (gconstpointer data)
{
  Case c = { .model = open_model ("own-mimi", data), .exact = is_exact (data) };

  if (!c.model)
    return;
  g_assert_cmpuint (am_batch_most (c.model, 0), ==, g_str_has_prefix (data, "cuda") ? 64 : 1);
  g_assert_cmpuint (am_batch_most (c.model, 1000), ==, AM_BATCH_LIMIT);
  start_when_all_are_there (&c);
  case_clear (&c);
}

/* Streams in threads of their own: first in step, so that each batch has all of them, then such that come and go. */

typedef struct
{
  const Case *c;
  Stream stream;
  unsigned speech;
  GThread *thread;
} Steady;

static gpointer
steady_thread (gpointer data)
{
  Steady *s = data;
  g_autofree float *motion = g_new0 (float, s->c->speech);
  g_autoptr (GError) error = NULL;

  speak (s->c, &s->stream, s->speech, motion, NULL, &error);
  g_assert_no_error (error);
  check_same (s->c->exact, motion, s->c->want + s->speech * s->c->speech, s->c->speech);
  return NULL;
}

/* Of a number that is no power of two: a card computes a few rows too many, a processor several smaller batches. */
static void
in_step (const Case *c)
{
  const unsigned n = c->amount->steady;
  g_autofree Steady *steady = g_new0 (Steady, n);
  guint64 batches, members;

  for (unsigned i = 0; i < n; i++)
    steady[i] = (Steady){ c, stream_new (c->model, &(AmBatching){ 16, FOREVER }),
      2 * i % c->amount->speeches & ~1u, NULL }; /* the odd ones hand in more often */
  for (unsigned i = 0; i < n; i++)
    steady[i].thread = g_thread_new ("steady", steady_thread, &steady[i]);
  for (unsigned i = 0; i < n; i++)
    g_thread_join (steady[i].thread);
  for (unsigned i = 0; i < n; i++)
    stream_clear (&steady[i].stream);
  for (unsigned which = 0; which < AM_N_NETWORKS; which++) {
    am_model_batch_counts (c->model, which, &batches, &members);
    g_assert_cmpuint (batches, ==, c->amount->windows);
    g_assert_cmpuint (members, ==, (guint64) n * c->amount->windows);
  }
}

typedef struct
{
  const Case *c;
  guint32 seed;
  atomic_int cancel;
} Speaker;

static gpointer
speaker_thread (gpointer data)
{
  static const unsigned most[] = { 2, 3, 4, 7, 256 };
  static const gint64 wait[] = { 0, 300, 2000 };
  Speaker *s = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (s->seed);
  g_autofree float *motion = g_new0 (float, s->c->speech);
  unsigned heard = 0;

  while (heard < s->c->amount->turns) {
    const AmBatching batching = { most[g_rand_int_range (rand, 0, G_N_ELEMENTS (most))],
      s->c->amount->times * wait[g_rand_int_range (rand, 0, G_N_ELEMENTS (wait))] };
    Stream stream = stream_new (s->c->model, &batching);

    for (int turns = g_rand_int_range (rand, 1, 4); turns > 0; turns--) {
      const unsigned speech =
          (unsigned) g_rand_int_range (rand, 0, (gint32) s->c->amount->speeches);
      g_autoptr (GError) error = NULL;

      g_usleep ((gulong) g_rand_int_range (rand, 0, 2000));
      memset (motion, 0, s->c->speech * sizeof *motion);
      if (speak (s->c, &stream, speech, motion, &s->cancel, &error)) {
        check_same (s->c->exact, motion, s->c->want + speech * s->c->speech, s->c->speech);
        heard++;
      } else {
        g_assert_error (error, AM_ERROR, AM_ERROR_CANCELLED);
        atomic_store (&s->cancel, 0);
      }
    }
    stream_clear (&stream);
  }
  return NULL;
}

static void
storm (const Case *c)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  const Amount *amount = c->amount;
  g_autofree Speaker *speakers = g_new (Speaker, amount->streams);
  g_autofree GThread **threads = g_new (GThread *, amount->streams);
  guint64 batches, members;

  for (unsigned i = 0; i < amount->streams; i++) {
    speakers[i] = (Speaker){ .c = c, .seed = i };
    threads[i] = g_thread_new ("speaker", speaker_thread, &speakers[i]);
  }
  for (unsigned i = 0; i < amount->cancels; i++) {
    g_usleep ((gulong) g_rand_int_range (rand, 0, 3000) * amount->times);
    atomic_store (&speakers[g_rand_int_range (rand, 0, (gint32) amount->streams)].cancel, 1);
  }
  for (unsigned i = 0; i < amount->streams; i++)
    g_thread_join (threads[i]);
  am_model_batch_counts (c->model, AM_NETWORK_MOTION, &batches, &members);
  g_test_message ("%" G_GUINT64_FORMAT " batches of %.1f streams", batches,
      (double) members / (double) batches);
  g_assert_cmpuint (members, >=, (guint64) amount->streams * amount->turns * amount->windows);
}

static void
test_storm (gconstpointer data)
{
  for (unsigned i = 0; i < amount_of (data)->models; i++) {
    Case c = { 0 };

    if (!case_set_up (&c, models[i], data))
      return;
    in_step (&c);
    storm (&c);
    case_clear (&c);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (devices); i++) {
    g_autofree char *starts = g_strdup_printf ("/batch/%s/starts", devices[i]);
    g_autofree char *all = g_strdup_printf ("/batch/%s/all-there", devices[i]);
    g_autofree char *together = g_strdup_printf ("/batch/%s/as-alone", devices[i]);

    g_test_add_data_func (starts, devices[i], test_starts);
    g_test_add_data_func (all, devices[i], test_all_there);
    g_test_add_data_func (together, devices[i], test_storm);
  }
  return g_test_run ();
}
