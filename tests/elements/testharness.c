/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "testharness.h"

#include <math.h>
#include <sched.h>
#include <string.h>

float *
test_speech (guint n)
{
  float *samples = g_new (float, MAX (n, 1));
  guint32 noise = 1;

  for (guint i = 0; i < n; i++) {
    const double t = i / 16000.0, syllable = fmod (t * 4, 1);
    const double loud = fmod (t, 2) < 1.6 ? sin (G_PI * syllable) : 0;

    noise = noise * 1664525 + 1013904223;
    samples[i] = 0.3 * loud * (sin (2 * G_PI * 140 * t) + 0.5 * sin (2 * G_PI * 710 * t)) +
                 0.002 * ((noise >> 16) / 32768.0 - 1);
  }
  return samples;
}

GstBuffer *
test_audio (const float *samples, guint first, guint n, gboolean pts)
{
  GstBuffer *buffer = gst_buffer_new_memdup (samples + first, n * sizeof (float));

  if (pts) {
    GST_BUFFER_PTS (buffer) = gst_util_uint64_scale (first, GST_SECOND, 16000);
    GST_BUFFER_DURATION (buffer) = gst_util_uint64_scale (n, GST_SECOND, 16000);
  }
  return buffer;
}

gboolean
test_on_valgrind (void)
{
  const char *preload = g_getenv ("LD_PRELOAD");

  return preload && strstr (preload, "vgpreload");
}

/* valgrind runs one thread at a time: threads that wait for one another would only change places. */
static void __attribute__ ((constructor)) one_core_on_valgrind (void)
{
  cpu_set_t one;

  if (!test_on_valgrind ())
    return;
  CPU_ZERO (&one);
  CPU_SET (sched_getcpu (), &one);
  sched_setaffinity (0, sizeof one, &one);
}

static void
add_bus (GstElement *element)
{
  g_autoptr (GstBus) bus = gst_bus_new ();

  gst_element_set_bus (element, bus);
}

GstHarness *
test_harness (const char *name, const char *model)
{
  GstElement *element = gst_element_factory_make (name, NULL);
  GstHarness *h;

  fail_unless (element != NULL, "no element %s", name);
  gst_object_ref_sink (element);
  add_bus (element);
  if (model)
    g_object_set (element, "model", model, NULL);
  h = gst_harness_new_with_element (element, "sink", "src");
  gst_object_unref (element);
  return h;
}

GstHarness *
test_harness_parse (const char *launch)
{
  GstHarness *h = gst_harness_new_parse (launch);

  add_bus (h->element);
  return h;
}

char *
test_message (GstElement *element, GstMessageType type)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (element);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, type);
  g_autoptr (GError) error = NULL;

  if (!message)
    return NULL;
  if (type == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else if (type == GST_MESSAGE_WARNING)
    gst_message_parse_warning (message, &error, NULL);
  return g_strdup (error ? error->message : GST_MESSAGE_TYPE_NAME (message));
}

void
test_end (GstHarness *h)
{
  g_autofree char *error = test_message (h->element, GST_MESSAGE_ERROR);
  g_autofree char *warning = test_message (h->element, GST_MESSAGE_WARNING);

  fail_unless (error == NULL, "unexpected error: %s", error);
  fail_unless (warning == NULL, "unexpected warning: %s", warning);
  gst_element_set_bus (h->element, NULL);
  gst_harness_teardown (h);
}

void
test_push_speech (GstHarness *h, const float *samples, guint n, guint step)
{
  guint32 size = 7;

  for (guint i = 0; i < n;) {
    guint m = step;

    if (step == 0) {
      size = size * 1664525 + 1013904223;
      m = 1 + (size >> 16) % 5000;
    }
    m = MIN (m, n - i);
    fail_unless_equals_int (gst_harness_push (h, test_audio (samples, i, m, TRUE)), GST_FLOW_OK);
    i += m;
  }
}

