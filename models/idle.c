/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On the host, like smoothing: 106 numbers a frame are too few for a device. */
#include "idle.h"

#include <math.h>
#include <string.h>

#define POSE 6 /* the last channels: global rotation, jaw */
#define RATE 25.0
#define MOUTH_EASE                                                                                 \
  3 /* frames in which speech gets the mouth back: a syllable must not be swallowed */
#define STILL_MAX 50     /* frames that an open jaw may rest in a long vowel */
#define JAW_OPEN 0.03f   /* radians */
#define REST_FRAMES 100u /* over which quiet input is averaged */
#define OCTAVES 4
#define LID_SHUT 0.5f

/* Channels of the basis arkit-1 (models/default/channels.json), left eye; those of the right lie EYE further on. */
enum {
  BLINK,
  LOOK_DOWN,
  LOOK_IN,
  LOOK_OUT,
  LOOK_UP,
  SQUINT,
  WIDE,
  EYE, /* channels of an eye */
  MOUTH_FIRST = 2 * EYE,
  MOUTH_END = 41,
  ARKIT_CHANNELS = 53,
};

/* Of the channels from MOUTH_FIRST on, those that open the mouth or make up for its being open: jaw, mouthClose, mouthFunnel;
 * lips apart; tongue. A smile is none of them and stays. */
static const struct
{
  guint8 first, end;
} opening[] = { { 14, 20 }, { 37, 41 }, { 51, 53 } };

/* How far the lids are shut in the frames of a blink. */
static const float blink[] = { 0.4f, 0.95f, 1, 0.75f, 0.4f, 0.15f };

/* Of pitch, yaw and roll: the largest sway, in radians. */
static const float sway_size[3] = { 0.012f, 0.030f, 0.012f };

struct _AmIdle
{
  unsigned dim;
  gboolean arkit;
  GRand *random;
  guint64 time; /* frames since the start */
  double hz[3][OCTAVES], phase[3][OCTAVES];
  double breath_phase;

  gboolean missing; /* the frame before was none */
  gboolean cut;     /* speech was interrupted, and the mouth is not yet shut */
  unsigned quiet;   /* frames since speech was last seen */
  unsigned still;   /* frames since the mouth last moved */
  unsigned rested;  /* frames in `rest`, up to REST_FRAMES */
  float life, mouth,
      gap; /* progress of easing, 0 to 1: eyes and head, mouth, all else while there is no input */
  float strength; /* follows the caller's; negative: not set yet */

  unsigned blink_in, blink_at; /* frames to the next blink; place in the one that goes on */
  unsigned look_in;            /* frames to the next glance */
  float gaze[2], target[2];    /* right and up, radians */

  float *last; /* [dim], the newest input */
  float *rest; /* [dim], mean of quiet input */
};

static double
draw (AmIdle *idle, double from, double to)
{
  return g_rand_double_range (idle->random, from, to);
}

static unsigned
draw_frames (AmIdle *idle, double from, double to)
{
  return (unsigned) (RATE * draw (idle, from, to));
}

AmIdle *
am_idle_new (unsigned dim, const char *basis, guint32 seed)
{
  AmIdle *idle = g_new0 (AmIdle, 1);

  g_assert (dim >= POSE);
  idle->dim = dim;
  idle->arkit = g_strcmp0 (basis, "arkit-1") == 0 && dim >= ARKIT_CHANNELS + POSE;
  idle->random = g_rand_new_with_seed (seed);
  idle->last = g_new (float, dim);
  idle->rest = g_new (float, dim);
  am_idle_reset (idle, seed);
  return idle;
}

void
am_idle_free (AmIdle *idle)
{
  if (!idle)
    return;
  g_rand_free (idle->random);
  g_free (idle->last);
  g_free (idle->rest);
  g_free (idle);
}

