/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Idle motion: alive and shut in silence, not there in speech, no jump between. */
#include "models/idle.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define DIM 106
#define GLOBAL 100
#define JAW 103
#define SMILE 23
#define READY (AM_IDLE_HOLD + AM_IDLE_EASE) /* frames of silence after which all is idle */
#define MINUTE 1500
/* The median step of the jaw in speech of the built-in model, radians a frame: what an eye takes for even motion. */
#define EVEN 0.0057f

static unsigned blink_left, blink_right, out_left, in_left, look_up, jaw_open;

static unsigned
channel (JsonArray *names, const char *name)
{
  for (unsigned i = 0; i < json_array_get_length (names); i++)
    if (g_str_equal (json_array_get_string_element (names, i), name))
      return i;
  g_error ("no channel %s", name);
}

/* The places of the channels, from the built-in model's own list. */
static void
read_channels (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("ARTALK_DATA_DIR"), "channels.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  JsonArray *names;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  names = json_object_get_array_member (
      json_node_get_object (json_parser_get_root (parser)), "expression");
  blink_left = channel (names, "eyeBlinkLeft");
  blink_right = channel (names, "eyeBlinkRight");
  out_left = channel (names, "eyeLookOutLeft");
  in_left = channel (names, "eyeLookInLeft");
  look_up = channel (names, "eyeLookUpLeft");
  jaw_open = channel (names, "jawOpen");
  g_assert_cmpuint (channel (names, "mouthSmileLeft"), ==, SMILE);
}

/* The built-in model's way to be still: smiling, blinking and swaying in rounds of four seconds. */
static void
quiet_frame (unsigned i, float *f)
{
  memset (f, 0, DIM * sizeof (float));
  f[SMILE] = f[SMILE + 1] = 0.3f;
  f[GLOBAL + 1] = 0.03f * sinf (2 * (float) G_PI * i / 100);
  if (i % 100 < 4)
    f[blink_left] = f[blink_right] = 1;
  f[JAW] = 0.0005f * (i % 3);
  f[jaw_open] = 0.01f * (i % 2);
}

static void
speech_frame (unsigned i, float *f)
{
  quiet_frame (i, f);
  f[JAW] = 0.05f + 0.045f * sinf (0.8f * i);
  f[jaw_open] = 0.2f + 0.2f * sinf (0.8f * i);
  f[60] = -0.0f;
}

static AmIdle *
arkit (guint32 seed)
{
  return am_idle_new (DIM, "arkit-1", seed);
}

/* `n` frames of silence or speech; leaves the last output in `out`. */
static void
run (AmIdle *idle, void (*make) (unsigned, float *), unsigned n, float *out)
{
  float in[DIM];

  for (unsigned i = 0; i < n; i++) {
    make (i, in);
    am_idle_push (idle, in, 1, out);
  }
}

static void
test_deterministic (void)
{
  g_autoptr (AmIdle) a = arkit (5), b = arkit (5), c = arkit (6);
  unsigned differs = 0;
  float x[DIM], y[DIM], z[DIM], in[DIM];

  run (b, speech_frame, 77, y);
  am_idle_reset (b, 5);
  for (unsigned i = 0; i < 1000; i++) {
    const gboolean none = i % 400 > 350;

    quiet_frame (i, in);
    am_idle_push (a, none ? NULL : in, 1, x);
    am_idle_push (b, none ? NULL : in, 1, y);
    am_idle_push (c, none ? NULL : in, 1, z);
    g_assert_cmpmem (x, sizeof x, y, sizeof y);
    differs += memcmp (x, z, sizeof x) != 0;
  }
  g_assert_cmpuint (differs, >, 900);
}

static void
test_speech_passes (void)
{
  g_autoptr (AmIdle) idle = arkit (1);
  float in[DIM], out[DIM];

  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 300; i++) {
      gboolean changed;

      speech_frame (i, in);
      changed = am_idle_push (idle, in, 1, out);
      if (round > 0 && i <= AM_IDLE_EASE)
        continue;
      g_assert_false (changed);
      g_assert_cmpmem (in, sizeof in, out, sizeof out);
    }
    run (idle, quiet_frame, 100, out); /* and again after it was idle */
  }
}

static void
test_vowel (void)
{
  g_autoptr (AmIdle) idle = arkit (1);
  float in[DIM], out[DIM];

  run (idle, speech_frame, 50, out);
  speech_frame (2, in);
  for (unsigned i = 0; i < 40; i++) /* long, but speech */
    g_assert_false (am_idle_push (idle, in, 1, out));
  for (unsigned i = 0; i < 60; i++) /* too long for that */
    am_idle_push (idle, in, 1, out);
  g_assert_cmpfloat (out[JAW], ==, 0);
}