void
test_push_segment (GstHarness *h, GstClockTime start, GstClockTime base)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = segment.time = start;
  segment.base = base;
  gst_harness_push_event (h, gst_event_new_segment (&segment));
}

void
test_push_flush (GstHarness *h)
{
  gst_harness_push_event (h, gst_event_new_flush_start ());
  gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
}

GPtrArray *
test_pull_all (GstHarness *h)
{
  GPtrArray *all = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  GstBuffer *buffer;

  while ((buffer = gst_harness_try_pull (h)))
    g_ptr_array_add (all, buffer);
  return all;
}

GPtrArray *
test_finish (GstHarness *h)
{
  GPtrArray *all;

  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  all = test_pull_all (h);
  test_end (h);
  return all;
}

void
test_check_window (GstBuffer *b, guint64 from, guint64 to, GstClockTime base, gboolean discont)
{
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (b), from);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (b), to);
  fail_unless_equals_uint64 (
      GST_BUFFER_PTS (b), base + gst_util_uint64_scale (from, GST_SECOND, 16000));
  fail_unless_equals_uint64 (
      GST_BUFFER_DURATION (b), gst_util_uint64_scale (to, GST_SECOND, 16000) -
                                   gst_util_uint64_scale (from, GST_SECOND, 16000));
  fail_unless_equals_int (GST_BUFFER_IS_DISCONT (b), discont);
}

void
test_same (GPtrArray *a, GPtrArray *b)
{
  fail_unless_equals_int (a->len, b->len);
  for (guint i = 0; i < a->len; i++) {
    GstBuffer *x = test_buffer (a, i), *y = test_buffer (b, i);
    GstMapInfo map;

    fail_unless_equals_uint64 (GST_BUFFER_PTS (x), GST_BUFFER_PTS (y));
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (x), GST_BUFFER_DURATION (y));
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET (x), GST_BUFFER_OFFSET (y));
    fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (x), GST_BUFFER_OFFSET_END (y));
    fail_unless_equals_int (GST_BUFFER_IS_DISCONT (x), GST_BUFFER_IS_DISCONT (y));
    fail_unless (gst_buffer_map (x, &map, GST_MAP_READ));
    fail_unless_equals_uint64 (map.size, gst_buffer_get_size (y));
    fail_unless (gst_buffer_memcmp (y, 0, map.data, map.size) == 0, "buffer %u differs", i);
    gst_buffer_unmap (x, &map);
  }
}

GPtrArray *
test_run (const char *element, const char *model, const float *samples, guint n, guint step)
{
  GstHarness *h = test_harness (element, model);
  GPtrArray *all;

  gst_harness_set_src_caps_str (h, TEST_AUDIO_CAPS);
  test_push_speech (h, samples, n, step);
  fail_unless (gst_harness_push_event (h, gst_event_new_eos ()));
  all = test_pull_all (h);
  test_end (h);
  return all;
}

void
test_fails_to_start (GstElement *element, const char *part)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  g_autofree char *error = NULL, *more = NULL;

  gst_bin_add (GST_BIN (pipeline), element); /* with a reference of its own */
  fail_unless_equals_int (
      gst_element_set_state (pipeline, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  error = test_message (pipeline, GST_MESSAGE_ERROR);
  fail_unless (error != NULL, "no error was posted");
  fail_unless (strstr (error, part) != NULL, "the error does not say \"%s\": %s", part, error);
  fail_unless (strchr (error, '\n') == NULL);
  more = test_message (pipeline, GST_MESSAGE_ERROR);
  fail_unless (more == NULL, "a second error: %s", more);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_bin_remove (GST_BIN (pipeline), element);
  gst_object_unref (pipeline);
}

gboolean
test_is_pinned (GstBuffer *buffer)
{
  return gst_mini_object_get_qdata (GST_MINI_OBJECT (gst_buffer_peek_memory (buffer, 0)),
             g_quark_from_static_string ("artalk_pinned")) != NULL;
}