void
am_idle_reset (AmIdle *idle, guint32 seed)
{
  g_rand_set_seed (idle->random, seed);
  for (unsigned k = 0; k < 3; k++)
    for (unsigned i = 0; i < OCTAVES; i++) {
      idle->hz[k][i] = 0.05 * (1 << i) * draw (idle, 0.85, 1.15);
      idle->phase[k][i] = draw (idle, 0, 2 * G_PI);
    }
  idle->breath_phase = draw (idle, 0, 2 * G_PI);
  idle->time = 0;
  idle->missing = TRUE;
  idle->cut = FALSE;
  idle->quiet = idle->rested = 0;
  idle->still = STILL_MAX;
  idle->life = idle->mouth = idle->gap = 0;
  idle->strength = -1;
  idle->blink_in = draw_frames (idle, 1, 4);
  idle->blink_at = G_N_ELEMENTS (blink);
  idle->look_in = draw_frames (idle, 0.7, 3);
  memset (idle->gaze, 0, sizeof idle->gaze);
  memset (idle->target, 0, sizeof idle->target);
  memset (idle->last, 0, idle->dim * sizeof (float));
  memset (idle->rest, 0, idle->dim * sizeof (float));
}

void
am_idle_interrupt (AmIdle *idle)
{
  idle->quiet = AM_IDLE_HOLD;
  idle->still = STILL_MAX;
  idle->missing = idle->cut = TRUE;
}

/* How much the mouth moves from the last frame to `frame`: the header's e. */
static float
movement (const AmIdle *idle, const float *frame)
{
  const unsigned jaw = idle->dim - 3;
  float e = fabsf (frame[jaw] - idle->last[jaw]) / 0.02f, lips = 0;

  if (!idle->arkit)
    return e;
  for (unsigned k = MOUTH_FIRST; k < MOUTH_END; k++)
    lips += fabsf (frame[k] - idle->last[k]);
  return e + lips / 0.25f;
}

/* Looks at the input for speech, and takes note of how it rests. */
static void
listen (AmIdle *idle, const float *frame)
{
  /* what moved while nothing came is no movement; after it an open jaw is looked at anew */
  const float e = idle->missing ? 0 : movement (idle, frame);
  const gboolean speaking = idle->quiet < AM_IDLE_HOLD;

  if (e > 0.4f || (idle->missing && frame[idle->dim - 3] > JAW_OPEN))
    idle->still = 0;
  else if (idle->still < STILL_MAX)
    idle->still++;
  if (e > (speaking ? 0.4f : 0.7f) || (frame[idle->dim - 3] > JAW_OPEN && idle->still < STILL_MAX))
    idle->quiet = 0;
  else if (idle->quiet < AM_IDLE_HOLD)
    idle->quiet++;
  if (idle->quiet == AM_IDLE_HOLD) {
    idle->rested = MIN (idle->rested + 1, REST_FRAMES);
    for (unsigned k = 0; k < idle->dim; k++)
      idle->rest[k] += (frame[k] - idle->rest[k]) / idle->rested;
  }
  /* somebody who has just blinked does not blink again at once */
  if (idle->arkit && frame[BLINK] > LID_SHUT && idle->life < 1)
    idle->blink_in = MAX (idle->blink_in, 50);
  memcpy (idle->last, frame, idle->dim * sizeof (float));
}

/* Moves `progress` by one frame towards 1 or 0. */
static void
move (float *progress, gboolean up, unsigned up_frames, unsigned down_frames)
{
  *progress =
      up ? fminf (1, *progress + 1.0f / up_frames) : fmaxf (0, *progress - 1.0f / down_frames);
  if (*progress < 1e-5f)
    *progress = 0; /* so that the input passes */
}

static float
weight (float progress)
{
  return progress * progress * (3 - 2 * progress);
}

/* The lids and the eyes move on by a frame; returns how far the lids are shut. */
static float
move_eyes (AmIdle *idle)
{
  float lid = 0;

  if (idle->life < 1)
    idle->blink_in = MAX (idle->blink_in, 12); /* not while lids change hands */
  if (idle->blink_in-- == 0) {
    idle->blink_in = draw_frames (idle, 2, 6.4);
    idle->blink_at = 0;
  }
  if (idle->blink_at < G_N_ELEMENTS (blink))
    lid = blink[idle->blink_at++];
  if (idle->look_in-- == 0) {
    /* away to one side, or back to the viewer, never quite the same */
    const gboolean away = draw (idle, 0, 1) < 0.5;
    const double side = draw (idle, -1, 1), size = away ? 1 : 0.15;

    idle->look_in = draw_frames (idle, 0.7, 3);
    idle->target[0] = size * (side + copysign (0.6, side)) * 0.075; /* 0.045 to 0.12 when away */
    idle->target[1] = size * draw (idle, -0.05, 0.04);
  }
  for (unsigned i = 0; i < 2; i++)
    idle->gaze[i] += 0.65f * (idle->target[i] - idle->gaze[i]);
  return lid;
}