static void
test_silence (void)
{
  g_autoptr (AmIdle) idle = arkit (3);
  unsigned blinks = 0, looks = 0;
  float in[DIM], out[DIM], last[DIM];
  double yaw = 0, up = 0;

  run (idle, speech_frame, 50, out);
  run (idle, quiet_frame, READY, out);
  memcpy (last, out, sizeof last);
  for (unsigned i = 0; i < 5 * MINUTE; i++) {
    quiet_frame (i, in);
    g_assert_true (am_idle_push (idle, in, 1, out));
    g_assert_cmpfloat (out[JAW], ==, 0);
    g_assert_cmpfloat (out[jaw_open], ==, 0);
    g_assert_cmpfloat (out[SMILE], ==, in[SMILE]);
    g_assert_cmpfloat (out[blink_left], ==, out[blink_right]);
    for (unsigned k = 0; k < GLOBAL; k++)
      g_assert_true (out[k] >= 0 && out[k] <= 1);
    for (unsigned k = 0; k < 3; k++) {
      g_assert_cmpfloat (fabsf (out[GLOBAL + k]), <, k == 1 ? 0.07f : 0.02f);
      g_assert_cmpfloat (fabsf (out[GLOBAL + k] - last[GLOBAL + k]), <, EVEN);
    }
    g_assert_cmpfloat (fabsf (out[blink_left] - last[blink_left]), <=, 0.75f);
    g_assert_cmpfloat (fabsf (out[out_left] - last[out_left]), <=, 0.4f);
    blinks += out[blink_left] > 0.9f && last[blink_left] <= 0.9f;
    looks += fabsf (out[out_left] - out[in_left] - last[out_left] + last[in_left]) > 0.04f;
    yaw += out[GLOBAL + 1] * out[GLOBAL + 1];
    up += out[look_up];
    memcpy (last, out, sizeof last);
  }
  g_test_message ("blinks a minute: %.1f; frames with glances: %u; yaw rms %.4f rad", blinks / 5.0,
      looks, sqrt (yaw / (5 * MINUTE)));
  g_assert_cmpuint (blinks, >=, 50); /* 10 to 20 a minute, though the input blinks as well */
  g_assert_cmpuint (blinks, <=, 100);
  g_assert_cmpuint (looks, >, 50);
  g_assert_cmpfloat (sqrt (yaw / (5 * MINUTE)), >, 0.005);
  g_assert_cmpfloat (up, >, 0);
}

/* Where all is idle, the input's own blinks and glances leave no trace. */
static void
test_takes_over (void)
{
  g_autoptr (AmIdle) a = arkit (9), b = arkit (9);
  float in[DIM], x[DIM], y[DIM];

  for (unsigned i = 10; i < 1000; i++) {
    quiet_frame (i, in);
    am_idle_push (a, in, 1, x);
    in[blink_left] = in[blink_right] = 0;
    am_idle_push (b, in, 1, y);
    if (i > 10 + READY)
      g_assert_cmpmem (x, sizeof x, y, sizeof y);
  }
}

static void
test_easing (void)
{
  for (guint32 seed = 0; seed < 50; seed++) {
    g_autoptr (AmIdle) idle = arkit (seed);
    float in[DIM], out[DIM], last[DIM], own, before = 0, largest = 0;

    run (idle, speech_frame, 20 + seed, last);
    for (unsigned i = 20 + seed; i < 400; i++) {
      if (i / 100 % 2)
        quiet_frame (i, in);
      else
        speech_frame (i, in);
      own = in[JAW];
      am_idle_push (idle, in, 1, out);
      for (unsigned k = 0; k < 3; k++)
        g_assert_cmpfloat (fabsf (out[GLOBAL + k] - last[GLOBAL + k]), <=, EVEN);
      /* the mouth, which comes back in three frames, moves no faster than in speech */
      largest = fmaxf (largest, fabsf (own - before));
      if (i > 120)
        g_assert_cmpfloat (fabsf (out[JAW] - last[JAW]), <=, 1.01f * largest);
      before = own;
      memcpy (last, out, sizeof last);
    }
  }
}