static void
mix (float *x, float value, float w)
{
  *x = (1 - w) * *x + w * value; /* exact at both ends */
}

/* Lids and eyes of `out` towards ours. `turn`: our turn of the head, of which the eyes take back 0.6; a channel at 1 turns
 * an eye by 0.5 rad. */
static void
mix_eyes (const AmIdle *idle, float lid, const float *turn, float w, float *out)
{
  const float across = (idle->strength * idle->gaze[0] - 0.6f * turn[1]) / 0.5f;
  const float up = (idle->strength * idle->gaze[1] + 0.6f * turn[0]) / 0.5f;

  for (unsigned side = 0; side < 2; side++, out += EYE) {
    const float outwards = side == 0 ? across : -across;

    mix (&out[BLINK], fmaxf (lid, 0.3f * fmaxf (-up, 0)), w);
    mix (&out[LOOK_DOWN], fmaxf (-up, 0), w);
    mix (&out[LOOK_IN], fmaxf (-outwards, 0), w);
    mix (&out[LOOK_OUT], fmaxf (outwards, 0), w);
    mix (&out[LOOK_UP], fmaxf (up, 0), w);
    mix (&out[WIDE], 0, w);
  }
}

/* Our turn of the head in this frame. */
static void
sway (const AmIdle *idle, float turn[3])
{
  const double t = 2 * G_PI * idle->time / RATE;

  for (unsigned k = 0; k < 3; k++) {
    double sum = 0;

    for (unsigned i = 0; i < OCTAVES; i++)
      sum += sin (idle->hz[k][i] * t + idle->phase[k][i]);
    turn[k] = idle->strength * sway_size[k] * sum / OCTAVES;
  }
  turn[0] += idle->strength * 0.004 * sin (0.25 * t + idle->breath_phase);
}

static void
blend (const AmIdle *idle, float lid, float *out)
{
  const float life = weight (idle->life), mouth = weight (idle->mouth), gap = weight (idle->gap);
  float *global = out + idle->dim - POSE, *jaw = global + 3, turn[3];

  sway (idle, turn);
  for (unsigned k = 0; gap > 0 && k < idle->dim - POSE; k++)
    mix (&out[k], idle->rest[k], gap);
  if (idle->arkit) {
    mix_eyes (idle, lid, turn, life, out);
    for (unsigned r = 0; r < G_N_ELEMENTS (opening); r++)
      for (unsigned k = opening[r].first; k < opening[r].end; k++)
        mix (&out[k], 0, mouth);
  }
  for (unsigned k = 0; k < 3; k++) {
    mix (&global[k], idle->rest[idle->dim - POSE + k] + turn[k], life);
    mix (&jaw[k], 0, mouth);
  }
}

static gboolean
is_finite (const float *frame, unsigned n)
{
  for (unsigned k = 0; k < n; k++)
    if (!isfinite (frame[k]))
      return FALSE;
  return TRUE;
}

gboolean
am_idle_push (AmIdle *idle, const float *frame, float strength, float *out)
{
  gboolean live;
  float lid;

  if (frame && !is_finite (frame, idle->dim)) {
    memcpy (out, frame, idle->dim * sizeof (float));
    return FALSE;
  }
  if (frame)
    listen (idle, frame);
  else
    idle->quiet = AM_IDLE_HOLD;
  idle->missing = !frame;
  live = idle->quiet >= AM_IDLE_HOLD && strength > 0;
  idle->strength = idle->strength < 0
                       ? strength
                       : idle->strength + CLAMP (strength - idle->strength, -0.04f, 0.04f);
  move (&idle->life, live, AM_IDLE_EASE, AM_IDLE_EASE);
  move (&idle->mouth, live, idle->cut ? AM_IDLE_SHUT : AM_IDLE_EASE, MOUTH_EASE);
  idle->cut = idle->cut && live && idle->mouth < 1;
  move (&idle->gap, !frame && live, AM_IDLE_EASE, live ? AM_IDLE_EASE : MOUTH_EASE);
  lid = move_eyes (idle);
  memcpy (out, idle->last, idle->dim * sizeof (float));
  if (idle->life > 0 || idle->mouth > 0 || idle->gap > 0)
    blend (idle, lid, out);
  idle->time++;
  return !frame || idle->life > 0 || idle->mouth > 0 || idle->gap > 0;
}