static void
test_gaps (void)
{
  g_autoptr (AmIdle) idle = arkit (4);
  float in[DIM], out[DIM], last[DIM];

  g_assert_true (am_idle_push (idle, NULL, 1, out)); /* before there is any input */
  for (unsigned k = 0; k < GLOBAL; k++)
    g_assert_cmpfloat (fabsf (out[k]), <, 0.05f);
  run (idle, quiet_frame, 100, out); /* how it rests: smiling */
  run (idle, speech_frame, 101, last);
  g_assert_cmpfloat (last[JAW], >, 0.003f);
  for (unsigned i = 0; i < 100; i++) {
    g_assert_true (am_idle_push (idle, NULL, 1, out));
    g_assert_cmpfloat (fabsf (out[JAW] - last[JAW]), <, 0.1f * 1.5f / AM_IDLE_EASE);
    g_assert_cmpfloat (fabsf (out[GLOBAL + 1] - last[GLOBAL + 1]), <, EVEN);
    memcpy (last, out, sizeof last);
  }
  g_assert_cmpfloat (out[JAW], ==, 0);
  g_assert_cmpfloat (out[jaw_open], ==, 0);
  g_assert_cmpfloat_with_epsilon (out[SMILE], 0.3f, 1e-4f);
  for (unsigned i = 0; i < 50; i++) {
    speech_frame (i, in);
    g_assert_true (am_idle_push (idle, in, 1, out) == (i < AM_IDLE_EASE - 1));
  }
}

static void
test_strength (void)
{
  g_autoptr (AmIdle) off = arkit (2), half = arkit (2), full = arkit (2);
  float in[DIM], x[DIM], y[DIM], z[DIM];

  for (unsigned i = 0; i < 500; i++) {
    quiet_frame (i, in);
    in[GLOBAL + 1] = 0;
    g_assert_false (am_idle_push (off, in, 0, x));
    g_assert_cmpmem (in, sizeof in, x, sizeof x);
    am_idle_push (half, in, 0.5f, y);
    am_idle_push (full, in, 1, z);
    g_assert_cmpfloat_with_epsilon (2 * y[GLOBAL + 1], z[GLOBAL + 1], 1e-6f);
  }
  for (unsigned i = 0; i < 50; i++) /* switched off while idle: eases out */
    g_assert_true (am_idle_push (full, in, 0, z) == (i < AM_IDLE_EASE - 1));
}

static void
test_not_finite (void)
{
  g_autoptr (AmIdle) idle = arkit (2);
  float in[DIM], out[DIM];

  run (idle, quiet_frame, 60, out);
  for (unsigned k = 0; k < DIM; k++) {
    quiet_frame (k, in);
    in[k] = k % 2 ? NAN : INFINITY;
    g_assert_false (am_idle_push (idle, in, 1, out));
    g_assert_cmpmem (in, sizeof in, out, sizeof out);
  }
  run (idle, quiet_frame, 1, out);
  for (unsigned k = 0; k < DIM; k++)
    g_assert_true (isfinite (out[k]));
}

/* Expressions without names: head and jaw only; and frames that are too short for the names. */
static void
test_flame (void)
{
  g_autoptr (AmIdle) idle = am_idle_new (DIM, "flame", 1), tiny = am_idle_new (6, "arkit-1", 1);
  float in[DIM] = { 0 }, out[DIM], turned = 0;

  for (unsigned i = 0; i < 500; i++) {
    for (unsigned k = 0; k < GLOBAL; k++)
      in[k] = sinf (i + k); /* says nothing about speech */
    am_idle_push (idle, in, 1, out);
    g_assert_cmpmem (in, GLOBAL * sizeof (float), out, GLOBAL * sizeof (float));
    turned = fmaxf (turned, fabsf (out[GLOBAL + 1]));
    am_idle_push (tiny, i % 3 ? in + GLOBAL : NULL, 1, out);
  }
  g_assert_cmpfloat (turned, >, 0.005f);
  for (unsigned i = 0; i < 100; i++) {
    in[JAW] = 0.1f + 0.05f * sinf (i);
    g_assert_true (am_idle_push (idle, in, 1, out) == (i < AM_IDLE_EASE - 1));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  read_channels ();
  g_test_add_func ("/idle/deterministic", test_deterministic);
  g_test_add_func ("/idle/speech-passes", test_speech_passes);
  g_test_add_func ("/idle/vowel", test_vowel);
  g_test_add_func ("/idle/silence", test_silence);
  g_test_add_func ("/idle/takes-over", test_takes_over);
  g_test_add_func ("/idle/easing", test_easing);
  g_test_add_func ("/idle/gaps", test_gaps);
  g_test_add_func ("/idle/strength", test_strength);
  g_test_add_func ("/idle/not-finite", test_not_finite);
  g_test_add_func ("/idle/flame", test_flame);
  return g_test_run ();
}
